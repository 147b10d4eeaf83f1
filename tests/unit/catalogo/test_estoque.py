"""Decisions about stock, without a database."""

import random
from collections import Counter
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from catalogo.domain.errors import (
    CatalogoError,
    ChaveReutilizada,
    EstoqueExcedeLimite,
    EstoqueInsuficiente,
    ProdutoInativo,
    ProdutoNaoEncontrado,
    ReservaExpirada,
    ReservaLiberada,
    ReservaNaoEncontrada,
)
from catalogo.domain.estoque import (
    LIMITE,
    Ajustado,
    Ajustar,
    Comando,
    Confirmar,
    Consultar,
    ItemReservar,
    Liberar,
    Livro,
    Movimento,
    Operacao,
    Reservar,
    Saldo,
    StatusReserva,
)

NOW = datetime(2026, 11, 23, tzinfo=UTC)
ID = UUID(int=1)
KEY = UUID(int=2)


def livro(*stock: int, **changes: bool) -> Livro:
    """Products 1, 2... with this much stock."""
    flags = {"ativo": True, "excluido": False, **changes}
    saldos = {
        key: Saldo(key, f"Bolo {key}", 100 * key, disponivel=units, **flags) for key, units in enumerate(stock, 1)
    }
    return Livro(NOW, saldos, {}, {})


def reservar(*itens: tuple[int, int], reserva_id: UUID = ID) -> Reservar:
    return Reservar(reserva_id, tuple(ItemReservar(*item) for item in itens))


def later(book: Livro, seconds: float) -> Livro:
    """The next transaction, on what this one wrote."""
    return Livro(book.agora + timedelta(seconds=seconds), book.saldos, book.reservas, book.ajustados)


def test_a_reservation_takes_every_item_with_name_and_price_of_the_moment() -> None:
    book = livro(5, 5)
    book.executar(reservar((2, 3), (1, 1)))
    reserva = book.reservas[ID]
    assert reserva.status is StatusReserva.ATIVA
    assert [tuple(item) for item in reserva.itens] == [(1, "Bolo 1", 100, 1), (2, "Bolo 2", 200, 3)]
    assert reserva.expira_em == NOW + timedelta(seconds=300)
    assert [book.saldos[key].disponivel for key in (1, 2)] == [4, 2]


def test_a_reservation_is_all_or_none_and_blames_the_first_short_item_by_id() -> None:
    book = livro(5, 1, 1)
    with pytest.raises(EstoqueInsuficiente) as caught:
        book.executar(reservar((3, 2), (1, 5), (2, 2)))
    assert (caught.value.produto_id, caught.value.solicitado, caught.value.disponivel) == (2, 2, 1)
    assert not book.movimentos
    assert not book.reservas
    assert [saldo.disponivel for saldo in book.saldos.values()] == [5, 1, 1]


@pytest.mark.parametrize(
    ("flags", "error"), [({"ativo": False}, ProdutoInativo), ({"excluido": True}, ProdutoNaoEncontrado)]
)
def test_what_is_not_for_sale_is_not_reserved(flags: dict[str, bool], error: type[CatalogoError]) -> None:
    with pytest.raises(error):
        livro(5, **flags).executar(reservar((1, 1)))
    with pytest.raises(ProdutoNaoEncontrado):
        livro(5).executar(reservar((1, 1), (9, 1)))


def test_a_repeated_reservation_changes_nothing() -> None:
    book = livro(5, 5)
    book.executar(reservar((1, 2), (2, 1)))
    before = list(book.movimentos)
    book.executar(reservar((2, 1), (1, 2)))
    assert book.movimentos == before
    with pytest.raises(ChaveReutilizada):
        book.executar(reservar((1, 2)))
    with pytest.raises(ChaveReutilizada):
        book.executar(reservar((1, 2), (2, 2)))


STEPS = {
    "nothing": (),
    "reserved": (reservar((1, 2)),),
    "confirmed": (reservar((1, 2)), Confirmar(ID)),
    "released": (reservar((1, 2)), Liberar(ID)),
    "returned": (reservar((1, 2)), Confirmar(ID), Liberar(ID)),
    "tombstone": (Liberar(ID),),
}


@pytest.mark.parametrize(
    ("before", "seconds", "command", "outcome", "available"),
    [
        ("nothing", 0, Confirmar(ID), ReservaNaoEncontrada, 5),
        ("nothing", 0, Consultar(ID), ReservaNaoEncontrada, 5),
        ("nothing", 0, Liberar(ID), StatusReserva.LIBERADA, 5),
        ("reserved", 299, Confirmar(ID), StatusReserva.CONFIRMADA, 3),
        ("reserved", 299, Consultar(ID), StatusReserva.ATIVA, 3),
        ("reserved", 299, Liberar(ID), StatusReserva.LIBERADA, 5),
        ("reserved", 300, Confirmar(ID), ReservaExpirada, 5),
        ("reserved", 300, Consultar(ID), StatusReserva.EXPIRADA, 5),
        ("reserved", 300, Liberar(ID), StatusReserva.EXPIRADA, 5),
        ("reserved", 300, reservar((1, 2)), StatusReserva.EXPIRADA, 5),
        ("confirmed", 300, Confirmar(ID), StatusReserva.CONFIRMADA, 3),
        ("confirmed", 300, Liberar(ID), StatusReserva.LIBERADA, 5),
        ("confirmed", 300, reservar((1, 2)), StatusReserva.CONFIRMADA, 3),
        ("released", 300, Confirmar(ID), ReservaLiberada, 5),
        ("released", 300, Liberar(ID), StatusReserva.LIBERADA, 5),
        ("released", 300, reservar((1, 2)), StatusReserva.LIBERADA, 5),
        ("returned", 0, Confirmar(ID), ReservaLiberada, 5),
        ("returned", 0, Liberar(ID), StatusReserva.LIBERADA, 5),
        ("tombstone", 0, Confirmar(ID), ReservaLiberada, 5),
        ("tombstone", 0, reservar((1, 2)), ReservaLiberada, 5),
        ("tombstone", 0, Consultar(ID), StatusReserva.LIBERADA, 5),
    ],
)
def test_every_step_of_a_reservation(
    before: str,
    seconds: int,
    command: Comando,
    outcome: StatusReserva | type[CatalogoError],
    available: int,
) -> None:
    first = livro(5)
    for step in STEPS[before]:
        first.executar(step)
    book = later(first, seconds)
    if isinstance(outcome, StatusReserva):
        book.executar(command)
        assert book.reservas[ID].status is outcome
    else:
        with pytest.raises(outcome):
            book.executar(command)
    assert book.saldos[1].disponivel == available


@pytest.mark.parametrize("seconds", [0, 300])
@pytest.mark.parametrize("end", [Confirmar(ID), Liberar(ID), Consultar(ID)])
def test_the_ledger_has_one_key_for_whatever_ends_a_reservation(seconds: int, end: Comando) -> None:
    first = livro(5)
    first.executar(reservar((1, 2)))
    book = later(first, seconds)
    with suppress(ReservaExpirada):
        book.executar(end)
    assert {line.chave for line in book.movimentos} <= {f"reserva:{ID}:1:fim"}


def test_an_expiry_met_by_a_refused_confirmation_is_written() -> None:
    first = livro(5)
    first.executar(reservar((1, 2)))
    book = later(first, 300)
    with pytest.raises(ReservaExpirada):
        book.executar(Confirmar(ID, "alguém"))
    assert [(line.operacao, line.disponivel, line.quem) for line in book.movimentos] == [("EXPIRAR", 2, "alguém")]
    assert book.mudadas == {ID}


@pytest.mark.parametrize(
    ("operacao", "quantidade", "available"),
    [
        ("ADICIONAR", 3, 8),
        ("REMOVER", 5, 0),
        ("DEFINIR", 9, 9),
        ("DEFINIR", 2, 2),
        ("ADICIONAR", 0, 5),
        ("REMOVER", 0, 5),
    ],
)
def test_the_bakery_moves_its_stock(operacao: Operacao, quantidade: int, available: int) -> None:
    book = livro(5)
    book.executar(Ajustar(1, Operacao(operacao), quantidade))
    assert book.saldos[1].disponivel == available


def test_stock_has_a_floor_and_a_ceiling() -> None:
    book = livro(5)
    with pytest.raises(EstoqueInsuficiente):
        book.executar(Ajustar(1, Operacao.REMOVER, 6))
    with pytest.raises(EstoqueExcedeLimite):
        book.executar(Ajustar(1, Operacao.ADICIONAR, LIMITE - 4))
    book.executar(Ajustar(1, Operacao.ADICIONAR, LIMITE - 5))
    book.executar(Ajustar(1, Operacao.ADICIONAR, 0))
    assert book.saldos[1].disponivel == LIMITE


def test_stock_that_comes_back_may_pass_the_ceiling() -> None:
    book = livro(5)
    book.executar(reservar((1, 5)))
    book.executar(Ajustar(1, Operacao.DEFINIR, LIMITE))
    book.executar(Liberar(ID))
    assert book.saldos[1].disponivel == LIMITE + 5


def test_a_named_movement_happens_once() -> None:
    book = livro(5, 5)
    book.executar(Ajustar(1, Operacao.ADICIONAR, 1, KEY))
    book.executar(Ajustar(1, Operacao.ADICIONAR, 1, KEY))
    assert book.saldos[1].disponivel == 6
    assert book.ajustados == {KEY: Ajustado(1, Operacao.ADICIONAR, 1)}
    for other in (
        Ajustar(2, Operacao.ADICIONAR, 1, KEY),
        Ajustar(1, Operacao.REMOVER, 1, KEY),
        Ajustar(1, Operacao.ADICIONAR, 2, KEY),
    ):
        with pytest.raises(ChaveReutilizada):
            book.executar(other)


def any_command(dice: random.Random, step: int) -> Comando:
    reserva_id = UUID(int=step // 10 + dice.randrange(4))
    itens = [(produto_id, dice.randint(1, 6)) for produto_id in dice.sample((1, 2, 3), dice.randint(1, 3))]
    operacao = dice.choice((Operacao.ADICIONAR, Operacao.REMOVER, Operacao.DEFINIR))
    chave = dice.choice((None, UUID(int=dice.randrange(1_000))))
    commands: tuple[Comando, ...] = (
        reservar(*itens, reserva_id=reserva_id),
        Confirmar(reserva_id),
        Liberar(reserva_id),
        Consultar(reserva_id),
        Ajustar(dice.randint(1, 3), operacao, dice.randint(0, 25), chave),
    )
    return dice.choice(commands)


def test_whatever_happens_no_unit_is_made_or_lost_and_no_effect_happens_twice(dice: random.Random) -> None:
    book = livro(20, 20, 20)
    ledger: list[Movimento] = []
    for step in range(3_000):
        with suppress(CatalogoError):
            book.executar(any_command(dice, step))
        assert all(saldo.disponivel >= 0 for saldo in book.saldos.values())
        ledger += book.movimentos
        book = later(book, dice.choice((0, 0, 1, 200)))
    held = Counter[int]()
    for reserva in book.reservas.values():
        if reserva.status in (StatusReserva.ATIVA, StatusReserva.CONFIRMADA):
            held.update({item.produto_id: item.quantidade for item in reserva.itens})
    for key, saldo in book.saldos.items():
        lines = [line for line in ledger if line.produto_id == key]
        assert saldo.disponivel == 20 + sum(line.disponivel for line in lines)
        assert held[key] == sum(line.reservado + line.vendido for line in lines)
        assert saldo.disponivel + held[key] == 20 + sum(line.reposto - line.baixado for line in lines)
    keys = [line.chave for line in ledger if line.chave]
    assert len(keys) == len(set(keys))
    assert {line.operacao for line in ledger} == set(Operacao) - {Operacao.CRIAR}
