"""The ports Compras and Pedidos in memory, held to the same suite as PostgreSQL."""

import asyncio
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from pedidos.domain import (
    ABERTAS,
    SEM_CHAVE,
    Carrinho,
    Compra,
    ErroPedido,
    Etapa,
    ItemPedido,
    Pedido,
    PedidoNaoEncontrado,
    Situacao,
    Solicitacao,
    StatusPedido,
    TipoEvento,
    TransicaoInvalida,
    anteriores,
    tipo_evento,
)

ARRENDAMENTO = 4.0  # seconds


class Relogio:
    """A clock that stands still until it is moved, but never tells one time twice."""

    def __init__(self) -> None:
        self._agora = datetime(2026, 11, 23, 12, tzinfo=UTC)

    def agora(self) -> datetime:
        self._agora += timedelta(microseconds=1)
        return self._agora

    def avancar(self, segundos: float) -> None:
        self._agora += timedelta(seconds=segundos)


@dataclass(frozen=True)
class Evento:
    pedido_id: str
    seq: int
    tipo: TipoEvento
    status: StatusPedido
    ocorrido_em: datetime


@dataclass
class Banco:
    """What the database of orders would hold: it outlives the processes that use it."""

    relogio: Relogio
    resposta: Callable[[Pedido], bytes]
    compras: dict[str, Compra] = field(default_factory=dict)
    arrendamentos: dict[str, tuple[str, datetime]] = field(default_factory=dict)  # dono, vence_em
    pedidos: dict[str, Pedido] = field(default_factory=dict)
    dividas: dict[str, datetime] = field(default_factory=dict)  # stock to be given back, by whoever comes after
    eventos: list[Evento] = field(default_factory=list)
    enviados: dict[tuple[str, int], datetime] = field(default_factory=dict)  # (pedido_id, seq) -> when
    esquecidos: int = 0  # events, the oldest ones
    relay: asyncio.Lock = field(default_factory=asyncio.Lock)  # one relay at a time

    def novo_id(self) -> str:
        """A UUIDv7 of this clock."""
        micros = int(self.relogio.agora().timestamp() * 1_000_000)
        milis, resto = divmod(micros, 1000)
        return str(uuid.UUID(int=milis << 80 | 7 << 76 | (resto << 2) << 64 | 2 << 62 | len(self.compras)))

    def arrendar(self, pedido_id: str, dono: str) -> None:
        self.arrendamentos[pedido_id] = (dono, self.relogio.agora() + timedelta(seconds=ARRENDAMENTO))

    def vencido(self, pedido_id: str) -> bool:
        return self.arrendamentos[pedido_id][1] <= self.relogio.agora()

    def por_chave(self, chave: str) -> Compra | None:
        vivas = (compra for compra in self.compras.values() if compra.etapa not in SEM_CHAVE)
        return next((compra for compra in vivas if compra.chave == chave), None)

    def mover_pedido(self, pedido: Pedido, para: StatusPedido) -> Pedido:
        movido = self.pedidos[pedido.pedido_id] = replace(pedido, status=para, atualizado_em=self.relogio.agora())
        self.contar(movido, tipo_evento(para))
        return movido

    def contar(self, pedido: Pedido, tipo: TipoEvento) -> None:
        seq = 1 + self.contagem(pedido.pedido_id)
        self.eventos.append(Evento(pedido.pedido_id, seq, tipo, pedido.status, pedido.atualizado_em))

    def contagem(self, pedido_id: str) -> int:
        """How many events an order has."""
        return sum(evento.pedido_id == pedido_id for evento in self.eventos)


class ComprasFake:
    """The attempts, as the process `dono` sees them."""

    def __init__(self, banco: Banco, dono: str) -> None:
        self._banco = banco
        self._dono = dono

    async def buscar(self, chave: str) -> Compra | None:
        compra = self._banco.por_chave(chave)
        return compra and self._vista(compra)

    async def buscar_por_carrinho(self, sessao_id: str, versao: int) -> Compra | None:
        for compra in self._banco.compras.values():
            carrinho = compra.carrinho
            if (carrinho.sessao_id, carrinho.versao) == (sessao_id, versao) and compra.etapa not in SEM_CHAVE:
                return self._vista(compra)
        return None

    async def registrar(self, chave: str, solicitacao: Solicitacao, carrinho: Carrinho) -> Compra:
        existente = self._banco.por_chave(chave)
        if existente is not None:
            return self._vista(existente)
        pedido_id = self._banco.novo_id()
        agora = self._banco.relogio.agora()
        compra = Compra(pedido_id, chave, solicitacao.fingerprint, solicitacao, carrinho, Etapa.INICIADA, agora)
        self._banco.compras[pedido_id] = compra
        return replace(self._minha(compra), idade=0.0)

    async def assumir(self, pedido_id: str) -> Compra | None:
        compra = self._banco.compras.get(pedido_id)
        if compra is None or compra.etapa not in ABERTAS or not self._banco.vencido(pedido_id):
            return compra and self._vista(compra)
        return self._minha(compra)

    async def gravar(self, compra: Compra, itens: Sequence[ItemPedido], total_centavos: int) -> Compra:
        atual = self._banco.compras[compra.pedido_id]
        if atual.etapa is not Etapa.INICIADA:
            return self._vista(atual)
        pedido = self._banco.pedidos[compra.pedido_id] = Pedido(
            pedido_id=atual.pedido_id,
            sessao_id=atual.carrinho.sessao_id,
            status=StatusPedido.PENDENTE,
            itens=tuple(sorted(itens, key=lambda item: item.produto_id)),
            total_centavos=total_centavos,
            cliente=atual.solicitacao.cliente,
            observacao=atual.solicitacao.observacao,
            criado_em=atual.criado_em,
            atualizado_em=atual.criado_em,
        )
        self._banco.contar(pedido, TipoEvento.PEDIDO_CRIADO)
        return self._mover(atual, etapa=Etapa.GRAVADA)

    async def responder(self, compra: Compra) -> Compra:
        atual = self._banco.compras[compra.pedido_id]
        if atual.etapa is not Etapa.GRAVADA:
            return self._vista(atual)
        pedido = self._banco.pedidos[compra.pedido_id]
        if pedido.status is StatusPedido.PENDENTE:
            pedido = self._banco.mover_pedido(pedido, StatusPedido.CONFIRMADO)
        return self._mover(atual, etapa=Etapa.RESPONDIDA, resposta=self._banco.resposta(pedido))

    async def desistir(self, compra: Compra, falha: ErroPedido) -> Compra:
        atual = self._banco.compras[compra.pedido_id]
        if atual.etapa is not compra.etapa:
            return self._vista(atual)
        if atual.etapa is Etapa.GRAVADA:
            pedido = self._banco.pedidos[compra.pedido_id]
            if pedido.status is not StatusPedido.PENDENTE:
                return self._vista(atual)
            self._banco.mover_pedido(pedido, StatusPedido.CANCELADO)
        return self._mover(atual, etapa=Etapa.FALHANDO, falha=falha)

    async def concluir(self, compra: Compra) -> None:
        seguintes = {Etapa.RESPONDIDA: Etapa.CONCLUIDA, Etapa.FALHANDO: Etapa.FALHOU}
        atual = self._banco.compras[compra.pedido_id]
        self._banco.compras[compra.pedido_id] = replace(atual, etapa=seguintes.get(atual.etapa, atual.etapa))

    async def soltar(self, compra: Compra, segundos: float = 0.0) -> None:
        if self._banco.arrendamentos[compra.pedido_id][0] == self._dono:
            vence_em = self._banco.relogio.agora() + timedelta(seconds=segundos)
            self._banco.arrendamentos[compra.pedido_id] = (self._dono, vence_em)

    async def vencidas(self, limite: int) -> list[Compra]:
        com_trabalho = [c for c in self._banco.compras.values() if c.etapa not in {Etapa.CONCLUIDA, Etapa.FALHOU}]
        vencidas = [compra for compra in com_trabalho if self._banco.vencido(compra.pedido_id)]
        vencidas.sort(key=lambda compra: self._banco.arrendamentos[compra.pedido_id][1])
        return [self._minha(compra) for compra in vencidas[:limite]]

    async def limpar(self) -> int:
        ontem = self._banco.relogio.agora() - timedelta(days=1)
        velhas = [c for c in self._banco.compras.values() if c.etapa is Etapa.FALHOU and c.criado_em < ontem]
        for compra in velhas:
            del self._banco.compras[compra.pedido_id]
        return len(velhas)

    def _vista(self, compra: Compra) -> Compra:
        return replace(compra, minha=False, idade=(self._banco.relogio.agora() - compra.criado_em).total_seconds())

    def _minha(self, compra: Compra) -> Compra:
        self._banco.arrendar(compra.pedido_id, self._dono)
        return replace(self._vista(compra), minha=True)

    def _mover(self, compra: Compra, **mudancas: object) -> Compra:
        movida = replace(compra, **mudancas)  # type: ignore[arg-type]
        self._banco.compras[compra.pedido_id] = movida
        return self._minha(movida)


class PedidosFake:
    def __init__(self, banco: Banco) -> None:
        self._banco = banco

    async def obter(self, pedido_id: str) -> Pedido:
        if pedido_id not in self._banco.pedidos:
            raise PedidoNaoEncontrado(pedido_id)
        return self._banco.pedidos[pedido_id]

    async def listar(
        self, *, sessao_id: str = "", status: StatusPedido | None = None, apos: str = "", limite: int
    ) -> list[Pedido]:
        achados = [
            pedido
            for pedido in self._banco.pedidos.values()
            if sessao_id in {"", pedido.sessao_id}
            and status in {None, pedido.status}
            and (not apos or pedido.pedido_id < apos)
        ]
        return sorted(achados, key=lambda pedido: pedido.pedido_id, reverse=True)[:limite]

    async def mudar_status(self, pedido_id: str, para: StatusPedido, motivo: str = "") -> Pedido:  # noqa: ARG002
        pedido = await self.obter(pedido_id)
        if pedido.status is para:
            return pedido
        if pedido.status not in anteriores(para):
            raise TransicaoInvalida(pedido.status, para)
        if para is StatusPedido.CANCELADO:
            self._banco.dividas[pedido_id] = self._banco.relogio.agora() + timedelta(seconds=ARRENDAMENTO)
        return self._banco.mover_pedido(pedido, para)

    async def situacoes(self, pedido_ids: Sequence[str]) -> dict[str, Situacao]:
        achados = [self._banco.pedidos[pedido_id] for pedido_id in pedido_ids if pedido_id in self._banco.pedidos]
        return {
            p.pedido_id: Situacao(p.pedido_id, p.status, p.atualizado_em, self._banco.contagem(p.pedido_id))
            for p in achados
        }

    async def devolvido(self, pedido_id: str) -> None:
        self._banco.dividas.pop(pedido_id, None)

    async def a_devolver(self, limite: int) -> list[str]:
        agora = self._banco.relogio.agora()
        vencidas = sorted(pedido_id for pedido_id, quando in self._banco.dividas.items() if quando <= agora)[:limite]
        for pedido_id in vencidas:
            self._banco.dividas[pedido_id] = agora + timedelta(seconds=ARRENDAMENTO)
        return vencidas
