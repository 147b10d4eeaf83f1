"""Stock and reservations in PostgreSQL: commands are decided together, under lock, and written by one statement.

Everything here takes a list of commands. Locks are always taken in the same order, reservations by id and then
products by id, so that transactions wait for each other and never in a circle. What is written is relative to the row
(`disponivel = disponivel + delta`) and guarded by the schema's CHECKs and unique keys: a decision that was wrong
in spite of the locks would be refused, not stored.
"""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import cache
from itertools import groupby
from operator import attrgetter
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import Connection, Row, TextClause, text
from sqlalchemy.exc import IntegrityError

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
from chassis.errors import Unavailable
from chassis.postgres import Postgres

ATTEMPTS = 4  # of a batch that was overtaken
KEYS = frozenset({"reservas_pkey", "itens_reserva_pkey", "movimentos_chave"})

RESERVAS = text("""
WITH r AS MATERIALIZED (
  SELECT reserva_id, status, expira_em FROM reservas
  WHERE reserva_id = ANY(CAST(:ids AS uuid[])) ORDER BY reserva_id FOR UPDATE
)
SELECT r.*, i.produto_id, i.nome, i.preco_centavos, i.quantidade
FROM r LEFT JOIN itens_reserva i USING (reserva_id) ORDER BY r.reserva_id, i.produto_id
""")
EXISTEM = text("SELECT EXISTS (SELECT FROM reservas WHERE reserva_id = ANY(CAST(:ids AS uuid[])))")
# Materialised: the last row's clock is read after the last lock was waited for.
SALDOS = text("""
WITH p AS MATERIALIZED (
  SELECT produto_id, nome, preco_centavos, ativo, excluido_em IS NOT NULL AS excluido, disponivel FROM produtos
  WHERE produto_id = ANY(CAST(:ids AS integer[])) ORDER BY produto_id FOR NO KEY UPDATE
)
SELECT p.*, clock_timestamp() AS agora FROM p
""")
AJUSTADOS = text("""
SELECT chave, produto_id, operacao, quantidade FROM movimentos_estoque WHERE chave = ANY(CAST(:chaves AS text[]))
""")
# What is written goes in one statement, put together from the parts that have something to write.
MOVIMENTOS = """
WITH m AS (
  SELECT * FROM unnest(
    CAST(:produto_ids AS integer[]), CAST(:operacoes AS text[]), CAST(:chaves AS text[]), CAST(:quens AS text[]),
    CAST(:quantidades AS integer[]), CAST(:repostos AS integer[]), CAST(:disponiveis AS integer[]),
    CAST(:reservados AS integer[]), CAST(:vendidos AS integer[]), CAST(:baixados AS integer[])
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
  SELECT * FROM unnest(CAST(:novas AS uuid[]), CAST(:novos_status AS text[]), CAST(:vencimentos AS timestamptz[]))
    AS n (reserva_id, status, expira_em) ORDER BY reserva_id
), item AS (
  INSERT INTO itens_reserva (reserva_id, produto_id, nome, preco_centavos, quantidade)
  SELECT * FROM unnest(CAST(:item_reservas AS uuid[]), CAST(:item_produtos AS integer[]), CAST(:item_nomes AS text[]),
                       CAST(:item_precos AS integer[]), CAST(:item_quantidades AS integer[])) ORDER BY 1, 2
), """
MUDADAS = """
mudada AS (
  UPDATE reservas r SET status = n.status, mudada_em = clock_timestamp()
  FROM unnest(CAST(:mudadas AS uuid[]), CAST(:mudados_status AS text[])) AS n (reserva_id, status)
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


HA_VENCIDAS = text("""
SELECT NOT pg_is_in_recovery()
  AND EXISTS (SELECT FROM reservas WHERE status = 'ATIVA' AND expira_em <= clock_timestamp())
""")
VENCIDAS = text("""
SELECT reserva_id FROM reservas WHERE status = 'ATIVA' AND expira_em <= clock_timestamp()
ORDER BY expira_em LIMIT :limite FOR UPDATE SKIP LOCKED
""")

NO_LOCK = datetime.min.replace(tzinfo=UTC)  # the clock of a transaction that holds no product: it compares with nothing


class Overtaken(Exception):  # noqa: N818  named after what happened
    """Another transaction committed one of these keys after this one had looked for it; run again, it sees it."""


class EstoqueRepository:
    """The port `Estoque`."""

    def __init__(self, postgres: Postgres) -> None:
        self._postgres = postgres

    async def executar(self, comando: Comando) -> Feito:
        (resposta,), mudados = await self._run([comando])
        return Feito(resposta, mudados)

    async def vencidas(self, limite: int, quem: str) -> tuple[int, Sequence[Produto]]:
        return await self._postgres.run(lambda connection: _expirar(connection, limite, quem))

    async def _run(self, comandos: Sequence[Comando]) -> "Lote":
        for _ in range(ATTEMPTS):
            with suppress(Overtaken):
                return await self._postgres.run(lambda connection: executar(connection, comandos))
        raise Unavailable("Muitas requisições com a mesma chave ao mesmo tempo.", 0.1)


class Lote(NamedTuple):
    """A batch after its decisions: one answer a command, in order, and the products whose rows changed."""

    respostas: Sequence[Reserva | Produto | CatalogoError]
    mudados: Sequence[Produto]


def executar(connection: Connection, comandos: Sequence[Comando]) -> Lote:
    """Locks, decides in order, writes. Overtaken: roll back and run it again."""
    livro = _abrir(connection, comandos)
    known = set(livro.reservas)
    recusas = [_recusa(livro, comando) for comando in comandos]
    _look_again(connection, _refused_reservations(comandos, recusas) - known)
    mudados = _gravar(connection, livro)
    atuais = {produto.produto_id: produto for produto in mudados}
    atuais.update(ler(connection, _ajustados(comandos, recusas) - atuais.keys()))
    respostas = [
        recusa or (atuais[comando.produto_id] if isinstance(comando, Ajustar) else livro.reservas[comando.reserva_id])
        for comando, recusa in zip(comandos, recusas, strict=True)
    ]
    return Lote(respostas, mudados)


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
    if refused and connection.execute(EXISTEM, {"ids": [str(key) for key in refused]}).scalar_one():
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
    texts = [str(reserva_id) for reserva_id in ids]
    rows = connection.execute(RESERVAS, {"ids": texts}) if texts else ()
    return {key: _reserva(list(group)) for key, group in groupby(rows, attrgetter("reserva_id"))}


def _reserva(rows: Sequence[Row[Any]]) -> Reserva:
    first = rows[0]
    itens = tuple(
        ItemReserva(row.produto_id, row.nome, row.preco_centavos, row.quantidade)
        for row in rows
        if row.produto_id is not None
    )
    return Reserva(first.reserva_id, StatusReserva(first.status), itens, first.expira_em)


def _saldos(connection: Connection, ids: Iterable[int]) -> tuple[datetime, dict[int, Saldo]]:
    known = list(ids)
    rows = connection.execute(SALDOS, {"ids": known}).all() if known else []
    saldos = {row.produto_id: Saldo(*row[:6]) for row in rows}
    return (rows[-1].agora if rows else NO_LOCK), saldos


def _feitos(connection: Connection, chaves: Mapping[str, UUID]) -> dict[UUID, Ajustado]:
    rows = connection.execute(AJUSTADOS, {"chaves": list(chaves)}) if chaves else ()
    return {chaves[row.chave]: Ajustado(row.produto_id, Operacao(row.operacao), row.quantidade) for row in rows}


@cache
def _gravacao(novas: bool, mudadas: bool) -> TextClause:  # noqa: FBT001  two flags, four statements
    return text(MOVIMENTOS + NOVAS * novas + MUDADAS * mudadas + SALDOS_NOVOS)


def _gravar(connection: Connection, livro: Livro) -> list[Produto]:
    if not (livro.movimentos or livro.novas):
        return []
    novas = [livro.reservas[key] for key in livro.novas]
    mudadas = [livro.reservas[key] for key in livro.mudadas - livro.novas]
    itens = [(str(reserva.reserva_id), *item) for reserva in novas for item in reserva.itens]
    values = {
        **_columns(("produto_ids", "operacoes", "chaves", "quens", "quantidades"), livro.movimentos, 0),
        **_columns(("repostos", "disponiveis", "reservados", "vendidos", "baixados"), livro.movimentos, 5),
        **_columns(("item_reservas", "item_produtos", "item_nomes", "item_precos", "item_quantidades"), itens, 0),
        "novas": [str(reserva.reserva_id) for reserva in novas],
        "novos_status": [reserva.status for reserva in novas],
        "vencimentos": [reserva.expira_em for reserva in novas],
        "mudadas": [str(reserva.reserva_id) for reserva in mudadas],
        "mudados_status": [reserva.status for reserva in mudadas],
    }
    try:
        rows = connection.execute(_gravacao(bool(novas), bool(mudadas)), values)
        return [produto_of(row) for row in rows.mappings()]
    except IntegrityError as exc:
        if getattr(getattr(exc.orig, "diag", None), "constraint_name", None) in KEYS:
            raise Overtaken from exc
        raise


def _columns(names: Sequence[str], lines: Sequence[Sequence[Any]], start: int) -> dict[str, list[Any]]:
    """Lines as the arrays that unnest() takes, from the column `start` on."""
    return {name: [line[start + index] for line in lines] for index, name in enumerate(names)}


def _ajustados(comandos: Sequence[Comando], recusas: Sequence[CatalogoError | None]) -> set[int]:
    """The products that accepted adjustments must answer with, changed or not."""
    return {
        comando.produto_id
        for comando, recusa in zip(comandos, recusas, strict=True)
        if isinstance(comando, Ajustar) and recusa is None
    }


def _expirar(connection: Connection, limite: int, quem: str) -> tuple[int, Sequence[Produto]]:
    if not connection.execute(HA_VENCIDAS).scalar_one():
        return 0, ()
    ids = [row.reserva_id for row in connection.execute(VENCIDAS, {"limite": limite})]
    return len(ids), executar(connection, [Consultar(reserva_id, quem) for reserva_id in ids]).mudados
