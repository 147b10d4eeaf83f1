"""Requests of one kind that arrive together share one transaction and one commit."""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextvars import Context
from typing import Generic, NamedTuple, Protocol, TypeVar

from sqlalchemy import Connection

from chassis import context
from chassis.errors import RETRY_AFTER, DeadlineExceeded, Exhausted, Unavailable

A = TypeVar("A")
R = TypeVar("R")
T = TypeVar("T")

LARGEST = 64  # requests a transaction
QUEUE = 512  # requests that wait for theirs
FULL = "Há requisições demais na fila. Tente de novo em instantes."


class Run(Protocol):
    """Does `work` in one transaction and commits it, as Postgres.run does."""

    def __call__(self, work: Callable[[Connection], T], /) -> Awaitable[T]: ...


class _Waiting(NamedTuple, Generic[A, R]):
    argument: A
    answer: asyncio.Future[R]
    end: float | None  # of its caller's patience, by time.monotonic()


class GroupCommit(Generic[A, R]):
    """`work` does a batch in one transaction: one result for each of its arguments, in the order of their arrival.

    While a batch commits the next one gathers: there is no timer, so a lone request waits for nothing, and nobody is
    answered before the commit. A batch that fails is halved and tried again until the culprit stands alone, unless its
    outcome is `uncertain` (a lost connection, no time left): then that is everybody's answer, because a part of it
    done twice could be worse.
    """

    def __init__(
        self,
        run: Run,
        work: Callable[[Connection, Sequence[A]], Sequence[R]],
        *,
        largest: int = LARGEST,
        queue: int = QUEUE,
        uncertain: tuple[type[Exception], ...] = (Unavailable, DeadlineExceeded),
    ) -> None:
        self._run = run
        self._work = work
        self._largest = largest
        self._queue = queue
        self._uncertain = uncertain
        self._waiting: deque[_Waiting[A, R]] = deque()
        self._working: asyncio.Task[None] | None = None

    async def __call__(self, argument: A, *, always: bool = False) -> R:
        """Its result, committed. Exhausted: the queue is full. DeadlineExceeded: no time was left at its turn.

        `always` passes over the bound, for what continues work that the bound let in before.
        """
        if len(self._waiting) >= self._queue and not always:
            raise Exhausted(FULL, RETRY_AFTER)
        loop = asyncio.get_running_loop()
        left = context.remaining()
        answer: asyncio.Future[R] = loop.create_future()
        self._waiting.append(_Waiting(argument, answer, None if left is None else time.monotonic() + left))
        if self._working is None:
            # In a context of its own: a batch has many callers, and the deadline of none of them.
            self._working = loop.create_task(self._drain(), context=Context())
        return await answer

    async def _drain(self) -> None:
        batch: list[_Waiting[A, R]] = []
        try:
            while batch := self._next():
                await self._commit(batch)
        finally:
            self._working = None
            for waiting in (*batch, *self._waiting):  # some are left only when this task itself was ended
                waiting.answer.cancel()
            self._waiting.clear()

    def _next(self) -> list[_Waiting[A, R]]:
        """The oldest that still have somebody to answer; the others are dropped here and cost a database nothing."""
        batch: list[_Waiting[A, R]] = []
        while self._waiting and len(batch) < self._largest:
            batch += _wanted([self._waiting.popleft()])
        return batch

    async def _commit(self, batch: list[_Waiting[A, R]]) -> None:
        arguments = [waiting.argument for waiting in batch]
        try:
            # Paired inside of the transaction: work that gives too few results is rolled back.
            done = await self._run(lambda connection: list(zip(batch, self._work(connection, arguments), strict=True)))
        except Exception as exc:  # noqa: BLE001  whatever it is, it belongs to those who wait
            if len(batch) == 1 or isinstance(exc, self._uncertain):
                _refuse(batch, exc)
            else:
                await self._halve(batch)
        else:
            for waiting, result in done:
                if not waiting.answer.done():
                    waiting.answer.set_result(result)

    async def _halve(self, batch: list[_Waiting[A, R]]) -> None:
        middle = len(batch) // 2
        for half in (batch[:middle], batch[middle:]):
            if wanted := _wanted(half):
                await self._commit(wanted)


def _wanted(batch: Sequence[_Waiting[A, R]]) -> list[_Waiting[A, R]]:
    """Without those whose caller has gone or has no time left."""
    now = time.monotonic()
    _refuse([waiting for waiting in batch if waiting.end is not None and waiting.end <= now], DeadlineExceeded())
    return [waiting for waiting in batch if not waiting.answer.done()]


def _refuse(batch: Sequence[_Waiting[A, R]], exc: Exception) -> None:
    for waiting in batch:
        if not waiting.answer.done():
            waiting.answer.set_exception(exc)
