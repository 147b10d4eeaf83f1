"""Ports whose calls stop at the point that a file names, so that a test can kill the process right there."""

from __future__ import annotations

import asyncio
import functools
import importlib
import inspect
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection

from tests.faults.pausing.points import (
    AFTER,
    BEFORE,
    IMPLEMENTATIONS,
    UNCOMMITTED,
    Implementation,
    Point,
    call_of,
    methods,
)
from tests.faults.pausing.trap import Trap

T = TypeVar("T")
LOOK = 0.01  # seconds between two looks whether one may go on


def install(service: str, folder: Path, instance: str) -> None:
    """From now on the composition root of `service`, which imports its parts when it runs, finds these in their place.

    Its own code is what runs, with not a line for this in it.
    """
    trap = Trap(folder, instance)
    for implementation in IMPLEMENTATIONS[service]:
        module = importlib.import_module(implementation.module)
        real = getattr(module, implementation.name)
        setattr(module, implementation.name, functools.partial(Pausing, service, implementation, real, trap))


class Pausing:
    """The real thing, with a stop before and after each method of its ports, and in their transactions."""

    def __init__(
        self,
        service: str,
        implementation: Implementation,
        real: Callable[..., Any],
        trap: Trap,
        *args: Any,
        **kwargs: Any,
    ) -> None:
        self._service, self._trap = service, trap
        self._ports = {method: port for port in implementation.ports for method in methods(port)}
        self._under_way: Counter[str] = Counter()
        if implementation.transactions:
            args = (_Transactions(args[0], self._uncommitted), *args[1:])
        self._real = real(*args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        real = getattr(self._real, name)
        if name not in self._ports:
            return real
        port = self._ports[name]
        is_async = inspect.iscoroutinefunction(getattr(port, name))

        async def pausing(*args: Any, **kwargs: Any) -> Any:
            call = call_of(port, name, args)
            await self._stop(call, BEFORE)
            with self._counted(call):
                result = await real(*args, **kwargs)
            await self._stop(call, AFTER)
            return result

        def blocking(*args: Any, **kwargs: Any) -> Any:
            """For what runs in a thread of its own."""
            call = call_of(port, name, args)
            self._block(call, BEFORE)
            result = real(*args, **kwargs)
            self._block(call, AFTER)
            return result

        return pausing if is_async else blocking

    async def _stop(self, call: str, where: str) -> None:
        while self._trap.holds(Point(self._service, call, where)):  # noqa: ASYNC110  it waits for a file
            await asyncio.sleep(LOOK)

    def _block(self, call: str, where: str) -> None:
        while self._trap.holds(Point(self._service, call, where)):
            time.sleep(LOOK)

    @contextmanager
    def _counted(self, call: str) -> Iterator[None]:
        self._under_way[call] += 1
        try:
            yield
        finally:
            self._under_way[call] -= 1

    def _uncommitted(self) -> None:
        """In the thread of a transaction: whose it is nobody says, so it is that of any call under way."""
        for call in [call for call, count in self._under_way.items() if count]:
            self._block(call, UNCOMMITTED)


class _Transactions:
    """`chassis.postgres.Postgres`, or its `run`, whose work looks around before it is committed."""

    def __init__(self, real: Any, look: Callable[[], None]) -> None:
        self._real, self._look = real, look
        self._run = getattr(real, "run", real)

    def run(self, work: Callable[[Connection], T], **kwargs: Any) -> Awaitable[T]:
        def looking(connection: Connection) -> T:
            done = work(connection)
            self._look()
            return done

        result: Awaitable[T] = self._run(looking, **kwargs)
        return result

    __call__ = run

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)
