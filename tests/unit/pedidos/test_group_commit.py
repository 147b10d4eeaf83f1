"""What arrives together is committed together, and each gets its own result or failure."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import pytest
from sqlalchemy import Connection

from pedidos.domain import ServicoIndisponivel
from pedidos.repository.group_commit import LARGEST, GroupCommit

T = TypeVar("T")
POISON = 1313


class Transactions:
    """Runs work without a database; `commit` opens the gate through which each transaction passes."""

    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.open.set()
        self.batches: list[list[int]] = []
        self.failure: Exception | None = None

    async def run(self, work: Callable[[Connection], T]) -> T:
        await self.open.wait()
        if self.failure is not None:
            raise self.failure
        connection: Any = None
        return work(connection)

    def double(self, _connection: Connection, numbers: Sequence[int]) -> list[int]:
        self.batches.append(list(numbers))
        if POISON in numbers:
            raise ValueError("poison")
        return [2 * number for number in numbers]


async def others_run() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_lone_request_is_its_own_batch() -> None:
    transactions = Transactions()
    grouped = GroupCommit(transactions.run, transactions.double)
    assert [await grouped(1), await grouped(2)] == [2, 4]
    assert transactions.batches == [[1], [2]]


async def test_requests_gather_while_a_batch_commits() -> None:
    transactions = Transactions()
    transactions.open.clear()
    grouped = GroupCommit(transactions.run, transactions.double)
    calls = [asyncio.create_task(grouped(0))]
    await others_run()
    calls += [asyncio.create_task(grouped(number)) for number in range(1, LARGEST + 3)]
    await others_run()
    transactions.open.set()
    assert await asyncio.gather(*calls) == [2 * number for number in range(LARGEST + 3)]
    assert [len(batch) for batch in transactions.batches] == [1, LARGEST, 2]


async def test_one_that_cannot_be_done_fails_alone() -> None:
    transactions = Transactions()
    grouped = GroupCommit(transactions.run, transactions.double)
    ends = await asyncio.gather(grouped(1), grouped(POISON), grouped(2), return_exceptions=True)
    assert [ends[0], str(ends[1]), ends[2]] == [2, "poison", 4]


async def test_uncertain_outcome_is_everybodys_and_is_not_tried_again() -> None:
    transactions = Transactions()
    transactions.failure = ServicoIndisponivel("banco de dados")
    grouped = GroupCommit(transactions.run, transactions.double)
    ends = await asyncio.gather(grouped(1), grouped(2), return_exceptions=True)
    assert [type(end) for end in ends] == [ServicoIndisponivel] * 2
    assert transactions.batches == []
    transactions.failure = None
    assert await grouped(3) == 6


async def test_request_given_up_before_its_turn_is_not_done() -> None:
    transactions = Transactions()
    transactions.open.clear()
    grouped = GroupCommit(transactions.run, transactions.double)
    first = asyncio.create_task(grouped(1))
    await others_run()
    given_up = asyncio.create_task(grouped(2))
    await others_run()
    given_up.cancel()
    with pytest.raises(asyncio.CancelledError):
        await given_up
    transactions.open.set()
    assert await first == 2
    assert transactions.batches == [[1]]
