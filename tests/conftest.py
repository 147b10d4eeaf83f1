"""Real servers for every suite: a whole mesh, a bare PostgreSQL, a bare Valkey, each started when first asked for."""

import asyncio
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from stack.parts import Part
from stack.ports import is_free, wanted
from stack.postgres import Cluster
from stack.processes import Identity, alive, die_with_parent, identify
from stack.topology import HOST, MAX_INSTANCES, ROOT, SERVICES, Address, Ports, topology
from stack.valkey import part as valkey_part

# grpcio's fork handlers would abort a server that we start while a channel is open in this process: we fork only to
# execute something else, which needs none of them. Read by grpc when it is imported, which nothing above does.
os.environ["GRPC_ENABLE_FORK_SUPPORT"] = "0"

START_SECONDS = 120  # a first start on a busy machine of two cores takes twenty
OFFSETS = range(20_000, 45_000, 128)  # no two of these meet on any port of the other


def wait_until(condition: Callable[[], object], seconds: float, what: str = "") -> None:
    """Looks every few milliseconds; fails the test when the time is over."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail(f"not within {seconds} s: {what or condition}")
        time.sleep(0.02)


def free_offset() -> int:
    """A port offset of which nobody uses a port, even with every service at its most instances."""
    first = int(os.environ.get("CONFEITARIA_PORT_OFFSET") or 0)
    candidates = list(OFFSETS)
    random.Random(os.getpid()).shuffle(candidates)
    for offset in ([first] if first else []) + candidates:
        everything = topology(offset, dict.fromkeys(SERVICES, MAX_INSTANCES), Path())
        if all(is_free(address) for address in wanted(everything).values()):
            return offset
    pytest.fail("no free range of ports")


@dataclass
class Mesh:
    """A mesh of its own: own ports, own data folder (with a space in its name on purpose), its own command line."""

    home: Path
    offset: int = field(default_factory=free_offset)
    root: Path = ROOT  # of the code that runs

    @property
    def ports(self) -> Ports:
        return Ports(self.offset)

    @property
    def edge(self) -> str:
        return f"http://{self.ports.edge}"

    @property
    def edge_target(self) -> str:
        return str(self.ports.edge)

    @property
    def mesh_target(self) -> str:
        return str(self.ports.mesh)

    @property
    def environment(self) -> dict[str, str]:
        path = os.pathsep.join((str(self.root), str(self.root / "protos" / "python")))
        # CONFEITARIA_HOME is the folder of offset 0; ours lies in it
        return os.environ | {"CONFEITARIA_HOME": str(self.home), "PYTHONPATH": path}

    @property
    def folder(self) -> Path:
        return self.home / f"offset-{self.offset}"

    def command(self, *arguments: str) -> list[str]:
        """What `./confeitaria` executes once its environment stands."""
        return [sys.executable, "-P", "-m", "stack", *arguments, "--port-offset", str(self.offset)]

    def run(self, *arguments: str, seconds: float = START_SECONDS) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(*arguments),
            cwd="/",
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )

    def up(self) -> None:
        done = self.run("up", "--detach")
        assert done.returncode == 0, done.stdout + done.stderr

    def status(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.run("status", "--json", seconds=30).stdout)
        return found

    def process(self, name: str) -> dict[str, Any]:
        return next(each for each in self.status()["processes"] if each["name"] == name)

    def identities(self) -> dict[str, Identity]:
        """Every process of the mesh, the supervisor too, with proof of birth."""
        told = self.status()
        pids = {each["name"]: each["pid"] for each in told["processes"] if each["pid"]}
        if told["supervisor"]:
            pids["supervisor"] = told["supervisor"]["pid"]
        return {name: found for name, pid in pids.items() if (found := identify(pid))}

    def down(self) -> None:
        """Stops it, and holds it to leaving neither process nor port behind."""
        before = self.identities()
        done = self.run("down")
        assert done.returncode == 0, done.stderr
        assert_gone(before)
        assert_ports_free(self)


def assert_gone(processes: dict[str, Identity]) -> None:
    left = [name for name, identity in processes.items() if alive(identity)]
    assert not left, f"left behind: {left}"


def assert_ports_free(mesh: Mesh) -> None:
    everything = wanted(topology(mesh.offset, dict.fromkeys(SERVICES, MAX_INSTANCES), mesh.home))
    taken = [name for name, address in everything.items() if not is_free(address)]
    assert not taken, f"still listening: {taken}"


@pytest.fixture(scope="session")
def mesh() -> Iterator[Mesh]:
    """The whole mesh, as `./confeitaria up --detach` leaves it: `edge`, `edge_target`, `mesh_target`, `status()`."""
    with _folder("a padaria") as folder:
        running = Mesh(folder)
        running.up()
        yield running
        running.down()


@dataclass(frozen=True)
class PostgresServer:
    """A bare server that forgets everything at the end; the roles of both services exist, with its one password."""

    address: Address
    password: str

    def url(self, database: str, role: str = "postgres") -> str:
        return f"postgresql://{role}:{self.password}@{self.address}/{database}"

    def create_database(self, name: str) -> str:
        """An empty database, made anew if it is there; gives the superuser's URL."""
        self._execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)', f'CREATE DATABASE "{name}"')
        return self.url(name)

    def create_roles(self, *names: str) -> None:
        self._execute(*(f"CREATE ROLE {name} LOGIN PASSWORD '{self.password}'" for name in names))

    def _execute(self, *statements: str) -> None:
        connection = psycopg2.connect(self.url("postgres"))
        connection.autocommit = True  # a database is not made inside a transaction
        try:
            with connection.cursor() as cursor:
                for statement in statements:
                    cursor.execute(statement)
        finally:
            connection.close()


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """PostgreSQL alone, faster than one may run it: it need not survive the machine."""
    address, password = Address(HOST, free_port()), "segredo"
    hurried = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
    with ExitStack() as stack:
        folder = stack.enter_context(_folder("um banco"))
        cluster = Cluster("postgres", folder / "postgres", address, password, **hurried)
        asyncio.run(cluster.prepare())
        stack.enter_context(_running(cluster.part(folder / "postgres.log")))
        server = PostgresServer(address, password)
        server.create_roles("catalogo_owner", "catalogo_app", "pedidos_owner", "pedidos_app")
        yield server


@pytest.fixture(scope="session")
def valkey_url() -> Iterator[str]:
    """Valkey alone, with nothing in it."""
    address = Address(HOST, free_port())
    with ExitStack() as stack:
        folder = stack.enter_context(_folder("uma memória"))
        part = valkey_part("valkey", folder / "valkey", address, folder / "valkey.log", appendonly="no")
        stack.enter_context(_running(part))
        yield f"redis://{address}/0"


def free_port() -> int:
    with socket.create_server((HOST, 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


@contextmanager
def _folder(name: str) -> Iterator[Path]:
    """Not among pytest's own, which their owner alone may enter: where root runs the tests PostgreSQL is another."""
    folder = Path(tempfile.mkdtemp(prefix=f"{name} "))
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder)


@contextmanager
def _running(part: Part) -> Iterator[None]:
    """A part that runs for a while, without a supervisor."""
    process = _spawn(part)

    def serves() -> bool:
        assert process.poll() is None, part.log.read_text()
        return asyncio.run(_ask(part)) is None

    wait_until(serves, seconds=30, what=f"{part.name} serves: {part.log}")
    yield
    process.send_signal(part.stop[0][0])
    process.wait(timeout=20)


def _spawn(part: Part) -> subprocess.Popen[bytes]:
    with part.log.open("ab") as log, warnings.catch_warnings():
        # from Python 3.12 on: code between fork and exec may hang when threads run; ours is two system calls
        warnings.simplefilter("ignore", DeprecationWarning)
        return subprocess.Popen(
            [*part.account.prefix, *part.argv],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=dict(part.environment),
            preexec_fn=die_with_parent(signal.SIGKILL),  # noqa: PLW1509  see above
            **part.account.options(),
        )


async def _ask(part: Part) -> str | None:
    return await part.probe()
