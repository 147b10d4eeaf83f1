"""The neighbours that the gateway's panel asks, in memory."""

from __future__ import annotations

import asyncio

from gateway.domain import PARTES


class VizinhosFake:
    """Everybody serves until told otherwise; `perguntas` counts the questions by name."""

    def __init__(self) -> None:
        self.detalhes: dict[str, str | None] = dict.fromkeys(PARTES)
        self.presos: set[str] = set()  # who takes for ever
        self.perguntas: dict[str, int] = dict.fromkeys(PARTES, 0)

    async def perguntar(self, nome: str) -> str | None:
        self.perguntas[nome] += 1
        while nome in self.presos:  # noqa: ASYNC110  a hang is what is meant
            await asyncio.sleep(0.01)
        return self.detalhes[nome]
