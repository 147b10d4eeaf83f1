"""The checkout over fakes: what each caller hears, and what is left behind. Crashes are tests/model's."""

import asyncio

import pytest

from pedidos.domain import (
    CarrinhoNaoEncontrado,
    CarrinhoVazio,
    ChaveReutilizada,
    EstoqueInsuficiente,
    Etapa,
    ItemPedido,
    PedidoNaoEncontrado,
    ProdutoIndisponivel,
    ReservaExpirada,
    ServicoIndisponivel,
    StatusPedido,
    TotalExcedeLimite,
)
from tests.unit.pedidos.loja import CHAVE, SESSAO, Loja, solicitacao

OUTRA_CHAVE = CHAVE.replace("1", "2")


async def test_cart_becomes_an_order_at_the_catalogs_prices(loja: Loja) -> None:
    resposta = await loja.checkout.criar(solicitacao())
    pedido = loja.unico
    assert resposta == f"{pedido.pedido_id} CONFIRMADO".encode()
    assert pedido.itens == (ItemPedido(1, "Bolo", 4000, 2), ItemPedido(2, "Torta", 2500, 1))
    assert pedido.total_centavos == 10_500
    assert [(p.disponivel, p.reservado, p.vendido) for p in loja.catalogo.produtos.values()] == [(3, 0, 2), (4, 0, 1)]
    assert loja.carrinhos.carrinhos[SESSAO].itens == ()
    assert [compra.etapa for compra in loja.banco.compras.values()] == [Etapa.CONCLUIDA]


async def test_replay_is_the_same_answer_without_looking_at_cart_or_catalog(loja: Loja) -> None:
    resposta = await loja.checkout.criar(solicitacao())
    await loja.mudancas.mudar_status(loja.unico.pedido_id, StatusPedido.EM_PREPARO)
    loja.carrinhos.away = loja.catalogo.away = True
    assert await loja.checkout.criar(solicitacao()) == resposta
    assert await loja.outra_instancia().criar(solicitacao()) == resposta


async def test_key_with_another_body_is_refused_and_with_another_key_it_is_another_purchase(loja: Loja) -> None:
    await loja.checkout.criar(solicitacao())
    with pytest.raises(ChaveReutilizada) as recusa:
        await loja.checkout.criar(solicitacao(observacao="com velas"))
    assert recusa.value.chave == CHAVE
    with pytest.raises(CarrinhoVazio):
        await loja.checkout.criar(solicitacao(OUTRA_CHAVE))
    loja.carrinhos.encher(SESSAO, (1, 1))
    await loja.checkout.criar(solicitacao(OUTRA_CHAVE))
    assert len(loja.banco.pedidos) == 2


async def test_calls_with_one_key_at_once_make_one_order_and_get_one_answer(loja: Loja) -> None:
    calls = [loja.checkout.criar(solicitacao()) for _ in range(100)]
    calls += [loja.outra_instancia().criar(solicitacao()) for _ in range(20)]
    respostas = await asyncio.gather(*calls)
    assert set(respostas) == {f"{loja.unico.pedido_id} CONFIRMADO".encode()}


async def test_calls_with_one_key_at_once_share_one_refusal(loja: Loja) -> None:
    loja.catalogo.produtos[1].disponivel = 1
    ends = await asyncio.gather(*(loja.checkout.criar(solicitacao()) for _ in range(50)), return_exceptions=True)
    assert {type(end) for end in ends} == {EstoqueInsuficiente}
    assert len(loja.banco.compras) == 1


async def test_double_click_without_a_key_orders_a_version_of_a_cart_once(loja: Loja) -> None:
    together = await asyncio.gather(loja.checkout.criar(solicitacao("")), loja.outra_instancia().criar(solicitacao("")))
    after = await loja.checkout.criar(solicitacao(""))
    assert {*together, after} == {f"{loja.unico.pedido_id} CONFIRMADO".encode()}


async def test_cart_that_could_not_be_cleared_is_still_ordered_once(loja: Loja) -> None:
    carrinho = loja.carrinhos.carrinhos[SESSAO]
    resposta = await loja.checkout.criar(solicitacao(""))
    loja.carrinhos.carrinhos[SESSAO] = carrinho
    assert await loja.checkout.criar(solicitacao("")) == resposta


async def test_call_without_a_key_finds_the_order_that_a_call_with_one_made(loja: Loja) -> None:
    resposta = await loja.checkout.criar(solicitacao())
    assert await loja.checkout.criar(solicitacao("")) == resposta


async def test_cart_that_changed_since_is_another_order(loja: Loja) -> None:
    await loja.checkout.criar(solicitacao(""))
    loja.carrinhos.encher(SESSAO, (1, 1))
    await loja.checkout.criar(solicitacao(""))
    assert len(loja.banco.pedidos) == 2


async def test_emptied_cart_with_other_details_is_an_empty_cart(loja: Loja) -> None:
    await loja.checkout.criar(solicitacao(""))
    with pytest.raises(CarrinhoVazio):
        await loja.checkout.criar(solicitacao("", observacao="com velas"))


async def test_version_of_a_cart_with_other_details_is_refused(loja: Loja) -> None:
    carrinho = loja.carrinhos.carrinhos[SESSAO]
    await loja.checkout.criar(solicitacao(""))
    loja.carrinhos.carrinhos[SESSAO] = carrinho
    with pytest.raises(ChaveReutilizada):
        await loja.checkout.criar(solicitacao("", observacao="com velas"))


@pytest.mark.parametrize("request_id", [CHAVE, ""])
async def test_unknown_and_empty_carts_leave_nothing_behind(loja: Loja, request_id: str) -> None:
    loja.carrinhos.encher(SESSAO)
    with pytest.raises(CarrinhoVazio):
        await loja.checkout.criar(solicitacao(request_id))
    del loja.carrinhos.carrinhos[SESSAO]
    with pytest.raises(CarrinhoNaoEncontrado):
        await loja.checkout.criar(solicitacao(request_id))
    assert not loja.banco.compras
    assert not loja.catalogo.calls


async def test_too_little_stock_fails_whole_and_frees_the_key(loja: Loja) -> None:
    loja.catalogo.produtos[2].disponivel = 0
    with pytest.raises(EstoqueInsuficiente) as recusa:
        await loja.checkout.criar(solicitacao())
    assert vars(recusa.value) == {"produto_id": 2, "solicitado": 1, "disponivel": 0}
    assert not loja.banco.pedidos
    assert loja.catalogo.produtos[1].disponivel == 5
    assert loja.carrinhos.carrinhos[SESSAO].itens

    loja.catalogo.produtos[2].disponivel = 1
    assert await loja.checkout.criar(solicitacao()) == f"{loja.unico.pedido_id} CONFIRMADO".encode()


@pytest.mark.parametrize("gone", [True, False])
async def test_product_no_longer_sold_fails_the_order(loja: Loja, gone: bool) -> None:  # noqa: FBT001
    if gone:
        del loja.catalogo.produtos[2]
    else:
        loja.catalogo.produtos[2].ativo = False
    with pytest.raises(ProdutoIndisponivel) as recusa:
        await loja.checkout.criar(solicitacao())
    assert recusa.value.produto_id == 2


async def test_total_beyond_the_limit_gives_the_stock_back(loja: Loja) -> None:
    loja.catalogo.produtos[1].preco_centavos = 1_000_000_000
    with pytest.raises(TotalExcedeLimite) as recusa:
        await loja.checkout.criar(solicitacao())
    assert recusa.value.total_centavos == 2_000_002_500
    assert [(p.disponivel, p.reservado) for p in loja.catalogo.produtos.values()] == [(5, 0), (5, 0)]
    assert not loja.banco.pedidos


async def test_absent_catalog_is_told_at_once_and_a_retry_goes_on_with_the_same_attempt(loja: Loja) -> None:
    loja.catalogo.away = True
    with pytest.raises(ServicoIndisponivel):
        await loja.checkout.criar(solicitacao())
    (antes,) = loja.banco.compras
    loja.catalogo.away = False
    await loja.outra_instancia().criar(solicitacao())
    assert list(loja.banco.compras) == [antes] == [loja.unico.pedido_id]


async def test_absent_cart_service_does_not_fail_an_order_that_is_made(loja: Loja) -> None:
    def cart_service_dies() -> None:
        loja.carrinhos.away = True

    loja.catalogo.during = cart_service_dies
    await loja.checkout.criar(solicitacao())
    assert loja.unico.status is StatusPedido.CONFIRMADO
    assert loja.carrinhos.carrinhos[SESSAO].itens

    loja.carrinhos.away = False
    loja.catalogo.during = None
    loja.relogio.avancar(5)
    await loja.completer.passada()
    assert loja.carrinhos.carrinhos[SESSAO].itens == ()


async def test_caller_who_gives_up_does_not_hold_up_the_next_one(loja: Loja) -> None:
    entered = asyncio.Event()
    stuck: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def hang(*_: object) -> None:
        entered.set()
        await stuck

    loja.catalogo.confirmar = hang  # type: ignore[assignment]
    call = asyncio.create_task(loja.checkout.criar(solicitacao()))
    await asyncio.wait_for(entered.wait(), 5)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    del loja.catalogo.confirmar

    resposta = await asyncio.wait_for(loja.outra_instancia().criar(solicitacao()), 5)
    assert resposta == f"{loja.unico.pedido_id} CONFIRMADO".encode()


async def test_intent_that_found_no_catalog_for_a_minute_is_given_up(loja: Loja) -> None:
    loja.catalogo.away = True
    with pytest.raises(ServicoIndisponivel):
        await loja.checkout.criar(solicitacao())
    loja.relogio.avancar(61)
    loja.catalogo.away = False
    await loja.completer.passada()
    assert not loja.banco.pedidos
    assert [compra.etapa for compra in loja.banco.compras.values()] == [Etapa.FALHOU]
    await loja.checkout.criar(solicitacao())
    assert len(loja.banco.pedidos) == 1


async def test_reservation_that_expired_cancels_the_order_and_frees_the_key(loja: Loja) -> None:
    loja.catalogo.during = lambda: loja.relogio.avancar(301)  # longer than a reservation lasts
    with pytest.raises(ReservaExpirada) as recusa:
        await loja.checkout.criar(solicitacao())
    assert loja.unico.status is StatusPedido.CANCELADO
    assert recusa.value.pedido_id == loja.unico.pedido_id
    assert [p.disponivel for p in loja.catalogo.produtos.values()] == [5, 5]

    loja.catalogo.during = None
    await loja.checkout.criar(solicitacao())
    assert [pedido.status for pedido in loja.banco.pedidos.values()] == [
        StatusPedido.CANCELADO,
        StatusPedido.CONFIRMADO,
    ]


async def test_pending_order_is_confirmed_by_hand_only_with_its_stock(loja: Loja) -> None:
    compra = await loja.compras.registrar(CHAVE, solicitacao(), loja.carrinhos.carrinhos[SESSAO])
    itens = await loja.catalogo.reservar(compra.pedido_id, compra.carrinho.itens)
    await loja.compras.gravar(compra, itens, 10_500)
    loja.relogio.avancar(5)

    pedido = await loja.mudancas.mudar_status(compra.pedido_id, StatusPedido.CONFIRMADO)
    assert pedido.status is StatusPedido.CONFIRMADO
    assert [p.vendido for p in loja.catalogo.produtos.values()] == [2, 1]
    assert await loja.checkout.criar(solicitacao()) == f"{compra.pedido_id} CONFIRMADO".encode()


async def test_no_order_of_that_id_can_be_carried_on(loja: Loja) -> None:
    with pytest.raises(PedidoNaoEncontrado):
        await loja.checkout.retomar(CHAVE)


async def test_cancelling_gives_the_stock_back_once(loja: Loja) -> None:
    await loja.checkout.criar(solicitacao())
    for _ in range(2):
        pedido = await loja.mudancas.cancelar(loja.unico.pedido_id)
        assert pedido.status is StatusPedido.CANCELADO
        assert [(p.disponivel, p.vendido) for p in loja.catalogo.produtos.values()] == [(5, 0), (5, 0)]
    assert not loja.banco.dividas


async def test_cancelling_without_the_catalog_leaves_a_debt_that_the_completer_pays(loja: Loja) -> None:
    await loja.checkout.criar(solicitacao())
    loja.catalogo.away = True
    pedido = await loja.mudancas.mudar_status(loja.unico.pedido_id, StatusPedido.CANCELADO)
    assert pedido.status is StatusPedido.CANCELADO
    assert [p.disponivel for p in loja.catalogo.produtos.values()] == [3, 4]

    loja.relogio.avancar(5)
    await loja.completer.passada()
    loja.catalogo.away = False
    loja.relogio.avancar(5)
    await loja.completer.passada()
    assert [p.disponivel for p in loja.catalogo.produtos.values()] == [5, 5]
    assert not loja.banco.dividas
