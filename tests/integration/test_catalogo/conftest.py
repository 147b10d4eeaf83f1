"""A migrated database on a real server, and the catalog's repositories on it. Every test leaves its books balanced."""

import asyncio
import re
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import psycopg2
import psycopg2.extras
import pytest

from catalogo.domain.produtos import Categoria, NovaCategoria, NovoProduto
from catalogo.migrate import migrate
from catalogo.repository.alteracoes import AlteracoesRepository
from catalogo.repository.estoque import EstoqueRepository
from catalogo.repository.produtos import ProdutoRepository
from chassis.postgres import Postgres
from tests.conftest import PostgresServer

psycopg2.extras.register_uuid()  # type: ignore[no-untyped-call]


class Database:
    """One database: `app` and `owner` are the URLs of its two roles; queries here are the superuser's."""

    def __init__(self, server: PostgresServer, name: str) -> None:
        self.superuser = server.create_database(name)
        self.app = server.url(name, "catalogo_app")
        self.owner = server.url(name, "catalogo_owner")
        self.query(f'ALTER DATABASE "{name}" OWNER TO catalogo_owner')

    def connect(self) -> "psycopg2.extensions.connection":
        return psycopg2.connect(self.superuser)

    def query(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        with self.connect() as connection, connection.cursor() as cursor:
            cursor.execute(statement, values or None)
            return cursor.fetchall() if cursor.description else []

    def advance(self, seconds: float) -> None:
        """Lets time pass for reservations, which measure it against the database's clock."""
        with self.connect() as connection, connection.cursor() as cursor:
            cursor.execute("SET session_replication_role = replica")  # the steps of a reservation are guarded
            cursor.execute("UPDATE reservas SET expira_em = expira_em - make_interval(secs => %s)", [seconds])

    def audit(self) -> None:
        """Columns, ledger and reservations tell the same story of every product."""
        assert self.query("SELECT * FROM auditoria_estoque") == []


@pytest.fixture(scope="module")
def database(postgres_server: PostgresServer, request: pytest.FixtureRequest) -> Database:
    name = re.sub(r"\W", "_", request.module.__name__.rpartition(".")[2])
    database = Database(postgres_server, name)
    migrate(database.owner, "catalogo_app", seed=False)
    return database


@pytest.fixture
def books(database: Database) -> Iterator[Database]:
    """The database, audited when the test is over."""
    yield database
    database.audit()


@pytest.fixture(scope="module")
def postgres(database: Database) -> Iterator[Postgres]:
    postgres = Postgres(database.app, application_name="teste", pool_size=8)
    yield postgres
    asyncio.run(postgres.close())


@pytest.fixture
def produtos(postgres: Postgres) -> ProdutoRepository:
    return ProdutoRepository(postgres)


@pytest.fixture
def estoque(postgres: Postgres) -> EstoqueRepository:
    return EstoqueRepository(postgres)


@pytest.fixture
async def alteracoes(database: Database) -> AsyncIterator[AlteracoesRepository]:
    postgres = Postgres(database.app, application_name="teste-vitrine", pool_size=1)
    yield AlteracoesRepository(postgres)
    await postgres.close()


@pytest.fixture
async def categoria(produtos: ProdutoRepository) -> Categoria:
    return await produtos.criar_categoria(NovaCategoria(f"Bolos {uuid.uuid4()}", ""))


@pytest.fixture
def novo(categoria: Categoria) -> Callable[..., NovoProduto]:
    def make(estoque: int = 10, **changes: Any) -> NovoProduto:
        fields = {"nome": "Bolo", "descricao": "", "preco_centavos": 100, "imagem_url": "", "ativo": True, **changes}
        return NovoProduto(**{"categoria_id": categoria.categoria_id, "estoque": estoque, **fields})

    return make
