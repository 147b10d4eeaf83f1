"""Following orders: one poller per instance, while anybody follows, with one query for all followed orders.

Polling sees the changes of every instance alike and costs one indexed query per round, however many follow. Each
follower has a slot of its own that holds only the latest status: one who reads slowly misses intermediate statuses,
as the contract allows, and delays nobody.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextvars import Context
from typing import Protocol

from pedidos.domain import MuitosAcompanhamentos, PedidoNaoEncontrado, ServicoIndisponivel, Situacao

log = logging.getLogger(__name__)

INTERVALO = 0.2  # seconds between two rounds: with the query, a change is seen within half a second
PACIENCIA = 15.0  # seconds without a successful round before followers are sent to another instance


class Situacoes(Protocol):
    async def situacoes(self, pedido_ids: list[str]) -> dict[str, Situacao]: ...


class _Vaga:
    """A follower's slot: the latest status, and whether it was read."""

    def __init__(self, pedido_id: str) -> None:
        self.pedido_id = pedido_id
        self._ultima: Situacao | None = None
        self._motivo: Exception | None = None
        self._novidade = asyncio.Event()

    def ver(self, situacao: Situacao) -> None:
        """Puts a status in, unless a later one was seen: a round may have begun before the follower's own look."""
        if self._ultima is None or situacao.atualizado_em > self._ultima.atualizado_em:
            self._ultima = situacao
            self._novidade.set()

    def encerrar(self, motivo: Exception) -> None:
        self._motivo = motivo
        self._novidade.set()

    async def proxima(self) -> Situacao:
        await self._novidade.wait()
        self._novidade.clear()
        if self._motivo is not None:
            raise self._motivo
        assert self._ultima is not None
        return self._ultima


class Acompanhamento:
    def __init__(
        self, pedidos: Situacoes, *, limite: int, intervalo: float = INTERVALO, paciencia: float = PACIENCIA
    ) -> None:
        self._pedidos = pedidos
        self._limite = limite
        self._intervalo = intervalo
        self._paciencia = paciencia
        self._vagas: set[_Vaga] = set()
        self._rondas: asyncio.Task[None] | None = None

    @property
    def polling(self) -> bool:
        """Whether the database is being asked: only while somebody follows."""
        return self._rondas is not None

    async def acompanhar(self, pedido_id: str) -> AsyncGenerator[Situacao, None]:
        """The present status, then each later one until a final one; PedidoNaoEncontrado, MuitosAcompanhamentos."""
        if len(self._vagas) >= self._limite:
            raise MuitosAcompanhamentos(self._limite)
        vaga = _Vaga(pedido_id)
        self._vagas.add(vaga)
        try:
            presentes = await self._pedidos.situacoes([pedido_id])
            if pedido_id not in presentes:
                raise PedidoNaoEncontrado(pedido_id)
            vaga.ver(presentes[pedido_id])
            self._comecar()
            while True:
                situacao = await vaga.proxima()
                yield situacao
                if situacao.status.final:
                    return
        finally:
            self._vagas.discard(vaga)

    def _comecar(self) -> None:
        if self._rondas is None:
            # In a context of its own: the deadline of the call that happens to be first is not the poller's.
            self._rondas = asyncio.get_running_loop().create_task(self._rondar(), context=Context())

    async def _rondar(self) -> None:
        relogio = asyncio.get_running_loop().time
        certo = relogio()
        try:
            while self._vagas:
                await asyncio.sleep(self._intervalo)
                if await self._ronda():
                    certo = relogio()
                elif relogio() - certo > self._paciencia:
                    self._encerrar()
        finally:
            self._rondas = None

    async def _ronda(self) -> bool:
        """Tells each follower what is new; False when nobody could be asked, which alone must not end the streams."""
        try:
            situacoes = await self._pedidos.situacoes(list({vaga.pedido_id for vaga in self._vagas}))
        except ServicoIndisponivel:  # the health probe tells it
            return False
        except Exception:
            log.exception("cannot see how the followed orders stand")
            return False
        for vaga in self._vagas:
            if vaga.pedido_id in situacoes:
                vaga.ver(situacoes[vaga.pedido_id])
        return True

    def _encerrar(self) -> None:
        for vaga in self._vagas:
            vaga.encerrar(ServicoIndisponivel("banco de dados"))
