"""The questions to the parts, asked of real servers and of programs that are none."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import grpc
import pytest
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from stack import probes
from stack.topology import HOST, Address
from tests.conftest import PostgresServer, free_port


@pytest.fixture
def grpc_server() -> Iterator[Address]:
    server, healthy = grpc.server(ThreadPoolExecutor(2)), health.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(healthy, server)
    healthy.set("bem", health_pb2.HealthCheckResponse.SERVING)
    healthy.set("mal", health_pb2.HealthCheckResponse.NOT_SERVING)
    port = server.add_insecure_port(f"{HOST}:0")
    server.start()
    yield Address(HOST, port)
    server.stop(0).wait()


@pytest.mark.parametrize(("name", "answer"), [("", None), ("bem", None), ("mal", "NOT_SERVING"), ("quem", "UNKNOWN")])
async def test_grpc_health_is_what_the_server_says(grpc_server: Address, name: str, answer: str | None) -> None:
    found = await probes.grpc_health(grpc_server, name)()
    assert found == answer if answer is None else answer in (found or "")


async def test_postgresql_takes_connections(postgres_server: PostgresServer) -> None:
    assert await probes.postgres(postgres_server.address)() is None


async def test_valkey_answers(valkey_url: str) -> None:
    assert await probes.valkey(Address(HOST, urlsplit(valkey_url).port or 0))() is None


Asker = Callable[[Address], probes.Probe]
ALL = [
    pytest.param(lambda address: probes.grpc_health(address, "bem"), id="grpc"),
    pytest.param(probes.postgres, id="postgres"),
    pytest.param(probes.valkey, id="valkey"),
    pytest.param(lambda address: probes.http_ok(address, "/health"), id="http"),
]


@pytest.mark.parametrize("probe", ALL)
async def test_nobody_there_is_refused(probe: Asker) -> None:
    why = await probe(Address(HOST, free_port()))()
    assert why is not None
    assert "refused" in why or "Connect call failed" in why


@pytest.fixture(params=[b"", b"what?\r\n" * 20, b"\0" * 400, b"\xff" * 400], ids=["silence", "text", "zeros", "ones"])
async def stranger(request: pytest.FixtureRequest) -> AsyncIterator[Address]:
    """Somebody who takes connections, and speaks another language or not at all."""

    async def babble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(request.param)
        with contextlib.suppress(ConnectionError):
            while await reader.read(1024):
                pass
        writer.transport.abort()

    server = await asyncio.start_server(babble, HOST, 0)
    yield Address(*server.sockets[0].getsockname())
    server.close()


@pytest.mark.parametrize("probe", ALL)
async def test_a_stranger_does_not_serve(probe: Asker, stranger: Address, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probes, "TIMEOUT", 0.2)
    why = await asyncio.wait_for(probe(stranger)(), 1)
    assert isinstance(why, str)
    assert why
