"""What a cart process knows of products: how long, how many questions, and what it does while the catalog is away."""

import asyncio

import pytest

from carrinho import conhecimento
from carrinho.conhecimento import PAUSA, VALIDADE, VALIDADE_AUSENTE, Conhecimento
from carrinho.domain import CatalogoIndisponivel, Oferta, Produto, ProdutoInativo, ProdutoNaoEncontrado
from tests.fakes.carrinho import CatalogoEmMemoria, Relogio

BOLO = Produto(1, "Bolo de cenoura", 3_500, 10, ativo=True)
TORTA = Produto(2, "Torta de limão", 4_200, 5, ativo=True)
FORA_DE_LINHA = Produto(3, "Panetone", 5_000, 5, ativo=False)


@pytest.fixture
def relogio() -> Relogio:
    return Relogio()


@pytest.fixture
def catalogo() -> CatalogoEmMemoria:
    return CatalogoEmMemoria(BOLO, TORTA, FORA_DE_LINHA)


@pytest.fixture
def produtos(catalogo: CatalogoEmMemoria, relogio: Relogio) -> Conhecimento:
    return Conhecimento(catalogo, clock=relogio)


async def settle() -> None:
    """Lets everything that can go on go on."""
    for _ in range(10):
        await asyncio.sleep(0)


async def test_a_product_is_asked_for_once_while_its_knowledge_is_fresh(
    produtos: Conhecimento, catalogo: CatalogoEmMemoria, relogio: Relogio
) -> None:
    for _ in range(3):
        assert await produtos.consultar(1) == Oferta(BOLO, conferido=True)
        relogio.avancar(VALIDADE / 3 - 0.001)
    assert catalogo.perguntas == [1]
    relogio.avancar(0.01)
    catalogo.produtos[1] = BOLO._replace(preco_centavos=3_900)
    resposta = await produtos.consultar(1)
    assert isinstance(resposta, Oferta)
    assert resposta.produto.preco_centavos == 3_900
    assert catalogo.perguntas == [1, 1]


async def test_fifty_callers_share_one_question(produtos: Conhecimento, catalogo: CatalogoEmMemoria) -> None:
    catalogo.aberto.clear()
    waiting = [asyncio.create_task(produtos.consultar(1)) for _ in range(50)]
    await settle()
    catalogo.aberto.set()
    assert await asyncio.gather(*waiting) == [Oferta(BOLO, conferido=True)] * 50
    assert catalogo.perguntas == [1]


async def test_different_products_are_asked_for_at_the_same_time(
    produtos: Conhecimento, catalogo: CatalogoEmMemoria
) -> None:
    catalogo.aberto.clear()
    waiting = [asyncio.create_task(produtos.consultar(each)) for each in (1, 2)]
    await settle()
    assert catalogo.perguntas == [1, 2]
    catalogo.aberto.set()
    assert await asyncio.gather(*waiting) == [Oferta(BOLO, conferido=True), Oferta(TORTA, conferido=True)]


@pytest.mark.parametrize("who", [0, 1, 2])
async def test_a_caller_that_is_cancelled_takes_nobody_with_it(
    produtos: Conhecimento, catalogo: CatalogoEmMemoria, who: int
) -> None:
    catalogo.aberto.clear()
    waiting = [asyncio.create_task(produtos.consultar(1)) for _ in range(3)]
    await settle()
    waiting[who].cancel()
    await settle()
    assert waiting[who].cancelled()
    catalogo.aberto.set()
    others = [task for task in waiting if task is not waiting[who]]
    assert await asyncio.gather(*others) == [Oferta(BOLO, conferido=True)] * 2
    assert catalogo.perguntas == [1]


async def test_the_answer_is_kept_though_everybody_who_asked_has_gone(
    produtos: Conhecimento, catalogo: CatalogoEmMemoria
) -> None:
    catalogo.aberto.clear()
    asking = asyncio.create_task(produtos.consultar(1))
    await settle()
    asking.cancel()
    catalogo.aberto.set()
    await settle()
    catalogo.fora = True
    assert await produtos.consultar(1) == Oferta(BOLO, conferido=True)
    assert catalogo.perguntas == [1]


async def test_an_inactive_product_is_known_and_refused(produtos: Conhecimento, catalogo: CatalogoEmMemoria) -> None:
    for _ in range(2):
        assert isinstance(await produtos.consultar(3), ProdutoInativo)
    assert catalogo.perguntas == [3]


async def test_no_such_product_is_knowledge_too_but_for_a_shorter_time(
    produtos: Conhecimento, catalogo: CatalogoEmMemoria, relogio: Relogio
) -> None:
    for _ in range(2):
        assert isinstance(await produtos.consultar(9), ProdutoNaoEncontrado)
    assert catalogo.perguntas == [9]
    relogio.avancar(VALIDADE_AUSENTE)
    catalogo.produtos[9] = BOLO._replace(produto_id=9)
    assert isinstance(await produtos.consultar(9), Oferta)


async def test_a_deleted_product_is_forgotten(
    produtos: Conhecimento, catalogo: CatalogoEmMemoria, relogio: Relogio
) -> None:
    await produtos.consultar(1)
    relogio.avancar(VALIDADE)
    del catalogo.produtos[1]
    assert isinstance(await produtos.consultar(1), ProdutoNaoEncontrado)
    relogio.avancar(VALIDADE)
    catalogo.fora = True
    assert isinstance(await produtos.consultar(1), CatalogoIndisponivel)


async def test_older_knowledge_serves_while_the_catalog_is_away_and_says_so(
    produtos: Conhecimento, catalogo: CatalogoEmMemoria, relogio: Relogio
) -> None:
    await produtos.consultar(1)
    catalogo.fora = True
    relogio.avancar(3_600)
    assert await produtos.consultar(1) == Oferta(BOLO, conferido=False)
    assert isinstance(await produtos.consultar(2), CatalogoIndisponivel)


async def test_a_known_product_does_not_wait_for_a_catalog_that_is_away(
    produtos: Conhecimento, catalogo: CatalogoEmMemoria, relogio: Relogio
) -> None:
    await produtos.consultar(1)
    await produtos.consultar(2)
    catalogo.fora = True
    relogio.avancar(VALIDADE)
    await produtos.consultar(1)  # finds out
    relogio.avancar(PAUSA)
    catalogo.aberto.clear()  # from here on, whoever asks waits for ever
    asked = len(catalogo.perguntas)
    for produto in (BOLO, TORTA, BOLO):
        answer = await asyncio.wait_for(produtos.consultar(produto.produto_id), 0.1)
        assert answer == Oferta(produto, conferido=False)
    await settle()
    assert len(catalogo.perguntas) == asked + 1, "one question at a time finds out whether it is back"


async def test_no_question_follows_a_failed_one_at_once(
    produtos: Conhecimento, catalogo: CatalogoEmMemoria, relogio: Relogio
) -> None:
    await produtos.consultar(1)
    catalogo.fora = True
    relogio.avancar(VALIDADE)
    for _ in range(5):
        await produtos.consultar(1)
        await settle()
    assert len(catalogo.perguntas) == 2


async def test_a_catalog_that_is_back_is_noticed(
    produtos: Conhecimento, catalogo: CatalogoEmMemoria, relogio: Relogio
) -> None:
    await produtos.consultar(1)
    catalogo.fora = True
    relogio.avancar(VALIDADE)
    await produtos.consultar(1)
    catalogo.fora = False
    catalogo.produtos[1] = novo = BOLO._replace(preco_centavos=9_900)
    relogio.avancar(PAUSA)
    assert await produtos.consultar(1) == Oferta(BOLO, conferido=False)
    await settle()
    assert await produtos.consultar(1) == Oferta(novo, conferido=True)


async def test_patience_ends_before_the_callers_own_deadline(catalogo: CatalogoEmMemoria, relogio: Relogio) -> None:
    hurried = Conhecimento(catalogo, clock=relogio, restante=lambda: 0.15)
    await hurried.consultar(1)
    relogio.avancar(VALIDADE)
    catalogo.aberto.clear()
    answer = await asyncio.wait_for(hurried.consultar(1), 0.15)
    assert answer == Oferta(BOLO, conferido=False)
    assert isinstance(await asyncio.wait_for(hurried.consultar(2), 0.15), CatalogoIndisponivel)
    catalogo.aberto.set()
    await settle()


async def test_an_answer_without_sense_is_raised_to_everybody_who_waits(relogio: Relogio) -> None:
    class Broken:
        async def obter_produto(self, produto_id: int) -> Produto:
            raise LookupError(produto_id)

    produtos = Conhecimento(Broken(), clock=relogio)
    answers = await asyncio.gather(produtos.consultar(1), produtos.consultar(1), return_exceptions=True)
    assert [type(each) for each in answers] == [LookupError, LookupError]
    assert isinstance(answers[0], LookupError)


async def test_what_is_remembered_is_bounded_and_ids_that_do_not_exist_push_no_product_out(
    monkeypatch: pytest.MonkeyPatch, relogio: Relogio
) -> None:
    monkeypatch.setattr(conhecimento, "CAPACIDADE", 2)
    monkeypatch.setattr(conhecimento, "CAPACIDADE_AUSENTES", 2)
    catalogo = CatalogoEmMemoria(*(BOLO._replace(produto_id=each) for each in (1, 2, 3)))
    produtos = Conhecimento(catalogo, clock=relogio)
    for produto_id in (1, 2, 1001, 1002, 1003, 3):
        await produtos.consultar(produto_id)
    catalogo.fora = True
    relogio.avancar(VALIDADE)
    kept = [produto_id for produto_id in (1, 2, 3) if isinstance(await produtos.consultar(produto_id), Oferta)]
    assert kept == [2, 3]
