"""What a request becomes on its way into the domain."""

from confeitaria.catalogo.v1 import catalogo_pb2 as pb

from catalogo.requests import alteracao_of, nova_categoria_of, novo_produto_of


def test_blanks_around_a_name_are_dropped() -> None:
    produto = pb.Produto(produto_id=1, nome="  Bolo de fubá\t", preco_centavos=100, categoria_id=1)
    assert novo_produto_of(produto).nome == "Bolo de fubá"
    assert alteracao_of(pb.AtualizarProdutoRequest(produto=produto)).nome == "Bolo de fubá"
    assert nova_categoria_of(pb.Categoria(nome=" Bolos ")).nome == "Bolos"
