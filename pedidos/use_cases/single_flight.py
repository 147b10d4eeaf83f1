"""Equal calls that arrive together share one piece of work, so that a thousand retries cost what one costs."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

T = TypeVar("T")


class _Abandoned(Exception):  # noqa: N818  named after what happened
    """The one who worked was cancelled, or ran out of a time that was his alone: somebody else takes over."""


class SingleFlight(Generic[T]):
    def __init__(self) -> None:
        self._flights: dict[Hashable, asyncio.Future[T]] = {}

    async def __call__(self, key: Hashable, work: Callable[[], Awaitable[T]]) -> T:
        """What `work` returns or raises, run once for all who ask for `key` meanwhile.

        The first one works within its own deadline; when it is cancelled, or late, the next one begins anew.
        """
        while (flight := self._flights.get(key)) is not None:
            try:
                return await asyncio.shield(flight)
            except _Abandoned:
                continue
        return await self._fly(key, work)

    async def _fly(self, key: Hashable, work: Callable[[], Awaitable[T]]) -> T:
        flight = self._flights[key] = asyncio.get_running_loop().create_future()
        try:
            result = await work()
        except BaseException as exc:
            his_alone = isinstance(exc, TimeoutError) or not isinstance(exc, Exception)
            flight.set_exception(_Abandoned() if his_alone else exc)
            flight.exception()  # it is not forgotten, even if nobody else waits
            raise
        else:
            flight.set_result(result)
            return result
        finally:
            del self._flights[key]
