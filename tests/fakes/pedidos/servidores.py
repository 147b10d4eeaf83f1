"""The catalog and the cart of vizinhos.py behind gRPC, as orders meet them through the mesh."""

from collections.abc import Awaitable, Callable
from typing import Any

import grpc
from confeitaria.carrinho.v1 import carrinho_pb2
from confeitaria.catalogo.v1 import catalogo_pb2

from chassis.errors import ErrorTable, Mapped
from pedidos import domain
from pedidos.domain import ItemCarrinho
from tests.fakes.pedidos.vizinhos import CarrinhosFake, CatalogoFake

CATALOGO = catalogo_pb2.DESCRIPTOR.services_by_name["CatalogoService"]
CARRINHO = carrinho_pb2.DESCRIPTOR.services_by_name["CarrinhoService"]
_REFUSED = grpc.StatusCode.FAILED_PRECONDITION


class ReservaLiberada(Exception):  # noqa: N818  named after what happened
    """A reservation that came after its release."""


class VersaoDesatualizada(Exception):  # noqa: N818
    """A cart that went on."""


ERRORS: ErrorTable = {
    domain.EstoqueInsuficiente: Mapped(_REFUSED, "ESTOQUE_INSUFICIENTE", ("produto_id", "solicitado", "disponivel")),
    domain.ProdutoIndisponivel: Mapped(_REFUSED, "PRODUTO_INATIVO", ("produto_id",)),
    domain.ReservaExpirada: Mapped(_REFUSED, "RESERVA_EXPIRADA"),
    ReservaLiberada: Mapped(_REFUSED, "RESERVA_LIBERADA"),
    domain.ServicoIndisponivel: Mapped(grpc.StatusCode.UNAVAILABLE, "SERVICO_INDISPONIVEL"),
    domain.CarrinhoNaoEncontrado: Mapped(grpc.StatusCode.NOT_FOUND, "CARRINHO_NAO_ENCONTRADO", ("sessao_id",)),
    VersaoDesatualizada: Mapped(grpc.StatusCode.ABORTED, "VERSAO_DESATUALIZADA"),
}


class _Servidor:
    """`before` and `after` let a test look in, or break things, around each call."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.before: Callable[[str], Awaitable[None]] | None = None
        self.after: Callable[[str], Awaitable[None]] | None = None

    async def around(self, name: str, work: Callable[[], Awaitable[Any]]) -> Any:
        self.calls.append(name)
        try:
            if self.before is not None:
                await self.before(name)
            return await work()
        finally:
            if self.after is not None:
                await self.after(name)

    def __getattr__(self, name: str) -> Callable[..., Awaitable[Any]]:
        if name not in CATALOGO.methods_by_name and name not in CARRINHO.methods_by_name:
            raise AttributeError(name)

        async def not_expected(*_: object) -> Any:
            raise NotImplementedError(name)

        return not_expected


class CatalogoServidor(_Servidor):
    def __init__(self, catalogo: CatalogoFake) -> None:
        super().__init__()
        self.catalogo = catalogo

    async def ReservarEstoque(self, request: Any, _context: object) -> catalogo_pb2.ReservarEstoqueResponse:
        itens = [ItemCarrinho(item.produto_id, item.quantidade) for item in request.itens]
        await self.around("ReservarEstoque", lambda: self._reservar(request.reserva_id, itens))
        return catalogo_pb2.ReservarEstoqueResponse(reserva=self._reserva(request.reserva_id))

    async def ConfirmarReserva(self, request: Any, _context: object) -> catalogo_pb2.ConfirmarReservaResponse:
        await self.around("ConfirmarReserva", lambda: self.catalogo.confirmar(request.reserva_id))
        return catalogo_pb2.ConfirmarReservaResponse(reserva=self._reserva(request.reserva_id))

    async def LiberarReserva(self, request: Any, _context: object) -> catalogo_pb2.LiberarReservaResponse:
        await self.around("LiberarReserva", lambda: self.catalogo.liberar(request.reserva_id))
        return catalogo_pb2.LiberarReservaResponse(reserva=self._reserva(request.reserva_id))

    async def _reservar(self, reserva_id: str, itens: list[ItemCarrinho]) -> None:
        """A repetition returns the reservation as it is now; one that never was and is released is refused."""
        try:
            await self.catalogo.reservar(reserva_id, itens)
        except domain.ReservaExpirada:
            if not self.catalogo.reservas[reserva_id].itens:
                raise ReservaLiberada from None

    def _reserva(self, reserva_id: str) -> catalogo_pb2.Reserva:
        reserva = self.catalogo.reservas[reserva_id]
        message = catalogo_pb2.Reserva(reserva_id=reserva_id, status=reserva.status.value)
        for item in reversed(reserva.itens):  # the order is not promised
            message.itens.add(
                produto_id=item.produto_id,
                nome=item.nome,
                preco_centavos=item.preco_centavos,
                quantidade=item.quantidade,
            )
        return message


class CarrinhoServidor(_Servidor):
    def __init__(self, carrinhos: CarrinhosFake) -> None:
        super().__init__()
        self.carrinhos = carrinhos

    async def ObterCarrinho(self, request: Any, _context: object) -> carrinho_pb2.Carrinho:
        carrinho = await self.around("ObterCarrinho", lambda: self.carrinhos.obter(request.sessao_id))
        message = carrinho_pb2.Carrinho(sessao_id=carrinho.sessao_id, versao=carrinho.versao)
        for item in carrinho.itens:
            # the price is of the day when it was put in, which is not what it costs now
            message.itens.add(produto_id=item.produto_id, quantidade=item.quantidade, preco_centavos=1)
        return message

    async def EsvaziarCarrinho(self, request: Any, _context: object) -> carrinho_pb2.Carrinho:
        carrinho = await self.around("EsvaziarCarrinho", lambda: self.carrinhos.obter(request.sessao_id))
        if carrinho.versao != request.versao:
            raise VersaoDesatualizada
        await self.carrinhos.esvaziar(request.sessao_id, request.versao)
        return carrinho_pb2.Carrinho(sessao_id=request.sessao_id, versao=request.versao + 1)
