"""Whether this process's database takes writes: what the health name catalogo.escrita says."""

from sqlalchemy import Connection, text

from chassis.postgres import Postgres

PROBE = text("SELECT pg_is_in_recovery() AS standby, current_setting('transaction_read_only') = 'on' AS read_only")


class Writable:
    """Asks on a connection of its own: behind a queue of writers it would call a busy database a dead one."""

    def __init__(self, postgres: Postgres) -> None:
        self._postgres = postgres

    async def probe(self) -> str | None:
        return await self._postgres.run(_why_not)


def _why_not(connection: Connection) -> str | None:
    row = connection.execute(PROBE).one()
    if row.standby:
        return "o banco de dados é uma cópia"
    return "o banco de dados só aceita leituras" if row.read_only else None
