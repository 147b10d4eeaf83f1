"""Servers for the suite. Another server takes it when its class stands in SERVERS."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from tests.conformance.running import Running, Stub

SERVERS = {"grpc.aio": "chassis.server:Server"}

Start = Callable[..., Running]


@pytest.fixture(scope="session", params=list(SERVERS.values()), ids=list(SERVERS))
def server(request: pytest.FixtureRequest) -> str:
    """Where the server's class is found."""
    return str(request.param)


@pytest.fixture
def start(server: str, tmp_path: Path) -> Iterator[Start]:
    """Starts a process of its own with the settings given, and ends it after the test."""
    with ExitStack() as started:

        def begin(**settings: Any) -> Running:
            running = Running(server, tmp_path / f"eco-{next(numbers)}.log", **settings)
            started.callback(running.end)
            return running

        numbers = count()
        yield begin


@pytest.fixture(scope="session")
def shared(server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One process for all tests that leave it as they found it."""
    folder = tmp_path_factory.mktemp("eco")
    with Running(server, folder / "eco.log", max_message_bytes=100_000, sick_file=folder / "sick") as running:
        yield running


@pytest.fixture
async def eco(shared: Running) -> AsyncIterator[Any]:
    async with shared.channel() as channel:
        yield Stub(channel)
