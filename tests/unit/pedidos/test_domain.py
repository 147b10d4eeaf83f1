"""The state machine, exhaustively, and what an order is made of."""

import json
from itertools import product

import pytest

from pedidos.domain import (
    ABERTAS,
    DEVEDORAS,
    LIMITE_TOTAL,
    SEGUINTES,
    SEM_CHAVE,
    Cliente,
    EstoqueInsuficiente,
    Etapa,
    ItemPedido,
    ProdutoIndisponivel,
    ReservaExpirada,
    ServicoIndisponivel,
    Solicitacao,
    StatusPedido,
    TipoEvento,
    TotalExcedeLimite,
    anteriores,
    chave_do_carrinho,
    falha_de_dados,
    falha_em_dados,
    tipo_evento,
    total,
)

# As the contract draws it.
PASSOS = {
    ("PENDENTE", "CONFIRMADO"),
    ("CONFIRMADO", "EM_PREPARO"),
    ("EM_PREPARO", "PRONTO"),
    ("PRONTO", "ENTREGUE"),
    ("PENDENTE", "CANCELADO"),
    ("CONFIRMADO", "CANCELADO"),
    ("EM_PREPARO", "CANCELADO"),
}


@pytest.mark.parametrize(("de", "para"), list(product(StatusPedido, repeat=2)))
def test_every_pair_of_statuses_is_a_step_or_is_not(de: StatusPedido, para: StatusPedido) -> None:
    step = (de.value, para.value) in PASSOS
    assert (para in SEGUINTES[de]) is step
    assert (de in anteriores(para)) is step


def test_delivered_and_cancelled_are_final() -> None:
    assert {status for status in StatusPedido if status.final} == {StatusPedido.ENTREGUE, StatusPedido.CANCELADO}


def test_each_step_has_its_event() -> None:
    assert tipo_evento(StatusPedido.CONFIRMADO) is TipoEvento.PEDIDO_CONFIRMADO
    assert tipo_evento(StatusPedido.CANCELADO) is TipoEvento.PEDIDO_CANCELADO
    others = {StatusPedido.EM_PREPARO, StatusPedido.PRONTO, StatusPedido.ENTREGUE}
    assert {tipo_evento(status) for status in others} == {TipoEvento.STATUS_ALTERADO}


def test_an_attempt_is_open_or_owes_something_or_is_over() -> None:
    assert not ABERTAS & DEVEDORAS
    assert set(Etapa) - ABERTAS - DEVEDORAS == {Etapa.CONCLUIDA, Etapa.FALHOU}
    assert {Etapa.FALHANDO, Etapa.FALHOU} == SEM_CHAVE


def test_total_is_the_sum_up_to_its_limit() -> None:
    assert total([]) == 0
    assert total([ItemPedido(1, "Bolo", 1_000_000, 1000), ItemPedido(2, "Torta", 500, 2)]) == 1_000_001_000
    at_limit = [ItemPedido(1, "Bolo", 1_000_000, 1000), ItemPedido(2, "Torta", 1_000_000, 1000)]
    assert total(at_limit) == LIMITE_TOTAL
    with pytest.raises(TotalExcedeLimite) as recusa:
        total([*at_limit, ItemPedido(3, "Bala", 1, 1)])
    assert (recusa.value.total_centavos, recusa.value.limite_centavos) == (LIMITE_TOTAL + 1, LIMITE_TOTAL)


SOLICITACAO = Solicitacao("sessao", Cliente("Ana", "ana@example.com", "11 91234-5678"), "sem nozes", "chave")


def test_fingerprint_is_of_the_body_alone() -> None:
    other_key = Solicitacao(SOLICITACAO.sessao_id, SOLICITACAO.cliente, SOLICITACAO.observacao, "outra")
    assert other_key.fingerprint == SOLICITACAO.fingerprint
    assert len(SOLICITACAO.fingerprint) == 32


@pytest.mark.parametrize(
    "other",
    [
        Solicitacao("sessao2", SOLICITACAO.cliente, "sem nozes", "chave"),
        Solicitacao("sessao", Cliente("Ana ", "ana@example.com", "11 91234-5678"), "sem nozes", "chave"),
        Solicitacao("sessao", Cliente("Ana", "ana@example.co", "11 91234-5678"), "sem nozes", "chave"),
        Solicitacao("sessao", Cliente("Ana", "ana@example.com", ""), "sem nozes", "chave"),
        Solicitacao("sessao", SOLICITACAO.cliente, "", "chave"),
        Solicitacao("sessao", Cliente("Ana", "ana@example.com", ""), "11 91234-5678sem nozes", "chave"),
    ],
)
def test_another_body_has_another_fingerprint(other: Solicitacao) -> None:
    assert other.fingerprint != SOLICITACAO.fingerprint


def test_key_of_a_cart_is_no_uuid() -> None:
    assert chave_do_carrinho("s", 3) == "carrinho:s:3"


@pytest.mark.parametrize(
    "falha",
    [
        EstoqueInsuficiente(7, 3, 1),
        ProdutoIndisponivel(7),
        ReservaExpirada("id"),
        TotalExcedeLimite(LIMITE_TOTAL + 1, LIMITE_TOTAL),
        ServicoIndisponivel("catalogo"),
    ],
    ids=lambda falha: type(falha).__name__,
)
def test_reason_of_a_failure_survives_storage(falha: EstoqueInsuficiente) -> None:
    read = falha_de_dados(json.loads(json.dumps(falha_em_dados(falha))))
    assert (type(read), vars(read), str(read)) == (type(falha), vars(falha), str(falha))
