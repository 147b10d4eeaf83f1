"""A shop in memory whose processes can be made to die, or to lose an answer, at any one call of a port."""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import count, pairwise
from typing import Any

from chassis.errors import DeadlineExceeded, Exhausted
from pedidos.domain import (
    SEGUINTES,
    Cliente,
    ErroPedido,
    Etapa,
    Pedido,
    ServicoIndisponivel,
    Solicitacao,
    StatusPedido,
)
from pedidos.use_cases.checkout import Checkout
from pedidos.use_cases.completer import Completer
from pedidos.use_cases.mudancas import Mudancas
from tests.fakes.pedidos.banco import Banco, ComprasFake, PedidosFake, Relogio
from tests.fakes.pedidos.vizinhos import CarrinhosFake, CatalogoFake, Produto, StatusReserva

ESTOQUE = {1: 5, 2: 5}
SESSAO = "sessao"
CHAVE = "0192f000-0000-7000-8000-000000000001"
CLIENTE = Cliente("Ana", "ana@example.com")
PATIENCE = 5  # passes of a completer, of which at most two meet a fault


class Died(BaseException):
    """kill -9: nothing of the process runs after it."""


class Fault(StrEnum):
    DIE_BEFORE = "dies before"
    DIE_AFTER = "dies after"
    REFUSED = "is not reached by"  # the call fails and did nothing
    ANSWER_LOST = "hears nothing of"  # the call fails and was done
    SLEEPS_BEFORE = "is frozen before"  # others do all the work meanwhile, then it goes on
    SLEEPS_AFTER = "is frozen after"
    NO_TIME = "has no time left when it is the turn of"  # the queue of steps refuses it: nothing was done
    QUEUE_FULL = "finds no room in the queue for"  # the same


BEGINNINGS = frozenset({"ComprasFake.buscar", "ComprasFake.registrar"})  # may be refused for a full queue
QUEUED = BEGINNINGS | {"ComprasFake.gravar", "ComprasFake.responder", "ComprasFake.desistir"}
REFUSALS = (ServicoIndisponivel, DeadlineExceeded, Exhausted)


def faults_of(call: str) -> list[Fault]:
    """What can go wrong with a call of that name."""
    names = {Fault.NO_TIME: QUEUED, Fault.QUEUE_FULL: BEGINNINGS}
    return [fault for fault in Fault if call in names.get(fault, {call})]


@dataclass
class Plan:
    """Which calls go wrong, by their number; every call that is made is noted."""

    faults: dict[int, Fault] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)


class Faulty:
    """A port, as one process reaches it, of whose calls some go wrong."""

    def __init__(self, port: object, process: "Process") -> None:
        self._port = port
        self._process = process

    def __getattr__(self, name: str) -> Callable[..., Awaitable[Any]]:
        method = getattr(self._port, name)
        where = f"{type(self._port).__name__}.{name}"
        return lambda *args, **kwargs: self._process.call(where, lambda: method(*args, **kwargs))


class World:
    """Two products, one cart, one catalog and one database, which outlive the processes."""

    _processes = count()

    def __init__(self, plan: Plan, *, quantidade: int = 2) -> None:
        self.plan = plan
        self.relogio = Relogio()
        self.catalogo = CatalogoFake(self.relogio)
        for produto_id, estoque in ESTOQUE.items():
            self.catalogo.produtos[produto_id] = Produto(f"Bolo {produto_id}", 1000 * produto_id, estoque)
        self.carrinhos = CarrinhosFake()
        self.carrinhos.encher(SESSAO, (1, quantidade), (2, 1))
        self.banco = Banco(self.relogio, _resposta)
        self.estoque = dict(ESTOQUE)
        self.written_before: set[str] = set()  # orders, when the customer changed the cart
        self.meanwhile: Callable[[], Awaitable[None]] = self.settle  # what others do while a process is frozen

    def process(self) -> "Process":
        """A process that has just started; those before it may be dead."""
        return Process(self, f"processo-{next(self._processes)}")

    async def settle(self) -> None:
        """Completers come and go until none of them dies and nothing is left to do."""
        for _ in range(PATIENCE):
            self.relogio.avancar(6)
            with suppress(Died, *REFUSALS):
                await self.process().completer.passada()
            if not self.open_work():
                return
        raise AssertionError(f"stuck: {self.open_work()}")

    def restock(self, units: int) -> None:
        for produto_id, produto in self.catalogo.produtos.items():
            produto.disponivel += units
            self.estoque[produto_id] += units

    def open_work(self) -> list[str]:
        settled = {Etapa.CONCLUIDA, Etapa.FALHOU}
        abertas = [f"{c.etapa} {c.pedido_id}" for c in self.banco.compras.values() if c.etapa not in settled]
        return abertas + [f"devolver {pedido_id}" for pedido_id in self.banco.dividas]


class Process:
    def __init__(self, world: World, dono: str) -> None:
        self._world = world
        self._dead = False
        compras: Any = Faulty(ComprasFake(world.banco, dono), self)
        pedidos: Any = Faulty(PedidosFake(world.banco), self)
        catalogo: Any = Faulty(world.catalogo, self)
        carrinhos: Any = Faulty(world.carrinhos, self)
        self.checkout = Checkout(compras, catalogo, carrinhos, pausas=(0.0, 0.0))
        self.mudancas = Mudancas(pedidos, catalogo, self.checkout)
        self.completer = Completer(compras, pedidos, self.checkout, self.mudancas)

    async def call(self, name: str, call: Callable[[], Awaitable[Any]]) -> Any:
        """Carries out a call of a port, or what the plan has for it instead."""
        plan = self._world.plan
        if self._dead:
            raise Died
        if name == "ComprasFake.assumir":
            self._world.relogio.avancar(1)  # who asks again and again has waited in between
        fault = plan.faults.get(len(plan.calls))
        plan.calls.append(name)
        await self._suffer(fault, BEFORE, Fault.SLEEPS_BEFORE)
        try:
            return await call()
        finally:  # a refusal is an answer too: it may be lost, or heard late
            await self._suffer(fault, AFTERWARDS, Fault.SLEEPS_AFTER)

    async def _suffer(self, fault: Fault | None, ends: dict[Fault, Callable[[], BaseException]], sleep: Fault) -> None:
        if fault is sleep:
            await self._world.meanwhile()
        if fault in ends:
            end = ends[fault]()
            self._dead = self._dead or isinstance(end, Died)
            raise end


def _away() -> ServicoIndisponivel:
    return ServicoIndisponivel("vizinho")


def _full() -> Exhausted:
    return Exhausted("cheia")


BEFORE: dict[Fault, Callable[[], BaseException]] = {
    Fault.DIE_BEFORE: Died,
    Fault.REFUSED: _away,
    Fault.NO_TIME: DeadlineExceeded,
    Fault.QUEUE_FULL: _full,
}
AFTERWARDS: dict[Fault, Callable[[], BaseException]] = {Fault.DIE_AFTER: Died, Fault.ANSWER_LOST: _away}


@dataclass
class Told:
    """What a client heard: answers, refusals, and how often it heard nothing certain."""

    answers: list[bytes] = field(default_factory=list)
    refusals: list[ErroPedido] = field(default_factory=list)
    unknown: int = 0

    async def hear(self, call: Awaitable[bytes]) -> None:
        try:
            self.answers.append(await call)
        except (Died, *REFUSALS):
            self.unknown += 1
        except ErroPedido as exc:
            self.refusals.append(exc)


def solicitacao(request_id: str = CHAVE) -> Solicitacao:
    return Solicitacao(SESSAO, CLIENTE, "", request_id)


def check(world: World) -> None:
    """What must hold of every settled world, whatever happened in it."""
    _stock_is_conserved(world)
    _orders_match_reservations(world)
    _events_tell_every_order(world)
    _attempts_match_orders(world)


def _stock_is_conserved(world: World) -> None:
    for produto_id, produto in world.catalogo.produtos.items():
        assert produto.disponivel + produto.vendido == world.estoque[produto_id], f"{produto} and nothing reserved"
        assert produto.reservado == 0
        assert produto.disponivel >= 0


def _orders_match_reservations(world: World) -> None:
    sold = {reserva_id: r for reserva_id, r in world.catalogo.reservas.items() if r.status is StatusReserva.CONFIRMADA}
    valid = {p.pedido_id: p for p in world.banco.pedidos.values() if p.status is not StatusPedido.CANCELADO}
    assert sold.keys() == valid.keys(), "stock is sold exactly for the orders that stand"
    for pedido_id, pedido in valid.items():
        assert pedido.itens == sold[pedido_id].itens
        assert pedido.status is not StatusPedido.PENDENTE
        assert pedido.total_centavos == sum(item.subtotal_centavos for item in pedido.itens)


def _events_tell_every_order(world: World) -> None:
    for pedido in world.banco.pedidos.values():
        events = [event for event in world.banco.eventos if event.pedido_id == pedido.pedido_id]
        assert [event.seq for event in events] == list(range(1, len(events) + 1))
        assert events[0].status is StatusPedido.PENDENTE
        assert all(para.status in SEGUINTES[de.status] for de, para in pairwise(events)), "each step is told once"
        assert events[-1].status is pedido.status


def _attempts_match_orders(world: World) -> None:
    for compra in world.banco.compras.values():
        pedido = world.banco.pedidos.get(compra.pedido_id)
        if compra.etapa is Etapa.CONCLUIDA:
            assert pedido is not None
            assert compra.resposta is not None
            carrinho = world.carrinhos.carrinhos[compra.carrinho.sessao_id]
            assert carrinho.versao != compra.carrinho.versao, "what was ordered is still in the cart"
        else:
            assert pedido is None or pedido.status is StatusPedido.CANCELADO


def _resposta(pedido: Pedido) -> bytes:
    return f"{pedido.pedido_id} {pedido.status} {pedido.total_centavos}".encode()
