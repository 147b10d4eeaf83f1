"""What the shop window reads: everything once, then what changed, exactly, from a primary or a standby alike."""

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from sqlalchemy import Connection, text

from catalogo.domain.produtos import Categoria, Produto
from catalogo.repository.rows import CATEGORIA, PRODUTO, categoria_of, produto_of
from catalogo.use_cases import Marca, Mudancas
from chassis.postgres import Isolation, Postgres

T = TypeVar("T")
CHUNK = 1_000  # rows

ONE_SNAPSHOT: Isolation = "REPEATABLE READ"  # for all statements of a reading
# Transaction ids mean something for as long as a server runs: after a restart it may have been rewound to another
# server's history, in which the same ids are other transactions.
MARCA = text("""
SELECT pg_postmaster_start_time()::text AS servidor, atual::text AS instantaneo,
       pg_snapshot_xmin(atual)::text::bigint AS horizonte, pg_snapshot_xmax(atual)::text::bigint AS fim
FROM pg_current_snapshot() atual
""")
CATEGORIAS = f"SELECT {CATEGORIA} FROM categorias"  # noqa: S608  the columns are ours
PRODUTOS = f"SELECT {PRODUTO} FROM produtos p JOIN categorias c USING (categoria_id)"  # noqa: S608
TODAS_AS_CATEGORIAS = text(CATEGORIAS)
TODOS_OS_PRODUTOS = text(PRODUTOS).execution_options(yield_per=CHUNK)
CATEGORIAS_DESDE = text(f"{CATEGORIAS} WHERE mudanca >= :horizonte")
PRODUTOS_DESDE = text(f"{PRODUTOS} WHERE p.mudanca >= :horizonte")


class AlteracoesRepository:
    """The port `Alteracoes` of the window, on a pool of its own: no queue of writers keeps it waiting."""

    def __init__(self, postgres: Postgres) -> None:
        self._postgres = postgres

    async def tudo(self, build: Callable[[Iterable[Categoria], Iterable[Produto]], T]) -> tuple[Marca, T]:
        return await self._postgres.run(lambda connection: _tudo(connection, build), isolation=ONE_SNAPSHOT)

    async def desde(self, marca: Marca) -> Mudancas | None:
        return await self._postgres.run(lambda connection: _desde(connection, marca), isolation=ONE_SNAPSHOT)


def _tudo(connection: Connection, build: Callable[[Iterable[Categoria], Iterable[Produto]], T]) -> tuple[Marca, T]:
    marca, _ = _marca(connection)
    categorias = [categoria_of(row) for row in connection.execute(TODAS_AS_CATEGORIAS)]
    return marca, build(categorias, _all_products(connection))


def _all_products(connection: Connection) -> Iterator[Produto]:
    """By a cursor of the server: 100,000 rows never stand in memory at once."""
    for row in connection.execute(TODOS_OS_PRODUTOS):
        yield produto_of(row)


def _desde(connection: Connection, marca: Marca) -> Mudancas | None:
    """Rows of transactions that were undecided at the mark, or came later: sequence numbers alone would lose some."""
    atual, idle = _marca(connection)
    if atual.servidor != marca.servidor:
        return None
    # Nothing was under way then or now, and nothing ended between. The text alone would not do: on a standby it leaves
    # out which transactions are under way, so that one of several may end without a trace in it.
    if idle and atual.instantaneo == marca.instantaneo:
        return Mudancas(atual)
    since = {"horizonte": marca.horizonte}
    categorias = [categoria_of(row) for row in connection.execute(CATEGORIAS_DESDE, since)]
    produtos = [produto_of(row) for row in connection.execute(PRODUTOS_DESDE, since)]
    return Mudancas(atual, produtos, categorias)


def _marca(connection: Connection) -> tuple[Marca, bool]:
    """The transaction's snapshot, and whether nothing is under way in it."""
    row = connection.execute(MARCA).one()
    return Marca(row.servidor, row.instantaneo, row.horizonte), row.horizonte == row.fim
