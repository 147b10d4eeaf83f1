"""Ports: ours while the mesh runs, waited for when a passing connection sits on one, refused when a program listens."""

import asyncio
import socket

import pytest

from stack.ports import Claims, PortTaken
from stack.topology import HOST, Address


def address_of(bound: socket.socket) -> Address:
    return Address(HOST, bound.getsockname()[1])


async def test_a_passing_connection_is_waited_for() -> None:
    with socket.create_server((HOST, 0)) as listener, socket.create_connection(address_of(listener)) as passing:
        taking = asyncio.create_task(Claims().take({"a part": address_of(passing)}))
        await asyncio.sleep(0)  # it has looked once
        assert not taking.done()
        passing.close()
        listener.accept()[0].close()
        await asyncio.wait_for(taking, 3)


async def test_a_listening_program_is_named_at_once() -> None:
    with socket.create_server((HOST, 0)) as listener:
        with pytest.raises(PortTaken, match=r"port \d+ \(a part\) is taken by .+ --port-offset"):
            await asyncio.wait_for(Claims().take({"a part": address_of(listener)}), 1)


async def test_reserving_leaves_alone_what_others_have() -> None:
    claims = Claims()
    with socket.create_server((HOST, 0)) as listener:
        claims.reserve([address_of(listener)])
        with pytest.raises(PortTaken):
            await claims.take({"a part": address_of(listener)})
    claims.release()
