"""Stock and reservations in PostgreSQL: commands are decided together, under lock, and written by one statement.

Everything here takes a list of commands. Locks are always taken in the same order, reservations by id and then
products by id, so that transactions wait for each other and never in a circle. What is written is relative to the row
(`disponivel = disponivel + delta`) and guarded by the schema's CHECKs and unique keys: a decision that was wrong
in spite of the locks would be refused, not stored.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import cache
from itertools import groupby
from operator import attrgetter
from typing import Any, NamedTuple, TypeVar
from uuid import UUID

from psycopg2.errors import IntegrityError
from sqlalchemy import Connection

from catalogo.domain.errors import CatalogoError
from catalogo.domain.estoque import (
    Ajustado,
    Ajustar,
    Comando,
    Consultar,
    ItemReserva,
    Livro,
    Operacao,
    Reserva,
    Reservar,
    Saldo,
    StatusReserva,
)
from catalogo.domain.produtos import Produto
from catalogo.repository.rows import PRODUTO, ler, produto_of
from catalogo.use_cases import Feito
from chassis.errors import RETRY_AFTER, Unavailable
from chassis.group_commit import GroupCommit
from chassis.postgres import Postgres, query

T = TypeVar("T")

LARGEST = 192  # commands a transaction: more would hardly be cheaper each, and would hold the rows for longer
QUEUE = 256  # commands that wait: more than a batch's worth, some tens of milliseconds
ATTEMPTS = 4  # of a batch that was overtaken
KEYS = frozenset({"reservas_pkey", "itens_reserva_pkey", "movimentos_chave"})

RESERVAS = """
WITH r AS MATERIALIZED (
  SELECT reserva_id, status, expira_em FROM reservas
  WHERE reserva_id = ANY(CAST(%(ids)s AS uuid[])) ORDER BY reserva_id FOR UPDATE
)
SELECT r.*, i.produto_id, i.nome, i.preco_centavos, i.quantidade
FROM r LEFT JOIN itens_reserva i USING (reserva_id) ORDER BY r.reserva_id, i.produto_id
"""
EXISTEM = "SELECT EXISTS (SELECT FROM reservas WHERE reserva_id = ANY(CAST(%(ids)s AS uuid[]))) AS existe"
# Materialised: the last row's clock is read after the last lock was waited for.
SALDOS = """
WITH p AS MATERIALIZED (
  SELECT produto_id, nome, preco_centavos, ativo, excluido_em IS NOT NULL AS excluido, disponivel FROM produtos
  WHERE produto_id = ANY(CAST(%(ids)s AS integer[])) ORDER BY produto_id FOR NO KEY UPDATE
)
SELECT p.*, clock_timestamp() AS agora FROM p
"""
AJUSTADOS = """
SELECT chave, produto_id, operacao, quantidade FROM movimentos_estoque WHERE chave = ANY(CAST(%(chaves)s AS text[]))
"""
# What is written goes in one statement, put together from the parts that have something to write.
MOVIMENTOS = """
WITH m AS (
  SELECT * FROM unnest(
    CAST(%(produto_ids)s AS integer[]), CAST(%(operacoes)s AS text[]), CAST(%(chaves)s AS text[]),
    CAST(%(quens)s AS text[]),
    CAST(%(quantidades)s AS integer[]), CAST(%(repostos)s AS integer[]), CAST(%(disponiveis)s AS integer[]),
    CAST(%(reservados)s AS integer[]), CAST(%(vendidos)s AS integer[]), CAST(%(baixados)s AS integer[])
  ) AS m (produto_id, operacao, chave, quem, quantidade, reposto, disponivel, reservado, vendido, baixado)
), movimento AS (
  INSERT INTO movimentos_estoque
    (produto_id, operacao, chave, quem, quantidade, reposto, disponivel, reservado, vendido, baixado)
  SELECT produto_id, operacao, coalesce(chave, 'estoque:' || gen_random_uuid()), quem, quantidade,
         reposto, disponivel, reservado, vendido, baixado
  FROM m ORDER BY chave
), delta AS (
  SELECT produto_id, sum(reposto) AS reposto, sum(disponivel) AS disponivel, sum(reservado) AS reservado,
         sum(vendido) AS vendido, sum(baixado) AS baixado
  FROM m GROUP BY produto_id
), """
NOVAS = """
nova AS (
  INSERT INTO reservas (reserva_id, status, expira_em)
  SELECT * FROM unnest(CAST(%(novas)s AS uuid[]), CAST(%(novos_status)s AS text[]),
                       CAST(%(vencimentos)s AS timestamptz[]))
    AS n (reserva_id, status, expira_em) ORDER BY reserva_id
), item AS (
  INSERT INTO itens_reserva (reserva_id, produto_id, nome, preco_centavos, quantidade)
  SELECT * FROM unnest(CAST(%(item_reservas)s AS uuid[]), CAST(%(item_produtos)s AS integer[]),
                       CAST(%(item_nomes)s AS text[]), CAST(%(item_precos)s AS integer[]),
                       CAST(%(item_quantidades)s AS integer[])) ORDER BY 1, 2
), """
MUDADAS = """
mudada AS (
  UPDATE reservas r SET status = n.status, mudada_em = clock_timestamp()
  FROM unnest(CAST(%(mudadas)s AS uuid[]), CAST(%(mudados_status)s AS text[])) AS n (reserva_id, status)
  WHERE r.reserva_id = n.reserva_id
), """
SALDOS_NOVOS = f"""
p AS (
  UPDATE produtos a SET reposto = a.reposto + d.reposto, disponivel = a.disponivel + d.disponivel,
    reservado = a.reservado + d.reservado, vendido = a.vendido + d.vendido, baixado = a.baixado + d.baixado
  FROM delta d WHERE a.produto_id = d.produto_id
  RETURNING a.*
)
SELECT {PRODUTO} FROM p JOIN categorias c USING (categoria_id)
"""  # noqa: S608  the columns are ours


HA_VENCIDAS = """
SELECT NOT pg_is_in_recovery()
  AND EXISTS (SELECT FROM reservas WHERE status = 'ATIVA' AND expira_em <= clock_timestamp()) AS ha
"""
VENCIDAS = """
SELECT reserva_id FROM reservas WHERE status = 'ATIVA' AND expira_em <= clock_timestamp()
ORDER BY expira_em LIMIT %(limite)s FOR UPDATE SKIP LOCKED
"""

FREE_TEXT = frozenset({"quens", "item_nomes"})  # columns that only the driver may quote
NO_LOCK = datetime.min.replace(tzinfo=UTC)  # the clock of a transaction that holds no product: it compares with nothing


class Overtaken(Exception):  # noqa: N818  named after what happened
    """Another transaction committed one of these keys after this one had looked for it; run again, it sees it."""


class EstoqueRepository:
    """The port `Estoque`. Commands that arrive together are one batch, of `largest` at most; `queue` of them may wait.

    Several of these, in this process or in others, may share a database: the row locks decide between them.
    """

    def __init__(self, postgres: Postgres, *, largest: int = LARGEST, queue: int = QUEUE) -> None:
        self._postgres = postgres
        self._lote: GroupCommit[Comando, Feito] = GroupCommit(self._run, _feitos_de, largest=largest, queue=queue)

    async def executar(self, comando: Comando) -> Feito:
        """Also Exhausted, at once, when `queue` commands wait already."""
        try:
            return await self._lote(comando)
        except Overtaken as exc:
            raise Unavailable("Muitas requisições com a mesma chave ao mesmo tempo.", RETRY_AFTER) from exc

    async def vencidas(self, limite: int, quem: str) -> tuple[int, Sequence[Produto]]:
        return await self._postgres.run(lambda connection: _expirar(connection, limite, quem))

    async def _run(self, work: Callable[[Connection], T]) -> T:
        for _ in range(1, ATTEMPTS):
            with suppress(Overtaken):
                return await self._postgres.run(work)
        return await self._postgres.run(work)


class Lote(NamedTuple):
    """A batch after its decisions: one answer a command, in order, and the products whose rows changed."""

    respostas: Sequence[Reserva | Produto | CatalogoError]
    mudados: Sequence[Produto]
    tocados: Sequence[Iterable[int]]  # by which command


def executar(connection: Connection, comandos: Sequence[Comando]) -> Lote:
    """Locks, decides in order, writes. Overtaken: roll back and run it again."""
    livro = _abrir(connection, comandos)
    known = set(livro.reservas)
    recusas, tocados = [], []
    for comando in comandos:
        before = len(livro.movimentos)
        recusas.append(_recusa(livro, comando))
        tocados.append({movimento.produto_id for movimento in livro.movimentos[before:]})
    _look_again(connection, _refused_reservations(comandos, recusas) - known)
    mudados = _gravar(connection, livro)
    atuais = {produto.produto_id: produto for produto in mudados}
    atuais.update(ler(connection, _ajustados(comandos, recusas) - atuais.keys()))
    respostas = [
        recusa or (atuais[comando.produto_id] if isinstance(comando, Ajustar) else livro.reservas[comando.reserva_id])
        for comando, recusa in zip(comandos, recusas, strict=True)
    ]
    return Lote(respostas, mudados, tocados)


def _feitos_de(connection: Connection, comandos: Sequence[Comando]) -> list[Feito]:
    """Each command with the products that it changed itself: together they are all that the batch changed."""
    lote = executar(connection, comandos)
    mudados = {produto.produto_id: produto for produto in lote.mudados}
    return [
        Feito(resposta, [mudados[produto_id] for produto_id in tocados])
        for resposta, tocados in zip(lote.respostas, lote.tocados, strict=True)
    ]


def _recusa(livro: Livro, comando: Comando) -> CatalogoError | None:
    try:
        livro.executar(comando)
    except CatalogoError as exc:
        return exc
    return None


def _refused_reservations(comandos: Sequence[Comando], recusas: Sequence[CatalogoError | None]) -> set[UUID]:
    pairs = zip(comandos, recusas, strict=True)
    return {comando.reserva_id for comando, recusa in pairs if recusa and isinstance(comando, Reservar)}


def _look_again(connection: Connection, refused: set[UUID]) -> None:
    """Whoever took the last units while this transaction waited for their lock may have been the same reservation.

    Then the answer is that reservation, not a refusal. An accepted one needs no second look: its key is unique.
    """
    if refused and query(connection, EXISTEM, {"ids": _array([key.hex for key in refused])})[0].existe:
        raise Overtaken


def _abrir(connection: Connection, comandos: Iterable[Comando]) -> Livro:
    reservas = _reservas(connection, {c.reserva_id for c in comandos if not isinstance(c, Ajustar)})
    produto_ids = {item.produto_id for reserva in reservas.values() for item in reserva.itens}
    for comando in comandos:
        match comando:
            case Ajustar():
                produto_ids.add(comando.produto_id)
            case Reservar():
                produto_ids.update(item.produto_id for item in comando.itens)
    agora, saldos = _saldos(connection, produto_ids)
    chaves = {f"estoque:{c.chave}": c.chave for c in comandos if isinstance(c, Ajustar) and c.chave}
    return Livro(agora, saldos, reservas, _feitos(connection, chaves))


def _reservas(connection: Connection, ids: Iterable[UUID]) -> dict[UUID, Reserva]:
    known = [reserva_id.hex for reserva_id in ids]
    rows = query(connection, RESERVAS, {"ids": _array(known)}) if known else ()
    return {key: _reserva(list(group)) for key, group in groupby(rows, attrgetter("reserva_id"))}


def _reserva(rows: Sequence[Any]) -> Reserva:
    first = rows[0]
    itens = tuple(
        ItemReserva(row.produto_id, row.nome, row.preco_centavos, row.quantidade)
        for row in rows
        if row.produto_id is not None
    )
    return Reserva(first.reserva_id, StatusReserva(first.status), itens, first.expira_em)


def _saldos(connection: Connection, ids: Iterable[int]) -> tuple[datetime, dict[int, Saldo]]:
    known = list(ids)
    rows = query(connection, SALDOS, {"ids": _array(known)}) if known else []
    saldos = {row.produto_id: Saldo(*row[:6]) for row in rows}
    return (rows[-1].agora if rows else NO_LOCK), saldos


def _feitos(connection: Connection, chaves: Mapping[str, UUID]) -> dict[UUID, Ajustado]:
    rows = query(connection, AJUSTADOS, {"chaves": list(chaves)}) if chaves else ()
    return {chaves[row.chave]: Ajustado(row.produto_id, Operacao(row.operacao), row.quantidade) for row in rows}


@cache
def _gravacao(novas: bool, mudadas: bool) -> str:  # noqa: FBT001  two flags, four statements
    return MOVIMENTOS + NOVAS * novas + MUDADAS * mudadas + SALDOS_NOVOS


def _gravar(connection: Connection, livro: Livro) -> list[Produto]:
    if not (livro.movimentos or livro.novas):
        return []
    novas = [livro.reservas[key] for key in livro.novas]
    mudadas = [livro.reservas[key] for key in livro.mudadas - livro.novas]
    itens = [(reserva.reserva_id.hex, *item) for reserva in novas for item in reserva.itens]
    values = {
        **_columns(("produto_ids", "operacoes", "chaves", "quens", "quantidades"), livro.movimentos, 0),
        **_columns(("repostos", "disponiveis", "reservados", "vendidos", "baixados"), livro.movimentos, 5),
        **_columns(("item_reservas", "item_produtos", "item_nomes", "item_precos", "item_quantidades"), itens, 0),
        "novas": _array([reserva.reserva_id.hex for reserva in novas]),
        "novos_status": _array([reserva.status for reserva in novas]),
        "vencimentos": _array([reserva.expira_em for reserva in novas]),
        "mudadas": _array([reserva.reserva_id.hex for reserva in mudadas]),
        "mudados_status": _array([reserva.status for reserva in mudadas]),
    }
    try:
        return [produto_of(row) for row in query(connection, _gravacao(bool(novas), bool(mudadas)), values)]
    except IntegrityError as exc:
        if exc.diag.constraint_name in KEYS:
            raise Overtaken from exc
        raise


def _columns(names: Sequence[str], lines: Sequence[Sequence[Any]], start: int) -> dict[str, list[str] | str]:
    """Lines as the arrays that unnest() takes, from the column `start` on."""
    columns = {name: [line[start + index] for line in lines] for index, name in enumerate(names)}
    return {name: column if name in FREE_TEXT else _array(column) for name, column in columns.items()}


def _array(values: Iterable[object]) -> str:
    """An array as PostgreSQL reads it, of numbers, keys, words of ours and moments: none needs quotes.

    The driver's own way asks for an adapter for each value, which for a full batch costs more than deciding it.
    """
    return "{" + ",".join(["NULL" if value is None else str(value) for value in values]) + "}"


def _ajustados(comandos: Sequence[Comando], recusas: Sequence[CatalogoError | None]) -> set[int]:
    """The products that accepted adjustments must answer with, changed or not."""
    return {
        comando.produto_id
        for comando, recusa in zip(comandos, recusas, strict=True)
        if isinstance(comando, Ajustar) and recusa is None
    }


def _expirar(connection: Connection, limite: int, quem: str) -> tuple[int, Sequence[Produto]]:
    if not query(connection, HA_VENCIDAS)[0].ha:
        return 0, ()
    ids = [row.reserva_id for row in query(connection, VENCIDAS, {"limite": limite})]
    return len(ids), executar(connection, [Consultar(reserva_id, quem) for reserva_id in ids]).mudados
