"""The window itself: answers reads, shows this process's commits at once and everybody else's within 100 ms."""

import asyncio
import gc
import time
from collections.abc import Callable, Iterable, Sequence

import structlog

from catalogo.domain.produtos import Categoria, Filtro, Produto
from catalogo.use_cases import Alteracoes, Marca, Pagina, Posicao
from catalogo.vitrine.index import Index
from chassis.errors import Unavailable

log = structlog.get_logger()

INTERVAL = 0.1  # seconds between two looks at the database
STALE = 2.0  # seconds of age from which on the window does not pass for fresh
BATCH = 500  # products shown in one go: some 10 ms in which no call is answered


class VitrineEmMemoria:
    """The port `Vitrine`. `clock` in seconds; everything but `Index.build` happens in the event loop's thread."""

    def __init__(self, alteracoes: Alteracoes, clock: Callable[[], float] = time.monotonic) -> None:
        self._alteracoes = alteracoes
        self._clock = clock
        self._index: Index | None = None
        self._marca: Marca | None = None
        self._as_of = 0.0  # when the last reading began: all that was committed before is shown
        self._meanwhile: list[tuple[Sequence[Produto], Sequence[Categoria]]] | None = None

    def obter(self, produto_id: int) -> bytes:
        return self._shown().get(produto_id)

    def listar(self, filtro: Filtro, apos: Posicao | None, limite: int) -> Pagina:
        return self._shown().page(filtro, apos, limite)

    def categorias(self) -> bytes:
        return self._shown().categories()

    def aplicar(self, produtos: Iterable[Produto], categorias: Iterable[Categoria] = ()) -> None:
        produtos, categorias = tuple(produtos), tuple(categorias)
        if self._meanwhile is not None:
            self._meanwhile.append((produtos, categorias))
        if self._index is not None:
            _show(self._index, produtos, categorias)

    def idade(self) -> float | None:
        """Seconds since everything committed (on this node) was shown; None before the first reading."""
        return None if self._index is None else self._clock() - self._as_of

    async def probe(self) -> str | None:
        """For the health name catalogo.leitura."""
        idade = self.idade()
        if idade is None:
            return "a vitrine ainda não foi carregada"
        return f"a vitrine está {idade:.1f} s atrasada" if idade > STALE else None

    async def seguir(self) -> None:
        """Follows the database until cancelled; a database that cannot be read only makes the window older."""
        trouble = ""
        while True:
            try:
                await self.atualizar()
                trouble = ""
            except Exception as exc:  # noqa: BLE001  whatever it is, the next look may succeed; the age tells
                if trouble != repr(exc):
                    trouble = repr(exc)
                    log.warning("the window cannot read the database", why=trouble)
            await asyncio.sleep(INTERVAL)

    async def atualizar(self) -> None:
        """One look at the database."""
        began = self._clock()
        mudancas = None if self._marca is None else await self._alteracoes.desde(self._marca)
        if mudancas is None:
            await self._load()
        else:
            self.aplicar((), mudancas.categorias)
            for start in range(0, len(mudancas.produtos), BATCH):
                self.aplicar(mudancas.produtos[start : start + BATCH])
                await asyncio.sleep(0)
            self._marca = mudancas.marca
        self._as_of = began

    async def _load(self) -> None:
        """Puts a new index in place of the old one, which answers until then; commits made meanwhile are in both."""
        self._meanwhile = []
        try:
            self._marca, index = await self._alteracoes.tudo(Index.build)
            for produtos, categorias in self._meanwhile:
                _show(index, produtos, categorias)
            self._index = index
            gc.freeze()  # or each full collection would visit 100,000 products, for 0.2 s
        finally:
            self._meanwhile = None
        log.info("window loaded", products=len(index))

    def _shown(self) -> Index:
        if self._index is None:
            raise Unavailable("O catálogo ainda está sendo carregado.", INTERVAL)
        return self._index


def _show(index: Index, produtos: Iterable[Produto], categorias: Iterable[Categoria]) -> None:
    for categoria in categorias:
        index.show_category(categoria)
    for produto in produtos:
        index.show(produto)
