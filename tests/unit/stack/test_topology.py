"""Ports under an offset."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stack.ports import wanted
from stack.topology import MAX_INSTANCES, SERVICES, Address, Ports, shift, topology


def test_without_an_offset_ports_are_the_documented_ones() -> None:
    mesh = topology(0, {"carrinho": 2}, Path())
    assert {name: address.port for name, address in wanted(mesh).items()} == {
        "envoy, edge": 8080,
        "envoy, mesh": 8081,
        "envoy, admin": 9901,
        "valkey": 63791,
        "postgres-catalogo-1": 54321,
        "postgres-pedidos": 54331,
        "catalogo-1": 50051,
        "carrinho-1": 50061,
        "carrinho-2": 50062,
        "pedidos-1": 50071,
        "gateway-1": 50081,
    }


def test_everything_is_on_the_loopback() -> None:
    assert Ports().edge == Address("127.0.0.1", 8080)
    assert str(Ports().edge) == "127.0.0.1:8080"


@pytest.mark.parametrize(("offset", "valkey"), [(1744, 65535), (1745, 1024), (2000, 1279)])
def test_a_port_beyond_the_last_goes_on_at_the_first_that_needs_no_root(offset: int, valkey: int) -> None:
    assert Ports(offset).valkey.port == valkey


@given(st.integers(0, 64511))
def test_under_every_offset_ports_are_valid_and_differ(offset: int) -> None:
    mesh = topology(offset, dict.fromkeys(SERVICES, MAX_INSTANCES), Path())
    ports = [address.port for address in wanted(mesh).values()]
    assert all(1024 <= port <= 65535 for port in ports)
    assert len(set(ports)) == len(ports)


@given(st.integers(1024, 65535))
def test_no_offset_changes_nothing(base: int) -> None:
    assert shift(base, 0) == base
