"""A real PostgreSQL and its streaming standby, which can be held back, left behind and promoted."""

import asyncio
import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psycopg2

from catalogo.migrate import migrate
from stack.parts import base_environment
from stack.postgres import Cluster, binary
from stack.topology import HOST, Address
from tests.conftest import PostgresServer, _folder, _running, free_port, wait_until

PASSWORD = "segredo"
HURRIED: dict[str, str | int] = {"fsync": "off", "full_page_writes": "off", "wal_receiver_status_interval": "1s"}


class Node(PostgresServer):
    """One of the two; `query` is the superuser's, in any of its databases."""

    def query(self, statement: str, database: str = "postgres") -> str:
        connection = psycopg2.connect(self.url(database))
        connection.autocommit = True
        try:
            with connection.cursor() as cursor:
                cursor.execute(statement)
                row = cursor.fetchone() if cursor.description else None
                return str(row[0]) if row else ""
        finally:
            connection.close()

    @contextmanager
    def held(self) -> Iterator[None]:
        """A standby that receives but shows nothing new."""
        self.query("SELECT pg_wal_replay_pause()")
        try:
            wait_until(lambda: self.query("SELECT pg_get_wal_replay_pause_state()") == "paused", 20)
            yield
        finally:
            if self.query("SELECT pg_is_in_recovery()") == "True":
                self.query("SELECT pg_wal_replay_resume()")


@contextmanager
def pair() -> Iterator[tuple[Node, Node]]:
    """Primary and standby, both running; the roles of the services exist."""
    with ExitStack() as stack:
        folder = stack.enter_context(_folder("um par"))
        first = Cluster("primeiro", folder / "primeiro", Address(HOST, free_port()), PASSWORD, **HURRIED)
        asyncio.run(first.prepare())
        stack.enter_context(_running(first.part(folder / "primeiro.log")))
        primary = Node(first.address, PASSWORD)
        primary.create_roles("catalogo_owner", "catalogo_app")
        second = Cluster("segundo", folder / "segundo", Address(HOST, free_port()), PASSWORD, **HURRIED)
        _clone(first, second, folder / "segundo.log")
        asyncio.run(second.prepare())
        stack.enter_context(_running(second.part(folder / "segundo.log")))
        yield primary, Node(second.address, PASSWORD)


def catalog(primary: Node, standby: Node, name: str) -> None:
    """A seeded database of the catalog, on both."""
    primary.create_database(name)
    primary.query(f"ALTER DATABASE {name} OWNER TO catalogo_owner")
    migrate(primary.url(name, "catalogo_owner"), "catalogo_app", seed=True)
    end = primary.query("SELECT pg_current_wal_lsn()")
    wait_until(
        lambda: standby.query(f"SELECT pg_last_wal_replay_lsn() >= '{end}'") == "True", 30, "the standby is there"
    )


def _clone(first: Cluster, second: Cluster, log: Path) -> None:
    part = first.part(log)
    second.folder.mkdir(mode=0o700)
    part.account.give(second.folder)
    source = f"host={first.address.host} port={first.address.port} user=postgres password={PASSWORD}"
    argv = [str(binary("pg_basebackup")), "-d", source, "-D", str(second.data), "-R", "-c", "fast", "--no-sync"]
    done = subprocess.run(
        [*part.account.prefix, *argv],
        env=dict(base_environment()),
        capture_output=True,
        text=True,
        cwd=os.sep,
        timeout=60,
        check=False,
        **part.account.options(),
    )
    assert done.returncode == 0, re.sub(PASSWORD, "***", done.stderr)
