"""CarrinhoService over gRPC: read, call, write."""

import grpc
from confeitaria.carrinho.v1.carrinho_pb2 import (
    AdicionarItemRequest,
    AtualizarItemRequest,
    CriarCarrinhoRequest,
    EsvaziarCarrinhoRequest,
    ObterCarrinhoRequest,
    RemoverItemRequest,
)

from carrinho import domain
from carrinho.use_cases import Carrinho, CarrinhoRepository, Compras
from chassis.errors import ErrorTable, Mapped

ERRORS: ErrorTable = {
    domain.CarrinhoNaoEncontrado: Mapped(grpc.StatusCode.NOT_FOUND, "CARRINHO_NAO_ENCONTRADO", ("sessao_id",)),
    domain.ProdutoNaoEncontrado: Mapped(grpc.StatusCode.NOT_FOUND, "PRODUTO_NAO_ENCONTRADO", ("produto_id",)),
    domain.ProdutoInativo: Mapped(grpc.StatusCode.FAILED_PRECONDITION, "PRODUTO_INATIVO", ("produto_id",)),
    domain.EstoqueInsuficiente: Mapped(
        grpc.StatusCode.FAILED_PRECONDITION, "ESTOQUE_INSUFICIENTE", ("produto_id", "solicitado", "disponivel")
    ),
    domain.ItemNaoEncontrado: Mapped(grpc.StatusCode.NOT_FOUND, "ITEM_NAO_ENCONTRADO", ("produto_id",)),
    domain.CarrinhoCheio: Mapped(grpc.StatusCode.FAILED_PRECONDITION, "CARRINHO_CHEIO", ("limite",)),
    domain.VersaoDesatualizada: Mapped(
        grpc.StatusCode.ABORTED, "VERSAO_DESATUALIZADA", ("versao_enviada", "versao_atual")
    ),
    domain.ChaveReutilizada: Mapped(grpc.StatusCode.ALREADY_EXISTS, "CHAVE_REUTILIZADA", ("chave",)),
    domain.CatalogoIndisponivel: Mapped(grpc.StatusCode.UNAVAILABLE, "SERVICO_INDISPONIVEL"),
    domain.CarrinhoIndisponivel: Mapped(grpc.StatusCode.UNAVAILABLE, "SERVICO_INDISPONIVEL"),
}


class CarrinhoServicer:
    """Every answer is a Carrinho as the store keeps it: ready bytes."""

    def __init__(self, carrinhos: CarrinhoRepository, compras: Compras) -> None:
        self._carrinhos = carrinhos
        self._compras = compras

    async def CriarCarrinho(self, _request: CriarCarrinhoRequest, _context: object) -> Carrinho:
        return await self._carrinhos.criar()

    async def ObterCarrinho(self, request: ObterCarrinhoRequest, _context: object) -> Carrinho:
        return await self._carrinhos.obter(request.sessao_id)

    async def AdicionarItem(self, request: AdicionarItemRequest, _context: object) -> Carrinho:
        return await self._compras.adicionar(
            request.sessao_id, request.produto_id, request.quantidade, request.request_id
        )

    async def AtualizarItem(self, request: AtualizarItemRequest, _context: object) -> Carrinho:
        return await self._compras.atualizar(request.sessao_id, request.produto_id, request.quantidade)

    async def RemoverItem(self, request: RemoverItemRequest, _context: object) -> Carrinho:
        return await self._carrinhos.remover(request.sessao_id, request.produto_id)

    async def EsvaziarCarrinho(self, request: EsvaziarCarrinhoRequest, _context: object) -> Carrinho:
        return await self._carrinhos.esvaziar(request.sessao_id, request.versao)
