"""PostgreSQL from an asyncio service: SQLAlchemy on psycopg2 in threads of its own, one transaction a call."""

import asyncio
import contextvars
import random
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import psycopg2
from sqlalchemy import Connection, QueuePool, create_engine
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError

from chassis import context
from chassis.errors import DeadlineExceeded, Unavailable

T = TypeVar("T")

ATTEMPTS = 5  # of a transaction that lost to another one


class Postgres:
    """`statement_timeout` seconds bound a statement of a call without a deadline."""

    def __init__(self, url: str, *, application_name: str, pool_size: int = 4, statement_timeout: float = 3.0) -> None:
        self._statement_timeout = statement_timeout
        self._threads = ThreadPoolExecutor(pool_size, thread_name_prefix=application_name)
        self._engine = create_engine(
            make_url(url).set(drivername="postgresql+psycopg2"),
            poolclass=QueuePool,
            pool_size=pool_size,
            max_overflow=0,
            connect_args={
                "application_name": application_name,
                "connect_timeout": 2,
                "keepalives_idle": 5,
                "keepalives_interval": 2,
                "keepalives_count": 3,
                "tcp_user_timeout": 5_000,
            },
        )

    async def run(self, work: Callable[[Connection], T]) -> T:
        """The result of `work`, run in one transaction that commits when it returns and rolls back when it raises."""
        left = context.remaining()
        end = time.monotonic() + (self._statement_timeout if left is None else left)
        loop = asyncio.get_running_loop()
        for attempt in range(1, ATTEMPTS + 1):
            surroundings = contextvars.copy_context()
            try:
                return await loop.run_in_executor(self._threads, surroundings.run, self._transaction, work, end)
            except DBAPIError as exc:
                if attempt == ATTEMPTS or getattr(exc.orig, "pgcode", None) not in ("40001", "40P01"):
                    raise
            await asyncio.sleep(random.uniform(0, 0.01 * attempt))  # noqa: S311  spreads rivals, hides nothing
        raise AssertionError("the last attempt returns or raises")

    async def close(self) -> None:
        """Waits for the transactions under way and closes the connections."""
        await asyncio.to_thread(self._threads.shutdown)
        self._engine.dispose()

    def _transaction(self, work: Callable[[Connection], T], end: float) -> T:
        left = end - time.monotonic()
        if left <= 0:
            raise DeadlineExceeded
        try:
            with self._engine.begin() as connection:
                connection.exec_driver_sql(f"SET LOCAL statement_timeout = {max(1, int(left * 1000))}")
                return work(connection)
        except DBAPIError as exc:
            if isinstance(exc.orig, psycopg2.errors.QueryCanceled):
                raise DeadlineExceeded from exc
            if exc.connection_invalidated or isinstance(exc.orig, psycopg2.errors.ReadOnlySqlTransaction):
                raise Unavailable("O banco de dados não está disponível agora.") from exc
            if isinstance(exc.orig, psycopg2.OperationalError) and exc.orig.pgcode is None:
                raise Unavailable("O banco de dados não está disponível agora.") from exc
            raise
