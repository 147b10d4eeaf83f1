"""The checker must be able to fail: a right story, then the same with one thing wrong, for every kind of wrong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from tests.faults.checker import CHECKS, Fault, check, unsettled
from tests.faults.history import Answer, History, Kind, Operation, Outcome
from tests.faults.snapshot import (
    Carrinho,
    Compra,
    Evento,
    Movimento,
    Pedido,
    Produto,
    Publicado,
    Reserva,
    Snapshot,
)

BOLO = 7
VENDIDO, CANCELADO = "pedido-vendido", "pedido-cancelado"


def _operation(kind: Kind, chave: str, pedido_id: str, units: int) -> Operation:
    itens = {BOLO: units} if units else {}
    answer = Answer(Outcome.OK, body=pedido_id.encode())
    return Operation(kind, chave, "gRPC", f"carrinho-{chave}", itens, 3, pedido_id, [answer])


def _snapshot() -> Snapshot:
    return Snapshot(
        produtos={
            BOLO: Produto(BOLO, inicial=10, reposto=4, disponivel=12, reservado=0, vendido=2, baixado=0),
        },
        movimentos=[
            Movimento(BOLO, "CRIAR", "criar:7", 10, 10),
            *_moves(VENDIDO, 2, ("RESERVAR", -2), ("CONFIRMAR", 0)),
            *_moves(CANCELADO, 3, ("RESERVAR", -3), ("CONFIRMAR", 0), ("ESTORNAR", 3)),
            Movimento(BOLO, "ADICIONAR", "estoque:k4", 4, 4),
        ],
        reservas={
            VENDIDO: Reserva(VENDIDO, "CONFIRMADA", {BOLO: 2}),
            CANCELADO: Reserva(CANCELADO, "LIBERADA", {BOLO: 3}),
        },
        compras=[
            Compra(VENDIDO, "k1", "CONCLUIDA", "carrinho-k1", 3, VENDIDO.encode()),
            Compra(CANCELADO, "k2", "CONCLUIDA", "carrinho-k2", 3, CANCELADO.encode()),
        ],
        pedidos={
            VENDIDO: Pedido(VENDIDO, "carrinho-k1", "CONFIRMADO", 2, deve=False, itens={BOLO: 2}),
            CANCELADO: Pedido(CANCELADO, "carrinho-k2", "CANCELADO", 3, deve=False, itens={BOLO: 3}),
        },
        eventos=[
            Evento(1, VENDIDO, 1, "pedido_criado"),
            Evento(2, CANCELADO, 1, "pedido_criado"),
            Evento(3, VENDIDO, 2, "pedido_confirmado"),
            Evento(4, CANCELADO, 2, "pedido_confirmado"),
            Evento(5, CANCELADO, 3, "pedido_cancelado"),
        ],
        jornal=[
            Publicado(VENDIDO, 1, "pedido_criado"),
            Publicado(CANCELADO, 1, "pedido_criado"),
            Publicado(VENDIDO, 2, "pedido_confirmado"),
            Publicado(CANCELADO, 2, "pedido_confirmado"),
            Publicado(VENDIDO, 1, "pedido_criado"),  # twice, and late: a relay was killed before it marked them
            Publicado(VENDIDO, 2, "pedido_confirmado"),
            Publicado(CANCELADO, 3, "pedido_cancelado"),
        ],
        carrinhos={"carrinho-k1": Carrinho(4, {}), "carrinho-k2": Carrinho(4, {})},
    )


def _moves(reserva_id: str, units: int, *steps: tuple[str, int]) -> list[Movimento]:
    return [Movimento(BOLO, operacao, f"reserva:{reserva_id}:{BOLO}:{operacao}", units, n) for operacao, n in steps]


def _addition(versao: int) -> Operation:
    """What made that version of the first cart."""
    return Operation(Kind.ADICIONAR, "k5", "gRPC", "carrinho-k1", {BOLO: 2}, versao, answers=[Answer(Outcome.OK)])


@dataclass
class Story:
    """Two cakes of ten sold, one order of three cancelled, four put on the shelf; all of it as it should be."""

    comprar: Operation = field(default_factory=lambda: _operation(Kind.COMPRAR, "k1", VENDIDO, 2))
    desistir: Operation = field(default_factory=lambda: _operation(Kind.COMPRAR, "k2", CANCELADO, 3))
    cancelar: Operation = field(default_factory=lambda: _operation(Kind.CANCELAR, "k3", CANCELADO, 0))
    repor: Operation = field(default_factory=lambda: _operation(Kind.REPOR, "k4", "", 4))
    adicionar: Operation = field(default_factory=lambda: _addition(3))
    mudar: Operation = field(default_factory=lambda: replace(_operation(Kind.MUDAR, "k6", "ninguém", 0), answers=[]))
    snapshot: Snapshot = field(default_factory=_snapshot)

    def change(self, **changes: Any) -> None:
        self.snapshot = replace(self.snapshot, **changes)

    def change_order(self, pedido_id: str, **changes: Any) -> None:
        pedidos = self.snapshot.pedidos
        self.change(pedidos={**pedidos, pedido_id: replace(pedidos[pedido_id], **changes)})

    def change_reservation(self, reserva_id: str, **changes: Any) -> None:
        reservas = self.snapshot.reservas
        self.change(reservas={**reservas, reserva_id: replace(reservas[reserva_id], **changes)})

    def change_attempt(self, chave: str, /, **changes: Any) -> None:
        self.change(compras=[replace(c, **changes) if c.chave == chave else c for c in self.snapshot.compras])

    def change_product(self, **changes: int) -> None:
        self.change(produtos={BOLO: replace(self.snapshot.produtos[BOLO], **changes)})

    def without(self, **names: str) -> None:
        """without(pedidos=...) removes that row."""
        for table, name in names.items():
            rows = getattr(self.snapshot, table)
            self.change(**{table: {key: row for key, row in rows.items() if key != name}})

    @property
    def history(self) -> History:
        return History([self.comprar, self.desistir, self.cancelar, self.repor, self.adicionar, self.mudar])

    def words(self) -> list[str]:
        history = self.history
        return [str(violation) for violation in check(history, self.snapshot)]


def _order_vanishes(story: Story) -> None:
    story.without(pedidos=VENDIDO)


def _key_is_forgotten(story: Story) -> None:
    story.change(compras=[compra for compra in story.snapshot.compras if compra.chave != "k1"])


def _item_vanishes(story: Story) -> None:
    story.change_order(VENDIDO, itens={BOLO: 1})


def _cancelled_by_nobody(story: Story) -> None:
    story.cancelar = replace(story.cancelar, pedido_id="outro")


def _cancellation_vanishes(story: Story) -> None:
    story.change_order(CANCELADO, status="CONFIRMADO")


def _cancellation_refused(story: Story) -> None:
    story.cancelar.answers = [Answer(Outcome.REFUSED, reason="TRANSICAO_INVALIDA")]


def _new_stock_vanishes(story: Story) -> None:
    story.change(movimentos=story.snapshot.movimentos[:-1])


def _new_stock_twice(story: Story) -> None:
    story.change(movimentos=[*story.snapshot.movimentos, story.snapshot.movimentos[-1]])


def _one_key_two_orders(story: Story) -> None:
    story.change_attempt("k2", chave="k1")


def _one_cart_two_orders(story: Story) -> None:
    story.change_attempt("k2", sessao_id="carrinho-k1")


def _replay_differs(story: Story) -> None:
    story.comprar.answers.append(Answer(Outcome.OK, body=b"outro"))


def _stored_answer_differs(story: Story) -> None:
    story.change_attempt("k1", resposta=b"outro")


def _key_of_another_order(story: Story) -> None:
    story.change_attempt("k1", pedido_id=CANCELADO)


def _refused_and_ordered(story: Story) -> None:
    story.comprar.answers = [Answer(Outcome.REFUSED, reason="ESTOQUE_INSUFICIENTE")]


def _internal_error(story: Story) -> None:
    story.comprar.answers.insert(0, Answer(Outcome.MAYBE, reason="ERRO_INTERNO"))


def _audit_complains(story: Story) -> None:
    story.change(auditoria=["produto_id=7"])


def _units_from_nowhere(story: Story) -> None:
    story.change_product(disponivel=13)


def _more_sold_than_there_was(story: Story) -> None:
    story.change_order(VENDIDO, itens={BOLO: 15})


def _sold_and_not_ordered(story: Story) -> None:
    story.change_product(disponivel=11, vendido=3)


def _reservation_hangs(story: Story) -> None:
    story.change_reservation(VENDIDO, status="ATIVA")


def _attempt_hangs(story: Story) -> None:
    story.change_attempt("k1", etapa="GRAVADA")


def _order_hangs(story: Story) -> None:
    story.change_order(VENDIDO, status="PENDENTE")


def _debt_hangs(story: Story) -> None:
    story.change_order(CANCELADO, deve=True)


def _never_answered(story: Story) -> None:
    story.comprar.answers = [Answer(Outcome.MAYBE)]


def _confirmed_without_order(story: Story) -> None:
    story.change(reservas={**story.snapshot.reservas, "órfã": Reserva("órfã", "CONFIRMADA", {BOLO: 1})})


def _ordered_without_reservation(story: Story) -> None:
    story.without(reservas=VENDIDO)


def _reserved_other_items(story: Story) -> None:
    story.change_reservation(VENDIDO, itens={BOLO: 1})


def _stock_does_not_come_back(story: Story) -> None:
    story.change(movimentos=[line for line in story.snapshot.movimentos if line.operacao != "ESTORNAR"])


def _stock_comes_back_twice(story: Story) -> None:
    story.change(movimentos=[*story.snapshot.movimentos, *_moves(CANCELADO, 3, ("EXPIRAR", 3))])


def _stock_of_a_sold_order_comes_back(story: Story) -> None:
    story.change(movimentos=[*story.snapshot.movimentos, *_moves(VENDIDO, 2, ("LIBERAR", 2))])


def _event_vanishes(story: Story) -> None:
    story.change(eventos=[event for event in story.snapshot.eventos if event.id != 3])


def _event_twice(story: Story) -> None:
    story.change(eventos=[*story.snapshot.eventos, Evento(6, VENDIDO, 2, "pedido_confirmado")])


def _events_overtake(story: Story) -> None:
    story.change(eventos=[replace(event, id=10 - event.id) for event in story.snapshot.eventos])


def _events_tell_another_story(story: Story) -> None:
    story.change_order(VENDIDO, status="EM_PREPARO")


def _event_stays(story: Story) -> None:
    story.change(eventos=[replace(event, enviado=event.id != 5) for event in story.snapshot.eventos])


def _sent_event_is_nowhere(story: Story) -> None:
    story.change(jornal=[told for told in story.snapshot.jornal if told.seq != 3])


def _middle_event_is_nowhere(story: Story) -> None:
    story.change(jornal=[told for told in story.snapshot.jornal if (told.pedido_id, told.seq) != (CANCELADO, 2)])


def _stream_is_empty(story: Story) -> None:
    story.change(jornal=[])


def _stream_overtakes(story: Story) -> None:
    story.change(jornal=sorted(story.snapshot.jornal, key=lambda told: -told.seq))


def _stream_tells_what_never_was(story: Story) -> None:
    story.change(jornal=[*story.snapshot.jornal, Publicado(VENDIDO, 3, "pedido_cancelado")])


def _stream_tells_of_an_order_that_never_was(story: Story) -> None:
    story.change(jornal=[*story.snapshot.jornal, Publicado("ninguém", 1, "pedido_criado")])


def _stream_tells_another_story(story: Story) -> None:
    story.change(jornal=[replace(told, tipo="status_alterado") for told in story.snapshot.jornal])


def _trimmed_stream_has_a_hole(story: Story) -> None:
    _middle_event_is_nowhere(story)
    story.change(aparado=True)


def _cart_is_gone(story: Story) -> None:
    story.change(carrinhos={"carrinho-k1": None})


def _cart_is_full(story: Story) -> None:
    story.change(carrinhos={"carrinho-k1": Carrinho(3, {BOLO: 2})})


def _cart_cleared_twice(story: Story) -> None:
    story.change(carrinhos={"carrinho-k1": Carrinho(5, {})})


def _later_version_was_ordered(story: Story) -> None:
    story.comprar.talvez = {3: {BOLO: 1}, 4: {BOLO: 2}}


def _unknown_version_was_ordered(story: Story) -> None:
    story.comprar.talvez = {5: {BOLO: 2}}


def _ready_order_is_cancelled(story: Story) -> None:
    story.mudar = replace(_operation(Kind.MUDAR, "k6", CANCELADO, 0), para="PRONTO")


def _step_goes_back(story: Story) -> None:
    story.mudar = replace(_operation(Kind.MUDAR, "k6", VENDIDO, 0), para="EM_PREPARO")


def _addition_is_cleared(story: Story) -> None:
    story.adicionar = _addition(4)
    story.comprar.talvez = {3: {BOLO: 2}, 4: {BOLO: 4}}


def _full_cart_called_empty(story: Story) -> None:
    story.desistir.answers = [Answer(Outcome.REFUSED, reason="CARRINHO_VAZIO")]


WRONGS: dict[Callable[[Story], None], str] = {
    _order_vanishes: "lost: acknowledged order pedido-vendido does not exist",
    _key_is_forgotten: "lost: key k1 was answered and is not known any more",
    _item_vanishes: "lost: order pedido-vendido holds {7: 1}, its cart held {7: 2}",
    _cancelled_by_nobody: "lost: acknowledged order pedido-cancelado is CANCELADO though nobody cancelled it",
    _cancellation_vanishes: "lost: acknowledged cancellation of pedido-cancelado is lost: it is CONFIRMADO",
    _cancellation_refused: "wrong: cancelling pedido-cancelado was refused with TRANSICAO_INVALIDA",
    _new_stock_vanishes: "lost: acknowledged stock of 4 units is not in the ledger",
    _new_stock_twice: "duplicated: stock of 4 units is 2 times in the ledger, 8 units in all",
    _one_key_two_orders: "duplicated: key k1 made 2 orders: pedido-cancelado, pedido-vendido",
    _one_cart_two_orders: "duplicated: cart carrinho-k1 at version 3 was ordered 2 times",
    _replay_differs: "duplicated: key k1 was answered in 2 different ways",
    _stored_answer_differs: "wrong: the answer given is not the answer stored",
    _key_of_another_order: "wrong: the answer named order pedido-vendido, the key belongs to pedido-cancelado",
    _refused_and_ordered: "wrong: refused with ESTOQUE_INSUFICIENTE, and yet it became order pedido-vendido",
    _internal_error: "wrong: answered with an internal error",
    _audit_complains: "oversold: columns, ledger and reservations of a product disagree: produto_id=7",
    _units_from_nowhere: "oversold: product 7 does not conserve its units",
    _more_sold_than_there_was: "oversold: product 7: 15 units ordered, 14 were there",
    _sold_and_not_ordered: "wrong: product 7: 3 units sold, orders hold 2",
    _reservation_hangs: "stuck: reservation pedido-vendido is still ATIVA",
    _attempt_hangs: "stuck: attempt pedido-vendido is still GRAVADA",
    _order_hangs: "stuck: order pedido-vendido is still PENDENTE",
    _debt_hangs: "stuck: the stock of cancelled order pedido-cancelado is still to be given back",
    _never_answered: "stuck: no certain answer although everything serves again",
    _confirmed_without_order: "wrong: reservation órfã is sold to nobody: no order",
    _ordered_without_reservation: "oversold: order pedido-vendido is CONFIRMADO, its reservation: none",
    _reserved_other_items: "wrong: order pedido-vendido holds {7: 2}, its reservation {7: 1}",
    _stock_does_not_come_back: "wrong: cancelled order pedido-cancelado held {7: 3}, came back: {}",
    _stock_comes_back_twice: "wrong: cancelled order pedido-cancelado held {7: 3}, came back: {7: 6}",
    _stock_of_a_sold_order_comes_back: "oversold: order pedido-vendido stands, and yet {7: 2} came back",
    _event_vanishes: "lost: order pedido-vendido counts 2 events, the outbox has [1]",
    _event_twice: "lost: order pedido-vendido counts 2 events, the outbox has [1, 2, 2]",
    _events_overtake: "wrong: the events of order pedido-vendido leave out of order: [2, 1]",
    _events_tell_another_story: "wrong: order pedido-vendido is EM_PREPARO, its events say",
    _event_stays: "stuck: event pedido-cancelado:3 is still to be sent",
    _sent_event_is_nowhere: "lost: events [3] of order pedido-cancelado were sent and are not in the stream",
    _middle_event_is_nowhere: "lost: events [2] of order pedido-cancelado were sent and are not in the stream",
    _stream_is_empty: "lost: events [1, 2] of order pedido-vendido were sent and are not in the stream",
    _stream_overtakes: "wrong: a reader of the stream sees [3] of order pedido-cancelado, told as [3, 2, 1]",
    _stream_tells_what_never_was: "wrong: the stream tells pedido-vendido:3 pedido_cancelado, what happened is None",
    _stream_tells_of_an_order_that_never_was: "wrong: the stream tells ninguém:1 pedido_criado, what happened is None",
    _stream_tells_another_story: "wrong: the stream tells pedido-",
    _trimmed_stream_has_a_hole: "lost: events [2] of order pedido-cancelado were sent and are not in the stream",
    _cart_is_gone: "lost: cart carrinho-k1 is gone",
    _cart_is_full: "wrong: cart carrinho-k1 was ordered at version 3 and still holds {7: 2}",
    _cart_cleared_twice: "wrong: cart carrinho-k1 was ordered at version 3, now it is at 5",
    _later_version_was_ordered: "lost: order pedido-vendido holds {7: 2}, its cart held {7: 1}",
    _unknown_version_was_ordered: "lost: order pedido-vendido holds {7: 2}, its cart held {}",
    _ready_order_is_cancelled: "lost: order pedido-cancelado was PRONTO, now it is CANCELADO",
    _step_goes_back: "lost: order pedido-vendido was EM_PREPARO, now it is CONFIRMADO",
    _addition_is_cleared: "lost: cart carrinho-k1 was left with {7: 2}, now it holds {}",
    _full_cart_called_empty: "lost: cart carrinho-k2 was acknowledged with {7: 3}: CARRINHO_VAZIO",
}


def test_a_right_story_has_nothing_to_explain() -> None:
    assert Story().words() == []


@pytest.mark.parametrize("wrong", WRONGS, ids=lambda wrong: wrong.__name__.strip("_"))
def test_what_is_wrong_is_told_in_words(wrong: Callable[[Story], None]) -> None:
    story = Story()
    wrong(story)
    told = story.words()
    assert any(words.startswith(WRONGS[wrong]) for words in told), told


def test_a_refusal_is_wrong_where_stock_only_went_down_and_enough_is_left() -> None:
    detail = {"produto_id": str(BOLO), "solicitado": "3", "disponivel": "2"}
    refused = Operation(Kind.COMPRAR, "k", "REST", itens={BOLO: 3})
    refused.answers = [Answer(Outcome.REFUSED, reason="ESTOQUE_INSUFICIENTE", detail=detail)]
    produto = Produto(BOLO, inicial=10, reposto=0, disponivel=3, reservado=0, vendido=7, baixado=0)
    snapshot = Snapshot(produtos={BOLO: produto})
    told = [violation.words for violation in check(History([refused]), snapshot)]
    assert "refused 3 of product 7, 3 are left" in told
    given_back = replace(snapshot, movimentos=[Movimento(BOLO, "ESTORNAR", "reserva:x:7:fim", 1, 1)])
    assert "refused 3 of product 7, 3 are left" not in [v.words for v in check(History([refused]), given_back)]


def test_a_write_without_an_answer_is_neither_lost_nor_done() -> None:
    """MAYBE, then a refusal: nothing happened. MAYBE, then an answer: it did. Alone: only that it is unknown."""
    story = Story()
    story.comprar.answers.insert(0, Answer(Outcome.MAYBE, reason="UNAVAILABLE"))
    assert story.words() == []
    unknown = Operation(Kind.COMPRAR, "k9", "REST", "carrinho-k9", {BOLO: 1}, 3, answers=[Answer(Outcome.MAYBE)])
    assert {violation.fault for violation in check(History([unknown]), Snapshot())} == {Fault.STUCK}


def test_a_cart_that_was_changed_is_not_cleared() -> None:
    story = Story()
    story.adicionar = _addition(4)
    story.comprar.talvez = {3: {BOLO: 2}, 4: {BOLO: 4}}
    story.change(carrinhos={"carrinho-k1": Carrinho(4, {BOLO: 2})})
    assert story.words() == []


def test_a_cancellation_may_be_refused_when_the_order_is_ready() -> None:
    story = Story()
    story.cancelar = replace(story.cancelar, pedido_id=VENDIDO, answers=[])
    story.cancelar.answers = [Answer(Outcome.REFUSED, reason="TRANSICAO_INVALIDA")]
    story.change_order(VENDIDO, status="PRONTO")
    told = story.words()
    assert not [words for words in told if "was refused" in words], told


def test_a_failed_attempt_frees_its_key() -> None:
    story = Story()
    failed = Compra("tentativa", "k1", "FALHOU", "carrinho-k1", 3, None)
    story.change(compras=[*story.snapshot.compras, failed])
    assert story.words() == []


def test_what_is_under_way_is_waited_for() -> None:
    story = Story()
    assert unsettled(story.snapshot) == []
    story.change_attempt("k1", etapa="RESPONDIDA")
    assert unsettled(story.snapshot)


def test_trimmed_stream_begins_anywhere() -> None:
    story = Story()
    story.change(aparado=True, jornal=story.snapshot.jornal[3:])
    assert story.words() == []
    story.change(jornal=[])
    assert story.words() == []


def test_unsent_event_is_waited_for_and_not_missed_in_the_stream() -> None:
    story = Story()
    _event_stays(story)
    _sent_event_is_nowhere(story)
    assert unsettled(story.snapshot)
    assert story.words() == ["stuck: event pedido-cancelado:3 is still to be sent"]


def test_every_check_is_one_that_can_fail() -> None:
    """A check that no wrong story reaches proves nothing."""
    reached = set()
    for wrong in WRONGS:
        story = Story()
        wrong(story)
        reached |= {one.__name__ for one in CHECKS if list(one(story.history, story.snapshot))}
    assert reached == {one.__name__ for one in CHECKS} - {"_refusals"}  # which has a test of its own
