"""The changes that need to know the product."""

from confeitaria.carrinho.v1.carrinho_pb2 import Carrinho

from carrinho.domain import Oferta, Produto, ProdutoNaoEncontrado
from carrinho.use_cases import Compras
from tests.fakes.carrinho import CarrinhosEmMemoria, ProdutosFixos, Relogio

OFERTA = Oferta(Produto(7, "Brigadeiro", 300, 100, ativo=True), conferido=True)


async def test_taking_a_product_out_asks_nobody_about_it() -> None:
    carrinhos, produtos = CarrinhosEmMemoria(Relogio()), ProdutosFixos(OFERTA)
    compras = Compras(carrinhos, produtos)
    sessao_id = Carrinho.FromString(await carrinhos.criar()).sessao_id
    await compras.adicionar(sessao_id, 7, 2, "")
    produtos.resposta = ProdutoNaoEncontrado(7)
    produtos.consultados.clear()
    assert not Carrinho.FromString(await compras.atualizar(sessao_id, 7, 0)).itens
    assert produtos.consultados == []


async def test_a_retry_of_an_addition_is_answered_whatever_became_of_its_product() -> None:
    carrinhos, produtos = CarrinhosEmMemoria(Relogio()), ProdutosFixos(OFERTA)
    compras = Compras(carrinhos, produtos)
    sessao_id = Carrinho.FromString(await carrinhos.criar()).sessao_id
    first = await compras.adicionar(sessao_id, 7, 2, "0199aaaa-0000-7000-8000-000000000001")
    produtos.resposta = ProdutoNaoEncontrado(7)
    assert await compras.adicionar(sessao_id, 7, 2, "0199aaaa-0000-7000-8000-000000000001") == first
