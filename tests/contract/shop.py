"""A shop to try calls on: makes products, carts and orders through the edge, as a customer's program would."""

from __future__ import annotations

import itertools
import uuid

import grpc
from confeitaria.carrinho.v1.carrinho_pb2 import AdicionarItemRequest, Carrinho, CriarCarrinhoRequest
from confeitaria.carrinho.v1.carrinho_pb2_grpc import CarrinhoServiceStub
from confeitaria.catalogo.v1.catalogo_pb2 import (
    Categoria,
    CriarCategoriaRequest,
    CriarProdutoRequest,
    ListarCategoriasRequest,
    Produto,
)
from confeitaria.catalogo.v1.catalogo_pb2_grpc import CatalogoServiceStub
from confeitaria.pedidos.v1.pedidos_pb2 import Cliente, CriarPedidoRequest, Pedido
from confeitaria.pedidos.v1.pedidos_pb2_grpc import PedidosServiceStub

SECONDS = 10.0
CLIENTE = Cliente(nome="Ana Luísa", email="ana@example.com", telefone="+55 11 91234-5678")


class Shop:
    """Stubs over one channel to the edge, and shortcuts to what a test needs to stand ready."""

    _numbers = itertools.count(1)

    def __init__(self, channel: grpc.Channel) -> None:
        self.channel = channel
        self.catalogo = CatalogoServiceStub(channel)
        self.carrinho = CarrinhoServiceStub(channel)
        self.pedidos = PedidosServiceStub(channel)
        self._categoria_id = 0

    def name(self, what: str) -> str:
        """A name that no other test uses."""
        return f"{what} {next(self._numbers)} {uuid.uuid4().hex[:8]}"

    def categoria_id(self) -> int:
        """A category to put products in; the first that the seed brought."""
        if not self._categoria_id:
            answer = self.catalogo.ListarCategorias(ListarCategoriasRequest(), timeout=SECONDS)
            self._categoria_id = answer.categorias[0].categoria_id
        return self._categoria_id

    def nova_categoria(self) -> Categoria:
        request = CriarCategoriaRequest(categoria=Categoria(nome=self.name("Categoria")))
        return self.catalogo.CriarCategoria(request, timeout=SECONDS)

    def produto(self, estoque: int = 10, preco_centavos: int = 1250, **fields: object) -> Produto:
        """A new product with that opening stock."""
        fields = {"nome": self.name("Bolo de teste"), "categoria_id": self.categoria_id()} | fields
        produto = Produto(estoque=estoque, preco_centavos=preco_centavos, **fields)  # type: ignore[arg-type]
        return self.catalogo.CriarProduto(CriarProdutoRequest(produto=produto), timeout=SECONDS)

    def novo_carrinho(self, *itens: tuple[int, int]) -> Carrinho:
        """A new cart that holds these (produto_id, quantidade)."""
        cart = self.carrinho.CriarCarrinho(CriarCarrinhoRequest(), timeout=SECONDS)
        for produto_id, quantidade in itens:
            request = AdicionarItemRequest(sessao_id=cart.sessao_id, produto_id=produto_id, quantidade=quantidade)
            cart = self.carrinho.AdicionarItem(request, timeout=SECONDS)
        return cart

    def carrinho_cheio(self, quantidade: int = 2) -> Carrinho:
        """A cart with one new product in it."""
        return self.novo_carrinho((self.produto().produto_id, quantidade))

    def pedido(self, *itens: tuple[int, int]) -> Pedido:
        """An order of these items, or of one new product."""
        cart = self.novo_carrinho(*itens) if itens else self.carrinho_cheio()
        return self.pedidos.CriarPedido(self.novo_pedido(cart.sessao_id), timeout=SECONDS)

    @staticmethod
    def novo_pedido(sessao_id: str, **fields: str) -> CriarPedidoRequest:
        return CriarPedidoRequest(sessao_id=sessao_id, cliente=CLIENTE, **fields)
