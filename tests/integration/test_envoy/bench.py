"""The real Envoy in front of stand-ins for the services (upstream.py): each a process of its own on a free port."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import grpc
import httpx
from confeitaria.catalogo.v1.catalogo_pb2 import Produto
from google.rpc.error_details_pb2 import ErrorInfo
from google.rpc.status_pb2 import Status

from stack.endpoints import FOLDER, write_endpoints
from stack.envoy import command, render_bootstrap
from stack.topology import ADMIN, EDGE, HOST, MESH, Address, Ports, Topology

UPSTREAM = Path(__file__).parent / "upstream.py"
HEALTH = {"catalogo": "catalogo.leitura,catalogo.escrita"}
STANDBY = "catalogo.leitura"  # what a second catalogo serves
CATALOGO = "/confeitaria.catalogo.v1.CatalogoService/"


def free_port() -> int:
    with socket.create_server((HOST, 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


def wait_until(condition: Callable[[], object], seconds: float, what: str) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.01)


async def eventually(condition: Callable[[], Awaitable[object]], seconds: float) -> None:
    """Asks again and again; TimeoutError when the time is over."""
    async with asyncio.timeout(seconds):
        while not await condition():  # noqa: ASYNC110  another process decides
            await asyncio.sleep(0.02)


@dataclass(frozen=True)
class FreePorts(Ports):
    """Whatever ports the system gives for Envoy's own."""

    chosen: Mapping[int, int] = field(default_factory=lambda: {base: free_port() for base in (EDGE, MESH, ADMIN)})

    def _at(self, base: int) -> Address:
        return Address(HOST, self.chosen.get(base, base))


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()
    if process.stdin:
        process.stdin.close()


class Upstream:
    """One stand-in, running."""

    def __init__(self, name: str, health: str) -> None:
        self.name, self.health = name, health
        self.address = Address(HOST, free_port())
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, str(UPSTREAM), str(self.address.port), self.name, self.health],
            stdin=subprocess.PIPE,  # it ends when this end is closed, however we end
        )

    def signal(self, number: signal.Signals) -> None:
        os.kill(self.process.pid, number)

    def kill(self) -> None:
        _end(self.process)

    def ask(self, path: str, raw: bytes = b"") -> bytes:
        """A call past Envoy."""
        with grpc.insecure_channel(str(self.address)) as channel:
            method: Any = channel.unary_unary(path)
            answer: bytes = method(raw, wait_for_ready=True, timeout=10)
        return answer

    def serve(self, health: str) -> None:
        """From now on it says that it serves these names and no others."""
        self.ask("/control/serve", health.encode())

    def calls(self, path: str) -> int:
        """How often it was asked."""
        found: int = json.loads(self.ask("/control/calls")).get(path, 0)
        return found


class Bench:
    """Envoy and its upstreams, by service."""

    def __init__(self, home: Path, stack: ExitStack, **instances: int) -> None:
        self.home, self._stack = home, stack
        self.ports = FreePorts()
        self.services: dict[str, list[Upstream]] = {}
        for service in ("catalogo", "carrinho", "pedidos", "gateway"):
            self.services[service] = []
            for _ in range(instances.get(service, 1)):
                self.add(service)
        (home / "logs").mkdir()
        self.write_endpoints()
        self.bootstrap = self.topology.envoy_folder / "bootstrap.yaml"
        self.bootstrap.write_text(render_bootstrap(self.topology))
        self._start_envoy()

    def add(self, service: str) -> Upstream:
        """Starts one more; Envoy hears of it by write_endpoints."""
        others = self.services[service]
        health = HEALTH.get(service, service) if not others or service != "catalogo" else STANDBY
        upstream = Upstream(f"{service}-{len(others) + 1}", health)
        self._stack.callback(upstream.kill)
        others.append(upstream)
        return upstream

    @property
    def topology(self) -> Topology:
        addresses = {name: [each.address for each in found] for name, found in self.services.items()}
        return Topology(self.ports, addresses, self.home)

    @property
    def edge(self) -> str:
        return f"http://{self.ports.edge}"

    def write_endpoints(self) -> None:
        write_endpoints(self.topology, self.topology.envoy_folder / FOLDER)

    def _start_envoy(self) -> None:
        log = self._stack.enter_context((self.home / "logs" / "envoy.log").open("wb"))
        envoy = subprocess.Popen(command(self.bootstrap), stdout=log, stderr=log)
        self._stack.callback(_end, envoy)
        wait_until(self._ready, 20, f"every cluster has a healthy host: {log.name}")

    def _ready(self) -> bool:
        return all(self.healthy(cluster) == len(found) for cluster, found in self._expected().items())

    def _expected(self) -> dict[str, list[Upstream]]:
        catalogo = self.services["catalogo"]
        rest = {name: found for name, found in self.services.items() if name != "catalogo"}
        return {"catalogo_leitura": catalogo, "catalogo_escrita": catalogo[:1], **rest}

    def stat(self, name: str) -> int:
        """A counter or gauge of Envoy's; 0 while there is none."""
        try:
            found = httpx.get(f"http://{self.ports.admin}/stats", params={"filter": f"^{name}$"}).text
        except httpx.TransportError:
            return 0
        return int(found.split(": ")[1]) if found.strip() else 0

    def healthy(self, cluster: str) -> int:
        return self.stat(f"cluster.{cluster}.membership_healthy")

    def log(self, name: str) -> list[dict[str, Any]]:
        path = self.home / "logs" / name
        return [json.loads(line) for line in path.read_text().splitlines()]


@dataclass(frozen=True)
class Answer:
    """What came back from a gRPC call, good or bad."""

    code: grpc.StatusCode
    message: str
    reason: str
    domain: str
    headers: dict[str, str]
    by: str = ""  # the upstream that answered
    seen: dict[str, Any] = field(default_factory=dict)  # what arrived there


async def call(
    channel: grpc.aio.Channel,
    path: str,
    raw: bytes = b"",
    *,
    do: str = "",
    deadline: float | None = None,
    metadata: Mapping[str, str] = MappingProxyType({}),
) -> Answer:
    """One unary call; `do` is what the upstream shall do (upstream.py), `deadline` in seconds."""
    method: Any = channel.unary_unary(path)
    started = method(raw, timeout=deadline, metadata=[*metadata.items(), *([("x-do", do)] if do else [])])
    headers = {key: value for key, value in await started.initial_metadata() if isinstance(value, str)}
    code = await started.code()
    if code is grpc.StatusCode.OK:
        product = Produto.FromString(await started)
        seen = json.loads(product.descricao) if product.descricao.endswith("}") else {}
        return Answer(code, "", "", "", headers, product.nome, seen)
    info = ErrorInfo()
    for key, value in await started.trailing_metadata() or ():
        if key == "grpc-status-details-bin":
            status = Status.FromString(value)
            assert (status.code, status.message) == (code.value[0], await started.details())
            assert status.details[0].Unpack(info)
    return Answer(code, await started.details() or "", info.reason, info.domain, headers)
