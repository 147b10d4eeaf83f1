"""Several commands in one transaction: decided in order, each for itself, written together."""

from collections.abc import Callable
from uuid import UUID, uuid4

import pytest

from catalogo.domain.errors import (
    EstoqueInsuficiente,
    ProdutoNaoEncontrado,
    ReservaLiberada,
    ReservaNaoEncontrada,
)
from catalogo.domain.estoque import (
    Ajustar,
    Comando,
    Confirmar,
    Consultar,
    ItemReservar,
    Liberar,
    Operacao,
    Reserva,
    Reservar,
    StatusReserva,
)
from catalogo.domain.produtos import NovoProduto, Produto
from catalogo.repository.estoque import executar
from catalogo.repository.produtos import ProdutoRepository
from chassis.postgres import Postgres
from tests.integration.test_catalogo.conftest import Database

Novo = Callable[..., NovoProduto]


def reservar(*itens: tuple[int, int], reserva_id: UUID | None = None) -> Reservar:
    return Reservar(reserva_id or uuid4(), tuple(ItemReservar(*item) for item in itens))


async def test_a_batch_is_admitted_in_order_and_a_refusal_disturbs_nobody(
    books: Database, postgres: Postgres, produtos: ProdutoRepository, novo: Novo
) -> None:
    one, two = [(await produtos.criar(novo(5), None, "")).produto_id for _ in range(2)]
    first, second, third = reservar((one, 4)), reservar((one, 2), (two, 1)), reservar((one, 1), (two, 5))
    chave = uuid4()
    comandos: list[Comando] = [
        first,
        second,
        third,
        Ajustar(one, Operacao.ADICIONAR, 2, chave),
        second,
        Ajustar(one, Operacao.ADICIONAR, 2, chave),
        Confirmar(first.reserva_id),
        Liberar(first.reserva_id),
        Liberar(early := uuid4()),
        reservar((one, 1), reserva_id=early),
        Confirmar(unknown := uuid4()),
        Consultar(unknown),
        Ajustar(2**31 - 1, Operacao.ADICIONAR, 1),
    ]
    lote = await postgres.run(lambda connection: executar(connection, comandos))
    kinds = [type(resposta) for resposta in lote.respostas]
    assert kinds == [
        Reserva,
        EstoqueInsuficiente,
        Reserva,
        Produto,
        EstoqueInsuficiente,
        Produto,
        Reserva,
        Reserva,
        Reserva,
        ReservaLiberada,
        ReservaNaoEncontrada,
        ReservaNaoEncontrada,
        ProdutoNaoEncontrado,
    ]
    assert {produto.produto_id: produto.estoque for produto in lote.mudados} == {one: 6, two: 0}
    assert all(produto.revisao == 2 for produto in lote.mudados), "each row is written once, however many commands"
    steps = books.query(
        "SELECT operacao FROM movimentos_estoque WHERE chave LIKE %s ORDER BY movimento_id",
        f"reserva:{first.reserva_id}%",
    )
    assert sorted(steps) == [("CONFIRMAR",), ("ESTORNAR",), ("RESERVAR",)]
    kept = books.query("SELECT status FROM reservas WHERE reserva_id = %s", first.reserva_id)
    assert kept == [("LIBERADA",)]


@pytest.mark.parametrize("size", [1, 50, 400])
async def test_a_batch_of_any_size_is_one_write_of_the_hot_row(
    books: Database, postgres: Postgres, produtos: ProdutoRepository, novo: Novo, size: int
) -> None:
    produto_id = (await produtos.criar(novo(size - size // 4), None, "")).produto_id
    comandos = [reservar((produto_id, 1)) for _ in range(size)]
    lote = await postgres.run(lambda connection: executar(connection, comandos))
    assert sum(isinstance(resposta, Reserva) for resposta in lote.respostas) == size - size // 4
    assert [(produto.estoque, produto.revisao) for produto in lote.mudados] == [(0, 2)]
    active = books.query(
        "SELECT count(*) FROM itens_reserva JOIN reservas USING (reserva_id) WHERE produto_id = %s AND status = %s",
        produto_id,
        StatusReserva.ATIVA.value,
    )
    assert active == [(size - size // 4,)]
