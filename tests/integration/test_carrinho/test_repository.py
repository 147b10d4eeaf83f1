"""One suite for everything that keeps carts: the one in memory, and Valkey."""

import re
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Protocol

import pytest
import redis.asyncio
from confeitaria.carrinho.v1.carrinho_pb2 import Carrinho, ItemCarrinho

from carrinho import domain
from carrinho.domain import Oferta, Produto
from carrinho.repository import CarrinhosValkey
from carrinho.use_cases import CarrinhoRepository
from tests.fakes.carrinho import CarrinhosEmMemoria, Relogio
from tests.integration.test_carrinho.conftest import oferta

DIA = domain.VALIDADE_SEGUNDOS


class Loja(Protocol):
    @property
    def carrinhos(self) -> CarrinhoRepository: ...

    async def passar(self, seconds: float) -> None:
        """Lets time go by for every cart."""
        ...

    async def agora(self) -> float:
        """Seconds since 1970 by the clock that decides."""
        ...


class LojaEmMemoria:
    def __init__(self) -> None:
        self.relogio = Relogio(1_795_000_000.0)
        self.carrinhos = CarrinhosEmMemoria(self.relogio)

    async def passar(self, seconds: float) -> None:
        self.relogio.avancar(seconds)

    async def agora(self) -> float:
        return self.relogio.agora


class LojaValkey:
    def __init__(self, carrinhos: CarrinhosValkey, admin: "redis.asyncio.Redis") -> None:
        self.carrinhos = carrinhos
        self.admin = admin

    async def passar(self, seconds: float) -> None:
        async for key in self.admin.scan_iter("carrinho:*"):
            await self.admin.pexpire(key, await self.admin.pttl(key) - round(seconds * 1000))

    async def agora(self) -> float:
        seconds, micros = await self.admin.time()
        return seconds + micros / 1e6


@pytest.fixture(params=["memoria", "valkey"])
async def loja(
    request: pytest.FixtureRequest, valkey_url: str, novos_carrinhos: Callable[[str], CarrinhosValkey]
) -> AsyncIterator[Loja]:
    if request.param == "memoria":
        yield LojaEmMemoria()
        return
    async with redis.asyncio.Redis.from_url(valkey_url) as admin:
        yield LojaValkey(novos_carrinhos(valkey_url), admin)


async def lido(answer: Awaitable[bytes]) -> Carrinho:
    """The message, which must be exactly the bytes that protobuf itself would have written."""
    raw = await answer
    message = Carrinho.FromString(raw)
    assert message.SerializeToString() == raw
    return message


async def novo(loja: Loja, *itens: tuple[int, int]) -> Carrinho:
    """A cart of these (produto_id, quantidade)."""
    carrinho = await lido(loja.carrinhos.criar())
    for produto_id, quantidade in itens:
        carrinho = await lido(
            loja.carrinhos.adicionar(carrinho.sessao_id, produto_id, quantidade, oferta(produto_id), "")
        )
    return carrinho


async def recusado(loja: Loja, carrinho: Carrinho, attempt: Awaitable[bytes], error: type[Exception]) -> Exception:
    """The refusal, after which the cart must be as it was."""
    with pytest.raises(error) as caught:
        await attempt
    assert await lido(loja.carrinhos.obter(carrinho.sessao_id)) == carrinho
    return caught.value


def expiry(carrinho: Carrinho) -> float:
    return carrinho.expira_em.ToMilliseconds() / 1000


def quantidades(carrinho: Carrinho) -> list[tuple[int, int]]:
    return [(item.produto_id, item.quantidade) for item in carrinho.itens]


async def test_a_new_cart_is_empty_and_lives_for_a_day(loja: Loja) -> None:
    carrinho = await novo(loja)
    assert re.fullmatch(r"[A-Za-z0-9_-]{22}", carrinho.sessao_id)
    assert (len(carrinho.itens), carrinho.total_centavos, carrinho.versao) == (0, 0, 1)
    assert expiry(carrinho) == pytest.approx(await loja.agora() + DIA, abs=2)
    assert await lido(loja.carrinhos.obter(carrinho.sessao_id)) == carrinho
    assert (await novo(loja)).sessao_id != carrinho.sessao_id


async def test_items_stay_in_the_order_in_which_they_were_first_put_in(loja: Loja) -> None:
    carrinho = await novo(loja, (300, 1), (2, 1), (129, 1), (300, 4), (2, 1), (1, 1))
    assert quantidades(carrinho) == [(300, 5), (2, 2), (129, 1), (1, 1)]
    carrinho = await lido(loja.carrinhos.atualizar(carrinho.sessao_id, 2, 7, oferta(2)))
    carrinho = await lido(loja.carrinhos.remover(carrinho.sessao_id, 129))
    assert quantidades(carrinho) == [(300, 5), (2, 7), (1, 1)]
    carrinho = await lido(loja.carrinhos.adicionar(carrinho.sessao_id, 129, 1, oferta(129), ""))
    assert quantidades(carrinho) == [(300, 5), (2, 7), (1, 1), (129, 1)]


async def test_a_change_refreshes_its_own_item_and_no_other(loja: Loja) -> None:
    carrinho = await novo(loja, (1, 2), (2, 3))
    dearer = Oferta(Produto(1, "Pão de queijo recheado", 1_500, 90, ativo=True), conferido=False)
    carrinho = await lido(loja.carrinhos.adicionar(carrinho.sessao_id, 1, 2, dearer, ""))
    assert list(carrinho.itens) == [
        ItemCarrinho(
            produto_id=1,
            nome="Pão de queijo recheado",
            preco_centavos=1_500,
            quantidade=4,
            subtotal_centavos=6_000,
            conferido=False,
        ),
        ItemCarrinho(
            produto_id=2,
            nome="Pão de queijo nº 2",
            preco_centavos=1_000,
            quantidade=3,
            subtotal_centavos=3_000,
            conferido=True,
        ),
    ]
    assert carrinho.total_centavos == 9_000


async def test_every_change_has_the_next_version_and_another_day(loja: Loja) -> None:
    carrinho = await novo(loja, (1, 2), (2, 2))
    sessao_id, store = carrinho.sessao_id, loja.carrinhos
    changes: list[Callable[[], Awaitable[bytes]]] = [
        lambda: store.adicionar(sessao_id, 1, 1, oferta(1), ""),
        lambda: store.atualizar(sessao_id, 1, 9, oferta(1)),
        lambda: store.atualizar(sessao_id, 1, 9, oferta(1)),
        lambda: store.remover(sessao_id, 1),
        lambda: store.esvaziar(sessao_id, 0),
        lambda: store.esvaziar(sessao_id, 0),
    ]
    for change in changes:
        await loja.passar(DIA / 2)
        changed = await lido(change())
        assert changed.versao == carrinho.versao + 1
        assert expiry(changed) == pytest.approx(await loja.agora() + DIA, abs=2)
        carrinho = changed


async def test_a_cart_ends_a_day_after_its_last_change_and_reading_does_not_prolong_it(loja: Loja) -> None:
    carrinho = await novo(loja, (1, 2))
    await loja.passar(DIA - 60)
    assert quantidades(await lido(loja.carrinhos.obter(carrinho.sessao_id))) == [(1, 2)]
    await loja.passar(60)
    for gone in (
        loja.carrinhos.obter(carrinho.sessao_id),
        loja.carrinhos.adicionar(carrinho.sessao_id, 1, 1, oferta(1), ""),
        loja.carrinhos.esvaziar(carrinho.sessao_id, 0),
    ):
        with pytest.raises(domain.CarrinhoNaoEncontrado):
            await gone


@pytest.mark.parametrize(
    "sessao_id", ["A" * 22, "", "x", "a" * 64, "*" * 22, "á" * 22, "a b\r\nDEL carrinho:*  ", "\0" * 22]
)
async def test_a_name_that_no_cart_has_is_not_found(loja: Loja, sessao_id: str) -> None:
    store = loja.carrinhos
    for attempt in (
        store.obter(sessao_id),
        store.adicionar(sessao_id, 1, 1, oferta(1), ""),
        store.atualizar(sessao_id, 1, 1, domain.ProdutoNaoEncontrado(1)),
        store.remover(sessao_id, 1),
        store.esvaziar(sessao_id, 3),
    ):
        with pytest.raises(domain.CarrinhoNaoEncontrado) as caught:
            await attempt
        assert caught.value.sessao_id == sessao_id


async def test_setting_the_units_of_what_is_not_in_the_cart_is_refused_before_anything_else(loja: Loja) -> None:
    carrinho = await novo(loja, (1, 2))
    for answer in (oferta(2), oferta(2, estoque=0), domain.CatalogoIndisponivel(), domain.ProdutoNaoEncontrado(2)):
        attempt = loja.carrinhos.atualizar(carrinho.sessao_id, 2, 1, answer)
        error = await recusado(loja, carrinho, attempt, domain.ItemNaoEncontrado)
        assert isinstance(error, domain.ItemNaoEncontrado)
        assert error.produto_id == 2


async def test_taking_out_what_is_not_in_the_cart_changes_nothing(loja: Loja) -> None:
    carrinho = await novo(loja, (1, 2))
    await loja.passar(60)
    assert quantidades(await lido(loja.carrinhos.remover(carrinho.sessao_id, 12))) == [(1, 2)]
    assert await lido(loja.carrinhos.remover(carrinho.sessao_id, 12)) == carrinho


async def test_an_emptied_cart_stays(loja: Loja) -> None:
    carrinho = await novo(loja, (1, 2), (2, 2))
    emptied = await lido(loja.carrinhos.esvaziar(carrinho.sessao_id, carrinho.versao))
    assert (quantidades(emptied), emptied.total_centavos, emptied.sessao_id) == ([], 0, carrinho.sessao_id)


async def test_only_the_cart_that_was_ordered_is_emptied(loja: Loja) -> None:
    ordered = await novo(loja, (1, 2))
    changed = await lido(loja.carrinhos.adicionar(ordered.sessao_id, 1, 1, oferta(1), ""))
    attempt = loja.carrinhos.esvaziar(ordered.sessao_id, ordered.versao)
    error = await recusado(loja, changed, attempt, domain.VersaoDesatualizada)
    assert isinstance(error, domain.VersaoDesatualizada)
    assert (error.versao_enviada, error.versao_atual) == (ordered.versao, changed.versao)


async def test_what_the_catalog_refuses_is_refused(loja: Loja) -> None:
    carrinho = await novo(loja, (1, 2))
    for recusa in (domain.ProdutoNaoEncontrado(1), domain.ProdutoInativo(1), domain.CatalogoIndisponivel()):
        for attempt in (
            loja.carrinhos.adicionar(carrinho.sessao_id, 1, 1, recusa, str(uuid.uuid4())),
            loja.carrinhos.atualizar(carrinho.sessao_id, 1, 1, recusa),
        ):
            assert await recusado(loja, carrinho, attempt, type(recusa)) is recusa


async def test_stock_is_compared_with_what_the_cart_would_hold(loja: Loja) -> None:
    carrinho = await novo(loja, (1, 6))
    for attempt, wanted in (
        (loja.carrinhos.adicionar(carrinho.sessao_id, 1, 5, oferta(1, estoque=10), ""), 11),
        (loja.carrinhos.atualizar(carrinho.sessao_id, 1, 12, oferta(1, estoque=10)), 12),
    ):
        error = await recusado(loja, carrinho, attempt, domain.EstoqueInsuficiente)
        assert isinstance(error, domain.EstoqueInsuficiente)
        assert (error.produto_id, error.solicitado, error.disponivel) == (1, wanted, 10)
    exact = await lido(loja.carrinhos.adicionar(carrinho.sessao_id, 1, 4, oferta(1, estoque=10), ""))
    assert quantidades(exact) == [(1, 10)]


async def cheio(loja: Loja, carrinho: Carrinho, attempt: Awaitable[bytes]) -> str:
    error = await recusado(loja, carrinho, attempt, domain.CarrinhoCheio)
    assert isinstance(error, domain.CarrinhoCheio)
    return error.limite


async def test_a_thousand_units_of_a_product_fit_and_no_more(loja: Loja) -> None:
    carrinho = await novo(loja, (1, 600), (1, 400))
    assert await cheio(loja, carrinho, loja.carrinhos.adicionar(carrinho.sessao_id, 1, 1, oferta(1), "")) == "unidades"


async def test_fifty_products_fit_and_no_more(loja: Loja) -> None:
    carrinho = await novo(loja, *((produto_id, 1) for produto_id in range(100, 150)))
    attempt = loja.carrinhos.adicionar(carrinho.sessao_id, 1, 1, oferta(1), "")
    assert await cheio(loja, carrinho, attempt) == "produtos"
    assert len((await lido(loja.carrinhos.adicionar(carrinho.sessao_id, 149, 1, oferta(149), ""))).itens) == 50
    await loja.carrinhos.remover(carrinho.sessao_id, 100)
    refilled = await lido(loja.carrinhos.adicionar(carrinho.sessao_id, 1, 1, oferta(1), ""))
    assert [item.produto_id for item in refilled.itens] == [*range(101, 150), 1]


async def test_twenty_million_reais_fit_and_not_a_centavo_more(loja: Loja) -> None:
    sessao_id = (await novo(loja)).sessao_id
    for produto_id in (1, 2):
        full = await lido(loja.carrinhos.adicionar(sessao_id, produto_id, 1_000, oferta(produto_id, 1_000_000), ""))
    assert full.total_centavos == domain.MAX_TOTAL_CENTAVOS
    assert await cheio(loja, full, loja.carrinhos.adicionar(sessao_id, 3, 1, oferta(3, 1), "")) == "total"
    dearer = loja.carrinhos.atualizar(sessao_id, 1, 999, oferta(1, 1_002_000))
    assert await cheio(loja, full, dearer) == "total"
    assert (
        await lido(loja.carrinhos.atualizar(sessao_id, 1, 999, oferta(1, 1_000_000)))
    ).total_centavos == 1_999_000_000


async def test_an_addition_with_a_request_id_happens_once(loja: Loja) -> None:
    carrinho, key = await novo(loja), "0199ABCD-0000-7000-8000-0000000000ff"
    first = await lido(loja.carrinhos.adicionar(carrinho.sessao_id, 1, 2, oferta(1), key))
    # Also when something became of the product meanwhile, and however the UUID is written.
    for again in (
        oferta(1, 9_999),
        oferta(1, estoque=0),
        domain.ProdutoNaoEncontrado(1),
        domain.CatalogoIndisponivel(),
    ):
        assert await lido(loja.carrinhos.adicionar(carrinho.sessao_id, 1, 2, again, key.lower())) == first
    later = await lido(loja.carrinhos.adicionar(carrinho.sessao_id, 2, 1, oferta(2), ""))
    assert await lido(loja.carrinhos.adicionar(carrinho.sessao_id, 1, 2, oferta(1), key)) == later


async def test_a_request_id_holds_in_its_own_cart_only(loja: Loja) -> None:
    key = str(uuid.uuid4())
    for _ in range(2):
        carrinho = await novo(loja)
        assert quantidades(await lido(loja.carrinhos.adicionar(carrinho.sessao_id, 1, 2, oferta(1), key))) == [(1, 2)]


async def test_a_request_id_with_another_body_is_refused(loja: Loja) -> None:
    carrinho, key = await novo(loja), str(uuid.uuid4())
    carrinho = await lido(loja.carrinhos.adicionar(carrinho.sessao_id, 1, 2, oferta(1), key))
    for attempt in (
        loja.carrinhos.adicionar(carrinho.sessao_id, 1, 3, oferta(1), key),
        loja.carrinhos.adicionar(carrinho.sessao_id, 2, 2, oferta(2), key),
    ):
        error = await recusado(loja, carrinho, attempt, domain.ChaveReutilizada)
        assert isinstance(error, domain.ChaveReutilizada)
        assert error.chave == key


async def test_a_failed_addition_does_not_burn_its_request_id(loja: Loja) -> None:
    carrinho, key = await novo(loja), str(uuid.uuid4())
    attempt = loja.carrinhos.adicionar(carrinho.sessao_id, 1, 2, oferta(1, estoque=1), key)
    await recusado(loja, carrinho, attempt, domain.EstoqueInsuficiente)
    assert quantidades(await lido(loja.carrinhos.adicionar(carrinho.sessao_id, 1, 1, oferta(1), key))) == [(1, 1)]


async def test_the_last_sixteen_request_ids_are_remembered(loja: Loja) -> None:
    carrinho, keys = await novo(loja), [str(uuid.uuid4()) for _ in range(17)]
    for key in keys:
        carrinho = await lido(loja.carrinhos.adicionar(carrinho.sessao_id, 1, 1, oferta(1), key))
    for key in keys[1:]:
        assert await lido(loja.carrinhos.adicionar(carrinho.sessao_id, 1, 1, oferta(1), key)) == carrinho
    forgotten = await lido(loja.carrinhos.adicionar(carrinho.sessao_id, 1, 1, oferta(1), keys[0]))
    assert quantidades(forgotten) == [(1, 18)]


async def test_emptying_a_cart_does_not_bring_old_additions_back(loja: Loja) -> None:
    carrinho, key = await novo(loja), str(uuid.uuid4())
    await loja.carrinhos.adicionar(carrinho.sessao_id, 1, 1, oferta(1), key)
    emptied = await lido(loja.carrinhos.esvaziar(carrinho.sessao_id, 0))
    assert await lido(loja.carrinhos.adicionar(carrinho.sessao_id, 1, 1, oferta(1), key)) == emptied
