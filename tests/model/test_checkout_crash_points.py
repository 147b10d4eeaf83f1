"""Every crash and every lost answer, before and after every port call of a checkout, alone and in pairs.

The calls are counted while a run without faults, or with one, goes its way; so are the points of the test.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress

import pytest

from pedidos.domain import ErroPedido, EstoqueInsuficiente, StatusPedido
from tests.model.crash_world import CHAVE, ESTOQUE, SESSAO, Died, Fault, Plan, Told, World, check, solicitacao

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
        with suppress(Died, ErroPedido):
            await world.process().mudancas.cancelar(pedido_id, "mudei de ideia")


async def _bakery(world: World, *passos: StatusPedido) -> None:
    for pedido_id in list(world.banco.pedidos):
        for passo in passos:
            with suppress(Died, ErroPedido):
                await world.process().mudancas.mudar_status(pedido_id, passo)


def run(scenario: Scenario, faults: dict[int, Fault], *, quantidade: int = 2) -> Plan:
    """One run to its settled end, with everything checked that must hold; the calls it made."""

    async def live() -> Plan:
        world = World(Plan(dict(faults)), quantidade=quantidade)
        told = await scenario(world)
        await world.settle()
        check(world)
        calls = Plan(calls=list(world.plan.calls))
        await check_client(world, told, scenario)
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


def standing(world: World) -> set[str]:
    return {p.pedido_id for p in world.banco.pedidos.values() if p.status is not StatusPedido.CANCELADO}


SCENARIOS: dict[str, tuple[Scenario, int]] = {
    "one call": (one_call, 2),
    "retries": (retries, 2),
    "retries without a key": (retries_without_a_key, 2),
    "restocked late": (restocked_late, ESTOQUE[1] + 1),
    "restocked early": (restocked_early, ESTOQUE[1] + 1),
    "cancelled": (cancelled, 2),
    "moved along": (moved_along, 2),
    "moved along late": (moved_along_late, 2),
    "expired": (expired, 2),
}


def single_faults(scenario: Scenario, quantidade: int) -> Iterator[dict[int, Fault]]:
    calls = len(run(scenario, {}, quantidade=quantidade).calls)
    assert calls > 4, "the run without faults does its work"
    for point in range(calls):
        for fault in Fault:
            yield {point: fault}


@pytest.mark.parametrize("name", SCENARIOS)
def test_every_single_fault_leaves_a_shop_in_order(name: str) -> None:
    scenario, quantidade = SCENARIOS[name]
    runs = 0
    for faults in single_faults(scenario, quantidade):
        _explained(scenario, faults, quantidade)
        runs += 1
    print(f"{name}: {runs} single faults")  # noqa: T201  for whoever asks how many, with -s


@pytest.mark.parametrize("name", SCENARIOS)
def test_every_pair_of_faults_leaves_a_shop_in_order(name: str) -> None:
    """The second fault hits whatever comes after the first: the retry, the completer, the completer's completer."""
    scenario, quantidade = SCENARIOS[name]
    runs = 0
    for first in single_faults(scenario, quantidade):
        calls = len(_explained(scenario, first, quantidade).calls)
        (point,) = first
        for later in range(point + 1, calls):
            for fault in Fault:
                _explained(scenario, first | {later: fault}, quantidade)
                runs += 1
    print(f"{name}: {runs} pairs of faults")  # noqa: T201


def _explained(scenario: Scenario, faults: dict[int, Fault], quantidade: int) -> Plan:
    try:
        return run(scenario, faults, quantidade=quantidade)
    except AssertionError as exc:
        calls = run_calls(scenario, faults, quantidade)
        what = "; ".join(f"{fault} call {point} ({calls[point]})" for point, fault in faults.items())
        raise AssertionError(f"the process {what}: {exc}") from exc


def run_calls(scenario: Scenario, faults: dict[int, Fault], quantidade: int) -> list[str]:
    async def live() -> list[str]:
        world = World(Plan(dict(faults)), quantidade=quantidade)
        await scenario(world)
        for _ in range(12):
            world.relogio.avancar(6)
            with suppress(Died, Exception):  # only the calls are of interest here
                await world.process().completer.passada()
        return world.plan.calls + ["?"] * 100

    return asyncio.run(live())


def test_cart_that_went_on_is_not_cleared() -> None:
    """The customer puts something in while the order is confirmed: that stays."""

    async def live() -> None:
        world = World(Plan({5: Fault.DIE_BEFORE}))
        await Told().hear(world.process().checkout.criar(solicitacao()))
        world.carrinhos.encher(SESSAO, (1, 1))
        await world.settle()
        assert world.carrinhos.carrinhos[SESSAO].itens

    asyncio.run(live())
