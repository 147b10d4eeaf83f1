"""Benches and clients; Bench itself is in bench.py."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import grpc
import httpx
import pytest

from tests.integration.test_envoy.bench import Bench


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """Shared by a module's tests, which leave it as they found it."""
    with ExitStack() as stack:
        yield Bench(tmp_path_factory.mktemp("a bench"), stack, catalogo=2)


@pytest.fixture
def own_bench(tmp_path: Path) -> Iterator[Callable[..., Bench]]:
    """For tests that kill: a bench with as many instances as asked."""
    with ExitStack() as stack:
        yield lambda **instances: Bench(tmp_path, stack, **instances)


@pytest.fixture
async def edge(bench: Bench) -> AsyncIterator[grpc.aio.Channel]:
    async with grpc.aio.insecure_channel(str(bench.ports.edge)) as channel:
        yield channel


@pytest.fixture
async def mesh(bench: Bench) -> AsyncIterator[grpc.aio.Channel]:
    async with grpc.aio.insecure_channel(str(bench.ports.mesh)) as channel:
        yield channel


@pytest.fixture
async def rest(bench: Bench) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=bench.edge, timeout=10) as client:
        yield client
