"""Finishes or compensates what a crash or an absent neighbour left behind; any number of instances may run it."""

import asyncio
import logging
from collections.abc import Awaitable, Iterable
from contextlib import suppress

from pedidos.domain import Compra, ServicoIndisponivel
from pedidos.use_cases.checkout import Checkout
from pedidos.use_cases.mudancas import Mudancas
from pedidos.use_cases.ports import Compras, Pedidos

log = logging.getLogger(__name__)

INTERVALO = 1.0  # seconds between two looks for work
ESPERA = 1.0  # seconds before an attempt whose neighbour is away is tried again
LOTE = 32  # attempts taken at once
LIMPEZA = 600.0  # seconds between two cleanings of failed attempts


class Completer:
    def __init__(self, compras: Compras, pedidos: Pedidos, checkout: Checkout, mudancas: Mudancas) -> None:
        self._compras = compras
        self._pedidos = pedidos
        self._checkout = checkout
        self._mudancas = mudancas
        self._proxima_limpeza = 0.0

    async def run(self) -> None:
        """Works until it is cancelled; nothing that goes wrong ends it."""
        while True:
            try:
                cheio = await self.passada()
            except ServicoIndisponivel:
                cheio = False  # the health probe tells it; the next look comes soon
            except Exception:
                log.exception("the completer stumbled")
                cheio = False
            if not cheio:
                await asyncio.sleep(INTERVALO)

    async def passada(self) -> bool:
        """Takes what is overdue and works on it; True when there may be more."""
        compras = await self._compras.vencidas(LOTE)
        devolver = await self._pedidos.a_devolver(LOTE)
        await _todos(self._completar(compra) for compra in compras)
        await _todos(self._devolver(pedido_id) for pedido_id in devolver)
        await self._limpar()
        return LOTE in (len(compras), len(devolver))

    async def _completar(self, compra: Compra) -> None:
        try:
            fim = await self._checkout.conduzir(compra)
        except ServicoIndisponivel:
            with suppress(ServicoIndisponivel):
                await self._compras.soltar(compra, ESPERA)
        except Exception:
            log.exception("cannot complete order %s", compra.pedido_id)  # its lease runs out, then it is tried again
        else:
            log.info("completed order %s: %s -> %s", compra.pedido_id, compra.etapa, fim.etapa)

    async def _devolver(self, pedido_id: str) -> None:
        try:
            await self._mudancas.devolver(pedido_id)
        except ServicoIndisponivel:
            pass  # the debt stays, its lease runs out, then it is tried again
        except Exception:
            log.exception("cannot give back the stock of order %s", pedido_id)

    async def _limpar(self) -> None:
        agora = asyncio.get_running_loop().time()
        if agora >= self._proxima_limpeza:
            self._proxima_limpeza = agora + LIMPEZA
            await self._compras.limpar()


async def _todos(trabalhos: Iterable[Awaitable[None]]) -> None:
    await asyncio.gather(*trabalhos)
