"""PostgreSQL from an asyncio service: SQLAlchemy on psycopg2 in threads of its own, one transaction a call."""

import asyncio
import os
import random
import socket
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from contextvars import copy_context
from typing import Any, Literal, TypeVar

import psycopg2
import structlog
from psycopg2.extras import NamedTupleCursor
from sqlalchemy import Connection, QueuePool, create_engine
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError

from chassis import context
from chassis.errors import RETRY_AFTER, DeadlineExceeded, Unavailable

log = structlog.get_logger()

T = TypeVar("T")
Isolation = Literal["READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"]

ATTEMPTS = 5  # of a transaction that lost to another one
PAUSE = 0.01  # seconds, times the attempt, at random: rivals must not meet again
FROZEN = 1.0  # seconds past its time after which a statement's connection is broken from our side
UNREACHABLE = "O banco de dados não está disponível agora."
CONTENDED = "Há disputa demais pelos mesmos dados agora."

QUERY_CANCELED = "57014"
LOST = ("40001", "40P01")  # serialization_failure (also a standby's conflict with recovery), deadlock_detected
NO_ANSWER = "none"
READ_ONLY = "25006"  # the server is a standby
# SQLSTATE classes: connection, insufficient resources, operator intervention (shutdown, starting up), system error;
# and a transaction ended for having been idle.
UNABLE = (NO_ANSWER, "08", "53", "57P", "58", "25P03")

CONNECT = {
    "connect_timeout": 2,  # seconds, the least that libpq knows
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 5_000,  # ms that sent bytes may stay unacknowledged
    # A service that froze inside a transaction must not keep its row locks.
    "options": "-c idle_in_transaction_session_timeout=10s",
}


class Postgres:
    """A pool of `pool_size` connections and as many threads, so that a thread never waits for a connection.

    `statement_timeout` seconds bound the work of a caller that has no deadline. Health probes deserve an instance of
    their own with one connection: behind busy threads they would wait, and call a busy database a dead one.
    """

    def __init__(self, url: str, *, application_name: str, pool_size: int = 4, statement_timeout: float = 3.0) -> None:
        self._statement_timeout = statement_timeout
        self._threads = ThreadPoolExecutor(pool_size, thread_name_prefix=application_name)
        self._why: str | None = None  # it cannot be reached
        # No ping at checkout: the BEGIN that every transaction sends first is one, see _begin().
        self._engine = create_engine(
            make_url(url).set(drivername="postgresql+psycopg2"),
            poolclass=QueuePool,
            pool_size=pool_size,
            max_overflow=0,
            connect_args={"application_name": application_name, **CONNECT},
        )

    async def run(self, work: Callable[[Connection], T], *, isolation: Isolation = "READ COMMITTED") -> T:
        """The result of `work`, run in one transaction: committed when it returns, rolled back when it raises.

        `work` runs again, up to ATTEMPTS times, when the transaction lost to another one (serialization, deadlock), so
        it must have no effect outside of the database. Each statement has what is left of the caller's deadline.
        Unavailable: no connection, a lost one (after a commit was sent its outcome is unknown), a standby, or defeat
        in every attempt. DeadlineExceeded: out of time. What `work` raises passes through.
        """
        left = context.remaining()
        end = time.monotonic() + (self._statement_timeout if left is None else left)
        for attempt in range(1, ATTEMPTS + 1):
            try:
                result = await self._in_thread(work, isolation, end)
            except (DBAPIError, psycopg2.Error) as exc:  # the second from a cursor of the driver itself
                if _sqlstate(exc) not in LOST:
                    told = self._told(exc)
                    if told is None:
                        raise
                    raise told from exc
            else:
                self._note(None)
                return result
            await asyncio.sleep(random.uniform(0, PAUSE * attempt))  # noqa: S311  no secret
        raise Unavailable(CONTENDED, PAUSE * ATTEMPTS)

    async def close(self) -> None:
        """Waits for the transactions under way and closes the connections."""
        await asyncio.to_thread(self._threads.shutdown)
        self._engine.dispose()

    async def _in_thread(self, work: Callable[[Connection], T], isolation: Isolation, end: float) -> T:
        loop = asyncio.get_running_loop()
        line = _Lifeline()
        job = self._threads.submit(copy_context().run, self._transaction, work, isolation, end, line)
        done = asyncio.wrap_future(job)
        timer = loop.call_later(end - time.monotonic() + FROZEN, line.cut)
        done.add_done_callback(lambda _: timer.cancel())
        try:
            # Shielded: a caller that goes away leaves a running transaction to its end and to its timer.
            return await asyncio.shield(done)
        except asyncio.CancelledError:
            job.cancel()  # if it has not begun, it never will
            raise

    def _transaction(self, work: Callable[[Connection], T], isolation: Isolation, end: float, line: "_Lifeline") -> T:
        connection = self._begin(isolation, end, line)
        try:
            result = work(connection)
            connection.commit()
        finally:
            with suppress(DBAPIError):
                connection.rollback()  # nothing, after a commit
            line.drop()
            connection.close()
        return result

    def _begin(self, isolation: Isolation, end: float, line: "_Lifeline") -> Connection:
        """A connection inside a transaction. One that died in the pool is replaced here, before any work was sent."""
        for last in (False, True):
            left = end - time.monotonic()
            if left <= 0:
                break
            connection = self._engine.connect()
            try:
                line.hold(connection)
                # psycopg2 sends BEGIN before it.
                connection.exec_driver_sql(
                    f"SET TRANSACTION ISOLATION LEVEL {isolation}; SET LOCAL statement_timeout = {int(left * 1000) + 1}"
                )
            except (DBAPIError, psycopg2.Error) as exc:
                line.drop()
                connection.invalidate()  # the other idle ones, when it was lost, are SQLAlchemy's to replace
                connection.close()
                if last or (isinstance(exc, DBAPIError) and not exc.connection_invalidated):
                    raise
            else:
                return connection
        raise DeadlineExceeded

    def _told(self, exc: DBAPIError | psycopg2.Error) -> Exception | None:
        """What the caller is told of a database error; None when it is the caller's own business."""
        state = _sqlstate(exc)
        if state == QUERY_CANCELED:
            return DeadlineExceeded()
        if state == READ_ONLY:
            return Unavailable(UNREACHABLE, RETRY_AFTER)
        if state.startswith(UNABLE) or (isinstance(exc, DBAPIError) and exc.connection_invalidated):
            self._note(str(_cause(exc)).partition("\n")[0])
            return Unavailable(UNREACHABLE, RETRY_AFTER)
        return None

    def _note(self, why: str | None) -> None:
        """Logs the change, not each call that met it."""
        if why is None and self._why is not None:
            log.info("postgres: available again")
        elif why is not None and self._why is None:
            log.warning("postgres: unavailable", why=why)
        self._why = why


def query(connection: Connection, sql: str, values: Mapping[str, object] | None = None) -> list[Any]:
    """The rows of one statement, as named tuples, by the driver's own cursor; `values` fill %(name)s.

    For hot paths: SQLAlchemy's way to the same cursor costs 60 us a statement and more than the statement itself. The
    driver's exceptions come as they are.
    """
    driver: Any = connection.connection.driver_connection
    with driver.cursor(cursor_factory=NamedTupleCursor) as cursor:
        cursor.execute(sql, values)
        return cursor.fetchall() if cursor.description else []


class _Lifeline:
    """Lets the event loop break the connection of a thread whose server froze: no timeout of a stopped server fires.

    Holds a duplicate of the socket, so that a descriptor closed and used again meanwhile is never the one cut.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None

    def hold(self, connection: Connection) -> None:
        with self._lock:
            driver = connection.connection.driver_connection
            self._socket = socket.socket(fileno=os.dup(driver.fileno())) if driver is not None else None

    def drop(self) -> None:
        """The connection goes back to the pool: from here on it is somebody else's."""
        with self._lock:
            if self._socket is not None:
                self._socket.close()
                self._socket = None

    def cut(self) -> None:
        with self._lock:
            if self._socket is not None:
                with suppress(OSError):
                    self._socket.shutdown(socket.SHUT_RDWR)


def _cause(exc: DBAPIError | psycopg2.Error) -> BaseException | None:
    return exc.orig if isinstance(exc, DBAPIError) else exc


def _sqlstate(exc: DBAPIError | psycopg2.Error) -> str:
    """The five characters of SQLSTATE; NO_ANSWER when the server had no part in it."""
    cause = _cause(exc)
    if isinstance(cause, psycopg2.Error) and cause.pgcode:
        return cause.pgcode
    return NO_ANSWER if isinstance(cause, psycopg2.OperationalError | psycopg2.InterfaceError) else ""
