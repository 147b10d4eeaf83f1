"""One queue for the steps of all attempts: whatever waits, of every kind, shares one transaction and one commit."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, NamedTuple, TypeVar

from sqlalchemy import Connection

from chassis.group_commit import GroupCommit, Run
from chassis.postgres import query
from pedidos.domain import ServicoIndisponivel

A = TypeVar("A")
R = TypeVar("R")

Trabalho = Callable[[Connection, Sequence[Any]], Sequence[Any]]  # one result for each argument

SEM_ESPERAR_DISCO = "SET LOCAL synchronous_commit = off"


class Passo(NamedTuple):
    """One step that waits. A crash of the database may forget one that is `esquecivel`: it is then done again."""

    trabalho: Trabalho
    argumento: Any
    esquecivel: bool


class Fila:
    """A queue a kind would mean a connection, a commit and a wait for the disk a kind, for a few rows each."""

    def __init__(self, run: Run) -> None:
        # `run` tells an outcome that nobody knows in this service's own words.
        self._lote: GroupCommit[Passo, Any] = GroupCommit(run, fazer, uncertain=(ServicoIndisponivel,))

    def passo(
        self,
        trabalho: Callable[[Connection, Sequence[A]], Sequence[R]],
        *,
        comeca: bool = False,
        esquecivel: bool = False,
    ) -> Callable[[A], Awaitable[R]]:
        """`trabalho` as a call for one argument. Only a step that begins an attempt (`comeca`) may be refused for a
        full queue: what was begun is let through to its end, and is bounded by what was let in.
        """

        async def chamar(argumento: A) -> R:
            feito: R = await self._lote(Passo(trabalho, argumento, esquecivel), always=not comeca)
            return feito

        return chamar


def fazer(connection: Connection, lote: Sequence[Passo]) -> list[Any]:
    """Each kind as one batch. No attempt has two steps under way, so the order of the kinds is nobody's business."""
    if all(passo.esquecivel for passo in lote):
        query(connection, SEM_ESPERAR_DISCO)
    por_trabalho: dict[Trabalho, list[int]] = {}
    for lugar, passo in enumerate(lote):
        por_trabalho.setdefault(passo.trabalho, []).append(lugar)
    feitos: list[Any] = [None] * len(lote)
    for trabalho, lugares in por_trabalho.items():
        resultados = trabalho(connection, [lote[lugar].argumento for lugar in lugares])
        for lugar, resultado in zip(lugares, resultados, strict=True):
            feitos[lugar] = resultado
    return feitos
