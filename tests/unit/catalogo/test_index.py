"""The shop window's index against a simple model: filter, sort, page, whatever changes in between."""

import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from confeitaria.catalogo.v1 import catalogo_pb2 as pb

from catalogo.domain.errors import ProdutoNaoEncontrado
from catalogo.domain.produtos import Categoria, Filtro, Ordem, Produto
from catalogo.domain.text import fold
from catalogo.use_cases import Posicao
from catalogo.vitrine import index as module
from catalogo.vitrine.index import Index

NOW = datetime(2026, 11, 23, tzinfo=UTC)
VOCABULARY = "Pão pao AÇÚCAR açaí Bolo coco Côco de limão LIMÃO quindim maçã 50% x Élan ção"
WORDS = VOCABULARY.split()
ALL = Filtro()
BOLOS, DOCES = Categoria(1, "Bolos", "", 1), Categoria(2, "Doces de Avó", "de colher", 1)


def produto(produto_id: int, **changes: Any) -> Produto:
    fields: dict[str, Any] = {
        "nome": f"Bolo {produto_id}",
        "descricao": "",
        "preco_centavos": 100,
        "categoria": BOLOS,
        "estoque": 5,
        "imagem_url": "",
        "ativo": True,
        "versao": 1,
        "criado_em": NOW,
        "excluido": False,
        "revisao": 1,
    }
    return Produto(produto_id, **{**fields, **changes})


def shown(index: Index, filtro: Filtro = ALL, apos: Posicao | None = None, limite: int = 100) -> list[pb.Produto]:
    pagina = index.page(filtro, apos, limite)
    return list(pb.ListarProdutosResponse.FromString(b"".join(pagina.produtos)).produtos)


def names(index: Index, filtro: Filtro = ALL) -> list[str]:
    return [message.nome for message in shown(index, filtro)]


class Model:
    """The same shop, told in the plainest words."""

    def __init__(self) -> None:
        self.produtos: dict[int, Produto] = {}

    def list(self, filtro: Filtro) -> list[int]:
        keys: dict[Ordem, Callable[[Produto], Any]] = {
            Ordem.NOME: lambda p: (fold(p.nome), p.produto_id),
            Ordem.PRECO_CRESCENTE: lambda p: (p.preco_centavos, p.produto_id),
            Ordem.PRECO_DECRESCENTE: lambda p: (-p.preco_centavos, p.produto_id),
            Ordem.MAIS_NOVOS: lambda p: (-p.criado_em.timestamp(), p.produto_id),
        }
        found = [p for p in self.produtos.values() if self._matches(p, filtro)]
        return [p.produto_id for p in sorted(found, key=keys[filtro.ordem])]

    def _matches(self, p: Produto, filtro: Filtro) -> bool:
        text = fold(f"{p.nome} {p.descricao} {p.categoria.nome}")
        wanted = fold(filtro.categoria)
        return (
            not p.excluido
            and (p.ativo or filtro.incluir_inativos)
            and wanted in ("", str(p.categoria.categoria_id), fold(p.categoria.nome))
            and all(word in text for word in fold(filtro.busca).split())
            and p.preco_centavos >= filtro.preco_minimo
            and (not filtro.preco_maximo or p.preco_centavos <= filtro.preco_maximo)
            and (not filtro.apenas_disponiveis or p.estoque > 0)
        )


class Shop:
    """Makes random changes to both."""

    def __init__(self, dice: random.Random) -> None:
        self.dice = dice
        self.model = Model()
        self.categorias = [Categoria(key, f"Tipo {key} {dice.choice(WORDS)}", "", 1) for key in range(1, 5)]
        first = [self._new(key) for key in range(1, 61)]
        self.model.produtos = {p.produto_id: p for p in first}
        self.index = Index.build(self.categorias, first)

    def change(self) -> None:
        dice = self.dice
        key = dice.randint(1, 90)
        old = self.model.produtos.get(key)
        if old is None:
            self._show(self._new(key))
        elif dice.random() < 0.1:
            self._rename()
        elif not old.excluido:
            self._show(replace(self._changed(old), revisao=old.revisao + dice.randint(1, 3)))

    def _changed(self, old: Produto) -> Produto:
        new = self._new(old.produto_id)
        if self.dice.random() < 0.5:
            return replace(old, estoque=new.estoque)
        return replace(new, versao=old.versao + 1, criado_em=old.criado_em, excluido=self.dice.random() < 0.1)

    def _new(self, key: int) -> Produto:
        dice = self.dice
        return produto(
            key,
            nome=" ".join(dice.choices(WORDS, k=dice.randint(1, 3))),
            descricao=" ".join(dice.choices(WORDS, k=dice.randint(0, 4))),
            preco_centavos=dice.randint(1, 12),
            categoria=dice.choice(self.categorias),
            estoque=dice.choice((0, 0, 3)),
            ativo=dice.random() < 0.8,
            criado_em=NOW + timedelta(microseconds=dice.randint(0, 20)),
        )

    def _rename(self) -> None:
        old = self.dice.choice(self.categorias)
        new = replace(old, nome=f"Tipo {old.categoria_id} {self.dice.choice(WORDS)}", revisao=old.revisao + 1)
        self.categorias[old.categoria_id - 1] = new
        for key, p in self.model.produtos.items():
            if p.categoria.categoria_id == old.categoria_id:
                self.model.produtos[key] = replace(p, categoria=new)
        self.index.show_category(new)

    def _show(self, p: Produto) -> None:
        before = self.model.produtos.get(p.produto_id)
        self.model.produtos[p.produto_id] = p
        self.index.show(p)
        if before is not None:  # what arrives late changes nothing
            self.index.show(before)

    def filtro(self) -> Filtro:
        dice = self.dice
        categoria = dice.choice(self.categorias)
        return Filtro(
            categoria=dice.choice(("", "", str(categoria.categoria_id), categoria.nome.upper(), "nenhuma", "77")),
            busca=dice.choice(("", "", dice.choice(WORDS), f"{dice.choice(WORDS)[:2]}  {dice.choice(WORDS)}", "zzz")),
            preco_minimo=dice.choice((0, 0, dice.randint(1, 12))),
            preco_maximo=dice.choice((0, 0, dice.randint(1, 14))),
            apenas_disponiveis=dice.random() < 0.3,
            incluir_inativos=dice.random() < 0.3,
            ordem=dice.choice(list(Ordem)),
        )


def paged(index: Index, filtro: Filtro, limite: int) -> Iterator[int]:
    apos: Posicao | None = None
    while True:
        pagina = index.page(filtro, apos, limite)
        messages = pb.ListarProdutosResponse.FromString(b"".join(pagina.produtos)).produtos
        assert len(messages) <= limite
        yield from (message.produto_id for message in messages)
        if pagina.seguinte is None:
            return
        assert len(messages) == limite or module.WALK < 100, "only a long walk ends a page early"
        apos = pagina.seguinte


@pytest.mark.parametrize("walk", [3, 10_000])
@pytest.mark.parametrize("few", [0, 10, 1_000])
def test_any_list_equals_the_plain_model_after_any_changes(
    few: int, walk: int, dice: random.Random, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FEW", few)  # 0: never by word or price; 1,000: always
    monkeypatch.setattr(module, "WALK", walk)
    shop = Shop(dice)
    for _ in range(600):
        shop.change()
        filtro = shop.filtro()
        assert list(paged(shop.index, filtro, dice.choice((1, 2, 7, 100)))) == shop.model.list(filtro), filtro
    for key, p in shop.model.produtos.items():
        if p.excluido:
            with pytest.raises(ProdutoNaoEncontrado):
                shop.index.get(key)
        else:
            message = pb.Produto.FromString(shop.index.get(key))
            assert (message.nome, message.estoque, message.categoria) == (p.nome, p.estoque, p.categoria.nome)


def test_pages_neither_repeat_nor_skip_while_others_come_and_go(dice: random.Random) -> None:
    steady = [produto(key, nome=dice.choice("bcdef"), preco_centavos=dice.randint(1, 9)) for key in range(1, 200, 2)]
    for ordem in Ordem:
        index = Index.build([BOLOS], steady)
        seen: list[int] = []
        apos: Posicao | None = None
        while True:
            pagina = index.page(Filtro(ordem=ordem), apos, 7)
            seen += [m.produto_id for m in pb.ListarProdutosResponse.FromString(b"".join(pagina.produtos)).produtos]
            if pagina.seguinte is None:
                break
            apos = pagina.seguinte
            for key in dice.sample(range(2, 200, 2), 10):
                p = produto(key, nome=dice.choice("bcdef"), revisao=len(seen), versao=len(seen))
                index.show(replace(p, preco_centavos=dice.randint(1, 9), excluido=dice.random() < 0.5))
        odd = [key for key in seen if key % 2]
        assert sorted(odd) == [p.produto_id for p in steady], ordem
        assert len(set(odd)) == len(odd)


def test_search_ignores_accents_and_case_and_looks_into_the_category_too() -> None:
    pao = produto(1, nome="Pão de queijo", descricao="Polvilho AZEDO")
    quindim = produto(2, nome="Quindim", categoria=DOCES)
    index = Index.build([BOLOS, DOCES], [pao, quindim])
    assert names(index, Filtro(busca="pao")) == ["Pão de queijo"]
    assert names(index, Filtro(busca="  QUEIJO   pÃo azedo ")) == ["Pão de queijo"]
    assert names(index, Filtro(busca="avo")) == ["Quindim"]
    assert names(index, Filtro(busca="pao avo")) == []
    assert names(index, Filtro(busca="quindimdoces")) == []


def test_a_category_is_asked_for_by_id_or_by_name() -> None:
    index = Index.build([BOLOS, DOCES, Categoria(3, "7", "", 1)], [produto(1), produto(2, categoria=DOCES)])
    for asked in ("2", "02", "doces de avo", " DOCES  de avó"):
        assert names(index, Filtro(categoria=asked)) == ["Bolo 2"], asked
    for asked in ("3", "7", "9" * 80, "٢", "-1", "nenhuma"):
        assert names(index, Filtro(categoria=asked)) == [], asked


def test_equal_ones_follow_by_id_in_every_order() -> None:
    index = Index.build([BOLOS], [produto(key, nome="Igual") for key in (3, 1, 2)])
    for ordem in Ordem:
        assert [m.produto_id for m in shown(index, Filtro(ordem=ordem))] == [1, 2, 3]


def test_an_older_copy_never_replaces_a_newer_one() -> None:
    index = Index.build([BOLOS], [produto(1, estoque=5, revisao=5)])
    index.show(produto(1, estoque=4, revisao=4))
    index.show(produto(1, estoque=9, revisao=5))
    assert shown(index)[0].estoque == 5
    index.show(produto(1, excluido=True, revisao=7))
    index.show(produto(1, estoque=6, revisao=6))
    assert not shown(index)
    assert len(index) == 0


def test_a_copy_from_before_a_rename_does_not_bring_the_old_name_back() -> None:
    index = Index.build([BOLOS], [produto(1)])
    index.show_category(replace(BOLOS, nome="Tortas", revisao=2))
    index.show(produto(1, estoque=1, revisao=2))
    index.show(produto(2))
    assert [m.categoria for m in shown(index)] == ["Tortas", "Tortas"]
    assert names(index, Filtro(busca="tortas")) == ["Bolo 1", "Bolo 2"]
    assert names(index, Filtro(categoria="bolos")) == []


def test_categories_stand_by_name() -> None:
    index = Index.build(
        [Categoria(1, "Éclairs", "", 1), Categoria(2, "doces", "", 1), Categoria(3, "Fatias", "", 1)], []
    )
    answer = pb.ListarCategoriasResponse.FromString(index.categories())
    assert [categoria.nome for categoria in answer.categorias] == ["doces", "Éclairs", "Fatias"]
