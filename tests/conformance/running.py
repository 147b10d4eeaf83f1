"""A server process of the suite, and the means to talk to it."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import grpc
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, RetryInfo
from google.rpc.status_pb2 import Status

from stack.parts import python_environment
from tests.conformance import contract

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 20.0
CALL_SECONDS = 10.0


@dataclass
class Answer:
    """A refusal, as a client sees it."""

    code: grpc.StatusCode
    message: str
    status: Status
    info: ErrorInfo = field(default_factory=ErrorInfo)
    bad: BadRequest = field(default_factory=BadRequest)
    retry: RetryInfo = field(default_factory=RetryInfo)
    initial_metadata: tuple[Any, ...] = ()


def answer(exc: grpc.RpcError) -> Answer:
    assert isinstance(exc, grpc.aio.AioRpcError)
    trailers = dict(exc.trailing_metadata() or ())
    status = Status.FromString(trailers.get("grpc-status-details-bin", b""))
    told = Answer(exc.code(), exc.details() or "", status, initial_metadata=tuple(exc.initial_metadata() or ()))
    for detail in status.details:
        for kind in (told.info, told.bad, told.retry):
            detail.Unpack(kind)
    return told


class Stub:
    """The methods of the suite's contract on a channel."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self.channel = channel
        for method in contract.service().methods:
            make = channel.unary_stream if method.server_streaming else channel.unary_unary
            call = make(
                f"/{contract.SERVICE}/{method.name}",
                request_serializer=contract.message(method.input_type.name).SerializeToString,
                response_deserializer=contract.message(method.output_type.name).FromString,
            )
            setattr(self, method.name, call)

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(name)

    async def refused(self, name: str, request: Any, **options: Any) -> Answer:
        """The refusal of a call that must fail."""
        try:
            found = await getattr(self, name)(request, **{"timeout": CALL_SECONDS, **options})
        except grpc.aio.AioRpcError as exc:
            return answer(exc)
        raise AssertionError(f"{name} answered {found}")

    async def state(self, *, count: bool = False) -> Any:
        return await self.State(contract.message("EchoRequest")(text="count" if count else ""), timeout=CALL_SECONDS)


def free_port() -> int:
    """One of the suite's own."""
    for port in range(17_440, 17_500):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            if port not in _given:
                _given.add(port)
                return port
    raise AssertionError("no free port from 17440 to 17499")


_given: set[int] = set()


class Running:
    """The process of eco.py. As a context manager it is ready inside and gone after."""

    def __init__(self, server: str, log: Path, **settings: object) -> None:
        self.port = free_port()
        self.log = log
        self.target = f"127.0.0.1:{self.port}"
        given = {"listen": self.target, "instance": "eco-1", "drain_seconds": 0.2, "grace_seconds": 1.0} | settings
        environment = {f"ECO_{key.upper()}": str(value) for key, value in given.items()}
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, str(Path(__file__).with_name("eco.py")), server],
                stdout=output,
                stderr=subprocess.STDOUT,
                env=os.environ | python_environment() | environment,  # what the stack gives its services
            )

    @property
    def pid(self) -> int:
        return self.process.pid

    def channel(self, *options: tuple[str, Any]) -> Any:  # types-grpcio asks for a serializer where we send bytes
        return grpc.aio.insecure_channel(self.target, [("grpc.use_local_subchannel_pool", 1), *options])

    def records(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log.read_text().splitlines() if line]

    def events(self, event: str) -> list[dict[str, Any]]:
        return [record for record in self.records() if record["event"] == event]

    def rss(self) -> int:
        """Resident bytes."""
        return int(Path(f"/proc/{self.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def exit_code(self, seconds: float = 10.0) -> int:
        return self.process.wait(timeout=seconds)

    def ready(self) -> Self:
        def serves() -> bool:
            assert self.process.poll() is None, self.log.read_text()
            return '"serving"' in self.log.read_text()

        wait_until(serves, START_SECONDS, "the server serves")
        return self

    def __enter__(self) -> Self:
        return self.ready()

    def __exit__(self, *_: object) -> None:
        self.end()

    def end(self) -> None:
        self.process.kill()  # nothing, when it has ended
        self.process.wait(timeout=20)


def wait_until(condition: Callable[[], object], seconds: float, what: str) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"not within {seconds} s: {what}"
        time.sleep(0.01)


async def eventually(condition: Callable[[], Any], seconds: float, what: str) -> None:
    """`condition` is a coroutine function; it is asked again and again."""
    async with asyncio.timeout(seconds):
        while not await condition():  # noqa: ASYNC110  it is another process that changes
            await asyncio.sleep(0.01)
    assert what
