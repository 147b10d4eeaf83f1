"""Steps of every kind share a transaction (what that may not cost: test_durability)."""

import asyncio
from collections.abc import Sequence

from sqlalchemy import Connection

from chassis.postgres import Postgres, query
from pedidos.repository import transactions
from pedidos.repository.fila import Fila


def transaction(connection: Connection, numbers: Sequence[int]) -> list[tuple[int, int]]:
    """Each number with the transaction that it was worked on in."""
    (row,) = query(connection, "SELECT CAST(CAST(pg_current_xact_id() AS text) AS bigint) AS id")
    return [(number, row.id) for number in numbers]


def twice(connection: Connection, numbers: Sequence[int]) -> list[tuple[int, int]]:
    return transaction(connection, [2 * number for number in numbers])


async def test_each_step_gets_the_result_of_its_own_kind(postgres: Postgres) -> None:
    fila = Fila(transactions(postgres))
    passos = (fila.passo(transaction), fila.passo(twice))
    found = await asyncio.gather(*(passo(n) for n in range(20) for passo in passos))
    assert [number for number, _ in found] == [result for n in range(20) for result in (n, 2 * n)]
    assert len({xact for _, xact in found}) == 1, "what waited together did not share a transaction"
