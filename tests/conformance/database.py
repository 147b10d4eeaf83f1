"""A PostgreSQL of the suite's own, that may be killed, frozen and started again."""

import asyncio
import os
import signal
import subprocess
from pathlib import Path
from typing import Self

import psycopg2
from sqlalchemy import make_url

from stack.postgres import Cluster
from stack.topology import Address
from tests.conformance.running import free_port, wait_until

PASSWORD = "segredo"


class Database:
    def __init__(self, folder: Path) -> None:
        self._address = Address("127.0.0.1", free_port())
        hurried = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
        self._cluster = Cluster("postgres", folder / "postgres", self._address, PASSWORD, **hurried)
        self._log = folder / "postgres.log"
        self.url = f"postgresql://postgres:{PASSWORD}@{self._address}/postgres"
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        asyncio.run(self._cluster.prepare())
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self.thaw()
            self.stop(signal.SIGQUIT)

    def start(self) -> None:
        part = self._cluster.part(self._log)
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [*part.account.prefix, *part.argv],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=dict(part.environment),
                start_new_session=True,
                **part.account.options(),
            )
        wait_until(self._serves, 30, f"PostgreSQL serves: {self._log}")

    def stop(self, number: signal.Signals = signal.SIGINT) -> None:
        """SIGINT: fast shutdown; SIGQUIT: at once, as a crash."""
        assert self._process is not None
        self._process.send_signal(number)
        self._process.wait(timeout=20)
        self._process = None

    def freeze(self) -> None:
        """Every process of the server stops: connections stay open, nothing answers."""
        self._signal_all(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal_all(signal.SIGCONT)

    def execute(self, *statements: str) -> None:
        connection = psycopg2.connect(make_url(self.url).render_as_string(hide_password=False))
        connection.autocommit = True
        try:
            with connection.cursor() as cursor:
                for statement in statements:
                    cursor.execute(statement)
        finally:
            connection.close()

    def _signal_all(self, number: signal.Signals) -> None:
        """Backends lead process groups of their own, so each is found by its parent."""
        assert self._process is not None
        family = {self._process.pid}
        parents = {int(each.name): _parent(int(each.name)) for each in Path("/proc").iterdir() if each.name.isdigit()}
        for _ in range(3):  # generations: unshare, postmaster, backends
            family |= {pid for pid, parent in parents.items() if parent in family}
        for pid in sorted(family):
            os.kill(pid, number)

    def _serves(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, self._log.read_text()
        try:
            self.execute("SELECT 1")
        except psycopg2.OperationalError:
            return False
        return True


def _parent(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0
