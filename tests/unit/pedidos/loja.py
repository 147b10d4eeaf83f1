"""A bakery in memory: two cakes, one cart, and the use cases of orders as one process runs them."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from pedidos.domain import Carrinho, Cliente, ItemCarrinho, ItemPedido, Pedido, ServicoIndisponivel, Solicitacao
from pedidos.use_cases.checkout import Checkout
from pedidos.use_cases.completer import Completer
from pedidos.use_cases.mudancas import Mudancas
from tests.fakes.pedidos.banco import Banco, ComprasFake, PedidosFake, Relogio
from tests.fakes.pedidos.vizinhos import CarrinhosFake, CatalogoFake, Produto

SESSAO = "sessao"
CHAVE = "0192f000-0000-7000-8000-000000000001"


def solicitacao(request_id: str = CHAVE, observacao: str = "") -> Solicitacao:
    return Solicitacao(SESSAO, Cliente("Ana", "ana@example.com"), observacao, request_id)


class CatalogoDeTeste(CatalogoFake):
    """Counts the calls, can be away, and lets a test look in while a call is under way."""

    away = False
    calls = 0
    during: Callable[[], object] | None = None

    async def reservar(self, reserva_id: str, itens: Sequence[ItemCarrinho]) -> tuple[ItemPedido, ...]:
        self._called()
        return await super().reservar(reserva_id, itens)

    async def confirmar(self, reserva_id: str) -> None:
        self._called()
        await super().confirmar(reserva_id)

    async def liberar(self, reserva_id: str) -> None:
        self._called()
        await super().liberar(reserva_id)

    def _called(self) -> None:
        self.calls += 1
        if self.away:
            raise ServicoIndisponivel("catalogo")
        if self.during is not None:
            self.during()


class CarrinhosDeTeste(CarrinhosFake):
    away = False

    async def obter(self, sessao_id: str) -> Carrinho:
        self._called()
        return await super().obter(sessao_id)

    async def esvaziar(self, sessao_id: str, versao: int) -> None:
        self._called()
        await super().esvaziar(sessao_id, versao)

    def _called(self) -> None:
        if self.away:
            raise ServicoIndisponivel("carrinho")


class Yielding:
    """A port whose every call lets others run before and after it, as a real one does."""

    def __init__(self, port: object) -> None:
        self._port = port

    def __getattr__(self, name: str) -> Callable[..., Awaitable[Any]]:
        async def call(*args: object, **kwargs: object) -> Any:
            await asyncio.sleep(0)
            result = await getattr(self._port, name)(*args, **kwargs)
            await asyncio.sleep(0)
            return result

        return call


class Loja:
    def __init__(self) -> None:
        self.relogio = Relogio()
        self.catalogo = CatalogoDeTeste(self.relogio)
        self.catalogo.produtos |= {1: Produto("Bolo", 4000, 5), 2: Produto("Torta", 2500, 5)}
        self.carrinhos = CarrinhosDeTeste()
        self.carrinhos.encher(SESSAO, (2, 1), (1, 2))
        self.banco = Banco(self.relogio, lambda pedido: f"{pedido.pedido_id} {pedido.status}".encode())
        self.compras = ComprasFake(self.banco, "este")
        self.checkout = self._checkout(self.compras)
        pedidos: Any = Yielding(PedidosFake(self.banco))
        catalogo: Any = Yielding(self.catalogo)
        compras: Any = Yielding(self.compras)
        self.mudancas = Mudancas(pedidos, catalogo, self.checkout)
        self.completer = Completer(compras, pedidos, self.checkout, self.mudancas)

    @property
    def unico(self) -> Pedido:
        """The one order that there is."""
        assert len(self.banco.pedidos) == 1, "one order was expected"
        return next(iter(self.banco.pedidos.values()))

    def outra_instancia(self) -> Checkout:
        return self._checkout(ComprasFake(self.banco, "outra"))

    def _checkout(self, compras: ComprasFake) -> Checkout:
        ports: list[Any] = [Yielding(port) for port in (compras, self.catalogo, self.carrinhos)]
        return Checkout(*ports, pausas=(0.001, 0.001))
