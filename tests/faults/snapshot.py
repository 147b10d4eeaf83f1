"""What the servers hold after a run, as plain data: the checker judges this and opens nothing itself."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import psycopg2
import redis
from psycopg2.extras import NamedTupleCursor

from stack.credentials import load
from stack.databases import DATABASES, Database
from stack.home import Home
from tests.conftest import Mesh

STREAM = "pedidos.eventos"
ABERTAS = ("INICIADA", "GRAVADA", "RESPONDIDA", "FALHANDO")


@dataclass(frozen=True)
class Produto:
    produto_id: int
    inicial: int
    reposto: int
    disponivel: int
    reservado: int
    vendido: int
    baixado: int


@dataclass(frozen=True)
class Movimento:
    """A line of the ledger; `disponivel` is its effect on what can be sold."""

    produto_id: int
    operacao: str
    chave: str
    quantidade: int
    disponivel: int


@dataclass(frozen=True)
class Reserva:
    reserva_id: str
    status: str
    itens: Mapping[int, int]


@dataclass(frozen=True)
class Compra:
    """An attempt to order."""

    pedido_id: str
    chave: str
    etapa: str
    sessao_id: str
    versao: int
    resposta: bytes | None

    @property
    def falhou(self) -> bool:
        return self.etapa in ("FALHANDO", "FALHOU")


@dataclass(frozen=True)
class Pedido:
    """`eventos`: how many it counts of its own. `deve`: its stock is still to be given back."""

    pedido_id: str
    sessao_id: str
    status: str
    eventos: int
    deve: bool
    itens: Mapping[int, int]


@dataclass(frozen=True)
class Evento:
    """`id` is the order in which events leave."""

    id: int
    pedido_id: str
    seq: int
    tipo: str
    enviado: bool = True


@dataclass(frozen=True)
class Publicado:
    """An entry of the stream of events."""

    pedido_id: str
    seq: int
    tipo: str


@dataclass(frozen=True)
class Carrinho:
    versao: int
    itens: Mapping[int, int]


@dataclass(frozen=True)
class Snapshot:
    produtos: Mapping[int, Produto] = field(default_factory=dict)
    movimentos: Sequence[Movimento] = ()
    reservas: Mapping[str, Reserva] = field(default_factory=dict)
    auditoria: Sequence[str] = ()  # rows of the view auditoria_estoque
    compras: Sequence[Compra] = ()
    pedidos: Mapping[str, Pedido] = field(default_factory=dict)
    eventos: Sequence[Evento] = ()
    jornal: Sequence[Publicado] = ()  # the stream of events, from its oldest entry on
    aparado: bool = False  # whether the stream was trimmed, or lost its entries in another way
    carrinhos: Mapping[str, Carrinho | None] = field(default_factory=dict)  # those looked at; None: it is gone


def read(mesh: Mesh) -> Snapshot:
    """Both databases and the stream as they are now, without carts. psycopg2.OperationalError while one is away.

    They have no common moment. The database of orders is read first, because it knows of all work: when it has none
    left the others stand still, whereas a debt paid between two readings in the other order would look like a loss.
    """
    pedidos = _rows(url(mesh, "pedidos"), STATEMENTS["pedidos"])
    jornal, aparado = _stream(f"redis://{mesh.ports.valkey}/0")
    catalogo = _rows(url(mesh, "catalogo"), STATEMENTS["catalogo"])
    itens_reserva, itens_pedido = _itens(catalogo["itens"]), _itens(pedidos["itens"])
    return Snapshot(
        produtos={row.produto_id: Produto(*row) for row in catalogo["produtos"]},
        movimentos=[Movimento(*row) for row in catalogo["movimentos"]],
        reservas={row.id: Reserva(row.id, row.status, itens_reserva[row.id]) for row in catalogo["reservas"]},
        auditoria=[f"{row}" for row in catalogo["auditoria"]],
        compras=[_compra(row) for row in pedidos["compras"]],
        pedidos={row.pedido_id: _pedido(row, itens_pedido) for row in pedidos["pedidos"]},
        eventos=[Evento(*row) for row in pedidos["eventos"]],
        jornal=jornal,
        aparado=aparado,
    )


STATEMENTS = {
    "catalogo": {
        "produtos": "SELECT produto_id, inicial, reposto, disponivel, reservado, vendido, baixado FROM produtos",
        "movimentos": "SELECT produto_id, operacao, chave, quantidade, disponivel FROM movimentos_estoque"
        " ORDER BY movimento_id",
        "reservas": "SELECT reserva_id::text AS id, status FROM reservas",
        "itens": "SELECT reserva_id::text AS id, produto_id, quantidade FROM itens_reserva",
        "auditoria": "SELECT * FROM auditoria_estoque",
    },
    "pedidos": {
        "compras": "SELECT pedido_id::text, chave, etapa, sessao_id, carrinho_versao, resposta FROM compras",
        "pedidos": "SELECT pedido_id::text, sessao_id, status, eventos, devolver_em IS NOT NULL AS deve FROM pedidos",
        "itens": "SELECT pedido_id::text AS id, produto_id, quantidade FROM itens_pedido",
        "eventos": "SELECT id, pedido_id::text, seq, tipo, enviado_em IS NOT NULL AS enviado FROM eventos_saida"
        " ORDER BY id",
    },
}


def url(mesh: Mesh, service: str) -> str:
    """As the owner of the schema, who sees and may change everything in it."""
    secrets = load(Home(mesh.folder, mesh.offset), has_data=True)
    database = Database(service, mesh.ports.postgres(DATABASES[service]), secrets)
    return database.url(database.owner)


def _rows(url: str, statements: Mapping[str, str]) -> dict[str, list[Any]]:
    """One snapshot of one database."""
    connection = psycopg2.connect(url, connect_timeout=5, cursor_factory=NamedTupleCursor)
    try:
        connection.set_session(isolation_level="REPEATABLE READ", readonly=True)
        with connection.cursor() as cursor:
            found = {}
            for name, statement in statements.items():
                cursor.execute(statement)
                found[name] = cursor.fetchall()
            return found
    finally:
        connection.close()


def _stream(url: str) -> tuple[list[Publicado], bool]:
    """What it holds, and whether it ever held more."""
    try:
        with redis.Redis.from_url(url, decode_responses=True, protocol=2) as client:
            if not client.exists(STREAM):
                return [], False
            about: Any = client.xinfo_stream(STREAM)
            entries: Any = client.xrange(STREAM)
    except (redis.RedisError, OSError) as exc:
        raise psycopg2.OperationalError(f"the stream of events cannot be read: {exc}") from exc
    return [_publicado(fields) for _, fields in entries], about["entries-added"] > about["length"]


def _publicado(fields: Mapping[str, str]) -> Publicado:
    pedido_id, _, seq = fields["evento_id"].rpartition(":")
    return Publicado(pedido_id, int(seq), fields["tipo"])


def _itens(rows: Sequence[Any]) -> defaultdict[str, dict[int, int]]:
    itens: defaultdict[str, dict[int, int]] = defaultdict(dict)
    for row in rows:
        itens[row.id][row.produto_id] = row.quantidade
    return itens


def _compra(row: Any) -> Compra:
    resposta = None if row.resposta is None else bytes(row.resposta)
    return Compra(row.pedido_id, row.chave, row.etapa, row.sessao_id, row.carrinho_versao, resposta)


def _pedido(row: Any, itens: Mapping[str, Mapping[int, int]]) -> Pedido:
    return Pedido(row.pedido_id, row.sessao_id, row.status, row.eventos, row.deve, itens[row.pedido_id])
