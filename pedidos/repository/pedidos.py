"""Orders on PostgreSQL: reads with their items in one round trip, status changes as one guarded statement."""

# ruff: noqa: S608  only our own constants are put together

from collections.abc import Sequence
from functools import cache

from sqlalchemy import Connection, TextClause, text

from chassis.group_commit import Run
from pedidos.domain import (
    Pedido,
    PedidoNaoEncontrado,
    ServicoIndisponivel,
    Situacao,
    StatusPedido,
    TransicaoInvalida,
    anteriores,
    tipo_evento,
)
from pedidos.repository import rows
from pedidos.repository.compras import ARRENDAMENTO
from pedidos.repository.rows import PEDIDO
from pedidos.repository.sql_compras import AGORA

_OBTER = text(f"SELECT {PEDIDO} FROM pedidos p WHERE p.pedido_id = :pedido_id")

_SITUACOES = text(
    """SELECT CAST(pedido_id AS text) AS pedido_id, status, atualizado_em, eventos FROM pedidos
        WHERE pedido_id = ANY(CAST(:pedido_ids AS uuid[]))"""
)

_MUDAR = text(
    f"""WITH mudado AS (
          UPDATE pedidos p SET status = :para, eventos = p.eventos + 1, atualizado_em = {AGORA},
                 motivo_cancelamento = :motivo,
                 devolver_em = CASE WHEN :para = 'CANCELADO'
                                    THEN clock_timestamp() + :arrendamento * interval '1 second' END
           WHERE p.pedido_id = :pedido_id AND p.status = ANY(:de)
          RETURNING old.status AS de, p.*
        ), evento AS (
          INSERT INTO eventos_saida (pedido_id, seq, tipo, corpo)
          SELECT pedido_id, eventos, :tipo,
                 jsonb_build_object('pedido_id', pedido_id, 'status', status, 'status_anterior', de,
                                    'atualizado_em', atualizado_em, 'motivo', motivo_cancelamento)
            FROM mudado
        )
        SELECT {PEDIDO} FROM mudado p"""
)

_DEVOLVIDO = text("UPDATE pedidos SET devolver_em = NULL WHERE pedido_id = :pedido_id")

_A_DEVOLVER = text(
    """WITH vencida AS (
         SELECT pedido_id FROM pedidos WHERE devolver_em <= now() ORDER BY devolver_em LIMIT :limite
         FOR UPDATE SKIP LOCKED
       )
       UPDATE pedidos p SET devolver_em = clock_timestamp() + :arrendamento * interval '1 second'
         FROM vencida WHERE p.pedido_id = vencida.pedido_id
       RETURNING CAST(p.pedido_id AS text)"""
)

# With a look at a table, since a database without its schema takes no orders either.
_SO_LEITURA = text(
    """SELECT pg_is_in_recovery() OR CAST(current_setting('transaction_read_only') AS boolean)
         FROM (VALUES (CAST('eventos_saida' AS regclass))) AS tabela"""
)


class PedidosPostgres:
    """`run` does a transaction."""

    def __init__(self, run: Run) -> None:
        self._run = run

    async def obter(self, pedido_id: str) -> Pedido:
        row = await self._run(lambda connection: connection.execute(_OBTER, {"pedido_id": pedido_id}).first())
        if row is None:
            raise PedidoNaoEncontrado(pedido_id)
        return rows.pedido(row)

    async def listar(
        self, *, sessao_id: str = "", status: StatusPedido | None = None, apos: str = "", limite: int
    ) -> list[Pedido]:
        filtros = {"sessao_id": sessao_id, "status": status and status.value, "apos": apos}
        dados = {nome: valor for nome, valor in filtros.items() if valor}
        found = await self._run(
            lambda connection: connection.execute(_listar(frozenset(dados)), {**dados, "limite": limite}).all()
        )
        return [rows.pedido(row) for row in found]

    async def mudar_status(self, pedido_id: str, para: StatusPedido, motivo: str = "") -> Pedido:
        while True:
            mudado, de = await self._run(lambda connection: _mudar(connection, pedido_id, para, motivo))
            if mudado is not None:
                return mudado
            if de not in anteriores(para):
                raise TransicaoInvalida(de, para)
            # Between our change and our look somebody brought it to a status from which the step is right.

    async def situacoes(self, pedido_ids: Sequence[str]) -> dict[str, Situacao]:
        found = await self._run(
            lambda connection: connection.execute(_SITUACOES, {"pedido_ids": list(pedido_ids)}).all()
        )
        return {
            row.pedido_id: Situacao(row.pedido_id, StatusPedido(row.status), row.atualizado_em, row.eventos)
            for row in found
        }

    async def devolvido(self, pedido_id: str) -> None:
        await self._run(lambda connection: connection.execute(_DEVOLVIDO, {"pedido_id": pedido_id}))

    async def a_devolver(self, limite: int) -> list[str]:
        dados = {"limite": limite, "arrendamento": ARRENDAMENTO}
        return await self._run(lambda connection: list(connection.execute(_A_DEVOLVER, dados).scalars()))

    async def porque_nao_grava(self) -> str | None:
        """None while the database takes writes of orders; the health probe's question."""
        try:
            parado = await self._run(lambda connection: connection.execute(_SO_LEITURA).scalar())
        except ServicoIndisponivel as exc:
            return str(exc.__cause__)
        return "o banco de dados só aceita leituras" if parado else None


@cache
def _listar(filtros: frozenset[str]) -> TextClause:
    """Newest first: a UUIDv7 of the database's clock is in the order of time."""
    condicoes = {"sessao_id": "p.sessao_id = :sessao_id", "status": "p.status = :status", "apos": "p.pedido_id < :apos"}
    onde = " AND ".join(condicoes[filtro] for filtro in sorted(filtros)) or "true"
    return text(f"SELECT {PEDIDO} FROM pedidos p WHERE {onde} ORDER BY p.pedido_id DESC LIMIT :limite")


def _mudar(
    connection: Connection, pedido_id: str, para: StatusPedido, motivo: str
) -> tuple[Pedido | None, StatusPedido]:
    """The order at `para`, moved or there already; or else None and the status that it has."""
    dados = {
        "pedido_id": pedido_id,
        "para": para.value,
        "de": [de.value for de in anteriores(para)],
        "motivo": motivo,
        "tipo": tipo_evento(para).value,
        "arrendamento": ARRENDAMENTO,
    }
    row = connection.execute(_MUDAR, dados).first() or connection.execute(_OBTER, {"pedido_id": pedido_id}).first()
    if row is None:
        raise PedidoNaoEncontrado(pedido_id)
    pedido = rows.pedido(row)
    return (pedido if pedido.status is para else None), pedido.status
