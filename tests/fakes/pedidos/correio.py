"""The outbox and the stream of events in memory, held to the same suite as PostgreSQL and Valkey."""

import asyncio
import json
from collections.abc import Callable, Sequence
from datetime import timedelta

from pedidos import domain
from pedidos.domain import ServicoIndisponivel
from tests.fakes.pedidos.banco import Banco, Evento

FILA = 0.05  # seconds to wait for another relay


class SaidaFake:
    """The outbox of a Banco, as one relay sees it."""

    def __init__(self, banco: Banco) -> None:
        self._banco = banco

    async def passar(self, limite: int, publicar: Callable[[Sequence[domain.Evento]], None]) -> int:
        try:
            await asyncio.wait_for(self._banco.relay.acquire(), FILA)
        except TimeoutError:
            return 0
        try:
            lote = [evento for evento in self._banco.eventos if _chave(evento) not in self._banco.enviados][:limite]
            if lote:
                await asyncio.to_thread(publicar, [_publico(evento) for evento in lote])
            agora = self._banco.relogio.agora()
            self._banco.enviados |= dict.fromkeys(map(_chave, lote), agora)
        finally:
            self._banco.relay.release()
        return len(lote)

    async def limpar(self, segundos: float, limite: int) -> int:
        antes = self._banco.relogio.agora() - timedelta(seconds=segundos)
        primeiros = self._banco.eventos[self._banco.esquecidos :][:limite]
        enviados = [self._banco.enviados.get(_chave(evento)) for evento in primeiros]
        velhos = sum(enviado is not None and enviado < antes for enviado in enviados)
        self._banco.esquecidos += velhos
        return velhos


class JornalFake:
    """The stream: writer and reader in one; `fora`: nobody reaches it. A position counts the events before it."""

    def __init__(self, tamanho: int = 1000) -> None:
        self._tamanho = tamanho
        self._aparados = 0
        self.eventos: list[domain.Evento] = []
        self.fora = False
        self.leituras = 0

    def publicar(self, eventos: Sequence[domain.Evento]) -> None:
        self._alcancar()
        self.eventos += eventos
        sobra = max(0, len(self.eventos) - self._tamanho)
        self._aparados += sobra
        del self.eventos[:sobra]

    async def fim(self) -> str:
        await asyncio.sleep(0)
        self._alcancar()
        return str(self._aparados + len(self.eventos))

    async def depois(self, posicao: str, espera: float) -> tuple[str, list[domain.Evento]]:
        self.leituras += 1
        end = asyncio.get_running_loop().time() + espera
        while True:
            self._alcancar()
            novos = self.eventos[max(0, int(posicao) - self._aparados) :]
            if novos or asyncio.get_running_loop().time() >= end:
                return str(self._aparados + len(self.eventos)) if novos else posicao, novos
            await asyncio.sleep(0.002)

    def _alcancar(self) -> None:
        if self.fora:
            raise ServicoIndisponivel("Valkey") from ConnectionError("away")


def _chave(evento: Evento) -> tuple[str, int]:
    return evento.pedido_id, evento.seq


def _publico(evento: Evento) -> domain.Evento:
    quando = evento.ocorrido_em.isoformat()
    corpo = {"pedido_id": evento.pedido_id, "status": evento.status, "atualizado_em": quando}
    return domain.Evento(evento.pedido_id, evento.seq, evento.tipo.value, json.dumps(corpo), quando)
