"""gRPC <-> domain: read, call, write."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import datetime
from uuid import UUID

import grpc
from confeitaria.pedidos.v1 import pedidos_pb2 as pb
from google.protobuf.timestamp_pb2 import Timestamp

from chassis.errors import ErrorTable, InvalidRequest, Mapped
from chassis.paging import PageTokens
from pedidos import domain
from pedidos.domain import Cliente, Pedido, Solicitacao, StatusPedido
from pedidos.use_cases.acompanhamento import Acompanhamento
from pedidos.use_cases.checkout import Checkout
from pedidos.use_cases.mudancas import Mudancas
from pedidos.use_cases.ports import Pedidos

DOMAIN = "pedidos.confeitaria"
SERVICE = pb.DESCRIPTOR.services_by_name["PedidosService"]
PAGE, LARGEST_PAGE = 20, 100  # orders

_REFUSED = grpc.StatusCode.FAILED_PRECONDITION
ERRORS: ErrorTable = {
    domain.PedidoNaoEncontrado: Mapped(grpc.StatusCode.NOT_FOUND, "PEDIDO_NAO_ENCONTRADO", ("pedido_id",)),
    domain.CarrinhoNaoEncontrado: Mapped(grpc.StatusCode.NOT_FOUND, "CARRINHO_NAO_ENCONTRADO", ("sessao_id",)),
    domain.CarrinhoVazio: Mapped(_REFUSED, "CARRINHO_VAZIO", ("sessao_id",)),
    domain.EstoqueInsuficiente: Mapped(_REFUSED, "ESTOQUE_INSUFICIENTE", ("produto_id", "solicitado", "disponivel")),
    domain.ProdutoIndisponivel: Mapped(_REFUSED, "PRODUTO_INDISPONIVEL", ("produto_id",)),
    domain.TransicaoInvalida: Mapped(_REFUSED, "TRANSICAO_INVALIDA", ("de", "para")),
    domain.ChaveReutilizada: Mapped(grpc.StatusCode.ALREADY_EXISTS, "CHAVE_REUTILIZADA", ("chave",)),
    domain.ReservaExpirada: Mapped(_REFUSED, "RESERVA_EXPIRADA", ("pedido_id",)),
    domain.TotalExcedeLimite: Mapped(_REFUSED, "TOTAL_EXCEDE_LIMITE", ("total_centavos", "limite_centavos")),
    domain.ServicoIndisponivel: Mapped(grpc.StatusCode.UNAVAILABLE, "SERVICO_INDISPONIVEL"),
    domain.MuitosAcompanhamentos: Mapped(grpc.StatusCode.RESOURCE_EXHAUSTED, "LIMITE_EXCEDIDO"),
}


class PedidosServicer:
    def __init__(
        self,
        checkout: Checkout,
        mudancas: Mudancas,
        pedidos: Pedidos,
        acompanhamento: Acompanhamento,
        tokens: PageTokens,
    ) -> None:
        self._checkout = checkout
        self._mudancas = mudancas
        self._pedidos = pedidos
        self._acompanhamento = acompanhamento
        self._tokens = tokens

    async def CriarPedido(self, request: pb.CriarPedidoRequest, _context: object) -> bytes:
        return await self._checkout.criar(_solicitacao(request))

    async def ObterPedido(self, request: pb.ObterPedidoRequest, _context: object) -> bytes:
        return pedido_em_bytes(await self._pedidos.obter(_uuid(request.pedido_id)))

    async def ListarPedidos(self, request: pb.ListarPedidosRequest, _context: object) -> pb.ListarPedidosResponse:
        _sem_nulos(sessao_id=request.sessao_id)
        filtro = (request.sessao_id, request.status)
        (apos,) = self._tokens.decode(filtro, request.page_token) if request.page_token else ("",)
        limite = min(request.page_size or PAGE, LARGEST_PAGE)
        status = StatusPedido(pb.StatusPedido.Name(request.status)) if request.status else None
        pedidos = await self._pedidos.listar(
            sessao_id=request.sessao_id, status=status, apos=str(apos), limite=limite + 1
        )
        answer = pb.ListarPedidosResponse(pedidos=map(pedido_message, pedidos[:limite]))
        if len(pedidos) > limite:
            answer.next_page_token = self._tokens.encode(filtro, (pedidos[limite - 1].pedido_id,))
        return answer

    async def CancelarPedido(self, request: pb.CancelarPedidoRequest, _context: object) -> bytes:
        _sem_nulos(motivo=request.motivo)
        return pedido_em_bytes(await self._mudancas.cancelar(_uuid(request.pedido_id), request.motivo))

    async def AtualizarStatusPedido(self, request: pb.AtualizarStatusPedidoRequest, _context: object) -> bytes:
        para = StatusPedido(pb.StatusPedido.Name(request.status))
        return pedido_em_bytes(await self._mudancas.mudar_status(_uuid(request.pedido_id), para))

    async def AcompanharPedido(
        self, request: pb.AcompanharPedidoRequest, _context: object
    ) -> AsyncGenerator[pb.AcompanharPedidoResponse, None]:
        async with aclosing(self._acompanhamento.acompanhar(_uuid(request.pedido_id))) as situacoes:
            async for situacao in situacoes:
                yield pb.AcompanharPedidoResponse(
                    pedido_id=situacao.pedido_id,
                    status=situacao.status.value,
                    atualizado_em=_timestamp(situacao.atualizado_em),
                )


def pedido_message(pedido: Pedido) -> pb.Pedido:
    cliente = pedido.cliente
    message = pb.Pedido(
        pedido_id=pedido.pedido_id,
        sessao_id=pedido.sessao_id,
        status=pedido.status.value,
        total_centavos=pedido.total_centavos,
        cliente=pb.Cliente(nome=cliente.nome, email=cliente.email, telefone=cliente.telefone),
        observacao=pedido.observacao,
        criado_em=_timestamp(pedido.criado_em),
        atualizado_em=_timestamp(pedido.atualizado_em),
    )
    for item in pedido.itens:
        message.itens.add(
            produto_id=item.produto_id,
            nome=item.nome,
            preco_centavos=item.preco_centavos,
            quantidade=item.quantidade,
            subtotal_centavos=item.subtotal_centavos,
        )
    return message


def pedido_em_bytes(pedido: Pedido) -> bytes:
    """An order as it goes out; CriarPedido's answer is kept in this form."""
    return pedido_message(pedido).SerializeToString()


def _solicitacao(request: pb.CriarPedidoRequest) -> Solicitacao:
    cliente = request.cliente
    textos = {"sessao_id": request.sessao_id, "observacao": request.observacao, "cliente.nome": cliente.nome}
    _sem_nulos(**textos, **{"cliente.email": cliente.email, "cliente.telefone": cliente.telefone})
    return Solicitacao(
        sessao_id=request.sessao_id,
        cliente=Cliente(cliente.nome, cliente.email, cliente.telefone),
        observacao=request.observacao,
        request_id=request.request_id and _uuid(request.request_id),
    )


def _sem_nulos(**textos: str) -> None:
    """PostgreSQL's text holds every character but this one."""
    if nulos := [(campo, "não pode conter o caractere nulo") for campo, texto in textos.items() if "\0" in texto]:
        raise InvalidRequest(*nulos)


def _uuid(texto: str) -> str:
    """The canonical form of a UUID that the contract's rules let through in either case."""
    return str(UUID(texto))


def _timestamp(quando: datetime) -> Timestamp:
    timestamp = Timestamp()
    timestamp.FromDatetime(quando)
    return timestamp
