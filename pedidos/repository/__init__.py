"""The ports Compras and Pedidos on PostgreSQL."""

from collections.abc import Callable
from typing import TypeVar

from sqlalchemy import Connection

from chassis.errors import DeadlineExceeded, Unavailable
from chassis.group_commit import Run
from chassis.postgres import Postgres
from pedidos.domain import ServicoIndisponivel
from pedidos.repository.compras import ComprasPostgres
from pedidos.repository.pedidos import PedidosPostgres

__all__ = ["ComprasPostgres", "PedidosPostgres", "transactions"]

T = TypeVar("T")


def transactions(postgres: Postgres) -> Run:
    """Transactions whose uncertain outcomes carry this service's own name."""

    async def run(work: Callable[[Connection], T]) -> T:
        try:
            return await postgres.run(work)
        except (Unavailable, DeadlineExceeded) as exc:
            raise ServicoIndisponivel("banco de dados") from exc

    return run
