"""What Compras and Pedidos promise, asked of the fake that the models run on and of PostgreSQL alike."""

import uuid

import pytest
from confeitaria.pedidos.v1.pedidos_pb2 import Pedido as PedidoMessage

from pedidos.domain import (
    SEGUINTES,
    Carrinho,
    Cliente,
    Compra,
    EstoqueInsuficiente,
    Etapa,
    ItemCarrinho,
    ItemPedido,
    PedidoNaoEncontrado,
    ReservaExpirada,
    Solicitacao,
    StatusPedido,
    TransicaoInvalida,
)
from tests.integration.test_pedidos.conftest import Portas

SOLICITACAO = Solicitacao("sessão 'ç", Cliente('Ana "Lu"', "ana@example.com", ""), "sem açúcar %(x)s :y", "")
CARRINHO = Carrinho("sessão 'ç", 7, (ItemCarrinho(2, 3), ItemCarrinho(1, 1)))
ITENS = (ItemPedido(1, "Brigadeiro", 350, 1), ItemPedido(2, "Pão de mel {x}", 600, 3))
TOTAL = 2150
FALHA = EstoqueInsuficiente(2, 3, 1)
ARRENDAMENTO = 4.5  # a little more than a lease, in seconds


def nova_chave() -> str:
    return str(uuid.uuid4())


async def iniciada(portas: Portas, chave: str | None = None) -> Compra:
    return await portas.compras.registrar(chave or nova_chave(), SOLICITACAO, CARRINHO)


async def gravada(portas: Portas) -> Compra:
    return await portas.compras.gravar(await iniciada(portas), ITENS, TOTAL)


async def respondida(portas: Portas) -> Compra:
    return await portas.compras.responder(await gravada(portas))


async def test_first_who_registers_a_key_owns_the_attempt_and_the_second_finds_it(portas: Portas) -> None:
    chave = nova_chave()
    minha = await portas.compras.registrar(chave, SOLICITACAO, CARRINHO)
    outra = await portas.de_outro.registrar(chave, SOLICITACAO, CARRINHO)

    assert (minha.etapa, minha.minha, minha.solicitacao, minha.carrinho) == (
        Etapa.INICIADA, True, SOLICITACAO, CARRINHO,
    )  # fmt: skip
    assert (outra.pedido_id, outra.minha, outra.solicitacao, outra.carrinho, outra.fingerprint) == (
        minha.pedido_id, False, SOLICITACAO, CARRINHO, SOLICITACAO.fingerprint,
    )  # fmt: skip
    assert uuid.UUID(minha.pedido_id).version == 7
    assert minha.idade == 0
    assert outra.idade > 0
    assert outra.criado_em == minha.criado_em


async def test_key_is_found_with_all_that_was_asked(portas: Portas) -> None:
    chave = nova_chave()
    assert await portas.compras.buscar(chave) is None
    compra = await iniciada(portas, chave)
    achada = await portas.de_outro.buscar(chave)
    assert achada is not None
    assert (achada.pedido_id, achada.minha, achada.solicitacao) == (compra.pedido_id, False, SOLICITACAO)


async def test_order_is_written_pending_with_its_items_and_its_event(portas: Portas) -> None:
    compra = await gravada(portas)
    assert (compra.etapa, compra.minha) == (Etapa.GRAVADA, True)
    pedido = await portas.pedidos.obter(compra.pedido_id)
    assert (pedido.status, pedido.itens, pedido.total_centavos) == (StatusPedido.PENDENTE, ITENS, TOTAL)
    assert (pedido.cliente, pedido.observacao, pedido.sessao_id) == (
        SOLICITACAO.cliente, SOLICITACAO.observacao, SOLICITACAO.sessao_id,
    )  # fmt: skip
    assert pedido.criado_em == pedido.atualizado_em == compra.criado_em
    assert portas.events(compra.pedido_id) == [(1, "pedido_criado", "PENDENTE")]


async def test_order_is_written_once_whoever_else_tries(portas: Portas) -> None:
    compra = await iniciada(portas)
    await portas.compras.gravar(compra, ITENS, TOTAL)
    atrasada = await portas.de_outro.gravar(compra, ITENS[:1], 350)
    assert (atrasada.etapa, atrasada.minha) == (Etapa.GRAVADA, False)
    assert (await portas.pedidos.obter(compra.pedido_id)).itens == ITENS
    assert len(portas.events(compra.pedido_id)) == 1


async def test_answer_is_kept_as_it_was_given(portas: Portas) -> None:
    compra = await gravada(portas)
    feita = await portas.compras.responder(compra)
    outra = await portas.de_outro.responder(compra)

    assert (feita.etapa, feita.minha, outra.etapa, outra.minha) == (Etapa.RESPONDIDA, True, Etapa.RESPONDIDA, False)
    assert feita.desfecho() == outra.desfecho()
    message = PedidoMessage.FromString(feita.desfecho())
    pedido = await portas.pedidos.obter(compra.pedido_id)
    assert (message.pedido_id, message.status, message.total_centavos) == (compra.pedido_id, 2, TOTAL)
    assert [item.nome for item in message.itens] == [item.nome for item in ITENS]
    assert pedido.status is StatusPedido.CONFIRMADO
    assert pedido.atualizado_em > pedido.criado_em
    assert portas.events(compra.pedido_id)[1:] == [(2, "pedido_confirmado", "CONFIRMADO")]


async def test_order_cancelled_before_it_was_confirmed_is_the_answer(portas: Portas) -> None:
    compra = await gravada(portas)
    await portas.pedidos.mudar_status(compra.pedido_id, StatusPedido.CANCELADO)
    feita = await portas.compras.responder(compra)
    assert feita.etapa is Etapa.RESPONDIDA
    assert PedidoMessage.FromString(feita.desfecho()).status == 6
    assert [tipo for _, tipo, _ in portas.events(compra.pedido_id)] == ["pedido_criado", "pedido_cancelado"]


async def test_failed_attempt_frees_its_key_and_keeps_its_reason(portas: Portas) -> None:
    chave = nova_chave()
    compra = await iniciada(portas, chave)
    falhando = await portas.compras.desistir(compra, FALHA)
    assert falhando.etapa is Etapa.FALHANDO
    assert await portas.compras.buscar(chave) is None

    outra = await portas.compras.registrar(chave, SOLICITACAO, CARRINHO)
    assert (outra.minha, outra.pedido_id != compra.pedido_id) == (True, True)

    vista = await portas.de_outro.assumir(compra.pedido_id)
    assert vista is not None
    with pytest.raises(EstoqueInsuficiente) as razao:
        vista.desfecho()
    assert vars(razao.value) == vars(FALHA)
    assert str(razao.value) == str(FALHA)


async def test_giving_up_a_written_order_cancels_it(portas: Portas) -> None:
    compra = await gravada(portas)
    falhando = await portas.compras.desistir(compra, ReservaExpirada(compra.pedido_id))
    assert falhando.etapa is Etapa.FALHANDO
    assert (await portas.pedidos.obter(compra.pedido_id)).status is StatusPedido.CANCELADO
    assert portas.events(compra.pedido_id)[1:] == [(2, "pedido_cancelado", "CANCELADO")]


async def test_order_that_somebody_cancelled_is_not_given_up(portas: Portas) -> None:
    compra = await gravada(portas)
    await portas.pedidos.mudar_status(compra.pedido_id, StatusPedido.CANCELADO)
    vista = await portas.compras.desistir(compra, ReservaExpirada(compra.pedido_id))
    assert vista.etapa is Etapa.GRAVADA
    assert len(portas.events(compra.pedido_id)) == 2


@pytest.mark.parametrize("depois", [Etapa.GRAVADA, Etapa.RESPONDIDA])
async def test_late_worker_cannot_give_up_what_went_on(portas: Portas, depois: Etapa) -> None:
    compra = await iniciada(portas)
    feita = await portas.compras.gravar(compra, ITENS, TOTAL)
    if depois is Etapa.RESPONDIDA:
        feita = await portas.compras.responder(feita)
    vista = await portas.de_outro.desistir(compra, FALHA)
    assert (vista.etapa, vista.resposta) == (depois, feita.resposta)


@pytest.mark.parametrize("passo", ["gravar", "responder"])
async def test_late_worker_cannot_go_on_with_what_was_given_up(portas: Portas, passo: str) -> None:
    compra = await iniciada(portas) if passo == "gravar" else await gravada(portas)
    await portas.compras.desistir(compra, ReservaExpirada(compra.pedido_id))
    if passo == "gravar":
        vista = await portas.de_outro.gravar(compra, ITENS, TOTAL)
    else:
        vista = await portas.de_outro.responder(compra)
    assert (vista.etapa, vista.minha) == (Etapa.FALHANDO, False)
    with pytest.raises(ReservaExpirada):
        vista.desfecho()


async def test_attempt_is_taken_over_only_when_its_lease_is_over(portas: Portas) -> None:
    compra = await iniciada(portas)
    cedo = await portas.de_outro.assumir(compra.pedido_id)
    portas.advance(ARRENDAMENTO)
    tarde = await portas.de_outro.assumir(compra.pedido_id)
    outra_vez = await portas.compras.assumir(compra.pedido_id)
    assert [c and c.minha for c in (cedo, tarde, outra_vez)] == [False, True, False]
    assert tarde is not None
    assert tarde.idade > 4


async def test_attempt_that_ended_is_nobodys_to_take_over(portas: Portas) -> None:
    compra = await respondida(portas)
    portas.advance(ARRENDAMENTO)
    vista = await portas.de_outro.assumir(compra.pedido_id)
    assert vista is not None
    assert (vista.minha, vista.resposta) == (False, compra.resposta)
    assert await portas.compras.assumir(nova_chave()) is None


async def test_each_step_renews_the_lease(portas: Portas) -> None:
    compra = await iniciada(portas)
    portas.advance(3)
    await portas.compras.gravar(compra, ITENS, TOTAL)
    portas.advance(3)
    vista = await portas.de_outro.assumir(compra.pedido_id)
    assert vista is not None
    assert not vista.minha


async def test_only_the_owner_ends_a_lease(portas: Portas) -> None:
    compra = await iniciada(portas)
    await portas.de_outro.soltar(compra)
    assert await portas.de_outro.vencidas(10) == []
    await portas.compras.soltar(compra)
    assert [c.pedido_id for c in await portas.de_outro.vencidas(10)] == [compra.pedido_id]


async def test_lease_can_end_a_little_later(portas: Portas) -> None:
    compra = await iniciada(portas)
    await portas.compras.soltar(compra, 1.0)
    assert await portas.de_outro.vencidas(10) == []
    portas.advance(1.1)
    assert len(await portas.de_outro.vencidas(10)) == 1


async def test_overdue_attempts_go_to_one_worker_each_and_no_more_than_asked_for(portas: Portas) -> None:
    compras = [await iniciada(portas), await gravada(portas), await respondida(portas)]
    compras.append(await portas.compras.desistir(await iniciada(portas), FALHA))
    assert await portas.compras.vencidas(10) == []
    portas.advance(ARRENDAMENTO)

    primeiras = await portas.compras.vencidas(3)
    segundas = await portas.de_outro.vencidas(3)
    assert (len(primeiras), len(segundas)) == (3, 1)
    assert {c.pedido_id: c.etapa for c in primeiras + segundas} == {c.pedido_id: c.etapa for c in compras}
    assert all(c.minha and c.solicitacao == SOLICITACAO for c in primeiras + segundas)
    assert await portas.compras.vencidas(10) == []


async def test_nothing_is_left_of_what_was_settled(portas: Portas) -> None:
    feita = await respondida(portas)
    falha = await portas.compras.desistir(await iniciada(portas), FALHA)
    for compra in (feita, falha, feita):
        await portas.compras.concluir(compra)
    portas.advance(ARRENDAMENTO)
    assert await portas.compras.vencidas(10) == []
    achada = await portas.compras.buscar(feita.chave)
    assert achada is not None
    assert (achada.etapa, achada.resposta) == (Etapa.CONCLUIDA, feita.resposta)


async def test_an_open_attempt_cannot_be_settled(portas: Portas) -> None:
    compra = await gravada(portas)
    await portas.compras.concluir(compra)
    vista = await portas.compras.assumir(compra.pedido_id)
    assert vista is not None
    assert vista.etapa is Etapa.GRAVADA


async def test_only_failed_attempts_of_days_ago_are_forgotten(portas: Portas) -> None:
    feita = await respondida(portas)
    await portas.compras.concluir(feita)
    velha = await portas.compras.desistir(await iniciada(portas), FALHA)
    await portas.compras.concluir(velha)
    portas.advance(25 * 3600)
    nova = await portas.compras.desistir(await iniciada(portas), FALHA)
    await portas.compras.concluir(nova)

    assert await portas.compras.limpar() == 1
    vistas = [await portas.compras.assumir(c.pedido_id) for c in (feita, velha, nova)]
    assert [vista is not None for vista in vistas] == [True, False, True]


async def test_version_of_a_cart_finds_its_first_order_that_did_not_fail(portas: Portas) -> None:
    sessao_id, versao = CARRINHO.sessao_id, CARRINHO.versao
    assert await portas.compras.buscar_por_carrinho(sessao_id, versao) is None
    await portas.compras.desistir(await iniciada(portas), FALHA)
    assert await portas.compras.buscar_por_carrinho(sessao_id, versao) is None
    primeira = await respondida(portas)
    await iniciada(portas)
    achada = await portas.compras.buscar_por_carrinho(sessao_id, versao)
    assert achada is not None
    assert (achada.pedido_id, achada.resposta) == (primeira.pedido_id, primeira.resposta)
    assert await portas.compras.buscar_por_carrinho(sessao_id, versao + 1) is None
    assert await portas.compras.buscar_por_carrinho("outra", versao) is None


async def test_unknown_order_is_not_found(portas: Portas) -> None:
    with pytest.raises(PedidoNaoEncontrado):
        await portas.pedidos.obter(nova_chave())
    with pytest.raises(PedidoNaoEncontrado):
        await portas.pedidos.mudar_status(nova_chave(), StatusPedido.CANCELADO)


CAMINHO = (StatusPedido.CONFIRMADO, StatusPedido.EM_PREPARO, StatusPedido.PRONTO, StatusPedido.ENTREGUE)


async def pedido_em(portas: Portas, status: StatusPedido) -> str:
    compra = await gravada(portas)
    caminho = [StatusPedido.CANCELADO] if status is StatusPedido.CANCELADO else CAMINHO
    for passo in caminho:
        if (await portas.pedidos.obter(compra.pedido_id)).status is status:
            break
        await portas.pedidos.mudar_status(compra.pedido_id, passo)
    return compra.pedido_id


@pytest.mark.parametrize("de", StatusPedido)
async def test_only_the_steps_of_the_state_machine_are_made(portas: Portas, de: StatusPedido) -> None:
    for para in StatusPedido:
        pedido_id = await pedido_em(portas, de)
        antes, eventos = await portas.pedidos.obter(pedido_id), portas.events(pedido_id)
        if para is de:
            assert await portas.pedidos.mudar_status(pedido_id, para) == antes
            assert portas.events(pedido_id) == eventos
        elif para in SEGUINTES[de]:
            depois = await portas.pedidos.mudar_status(pedido_id, para)
            assert (depois.status, depois.itens) == (para, antes.itens)
            assert depois.atualizado_em > antes.atualizado_em
            assert depois == await portas.pedidos.obter(pedido_id)
            assert [(seq, status) for seq, _, status in portas.events(pedido_id)[len(eventos) :]] == [
                (len(eventos) + 1, para.value)
            ]
        else:
            with pytest.raises(TransicaoInvalida) as recusa:
                await portas.pedidos.mudar_status(pedido_id, para)
            assert (recusa.value.de, recusa.value.para) == (de, para)
            assert await portas.pedidos.obter(pedido_id) == antes


async def test_cancelled_order_owes_its_stock_until_it_is_given_back(portas: Portas) -> None:
    pedido_ids = [await pedido_em(portas, StatusPedido.CONFIRMADO) for _ in range(3)]
    for pedido_id in pedido_ids:
        await portas.pedidos.mudar_status(pedido_id, StatusPedido.CANCELADO)
    assert await portas.pedidos.a_devolver(10) == []
    portas.advance(ARRENDAMENTO)
    achados = await portas.pedidos.a_devolver(2) + await portas.pedidos.a_devolver(2)
    assert sorted(achados) == pedido_ids
    assert await portas.pedidos.a_devolver(10) == []
    await portas.pedidos.devolvido(pedido_ids[0])
    portas.advance(ARRENDAMENTO)
    assert sorted(await portas.pedidos.a_devolver(10)) == pedido_ids[1:]


async def test_newest_orders_come_first_a_page_at_a_time(portas: Portas) -> None:
    feitos = [await gravada(portas) for _ in range(5)]
    await portas.pedidos.mudar_status(feitos[1].pedido_id, StatusPedido.CANCELADO)
    ids = [compra.pedido_id for compra in reversed(feitos)]

    primeira = await portas.pedidos.listar(limite=2)
    segunda = await portas.pedidos.listar(apos=primeira[-1].pedido_id, limite=10)
    assert [pedido.pedido_id for pedido in primeira] == ids[:2]
    assert [pedido.pedido_id for pedido in segunda] == ids[2:]
    assert primeira[0].itens == ITENS
    assert [p.criado_em for p in primeira + segunda] == sorted((p.criado_em for p in primeira + segunda), reverse=True)

    cancelados = await portas.pedidos.listar(status=StatusPedido.CANCELADO, limite=10)
    assert [pedido.pedido_id for pedido in cancelados] == [feitos[1].pedido_id]
    de_sessao = await portas.pedidos.listar(sessao_id=CARRINHO.sessao_id, status=StatusPedido.PENDENTE, limite=10)
    assert len(de_sessao) == 4
    assert await portas.pedidos.listar(sessao_id="outra", limite=10) == []


async def test_standing_of_many_orders_is_one_question(portas: Portas) -> None:
    compra = await respondida(portas)
    situacoes = await portas.pedidos.situacoes([compra.pedido_id, nova_chave()])
    pedido = await portas.pedidos.obter(compra.pedido_id)
    assert list(situacoes) == [compra.pedido_id]
    situacao = situacoes[compra.pedido_id]
    assert (situacao.status, situacao.atualizado_em) == (StatusPedido.CONFIRMADO, pedido.atualizado_em)
    assert situacao.seq == portas.events(compra.pedido_id)[-1][0] == 2
    assert await portas.pedidos.situacoes([]) == {}
