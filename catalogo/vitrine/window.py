"""The window itself: answers reads, shows this process's commits at once and everybody else's within 100 ms."""

import asyncio
import gc
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress

import structlog

from catalogo.domain.produtos import Categoria, Filtro, Momento, Produto
from catalogo.frescor import LeituraAtrasada
from catalogo.use_cases import Alteracoes, Marca, Pagina, Posicao
from catalogo.vitrine.index import Index
from chassis import context
from chassis.errors import Unavailable

log = structlog.get_logger()

INTERVAL = 0.1  # seconds between two looks at the database
HURRIED = 0.01  # while somebody waits for a moment
PATIENCE = 0.2  # seconds that a read may wait for its moment
STALE = 2.0  # seconds of age from which on the window does not pass for fresh
BATCH = 500  # products shown in one go: some 10 ms in which no call is answered


class VitrineEmMemoria:
    """The port `Vitrine`. Everything but `Index.build` happens in the event loop's thread.

    `patience`: seconds that a read may wait for its moment; `clock` in seconds.
    """

    def __init__(
        self, alteracoes: Alteracoes, *, patience: float = PATIENCE, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._alteracoes = alteracoes
        self._patience = patience
        self._clock = clock
        self._waiting: dict[asyncio.Future[None], Momento] = {}
        self._awaited = asyncio.Event()  # somebody began to wait
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

    def mostra(self, momento: Momento) -> bool:
        return self._marca is not None and self._marca.inclui(momento)

    async def alcancar(self, momento: Momento) -> None:
        left = context.remaining()
        # Half of a short deadline is left to whoever is asked next.
        limit = self._patience if left is None else min(self._patience, left / 2)
        end = asyncio.get_running_loop().time() + limit
        while not self.mostra(momento):
            reached: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting[reached] = momento
            self._awaited.set()
            try:
                async with asyncio.timeout_at(end):
                    await reached
            except TimeoutError:
                raise LeituraAtrasada from None
            finally:
                self._waiting.pop(reached, None)

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
            await self._pause()

    async def _pause(self) -> None:
        """Until the next look: soon when somebody waits for it, now or later."""
        await asyncio.sleep(HURRIED)
        if not self._waiting:
            self._awaited.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(INTERVAL - HURRIED):
                    await self._awaited.wait()

    async def atualizar(self) -> None:
        """One look at the database."""
        began = self._clock()
        esperadas = {momento.transacao for momento in self._waiting.values()}
        mudancas = None if self._marca is None else await self._alteracoes.desde(self._marca, esperadas)
        if mudancas is None:
            await self._load()
        else:
            self.aplicar((), mudancas.categorias)
            for start in range(0, len(mudancas.produtos), BATCH):
                self.aplicar(mudancas.produtos[start : start + BATCH])
                await asyncio.sleep(0)
            self._marca = mudancas.marca
        self._as_of = began
        self._tell()

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

    def _tell(self) -> None:
        """Lets those go on whose moment is shown."""
        for reached, momento in self._waiting.items():
            if self.mostra(momento) and not reached.done():
                reached.set_result(None)

    def _shown(self) -> Index:
        if self._index is None:
            raise Unavailable("O catálogo ainda está sendo carregado.", INTERVAL)
        return self._index


def _show(index: Index, produtos: Iterable[Produto], categorias: Iterable[Categoria]) -> None:
    for categoria in categorias:
        index.show_category(categoria)
    for produto in produtos:
        index.show(produto)
