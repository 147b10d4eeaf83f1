"""Ports: ours while the mesh runs, waited for when a passing connection sits on one, refused when a program listens."""

import asyncio
import contextlib
import random
import socket
import struct

import pytest

from stack.ports import Claims, PortTaken
from stack.topology import HOST, Address


def address_of(bound: socket.socket) -> Address:
    return Address(HOST, bound.getsockname()[1])


def bind_below_the_ephemeral_ports(unbound: socket.socket) -> None:
    for port in random.sample(range(10_000, 32_000), 100):
        with contextlib.suppress(OSError):
            return unbound.bind((HOST, port))
    pytest.fail("no free port")


async def test_a_passing_connection_is_waited_for() -> None:
    with socket.create_server((HOST, 0)) as listener, socket.socket() as passing:
        bind_below_the_ephemeral_ports(passing)  # where nobody else's connection can follow it
        passing.connect(address_of(listener))
        at_once = struct.pack("ii", 1, 0)  # closed by a reset, it leaves no TIME_WAIT of a minute behind
        passing.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, at_once)
        claims = Claims()
        left = claims.take({"a part": address_of(passing)})
        assert list(left) == ["a part"]
        waiting = asyncio.create_task(claims.wait(left))
        await asyncio.sleep(0)  # it has looked once
        assert not waiting.done()
        passing.close()
        await asyncio.wait_for(waiting, 3)
        claims.release()


def test_a_listening_program_is_named_at_once() -> None:
    with (
        socket.create_server((HOST, 0)) as listener,
        pytest.raises(PortTaken, match=r"port \d+ \(a part\) is taken by .+ --port-offset"),
    ):
        Claims().take({"a part": address_of(listener)})


def test_reserving_leaves_alone_what_others_have() -> None:
    claims = Claims()
    with socket.create_server((HOST, 0)) as listener:
        claims.reserve([address_of(listener)])
        with pytest.raises(PortTaken):
            claims.take({"a part": address_of(listener)})
    claims.release()
