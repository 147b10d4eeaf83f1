"""CPU a call of our server, whose answer is bytes made beforehand, against a bare grpc.aio server that builds it.

    .venv/bin/python -m tests.conformance.cpu_per_call [ROUNDS]

Both serve at the same time and are asked in turn, in slices of some tenths of a second; what counts is the median of
the ratios of neighbouring slices, with its spread, since other work on the machine hits both alike. CPU is that of the
whole server process, gRPC's own threads too. Our side validates, checks the limit, keeps the deadline, has a health
that probes. GRPC_EXPERIMENTS=-event_engine_listener,-event_engine_client,-event_engine_for_all_other_endpoints in the
environment of the third row makes gRPC poll its sockets in the thread that waits for them, one hand-over less a call.
"""

import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import grpc
import uvloop

from tests.conformance import contract
from tests.conformance.running import ROOT, Running, free_port

SLICE = 2_000  # calls
AT_ONCE = 32
POLLING = "-event_engine_listener,-event_engine_client,-event_engine_for_all_other_endpoints"
METADATA = (
    ("x-request-id", "0a1b2c3d-1111-2222-3333-444455556666"),
    ("x-forwarded-proto", "http"),
    ("x-envoy-expected-rq-timeout-ms", "3000"),
)
Request, Response = contract.message("EchoRequest"), contract.message("EchoResponse")


async def bare(port: str) -> None:
    """What the generated code of grpc would do."""

    async def ready(request: Any, _context: Any) -> Any:
        return Response(text="pronto", number=7, request_id=str(request.number), metadata=["a", "b", "c"], padding=b"x")

    handler = grpc.unary_unary_rpc_method_handler(
        ready, request_deserializer=Request.FromString, response_serializer=Response.SerializeToString
    )
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(contract.SERVICE, {"Ready": handler}),))
    server.add_insecure_port(f"127.0.0.1:{port}")
    await server.start()
    await server.wait_for_termination()


async def ask(port: str) -> None:
    """One slice of calls for each line on stdin, answered with a line."""
    loop = asyncio.get_running_loop()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        call: Any = channel.unary_unary(f"/{contract.SERVICE}/Ready")
        raw = Request(text="bolos", number=20).SerializeToString()

        async def caller() -> None:
            for _ in range(SLICE // AT_ONCE):
                await call(raw, timeout=3.0, metadata=METADATA, wait_for_ready=True)

        while await loop.run_in_executor(None, sys.stdin.readline):
            await asyncio.gather(*(caller() for _ in range(AT_ONCE)))
            sys.stdout.write("done\n")
            sys.stdout.flush()


def cpu(pid: int) -> float:
    """Microseconds that all threads of a process have run."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1_000


class Side:
    """A server and a client process of its own."""

    def __init__(self, name: str, pid: int, port: int) -> None:
        self.name, self._pid = name, pid
        self.slices: list[float] = []
        self._client = _module("ask", str(port), stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def measure(self) -> float:
        before = cpu(self._pid)
        assert self._client.stdin is not None
        assert self._client.stdout is not None
        self._client.stdin.write(b"\n")
        self._client.stdin.flush()
        assert self._client.stdout.readline() == b"done\n"
        return (cpu(self._pid) - before) / (SLICE // AT_ONCE * AT_ONCE)

    def close(self) -> None:
        self._client.kill()
        self._client.wait()


def _module(*arguments: str, **options: Any) -> "subprocess.Popen[bytes]":
    return subprocess.Popen([sys.executable, "-m", "tests.conformance.cpu_per_call", *arguments], cwd=ROOT, **options)


def compare(rounds: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        ours = Running("chassis.server:Server", Path(folder) / "ours.log", probe_seconds=0.25).ready()
        os.environ["GRPC_EXPERIMENTS"] = POLLING
        polling = Running("chassis.server:Server", Path(folder) / "polling.log", probe_seconds=0.25).ready()
        del os.environ["GRPC_EXPERIMENTS"]
        port = free_port()
        peer = _module("bare", str(port))
        sides = [
            Side("bare grpc.aio, builds its answer", peer.pid, port),
            Side("chassis, ready bytes", ours.pid, ours.port),
            Side("chassis, ready bytes, polling", polling.pid, polling.port),
        ]
        for side in sides:
            side.measure()  # warm
        for number in range(rounds):
            for side in sides if number % 2 else reversed(sides):
                side.slices.append(side.measure())
        for side in sides:
            ratios = sorted(one / other for one, other in zip(side.slices, sides[0].slices, strict=True))
            low, high = ratios[rounds // 4], ratios[-1 - rounds // 4]
            figures = f"{min(side.slices):6.1f} best {statistics.median(side.slices):6.1f} median us a call"
            print(f"{side.name:34}{figures}  ratio {statistics.median(ratios):.3f} ({low:.3f} to {high:.3f})")  # noqa: T201
            side.close()
        for process in (ours.process, polling.process, peer):
            process.kill()
            process.wait()


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["bare", port]:
            uvloop.run(bare(port))
        case ["ask", port]:
            uvloop.run(ask(port))
        case [*rest]:
            compare(int(rest[0]) if rest else 40)
