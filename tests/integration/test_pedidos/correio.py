"""Outbox and stream, of the fakes and of PostgreSQL with Valkey alike, and a reader as others may write one."""

import json
import uuid
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from pedidos.domain import Carrinho, Cliente, Evento, ItemCarrinho, ItemPedido, Solicitacao, StatusPedido
from pedidos.use_cases.ports import Compras, Jornal, Novidades, Pedidos, Saida

SOLICITACAO = Solicitacao("sessão", Cliente("Ana", "ana@example.com"))
CARRINHO = Carrinho("sessão", 1, (ItemCarrinho(1, 1),))
ITENS = (ItemPedido(1, "Pão de mel {x}", 600, 1),)
S = StatusPedido


class Morto(Exception):  # noqa: N818  named after what happened
    """The relay died here."""


@dataclass
class Correio:
    """`de_outro`: the outbox as another instance sees it. `unsent`: what has not left. `later`: seconds go by."""

    compras: Compras
    pedidos: Pedidos
    saida: Saida
    de_outro: Saida
    jornal: Jornal
    novidades: Novidades
    unsent: Callable[[], int]
    kept: Callable[[], int]
    later: Callable[[float], None]

    async def comprar(self) -> str:
        """An order with two events, PENDENTE and CONFIRMADO."""
        compra = await self.compras.registrar(str(uuid.uuid4()), SOLICITACAO, CARRINHO)
        compra = await self.compras.responder(await self.compras.gravar(compra, ITENS, 600))
        return compra.pedido_id

    async def entregar(self, pedido_id: str) -> None:
        """Three more."""
        for status in (S.EM_PREPARO, S.PRONTO, S.ENTREGUE):
            await self.pedidos.mudar_status(pedido_id, status)

    async def relay(self, saida: Saida | None = None, limite: int = 500) -> None:
        """Passes until there is nothing left."""
        while await (saida or self.saida).passar(limite, self.jornal.publicar):
            pass

    async def lidos(self, posicao: str = "0-0") -> list[Evento]:
        """The whole stream."""
        return await all_after(self.novidades, posicao)


async def all_after(novidades: Novidades, posicao: str = "0-0") -> list[Evento]:
    found: list[Evento] = []
    while (page := await novidades.depois(posicao, 0.01))[1]:
        posicao = page[0]
        found += page[1]
    return found


@dataclass
class Leitor:
    """Reads as docs/eventos.md advises: keeps the last number of each order, drops what is not above it."""

    ultimo: dict[str, int] = field(default_factory=dict)
    vistos: dict[str, list[int]] = field(default_factory=dict)

    def ler(self, eventos: Iterable[Evento]) -> "Leitor":
        for evento in eventos:
            if evento.seq > self.ultimo.get(evento.pedido_id, 0):
                self.ultimo[evento.pedido_id] = evento.seq
                self.vistos.setdefault(evento.pedido_id, []).append(evento.seq)
        return self


def once_in_order(eventos: Iterable[Evento]) -> dict[str, list[int]]:
    """What such a reader sees of each order."""
    return Leitor().ler(eventos).vistos


def dies_before(_: Sequence[Evento]) -> None:
    raise Morto


def dies_after(publicar: Callable[[Sequence[Evento]], None]) -> Callable[[Sequence[Evento]], None]:
    def publish_and_die(eventos: Sequence[Evento]) -> None:
        publicar(eventos)
        raise Morto

    return publish_and_die


def event(pedido_id: str, seq: int, corpo: str = "") -> Evento:
    told = corpo or json.dumps({"pedido_id": pedido_id, "status": "PRONTO", "atualizado_em": "2026-11-23T12:00:00Z"})
    return Evento(pedido_id, seq, "status_alterado", told, "2026-11-23T12:00:00.000000Z")
