"""What this process learnt of products from the catalog, and what it makes of it while the catalog is away."""

import asyncio
import time
from collections.abc import Callable
from typing import Protocol, TypeVar

from carrinho.domain import CatalogoIndisponivel, Oferta, Produto, ProdutoNaoEncontrado, Recusa, ofertar

VALIDADE = 1.0  # seconds for which a product counts as the catalog's present word
VALIDADE_AUSENTE = 0.25  # the same for "no such product": it may just have been made, and not be seen everywhere yet
PACIENCIA = 0.8  # seconds that a change of a cart waits for the catalog, at most
MARGEM = 0.1  # seconds of a caller's deadline left for the cart itself
PAUSA = 0.25  # seconds between a failed question and the next one about a known product
CAPACIDADE = 10_000  # products remembered, some 3 MB
CAPACIDADE_AUSENTES = 1_000  # ids remembered as unknown; apart, so that guessed ids push no product out

V = TypeVar("V")


class Catalogo(Protocol):
    async def obter_produto(self, produto_id: int) -> Produto:
        """The product as it is now; raises ProdutoNaoEncontrado, or CatalogoIndisponivel after PACIENCIA at the latest.

        It runs in a task of its own, on behalf of whoever waits for that product.
        """
        ...


class Conhecimento:
    """Answers at once from fresh knowledge, else asks: one question at a time about any one product.

    Once a question failed, what is known is used without waiting, and one question at a time in the background finds
    out whether the catalog is back. `clock` is monotonic, `restante` what is left of the caller's deadline, in seconds.
    """

    def __init__(
        self,
        catalogo: Catalogo,
        *,
        clock: Callable[[], float] = time.monotonic,
        restante: Callable[[], float | None] = lambda: None,
    ) -> None:
        self._catalogo = catalogo
        self._clock = clock
        self._restante = restante
        self._conhecidos: dict[int, tuple[Produto, float]] = {}  # and the moment until which it is fresh
        self._ausentes: dict[int, float] = {}
        self._perguntas: dict[int, asyncio.Task[Oferta | Recusa]] = {}
        self._fora = False
        self._calado_ate = 0.0

    async def consultar(self, produto_id: int) -> Oferta | Recusa:
        """What a cart is to be told of the product; never raises for the catalog's sake."""
        agora = self._clock()
        conhecido = self._conhecidos.get(produto_id)
        if conhecido is None:
            if agora < self._ausentes.get(produto_id, agora):
                return ProdutoNaoEncontrado(produto_id)
            return await self._perguntar(produto_id) or CatalogoIndisponivel()
        produto, fresco_ate = conhecido
        if agora < fresco_ate:
            return ofertar(produto, conferido=True)
        if self._fora:
            self._sondar(produto_id, agora)
            return ofertar(produto, conferido=False)
        return await self._perguntar(produto_id) or ofertar(produto, conferido=False)

    async def _perguntar(self, produto_id: int) -> Oferta | Recusa | None:
        """The catalog's word, or None when it cannot be had in time."""
        pergunta = self._perguntas.get(produto_id) or self._iniciar(produto_id)
        restante = self._restante()
        paciencia = PACIENCIA if restante is None else min(PACIENCIA, max(0.0, restante - MARGEM))
        # asyncio.wait leaves the question alone when this caller gives up or is cancelled: others wait for it too.
        await asyncio.wait({pergunta}, timeout=paciencia)
        resposta = pergunta.result() if pergunta.done() else None
        return None if isinstance(resposta, CatalogoIndisponivel) else resposta

    def _sondar(self, produto_id: int, agora: float) -> None:
        if not self._perguntas and agora >= self._calado_ate:
            self._iniciar(produto_id)

    def _iniciar(self, produto_id: int) -> asyncio.Task[Oferta | Recusa]:
        pergunta = asyncio.create_task(self._aprender(produto_id))
        self._perguntas[produto_id] = pergunta
        pergunta.add_done_callback(lambda _: self._perguntas.pop(produto_id))
        return pergunta

    async def _aprender(self, produto_id: int) -> Oferta | Recusa:
        agora = self._clock()  # of the question, so that no answer is taken for younger than it is
        try:
            produto = await self._catalogo.obter_produto(produto_id)
        except CatalogoIndisponivel as recusa:
            self._fora = True
            self._calado_ate = self._clock() + PAUSA
            return recusa
        except ProdutoNaoEncontrado as recusa:
            self._fora = False
            self._conhecidos.pop(produto_id, None)
            _lembrar(self._ausentes, produto_id, agora + VALIDADE_AUSENTE, CAPACIDADE_AUSENTES)
            return recusa
        self._fora = False
        _lembrar(self._conhecidos, produto_id, (produto, agora + VALIDADE), CAPACIDADE)
        return ofertar(produto, conferido=True)


def _lembrar(memoria: dict[int, V], produto_id: int, valor: V, capacidade: int) -> None:
    """A product in use is learnt anew every second, so the first in the dict is the one longest out of use."""
    memoria.pop(produto_id, None)
    memoria[produto_id] = valor
    if len(memoria) > capacidade:
        del memoria[next(iter(memoria))]
