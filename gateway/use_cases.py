"""The panel of the shop's health: asks every part again and again, so that an answer costs nothing."""

import asyncio
from collections.abc import Sequence
from typing import Protocol

from gateway.domain import EU, PARTES, Estado, Situacao

# Seconds between two questions. What the panel shows is that old, and up to a second more while an answer does not come
# (clients.py). A part that does not serve is asked more often: somebody waits for it.
INTERVALO = 0.25
PRESSA = 0.05


class Vizinhos(Protocol):
    """The neighbours, as their callers meet them."""

    async def perguntar(self, nome: str) -> str | None:
        """None when `nome`, a health name, serves; else what is wrong, in Portuguese. Answers within a second."""
        ...


class Painel:
    """`situacoes` is a new tuple whenever something changed, and the same object until then."""

    def __init__(self, vizinhos: Vizinhos, partes: Sequence[str] = PARTES) -> None:
        self._vizinhos = vizinhos
        self._partes = {nome: Situacao(nome, Estado.AINDA_NAO, "ainda não verificado") for nome in partes}
        self.situacoes = self._todas()

    async def vigiar(self) -> None:
        """Runs for ever, each part in a task of its own: one that hangs delays no other."""
        async with asyncio.TaskGroup() as tarefas:
            for nome in self._partes:
                tarefas.create_task(self._vigiar(nome))

    async def _vigiar(self, nome: str) -> None:
        while True:
            detalhe = await self._vizinhos.perguntar(nome)
            self._anotar(Situacao(nome, Estado.NOT_SERVING if detalhe else Estado.SERVING, detalhe or ""))
            await asyncio.sleep(PRESSA if detalhe else INTERVALO)

    def _anotar(self, situacao: Situacao) -> None:
        if self._partes[situacao.nome] != situacao:
            self._partes[situacao.nome] = situacao
            self.situacoes = self._todas()

    def _todas(self) -> tuple[Situacao, ...]:
        return (*self._partes.values(), Situacao(EU, Estado.SERVING))
