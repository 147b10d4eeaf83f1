"""Steps of an order after its checkout: preparing, delivering, cancelling."""

from contextlib import suppress

from pedidos.domain import Pedido, ServicoIndisponivel, StatusPedido
from pedidos.use_cases.checkout import Checkout
from pedidos.use_cases.ports import Catalogo, Pedidos


class Mudancas:
    def __init__(self, pedidos: Pedidos, catalogo: Catalogo, checkout: Checkout) -> None:
        self._pedidos = pedidos
        self._catalogo = catalogo
        self._checkout = checkout

    async def mudar_status(self, pedido_id: str, para: StatusPedido) -> Pedido:
        """The order at its new status, or at this status already; TransicaoInvalida, PedidoNaoEncontrado."""
        if para is StatusPedido.CANCELADO:
            return await self.cancelar(pedido_id)
        if para is StatusPedido.CONFIRMADO:
            await self._vender(pedido_id)
        return await self._pedidos.mudar_status(pedido_id, para)

    async def cancelar(self, pedido_id: str, motivo: str = "") -> Pedido:
        """The cancelled order. Its stock is back, or will be as soon as the catalog can be reached."""
        pedido = await self._pedidos.mudar_status(pedido_id, StatusPedido.CANCELADO, motivo)
        with suppress(ServicoIndisponivel):  # the debt was committed with the status: the completer pays it
            await self.devolver(pedido_id)
        return pedido

    async def devolver(self, pedido_id: str) -> None:
        """Gives a cancelled order's stock back, and forgets the debt."""
        await self._catalogo.liberar(pedido_id)
        await self._pedidos.devolvido(pedido_id)

    async def _vender(self, pedido_id: str) -> None:
        """CONFIRMADO means that the stock is sold, so only the checkout may lead there from PENDENTE."""
        pedido = await self._pedidos.obter(pedido_id)
        if pedido.status is StatusPedido.PENDENTE:
            await self._checkout.retomar(pedido_id)
