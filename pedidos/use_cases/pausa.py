"""Patience with what is away: a pause that grows up to a limit, and one line in the log when it changes."""

import logging

from pedidos.domain import ServicoIndisponivel

log = logging.getLogger(__name__)

PRIMEIRA = 0.1  # seconds
MAXIMA = 2.0  # seconds: so long after its return, at most, it is used again


class Pausa:
    """`assunto`: what is done with it, as the log will have it."""

    def __init__(self, assunto: str) -> None:
        self._assunto = assunto
        self._segundos = 0.0

    def falhou(self, exc: ServicoIndisponivel) -> float:
        """How many seconds to wait before another attempt."""
        if not self._segundos:
            log.warning("%s: interrupted, %s is away: %s", self._assunto, exc.servico, exc.__cause__)
        self._segundos = min(max(2 * self._segundos, PRIMEIRA), MAXIMA)
        return self._segundos

    def voltou(self) -> None:
        if self._segundos:
            log.info("%s: goes on", self._assunto)
        self._segundos = 0.0
