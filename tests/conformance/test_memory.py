"""Thousands of cancelled, failed and cut calls leave nothing behind."""

import asyncio
import gc
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

import pytest

from tests.conformance import contract
from tests.conformance.conftest import Start
from tests.conformance.running import CALL_SECONDS, Running, Stub, eventually

Wait = contract.message("WaitRequest")
Follow = contract.message("FollowRequest")
Fail = contract.message("FailRequest")

ROUND = 1_500  # calls
ALLOWED = 4_000_000  # bytes after two rounds: a leak of 1.5 KB a call would show
WINDOWS = 5  # of two rounds: the allocator may still take a step in one, a leak grows in each


async def _cancelled_calls(stub: Any) -> None:
    for _ in range(ROUND // 50):
        calls = [stub.Wait(Wait(seconds=30), timeout=30) for _ in range(50)]
        await asyncio.sleep(0.005)
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)


async def _cancelled_streams(stub: Any) -> None:
    for _ in range(ROUND // 50):
        calls = [stub.Follow(Follow(pause=30), timeout=30) for _ in range(50)]
        await asyncio.gather(*(call.read() for call in calls))
        for call in calls:
            call.cancel()


async def _failed_calls(stub: Any) -> None:
    for _ in range(ROUND // 50):
        calls = [stub.Fail(Fail(how="mapped"), timeout=CALL_SECONDS) for _ in range(50)]
        await asyncio.gather(*calls, return_exceptions=True)


async def _expired_calls(stub: Any) -> None:
    for _ in range(ROUND // 150):
        calls = [stub.Wait(Wait(seconds=30), timeout=0.02) for _ in range(150)]
        await asyncio.gather(*calls, return_exceptions=True)


class Growth(NamedTuple):
    """Of the server, over two rounds of calls."""

    objects: int  # of Python, after a collection
    bytes: int  # resident


async def _growth(running: Running, stub: Any, calls: Callable[[Any], Awaitable[None]]) -> Growth:
    objects, size = (await stub.state(count=True)).objects, running.rss()
    await calls(stub)
    await calls(stub)
    await eventually(lambda: _idle(stub), 5.0, "every handler ended")
    return Growth((await stub.state(count=True)).objects - objects, running.rss() - size)


@pytest.mark.parametrize("calls", [_cancelled_calls, _cancelled_streams, _failed_calls, _expired_calls])
async def test_memory_stays_flat(start: Start, calls: Callable[[Any], Awaitable[None]]) -> None:
    running: Running = start().ready()
    async with running.channel() as channel:
        stub: Any = Stub(channel)
        await calls(stub)  # pools fill
        grown = [await _growth(running, stub, calls)]
        while grown[-1].bytes >= ALLOWED and len(grown) < WINDOWS:
            grown.append(await _growth(running, stub, calls))
        assert max(window.objects for window in grown) < 500
        assert grown[-1].bytes < ALLOWED, grown
    gc.collect()  # our own side: a call that was cancelled is told so when it is collected, not in another test
    assert not running.events("unexpected error")


async def _idle(stub: Any) -> bool:
    return bool((await stub.state()).running == 0)
