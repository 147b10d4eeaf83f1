"""Many at once for few cakes, and for one key."""

from __future__ import annotations

import asyncio
import uuid
from collections import Counter
from collections.abc import Sequence

from tests.conftest import Mesh
from tests.faults.campaign import Report, new_product, settle
from tests.faults.checker import check
from tests.faults.customers import add, new_cart, order
from tests.faults.doors import Door, Doors
from tests.faults.history import History, Kind, Operation
from tests.faults.snapshot import Snapshot

CLIENTS, CAKES, RETRIES = 200, 10, 1000
CHANNELS = 4
AT_ONCE = 16  # carts filled at a time, before the race


async def _entrances(doors: Doors, mesh: Mesh, times: int = 1) -> list[Door]:
    """`times` as many clients over gRPC as over REST."""
    over_grpc = [await doors.grpc(mesh.edge_target, number) for number in range(CHANNELS)]
    return [*over_grpc * times, *[await doors.rest(mesh.edge)] * CHANNELS]


async def _filled(door: Door, produto_id: int, units: int, turns: asyncio.Semaphore) -> Operation:
    """A cart ready to be ordered."""
    async with turns:
        cart = await new_cart(door)
        cart = await add(door, History(), cart, produto_id, units, str(uuid.uuid4()))
    itens = {item.produto_id: item.quantidade for item in cart.itens}
    return Operation(Kind.COMPRAR, str(uuid.uuid4()), door.via, cart.sessao_id, itens, cart.versao)


async def _settled(mesh: Mesh, history: History) -> Snapshot:
    snapshot = await settle(mesh, Report(0, history))
    violations = check(history, snapshot)
    assert not violations, "\n".join(map(str, violations[:20]))
    return snapshot


async def test_two_hundred_clients_for_ten_cakes_buy_exactly_ten(padaria: Mesh) -> None:
    history, turns = History(), asyncio.Semaphore(AT_ONCE)
    async with Doors() as doors:
        entrances = await _entrances(doors, padaria)
        produto_id = await new_product(entrances[0], CAKES)
        through = [entrances[number % len(entrances)] for number in range(CLIENTS)]
        carts = await asyncio.gather(*(_filled(door, produto_id, 1, turns) for door in through))
        for cart in carts:
            history.add(cart)
        await asyncio.gather(*(order(door, cart) for door, cart in zip(through, carts, strict=True)))
    snapshot = await _settled(padaria, history)
    assert _outcomes(carts) == {"": CAKES, "ESTOQUE_INSUFICIENTE": CLIENTS - CAKES}
    assert {cart.via for cart in carts if cart.acknowledged} <= {"gRPC", "REST"}
    produto = snapshot.produtos[produto_id]
    assert (produto.disponivel, produto.reservado, produto.vendido) == (0, 0, CAKES)


def _outcomes(operations: Sequence[Operation]) -> Counter[str]:
    """Why they were refused; "" for those who bought."""
    return Counter("" if operation.acknowledged else operation.reason for operation in operations)


async def test_a_thousand_concurrent_retries_of_one_key_hear_one_answer(padaria: Mesh) -> None:
    history = History()
    async with Doors() as doors:
        entrances = await _entrances(doors, padaria, times=9)  # a REST client costs us too much CPU for more
        produto_id = await new_product(entrances[0], RETRIES)
        first = await _filled(entrances[0], produto_id, 2, asyncio.Semaphore())
        tries = [
            Operation(Kind.COMPRAR, first.chave, door.via, first.sessao_id, first.itens, first.versao)
            for _, door in zip(range(RETRIES), entrances * RETRIES, strict=False)
        ]
        for one in tries:
            history.add(one)
        await asyncio.gather(*(order(door, one) for door, one in zip(entrances * RETRIES, tries, strict=False)))
    snapshot = await _settled(padaria, history)
    assert _outcomes(tries) == {"": RETRIES}
    for via in ("gRPC", "REST"):
        assert len({body for one in tries if one.via == via for body in one.bodies}) == 1, via
    assert len({one.pedido_id for one in tries}) == 1
    assert snapshot.produtos[produto_id].vendido == 2
    assert [compra.chave for compra in snapshot.compras].count(first.chave) == 1
