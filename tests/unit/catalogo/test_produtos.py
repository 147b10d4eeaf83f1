"""What may be put into the catalog."""

import pytest

from catalogo.domain.errors import DadosInvalidos
from catalogo.domain.produtos import AlteracaoProduto, Filtro, NovaCategoria, NovoProduto
from catalogo.seed import read


def novo(**changes: object) -> NovoProduto:
    fields = {"nome": "Bolo", "descricao": "", "preco_centavos": 1, "categoria_id": 1, "estoque": 0, "imagem_url": ""}
    return NovoProduto(**{**fields, "ativo": True, **changes})  # type: ignore[arg-type]


def violated(caught: pytest.ExceptionInfo[DadosInvalidos]) -> list[str]:
    return [field for field, _ in caught.value.violations]


@pytest.mark.parametrize("nome", ["", "   ", "\t\n", "\u200b", "\u0301", "\x00"])
def test_a_name_that_shows_nothing_is_refused(nome: str) -> None:
    with pytest.raises(DadosInvalidos) as caught:
        novo(nome=nome)
    assert violated(caught) == ["nome"]
    with pytest.raises(DadosInvalidos):
        NovaCategoria(nome, "")


def test_every_bad_field_is_named_at_once() -> None:
    with pytest.raises(DadosInvalidos) as caught:
        novo(nome="a\0", descricao="\0", preco_centavos=0, categoria_id=0, imagem_url="/\0")
    assert violated(caught) == ["nome", "descricao", "preco_centavos", "categoria_id", "imagem_url"]


def test_a_change_is_held_to_the_same_rules_in_the_fields_it_has() -> None:
    AlteracaoProduto(ativo=False)
    with pytest.raises(DadosInvalidos) as caught:
        AlteracaoProduto(nome=" ", preco_centavos=0)
    assert violated(caught) == ["nome", "preco_centavos"]


def test_a_price_range_must_not_be_upside_down() -> None:
    for low, high in ((0, 0), (5, 0), (0, 5), (5, 5), (4, 5)):
        Filtro(preco_minimo=low, preco_maximo=high).conferir()
    with pytest.raises(DadosInvalidos) as caught:
        Filtro(preco_minimo=6, preco_maximo=5).conferir()
    assert violated(caught) == ["preco_maximo_centavos"]


def test_the_opening_catalog_is_a_bakery() -> None:
    shelves = read()
    products = [produto for _, produtos in shelves for produto in produtos]
    assert len(shelves) >= 6
    assert len(products) >= 40
    assert len({produto.nome for produto in products}) == len(products)
    assert all(20 <= len(produto.descricao) <= 2000 and produto.estoque > 0 for produto in products)
