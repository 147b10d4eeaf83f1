"""`python -m pedidos migrate`: brings the schema to its head with the owner's role, and lets the service's role use it.

A schema that is there already costs one query: Alembic and SQLAlchemy are imported only when there is something to do.
"""

from pathlib import Path

import psycopg2
from psycopg2 import sql
from psycopg2.extensions import connection as Connection  # noqa: N812  psycopg2 writes its classes small

FOLDER = Path(__file__).parent / "migrations"
HEAD = max(path.name for path in (FOLDER / "versions").glob("[0-9]*.py")).partition("_")[0]
LOCK = 7_304_002  # advisory: of two that migrate at once one waits

# The service may not rewrite what an order held; it forgets only failed attempts and events that were passed on.
GRANTS = """
GRANT USAGE ON SCHEMA public TO {role};
GRANT SELECT, INSERT, UPDATE, DELETE ON compras, eventos_saida TO {role};
GRANT SELECT, INSERT ON pedidos, itens_pedido TO {role};
GRANT UPDATE (status, eventos, atualizado_em, motivo_cancelamento, devolver_em) ON pedidos TO {role};
"""
STATE = """SELECT to_regclass('alembic_version') IS NOT NULL AND to_regclass('itens_pedido') IS NOT NULL,
                  coalesce(has_table_privilege(%s, to_regclass('itens_pedido'), 'INSERT'), false)"""


def migrate(owner_url: str, role: str) -> str:
    """What was done, in one line. Idempotent, and safe when run twice at once; psycopg2.Error."""
    connection = psycopg2.connect(owner_url.replace("postgresql+psycopg2://", "postgresql://"), connect_timeout=5)
    try:
        if _revision(connection, role) == (HEAD, True):
            return f"nothing to do, at {HEAD}"
        return _bring_up(connection, role)
    finally:
        connection.close()


def _revision(connection: Connection, role: str) -> tuple[str | None, bool]:
    """Where the schema stands, and whether the service's role may use it."""
    with connection, connection.cursor() as cursor:
        cursor.execute(STATE, [role])
        there, granted = cursor.fetchone() or (False, False)
        if not there:
            return None, False
        cursor.execute("SELECT max(version_num) FROM alembic_version")
        row = cursor.fetchone()
        return (row[0] if row else None), granted


def _bring_up(raw: Connection, role: str) -> str:
    from alembic import command
    from alembic.config import Config
    from sqlalchemy import StaticPool, create_engine

    engine = create_engine("postgresql+psycopg2://", creator=lambda: raw, poolclass=StaticPool)
    config = Config()
    config.set_main_option("script_location", str(FOLDER).replace("%", "%%"))
    with engine.begin() as connection, raw.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
        config.attributes["connection"] = connection
        command.upgrade(config, "head")  # finds nothing to do when somebody else was quicker
        cursor.execute(sql.SQL(GRANTS).format(role=sql.Identifier(role)))
    return f"schema brought to {HEAD}, open to {role}"
