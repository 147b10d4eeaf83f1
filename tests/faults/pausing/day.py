"""A day at the bakery that comes past every point, every request of which is repeated until its answer is certain."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field

from confeitaria.carrinho.v1 import carrinho_pb2
from confeitaria.catalogo.v1 import catalogo_pb2
from confeitaria.pedidos.v1 import pedidos_pb2
from google.protobuf.message import Message

from pedidos.domain import chave_do_carrinho
from tests.faults.campaign import new_product
from tests.faults.customers import add, ask, insist, new_cart, novo_pedido, order, purchase
from tests.faults.doors import GrpcDoor
from tests.faults.history import Answer, History, Kind, Operation, Outcome
from tests.faults.killer import until
from tests.faults.pausing.points import BEFORE, Point
from tests.faults.pausing.trap import HOLD, Trap

SELLS = Point("pedidos", "Catalogo.confirmar", BEFORE)  # where an impatient customer's order stands when they leave
HELD_SECONDS = 40.0  # of waiting for it
UNITS = 50


@dataclass
class Day:
    """`edge`: where customers enter; `orders`: where they order; `inner`: the mesh's own listener."""

    edge: GrpcDoor
    orders: GrpcDoor
    inner: GrpcDoor
    traps: Sequence[Trap]
    history: History
    produto_id: int = 0
    expected: dict[str, int] = field(default_factory=dict)  # orders, of each cart

    async def orders_of_every_kind(self) -> None:
        """With a key, repeated; without one; more than there is; cancelled; by somebody who leaves."""
        self.produto_id = await new_product(self.edge, UNITS)
        first = await self._ordered(await self._cart(2))
        await insist(self.orders, first, "CriarPedido", novo_pedido(first))
        await self._ordered(await self._cart(1), with_key=False)
        await self._short_of_stock()
        await self._cancel(first)
        await self.looked_at(first)
        await self.left_halfway()
        await self.counted()

    async def somebody_who_leaves(self) -> None:
        """Orders, goes on with the cart, cancels; each once, whatever the answer: the bakery is to end it by itself."""
        self.produto_id, other = await new_product(self.edge, UNITS), await new_product(self.edge, UNITS)
        cart = await self._cart(1)
        placed = self.history.add(purchase(self.orders, cart, str(uuid.uuid4())))
        answer = await ask(self.orders, placed, "CriarPedido", novo_pedido(placed))
        await self._cart(1, other, cart.sessao_id)
        if answer.outcome is Outcome.MAYBE:
            placed.answers.clear()
            return
        assert placed.acknowledged, placed
        placed.pedido_id = self.orders.read(answer.body, pedidos_pb2.Pedido).pedido_id
        # the cart went on: whether it did in time, and is cleared or not, is the checker's to say
        placed.talvez = {placed.versao: placed.itens}
        cancel = self.history.add(Operation(Kind.CANCELAR, str(uuid.uuid4()), "gRPC", pedido_id=placed.pedido_id))
        request = pedidos_pb2.CancelarPedidoRequest(pedido_id=placed.pedido_id)
        if (await ask(self.orders, cancel, "CancelarPedido", request)).outcome is Outcome.MAYBE:
            cancel.answers.clear()

    async def one_more(self) -> None:
        """Another order, which somebody follows for a moment."""
        placed = await self._ordered(await self._cart(1))
        await self.orders.follow(pedidos_pb2.AcompanharPedidoRequest(pedido_id=placed.pedido_id), 1.0)

    async def left_halfway(self) -> None:
        """The customer leaves while the stock is being sold, and comes back."""
        operation = self._wish(await self._cart(1))
        for trap in self.traps:
            trap.set(HOLD, SELLS)
        try:
            await self._leave(operation)
        finally:
            for trap in self.traps:
                trap.clear(HOLD)
        await self._placed(operation)

    async def counted(self) -> None:
        """Every cart was ordered as often as it should."""
        for sessao_id, times in self.expected.items():
            request = pedidos_pb2.ListarPedidosRequest(sessao_id=sessao_id)
            answer = pedidos_pb2.ListarPedidosResponse.FromString(await self._told("ListarPedidos", request))
            assert len(answer.pedidos) == times, (
                f"cart {sessao_id} was ordered {len(answer.pedidos)} times, not {times}"
            )

    async def looked_at(self, placed: Operation) -> None:
        await self._told("ObterPedido", pedidos_pb2.ObterPedidoRequest(pedido_id=placed.pedido_id))
        await self.orders.follow(pedidos_pb2.AcompanharPedidoRequest(pedido_id=placed.pedido_id), 0.3)

    async def a_shelf_in_use(self) -> None:
        """What the bakery and its services ask of the catalog, besides the orders."""
        told, again = self._told, ("PRODUTO_NAO_ENCONTRADO", "CATEGORIA_DUPLICADA")
        await self.orders_of_every_kind()
        await told(
            "VerificarEstoque", catalogo_pb2.VerificarEstoqueRequest(produto_id=self.produto_id), through=self.inner
        )
        reservar = catalogo_pb2.ReservarEstoqueRequest(reserva_id=str(uuid.uuid4()), validade_segundos=1)
        reservar.itens.add(produto_id=self.produto_id, quantidade=1)
        await told("ReservarEstoque", reservar, through=self.inner)
        obter = catalogo_pb2.ObterReservaRequest(reserva_id=reservar.reserva_id)
        await told("ObterReserva", obter, through=self.inner)
        alterar = catalogo_pb2.AtualizarProdutoRequest()
        alterar.produto.produto_id, alterar.produto.nome = self.produto_id, f"Bolo {uuid.uuid4().hex[:8]}"
        alterar.update_mask.paths.append("nome")
        await told("AtualizarProduto", alterar)
        categoria = catalogo_pb2.Categoria(nome=f"Bolos {uuid.uuid4().hex[:8]}")
        await told("CriarCategoria", catalogo_pb2.CriarCategoriaRequest(categoria=categoria), *again)
        excluir = catalogo_pb2.ExcluirProdutoRequest(produto_id=await new_product(self.edge, 1))
        await told("ExcluirProduto", excluir, *again)

    async def _short_of_stock(self) -> None:
        """More in the cart than is left when it is ordered."""
        few = await new_product(self.edge, 2)
        wish = self._wish(await self._cart(2, few), orders=0)
        taken = self.history.add(Operation(Kind.REPOR, str(uuid.uuid4()), "gRPC", itens={few: 1}))
        request = catalogo_pb2.AtualizarEstoqueRequest(
            produto_id=few, operacao=catalogo_pb2.REMOVER, quantidade=1, request_id=taken.chave
        )
        await insist(self.edge, taken, "AtualizarEstoque", request)
        assert taken.acknowledged, taken
        await insist(self.orders, wish, "CriarPedido", novo_pedido(wish))
        assert wish.reason == "ESTOQUE_INSUFICIENTE", wish

    async def _cancel(self, placed: Operation) -> None:
        cancel = Operation(Kind.CANCELAR, str(uuid.uuid4()), "gRPC", pedido_id=placed.pedido_id)
        request = pedidos_pb2.CancelarPedidoRequest(pedido_id=placed.pedido_id)
        await insist(self.orders, self.history.add(cancel), "CancelarPedido", request)
        assert cancel.acknowledged, cancel

    async def _leave(self, operation: Operation) -> None:
        """Asks until an answer is being held up, and goes."""
        deadline = time.monotonic() + HELD_SECONDS
        while not self._held():
            assert time.monotonic() < deadline, f"nobody sells {operation}"
            call = asyncio.create_task(ask(self.orders, operation, "CriarPedido", novo_pedido(operation)))
            await until(lambda call=call: call.done() or self._held(), HELD_SECONDS, "an answer or none")  # type: ignore[misc]
            if not call.done():
                call.cancel()
                await asyncio.gather(call, return_exceptions=True)
                now = time.monotonic()
                operation.answers.append(Answer(Outcome.MAYBE, now, now, reason="left"))
            elif operation.answers[-1].outcome is not Outcome.MAYBE:
                return  # it was sold before the trap was noticed
            await asyncio.sleep(0.05)

    def _held(self) -> bool:
        return any(trap.sprung(HOLD) for trap in self.traps)

    async def _cart(self, units: int, produto_id: int = 0, sessao_id: str = "") -> carrinho_pb2.Carrinho:
        """With these units in it. A new product is not in every shop window at once."""
        cart = carrinho_pb2.Carrinho(sessao_id=sessao_id) if sessao_id else await new_cart(self.edge)
        deadline = time.monotonic() + HELD_SECONDS
        while not cart.itens:
            assert time.monotonic() < deadline, "the product is not for sale"
            chave = str(uuid.uuid4())
            cart = await add(self.edge, self.history, cart, produto_id or self.produto_id, units, chave)
        return cart

    def _wish(self, cart: carrinho_pb2.Carrinho, *, with_key: bool = True, orders: int = 1) -> Operation:
        chave = str(uuid.uuid4()) if with_key else chave_do_carrinho(cart.sessao_id, cart.versao)
        self.expected[cart.sessao_id] = orders
        return self.history.add(purchase(self.orders, cart, chave))

    async def _ordered(self, cart: carrinho_pb2.Carrinho, *, with_key: bool = True) -> Operation:
        return await self._placed(self._wish(cart, with_key=with_key))

    async def _placed(self, operation: Operation) -> Operation:
        await order(self.orders, operation)
        assert operation.acknowledged, operation
        return operation

    async def _told(self, method: str, request: Message, *but: str, through: GrpcDoor | None = None) -> bytes:
        """A certain answer to what may be asked for twice; `but` for refusals of what was done before."""
        asked, door = Operation(Kind.ADICIONAR, method, "gRPC"), through or self.edge
        door = self.orders if method in ("ObterPedido", "ListarPedidos") else door
        await insist(door, asked, method, request)
        assert asked.acknowledged or asked.reason in but, asked
        return asked.answers[-1].body
