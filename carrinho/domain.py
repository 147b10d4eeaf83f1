"""What a cart may hold, what it is told of a product, and why a change is refused."""

# ruff: noqa: N818  an exception is named after what happened

from typing import NamedTuple

# Limits of a cart, as the contract states them; the script that changes a cart decides by them.
MAX_UNIDADES = 1_000  # units of one product
MAX_PRODUTOS = 50
MAX_TOTAL_CENTAVOS = 2_000_000_000  # fits an int32
VALIDADE_SEGUNDOS = 24 * 60 * 60  # from the last change
MAX_LEMBRADAS = 16  # request_ids a cart remembers


class Produto(NamedTuple):
    """A product as the catalog told it; `estoque` in units."""

    produto_id: int
    nome: str
    preco_centavos: int
    estoque: int
    ativo: bool


class Oferta(NamedTuple):
    """A product that may go into a cart; `conferido`: the catalog could be asked just now."""

    produto: Produto
    conferido: bool


class Recusa(Exception):
    """Why a product cannot go into any cart."""


class ProdutoNaoEncontrado(Recusa):
    def __init__(self, produto_id: int) -> None:
        super().__init__(f"Produto {produto_id} não encontrado.")
        self.produto_id = produto_id


class ProdutoInativo(Recusa):
    def __init__(self, produto_id: int) -> None:
        super().__init__("Este produto não está à venda no momento.")
        self.produto_id = produto_id


class CatalogoIndisponivel(Recusa):
    """The catalog cannot be reached and nothing is known of the product."""

    def __init__(self) -> None:
        super().__init__("O catálogo está indisponível no momento. Tente novamente em instantes.")


class CarrinhoIndisponivel(Exception):
    """The carts cannot be reached; a change may or may not have happened. `why` is for the log."""

    def __init__(self, why: str = "") -> None:
        super().__init__("Os carrinhos estão indisponíveis no momento. Tente novamente em instantes.")
        self.why = why


class CarrinhoNaoEncontrado(Exception):
    def __init__(self, sessao_id: str) -> None:
        super().__init__("Carrinho não encontrado ou expirado.")
        self.sessao_id = sessao_id


class ItemNaoEncontrado(Exception):
    def __init__(self, produto_id: int) -> None:
        super().__init__("Este produto não está no carrinho.")
        self.produto_id = produto_id


class EstoqueInsuficiente(Exception):
    """`solicitado`: units the cart would hold; `disponivel`: units in stock."""

    def __init__(self, produto_id: int, solicitado: int, disponivel: int) -> None:
        super().__init__(
            f"Estoque insuficiente do produto {produto_id}: solicitado {solicitado}, disponível {disponivel}."
        )
        self.produto_id = produto_id
        self.solicitado = solicitado
        self.disponivel = disponivel


class CarrinhoCheio(Exception):
    """`limite`: unidades, produtos or total."""

    TEXTOS = {  # noqa: RUF012  never changed
        "unidades": "O carrinho aceita até 1.000 unidades de cada produto.",
        "produtos": "O carrinho aceita até 50 produtos diferentes.",
        "total": "O carrinho aceita até R$ 20.000.000,00 no total.",
    }

    def __init__(self, limite: str) -> None:
        super().__init__(self.TEXTOS[limite])
        self.limite = limite


class VersaoDesatualizada(Exception):
    def __init__(self, versao_enviada: int, versao_atual: int) -> None:
        super().__init__(f"O carrinho mudou: a versão enviada é {versao_enviada} e a atual é {versao_atual}.")
        self.versao_enviada = versao_enviada
        self.versao_atual = versao_atual


class ChaveReutilizada(Exception):
    def __init__(self, chave: str) -> None:
        super().__init__("Este request_id já foi usado neste carrinho com outro conteúdo.")
        self.chave = chave


def ofertar(produto: Produto, *, conferido: bool) -> Oferta | Recusa:
    """What a cart is told of a product that the catalog knows."""
    return Oferta(produto, conferido) if produto.ativo else ProdutoInativo(produto.produto_id)
