"""A shop of its own, reached through the edge, over gRPC and over REST."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import grpc
import httpx
import pytest

from tests.contract.shop import Shop


@pytest.fixture(scope="session")
def channel(mesh: Any) -> Iterator[grpc.Channel]:
    """A gRPC channel to the edge."""
    with grpc.insecure_channel(mesh.edge_target) as channel:
        grpc.channel_ready_future(channel).result(timeout=10)
        yield channel


@pytest.fixture(scope="session")
def rest(mesh: Any) -> Iterator[httpx.Client]:
    """An HTTP client of the edge."""
    with httpx.Client(base_url=mesh.edge, timeout=10) as client:
        yield client


@pytest.fixture(scope="session")
def shop(channel: grpc.Channel) -> Shop:
    return Shop(channel)
