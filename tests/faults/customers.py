"""Customers who fill carts, order, cancel and refill the shelf without end, and who ask again until they know."""

from __future__ import annotations

import asyncio
import random
import time
import uuid
from collections.abc import Awaitable, Sequence
from contextlib import suppress
from typing import TypeVar

from confeitaria.carrinho.v1 import carrinho_pb2
from confeitaria.catalogo.v1 import catalogo_pb2
from confeitaria.pedidos.v1 import pedidos_pb2
from google.protobuf.message import Message

from pedidos.domain import chave_do_carrinho
from tests.faults.doors import Door
from tests.faults.history import Answer, History, Kind, Operation, Outcome
from tests.faults.snapshot import Carrinho

CLIENTE = pedidos_pb2.Cliente(nome="Ana Luísa", email="ana@example.com")
PATIENCE = 60.0  # seconds of asking again before a customer leaves it open
PAUSES = (0.05, 0.5)  # seconds, first and longest, between two tries
M = TypeVar("M", bound=Message)


class Customers:
    """`door` of each; `produtos` are plenty, `raros` sell out and are refilled now and then."""

    def __init__(self, doors: Sequence[Door], produtos: Sequence[int], raros: Sequence[int], seed: int) -> None:
        self.history = History()
        self._doors, self._produtos, self._raros, self._seed = doors, produtos, raros, seed
        self._closing = asyncio.Event()

    async def run(self) -> None:
        """Until `close`; each finishes what it is at."""
        async with asyncio.TaskGroup() as group:
            for number, door in enumerate(self._doors):
                group.create_task(self._shop(door, random.Random(f"{self._seed}:{number}")))

    def close(self) -> None:
        self._closing.set()

    async def _shop(self, door: Door, rng: random.Random) -> None:
        while not self._closing.is_set():
            with suppress(Unanswered):
                await self._visit(door, rng)
            with suppress(TimeoutError):  # a customer's own pace, which keeps the load modest
                await asyncio.wait_for(self._closing.wait(), rng.uniform(0.05, 0.25))

    async def _visit(self, door: Door, rng: random.Random) -> None:
        operation = await self._buy(door, rng)
        if operation is None or not operation.acknowledged:
            return
        if rng.random() < 0.15:  # asks again although it knows
            await ask(door, operation, "CriarPedido", novo_pedido(operation))
        match rng.choices(("keeps it", "cancels", "cancels late"), (70, 15, 15))[0]:
            case "cancels":
                await self._cancel(door, rng, operation.pedido_id)
            case "cancels late":
                await together(self._cancel(door, rng, operation.pedido_id), self._bake(door, rng, operation.pedido_id))
        if rng.random() < 0.15:
            await self._refill(door, rng)

    async def _buy(self, door: Door, rng: random.Random) -> Operation | None:
        cart = await new_cart(door)
        shelf = [rng.choice(self._produtos), rng.choice(self._raros if rng.random() < 0.3 else self._produtos)]
        for produto_id in shelf:
            cart = await add(door, self.history, cart, produto_id, rng.randint(1, 2), uuid_of(rng))
        if not cart.itens:
            return None
        operation = self.history.add(purchase(door, cart, uuid_of(rng)))
        match rng.choices(("orders", "clicks twice", "changes it"), (70, 15, 15))[0]:
            case "clicks twice":  # without a key: the cart's version is the key
                operation.chave = chave_do_carrinho(cart.sessao_id, cart.versao)
                await together(order(door, operation), order(door, operation))
            case "changes it":
                await self._change(door, rng, cart, operation)
            case _:
                await order(door, operation)
        return operation

    async def _change(self, door: Door, rng: random.Random, cart: carrinho_pb2.Carrinho, operation: Operation) -> None:
        """Puts something in while the cart is ordered: it is in the order, or it stays in the cart."""
        extra, units = rng.choice(self._produtos), rng.randint(1, 2)
        later = {**operation.itens, extra: operation.itens.get(extra, 0) + units}
        operation.talvez = {cart.versao: operation.itens, cart.versao + 1: later}
        await together(order(door, operation), add(door, self.history, cart, extra, units, uuid_of(rng)))

    async def _cancel(self, door: Door, rng: random.Random, pedido_id: str) -> None:
        cancel = self.history.add(Operation(Kind.CANCELAR, uuid_of(rng), door.via, pedido_id=pedido_id))
        request = pedidos_pb2.CancelarPedidoRequest(pedido_id=pedido_id)
        await insist(door, cancel, "CancelarPedido", request)

    async def _bake(self, door: Door, rng: random.Random, pedido_id: str) -> None:
        """The bakery, which does not know that somebody cancels."""
        for para in ("EM_PREPARO", "PRONTO"):
            step = Operation(Kind.MUDAR, uuid_of(rng), door.via, pedido_id=pedido_id, para=para)
            request = pedidos_pb2.AtualizarStatusPedidoRequest(pedido_id=pedido_id, status=para)
            await insist(door, self.history.add(step), "AtualizarStatusPedido", request)

    async def _refill(self, door: Door, rng: random.Random) -> None:
        produto_id, units = rng.choice(self._raros), rng.randint(1, 5)
        operation = Operation(Kind.REPOR, uuid_of(rng), door.via, itens={produto_id: units})
        self.history.add(operation)
        request = catalogo_pb2.AtualizarEstoqueRequest(
            produto_id=produto_id, operacao=catalogo_pb2.ADICIONAR, quantidade=units, request_id=operation.chave
        )
        await insist(door, operation, "AtualizarEstoque", request)


class Unanswered(Exception):  # noqa: N818  named after what happened
    """What comes next cannot be done without an answer that did not come, or was no."""


def known(door: Door, operation: Operation, message: type[M]) -> M:
    if not operation.acknowledged:
        raise Unanswered
    return door.read(operation.answers[-1].body, message)


def uuid_of(rng: random.Random) -> str:
    return str(uuid.UUID(int=rng.getrandbits(128), version=4))


def novo_pedido(operation: Operation) -> pedidos_pb2.CriarPedidoRequest:
    """Without a request_id where the version of the cart is its key."""
    request_id = "" if operation.keyless else operation.chave
    return pedidos_pb2.CriarPedidoRequest(sessao_id=operation.sessao_id, cliente=CLIENTE, request_id=request_id)


def purchase(door: Door, cart: carrinho_pb2.Carrinho, chave: str) -> Operation:
    itens = {item.produto_id: item.quantidade for item in cart.itens}
    return Operation(Kind.COMPRAR, chave, door.via, cart.sessao_id, itens, cart.versao)


async def together(*wishes: Awaitable[object]) -> None:
    """At the same time; Unanswered, if any was, when all have ended."""
    for end in await asyncio.gather(*wishes, return_exceptions=True):
        if isinstance(end, BaseException):
            raise end


async def new_cart(door: Door) -> carrinho_pb2.Carrinho:
    """An orphan that a lost answer leaves hurts nobody, so nobody remembers it."""
    asked = Operation(Kind.ADICIONAR, "", door.via)
    await insist(door, asked, "CriarCarrinho", carrinho_pb2.CriarCarrinhoRequest())
    return known(door, asked, carrinho_pb2.Carrinho)


async def add(
    door: Door, history: History, cart: carrinho_pb2.Carrinho, produto_id: int, units: int, chave: str
) -> carrinho_pb2.Carrinho:
    """The cart with these units on top, or as it was if they were refused."""
    operation = history.add(Operation(Kind.ADICIONAR, chave, door.via, cart.sessao_id, {produto_id: units}))
    request = carrinho_pb2.AdicionarItemRequest(
        sessao_id=cart.sessao_id, produto_id=produto_id, quantidade=units, request_id=chave
    )
    await insist(door, operation, "AdicionarItem", request)
    if operation.refused:
        return cart
    after = known(door, operation, carrinho_pb2.Carrinho)
    operation.versao = after.versao
    return after


async def order(door: Door, operation: Operation) -> None:
    """Orders a cart; the order's id stands in the operation when it is known."""
    await insist(door, operation, "CriarPedido", novo_pedido(operation))
    if operation.acknowledged:
        body = next(answer.body for answer in operation.answers if answer.outcome is Outcome.OK)
        operation.pedido_id = door.read(body, pedidos_pb2.Pedido).pedido_id


async def ask(door: Door, operation: Operation, method: str, request: Message) -> Answer:
    """One try, remembered."""
    answer = await door.call(method, request)
    operation.answers.append(answer)
    return answer


async def insist(door: Door, operation: Operation, method: str, request: Message, patience: float = PATIENCE) -> None:
    """Asks again, with the same key, until the answer is certain or patience ends."""
    deadline, pause = time.monotonic() + patience, PAUSES[0]
    while (await ask(door, operation, method, request)).outcome is Outcome.MAYBE:
        if time.monotonic() > deadline:
            return
        await asyncio.sleep(pause)
        pause = min(pause * 2, PAUSES[1])


async def look(door: Door, sessoes: Sequence[str], at_once: int = 8) -> dict[str, Carrinho | None]:
    """These carts as they are now."""
    turns, found = asyncio.Semaphore(at_once), dict[str, Carrinho | None]()

    async def one(sessao_id: str) -> None:
        asked = Operation(Kind.ADICIONAR, "", door.via)
        async with turns:
            request = carrinho_pb2.ObterCarrinhoRequest(sessao_id=sessao_id)
            await insist(door, asked, "ObterCarrinho", request)
        if asked.refused:
            found[sessao_id] = None
        else:
            cart = known(door, asked, carrinho_pb2.Carrinho)
            found[sessao_id] = Carrinho(cart.versao, {item.produto_id: item.quantidade for item in cart.itens})

    async with asyncio.TaskGroup() as group:
        for sessao_id in sessoes:
            group.create_task(one(sessao_id))
    return found
