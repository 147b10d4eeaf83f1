"""One queue for the steps of all attempts: whatever waits, of every kind, shares one transaction and one commit."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

from sqlalchemy import Connection

from chassis.group_commit import GroupCommit, Run
from pedidos.domain import ServicoIndisponivel

A = TypeVar("A")
R = TypeVar("R")

Trabalho = Callable[[Connection, Sequence[Any]], Sequence[Any]]  # one result for each argument


class Fila:
    """A queue a kind would mean a connection, a commit and a wait for the disk a kind, for a few rows each."""

    def __init__(self, run: Run) -> None:
        # `run` tells an outcome that nobody knows in this service's own words.
        self._lote: GroupCommit[tuple[Trabalho, Any], Any] = GroupCommit(run, _fazer, uncertain=(ServicoIndisponivel,))

    def passo(
        self, trabalho: Callable[[Connection, Sequence[A]], Sequence[R]], *, comeca: bool = False
    ) -> Callable[[A], Awaitable[R]]:
        """`trabalho` as a call for one argument. Only a step that begins an attempt may be refused for a full queue:
        what was begun is let through to its end, and is bounded by what was let in.
        """

        async def chamar(argumento: A) -> R:
            feito: R = await self._lote((trabalho, argumento), always=not comeca)
            return feito

        return chamar


def _fazer(connection: Connection, lote: Sequence[tuple[Trabalho, Any]]) -> list[Any]:
    """Each kind as one batch. No attempt has two steps under way, so the order of the kinds is nobody's business."""
    por_trabalho: dict[Trabalho, list[int]] = {}
    for lugar, (trabalho, _) in enumerate(lote):
        por_trabalho.setdefault(trabalho, []).append(lugar)
    feitos: list[Any] = [None] * len(lote)
    for trabalho, lugares in por_trabalho.items():
        resultados = trabalho(connection, [lote[lugar][1] for lugar in lugares])
        for lugar, resultado in zip(lugares, resultados, strict=True):
            feitos[lugar] = resultado
    return feitos
