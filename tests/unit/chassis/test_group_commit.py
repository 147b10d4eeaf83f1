"""What arrives together is committed together, in order, and each gets its own result or failure."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import pytest
from sqlalchemy import Connection

from chassis import context
from chassis.errors import DeadlineExceeded, Exhausted, Unavailable
from chassis.group_commit import LARGEST, GroupCommit

T = TypeVar("T")
POISON, SHORT = 1313, 4242


class Transactions:
    """Runs work without a database; `open` is the gate through which each commit passes."""

    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.open.set()
        self.batches: list[list[int]] = []
        self.committed: list[int] = []
        self.failure: Exception | None = None
        self.deadlines: list[float | None] = []

    async def run(self, work: Callable[[Connection], T]) -> T:
        self.deadlines.append(context.remaining())
        connection: Any = None
        done = work(connection)
        await self.open.wait()
        if self.failure is not None:
            raise self.failure
        self.committed += self.batches[-1]
        return done

    def double(self, _connection: Connection, numbers: Sequence[int]) -> list[int]:
        self.batches.append(list(numbers))
        if POISON in numbers:
            raise ValueError("poison")
        return [2 * number for number in numbers if number != SHORT]


@pytest.fixture
def transactions() -> Transactions:
    return Transactions()


@pytest.fixture
def grouped(transactions: Transactions) -> GroupCommit[int, int]:
    return GroupCommit(transactions.run, transactions.double, queue=LARGEST + 2)


async def others_run() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def called(grouped: GroupCommit[int, int], *numbers: int) -> list["asyncio.Task[int]"]:
    """Calls that have arrived, in this order."""
    calls = [asyncio.create_task(_call(grouped, number)) for number in numbers]
    await others_run()
    return calls


async def _call(grouped: GroupCommit[int, int], number: int) -> int:
    return await grouped(number)


async def test_lone_request_is_its_own_batch_and_waits_for_no_timer(
    transactions: Transactions, grouped: GroupCommit[int, int]
) -> None:
    (call,) = await called(grouped, 1)  # a few turns of the loop, and no time at all
    assert call.result() == 2
    assert [await grouped(2), transactions.batches] == [4, [[1], [2]]]


async def test_requests_gather_while_a_batch_commits_and_keep_their_order(
    transactions: Transactions, grouped: GroupCommit[int, int]
) -> None:
    transactions.open.clear()
    calls = await called(grouped, 0)
    calls += await called(grouped, *range(1, LARGEST + 3))
    transactions.open.set()
    assert await asyncio.gather(*calls) == [2 * number for number in range(LARGEST + 3)]
    assert [len(batch) for batch in transactions.batches] == [1, LARGEST, 2]
    assert transactions.committed == list(range(LARGEST + 3))


async def test_nobody_is_answered_before_the_commit(transactions: Transactions, grouped: GroupCommit[int, int]) -> None:
    transactions.open.clear()
    calls = await called(grouped, 1, 2)
    assert transactions.batches == [[1, 2]]
    assert not any(call.done() for call in calls)
    transactions.open.set()
    assert await asyncio.gather(*calls) == [2, 4]


async def test_one_that_cannot_be_done_fails_alone_and_the_others_keep_their_order(
    transactions: Transactions, grouped: GroupCommit[int, int]
) -> None:
    numbers = [*range(20), POISON, *range(20, 60)]
    ends = await asyncio.gather(*(grouped(number) for number in numbers), return_exceptions=True)
    assert isinstance(ends.pop(20), ValueError)
    assert ends == [2 * number for number in range(60)]
    assert transactions.committed == list(range(60))
    assert len(transactions.batches) <= 2 * 6 + 1, "halved, not taken one by one"


async def test_work_that_gives_too_few_results_is_not_committed(
    transactions: Transactions, grouped: GroupCommit[int, int]
) -> None:
    ends = await asyncio.gather(grouped(1), grouped(SHORT), return_exceptions=True)
    assert [ends[0], type(ends[1])] == [2, ValueError]
    assert transactions.committed == [1]


@pytest.mark.parametrize("failure", [Unavailable("banco", 0.1), DeadlineExceeded()])
async def test_uncertain_outcome_is_everybodys_and_is_not_tried_again(
    transactions: Transactions, grouped: GroupCommit[int, int], failure: Exception
) -> None:
    transactions.failure = failure
    ends = await asyncio.gather(grouped(1), grouped(2), return_exceptions=True)
    assert list(ends) == [failure] * 2
    assert transactions.batches == [[1, 2]]
    transactions.failure = None
    assert await grouped(3) == 6


async def test_a_service_may_have_its_own_word_for_an_uncertain_outcome(transactions: Transactions) -> None:
    grouped = GroupCommit(transactions.run, transactions.double, uncertain=(LookupError,))
    transactions.failure = LookupError()
    ends = await asyncio.gather(grouped(1), grouped(2), return_exceptions=True)
    assert list(ends) == [transactions.failure] * 2
    assert transactions.batches == [[1, 2]]


async def test_request_given_up_before_its_turn_is_not_done(
    transactions: Transactions, grouped: GroupCommit[int, int]
) -> None:
    transactions.open.clear()
    first, given_up, third = await called(grouped, 1) + await called(grouped, 2, 3)
    given_up.cancel()
    with pytest.raises(asyncio.CancelledError):
        await given_up
    transactions.open.set()
    assert [await first, await third] == [2, 6]
    assert transactions.batches == [[1], [3]]


async def test_caller_that_leaves_during_the_commit_harms_nobody(
    transactions: Transactions, grouped: GroupCommit[int, int]
) -> None:
    transactions.open.clear()
    leaving, staying = await called(grouped, 1, 2)
    leaving.cancel()
    await others_run()
    transactions.open.set()
    assert await staying == 4
    assert transactions.committed == [1, 2]


async def test_request_without_time_left_is_refused_at_its_turn_and_not_done(
    transactions: Transactions, grouped: GroupCommit[int, int]
) -> None:
    transactions.open.clear()
    (first,) = await called(grouped, 1)

    async def hurried(number: int, seconds: float) -> int:
        context.deadline(seconds)
        return await grouped(number)

    late, in_time = asyncio.create_task(hurried(2, 0.0)), asyncio.create_task(hurried(3, 60.0))
    await others_run()
    transactions.open.set()
    with pytest.raises(DeadlineExceeded):
        await late
    assert [await first, await in_time] == [2, 6]
    assert transactions.batches == [[1], [3]]


async def test_a_batch_has_the_deadline_of_none_of_its_callers(
    transactions: Transactions, grouped: GroupCommit[int, int]
) -> None:
    context.deadline(60.0)
    assert context.remaining() is not None
    assert await grouped(1) == 2
    assert transactions.deadlines == [None]


async def test_a_full_queue_refuses_at_once_and_says_when_to_come_back(
    transactions: Transactions, grouped: GroupCommit[int, int]
) -> None:
    transactions.open.clear()
    calls = await called(grouped, 0)
    calls += await called(grouped, *range(1, LARGEST + 3))
    (refused,) = await called(grouped, 999)
    exc = refused.exception()  # done already, although nothing was committed yet
    assert isinstance(exc, Exhausted)
    assert exc.retry_after
    transactions.open.set()
    assert len(await asyncio.gather(*calls)) == LARGEST + 3
    assert await grouped(999) == 1998
    assert transactions.committed[-1] == 999


async def test_what_continues_passes_over_the_bound(transactions: Transactions, grouped: GroupCommit[int, int]) -> None:
    transactions.open.clear()
    calls = await called(grouped, 0)
    calls += await called(grouped, *range(1, LARGEST + 3))
    continued = asyncio.ensure_future(grouped(7, always=True))
    await others_run()
    transactions.open.set()
    assert await continued == 14
    assert len(await asyncio.gather(*calls)) == LARGEST + 3


async def test_when_it_is_ended_nobody_waits_for_ever(
    transactions: Transactions, grouped: GroupCommit[int, int]
) -> None:
    transactions.open.clear()
    calls = await called(grouped, 1) + await called(grouped, 2)
    assert grouped._working is not None
    grouped._working.cancel()
    ends = await asyncio.gather(*calls, return_exceptions=True)
    assert [type(end) for end in ends] == [asyncio.CancelledError] * 2
