"""Following orders: while anybody follows, an instance reads the stream of events, and looks into the database.

The stream tells the changes of every instance within moments, each at least once: what a follower has seen already is
known by the number that each order's events carry, the one thing kept of them. The database is the net below it: looked
at now and then while the stream tells, and several times a second while it does not, with one query for all followed
orders, so that a follower never depends on Valkey. Each follower has a slot of its own and delays nobody.
"""

import asyncio
import logging
import math
from collections import deque
from collections.abc import AsyncGenerator
from contextvars import Context
from dataclasses import dataclass
from typing import Protocol

from pedidos.domain import MuitosAcompanhamentos, PedidoNaoEncontrado, ServicoIndisponivel, Situacao
from pedidos.use_cases.pausa import Pausa
from pedidos.use_cases.ports import Novidades

log = logging.getLogger(__name__)

ESPERA = 0.5  # seconds that one reading of the stream waits for an event
HISTORIA = 8  # changes kept for a slow reader, more than an order has in its life


@dataclass(frozen=True)
class Ritmo:
    """How often the database is asked, in seconds."""

    intervalo: float = 0.2  # without the stream: with the query, a change is seen within half a second
    calma: float = 2.0  # while the stream tells
    suspeita: float = 10.0  # without calm, after the database knew what the stream had not told
    paciencia: float = 15.0  # without an answer, until followers are sent to another instance


class Situacoes(Protocol):
    async def situacoes(self, pedido_ids: list[str]) -> dict[str, Situacao]: ...


class _Vaga:
    """A follower's slot: what it has not read yet, and the number of the last thing put in."""

    def __init__(self, pedido_id: str) -> None:
        self.pedido_id = pedido_id
        self._seq = 0
        self._situacoes: deque[Situacao] = deque(maxlen=HISTORIA)
        self._motivo: Exception | None = None
        self._novidade = asyncio.Event()

    def ver(self, situacao: Situacao) -> bool:
        """Puts a status in, unless it or a later one was; whether it was news.

        The stream repeats itself, tells what the database told before, and a look that began early may end late.
        """
        if situacao.seq <= self._seq:
            return False
        self._seq = situacao.seq
        self._situacoes.append(situacao)
        self._novidade.set()
        return True

    def encerrar(self, motivo: Exception) -> None:
        self._motivo = motivo
        self._novidade.set()

    async def proxima(self) -> Situacao:
        while not self._situacoes:
            if self._motivo is not None:
                raise self._motivo
            self._novidade.clear()
            await self._novidade.wait()
        return self._situacoes.popleft()


class Acompanhamento:
    """`limite`: followers at once."""

    def __init__(self, pedidos: Situacoes, novidades: Novidades, *, limite: int, ritmo: Ritmo | None = None) -> None:
        self._pedidos = pedidos
        self._novidades = novidades
        self._limite = limite
        self._ritmo = ritmo or Ritmo()
        self._vagas: dict[str, set[_Vaga]] = {}
        self._seguidores = 0
        self._tarefas: dict[str, asyncio.Task[None]] = {}
        self._certo = 0.0  # when the last successful round began
        self._confiavel = math.inf  # the stream tells whatever happened after a round that began later than this
        self._pausa = Pausa("following events")

    @property
    def working(self) -> bool:
        """Whether the database and the stream are asked: only while somebody follows."""
        return any(not tarefa.done() for tarefa in self._tarefas.values())

    async def acompanhar(self, pedido_id: str) -> AsyncGenerator[Situacao, None]:
        """The present status, then each later one until a final one; PedidoNaoEncontrado, MuitosAcompanhamentos."""
        vaga = self._sentar(pedido_id)
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
            self._levantar(vaga)

    async def parar(self) -> None:
        """Ends the work at once; followers are gone by then."""
        for tarefa in self._tarefas.values():
            tarefa.cancel()
        await asyncio.gather(*self._tarefas.values(), return_exceptions=True)

    def _sentar(self, pedido_id: str) -> _Vaga:
        if self._seguidores >= self._limite:
            raise MuitosAcompanhamentos(self._limite)
        self._seguidores += 1
        vaga = _Vaga(pedido_id)
        self._vagas.setdefault(pedido_id, set()).add(vaga)
        return vaga

    def _levantar(self, vaga: _Vaga) -> None:
        self._seguidores -= 1
        vagas = self._vagas[vaga.pedido_id]
        vagas.discard(vaga)
        if not vagas:
            del self._vagas[vaga.pedido_id]

    def _comecar(self) -> None:
        for nome, trabalho in (("rondas", self._rondar), ("escuta", self._escutar)):
            if nome not in self._tarefas or self._tarefas[nome].done():
                # In a context of its own: the deadline of the call that happens to be first is not everybody's.
                self._tarefas[nome] = asyncio.get_running_loop().create_task(trabalho(), context=Context())

    async def _escutar(self) -> None:
        """Follows the stream from its present end on; what was before is for a round to tell."""
        while self._vagas:
            try:
                await self._seguir(await self._novidades.fim())
            except ServicoIndisponivel as exc:
                pausa = self._pausa.falhou(exc)
            except Exception:
                log.exception("cannot follow the stream of events")
                pausa = self._ritmo.calma
            else:
                return
            finally:
                self._confiavel = math.inf
            await asyncio.sleep(pausa)

    async def _seguir(self, posicao: str) -> None:
        self._pausa.voltou()
        self._confiavel = _agora()
        while self._vagas:
            posicao, eventos = await self._novidades.depois(posicao, ESPERA)
            for evento in eventos:
                if evento.pedido_id in self._vagas:
                    self._contar(evento.situacao())

    async def _rondar(self) -> None:
        self._certo = _agora()
        while self._vagas:
            await asyncio.sleep(self._ritmo.intervalo)
            inicio = _agora()
            if self._confiavel < self._certo and inicio - self._certo < self._ritmo.calma:
                continue
            if await self._ronda():
                self._certo = inicio
            elif inicio - self._certo > self._ritmo.paciencia:
                self._encerrar()

    async def _ronda(self) -> bool:
        """Tells each follower what is new; False when nobody could be asked, which alone must not end the streams."""
        confiava = self._confiavel < self._certo
        try:
            situacoes = await self._pedidos.situacoes(list(self._vagas))
        except ServicoIndisponivel:  # the health probe tells it
            return False
        except Exception:
            log.exception("cannot see how the followed orders stand")
            return False
        novas = [situacao for situacao in situacoes.values() if self._contar(situacao)]
        if novas and confiava and self._confiavel < math.inf:
            self._confiavel = _agora() + self._ritmo.suspeita
        return True

    def _contar(self, situacao: Situacao) -> bool:
        """Tells all who follow the order; whether it was news to anybody."""
        return sum(vaga.ver(situacao) for vaga in self._vagas.get(situacao.pedido_id, ())) > 0

    def _encerrar(self) -> None:
        for vagas in self._vagas.values():
            for vaga in vagas:
                vaga.encerrar(ServicoIndisponivel("banco de dados"))


def _agora() -> float:
    return asyncio.get_running_loop().time()
