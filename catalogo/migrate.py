"""`python -m catalogo migrate [--seed]`: brings the schema to head and grants the service's role its share.

What is there already costs one query: Alembic and SQLAlchemy are imported only when there is something to do.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import psycopg2
from psycopg2 import sql

if TYPE_CHECKING:
    from sqlalchemy import Connection

MIGRATIONS = Path(__file__).parent / "migrations"
LOCK = 7_304_001  # advisory: two migrations at once wait for each other

# Least privilege: nothing is ever deleted, the ledger is only added to, keys and opening stock never change.
GRANTS = """
GRANT USAGE ON SCHEMA public TO {role};
GRANT SELECT, INSERT ON categorias, produtos, reservas, itens_reserva, movimentos_estoque TO {role};
GRANT UPDATE (nome, descricao, preco_centavos, categoria_id, imagem_url, ativo, versao, reposto, disponivel, reservado,
              vendido, baixado, criacao_chave, criacao_impressao, excluido_em) ON produtos TO {role};
GRANT UPDATE (status, mudada_em) ON reservas TO {role};
GRANT SELECT ON auditoria_estoque TO {role};
"""
GRANTED = "SELECT has_table_privilege(%s, to_regclass('auditoria_estoque'), 'SELECT')"  # the last of the above


class State(NamedTuple):
    """What a database has of what it needs."""

    revision: str | None
    granted: bool
    products: bool


def head() -> str:
    """The newest revision: their files sort by it."""
    return max(path.name for path in (MIGRATIONS / "versions").glob("[0-9]*.py")).partition("_")[0]


def migrate(owner_url: str, role: str, *, seed: bool) -> str:
    """Does what is missing, all of it or nothing, and says what it was. psycopg2.Error when the database refuses."""
    url = owner_url.replace("postgresql+psycopg2://", "postgresql://")
    connection = psycopg2.connect(url, connect_timeout=5)
    try:
        with connection, connection.cursor() as cursor:
            state = _state(cursor, role)
        if _complete(state, seed=seed):
            return f"nothing to do, at {head()}"
        # The session's lock, and then a new transaction: within the one that waited for it, to_regclass() would go
        # on not knowing the tables that the other process made meanwhile.
        with connection, connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_lock(%s)", [LOCK])
        return _bring_up(connection, role, seed=seed)
    finally:
        connection.close()


def _bring_up(dbapi: "psycopg2.extensions.connection", role: str, *, seed: bool) -> str:
    from sqlalchemy import StaticPool, create_engine

    done = []
    engine = create_engine("postgresql+psycopg2://", creator=lambda: dbapi, poolclass=StaticPool)
    with engine.begin() as connection, dbapi.cursor() as cursor:
        before = _state(cursor, role)
        if before.revision != head():
            _upgrade(connection)
            done.append(f"schema {before.revision or 'empty'} -> {head()}")
        cursor.execute(sql.SQL(GRANTS).format(role=sql.Identifier(role)))
        done.append(f"grants to {role}")
        if seed and not before.products:
            from catalogo.seed import load

            done.append(f"{load(cursor)} products")
    return ", ".join(done)


def _complete(state: State, *, seed: bool) -> bool:
    return state.revision == head() and state.granted and (state.products or not seed)


def _state(cursor: "psycopg2.extensions.cursor", role: str) -> State:
    if _one(cursor, "SELECT to_regclass('alembic_version')") is None:
        return State(None, granted=False, products=False)
    revision = _one(cursor, "SELECT max(version_num) FROM alembic_version")
    if revision is None:
        return State(None, granted=False, products=False)
    granted = bool(_one(cursor, GRANTED, [role]))
    return State(revision, granted, bool(_one(cursor, "SELECT EXISTS (SELECT FROM produtos)")))


def _one(cursor: "psycopg2.extensions.cursor", query: str, params: list[Any] | None = None) -> Any:  # noqa: ANN401
    cursor.execute(query, params)
    row = cursor.fetchone()
    return row[0] if row else None


def _upgrade(connection: "Connection") -> None:
    """Runs Alembic on this very connection, inside its transaction."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
