"""What the window shows, and how it is found. Belongs to one thread at a time; knows nothing of the database."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import replace
from itertools import islice
from typing import TypeAlias

from catalogo.domain.errors import ProdutoNaoEncontrado
from catalogo.domain.produtos import Categoria, Filtro, Ordem, Produto
from catalogo.domain.text import fold, unique_key
from catalogo.messages import categoria_message, element
from catalogo.use_cases import Pagina, Posicao
from catalogo.vitrine.shelf import KEYS, Entry, Shelf
from catalogo.vitrine.words import Words

FEW = 500  # candidates that are sooner sorted (0.2 ms) than looked for along an order
WALK = 10_000  # products looked at for one page, at most: up to 10 ms in which nothing else is answered
EVERYTHING, UNKNOWN = 0, -1  # as a category
NO_PRICE = 2**31  # centavos, above any

Test: TypeAlias = Callable[[Entry], bool]


class Index:
    """Products by id, by shelf (category, inactive ones too?) and by word; categories."""

    def __init__(self) -> None:
        self._entries: dict[int, Entry] = {}
        self._gone: dict[int, int] = {}  # deleted product -> revisao: an older copy must not bring it back
        self._shelves: defaultdict[tuple[int, bool], Shelf] = defaultdict(Shelf)
        self._words = Words()
        self._categories: dict[int, Categoria] = {}
        self._by_name: dict[str, int] = {}
        self._category_list = b""

    @classmethod
    def build(cls, categorias: Iterable[Categoria], produtos: Iterable[Produto]) -> "Index":
        """All of a catalog at once: each order is sorted once, not product by product."""
        index = cls()
        for categoria in categorias:
            index.show_category(categoria)
        for produto in produtos:
            index._admit(produto)
        for ordem, key in KEYS.items():
            for entry in sorted(index._entries.values(), key=key):
                for shelf in index._shelves_of(entry):
                    shelf.orders[ordem].append(entry)
        return index

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, produto_id: int) -> bytes:
        """A Produto message; ProdutoNaoEncontrado."""
        entry = self._entries.get(produto_id)
        if entry is None:
            raise ProdutoNaoEncontrado(produto_id)
        return entry.element[entry.start :]

    def categories(self) -> bytes:
        """A ListarCategoriasResponse message."""
        return self._category_list

    def page(self, filtro: Filtro, apos: Posicao | None, limite: int) -> Pagina:
        """Up to `limite` products after `apos`."""
        category = self._category_id(filtro.categoria)
        shelf = self._shelves.get((category, filtro.incluir_inativos))
        if shelf is None:
            return Pagina((), None)
        words = fold(filtro.busca).split() if filtro.busca else []
        test, key = _test(filtro, words), KEYS[filtro.ordem]
        few = self._few(filtro, words, shelf, category)
        if few is None:
            return _along(shelf, filtro, test, apos, limite)
        chosen = [entry for entry in few if (test is None or test(entry)) and (apos is None or key(entry) > apos)]
        return _page(sorted(chosen, key=key), filtro, limite)

    def show(self, produto: Produto) -> None:
        """Shows a committed product (or hides a deleted one) unless what is shown is as new."""
        self.show_category(produto.categoria)
        entry = self._entries.get(produto.produto_id)
        if produto.revisao <= (entry.revisao if entry else self._gone.get(produto.produto_id, 0)):
            return  # most often: a commit of this process, shown when it was made, that the database now tells of
        produto = replace(produto, categoria=self._categories[produto.categoria.categoria_id])
        if entry is not None and not produto.excluido and entry.same_but_stock(produto):
            entry.restock(produto)
            return
        if entry is not None:
            for shelf in self._shelves_of(entry):
                shelf.remove(entry)
            del self._entries[produto.produto_id]
        new = self._admit(produto, entry)
        if new is not None:
            for shelf in self._shelves_of(new):
                shelf.add(new)

    def show_category(self, categoria: Categoria) -> None:
        """Shows a committed category, in its products too, unless what is shown is as new."""
        old = self._categories.get(categoria.categoria_id)
        if old is not None and categoria.revisao <= old.revisao:
            return
        self._categories[categoria.categoria_id] = categoria
        self._by_name = {unique_key(known.nome): key for key, known in self._categories.items()}
        ordered = sorted(self._categories.values(), key=lambda known: (fold(known.nome), known.categoria_id))
        self._category_list = b"".join(element(categoria_message(known).SerializeToString()) for known in ordered)
        if old is not None:
            self._rename(categoria)

    def _rename(self, categoria: Categoria) -> None:
        shelf = self._shelves.get((categoria.categoria_id, True))
        for entry in shelf.orders[Ordem.NOME] if shelf else ():
            before = set(entry.texto.split())
            entry.relabel(categoria)
            self._words.add(entry.produto_id, set(entry.texto.split()) - before)

    def _admit(self, produto: Produto, before: Entry | None = None) -> Entry | None:
        """Remembers a product, not yet on its shelves; None when it is deleted."""
        if produto.excluido:
            self._gone[produto.produto_id] = produto.revisao
            return None
        entry = self._entries[produto.produto_id] = Entry(produto)
        known = before.texto.split() if before else ()
        self._words.add(entry.produto_id, set(entry.texto.split()).difference(known))
        return entry

    def _shelves_of(self, entry: Entry) -> list[Shelf]:
        kinds = (True, False) if entry.ativo else (True,)
        keys = [(category, kind) for category in (EVERYTHING, entry.categoria_id) for kind in kinds]
        return [self._shelves[key] for key in keys]

    def _category_id(self, asked: str) -> int:
        if not asked:
            return EVERYTHING
        if asked.isascii() and asked.isdigit() and int(asked) in self._categories:
            return int(asked)
        return self._by_name.get(unique_key(asked), UNKNOWN)

    def _few(self, filtro: Filtro, words: list[str], shelf: Shelf, category: int) -> list[Entry] | None:
        """All candidates on the shelf, when an index of prices or of words knows that there are few."""
        if (filtro.preco_minimo or filtro.preco_maximo) and filtro.ordem in (Ordem.NOME, Ordem.MAIS_NOVOS):
            within = shelf.within_prices(filtro, FEW)
            if within is not None:
                return within
        ids = self._words.rarest(words, FEW) if words else None
        if ids is None:
            return None
        entries = (entry for produto_id in ids if (entry := self._entries.get(produto_id)))
        return [
            entry
            for entry in entries
            if category in (EVERYTHING, entry.categoria_id) and (entry.ativo or filtro.incluir_inativos)
        ]


def _along(shelf: Shelf, filtro: Filtro, test: Test | None, apos: Posicao | None, limite: int) -> Pagina:
    """Walks the order asked for until the page is full, or for WALK products: then it is short, but not the last."""
    entries = shelf.orders[filtro.ordem]
    start, end = shelf.bounds(filtro, apos)
    if test is None:
        return _page(entries[start : min(end, start + limite + 1)], filtro, limite)
    stop = min(end, start + WALK)
    walked = map(entries.__getitem__, range(start, stop))  # no copy: most pages are full after a few
    pagina = _page(list(islice(filter(test, walked), limite + 1)), filtro, limite)
    if pagina.seguinte is None and stop < end:
        return pagina._replace(seguinte=KEYS[filtro.ordem](entries[stop - 1]))
    return pagina


def _page(found: list[Entry], filtro: Filtro, limite: int) -> Pagina:
    """The first `limite` of them; there is a next page when there are more."""
    seguinte = KEYS[filtro.ordem](found[limite - 1]) if len(found) > limite else None
    return Pagina([entry.element for entry in found[:limite]], seguinte)


def _test(filtro: Filtro, words: list[str]) -> Test | None:
    """What a product must pass besides being on the shelf; None: nothing."""
    low, high, in_stock = filtro.preco_minimo, filtro.preco_maximo or NO_PRICE, filtro.apenas_disponiveis
    if not (words or in_stock or low or filtro.preco_maximo):
        return None

    def test(entry: Entry) -> bool:
        if not low <= entry.preco <= high or (in_stock and not entry.estoque):
            return False
        texto = entry.texto
        for word in words:  # noqa: SIM110  twice as fast as all() over a generator, and this is walked 10,000 times
            if word not in texto:
                return False
        return True

    return test
