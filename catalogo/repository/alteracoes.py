"""What the shop window reads: everything once, then what changed, exactly, from a primary or a standby alike."""

from collections.abc import Callable, Collection, Iterable, Iterator
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
SELECT pg_postmaster_start_time()::text AS servidor, atual::text AS instantaneo, pg_is_in_recovery() AS copia,
       pg_snapshot_xmin(atual)::text::bigint AS horizonte, pg_snapshot_xmax(atual)::text::bigint AS fim
FROM pg_current_snapshot() atual
""")
LINHA = text("""
SELECT greatest((SELECT max(linha) FROM produtos), (SELECT max(linha) FROM categorias), 0)
""")
# A snapshot of a copy leaves out which transactions are under way, so that one above the oldest of them may be there or
# not. This asks the log of commits; what it calls committed every later snapshot sees. Numbers yet to come it refuses.
VISTAS = text("""
SELECT transacao FROM unnest(CAST(:esperadas AS bigint[])) transacao
WHERE CASE WHEN transacao < pg_snapshot_xmax(pg_current_snapshot())::text::bigint
           THEN pg_xact_status(transacao::text::xid8) = 'committed' END
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

    async def desde(self, marca: Marca, esperadas: Collection[int] = ()) -> Mudancas | None:
        run, vistas = self._postgres.run, frozenset[int]()
        if esperadas and marca.copia:  # a transaction of its own, over before the reading's snapshot is taken
            vistas = await run(lambda connection: _vistas(connection, esperadas))
        return await run(lambda connection: _desde(connection, marca, vistas), isolation=ONE_SNAPSHOT)


def _vistas(connection: Connection, esperadas: Collection[int]) -> frozenset[int]:
    return frozenset(connection.execute(VISTAS, {"esperadas": list(esperadas)}).scalars())


def _tudo(connection: Connection, build: Callable[[Iterable[Categoria], Iterable[Produto]], T]) -> tuple[Marca, T]:
    marca, _ = _marca(connection)
    marca = marca._replace(linha=connection.execute(LINHA).scalar_one())
    categorias = [categoria_of(row) for row in connection.execute(TODAS_AS_CATEGORIAS)]
    return marca, build(categorias, _all_products(connection))


def _all_products(connection: Connection) -> Iterator[Produto]:
    """By a cursor of the server: 100,000 rows never stand in memory at once."""
    for row in connection.execute(TODOS_OS_PRODUTOS):
        yield produto_of(row)


def _desde(connection: Connection, marca: Marca, vistas: frozenset[int]) -> Mudancas | None:
    """Rows of transactions that were undecided at the mark, or came later: sequence numbers alone would lose some."""
    atual, idle = _marca(connection)
    if atual.servidor != marca.servidor:
        return None
    # Nothing was under way then or now, and nothing ended between. The text alone would not do: on a standby it leaves
    # out which transactions are under way, so that one of several may end without a trace in it.
    if idle and atual.instantaneo == marca.instantaneo:
        return Mudancas(atual._replace(linha=marca.linha))
    since = {"horizonte": marca.horizonte}
    categorias = [categoria_of(row) for row in connection.execute(CATEGORIAS_DESDE, since)]
    produtos = [produto_of(row) for row in connection.execute(PRODUTOS_DESDE, since)]
    momentos = [*(each.momento for each in categorias), *(each.momento for each in produtos)]
    linha = max((momento.linha for momento in momentos), default=0)
    vistas |= {transacao for transacao in marca.vistas if transacao >= atual.horizonte}  # the others need no mention
    return Mudancas(atual._replace(linha=max(linha, marca.linha), vistas=vistas), produtos, categorias)


def _marca(connection: Connection) -> tuple[Marca, bool]:
    """The transaction's snapshot, and whether nothing is under way in it."""
    row = connection.execute(MARCA).one()
    abertas = _abertas(row.instantaneo)
    return Marca(row.servidor, row.instantaneo, row.horizonte, row.fim, abertas, row.copia), row.horizonte == row.fim


def _abertas(instantaneo: str) -> frozenset[int]:
    """The transactions under way, from the text of a snapshot: xmin:xmax:one,another."""
    return frozenset(int(number) for number in instantaneo.rpartition(":")[2].split(",") if number)
