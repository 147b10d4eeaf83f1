"""What the schema refuses, whoever asks, and how it comes about."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import psycopg2
import pytest

from catalogo import migrate as module
from catalogo.domain.estoque import Confirmar, ItemReservar, Liberar, Reservar
from catalogo.domain.produtos import NovoProduto
from catalogo.migrate import head, migrate
from catalogo.repository.estoque import EstoqueRepository
from catalogo.repository.produtos import ProdutoRepository
from tests.conftest import PostgresServer
from tests.integration.test_catalogo.conftest import Database

Novo = Callable[..., NovoProduto]


def as_app(database: Database, statement: str, *values: object) -> None:
    connection = psycopg2.connect(database.app)
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(statement, values or None)
    finally:
        connection.close()


@pytest.mark.parametrize(
    "change",
    [
        "disponivel = disponivel + 1",
        "disponivel = disponivel - 1",
        "reservado = reservado + 1",
        "vendido = vendido + 1",
        "disponivel = disponivel - 11, reservado = reservado + 11",
        "reposto = -1, disponivel = disponivel - 1",
        "preco_centavos = 0",
        "preco_centavos = 1000001",
        "nome = ''",
        "versao = 0",
    ],
)
async def test_no_statement_can_make_or_lose_a_unit(
    books: Database, produtos: ProdutoRepository, novo: Novo, change: str
) -> None:
    produto_id = (await produtos.criar(novo(10), None, "")).produto_id
    with pytest.raises(psycopg2.errors.CheckViolation):
        as_app(books, f"UPDATE produtos SET {change} WHERE produto_id = %s", produto_id)  # noqa: S608  ours


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM produtos",
        "DELETE FROM movimentos_estoque",
        "UPDATE movimentos_estoque SET quantidade = 0",
        "TRUNCATE movimentos_estoque",
        "DELETE FROM reservas",
        "UPDATE reservas SET expira_em = now()",
        "UPDATE itens_reserva SET quantidade = 1",
        "UPDATE produtos SET inicial = 0",
        "UPDATE produtos SET criado_em = now()",
        "UPDATE categorias SET nome = 'x'",
        "CREATE TABLE minha (id int)",
        "DROP TABLE produtos",
        "ALTER TABLE movimentos_estoque DISABLE TRIGGER permanente",
    ],
)
def test_the_services_role_may_do_no_more_than_it_needs(books: Database, statement: str) -> None:
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        as_app(books, statement)


@pytest.mark.parametrize(
    "statement",
    ["DELETE FROM movimentos_estoque", "UPDATE movimentos_estoque SET quem = ''", "TRUNCATE movimentos_estoque"],
)
async def test_the_ledger_only_grows_even_for_the_superuser(
    books: Database, produtos: ProdutoRepository, novo: Novo, statement: str
) -> None:
    await produtos.criar(novo(10), None, "")
    with pytest.raises(psycopg2.errors.IntegrityConstraintViolation, match="the ledger only grows"):
        books.query(statement)
    with pytest.raises(psycopg2.errors.IntegrityConstraintViolation, match="excluido_em"):
        books.query("DELETE FROM produtos")


async def test_an_ended_reservation_takes_no_other_step(
    books: Database, produtos: ProdutoRepository, estoque: EstoqueRepository, novo: Novo
) -> None:
    produto_id = (await produtos.criar(novo(10), None, "")).produto_id
    reserva_id = uuid4()
    for comando in (Reservar(reserva_id, (ItemReservar(produto_id, 1),)), Confirmar(reserva_id), Liberar(reserva_id)):
        await estoque.executar(comando)
    for status in ("ATIVA", "CONFIRMADA", "EXPIRADA", "LIBERADA"):
        with pytest.raises(psycopg2.errors.IntegrityConstraintViolation, match="no such step"):
            books.query("UPDATE reservas SET status = %s WHERE reserva_id = %s", status, reserva_id)


LINE = """
INSERT INTO movimentos_estoque
  (produto_id, operacao, chave, quem, quantidade, inicial, reposto, disponivel, reservado, vendido, baixado)
VALUES (%s, %s, %s, 'teste', 2, %s, %s, %s, %s, %s, %s)
"""


@pytest.mark.parametrize(
    ("operacao", "deltas"),
    [
        ("ADICIONAR", (0, 3, 3, 0, 0, 0)),
        ("REMOVER", (0, 0, 2, 0, 0, -2)),
        ("RESERVAR", (0, 0, -2, 0, 2, 0)),
        ("CONFIRMAR", (0, 0, -2, 0, 2, 0)),
        ("ESTORNAR", (0, 0, 2, -2, 0, 0)),
        ("DEFINIR", (0, -2, -2, 0, 0, 0)),
        ("OUTRA", (0, 0, 0, 0, 0, 0)),
    ],
)
async def test_a_movement_moves_units_in_its_own_way_only(
    books: Database, produtos: ProdutoRepository, novo: Novo, operacao: str, deltas: tuple[int, ...]
) -> None:
    produto_id = (await produtos.criar(novo(10), None, "")).produto_id
    with pytest.raises(psycopg2.errors.CheckViolation, match="passo"):
        as_app(books, LINE, produto_id, operacao, str(uuid4()), *deltas)


async def test_the_audit_finds_a_unit_that_the_ledger_does_not_know(
    database: Database, produtos: ProdutoRepository, estoque: EstoqueRepository, novo: Novo
) -> None:
    produto_id = (await produtos.criar(novo(10), None, "")).produto_id
    reserva_id = uuid4()
    await estoque.executar(Reservar(reserva_id, (ItemReservar(produto_id, 1),)))
    database.audit()
    wrongs = (
        (
            "UPDATE produtos SET disponivel = disponivel - 1, baixado = baixado + 1",
            "baixado = baixado - 1, disponivel = disponivel + 1",
        ),
        (
            "UPDATE produtos SET reservado = reservado - 1, vendido = vendido + 1",
            "reservado = reservado + 1, vendido = vendido - 1",
        ),
    )
    for wrong, right in wrongs:
        database.query(f"{wrong} WHERE produto_id = %s", produto_id)
        assert [row[0] for row in database.query("SELECT produto_id FROM auditoria_estoque")] == [produto_id]
        database.query(f"UPDATE produtos SET {right} WHERE produto_id = %s", produto_id)  # noqa: S608  ours
    database.audit()


@pytest.fixture
def empty(postgres_server: PostgresServer) -> Database:
    return Database(postgres_server, "test_schema_empty")


def test_migrating_does_what_is_missing_and_then_nothing(empty: Database) -> None:
    assert migrate(empty.owner, "catalogo_app", seed=False) == f"schema empty -> {head()}, grants to catalogo_app"
    assert migrate(empty.owner, "catalogo_app", seed=False) == f"nothing to do, at {head()}"
    assert "41 products" in migrate(empty.owner, "catalogo_app", seed=True)
    assert migrate(empty.owner, "catalogo_app", seed=True) == f"nothing to do, at {head()}"
    assert empty.query("SELECT count(*) FROM produtos") == [(41,)]
    empty.audit()


def test_a_seeded_catalog_is_not_seeded_again_even_when_all_was_deleted(empty: Database) -> None:
    migrate(empty.owner, "catalogo_app", seed=True)
    empty.query("UPDATE produtos SET excluido_em = now()")
    assert migrate(empty.owner, "catalogo_app", seed=True) == f"nothing to do, at {head()}"


def test_two_migrations_at_once_are_one(empty: Database) -> None:
    together = threading.Barrier(4)

    def run() -> str:
        together.wait()
        return migrate(empty.owner, "catalogo_app", seed=True)

    with ThreadPoolExecutor(4) as threads:
        done = [future.result() for future in [threads.submit(run) for _ in range(4)]]
    assert sum("schema" in line for line in done) == 1, done
    assert empty.query("SELECT count(*) FROM produtos") == [(41,)]


def test_a_failed_migration_leaves_nothing_behind(empty: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "GRANTS", "GRANT SELECT ON nenhuma TO {role}")
    with pytest.raises(psycopg2.Error):
        migrate(empty.owner, "catalogo_app", seed=True)
    assert empty.query("SELECT to_regclass('produtos'), to_regclass('alembic_version')") == [(None, None)]
