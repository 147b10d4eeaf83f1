"""The catalog, over gRPC through the mesh, in the cart's own words."""

import grpc
from confeitaria.catalogo.v1.catalogo_pb2 import MotivoErro, ObterProdutoRequest
from confeitaria.catalogo.v1.catalogo_pb2_grpc import CatalogoServiceStub

from carrinho.conhecimento import PACIENCIA
from carrinho.domain import CatalogoIndisponivel, Produto, ProdutoNaoEncontrado
from chassis import context
from chassis.client import remote_error

# The catalog, or the way to it, is in trouble; anything else but NOT_FOUND is a mistake of ours.
FORA = frozenset(
    {
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        grpc.StatusCode.CANCELLED,
        grpc.StatusCode.INTERNAL,
        grpc.StatusCode.UNKNOWN,
    }
)


class CatalogoGrpc:
    """`channel` leads to the mesh."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub = CatalogoServiceStub(channel)

    async def obter_produto(self, produto_id: int) -> Produto:
        """See Catalogo; raises RemoteError for an answer that makes no sense."""
        # Several calls may wait for this one: it keeps the request id of the first, but ends by a deadline of its own.
        context.enter(context.Call([(context.REQUEST_ID, context.request_id())]))
        try:
            produto = await self._stub.ObterProduto(ObterProdutoRequest(produto_id=produto_id), timeout=PACIENCIA)
        except grpc.aio.AioRpcError as exc:
            raise _recusa(produto_id, exc) from None
        return Produto(produto.produto_id, produto.nome, produto.preco_centavos, produto.estoque, produto.ativo)


def _recusa(produto_id: int, exc: grpc.aio.AioRpcError) -> Exception:
    if exc.code() in FORA:
        return CatalogoIndisponivel()
    remote = remote_error(exc)
    if remote.reason == MotivoErro.Name(MotivoErro.PRODUTO_NAO_ENCONTRADO):
        return ProdutoNaoEncontrado(produto_id)
    return remote
