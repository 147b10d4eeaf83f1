"""The catalog and the carts as orders see them, in memory: the contract's rules of reservations and versions."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from pedidos.domain import (
    Carrinho,
    CarrinhoNaoEncontrado,
    EstoqueInsuficiente,
    ItemCarrinho,
    ItemPedido,
    ProdutoIndisponivel,
    ReservaExpirada,
)
from tests.fakes.pedidos.banco import Relogio

VALIDADE = 300.0  # seconds


class StatusReserva(StrEnum):
    ATIVA = "ATIVA"
    CONFIRMADA = "CONFIRMADA"
    LIBERADA = "LIBERADA"
    EXPIRADA = "EXPIRADA"


@dataclass(frozen=True)
class Reserva:
    itens: tuple[ItemPedido, ...]
    status: StatusReserva
    expira_em: datetime


@dataclass
class Produto:
    nome: str
    preco_centavos: int
    disponivel: int
    ativo: bool = True
    reservado: int = 0
    vendido: int = 0


@dataclass
class CatalogoFake:
    relogio: Relogio
    produtos: dict[int, Produto] = field(default_factory=dict)
    reservas: dict[str, Reserva] = field(default_factory=dict)

    async def reservar(self, reserva_id: str, itens: Sequence[ItemCarrinho]) -> tuple[ItemPedido, ...]:
        self._expirar()
        if reserva_id not in self.reservas:
            self.reservas[reserva_id] = self._reservar(sorted(itens, key=lambda item: item.produto_id))
        reserva = self.reservas[reserva_id]
        if reserva.status in {StatusReserva.LIBERADA, StatusReserva.EXPIRADA}:
            raise ReservaExpirada(reserva_id)
        return reserva.itens

    async def confirmar(self, reserva_id: str) -> None:
        self._expirar()
        reserva = self.reservas.get(reserva_id)
        if reserva is None or reserva.status in {StatusReserva.LIBERADA, StatusReserva.EXPIRADA}:
            raise ReservaExpirada(reserva_id)
        if reserva.status is StatusReserva.ATIVA:
            self._mudar(reserva_id, StatusReserva.CONFIRMADA)

    async def liberar(self, reserva_id: str) -> None:
        self._expirar()
        self.reservas.setdefault(reserva_id, Reserva((), StatusReserva.LIBERADA, self.relogio.agora()))
        if self.reservas[reserva_id].status in {StatusReserva.ATIVA, StatusReserva.CONFIRMADA}:
            self._mudar(reserva_id, StatusReserva.LIBERADA)

    def _reservar(self, itens: Sequence[ItemCarrinho]) -> Reserva:
        for item in itens:
            produto = self.produtos.get(item.produto_id)
            if produto is None or not produto.ativo:
                raise ProdutoIndisponivel(item.produto_id)
            if produto.disponivel < item.quantidade:
                raise EstoqueInsuficiente(item.produto_id, item.quantidade, produto.disponivel)
        for item in itens:
            self.produtos[item.produto_id].disponivel -= item.quantidade
            self.produtos[item.produto_id].reservado += item.quantidade
        prontos = tuple(
            ItemPedido(item.produto_id, produto.nome, produto.preco_centavos, item.quantidade)
            for item in itens
            for produto in [self.produtos[item.produto_id]]
        )
        return Reserva(prontos, StatusReserva.ATIVA, self.relogio.agora() + timedelta(seconds=VALIDADE))

    def _expirar(self) -> None:
        agora = self.relogio.agora()
        for reserva_id, reserva in self.reservas.items():
            if reserva.status is StatusReserva.ATIVA and reserva.expira_em <= agora:
                self._mudar(reserva_id, StatusReserva.EXPIRADA)

    def _mudar(self, reserva_id: str, para: StatusReserva) -> None:
        reserva = self.reservas[reserva_id]
        for item in reserva.itens:
            produto = self.produtos[item.produto_id]
            if reserva.status is StatusReserva.ATIVA:
                produto.reservado -= item.quantidade
            else:
                produto.vendido -= item.quantidade
            if para is StatusReserva.CONFIRMADA:
                produto.vendido += item.quantidade
            else:
                produto.disponivel += item.quantidade
        self.reservas[reserva_id] = replace(reserva, status=para)


@dataclass
class CarrinhosFake:
    carrinhos: dict[str, Carrinho] = field(default_factory=dict)

    def encher(self, sessao_id: str, *itens: tuple[int, int]) -> Carrinho:
        """The cart with these (produto_id, quantidade) in it, one version on."""
        versao = self.carrinhos[sessao_id].versao + 1 if sessao_id in self.carrinhos else 1
        self.carrinhos[sessao_id] = Carrinho(sessao_id, versao, tuple(ItemCarrinho(*item) for item in itens))
        return self.carrinhos[sessao_id]

    async def obter(self, sessao_id: str) -> Carrinho:
        if sessao_id not in self.carrinhos:
            raise CarrinhoNaoEncontrado(sessao_id)
        return self.carrinhos[sessao_id]

    async def esvaziar(self, sessao_id: str, versao: int) -> None:
        carrinho = self.carrinhos.get(sessao_id)
        if carrinho is not None and carrinho.versao == versao:
            self.encher(sessao_id)
