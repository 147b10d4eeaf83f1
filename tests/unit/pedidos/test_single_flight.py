"""Equal calls share one piece of work; one that is given up is begun anew by the next."""

import asyncio

import pytest

from pedidos.use_cases.single_flight import SingleFlight


async def test_work_is_done_once_for_all_who_ask_meanwhile() -> None:
    flights: SingleFlight[int] = SingleFlight()
    done = []

    async def work() -> int:
        await asyncio.sleep(0)
        done.append(1)
        return len(done)

    assert await asyncio.gather(*(flights("a", work) for _ in range(10))) == [1] * 10
    assert await flights("a", work) == 2


async def test_other_keys_are_other_work() -> None:
    flights: SingleFlight[str] = SingleFlight()

    async def work(name: str) -> str:
        await asyncio.sleep(0)
        return name

    assert await asyncio.gather(*(flights(key, lambda key=key: work(key)) for key in "abc")) == ["a", "b", "c"]  # type: ignore[misc]


async def test_failure_is_everybodys() -> None:
    flights: SingleFlight[int] = SingleFlight()

    async def work() -> int:
        await asyncio.sleep(0)
        raise ValueError("no")

    ends = await asyncio.gather(*(flights("a", work) for _ in range(3)), return_exceptions=True)
    assert [str(end) for end in ends] == ["no"] * 3


async def test_lateness_is_his_who_was_late() -> None:
    flights: SingleFlight[str] = SingleFlight()
    begun = asyncio.Event()

    async def late() -> str:
        begun.set()
        await asyncio.sleep(0)
        raise TimeoutError

    async def in_time() -> str:
        return "done"

    first = asyncio.create_task(flights("a", late))
    await begun.wait()
    others = [asyncio.create_task(flights("a", in_time)) for _ in range(3)]
    with pytest.raises(TimeoutError):
        await first
    assert await asyncio.gather(*others) == ["done"] * 3


async def test_next_one_takes_over_from_one_who_is_cancelled() -> None:
    flights: SingleFlight[str] = SingleFlight()
    begun = asyncio.Event()

    async def never() -> str:
        begun.set()
        await asyncio.Event().wait()
        return "never"

    async def quick() -> str:
        return "done"

    first = asyncio.create_task(flights("a", never))
    await begun.wait()
    others = [asyncio.create_task(flights("a", quick)) for _ in range(3)]
    await asyncio.sleep(0)
    first.cancel()
    assert await asyncio.wait_for(asyncio.gather(*others), 5) == ["done"] * 3
    with pytest.raises(asyncio.CancelledError):
        await first


async def test_one_who_waits_can_leave_alone() -> None:
    flights: SingleFlight[str] = SingleFlight()
    let_go = asyncio.Event()

    async def work() -> str:
        await let_go.wait()
        return "done"

    first = asyncio.create_task(flights("a", work))
    await asyncio.sleep(0)
    waiting = asyncio.create_task(flights("a", work))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    let_go.set()
    assert await asyncio.wait_for(first, 5) == "done"
