"""Deadlines and cancellation: nothing outlives its call, nobody waits for ever."""

import asyncio
import time
from typing import Any

import grpc
import pytest

from tests.conformance import contract
from tests.conformance.conftest import Start
from tests.conformance.running import CALL_SECONDS, Running, Stub, eventually

Echo = contract.message("EchoRequest")
Wait = contract.message("WaitRequest")
Follow = contract.message("FollowRequest")
Fail = contract.message("FailRequest")


async def test_a_call_knows_what_is_left_of_its_deadline(eco: Any) -> None:
    found = await eco.Awaited(Echo(), timeout=5.0)
    assert 4.0 < found.remaining < 5.1  # grpc-timeout is rounded up


async def test_a_call_without_deadline_gets_the_default_one(eco: Any) -> None:
    found = await eco.Awaited(Echo())
    assert 2.5 < found.remaining <= 3.0


async def test_the_default_deadline_ends_a_call(start: Start) -> None:
    running = start(default_deadline_seconds=0.3).ready()
    async with running.channel() as channel:
        stub: Any = Stub(channel)
        begin = time.monotonic()
        told = await stub.refused("Wait", Wait(seconds=30), timeout=None)
        took = time.monotonic() - begin
        state = await stub.state()
    assert (told.code, told.info.reason) == (grpc.StatusCode.DEADLINE_EXCEEDED, "PRAZO_ESGOTADO")
    assert told.message == "O prazo da requisição se esgotou."
    assert 0.2 < took < 1.0
    assert (state.running, state.cancelled) == (0, 1)
    assert not running.events("unexpected error")


async def test_the_default_deadline_cuts_no_stream(start: Start) -> None:
    running = start(default_deadline_seconds=0.2).ready()
    async with running.channel() as channel:
        stub: Any = Stub(channel)
        numbers = [each.number async for each in stub.Follow(Follow(count=5, pause=0.1), timeout=CALL_SECONDS)]
    assert numbers == [1, 2, 3, 4, 5]


async def test_the_server_answers_before_the_clients_own_deadline(shared: Running) -> None:
    """A REST client behind a proxy gets the server's words, not "Deadline Exceeded"."""
    async with shared.channel() as channel:
        stub: Any = Stub(channel)
        told = await stub.refused("Wait", Wait(seconds=30), timeout=0.4)
    assert told.code is grpc.StatusCode.DEADLINE_EXCEEDED
    assert told.info.reason == "PRAZO_ESGOTADO"


async def test_the_deadline_of_a_stream_ends_it(eco: Any) -> None:
    call = eco.Follow(Follow(pause=0.02), timeout=0.4)
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await _drained(call)
    assert refused.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    await eventually(lambda: _idle(eco), 2.0, "the generator is closed")


async def test_a_cancelled_call_ends_its_handler_and_is_no_error(start: Start) -> None:
    running = start().ready()
    async with running.channel() as channel:
        stub: Any = Stub(channel)
        calls = [stub.Wait(Wait(seconds=30), timeout=CALL_SECONDS) for _ in range(5)]
        await eventually(lambda: _runs(stub, 5), 3.0, "all wait")
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
        await eventually(lambda: _idle(stub), 2.0, "all handlers ended")
        assert (await stub.state()).cancelled == 5
    assert {record["level"] for record in running.records()} == {"info"}


async def test_a_handler_that_ignores_its_cancellation_hurts_nobody(start: Start) -> None:
    running = start().ready()
    async with running.channel() as channel:
        stub: Any = Stub(channel)
        call = stub.Wait(Wait(seconds=30, stubborn=True), timeout=CALL_SECONDS)
        await eventually(lambda: _runs(stub, 1), 3.0, "it waits")
        call.cancel()
        await eventually(lambda: _idle(stub), 2.0, "it ended")
        late = stub.Wait(Wait(seconds=30, stubborn=True), timeout=0.3)
        assert (await late).text == "esperei"  # it answered in time, after all
        assert (await stub.Plain(Echo(text="vivo"), timeout=CALL_SECONDS)).text == "vivo"
    assert {record["level"] for record in running.records()} == {"info"}


async def test_a_cancelled_stream_closes_its_generator(eco: Any) -> None:
    closed = (await eco.state()).closed
    call = eco.Follow(Follow(pause=30), timeout=CALL_SECONDS)
    await call.read()
    call.cancel()

    async def all_closed() -> bool:
        return bool((await eco.state()).closed == closed + 1)

    await eventually(all_closed, 2.0, "the generator is closed")


async def test_a_lost_connection_ends_the_handlers(shared: Running, eco: Any) -> None:
    async with shared.channel() as other:
        stub: Any = Stub(other)
        calls = [stub.Wait(Wait(seconds=30), timeout=CALL_SECONDS) for _ in range(3)]
        await eventually(lambda: _runs(eco, 3), 3.0, "all wait")
    await asyncio.gather(*calls, return_exceptions=True)
    await eventually(lambda: _idle(eco), 2.0, "all handlers ended")


async def test_a_handler_that_cancels_itself_is_answered(eco: Any) -> None:
    begin = time.monotonic()
    told = await eco.refused("Fail", Fail(how="cancelled"))
    assert told.code is grpc.StatusCode.INTERNAL
    assert time.monotonic() - begin < 2.0


async def _runs(stub: Any, count: int) -> bool:
    return bool((await stub.state()).running == count)


async def _idle(stub: Any) -> bool:
    return await _runs(stub, 0)


async def _drained(call: Any) -> None:
    async for _ in call:
        pass
