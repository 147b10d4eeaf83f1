"""The catalog does what its contract says, whatever is asked of it, in any order and at once."""

import asyncio
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from catalogo.migrate import migrate
from catalogo.servicer import SERVICE
from tests.conftest import PostgresServer
from tests.integration.test_catalogo.conftest import Database
from tests.integration.test_catalogo.test_service import running
from tests.model.answers import GrpcDoor, channel_to
from tests.model.catalogo_doors import Instancia, PortaGrpc, PortaLocal, PortaMortal
from tests.model.catalogo_machine import CatalogoMachine, CatalogoMortalMachine
from tests.model.machine import check


@pytest.mark.usefixtures("quiet")
def test_over_fakes(runner: asyncio.Runner) -> None:
    def machine() -> CatalogoMachine:
        door = PortaLocal()
        runner.run(door.abrir())
        return CatalogoMachine(door, runner.run)

    check(machine, examples=120, steps=40)


@pytest.fixture(scope="module")
def database(postgres_server: PostgresServer) -> Iterator[Database]:
    database = Database(postgres_server, "modelo_catalogo")
    migrate(database.owner, "catalogo_app", seed=False)
    yield database
    database.audit()


def test_over_a_process(database: Database, runner: asyncio.Runner, tmp_path: Path) -> None:
    with running(database, "catalogo-1", tmp_path) as process:
        channel = runner.run(channel_to(process.target))
        with closing(PortaGrpc(database, GrpcDoor(channel, SERVICE))) as door:
            check(lambda: CatalogoMachine(door, runner.run), examples=20, steps=30)
        runner.run(channel.close())


@pytest.fixture
def two(database: Database, runner: asyncio.Runner, tmp_path: Path) -> Iterator[PortaMortal]:
    instancias = [Instancia(database, f"mortal-{number}", tmp_path) for number in (1, 2)]
    try:
        for instancia in instancias:
            runner.run(instancia.start())
        with closing(PortaMortal(database, instancias)) as door:
            yield door
    finally:
        for instancia in instancias:
            instancia.kill()
            runner.run(instancia.leave())


def test_over_two_processes(two: PortaMortal, runner: asyncio.Runner) -> None:
    check(lambda: CatalogoMachine(two, runner.run), examples=15, steps=25)


def test_over_two_processes_that_die(two: PortaMortal, runner: asyncio.Runner) -> None:
    check(lambda: CatalogoMortalMachine(two, runner.run), examples=8, steps=15)
