"""One connection to Valkey that all calls share: commands go out as they come, answers come back in their order."""

# ruff: noqa: N818  an exception is named after what happened

import asyncio
import re
from collections import deque

from hiredis import Reader, pack_command
from redis.asyncio.connection import AbstractConnection, ConnectionPool
from redis.exceptions import RedisError

Argument = str | bytes | int

CONNECT_TIMEOUT = 0.25  # seconds for the TCP connection
TIMEOUT = 1.0  # seconds without an answer after which Valkey counts as gone: a busy disk's fsync may take half of it
LOOK = 0.25  # seconds between two looks, within which that is found

_NOTHING = object()


class Unreachable(Exception):
    """No answer from Valkey: a command may or may not have been executed; none is sent twice. The text is for logs."""


class Refused(Exception):
    """Valkey's own refusal, as it words it; `code` is its first word: NOSCRIPT, READONLY, OOM..."""

    @property
    def code(self) -> str:
        return str(self).partition(" ")[0]


class Valkey:
    """Connects when first called and again whenever the connection is gone; never repeats a command.

    redis-py opens the connection (address, TLS, login, database), then the commands take a shorter way: its pool would
    lend a connection to each call, with a write, a read, a timer and several wake-ups for that call alone, at two or
    three times the CPU. A script is atomic anyway and loses nothing by waiting in line.
    """

    def __init__(self, url: str, *, name: str) -> None:
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
        """Valkey's answer; raises Unreachable or Refused."""
        link = self._link
        if link is None or link.broken:
            link = await self._open()
        return await link.call(pack_command(command))  # type: ignore[arg-type]  # its stub means tuple[X, ...]

    async def close(self) -> None:
        """Ends the connection; calls under way raise Unreachable."""
        if self._opening is not None:
            self._opening.cancel()
            await asyncio.wait({self._opening})
        if self._link is not None:
            await self._link.close("closed")

    async def _open(self) -> "_Link":
        """One attempt at a time; all who came meanwhile share how it ends, and none of them can cancel it."""
        if self._opening is None:
            self._opening = asyncio.create_task(self._connect())
            self._opening.add_done_callback(self._opened)
        opening = self._opening
        await asyncio.wait({opening})
        return opening.result()

    def _opened(self, opening: "asyncio.Task[_Link]") -> None:
        self._opening = None
        if not opening.cancelled():
            opening.exception()  # whoever still waits raises it; if nobody does, it is no news

    async def _connect(self) -> "_Link":
        if self._link is not None:
            await self._link.close("broken")
        connection: AbstractConnection = self._pool.make_connection()  # type: ignore[no-untyped-call]
        try:
            async with asyncio.timeout(TIMEOUT):
                await connection.connect()  # type: ignore[no-untyped-call]
        except (RedisError, OSError) as exc:  # TimeoutError is an OSError
            await connection.disconnect(nowait=True)
            raise Unreachable(f"cannot connect: {str(exc) or type(exc).__name__}") from exc
        self._link = _Link(connection)
        return self._link


class _Link(asyncio.Protocol):
    """A live connection; once broken it stays so. uvloop sends what one turn of the loop writes in one system call."""

    def __init__(self, connection: AbstractConnection) -> None:
        self.broken = False
        self._connection = connection
        writer = connection._writer  # noqa: SLF001  the only way to take the open socket over
        assert writer is not None
        self._transport = writer.transport
        self._transport.set_protocol(self)
        self._replies = Reader(replyError=Refused, notEnoughData=_NOTHING)
        self._waiting: deque[asyncio.Future[object]] = deque()
        self._loop = asyncio.get_running_loop()
        self._watch = self._loop.call_later(LOOK, self._look, None, 0)

    def call(self, packed: bytes) -> "asyncio.Future[object]":
        answer: asyncio.Future[object] = self._loop.create_future()
        self._waiting.append(answer)
        self._transport.write(packed)
        return answer

    def data_received(self, data: bytes) -> None:
        self._replies.feed(data)
        while (reply := self._replies.gets()) is not _NOTHING:
            answer = self._waiting.popleft()
            if answer.done():
                continue  # its caller went away
            if isinstance(reply, Refused):
                answer.set_exception(reply)
            else:
                answer.set_result(reply)

    def connection_lost(self, exc: Exception | None) -> None:
        self._break(f"connection lost: {exc or 'closed by Valkey'}")

    async def close(self, why: str) -> None:
        self._break(why)
        await self._connection.disconnect(nowait=True)

    def _break(self, why: str) -> None:
        self.broken = True
        self._watch.cancel()
        while self._waiting:
            answer = self._waiting.popleft()
            if not answer.done():
                answer.set_exception(Unreachable(why))

    def _look(self, before: "asyncio.Future[object] | None", seen: int) -> None:
        """Ends the connection when the same call has been first in line for TIMEOUT: one timer, whatever the load."""
        first = self._waiting[0] if self._waiting else None
        seen = 0 if first is None else seen + 1 if first is before else 1
        if seen > TIMEOUT / LOOK:
            self._break(f"no answer for {TIMEOUT} s")
            self._transport.abort()
        else:
            self._watch = self._loop.call_later(LOOK, self._look, first, seen)
