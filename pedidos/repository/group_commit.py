"""Transactions of one kind that arrive together share one commit."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextvars import Context
from functools import partial
from typing import Generic, Protocol, TypeVar

from sqlalchemy import Connection

from pedidos.domain import ServicoIndisponivel

A = TypeVar("A")
R = TypeVar("R")
T = TypeVar("T")

LARGEST = 64  # requests a transaction


class Run(Protocol):
    """Does `work` in one transaction; ServicoIndisponivel when nobody can say whether it was committed."""

    def __call__(self, work: Callable[[Connection], T], /) -> Awaitable[T]: ...


class GroupCommit(Generic[A, R]):
    """`work` does a batch in one transaction and returns one result for each of its arguments, in their order.

    While a batch commits the next one gathers: there is no timer, so a lone request waits for nothing. Nobody is
    answered before the commit.
    """

    def __init__(self, run: Run, work: Callable[[Connection, Sequence[A]], Sequence[R]]) -> None:
        self._run = run
        self._work = work
        self._waiting: list[tuple[A, asyncio.Future[R]]] = []
        self._working: asyncio.Task[None] | None = None

    async def __call__(self, argument: A) -> R:
        future: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        self._waiting.append((argument, future))
        if self._working is None:
            # In a context of its own: a batch has many callers, and the deadline of none of them.
            self._working = asyncio.get_running_loop().create_task(self._drain(), context=Context())
        return await future

    async def _drain(self) -> None:
        try:
            while self._waiting:
                taken, self._waiting = self._waiting[:LARGEST], self._waiting[LARGEST:]
                batch = [(argument, future) for argument, future in taken if not future.cancelled()]
                if batch:
                    await self._commit(batch)
        finally:
            self._working = None

    async def _commit(self, batch: list[tuple[A, asyncio.Future[R]]]) -> None:
        try:
            results = await self._run(lambda connection: self._work(connection, [argument for argument, _ in batch]))
        except Exception as exc:  # noqa: BLE001  whatever it is, it belongs to those who wait
            if len(batch) > 1 and not isinstance(exc, ServicoIndisponivel):
                for one in batch:  # each for itself: one that cannot be done must not fail its neighbours
                    await self._commit([one])
            else:
                _settle(batch, partial(_fail, exc), [None] * len(batch))
        except BaseException:
            _settle(batch, lambda future, _: future.cancel(), [None] * len(batch))
            raise
        else:
            _settle(batch, lambda future, result: future.set_result(result), results)


def _fail(exc: Exception, future: asyncio.Future[R], _: object) -> None:
    future.set_exception(exc)


def _settle(
    batch: Sequence[tuple[A, asyncio.Future[R]]],
    how: Callable[[asyncio.Future[R], T], object],
    results: Sequence[T],
) -> None:
    for (_, future), result in zip(batch, results, strict=True):
        if not future.done():
            how(future, result)
