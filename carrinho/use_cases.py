"""What the bakery does with carts, and what it needs for that."""

from typing import NewType, Protocol

from carrinho.domain import Oferta, Recusa

# A whole cart as its clients get it: the store keeps it in that form, and no rule outside of the store looks into it.
Carrinho = NewType("Carrinho", bytes)


class CarrinhoRepository(Protocol):
    """Carts by their `sessao_id`; each method is one atomic step.

    All but `criar` raise CarrinhoNaoEncontrado; any may raise CarrinhoIndisponivel. A cart that a method refuses to
    change is left as it was. Every change gives the cart another 24 hours and the next `versao`.
    """

    async def criar(self) -> Carrinho:
        """A new, empty cart under a name nobody can guess."""
        ...

    async def obter(self, sessao_id: str) -> Carrinho: ...

    async def adicionar(
        self, sessao_id: str, produto_id: int, quantidade: int, oferta: Oferta | Recusa, request_id: str
    ) -> Carrinho:
        """Puts `quantidade` more units in; a `request_id` (a UUID, or empty) remembered by the cart adds nothing.

        Raises ChaveReutilizada, the Recusa it was given, EstoqueInsuficiente, CarrinhoCheio, in this order.
        """
        ...

    async def atualizar(self, sessao_id: str, produto_id: int, quantidade: int, oferta: Oferta | Recusa) -> Carrinho:
        """Sets the units, 1 and up; raises ItemNaoEncontrado, then as `adicionar`."""
        ...

    async def remover(self, sessao_id: str, produto_id: int) -> Carrinho:
        """Takes the product out; one that is not in it changes nothing."""
        ...

    async def esvaziar(self, sessao_id: str, versao: int) -> Carrinho:
        """Takes everything out; raises VersaoDesatualizada unless `versao` is 0 or the cart's."""
        ...


class Produtos(Protocol):
    """What is known of products."""

    async def consultar(self, produto_id: int) -> Oferta | Recusa:
        """The product, or why it cannot go into a cart: given, not raised, since the cart decides whether it matters.

        The retry of an addition that went through is answered, whatever became of its product.
        """
        ...


class Compras:
    """The changes of a cart that need to know the product."""

    def __init__(self, carrinhos: CarrinhoRepository, produtos: Produtos) -> None:
        self._carrinhos = carrinhos
        self._produtos = produtos

    async def adicionar(self, sessao_id: str, produto_id: int, quantidade: int, request_id: str) -> Carrinho:
        """Units (1 to 1,000) on top of those in the cart; errors as CarrinhoRepository.adicionar."""
        oferta = await self._produtos.consultar(produto_id)
        return await self._carrinhos.adicionar(sessao_id, produto_id, quantidade, oferta, request_id)

    async def atualizar(self, sessao_id: str, produto_id: int, quantidade: int) -> Carrinho:
        """Units (0 to 1,000) to hold, 0 takes the product out; errors as CarrinhoRepository.atualizar."""
        if quantidade == 0:
            return await self._carrinhos.remover(sessao_id, produto_id)
        oferta = await self._produtos.consultar(produto_id)
        return await self._carrinhos.atualizar(sessao_id, produto_id, quantidade, oferta)
