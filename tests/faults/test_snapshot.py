"""The checker over the real databases: silent after a purchase, and not silent when a row of theirs is bent."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg2
import pytest

from tests.conftest import Mesh
from tests.faults.campaign import Report, new_product, settle
from tests.faults.checker import check
from tests.faults.customers import add, look, new_cart, order
from tests.faults.doors import Doors
from tests.faults.history import History, Kind, Operation
from tests.faults.snapshot import read, url


@dataclass(frozen=True)
class Purchase:
    """Made once, with what the databases said after it."""

    mesh: Mesh
    history: History
    pedido_id: str

    def words(self) -> str:
        return "\n".join(map(str, check(self.history, read(self.mesh))))


@pytest.fixture(scope="module")
def purchase(padaria: Mesh) -> Purchase:
    return asyncio.run(_buy(padaria))


async def _buy(mesh: Mesh) -> Purchase:
    history = History()
    async with Doors() as doors:
        door = await doors.grpc(mesh.edge_target)
        cart = await add(door, history, await new_cart(door), await new_product(door, 5), 2, str(uuid.uuid4()))
        itens = {item.produto_id: item.quantidade for item in cart.itens}
        bought = Operation(Kind.COMPRAR, str(uuid.uuid4()), door.via, cart.sessao_id, itens, cart.versao)
        await order(door, history.add(bought))
        await settle(mesh, Report(0, history))
        carts = await look(door, [cart.sessao_id])
    assert carts[cart.sessao_id] is not None
    return Purchase(mesh, history, bought.pedido_id)


@contextmanager
def bent(purchase: Purchase, service: str, table: str, there: str, back: str) -> Iterator[None]:
    """One row changed behind the services' back, as the owner of the schema, and put right again."""
    where = "WHERE pedido_id = %s" if service == "pedidos" else "WHERE reserva_id = %s"
    _change(purchase, service, f"UPDATE {table} SET {there} {where}")  # noqa: S608  the test's own words
    try:
        yield
    finally:
        _change(purchase, service, f"UPDATE {table} SET {back} {where}")  # noqa: S608


def _change(purchase: Purchase, service: str, statement: str) -> None:
    connection = psycopg2.connect(url(purchase.mesh, service))
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(statement, (purchase.pedido_id,))
            assert cursor.rowcount
    finally:
        connection.close()


def test_a_purchase_leaves_nothing_to_explain(purchase: Purchase) -> None:
    assert not purchase.words()


@pytest.mark.parametrize(
    ("service", "table", "there", "back", "words"),
    [
        ("pedidos", "eventos_saida", "seq = seq + 7", "seq = seq - 7", "counts 2 events, the outbox has [8, 9]"),
        ("pedidos", "eventos_saida", "seq = seq + 7", "seq = seq - 7", "events [8, 9] of order"),
        (
            "pedidos",
            "eventos_saida",
            "tipo = 'status_alterado'",
            "tipo = CASE seq WHEN 1 THEN 'pedido_criado' ELSE 'pedido_confirmado' END",
            "what happened is status_alterado",
        ),
        ("pedidos", "compras", "chave = '-' || chave", "chave = substr(chave, 2)", "is not known any more"),
        (
            "pedidos",
            "compras",
            "resposta = resposta || 'x'::bytea",
            "resposta = substr(resposta, 1, length(resposta) - 1)",
            "the answer given is not the answer stored",
        ),
        (
            "pedidos",
            "compras",
            "etapa = 'RESPONDIDA', vence_em = 'infinity'",
            "etapa = 'CONCLUIDA'",
            "is still RESPONDIDA",
        ),
        ("pedidos", "pedidos", "status = 'CANCELADO'", "status = 'CONFIRMADO'", "though nobody cancelled it"),
        ("pedidos", "itens_pedido", "quantidade = 3", "quantidade = 2", "its reservation"),
        ("catalogo", "itens_reserva", "quantidade = 3", "quantidade = 2", "columns, ledger and reservations"),
    ],
)
def test_a_bent_row_is_explained(
    purchase: Purchase, service: str, table: str, there: str, back: str, words: str
) -> None:
    with bent(purchase, service, table, there, back):
        assert words in purchase.words()
    assert not purchase.words()
