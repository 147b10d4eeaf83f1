"""One connection to Valkey that all calls share: commands go out together, answers come back in their order."""

# ruff: noqa: N818  an exception is named after what happened

import asyncio
import re
from collections import deque
from typing import Any

from hiredis import pack_command
from redis.asyncio.connection import AbstractConnection, ConnectionPool
from redis.exceptions import RedisError, ResponseError

Argument = str | bytes | int

CONNECT_TIMEOUT = 0.25  # seconds for the TCP connection
TIMEOUT = 0.5  # seconds without an answer after which Valkey counts as gone, found within another LOOK
LOOK = 0.25  # seconds


class Unreachable(Exception):
    """No answer from Valkey: a command may or may not have been executed; none is sent twice. The text is for logs."""


class Valkey:
    """Connects when first called and again whenever the connection is gone; never repeats a command.

    A pool of connections would cost each call a write, a read and two wake-ups of its own. Here, calls that come in the
    same turn of the event loop share them, and a script that is atomic anyway loses nothing by waiting in line.
    """

    def __init__(self, url: str, *, name: str) -> None:
        # Read timeouts would cost a timer per answer: one watch over the whole connection replaces them.
        self._pool = ConnectionPool.from_url(
            url,
            client_name=re.sub(r"[^!-~]", "_", name),  # as CLIENT SETNAME will have it
            protocol=2,
            socket_connect_timeout=CONNECT_TIMEOUT,
            socket_timeout=None,
            driver_info=None,
        )
        self._link: _Link | None = None
        self._opening: asyncio.Task[_Link] | None = None

    async def call(self, *command: Argument) -> object:
        """Valkey's answer; raises Unreachable, or ResponseError for Valkey's own refusal."""
        link = self._link
        if link is None or link.broken:
            link = await self._open()
        return await link.call(pack_command(command))  # type: ignore[arg-type]  # means tuple[X, ...]

    async def close(self) -> None:
        """Ends the connection; calls under way raise Unreachable."""
        tasks: set[asyncio.Task[Any]] = set()
        if self._opening is not None:
            tasks.add(self._opening)
        if self._link is not None:
            tasks.add(self._link.running)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _open(self) -> "_Link":
        """One attempt at a time; all who came meanwhile share how it ends, and none of them cancels it."""
        if self._opening is None:
            self._opening = asyncio.create_task(self._connect())
            self._opening.add_done_callback(self._opened)
        opening = self._opening
        await asyncio.wait({opening})
        return opening.result()

    def _opened(self, opening: "asyncio.Task[_Link]") -> None:
        self._opening = None
        if not opening.cancelled() and opening.exception() is None:
            self._link = opening.result()

    async def _connect(self) -> "_Link":
        connection: AbstractConnection = self._pool.make_connection()  # type: ignore[no-untyped-call]
        try:
            async with asyncio.timeout(TIMEOUT):
                await connection.connect()  # type: ignore[no-untyped-call]
        except (RedisError, OSError) as exc:  # TimeoutError is an OSError
            await connection.disconnect(nowait=True)
            raise Unreachable(f"cannot connect: {str(exc) or type(exc).__name__}") from exc
        return _Link(connection)


class _Link:
    """A live connection; once broken it stays so."""

    def __init__(self, connection: AbstractConnection) -> None:
        self.broken = False
        self._connection = connection
        self._unsent: list[bytes] = []
        self._waiting: deque[asyncio.Future[object]] = deque()
        self._wake = asyncio.Event()
        self.running = asyncio.create_task(self._run())

    async def call(self, packed: bytes) -> object:
        answer: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        self._waiting.append(answer)
        self._unsent.append(packed)
        self._wake.set()
        return await answer

    async def _run(self) -> None:
        """Writes, reads and watches until one of them fails; then nobody is left waiting."""
        why = "closed"
        try:
            async with asyncio.TaskGroup() as group:
                for part in (self._write(), self._read(), self._watch()):
                    group.create_task(part)
        except* (RedisError, OSError) as failures:
            why = "; ".join(str(failure) for failure in failures.exceptions)
        finally:
            self.broken = True
            for answer in self._waiting:
                if not answer.done():
                    answer.set_exception(Unreachable(why))
            await self._connection.disconnect(nowait=True)

    async def _write(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            batch, self._unsent = self._unsent, []
            if not self._connection.is_connected:
                return  # the reader saw the end; sending would make redis-py connect again behind our back
            await self._connection.send_packed_command(batch, check_health=False)

    async def _read(self) -> None:
        try:
            while True:
                try:
                    reply = await self._connection.read_response()
                except ResponseError as refusal:
                    reply = refusal
                answer = self._waiting.popleft()
                if answer.done():
                    continue  # its caller went away
                if isinstance(reply, ResponseError):
                    answer.set_exception(reply)
                else:
                    answer.set_result(reply)
        finally:
            self.broken = True  # at once: the next call must not join this connection

    async def _watch(self) -> None:
        """Fails when the same call has been first in line for longer than TIMEOUT."""
        first: object = None
        seen = 0  # times in a row
        while seen <= TIMEOUT / LOOK:
            await asyncio.sleep(LOOK)
            before, first = first, self._waiting[0] if self._waiting else None
            seen = 0 if first is None else seen + 1 if first is before else 1
        raise TimeoutError(f"no answer for {TIMEOUT} s")
