"""A database of orders, and the ports of two processes over it."""

import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import psycopg2
import pytest

from chassis.postgres import Postgres
from pedidos.migrate import migrate
from pedidos.repository import ComprasPostgres, PedidosPostgres, transactions
from pedidos.servicer import pedido_em_bytes
from pedidos.use_cases.ports import Compras, Pedidos
from tests.fakes.pedidos.banco import Banco, ComprasFake, PedidosFake, Relogio
from tests.integration.test_pedidos.running import Client, Vizinhos, instance, settings_of

TABLES = "compras, eventos_saida, itens_pedido, pedidos"


@dataclass(frozen=True)
class Database:
    """The service's own URL, and a way round its rights."""

    url: str
    superuser_url: str

    def execute(self, statement: str, *params: object) -> list[Any]:
        with (
            closing(psycopg2.connect(self.superuser_url)) as opened,
            opened as connection,
            connection.cursor() as cursor,
        ):
            cursor.execute(statement, params or None)
            return cursor.fetchall() if cursor.description else []

    def advance(self, seconds: float) -> None:
        """What a wait of so many seconds would do to leases, debts and ages."""
        gone = timedelta(seconds=seconds)
        self.execute("UPDATE compras SET vence_em = vence_em - %s, criado_em = criado_em - %s", gone, gone)
        self.execute("UPDATE pedidos SET devolver_em = devolver_em - %s", gone)

    def events(self, pedido_id: str) -> list[tuple[int, str, str]]:
        found = "SELECT seq, tipo, corpo->>'status' FROM eventos_saida WHERE pedido_id = %s ORDER BY id"
        return [tuple(row) for row in self.execute(found, pedido_id)]


@dataclass(frozen=True)
class Portas:
    """The ports as two processes, A and B, see them."""

    compras: Compras
    de_outro: Compras
    pedidos: Pedidos
    advance: Callable[[float], None]
    events: Callable[[str], list[tuple[int, str, str]]]


@pytest.fixture(scope="session")
def database_of_orders(postgres_server: Any) -> Database:
    superuser_url = postgres_server.create_database("pedidos")
    migrate(superuser_url, "pedidos_app")
    return Database(postgres_server.url("pedidos", "pedidos_app"), superuser_url)


@pytest.fixture
def database(database_of_orders: Database) -> Iterator[Database]:
    yield database_of_orders
    database_of_orders.execute(f"TRUNCATE {TABLES}")


@pytest.fixture
async def postgres(database: Database) -> AsyncIterator[Postgres]:
    opened = Postgres(database.url, application_name="tests", pool_size=6)
    yield opened
    await opened.close()


def compras_of(postgres: Postgres) -> ComprasPostgres:
    return ComprasPostgres(transactions(postgres), pedido_em_bytes, dono=uuid.uuid4().hex)


@pytest.fixture(params=["fake", "postgres"])
def portas(request: pytest.FixtureRequest) -> Portas:
    if request.param == "fake":
        return _fake()
    postgres, database = request.getfixturevalue("postgres"), request.getfixturevalue("database")
    pedidos = PedidosPostgres(transactions(postgres))
    return Portas(compras_of(postgres), compras_of(postgres), pedidos, database.advance, database.events)


def _fake() -> Portas:
    relogio = Relogio()
    banco = Banco(relogio, pedido_em_bytes)

    def events(pedido_id: str) -> list[tuple[int, str, str]]:
        return [(e.seq, e.tipo.value, e.status.value) for e in banco.eventos if e.pedido_id == pedido_id]

    return Portas(ComprasFake(banco, "a"), ComprasFake(banco, "b"), PedidosFake(banco), relogio.avancar, events)


@pytest.fixture
async def vizinhos() -> AsyncIterator[Vizinhos]:
    async with Vizinhos().served() as running:
        yield running


@pytest.fixture
async def loja(database: Database, vizinhos: Vizinhos, valkey_url: str) -> AsyncIterator[Client]:
    """One instance of orders."""
    async with instance(settings_of(database.url, vizinhos.address, valkey_url)) as client:
        yield client


@pytest.fixture
async def outra_loja(database: Database, vizinhos: Vizinhos, valkey_url: str) -> AsyncIterator[Client]:
    """Another instance of orders."""
    async with instance(settings_of(database.url, vizinhos.address, valkey_url)) as client:
        yield client
