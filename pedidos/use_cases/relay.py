"""Carries events from the outbox to the stream; any number of instances may run it, one of them at a time does."""

import asyncio
import logging

from pedidos.domain import ServicoIndisponivel
from pedidos.use_cases.pausa import Pausa
from pedidos.use_cases.ports import Jornal, Saida

log = logging.getLogger(__name__)

LOTE = 500  # events at once: a few hundred kilobytes, for which Valkey stands still for a millisecond
ESPACO = 0.1  # seconds after a pass in which more events gather for the next one
INTERVALO = 1.0  # seconds between two passes when nobody said that there is something: for those who died
LIMPEZA = 10.0  # seconds between two cleanings, unless there is more to clean
LOTE_LIMPEZA = 1000  # events forgotten at once


class Relay:
    """`manter`: seconds for which an event that was sent stays in the outbox."""

    def __init__(self, saida: Saida, jornal: Jornal, *, manter: float) -> None:
        self._saida = saida
        self._jornal = jornal
        self._manter = manter
        self._novidade = asyncio.Event()
        self._pausa = Pausa("sending events")
        self._proxima_limpeza = 0.0

    def acordar(self) -> None:
        """There may be something to send."""
        self._novidade.set()

    async def run(self) -> None:
        """Works until it is cancelled; nothing that goes wrong ends it."""
        while True:
            self._novidade.clear()
            try:
                enviados = await self.passada()
                await self._limpar()
            except ServicoIndisponivel as exc:
                await asyncio.sleep(self._pausa.falhou(exc))
            except Exception:
                log.exception("the relay stumbled")
                await asyncio.sleep(INTERVALO)
            else:
                self._pausa.voltou()
                await self._descansar(cheia=enviados == LOTE)

    async def passada(self) -> int:
        """Sends what is there, up to a batch; how many."""
        return await self._saida.passar(LOTE, self._jornal.publicar)

    async def _descansar(self, *, cheia: bool) -> None:
        """After a full batch there is more, of an absence perhaps: yet the orders of now want the processor too."""
        await asyncio.sleep(ESPACO / 5 if cheia else ESPACO)
        if not cheia:
            try:
                async with asyncio.timeout(INTERVALO - ESPACO):
                    await self._novidade.wait()
            except TimeoutError:
                pass

    async def _limpar(self) -> None:
        agora = asyncio.get_running_loop().time()
        if agora >= self._proxima_limpeza:
            apagados = await self._saida.limpar(self._manter, LOTE_LIMPEZA)
            self._proxima_limpeza = agora + (0.0 if apagados == LOTE_LIMPEZA else LIMPEZA)
