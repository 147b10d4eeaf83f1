"""gRPC <-> domain: read, call, write. Reads come from the shop window as ready bytes; the rest from the use cases."""

from functools import lru_cache
from uuid import UUID

import grpc
from confeitaria.catalogo.v1 import catalogo_pb2 as pb
from google.protobuf.empty_pb2 import Empty

from catalogo.domain import errors
from catalogo.domain.estoque import ComandoReserva, Confirmar, Consultar, Liberar
from catalogo.domain.produtos import Produto
from catalogo.frescor import Frescor, LeituraAtrasada, fresca
from catalogo.messages import categoria_message, page, produto_message, reserva_message
from catalogo.requests import (
    ajustar_of,
    alteracao_of,
    filtro_of,
    key_of,
    nova_categoria_of,
    novo_produto_of,
    page_size,
    reservar_of,
)
from catalogo.use_cases import Catalogo, Vitrine
from chassis.context import request_id
from chassis.errors import ErrorTable, Mapped
from chassis.paging import PageTokens

DOMAIN = "catalogo.confeitaria"
SERVICE = pb.DESCRIPTOR.services_by_name["CatalogoService"]

ERRORS: ErrorTable = {
    errors.ProdutoNaoEncontrado: Mapped(grpc.StatusCode.NOT_FOUND, "PRODUTO_NAO_ENCONTRADO", ("produto_id",)),
    errors.ProdutoInativo: Mapped(grpc.StatusCode.FAILED_PRECONDITION, "PRODUTO_INATIVO", ("produto_id",)),
    errors.VersaoDesatualizada: Mapped(
        grpc.StatusCode.ABORTED, "VERSAO_DESATUALIZADA", ("versao_enviada", "versao_atual")
    ),
    errors.CategoriaNaoEncontrada: Mapped(grpc.StatusCode.NOT_FOUND, "CATEGORIA_NAO_ENCONTRADA", ("categoria",)),
    errors.CategoriaDuplicada: Mapped(grpc.StatusCode.ALREADY_EXISTS, "CATEGORIA_DUPLICADA", ("nome",)),
    errors.EstoqueInsuficiente: Mapped(
        grpc.StatusCode.FAILED_PRECONDITION, "ESTOQUE_INSUFICIENTE", ("produto_id", "solicitado", "disponivel")
    ),
    errors.EstoqueExcedeLimite: Mapped(
        grpc.StatusCode.FAILED_PRECONDITION, "ESTOQUE_EXCEDE_LIMITE", ("produto_id", "limite")
    ),
    errors.ChaveReutilizada: Mapped(grpc.StatusCode.ALREADY_EXISTS, "CHAVE_REUTILIZADA", ("chave",)),
    errors.ReservaNaoEncontrada: Mapped(grpc.StatusCode.NOT_FOUND, "RESERVA_NAO_ENCONTRADA", ("reserva_id",)),
    errors.ReservaExpirada: Mapped(grpc.StatusCode.FAILED_PRECONDITION, "RESERVA_EXPIRADA", ("reserva_id",)),
    errors.ReservaLiberada: Mapped(grpc.StatusCode.FAILED_PRECONDITION, "RESERVA_LIBERADA", ("reserva_id",)),
    LeituraAtrasada: Mapped(grpc.StatusCode.UNAVAILABLE, "LEITURA_ATRASADA"),
}


class CatalogoServicer:
    def __init__(self, catalogo: Catalogo, vitrine: Vitrine, tokens: PageTokens) -> None:
        self._catalogo = catalogo
        self._vitrine = vitrine
        self.frescor = Frescor(vitrine, tokens)
        self._position = tokens.decode
        self._token = lru_cache(1_024)(tokens.encode)  # a pure function of filter and position: never stale

    @fresca
    def ListarProdutos(self, request: pb.ListarProdutosRequest, _context: object) -> bytes:
        filtro = filtro_of(request)
        apos = self._position(filtro, request.page_token) if request.page_token else None
        produtos, seguinte = self._vitrine.listar(filtro, apos, page_size(request.page_size))
        return page(b"".join(produtos), "" if seguinte is None else self._token(filtro, seguinte))

    @fresca
    def ObterProduto(self, request: pb.ObterProdutoRequest, _context: object) -> bytes:
        return self._vitrine.obter(request.produto_id)

    async def CriarProduto(self, request: pb.CriarProdutoRequest, _context: object) -> pb.Produto:
        novo = novo_produto_of(request.produto)
        return self._changed(await self._catalogo.criar_produto(novo, key_of(request.request_id), request_id()))

    async def AtualizarProduto(self, request: pb.AtualizarProdutoRequest, _context: object) -> pb.Produto:
        alteracao = alteracao_of(request)
        produto_id, versao = request.produto.produto_id, request.produto.versao
        return self._changed(await self._catalogo.alterar_produto(produto_id, versao, alteracao))

    async def ExcluirProduto(self, request: pb.ExcluirProdutoRequest, _context: object) -> Empty:
        self._changed(await self._catalogo.excluir_produto(request.produto_id))
        return Empty()

    @fresca
    def ListarCategorias(self, _request: pb.ListarCategoriasRequest, _context: object) -> bytes:
        return self._vitrine.categorias()

    async def CriarCategoria(self, request: pb.CriarCategoriaRequest, _context: object) -> pb.Categoria:
        categoria = await self._catalogo.criar_categoria(nova_categoria_of(request.categoria))
        self.frescor.anunciar(categoria.momento)
        return categoria_message(categoria)

    async def VerificarEstoque(
        self, request: pb.VerificarEstoqueRequest, _context: object
    ) -> pb.VerificarEstoqueResponse:
        disponivel, estoque = await self._catalogo.verificar_estoque(request.produto_id, request.quantidade)
        return pb.VerificarEstoqueResponse(disponivel=disponivel, estoque=estoque)

    async def AtualizarEstoque(self, request: pb.AtualizarEstoqueRequest, _context: object) -> pb.Produto:
        return self._changed(await self._catalogo.ajustar_estoque(ajustar_of(request, request_id())))

    async def ReservarEstoque(self, request: pb.ReservarEstoqueRequest, _context: object) -> pb.ReservarEstoqueResponse:
        return pb.ReservarEstoqueResponse(reserva=await self._reserva(reservar_of(request, request_id())))

    async def ConfirmarReserva(
        self, request: pb.ConfirmarReservaRequest, _context: object
    ) -> pb.ConfirmarReservaResponse:
        comando = Confirmar(UUID(request.reserva_id), request_id())
        return pb.ConfirmarReservaResponse(reserva=await self._reserva(comando))

    async def LiberarReserva(self, request: pb.LiberarReservaRequest, _context: object) -> pb.LiberarReservaResponse:
        comando = Liberar(UUID(request.reserva_id), request_id())
        return pb.LiberarReservaResponse(reserva=await self._reserva(comando))

    async def ObterReserva(self, request: pb.ObterReservaRequest, _context: object) -> pb.Reserva:
        return await self._reserva(Consultar(UUID(request.reserva_id), request_id()))

    def _changed(self, produto: Produto) -> pb.Produto:
        self.frescor.anunciar(produto.momento)
        return produto_message(produto)

    async def _reserva(self, comando: ComandoReserva) -> pb.Reserva:
        return reserva_message(await self._catalogo.mudar_reserva(comando))
