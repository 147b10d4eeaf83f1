"""chassis.postgres on a real server that is killed, restarted, frozen and contended."""

import asyncio
import signal
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import IntegrityError, ProgrammingError

from chassis import context
from chassis.errors import DeadlineExceeded, Unavailable
from chassis.postgres import Postgres
from tests.conformance.database import Database
from tests.conformance.running import eventually

POOL = 3


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    folder: Path = tmp_path_factory.mktemp("banco")
    for each in (folder, *folder.parents[:2]):
        each.chmod(0o711)  # PostgreSQL runs as somebody else when root runs the tests
    with Database(folder) as database:
        database.execute("CREATE TABLE account (id int PRIMARY KEY, amount int NOT NULL CHECK (amount >= 0))")
        yield database


@pytest.fixture
async def postgres(database: Database) -> AsyncIterator[Postgres]:
    database.execute("TRUNCATE account", "INSERT INTO account VALUES (1, 100), (2, 100)")
    postgres = Postgres(database.url, application_name="eco", pool_size=POOL)
    yield postgres
    async with asyncio.timeout(15):
        await postgres.close()


@pytest.fixture(autouse=True)
def _no_deadline() -> Iterator[None]:
    before = context.enter(context.Call())
    yield
    context._call.reset(before)


def one(connection: Connection) -> Any:
    return connection.execute(text("SELECT 1")).scalar_one()


def amount(connection: Connection) -> Any:
    return connection.execute(text("SELECT amount FROM account WHERE id = 1")).scalar_one()


def sleep(seconds: float) -> Any:
    return lambda connection: connection.execute(text("SELECT pg_sleep(:s)"), {"s": seconds})


def add(connection: Connection) -> None:
    connection.execute(text("UPDATE account SET amount = amount + 1 WHERE id = 1"))


async def all_connections_used(postgres: Postgres) -> None:
    """Every connection of the pool is open afterwards."""
    await asyncio.gather(*(postgres.run(sleep(0.05)) for _ in range(POOL)))


async def test_work_that_returns_is_committed_and_work_that_raises_is_rolled_back(postgres: Postgres) -> None:
    def half(connection: Connection) -> None:
        add(connection)
        raise ValueError("meu")

    await postgres.run(add)
    with pytest.raises(ValueError, match="meu"):
        await postgres.run(half)
    assert await postgres.run(amount) == 101


async def test_what_is_the_callers_own_error_passes_through(postgres: Postgres) -> None:
    with pytest.raises(IntegrityError):
        await postgres.run(lambda c: c.execute(text("UPDATE account SET amount = -1")))
    with pytest.raises(ProgrammingError):
        await postgres.run(lambda c: c.execute(text("SELECT nothing FROM nowhere")))
    assert await postgres.run(one) == 1


async def test_a_statement_ends_with_the_deadline_of_the_call(postgres: Postgres) -> None:
    context.deadline(0.3)
    begin = time.monotonic()
    with pytest.raises(DeadlineExceeded):
        await postgres.run(sleep(10))
    assert time.monotonic() - begin < 1.5
    context.deadline(0)
    with pytest.raises(DeadlineExceeded):
        await postgres.run(one)  # nothing is even sent


async def test_the_timeout_of_one_transaction_is_not_that_of_the_next(postgres: Postgres) -> None:
    context.deadline(0.1)
    await asyncio.gather(*(postgres.run(one) for _ in range(POOL)))
    context.deadline(5)
    shown = await postgres.run(lambda c: c.exec_driver_sql("SHOW statement_timeout").scalar_one())
    assert shown.endswith("ms") or shown in ("5s", "5001ms")
    await postgres.run(sleep(0.3))


async def test_a_cancelled_caller_leaks_no_connection(postgres: Postgres) -> None:
    context.deadline(0.5)
    calls = [asyncio.create_task(postgres.run(sleep(10))) for _ in range(20)]
    await asyncio.sleep(0.1)
    for call in calls:
        call.cancel()
    assert all(
        isinstance(each, asyncio.CancelledError) for each in await asyncio.gather(*calls, return_exceptions=True)
    )
    context.deadline(5)
    assert await asyncio.gather(*(postgres.run(one) for _ in range(POOL * 2))) == [1] * POOL * 2


async def test_work_that_waits_for_a_thread_ends_with_its_caller(postgres: Postgres) -> None:
    ran = threading.Event()
    busy = [asyncio.create_task(postgres.run(sleep(0.3))) for _ in range(POOL)]
    await asyncio.sleep(0)
    waiting = asyncio.create_task(postgres.run(lambda _: ran.set()))
    await asyncio.sleep(0.05)
    waiting.cancel()
    await asyncio.gather(*busy, waiting, return_exceptions=True)
    assert await postgres.run(one) == 1
    assert not ran.is_set()


async def test_lost_races_are_run_again(postgres: Postgres) -> None:
    def read_then_write(connection: Connection) -> None:
        seen = amount(connection)
        connection.execute(text("UPDATE account SET amount = :new WHERE id = 1"), {"new": seen + 1})

    context.deadline(10)
    await asyncio.gather(*(postgres.run(read_then_write, isolation="SERIALIZABLE") for _ in range(POOL)))
    assert await postgres.run(amount) == 100 + POOL


async def test_a_deadlock_is_run_again(postgres: Postgres) -> None:
    meet = threading.Barrier(2)

    def both(first: int, second: int) -> Any:
        attempts: list[int] = []

        def work(connection: Connection) -> int:
            for number in (first, second):
                connection.execute(text("UPDATE account SET amount = amount + 1 WHERE id = :id"), {"id": number})
                if not attempts:
                    attempts.append(number)
                    meet.wait(5)
            return len(attempts)

        return work

    context.deadline(10)
    await asyncio.gather(postgres.run(both(1, 2)), postgres.run(both(2, 1)))
    assert await postgres.run(amount) == 102


async def test_a_race_that_never_ends_is_given_up(postgres: Postgres) -> None:
    attempts = 0

    def loses(connection: Connection) -> None:
        nonlocal attempts
        attempts += 1
        connection.exec_driver_sql("DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '40001'; END $$")

    with pytest.raises(Unavailable):
        await postgres.run(loses)
    assert attempts == 5


async def test_isolation_is_for_one_transaction(postgres: Postgres) -> None:
    def level(connection: Connection) -> Any:
        return connection.exec_driver_sql("SHOW transaction_isolation").scalar_one()

    assert await postgres.run(level, isolation="REPEATABLE READ") == "repeatable read"
    assert {await postgres.run(level) for _ in range(POOL)} == {"read committed"}


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGQUIT])
async def test_connections_that_died_in_the_pool_are_never_noticed(
    postgres: Postgres, database: Database, how: signal.Signals
) -> None:
    await all_connections_used(postgres)
    database.stop(how)
    database.start()
    context.deadline(10)
    assert await asyncio.gather(*(postgres.run(one) for _ in range(POOL * 3))) == [1] * POOL * 3


async def test_a_connection_ended_by_the_administrator_is_never_noticed(postgres: Postgres, database: Database) -> None:
    await all_connections_used(postgres)
    database.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'eco'")
    assert await asyncio.gather(*(postgres.run(one) for _ in range(POOL))) == [1] * POOL


async def test_a_connection_lost_during_the_work_is_unavailable_once(postgres: Postgres, database: Database) -> None:
    running = asyncio.create_task(postgres.run(sleep(10)))
    await _one_sleeps(postgres)
    database.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE application_name = 'eco' AND query LIKE 'SELECT pg_sleep%'"
    )
    with pytest.raises(Unavailable):
        await running
    assert await postgres.run(one) == 1


async def test_a_server_that_is_away_is_unavailable_and_comes_back(postgres: Postgres, database: Database) -> None:
    await all_connections_used(postgres)
    database.stop()
    for _ in range(3):
        begin = time.monotonic()
        with pytest.raises(Unavailable):
            await postgres.run(one)
        assert time.monotonic() - begin < 1.0
    database.start()
    assert await postgres.run(one) == 1


@pytest.mark.usefixtures("postgres")
async def test_a_read_only_server_is_unavailable_for_writes_alone(database: Database) -> None:
    database.execute("ALTER ROLE postgres SET default_transaction_read_only = on")
    try:
        standby = Postgres(database.url, application_name="eco", pool_size=1)
        assert await standby.run(amount) == 100
        with pytest.raises(Unavailable):
            await standby.run(add)
        await standby.close()
    finally:
        database.execute("SET default_transaction_read_only = off", "ALTER ROLE postgres RESET ALL")


async def test_a_frozen_server_holds_no_thread(postgres: Postgres, database: Database) -> None:
    await all_connections_used(postgres)
    database.freeze()
    try:
        context.deadline(0.3)
        begin = time.monotonic()
        told = await asyncio.gather(*(_outcome(postgres.run(one)) for _ in range(POOL)))
        assert set(told) <= {Unavailable, DeadlineExceeded}
        assert 0.3 < time.monotonic() - begin < 4.0
    finally:
        database.thaw()
    context.deadline(10)
    assert await asyncio.gather(*(postgres.run(one) for _ in range(POOL))) == [1] * POOL


async def test_a_work_that_sleeps_in_its_transaction_loses_its_locks(database: Database) -> None:
    """idle_in_transaction_session_timeout, here shorter than in earnest."""
    postgres = Postgres(database.url, application_name="eco", pool_size=1)

    def idle(connection: Connection) -> None:
        connection.exec_driver_sql("SET LOCAL idle_in_transaction_session_timeout = 100")
        add(connection)
        time.sleep(0.5)
        add(connection)

    with pytest.raises(Unavailable):
        await postgres.run(idle)
    assert await postgres.run(one) == 1
    await postgres.close()


async def test_the_log_tells_of_changes_alone(
    postgres: Postgres, database: Database, capfd: pytest.CaptureFixture[str]
) -> None:
    database.stop()
    for _ in range(3):
        with pytest.raises(Unavailable):
            await postgres.run(one)
    database.start()
    for _ in range(3):
        await postgres.run(one)
    told = capfd.readouterr().out
    assert told.count("postgres: unavailable") == 1
    assert told.count("postgres: available again") == 1
    assert "segredo" not in told


async def _outcome(call: Awaitable[Any]) -> type[BaseException] | None:
    try:
        await call
    except (Unavailable, DeadlineExceeded) as exc:
        return type(exc)
    return None


async def _one_sleeps(postgres: Postgres) -> None:
    def sleeping(connection: Connection) -> Any:
        query = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%'"
        return connection.execute(text(query)).scalar_one()

    async def one_is() -> bool:
        return bool(await postgres.run(sleeping))

    await eventually(one_is, 5.0, "it sleeps")
