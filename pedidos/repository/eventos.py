"""The outbox on PostgreSQL, as the relay sees it.

One transaction takes the lock of all relays, reads, has the events published and marks them. So the lock cannot outlive
its owner: a relay that dies loses its connection, and one that freezes is thrown out of the idle transaction by the
server, after which it can send once more what it held, but mark nothing. Either way the next one sends the same events
again, from the first that was not marked on: repeated, never left out.
"""

from collections.abc import Callable, Sequence
from typing import TypeVar

from psycopg2.errors import LockNotAvailable
from sqlalchemy import Connection

from chassis.group_commit import Run
from chassis.postgres import query
from pedidos.domain import Evento

T = TypeVar("T")

LOCK_PASSAR, LOCK_LIMPAR = 7_304_010, 7_304_011  # advisory, in the database of orders
CONGELADO = 5.0  # seconds after which a relay that froze with the lock loses it; Valkey has half of it to answer
FILA = 1.0  # seconds to wait for the lock

# Reads what is committed and not marked, never beyond a number: ids are drawn before the commit, so a lower one may
# become visible later. Of one order they ascend with seq, because its events are written under the lock of its row,
# and whoever sees one of them sees those before it. The last statement has a snapshot of its own, taken with the lock.
# Nobody waits for the disk: a mark that a crash of the server forgets is one repetition.
LER = """
SET LOCAL synchronous_commit = off;
SET LOCAL idle_in_transaction_session_timeout = %(congelado)s;
SET LOCAL lock_timeout = %(fila)s;
SELECT pg_advisory_xact_lock(%(lock)s);
SELECT id, pedido_id::text, seq, tipo, corpo::text,
       to_char(criado_em AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
  FROM eventos_saida WHERE enviado_em IS NULL ORDER BY id LIMIT %(limite)s
"""
MARCAR = "UPDATE eventos_saida SET enviado_em = clock_timestamp() WHERE id = ANY(%(ids)s) AND enviado_em IS NULL"

TRAVAR_LIMPEZA = "SET LOCAL synchronous_commit = off; SELECT pg_try_advisory_xact_lock(%(lock)s)"
# Looks at no more rows than it may delete, whether they are old enough or not.
LIMPAR = """
DELETE FROM eventos_saida WHERE id IN (
  SELECT id FROM (SELECT id, enviado_em FROM eventos_saida ORDER BY id LIMIT %(limite)s) AS primeiros
   WHERE enviado_em < now() - %(segundos)s * interval '1 second')
RETURNING id
"""


class SaidaPostgres:
    """`run` does a transaction; let it have a connection of its own. `congelado`: seconds."""

    def __init__(self, run: Run, *, congelado: float = CONGELADO) -> None:
        self._run = run
        self._travar = {"lock": LOCK_PASSAR, "fila": int(FILA * 1000), "congelado": int(congelado * 1000)}

    async def passar(self, limite: int, publicar: Callable[[Sequence[Evento]], None]) -> int:
        """As the port says. `publicar` runs again in a rare repetition of the transaction: at least once."""

        def work(connection: Connection) -> int:
            linhas = query(connection, LER, {**self._travar, "limite": limite})
            if linhas:
                publicar([Evento(*linha[1:]) for linha in linhas])
                query(connection, MARCAR, {"ids": [linha[0] for linha in linhas]})
            return len(linhas)

        try:
            return await self._run(work)
        except LockNotAvailable:
            return 0

    async def limpar(self, segundos: float, limite: int) -> int:
        def work(connection: Connection) -> int:
            [(minha,)] = query(connection, TRAVAR_LIMPEZA, {"lock": LOCK_LIMPAR})
            return len(query(connection, LIMPAR, {"segundos": segundos, "limite": limite})) if minha else 0

        return await self._run(work)


def avisando(run: Run, avisar: Callable[[], None]) -> Run:
    """Transactions after each of which the relay is told that there may be something to send."""

    async def run_and_tell(work: Callable[[Connection], T]) -> T:
        result = await run(work)
        avisar()
        return result

    return run_and_tell
