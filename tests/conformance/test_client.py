"""chassis.client against the server: what a call hands on, and how a refusal is read."""

import time
from collections.abc import Iterator
from typing import Any

import grpc
import pytest

from chassis import context
from chassis.client import channel, remote_error
from tests.conformance import contract
from tests.conformance.running import Running, Stub, free_port

Echo = contract.message("EchoRequest")
Fail = contract.message("FailRequest")
Wait = contract.message("WaitRequest")
Follow = contract.message("FollowRequest")


@pytest.fixture(autouse=True)
def _a_call_being_served() -> Iterator[None]:
    call = context.Call((("x-request-id", "pedido-1"),))
    call.end = time.monotonic() + 2.0
    before = context.enter(call)
    yield
    context._call.reset(before)


async def test_request_id_and_remaining_time_are_handed_on(shared: Running) -> None:
    async with channel(shared.target) as neighbour:
        stub: Any = Stub(neighbour)
        found = await stub.Awaited(Echo(), metadata=(("x-outro", "1"),))
    assert found.request_id == "pedido-1"
    assert 1.0 < found.remaining < 2.1
    assert "x-outro=1" in found.metadata


@pytest.mark.parametrize(("default", "given", "expected"), [(5.0, None, 2.0), (0.9, None, 0.9), (5.0, 0.8, 0.8)])
async def test_the_shortest_time_counts(shared: Running, default: float, given: float | None, expected: float) -> None:
    async with channel(shared.target, timeout=default) as neighbour:
        stub: Any = Stub(neighbour)
        found = await stub.Awaited(Echo(), timeout=given)
    assert expected - 0.7 < found.remaining < expected + 0.1


async def test_outside_of_a_call_there_is_a_default_and_an_id_for_the_task(shared: Running) -> None:
    context.enter(context.Call())
    async with channel(shared.target, timeout=1.5) as neighbour:
        stub: Any = Stub(neighbour)
        one, two = await stub.Awaited(Echo()), await stub.Awaited(Echo())
    assert one.remaining < 1.6
    assert one.request_id == two.request_id != "pedido-1"


async def test_no_time_left_is_a_deadline_and_not_a_call(shared: Running) -> None:
    context.deadline(0)
    async with channel(shared.target) as neighbour:
        stub: Any = Stub(neighbour)
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await stub.Awaited(Echo())
    assert remote_error(refused.value).code is grpc.StatusCode.DEADLINE_EXCEEDED


async def test_a_stream_has_what_is_left_and_no_more_than_that(shared: Running) -> None:
    async with channel(shared.target, timeout=0.1) as neighbour:
        stub: Any = Stub(neighbour)
        numbers = [each.number async for each in stub.Follow(Follow(count=3, pause=0.1))]
        assert numbers == [1, 2, 3]  # the default of unary calls is none of a stream's
        context.deadline(0.3)
        call = stub.Follow(Follow(pause=0.05))
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await _drained(call)
    assert remote_error(refused.value).code is grpc.StatusCode.DEADLINE_EXCEEDED


async def test_a_refusal_is_read_with_its_reason_and_figures(shared: Running) -> None:
    async with channel(shared.target) as neighbour:
        stub: Any = Stub(neighbour)
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await stub.Fail(Fail(how="mapped"))
    told = remote_error(refused.value)
    assert (told.code, told.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "SEM_ESTOQUE")
    assert told.metadata == {"wanted": "3", "available": "2"}
    assert told.message == "Há só 2 — você pediu 3."


async def test_a_neighbour_that_is_away_fails_at_once_and_has_no_reason() -> None:
    async with channel(f"127.0.0.1:{free_port()}") as neighbour:
        stub: Any = Stub(neighbour)
        begin = time.monotonic()
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await stub.Awaited(Echo())
    told = remote_error(refused.value)
    assert (told.code, told.reason, told.metadata) == (grpc.StatusCode.UNAVAILABLE, "", {})
    assert time.monotonic() - begin < 1.0


async def _drained(call: Any) -> None:
    async for _ in call:
        pass
