"""What a call knows of itself, and who else may know it. Coroutines all: each test has a context of its own."""

import asyncio
import contextvars
import time

from chassis import context


def entered(*metadata: tuple[str, str | bytes]) -> context.Call:
    call = context.Call(metadata)
    context.enter(call)
    return call


async def test_the_id_is_the_callers_and_reaches_the_tasks_of_the_call() -> None:
    entered(("x-other", "1"), ("x-request-id", "abc"), ("x-request-id", "second"))

    async def child() -> str:
        return context.request_id()

    assert context.request_id() == await asyncio.create_task(child()) == "abc"


async def test_an_id_of_our_own_is_one_for_the_whole_call_whoever_asks_first() -> None:
    entered(("x-request-id", b"bytes"))

    async def child() -> str:
        return context.request_id()

    first = await asyncio.create_task(child())
    assert context.request_id() == first
    assert len(first) == 32


async def test_outside_of_a_call_the_id_stays_within_its_context() -> None:
    one, two = (contextvars.Context().run(lambda: (context.request_id(), context.request_id())) for _ in range(2))
    assert one[0] == one[1] != two[0]


async def test_what_is_left_never_falls_below_zero() -> None:
    call = entered()
    assert context.remaining() is None
    call.end = time.monotonic() + 5
    left = context.remaining()
    assert left is not None
    assert 4.9 < left <= 5
    call.end = time.monotonic() - 5
    assert context.remaining() == 0


async def test_background_work_may_have_a_deadline_of_its_own_under_the_same_id() -> None:
    call = entered(("x-request-id", "abc"))
    call.end = time.monotonic() - 1

    async def child() -> tuple[str, float | None]:
        context.deadline(2)
        return context.request_id(), context.remaining()

    identity, left = await asyncio.create_task(child())
    assert identity == "abc"
    assert left is not None
    assert 1.9 < left <= 2
    assert context.remaining() == 0
    context.deadline(None)
    assert context.remaining() is None


async def test_metadata_is_found_by_its_name_and_several_values_are_joined() -> None:
    assert context.metadata("x-um") == "", "there is no call"
    context.announce("x-um", "nobody hears it")
    entered(("x-um", "1"), ("x-dois", "2"), ("x-um", "3"), ("x-dois", b"bytes"))
    assert (context.metadata("x-um"), context.metadata("x-dois"), context.metadata("x-nada")) == ("1,3", "2", "")
