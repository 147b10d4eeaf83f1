"""Every crash and every lost answer, before and after every port call of a checkout, alone and in pairs.

The calls are counted while a run without faults, or with one, goes its way; so are the points of the test.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass

import pytest

from pedidos.domain import ErroPedido, EstoqueInsuficiente, StatusPedido
from tests.model.crash_world import (
    BEGINNINGS,
    CHAVE,
    ESTOQUE,
    QUEUED,
    REFUSALS,
    SESSAO,
    Died,
    Fault,
    Plan,
    Told,
    World,
    check,
    faults_of,
    solicitacao,
)

OUTRA_CHAVE = CHAVE.replace("1", "2")
Scenario = Callable[[World], Awaitable[Told]]


async def one_call(world: World) -> Told:
    """Orders with a request_id, once; the completer does the rest."""
    return await _call(world, Told())


async def retries(world: World) -> Told:
    """Repeats the call until it knows, as the contract says; the bakery works on what it sees meanwhile."""
    told = Told()

    async def meanwhile() -> None:
        world.relogio.avancar(5)
        await _call(world, told)
        await world.settle()
        await _bakery(world, StatusPedido.EM_PREPARO)

    world.meanwhile = meanwhile
    return await _until_known(world, told)


async def retries_without_a_key(world: World) -> Told:
    told = Told()

    async def meanwhile() -> None:
        world.relogio.avancar(5)
        await _call(world, told, "")

    world.meanwhile = meanwhile
    return await _until_known(world, told, "")


async def restocked_late(world: World) -> Told:
    """There is too little; more is baked once everybody has given up, but for one who is still frozen."""

    async def meanwhile() -> None:
        await world.settle()
        world.restock(10)

    world.meanwhile = meanwhile
    return await _until_known(world, Told())


async def restocked_early(world: World) -> Told:
    """There is too little for the first, who is frozen; somebody else carries the attempt on and finds enough."""

    async def meanwhile() -> None:
        world.restock(10)
        await world.settle()

    world.meanwhile = meanwhile
    return await _until_known(world, Told())


async def cancelled(world: World) -> Told:
    """Orders, and cancels what it ordered."""

    async def meanwhile() -> None:
        await _cancel(world)
        await world.settle()

    world.meanwhile = meanwhile
    told = await _call(world, Told())
    await _cancel(world)
    return told


async def moved_along(world: World) -> Told:
    """Orders, and the bakery moves on what it sees, confirming by hand what is still pending."""
    told = await _call(world, Told())
    world.relogio.avancar(5)
    await _bakery(world, StatusPedido.CONFIRMADO, StatusPedido.EM_PREPARO)
    return told


async def moved_along_late(world: World) -> Told:
    """As above, when the reservation of an order that is still pending is over."""
    told = await _call(world, Told())
    world.relogio.avancar(400)
    await _bakery(world, StatusPedido.CONFIRMADO, StatusPedido.EM_PREPARO)
    return told


async def expired(world: World) -> Told:
    """The first process dies with the order written, and the next one starts too late."""
    world.plan.faults.setdefault(4, Fault.DIE_BEFORE)
    told = await _call(world, Told())
    world.relogio.avancar(400)
    return told


async def went_on(world: World) -> Told:
    """Hears nothing certain, puts something else into the cart, and orders that."""
    await _call(world, Told())
    world.written_before = set(world.banco.pedidos)
    world.carrinhos.encher(SESSAO, (2, 1))
    world.relogio.avancar(5)
    return await _until_known(world, Told(), OUTRA_CHAVE)


async def _call(world: World, told: Told, chave: str = CHAVE) -> Told:
    await told.hear(world.process().checkout.criar(solicitacao(chave)))
    return told


async def _until_known(world: World, told: Told, chave: str = CHAVE) -> Told:
    for _ in range(3):
        await _call(world, told, chave)
        if told.answers or told.refusals:
            break
        world.relogio.avancar(5)
    return told


async def _cancel(world: World) -> None:
    for pedido_id in list(world.banco.pedidos):
        with suppress(Died, ErroPedido, *REFUSALS):
            await world.process().mudancas.cancelar(pedido_id, "mudei de ideia")


async def _bakery(world: World, *passos: StatusPedido) -> None:
    for pedido_id in list(world.banco.pedidos):
        for passo in passos:
            with suppress(Died, ErroPedido, *REFUSALS):
                await world.process().mudancas.mudar_status(pedido_id, passo)


def run(case: "Case", faults: dict[int, Fault]) -> Plan:
    """One run to its settled end, with everything checked that must hold; the calls it made."""

    async def live() -> Plan:
        world = World(Plan(dict(faults)), quantidade=case.quantidade)
        told = await case.scenario(world)
        await world.settle()
        check(world)
        calls = Plan(calls=list(world.plan.calls))
        await case.check(world, told, case.scenario)
        return calls

    return asyncio.run(live())


async def check_client(world: World, told: Told, scenario: Scenario) -> None:
    """What the client was told holds, and a repetition after all that is the answer it had, or the order it lacked."""
    world.plan.faults.clear()
    before = standing(world)
    assert len(before) <= 1, "ordered twice"
    assert not (told.answers and told.refusals), "told yes and no"
    for answer in told.answers:
        assert answer.split()[0].decode() in world.banco.pedidos, "a yes was lost"

    chave = "" if scenario is retries_without_a_key else CHAVE
    again = await _call(world, await _call(world, Told(), chave), chave)
    await world.settle()
    check(world)
    assert before <= standing(world)
    if again.answers:
        assert len(again.answers) == 2
        assert len({*told.answers, *again.answers}) == 1, "one key, one answer"
        assert len(standing(world)) == 1 or scenario is cancelled
    else:
        assert not told.answers
        assert {type(refusal) for refusal in again.refusals} == {EstoqueInsuficiente}


async def check_old_cart(world: World, _told: Told, _scenario: Scenario) -> None:
    """What the cart held before is ordered only if that order was written before the cart changed."""
    for pedido_id in standing(world) - world.written_before:
        assert world.banco.compras[pedido_id].chave == OUTRA_CHAVE, "the old cart was ordered behind the customer"


def standing(world: World) -> set[str]:
    return {p.pedido_id for p in world.banco.pedidos.values() if p.status is not StatusPedido.CANCELADO}


@dataclass(frozen=True)
class Case:
    scenario: Scenario
    quantidade: int = 2
    check: Callable[[World, Told, Scenario], Awaitable[None]] = check_client


CASES = {
    "one call": Case(one_call),
    "retries": Case(retries),
    "retries without a key": Case(retries_without_a_key),
    "restocked late": Case(restocked_late, ESTOQUE[1] + 1),
    "restocked early": Case(restocked_early, ESTOQUE[1] + 1),
    "cancelled": Case(cancelled),
    "moved along": Case(moved_along),
    "moved along late": Case(moved_along_late),
    "expired": Case(expired),
    "cart went on": Case(went_on, check=check_old_cart),
}


def single_faults(case: Case) -> Iterator[dict[int, Fault]]:
    calls = run(case, {}).calls
    assert len(calls) > 4, "the run without faults does its work"
    for point, call in enumerate(calls):
        for fault in faults_of(call):
            yield {point: fault}


@pytest.mark.parametrize("name", CASES)
def test_every_single_fault_leaves_a_shop_in_order(name: str) -> None:
    runs = 0
    for faults in single_faults(CASES[name]):
        _explained(CASES[name], faults)
        runs += 1
    print(f"{name}: {runs} single faults")  # noqa: T201  for whoever asks how many, with -s


@pytest.mark.parametrize("name", CASES)
def test_every_pair_of_faults_leaves_a_shop_in_order(name: str) -> None:
    """The second fault hits whatever comes after the first: the retry, the completer, the completer's completer."""
    runs = 0
    for first in single_faults(CASES[name]):
        calls = _explained(CASES[name], first).calls
        (point,) = first
        for later, call in enumerate(calls[point + 1 :], point + 1):
            for fault in faults_of(call):
                _explained(CASES[name], first | {later: fault})
                runs += 1
    print(f"{name}: {runs} pairs of faults")  # noqa: T201


def _explained(case: Case, faults: dict[int, Fault]) -> Plan:
    try:
        return run(case, faults)
    except AssertionError as exc:
        calls = calls_of(case, faults)
        what = "; ".join(f"{fault} call {point} ({calls[point]})" for point, fault in faults.items())
        raise AssertionError(f"the process {what}: {exc}") from exc


def calls_of(case: Case, faults: dict[int, Fault]) -> list[str]:
    async def live() -> list[str]:
        world = World(Plan(dict(faults)), quantidade=case.quantidade)
        await case.scenario(world)
        with suppress(AssertionError):  # only the calls are of interest here
            await world.settle()
        return world.plan.calls + ["?"] * 100

    return asyncio.run(live())


BY_THE_QUEUE = (Fault.NO_TIME, Fault.QUEUE_FULL)
REFUSED = [(call, fault) for call in sorted(QUEUED) for fault in BY_THE_QUEUE if fault in faults_of(call)]


@pytest.mark.parametrize(("call", "fault"), REFUSED)
def test_what_the_queue_refuses_did_not_happen_and_the_next_call_goes_on(call: str, fault: Fault) -> None:
    """Refused at its beginning an order leaves nothing; refused later it is the next call's, which need not wait."""
    short = call == "ComprasFake.desistir"  # of stock, for an attempt that is given up
    point = run(CASES["restocked late" if short else "one call"], {}).calls.index(call)

    async def live() -> None:
        world = World(Plan({point: fault}), quantidade=ESTOQUE[1] + short)
        told = await _call(world, Told())
        assert (told.answers, told.refusals, told.unknown) == ([], [], 1)
        if call in BEGINNINGS:
            assert not world.banco.compras
            assert not world.catalogo.reservas
        world.restock(1)
        again = await _call(world, Told())
        assert (len(again.answers), again.refusals, again.unknown) == (1, [], 0)
        await world.settle()
        check(world)

    asyncio.run(live())


def test_cart_that_went_on_is_not_cleared() -> None:
    """The customer puts something in while the order is confirmed: that stays."""

    async def live() -> None:
        world = World(Plan({5: Fault.DIE_BEFORE}))
        await Told().hear(world.process().checkout.criar(solicitacao()))
        world.carrinhos.encher(SESSAO, (1, 1))
        await world.settle()
        assert world.carrinhos.carrinhos[SESSAO].itens

    asyncio.run(live())
