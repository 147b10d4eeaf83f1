"""What a server refuses before it starts, and how the gate counts."""

import asyncio
import time
from typing import Any

import pytest

from chassis.calls import Calls, Gate
from chassis.context import Call, enter
from chassis.errors import DeadlineExceeded, Exhausted, Unavailable
from chassis.health import SERVICE as HEALTH
from chassis.server import Server
from chassis.settings import ServiceSettings

SETTINGS = ServiceSettings(listen="127.0.0.1:0", instance="eco-1")


class Clock:
    """All that a gate asks of a call's context."""

    def __init__(self, left: float | None) -> None:
        self.time_remaining = lambda: left


def test_a_servicer_without_one_of_the_methods_does_not_start() -> None:
    with pytest.raises(TypeError, match=r"grpc\.health\.v1\.Health\.Check: object has no such method"):
        Server(SETTINGS, domain="eco.teste").add(object(), HEALTH, {})


def test_a_stream_that_does_not_yield_and_an_answer_that_does_do_not_start() -> None:
    async def one(_request: Any, _context: Any) -> bytes:
        return b""

    async def many(_request: Any, _context: Any) -> Any:
        yield b""

    calls = Calls("eco.teste", 1, 1.0)
    for name, function in (("Watch", one), ("Check", many)):
        with pytest.raises(TypeError, match="async generator"):
            calls.handler(HEALTH.methods_by_name[name], function, {})


async def _waits(gate: Gate, left: float | None) -> Call:
    call = Call()
    enter(call)
    gate.admit(Clock(left))
    try:
        await asyncio.sleep(30)
    except asyncio.CancelledError:
        pass
    finally:
        task = asyncio.current_task()
        assert task is not None
        gate.leave(task, None)
    return call


async def test_a_gate_lets_in_as_many_as_it_may() -> None:
    gate = Gate(2, 30.0)
    inside = [asyncio.create_task(_waits(gate, None)) for _ in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(Exhausted):
        await _waits(gate, None)
    inside[0].cancel()
    await asyncio.wait({inside[0]})
    again = asyncio.create_task(_waits(gate, None))
    await asyncio.sleep(0)
    assert not again.done()
    gate.close(lambda: Unavailable("fim"))
    for task in (inside[1], again):
        assert isinstance((await task).verdict, Unavailable)


async def test_what_has_no_time_left_is_ended_in_its_time_and_nothing_else() -> None:
    gate = Gate(10, 30.0)
    begin = time.monotonic()
    tasks = [asyncio.create_task(_waits(gate, left)) for left in (20.0, 0.3, None, 0.0, 0.1)]
    ends = {}
    for index in (3, 4, 1):
        call = await asyncio.wait_for(tasks[index], 2)
        assert isinstance(call.verdict, DeadlineExceeded)
        ends[index] = time.monotonic() - begin
    assert ends[3] < 0.09  # seconds
    assert 0.09 <= ends[4] < 0.25
    assert 0.28 <= ends[1] < 0.5
    assert not any(tasks[index].done() for index in (0, 2))
    gate.close(lambda: Unavailable("fim"))
    late = (await asyncio.gather(tasks[0], tasks[2]))[1]
    assert late.end is not None
    assert 25 < late.end - time.monotonic() <= 30
