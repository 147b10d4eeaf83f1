"""The catalog does what its contract says, whatever is asked of it, in any order and at once."""

import asyncio
from collections.abc import Iterator

import pytest

from catalogo.migrate import migrate
from tests.conftest import PostgresServer
from tests.integration.test_catalogo.conftest import Database
from tests.integration.test_catalogo.test_service import running
from tests.model.answers import channel_to
from tests.model.catalogo_doors import PortaGrpc, PortaLocal
from tests.model.catalogo_machine import CatalogoMachine
from tests.model.machine import check


@pytest.mark.usefixtures("quiet")
def test_over_fakes(runner: asyncio.Runner) -> None:
    def machine() -> CatalogoMachine:
        door = PortaLocal()
        runner.run(door.abrir())
        return CatalogoMachine(door, runner.run)

    check(machine, examples=150, steps=40)


@pytest.fixture(scope="module")
def catalogo(
    postgres_server: PostgresServer, runner: asyncio.Runner, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[PortaGrpc]:
    database = Database(postgres_server, "modelo_catalogo")
    migrate(database.owner, "catalogo_app", seed=False)
    with running(database, "catalogo-1", tmp_path_factory.mktemp("catalogo")) as process:
        channel = runner.run(channel_to(process.target))
        door = PortaGrpc(process, database, channel)
        yield door
        door.close()
        runner.run(channel.close())
    database.audit()


def test_over_a_process(catalogo: PortaGrpc, runner: asyncio.Runner) -> None:
    check(lambda: CatalogoMachine(catalogo, runner.run), examples=60, steps=30)
