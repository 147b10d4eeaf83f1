"""Server streams: order, errors in the middle, readers who stall."""

import asyncio
from typing import Any

import grpc
import pytest

from tests.conformance import contract
from tests.conformance.conftest import Start
from tests.conformance.running import CALL_SECONDS, Stub, answer, eventually

Follow = contract.message("FollowRequest")
Echo = contract.message("EchoRequest")


async def test_a_stream_comes_in_order_and_ends(eco: Any) -> None:
    numbers = [each.number async for each in eco.Follow(Follow(count=300, size=100), timeout=CALL_SECONDS)]
    assert numbers == list(range(1, 301))


async def test_an_error_in_the_middle_comes_after_what_was_sent(eco: Any) -> None:
    call = eco.Follow(Follow(count=10, fail_after=3), timeout=CALL_SECONDS)
    seen = [(await call.read()).number for _ in range(3)]
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await call.read()
    assert seen == [1, 2, 3]
    assert answer(refused.value).info.reason == "SEM_ESTOQUE"


async def test_a_stalled_reader_stops_its_own_stream_and_nobody_elses(start: Start) -> None:
    running = start().ready()
    async with running.channel() as slow, running.channel() as quick:
        stalled: Any = Stub(slow)
        other: Any = Stub(quick)
        calls = [stalled.Follow(Follow(size=50_000), timeout=60) for _ in range(20)]
        for call in calls:
            await call.read()
        before, rss = await _settled(other), running.rss()
        for _ in range(100):
            await other.Plain(Echo(), timeout=CALL_SECONDS)
        numbers = [each.number async for each in other.Follow(Follow(count=50), timeout=CALL_SECONDS)]
        assert len(numbers) == 50
        assert (await other.state()).produced == before + 50  # the stalled ones made nothing meanwhile
        assert running.rss() - rss < 5_000_000
    # The slow channel is closed while its streams wait for room: no error, and nobody left behind.
    async with running.channel() as channel:
        third: Any = Stub(channel)

        async def idle() -> bool:
            return bool((await third.state()).running == 0)

        await eventually(idle, 3.0, "every stream ended")
    assert {record["level"] for record in running.records()} == {"info"}


async def test_readers_who_leave_while_answers_flow_are_no_error(start: Start) -> None:
    running = start().ready()
    for size in (0, 100, 70_000):
        async with running.channel() as channel:
            stub: Any = Stub(channel)
            calls = [stub.Follow(Follow(size=size), timeout=60) for _ in range(30)]
            for call in calls:
                await call.read()
            for call in calls[::2]:
                call.cancel()
    async with running.channel() as channel:
        other: Any = Stub(channel)

        async def idle() -> bool:
            return bool((await other.state()).running == 0)

        await eventually(idle, 3.0, "every stream ended")
    assert {record["level"] for record in running.records()} == {"info"}


async def _settled(stub: Any) -> int:
    """How many answers were produced, once no more come: the readers' windows are full."""
    seen = -1
    async with asyncio.timeout(10):
        while (now := (await stub.state()).produced) != seen:
            seen = now
            await asyncio.sleep(0.2)
    return seen
