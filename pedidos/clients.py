"""The catalog and the cart over gRPC through the mesh, in the words of orders."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TypeVar

import grpc
import structlog
from confeitaria.carrinho.v1 import carrinho_pb2
from confeitaria.carrinho.v1.carrinho_pb2_grpc import CarrinhoServiceStub
from confeitaria.catalogo.v1 import catalogo_pb2
from confeitaria.catalogo.v1.catalogo_pb2_grpc import CatalogoServiceStub

from chassis.client import RemoteError, remote_error
from pedidos.domain import (
    Carrinho,
    CarrinhoNaoEncontrado,
    ErroPedido,
    EstoqueInsuficiente,
    ItemCarrinho,
    ItemPedido,
    ProdutoIndisponivel,
    ReservaExpirada,
    ServicoIndisponivel,
)

log = structlog.get_logger()

T = TypeVar("T")
Recusas = Mapping[str, Callable[[RemoteError], ErroPedido]]

# A call that hangs is given up well before the caller's own three seconds are over, so that it hears UNAVAILABLE and
# may repeat; nothing is lost by it, the attempt goes on from where it stands.
PACIENCIA = 1.5  # seconds for one call to a neighbour
VALIDADE = 300  # seconds that a reservation lasts: many times what the completer needs after a crash
# The reservation is over; whether by time or by release, nothing is set aside any more.
PERDIDA = frozenset({catalogo_pb2.EXPIRADA, catalogo_pb2.LIBERADA})


class CatalogoGrpc:
    """`channel` leads to the mesh."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub = CatalogoServiceStub(channel)

    async def reservar(self, reserva_id: str, itens: Sequence[ItemCarrinho]) -> tuple[ItemPedido, ...]:
        request = catalogo_pb2.ReservarEstoqueRequest(reserva_id=reserva_id, validade_segundos=VALIDADE)
        for item in itens:
            request.itens.add(produto_id=item.produto_id, quantidade=item.quantidade)
        chamada = self._stub.ReservarEstoque(request, timeout=PACIENCIA)
        reserva = (await _perguntar("catalogo", chamada, _recusas(reserva_id, itens))).reserva
        if reserva.status in PERDIDA:
            raise ReservaExpirada(reserva_id)
        return tuple(
            ItemPedido(item.produto_id, item.nome, item.preco_centavos, item.quantidade)
            for item in sorted(reserva.itens, key=lambda item: item.produto_id)
        )

    async def confirmar(self, reserva_id: str) -> None:
        request = catalogo_pb2.ConfirmarReservaRequest(reserva_id=reserva_id)
        chamada = self._stub.ConfirmarReserva(request, timeout=PACIENCIA)
        await _perguntar("catalogo", chamada, _recusas(reserva_id, ()))

    async def liberar(self, reserva_id: str) -> None:
        request = catalogo_pb2.LiberarReservaRequest(reserva_id=reserva_id)
        await _perguntar("catalogo", self._stub.LiberarReserva(request, timeout=PACIENCIA), {})


class CarrinhosGrpc:
    """`channel` leads to the mesh."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub = CarrinhoServiceStub(channel)

    async def obter(self, sessao_id: str) -> Carrinho:
        request = carrinho_pb2.ObterCarrinhoRequest(sessao_id=sessao_id)
        recusas: Recusas = {"CARRINHO_NAO_ENCONTRADO": lambda _: CarrinhoNaoEncontrado(sessao_id)}
        carrinho = await _perguntar("carrinho", self._stub.ObterCarrinho(request, timeout=PACIENCIA), recusas)
        itens = tuple(ItemCarrinho(item.produto_id, item.quantidade) for item in carrinho.itens)
        return Carrinho(sessao_id, carrinho.versao, itens)

    async def esvaziar(self, sessao_id: str, versao: int) -> None:
        request = carrinho_pb2.EsvaziarCarrinhoRequest(sessao_id=sessao_id, versao=versao)
        try:
            await self._stub.EsvaziarCarrinho(request, timeout=PACIENCIA)
        except grpc.aio.AioRpcError as exc:
            remote = remote_error(exc)
            # The customer went on with the cart, or it is gone: there is nothing left to clear.
            if remote.reason not in {"VERSAO_DESATUALIZADA", "CARRINHO_NAO_ENCONTRADO"}:
                raise _incerto("carrinho", remote) from exc


def _recusas(reserva_id: str, itens: Sequence[ItemCarrinho]) -> Recusas:
    pedidas = {item.produto_id: item.quantidade for item in itens}

    def insuficiente(remote: RemoteError) -> ErroPedido:
        produto_id = _numero(remote, "produto_id")
        return EstoqueInsuficiente(produto_id, pedidas.get(produto_id, 0), _numero(remote, "disponivel"))

    def indisponivel(remote: RemoteError) -> ErroPedido:
        return ProdutoIndisponivel(_numero(remote, "produto_id"))

    def expirada(_: RemoteError) -> ErroPedido:
        return ReservaExpirada(reserva_id)

    return {
        "ESTOQUE_INSUFICIENTE": insuficiente,
        "PRODUTO_NAO_ENCONTRADO": indisponivel,
        "PRODUTO_INATIVO": indisponivel,
        "RESERVA_EXPIRADA": expirada,
        "RESERVA_LIBERADA": expirada,
        "RESERVA_NAO_ENCONTRADA": expirada,
    }


async def _perguntar(servico: str, chamada: Awaitable[T], recusas: Recusas) -> T:
    """The answer; a refusal that is known becomes its own error, anything else leaves the outcome uncertain."""
    try:
        return await chamada
    except grpc.aio.AioRpcError as exc:
        remote = remote_error(exc)
        recusa = recusas.get(remote.reason)
        raise (recusa(remote) if recusa else _incerto(servico, remote)) from exc


def _incerto(servico: str, remote: RemoteError) -> ServicoIndisponivel:
    log.warning("no answer from a neighbour", service=servico, code=remote.code.name, reason=remote.reason)
    return ServicoIndisponivel(servico)


def _numero(remote: RemoteError, nome: str) -> int:
    valor = remote.metadata.get(nome, "")
    return int(valor) if valor.isdecimal() else 0
