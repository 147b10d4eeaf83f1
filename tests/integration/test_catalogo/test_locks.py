"""What a writer of stock holds while it decides, and in which order it took it."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from uuid import UUID, uuid4

import psycopg2
import pytest
from sqlalchemy import Connection

from catalogo.domain.errors import EstoqueInsuficiente
from catalogo.domain.estoque import Comando, Confirmar, ItemReservar, Reserva, Reservar
from catalogo.domain.produtos import NovoProduto
from catalogo.repository.estoque import EstoqueRepository, Lote, executar
from catalogo.repository.produtos import ProdutoRepository
from chassis.postgres import Postgres
from tests.integration.test_catalogo.conftest import Database
from tests.integration.test_catalogo.test_writer import at_once, until

Novo = Callable[..., NovoProduto]
ROUNDS = 5  # an order that is wrong by chance is right by chance now and then


@pytest.fixture
async def writer(books: Database) -> AsyncIterator[Postgres]:
    opened = Postgres(books.app, application_name="trancas", pool_size=2)
    yield opened
    await opened.close()


def waiting(books: Database) -> bool:
    found = "SELECT pid FROM pg_stat_activity WHERE application_name = 'trancas' AND wait_event_type = 'Lock'"
    return bool(books.query(found))


@contextmanager
def held(books: Database, select: str, key: object) -> Iterator[None]:
    with closing(books.connect()) as holder, holder.cursor() as cursor:
        cursor.execute(f"{select} FOR UPDATE", [key])
        yield


def free(books: Database, select: str, keys: Sequence[object]) -> list[object]:
    """Those of the rows that nobody holds."""
    found = []
    for key in keys:
        with closing(books.connect()) as connection, connection.cursor() as cursor:
            try:
                cursor.execute(f"{select} FOR UPDATE NOWAIT", [key])
            except psycopg2.errors.LockNotAvailable:
                continue
        found.append(key)
    return found


async def test_who_decides_on_stock_holds_it_until_the_commit(
    books: Database, writer: Postgres, produtos: ProdutoRepository, novo: Novo
) -> None:
    produto_id = (await produtos.criar(novo(5), None, "")).produto_id
    written, may_commit = threading.Event(), threading.Event()

    def slowly(connection: Connection) -> Lote:
        lote = executar(connection, [Reservar(uuid4(), (ItemReservar(produto_id, 3),))])
        written.set()
        assert may_commit.wait(10)
        return lote

    first = asyncio.create_task(writer.run(slowly))
    await asyncio.to_thread(written.wait, 10)
    second = asyncio.create_task(
        at_once([EstoqueRepository(writer)], [Reservar(uuid4(), (ItemReservar(produto_id, 3),))])
    )
    await until(lambda: waiting(books))
    may_commit.set()
    assert [type(resposta) for resposta in (await first).respostas] == [Reserva]
    assert [type(resposta) for resposta in await second] == [EstoqueInsuficiente], "decided on what it saw before"


async def test_products_are_locked_in_the_order_of_their_ids(
    books: Database, writer: Postgres, produtos: ProdutoRepository, novo: Novo
) -> None:
    first, *others = [(await produtos.criar(novo(50), None, "")).produto_id for _ in range(6)]
    select = "SELECT FROM produtos WHERE produto_id = %s"
    for _ in range(ROUNDS):
        comando = Reservar(uuid4(), tuple(ItemReservar(key, 1) for key in (*reversed(others), first)))
        with held(books, select, first):
            call = asyncio.create_task(at_once([EstoqueRepository(writer)], [comando]))
            await until(lambda: waiting(books))
            assert free(books, select, others) == others, "two such writers may wait for each other for ever"
        assert [type(resposta) for resposta in await call] == [Reserva]


async def test_reservations_are_locked_in_the_order_of_their_ids(
    books: Database, writer: Postgres, produtos: ProdutoRepository, novo: Novo
) -> None:
    produto_id = (await produtos.criar(novo(50), None, "")).produto_id
    select = "SELECT FROM reservas WHERE reserva_id = %s"
    for _ in range(ROUNDS):
        first, *others = sorted(uuid4() for _ in range(6))
        estoque = EstoqueRepository(writer)
        await at_once([estoque], [_reservar(key, produto_id) for key in (first, *others)])
        ends: list[Comando] = [Confirmar(key) for key in (*reversed(others), first)]
        with held(books, select, first):
            call = asyncio.create_task(at_once([estoque], ends))
            await until(lambda: waiting(books))
            assert free(books, select, others) == others, "two such writers may wait for each other for ever"
        assert [type(resposta) for resposta in await call] == [Reserva] * 6


def _reservar(reserva_id: UUID, produto_id: int) -> Reservar:
    return Reservar(reserva_id, (ItemReservar(produto_id, 1),))
