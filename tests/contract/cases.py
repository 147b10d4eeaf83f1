"""One or more calls for every public RPC: its success and each error that the contract promises.

A case builds its request with a Shop; `expected` is the reason of the error, or "" for success.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import NamedTuple

from confeitaria.carrinho.v1 import carrinho_pb2 as carrinho
from confeitaria.catalogo.v1 import catalogo_pb2 as catalogo
from confeitaria.gateway.v1 import gateway_pb2 as gateway
from confeitaria.pedidos.v1 import pedidos_pb2 as pedidos
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.message import Message

from tests.contract.shop import Shop

UNKNOWN_ID = 2_000_000_000
UNKNOWN_UUID = "01890000-0000-7000-8000-000000000000"
UNKNOWN_CART = "AAAAAAAAAAAAAAAAAAAAAA"


class Case(NamedTuple):
    """A call: which RPC, in a word what it shows, the request, and the reason of the error it gets."""

    rpc: str
    label: str
    build: Callable[[Shop], Message]
    expected: str = ""


def used_key(shop: Shop) -> catalogo.AtualizarEstoqueRequest:
    request = catalogo.AtualizarEstoqueRequest(
        produto_id=shop.produto().produto_id, operacao=catalogo.ADICIONAR, quantidade=1, request_id=str(uuid.uuid4())
    )
    shop.catalogo.AtualizarEstoque(request)
    request.quantidade = 2
    return request


def delivered(shop: Shop) -> str:
    """An order that was delivered: its id."""
    pedido_id = shop.pedido().pedido_id
    for status in (pedidos.EM_PREPARO, pedidos.PRONTO, pedidos.ENTREGUE):
        shop.pedidos.AtualizarStatusPedido(pedidos.AtualizarStatusPedidoRequest(pedido_id=pedido_id, status=status))
    return pedido_id


def cancelled(shop: Shop) -> str:
    pedido_id = shop.pedido().pedido_id
    shop.pedidos.CancelarPedido(pedidos.CancelarPedidoRequest(pedido_id=pedido_id))
    return pedido_id


def replayed_order(shop: Shop) -> pedidos.CriarPedidoRequest:
    request = shop.novo_pedido(shop.carrinho_cheio().sessao_id, request_id=str(uuid.uuid4()))
    shop.pedidos.CriarPedido(request)
    return request


def reused_order_key(shop: Shop) -> pedidos.CriarPedidoRequest:
    request = replayed_order(shop)
    request.observacao = "outro corpo"
    return request


def sold_out(shop: Shop) -> pedidos.CriarPedidoRequest:
    """An order for more than is left since it went into the cart."""
    produto = shop.produto(estoque=2)
    cart = shop.novo_carrinho((produto.produto_id, 2))
    shop.pedido((produto.produto_id, 1))
    return shop.novo_pedido(cart.sessao_id)


def discontinued(shop: Shop) -> pedidos.CriarPedidoRequest:
    produto = shop.produto()
    cart = shop.novo_carrinho((produto.produto_id, 1))
    shop.catalogo.ExcluirProduto(catalogo.ExcluirProdutoRequest(produto_id=produto.produto_id))
    return shop.novo_pedido(cart.sessao_id)


def priceless(shop: Shop) -> pedidos.CriarPedidoRequest:
    """Three items that pass the cart's limit only at prices that rose after they were put in."""
    produtos = [shop.produto(estoque=1000, preco_centavos=100) for _ in range(3)]
    cart = shop.novo_carrinho(*((produto.produto_id, 1000) for produto in produtos))
    for produto in produtos:
        raised = catalogo.Produto(produto_id=produto.produto_id, preco_centavos=1_000_000)
        shop.catalogo.AtualizarProduto(catalogo.AtualizarProdutoRequest(produto=raised))
    return shop.novo_pedido(cart.sessao_id)


def overfull_cart(shop: Shop) -> carrinho.AdicionarItemRequest:
    produtos = [shop.produto(estoque=1000, preco_centavos=1_000_000) for _ in range(3)]
    cart = shop.novo_carrinho(*((produto.produto_id, 1000) for produto in produtos[:2]))
    return carrinho.AdicionarItemRequest(sessao_id=cart.sessao_id, produto_id=produtos[2].produto_id, quantidade=1)


def reused_cart_key(shop: Shop) -> carrinho.AdicionarItemRequest:
    request = carrinho.AdicionarItemRequest(
        sessao_id=shop.novo_carrinho().sessao_id,
        produto_id=shop.produto().produto_id,
        quantidade=1,
        request_id=str(uuid.uuid4()),
    )
    shop.carrinho.AdicionarItem(request)
    request.quantidade = 2
    return request


def adding(shop: Shop, quantidade: int = 2, **produto: object) -> carrinho.AdicionarItemRequest:
    return carrinho.AdicionarItemRequest(
        sessao_id=shop.novo_carrinho().sessao_id,
        produto_id=shop.produto(**produto).produto_id,  # type: ignore[arg-type]
        quantidade=quantidade,
    )


def setting(shop: Shop, quantidade: int) -> carrinho.AtualizarItemRequest:
    cart = shop.carrinho_cheio()
    return carrinho.AtualizarItemRequest(
        sessao_id=cart.sessao_id, produto_id=cart.itens[0].produto_id, quantidade=quantidade
    )


def removing(shop: Shop) -> carrinho.RemoverItemRequest:
    cart = shop.carrinho_cheio()
    return carrinho.RemoverItemRequest(sessao_id=cart.sessao_id, produto_id=cart.itens[0].produto_id)


def movement(shop: Shop, operacao: catalogo.OperacaoEstoque, quantidade: int) -> catalogo.AtualizarEstoqueRequest:
    return catalogo.AtualizarEstoqueRequest(
        produto_id=shop.produto(estoque=5).produto_id, operacao=operacao, quantidade=quantidade
    )


def creation(shop: Shop, **fields: object) -> catalogo.CriarProdutoRequest:
    given = {"nome": shop.name("Torta"), "preco_centavos": 900, "categoria_id": shop.categoria_id()} | fields
    return catalogo.CriarProdutoRequest(produto=catalogo.Produto(**given))  # type: ignore[arg-type]


def change(shop: Shop, mask: list[str], **fields: object) -> catalogo.AtualizarProdutoRequest:
    produto = catalogo.Produto(produto_id=shop.produto().produto_id, **fields)  # type: ignore[arg-type]
    return catalogo.AtualizarProdutoRequest(produto=produto, update_mask=FieldMask(paths=mask))


def step(shop: Shop, status: pedidos.StatusPedido) -> pedidos.AtualizarStatusPedidoRequest:
    return pedidos.AtualizarStatusPedidoRequest(pedido_id=shop.pedido().pedido_id, status=status)


def twin_category(shop: Shop) -> catalogo.CriarCategoriaRequest:
    nome = shop.nova_categoria().nome
    return catalogo.CriarCategoriaRequest(categoria=catalogo.Categoria(nome=nome.upper()))


CATALOGO = [
    Case("CatalogoService.ListarProdutos", "first page", lambda _: catalogo.ListarProdutosRequest(page_size=5)),
    Case(
        "CatalogoService.ListarProdutos",
        "every filter",
        lambda _: catalogo.ListarProdutosRequest(
            busca="chocolate",
            preco_minimo_centavos=100,
            preco_maximo_centavos=90000,
            apenas_disponiveis=True,
            ordenar_por=catalogo.PRECO_DECRESCENTE,
        ),
    ),
    Case(
        "CatalogoService.ListarProdutos",
        "forged token",
        lambda _: catalogo.ListarProdutosRequest(page_token="AAAA"),
        "REQUISICAO_INVALIDA",
    ),
    Case(
        "CatalogoService.ListarProdutos",
        "negative page",
        lambda _: catalogo.ListarProdutosRequest(page_size=-1),
        "REQUISICAO_INVALIDA",
    ),
    Case(
        "CatalogoService.ObterProduto",
        "known",
        lambda shop: catalogo.ObterProdutoRequest(produto_id=shop.produto().produto_id),
    ),
    Case(
        "CatalogoService.ObterProduto",
        "unknown",
        lambda _: catalogo.ObterProdutoRequest(produto_id=UNKNOWN_ID),
        "PRODUTO_NAO_ENCONTRADO",
    ),
    Case("CatalogoService.CriarProduto", "whole", lambda shop: creation(shop, estoque=3, descricao="Com recheio.")),
    Case(
        "CatalogoService.CriarProduto",
        "no name",
        lambda shop: creation(shop, nome=" "),
        "REQUISICAO_INVALIDA",
    ),
    Case(
        "CatalogoService.CriarProduto",
        "unknown category",
        lambda shop: creation(shop, categoria_id=UNKNOWN_ID),
        "CATEGORIA_NAO_ENCONTRADA",
    ),
    Case(
        "CatalogoService.AtualizarProduto",
        "masked",
        lambda shop: change(shop, ["preco_centavos", "ativo"], preco_centavos=777, nome="ignorado", ativo=False),
    ),
    Case("CatalogoService.AtualizarProduto", "without mask", lambda shop: change(shop, [], descricao="Nova.")),
    Case(
        "CatalogoService.AtualizarProduto",
        "stock in mask",
        lambda shop: change(shop, ["estoque"], estoque=9),
        "REQUISICAO_INVALIDA",
    ),
    Case(
        "CatalogoService.AtualizarProduto",
        "old versao",
        lambda shop: change(shop, ["nome"], nome="Outro", versao=99),
        "VERSAO_DESATUALIZADA",
    ),
    Case(
        "CatalogoService.ExcluirProduto",
        "known",
        lambda shop: catalogo.ExcluirProdutoRequest(produto_id=shop.produto().produto_id),
    ),
    Case(
        "CatalogoService.ExcluirProduto",
        "unknown",
        lambda _: catalogo.ExcluirProdutoRequest(produto_id=UNKNOWN_ID),
        "PRODUTO_NAO_ENCONTRADO",
    ),
    Case("CatalogoService.ListarCategorias", "all", lambda _: catalogo.ListarCategoriasRequest()),
    Case(
        "CatalogoService.CriarCategoria",
        "new",
        lambda shop: catalogo.CriarCategoriaRequest(categoria=catalogo.Categoria(nome=shop.name("Salgados"))),
    ),
    Case("CatalogoService.CriarCategoria", "twin", twin_category, "CATEGORIA_DUPLICADA"),
    Case(
        "CatalogoService.VerificarEstoque",
        "enough",
        lambda shop: catalogo.VerificarEstoqueRequest(produto_id=shop.produto().produto_id, quantidade=10),
    ),
    Case(
        "CatalogoService.VerificarEstoque",
        "too much",
        lambda shop: catalogo.VerificarEstoqueRequest(produto_id=shop.produto().produto_id, quantidade=11),
    ),
    Case(
        "CatalogoService.VerificarEstoque",
        "unknown",
        lambda _: catalogo.VerificarEstoqueRequest(produto_id=UNKNOWN_ID),
        "PRODUTO_NAO_ENCONTRADO",
    ),
    Case("CatalogoService.AtualizarEstoque", "add", lambda shop: movement(shop, catalogo.ADICIONAR, 4)),
    Case("CatalogoService.AtualizarEstoque", "set", lambda shop: movement(shop, catalogo.DEFINIR, 0)),
    Case(
        "CatalogoService.AtualizarEstoque",
        "remove too much",
        lambda shop: movement(shop, catalogo.REMOVER, 6),
        "ESTOQUE_INSUFICIENTE",
    ),
    Case(
        "CatalogoService.AtualizarEstoque",
        "add too much",
        lambda shop: movement(shop, catalogo.ADICIONAR, 1_000_000),
        "ESTOQUE_EXCEDE_LIMITE",
    ),
    Case("CatalogoService.AtualizarEstoque", "key used with another body", used_key, "CHAVE_REUTILIZADA"),
]

CARRINHO = [
    Case("CarrinhoService.CriarCarrinho", "new", lambda _: carrinho.CriarCarrinhoRequest()),
    Case(
        "CarrinhoService.ObterCarrinho",
        "full",
        lambda shop: carrinho.ObterCarrinhoRequest(sessao_id=shop.carrinho_cheio().sessao_id),
    ),
    Case(
        "CarrinhoService.ObterCarrinho",
        "unknown",
        lambda _: carrinho.ObterCarrinhoRequest(sessao_id=UNKNOWN_CART),
        "CARRINHO_NAO_ENCONTRADO",
    ),
    Case("CarrinhoService.AdicionarItem", "enough", adding),
    Case("CarrinhoService.AdicionarItem", "too much", lambda shop: adding(shop, 11), "ESTOQUE_INSUFICIENTE"),
    Case("CarrinhoService.AdicionarItem", "inactive", lambda shop: adding(shop, ativo=False), "PRODUTO_INATIVO"),
    Case("CarrinhoService.AdicionarItem", "overfull", overfull_cart, "CARRINHO_CHEIO"),
    Case("CarrinhoService.AdicionarItem", "key used with another body", reused_cart_key, "CHAVE_REUTILIZADA"),
    Case(
        "CarrinhoService.AdicionarItem",
        "unknown product",
        lambda shop: carrinho.AdicionarItemRequest(
            sessao_id=shop.novo_carrinho().sessao_id, produto_id=UNKNOWN_ID, quantidade=1
        ),
        "PRODUTO_NAO_ENCONTRADO",
    ),
    Case("CarrinhoService.AtualizarItem", "more", lambda shop: setting(shop, 5)),
    Case("CarrinhoService.AtualizarItem", "none", lambda shop: setting(shop, 0)),
    Case(
        "CarrinhoService.AtualizarItem",
        "not in it",
        lambda shop: carrinho.AtualizarItemRequest(
            sessao_id=shop.novo_carrinho().sessao_id, produto_id=shop.produto().produto_id, quantidade=1
        ),
        "ITEM_NAO_ENCONTRADO",
    ),
    Case("CarrinhoService.RemoverItem", "in it", removing),
    Case(
        "CarrinhoService.EsvaziarCarrinho",
        "full",
        lambda shop: carrinho.EsvaziarCarrinhoRequest(sessao_id=shop.carrinho_cheio().sessao_id),
    ),
    Case(
        "CarrinhoService.EsvaziarCarrinho",
        "changed since",
        lambda shop: carrinho.EsvaziarCarrinhoRequest(sessao_id=shop.carrinho_cheio().sessao_id, versao=1),
        "VERSAO_DESATUALIZADA",
    ),
]

PEDIDOS = [
    Case("PedidosService.CriarPedido", "full", lambda shop: shop.novo_pedido(shop.carrinho_cheio().sessao_id)),
    Case("PedidosService.CriarPedido", "replay", replayed_order),
    Case("PedidosService.CriarPedido", "key used with another body", reused_order_key, "CHAVE_REUTILIZADA"),
    Case(
        "PedidosService.CriarPedido",
        "empty cart",
        lambda shop: shop.novo_pedido(shop.novo_carrinho().sessao_id),
        "CARRINHO_VAZIO",
    ),
    Case(
        "PedidosService.CriarPedido",
        "unknown cart",
        lambda shop: shop.novo_pedido(UNKNOWN_CART),
        "CARRINHO_NAO_ENCONTRADO",
    ),
    Case("PedidosService.CriarPedido", "sold out", sold_out, "ESTOQUE_INSUFICIENTE"),
    Case("PedidosService.CriarPedido", "discontinued", discontinued, "PRODUTO_INDISPONIVEL"),
    Case("PedidosService.CriarPedido", "priceless", priceless, "TOTAL_EXCEDE_LIMITE"),
    Case(
        "PedidosService.CriarPedido",
        "no customer",
        lambda shop: pedidos.CriarPedidoRequest(sessao_id=shop.carrinho_cheio().sessao_id),
        "REQUISICAO_INVALIDA",
    ),
    Case(
        "PedidosService.ObterPedido",
        "known",
        lambda shop: pedidos.ObterPedidoRequest(pedido_id=shop.pedido().pedido_id),
    ),
    Case(
        "PedidosService.ObterPedido",
        "unknown",
        lambda _: pedidos.ObterPedidoRequest(pedido_id=UNKNOWN_UUID),
        "PEDIDO_NAO_ENCONTRADO",
    ),
    Case(
        "PedidosService.ListarPedidos",
        "of a cart",
        lambda shop: pedidos.ListarPedidosRequest(sessao_id=shop.pedido().sessao_id, status=pedidos.CONFIRMADO),
    ),
    Case(
        "PedidosService.CancelarPedido",
        "confirmed",
        lambda shop: pedidos.CancelarPedidoRequest(pedido_id=shop.pedido().pedido_id, motivo="Mudei de ideia"),
    ),
    Case(
        "PedidosService.CancelarPedido",
        "delivered",
        lambda shop: pedidos.CancelarPedidoRequest(pedido_id=delivered(shop)),
        "TRANSICAO_INVALIDA",
    ),
    Case("PedidosService.AtualizarStatusPedido", "next", lambda shop: step(shop, pedidos.EM_PREPARO)),
    Case("PedidosService.AtualizarStatusPedido", "skip", lambda shop: step(shop, pedidos.PRONTO), "TRANSICAO_INVALIDA"),
    Case(
        "PedidosService.AcompanharPedido",
        "delivered",
        lambda shop: pedidos.AcompanharPedidoRequest(pedido_id=delivered(shop)),
    ),
    Case(
        "PedidosService.AcompanharPedido",
        "cancelled",
        lambda shop: pedidos.AcompanharPedidoRequest(pedido_id=cancelled(shop)),
    ),
    Case(
        "PedidosService.AcompanharPedido",
        "unknown",
        lambda _: pedidos.AcompanharPedidoRequest(pedido_id=UNKNOWN_UUID),
        "PEDIDO_NAO_ENCONTRADO",
    ),
]

GATEWAY = [
    Case("GatewayService.VerificarSaude", "healthy", lambda _: gateway.VerificarSaudeRequest()),
    Case("GatewayService.ObterOpenApi", "document", lambda _: gateway.ObterOpenApiRequest()),
    Case("GatewayService.ObterDocumentacao", "page", lambda _: gateway.ObterDocumentacaoRequest()),
    Case(
        "GatewayService.ObterArquivoDocumentacao",
        "style",
        lambda _: gateway.ObterArquivoDocumentacaoRequest(arquivo="swagger-ui.css"),
    ),
    Case(
        "GatewayService.ObterArquivoDocumentacao",
        "unknown",
        lambda _: gateway.ObterArquivoDocumentacaoRequest(arquivo="nada.js"),
        "ARQUIVO_NAO_ENCONTRADO",
    ),
]

CASES = CATALOGO + CARRINHO + PEDIDOS + GATEWAY

# Reasons that no well-placed public call can bring about; where each is shown instead.
SHOWN_ELSEWHERE = {
    "RESERVA_NAO_ENCONTRADA": "internal RPCs: tests/integration of catalogo",
    "RESERVA_EXPIRADA": "needs a crash and minutes: tests/integration of catalogo and pedidos",
    "RESERVA_LIBERADA": "internal RPCs: tests/integration of catalogo",
    "LEITURA_ATRASADA": "needs a standby that is behind: tests/integration/test_catalogo/test_frescor_edge.py",
    "SERVICO_INDISPONIVEL": "needs a dead part: tests/integration of Envoy",
    "PRAZO_ESGOTADO": "needs a slow part: tests/conformance",
    "LIMITE_EXCEDIDO": "needs overload: tests/conformance",
    "ERRO_INTERNO": "needs a bug: tests/conformance",
    "METODO_DESCONHECIDO": "test_bad_input.py",
    "ROTA_INEXISTENTE": "test_bad_input.py",
    "ACESSO_NEGADO": "test_bad_input.py",
    "CORPO_GRANDE_DEMAIS": "test_bad_input.py",
}
