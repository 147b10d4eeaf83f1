"""Holds the customers' memory against the databases and the stream, and says what does not fit. Pure functions."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from tests.faults.history import History, Kind, Operation
from tests.faults.snapshot import ABERTAS, Compra, Evento, Movimento, Pedido, Snapshot

VENDIDOS = ("CONFIRMADO", "EM_PREPARO", "PRONTO", "ENTREGUE")
DEVOLUCOES = ("LIBERAR", "EXPIRAR", "ESTORNAR")
REPOSICOES = (*DEVOLUCOES, "ADICIONAR", "DEFINIR")
DEPOIS = {"EM_PREPARO": ("EM_PREPARO", "PRONTO", "ENTREGUE", "CANCELADO"), "PRONTO": ("PRONTO", "ENTREGUE")}
ULTIMO = {"PENDENTE": "pedido_criado", "CONFIRMADO": "pedido_confirmado", "CANCELADO": "pedido_cancelado"}


class Fault(StrEnum):
    """The columns of the table."""

    LOST = "lost"
    DUPLICATED = "duplicated"
    OVERSOLD = "oversold"
    STUCK = "stuck"
    WRONG = "wrong"  # two that should tell the same story do not


@dataclass(frozen=True)
class Violation:
    """`operation`: whose customer noticed, where one did."""

    fault: Fault
    words: str
    operation: Operation | None = None

    def __str__(self) -> str:
        return f"{self.fault}: {self.words}" + (f" [{self.operation}]" if self.operation else "")


Check = Callable[[History, Snapshot], Iterator[Violation]]


def check(history: History, snapshot: Snapshot) -> list[Violation]:
    """Everything that does not fit, of a run that has had its time to settle."""
    return [violation for one in CHECKS for violation in one(history, snapshot)]


def unsettled(snapshot: Snapshot) -> list[Violation]:
    """What is still under way."""
    return [*_stuck(History(), snapshot), *_unsent(History(), snapshot)]


def _purchases(history: History, snapshot: Snapshot) -> Iterator[Violation]:
    cancelled = {operation.pedido_id for operation in history.of(Kind.CANCELAR)}
    versions = {compra.pedido_id: compra.versao for compra in snapshot.compras}
    for operation in history.of(Kind.COMPRAR):
        if not operation.acknowledged:
            continue
        pedido = snapshot.pedidos.get(operation.pedido_id)
        if pedido is None:
            yield Violation(Fault.LOST, f"acknowledged order {operation.pedido_id} does not exist", operation)
            continue
        versao = versions.get(pedido.pedido_id, 0)
        held = operation.talvez.get(versao, {}) if operation.talvez else operation.itens
        if pedido.itens != held:
            words = f"order {pedido.pedido_id} holds {pedido.itens}, its cart held {held}"
            yield Violation(Fault.LOST, words, operation)
        if pedido.status == "CANCELADO" and pedido.pedido_id not in cancelled:
            words = f"acknowledged order {pedido.pedido_id} is CANCELADO though nobody cancelled it"
            yield Violation(Fault.LOST, words, operation)


def _cancellations(history: History, snapshot: Snapshot) -> Iterator[Violation]:
    for operation in history.of(Kind.CANCELAR):
        pedido = snapshot.pedidos.get(operation.pedido_id)
        if operation.acknowledged and (pedido is None or pedido.status != "CANCELADO"):
            words = f"acknowledged cancellation of {operation.pedido_id} is lost: it is {pedido and pedido.status}"
            yield Violation(Fault.LOST, words, operation)
        if operation.refused and (pedido is None or pedido.status not in DEPOIS["PRONTO"]):
            words = f"cancelling {operation.pedido_id} was refused with {operation.reason}"
            yield Violation(Fault.WRONG, words, operation)


def _steps(history: History, snapshot: Snapshot) -> Iterator[Violation]:
    """What the bakery moved along does not go back, and what is ready is not cancelled any more."""
    for operation in history.of(Kind.MUDAR):
        pedido = snapshot.pedidos.get(operation.pedido_id)
        if operation.acknowledged and (pedido is None or pedido.status not in DEPOIS[operation.para]):
            words = f"order {operation.pedido_id} was {operation.para}, now it is {pedido and pedido.status}"
            yield Violation(Fault.LOST, words, operation)


def _replenishments(history: History, snapshot: Snapshot) -> Iterator[Violation]:
    lines: defaultdict[str, list[Movimento]] = defaultdict(list)
    for line in snapshot.movimentos:
        lines[line.chave].append(line)
    for operation in history.of(Kind.REPOR):
        found = lines[f"estoque:{operation.chave}"]
        units = sum(line.quantidade for line in found)
        asked = sum(operation.itens.values())
        if operation.acknowledged and not found:
            yield Violation(Fault.LOST, f"acknowledged stock of {asked} units is not in the ledger", operation)
        elif len(found) > 1 or (found and units != asked):
            words = f"stock of {asked} units is {len(found)} times in the ledger, {units} units in all"
            yield Violation(Fault.DUPLICATED, words, operation)


def _keys(history: History, snapshot: Snapshot) -> Iterator[Violation]:
    """One key, one order; one version of a cart, one order."""
    operations = {operation.chave: operation for operation in history.of(Kind.COMPRAR)}
    by_key, by_cart = defaultdict(list), defaultdict(list)
    for compra in snapshot.compras:
        if not compra.falhou:
            by_key[compra.chave].append(compra.pedido_id)
            by_cart[compra.sessao_id, compra.versao].append(compra.pedido_id)
    for chave, pedidos in by_key.items():
        if len(pedidos) > 1:
            words = f"key {chave} made {len(pedidos)} orders: {', '.join(sorted(pedidos))}"
            yield Violation(Fault.DUPLICATED, words, operations.get(chave))
    for (sessao_id, versao), pedidos in by_cart.items():
        if len(pedidos) > 1:
            words = f"cart {sessao_id} at version {versao} was ordered {len(pedidos)} times"
            yield Violation(Fault.DUPLICATED, words)


def _answers(history: History, snapshot: Snapshot) -> Iterator[Violation]:
    """Every repetition hears the same bytes, and they are the stored ones."""
    stored = {compra.chave: compra for compra in snapshot.compras if not compra.falhou}
    for operation in history.of(Kind.COMPRAR):
        if len(operation.bodies) > 1:
            words = f"key {operation.chave} was answered in {len(operation.bodies)} different ways"
            yield Violation(Fault.DUPLICATED, words, operation)
        compra = stored.get(operation.chave)
        if operation.acknowledged and compra is None:
            yield Violation(Fault.LOST, f"key {operation.chave} was answered and is not known any more", operation)
        elif compra is not None:
            yield from _answer(operation, compra)


def _answer(operation: Operation, compra: Compra) -> Iterator[Violation]:
    if operation.acknowledged and compra.pedido_id != operation.pedido_id:
        words = f"the answer named order {operation.pedido_id}, the key belongs to {compra.pedido_id}"
        yield Violation(Fault.WRONG, words, operation)
    elif operation.acknowledged and operation.via == "gRPC" and operation.bodies != {compra.resposta}:
        yield Violation(Fault.WRONG, "the answer given is not the answer stored", operation)
    if operation.refused and not operation.in_doubt:
        words = f"refused with {operation.reason}, and yet it became order {compra.pedido_id}"
        yield Violation(Fault.WRONG, words, operation)


def _internal_errors(history: History, _snapshot: Snapshot) -> Iterator[Violation]:
    for operation in history.operations:
        if any(answer.reason == "ERRO_INTERNO" for answer in operation.answers):
            yield Violation(Fault.WRONG, "answered with an internal error: the log has its traceback", operation)


def _conservation(_history: History, snapshot: Snapshot) -> Iterator[Violation]:
    for row in snapshot.auditoria:
        yield Violation(Fault.OVERSOLD, f"columns, ledger and reservations of a product disagree: {row}")
    sold: Counter[int] = Counter()
    for pedido in snapshot.pedidos.values():
        if pedido.status in VENDIDOS:
            sold.update(pedido.itens)
    for produto in snapshot.produtos.values():
        there = produto.inicial + produto.reposto - produto.baixado
        if produto.inicial + produto.reposto != (
            produto.disponivel + produto.reservado + produto.vendido + produto.baixado
        ):
            yield Violation(Fault.OVERSOLD, f"product {produto.produto_id} does not conserve its units: {produto}")
        if sold[produto.produto_id] > there:
            words = f"product {produto.produto_id}: {sold[produto.produto_id]} units ordered, {there} were there"
            yield Violation(Fault.OVERSOLD, words)
        if sold[produto.produto_id] != produto.vendido:
            words = (
                f"product {produto.produto_id}: {produto.vendido} units sold, orders hold {sold[produto.produto_id]}"
            )
            yield Violation(Fault.WRONG, words)


def _stuck(history: History, snapshot: Snapshot) -> Iterator[Violation]:
    for reserva in snapshot.reservas.values():
        if reserva.status == "ATIVA":
            yield Violation(Fault.STUCK, f"reservation {reserva.reserva_id} is still ATIVA")
    for compra in snapshot.compras:
        if compra.etapa in ABERTAS:
            yield Violation(Fault.STUCK, f"attempt {compra.pedido_id} is still {compra.etapa}")
    for pedido in snapshot.pedidos.values():
        if pedido.status == "PENDENTE":
            yield Violation(Fault.STUCK, f"order {pedido.pedido_id} is still PENDENTE")
        if pedido.deve:
            yield Violation(Fault.STUCK, f"the stock of cancelled order {pedido.pedido_id} is still to be given back")
    for operation in history.operations:
        if operation.answers and operation.open:
            yield Violation(Fault.STUCK, "no certain answer although everything serves again", operation)


def _unsent(_history: History, snapshot: Snapshot) -> Iterator[Violation]:
    for event in snapshot.eventos:
        if not event.enviado:
            yield Violation(Fault.STUCK, f"event {event.pedido_id}:{event.seq} is still to be sent")


def _reservations(_history: History, snapshot: Snapshot) -> Iterator[Violation]:
    """What is sold in one database is ordered in the other."""
    for reserva in snapshot.reservas.values():
        pedido = snapshot.pedidos.get(reserva.reserva_id)
        if reserva.status == "CONFIRMADA" and (pedido is None or pedido.status not in (*VENDIDOS, "PENDENTE")):
            state = pedido.status if pedido else "no order"
            yield Violation(Fault.WRONG, f"reservation {reserva.reserva_id} is sold to nobody: {state}")
    for pedido in snapshot.pedidos.values():
        found = snapshot.reservas.get(pedido.pedido_id)
        if pedido.status in VENDIDOS and (found is None or found.status != "CONFIRMADA"):
            state = found.status if found else "none"
            yield Violation(Fault.OVERSOLD, f"order {pedido.pedido_id} is {pedido.status}, its reservation: {state}")
        elif pedido.status in VENDIDOS and found and found.itens != pedido.itens:
            words = f"order {pedido.pedido_id} holds {pedido.itens}, its reservation {found.itens}"
            yield Violation(Fault.WRONG, words)


def _returns(_history: History, snapshot: Snapshot) -> Iterator[Violation]:
    """A cancelled order's stock comes back, once."""
    back: defaultdict[str, Counter[int]] = defaultdict(Counter)
    for line in snapshot.movimentos:
        if line.operacao in DEVOLUCOES:
            back[line.chave.split(":")[1]][line.produto_id] += line.disponivel
    for pedido in snapshot.pedidos.values():
        returned = back[pedido.pedido_id]
        if pedido.status == "CANCELADO" and not pedido.deve and returned != Counter(pedido.itens):
            words = f"cancelled order {pedido.pedido_id} held {dict(pedido.itens)}, came back: {dict(returned)}"
            yield Violation(Fault.WRONG, words)
        elif pedido.status in VENDIDOS and returned:
            yield Violation(Fault.OVERSOLD, f"order {pedido.pedido_id} stands, and yet {dict(returned)} came back")


def _events(_history: History, snapshot: Snapshot) -> Iterator[Violation]:
    events: defaultdict[str, list[Evento]] = defaultdict(list)
    for event in sorted(snapshot.eventos, key=lambda event: event.id):
        events[event.pedido_id].append(event)
    for pedido in snapshot.pedidos.values():
        yield from _events_of(pedido, events[pedido.pedido_id])


def _events_of(pedido: Pedido, events: list[Evento]) -> Iterator[Violation]:
    numbers = [event.seq for event in events]
    tipos = [event.tipo for event in events]
    if sorted(numbers) != list(range(1, pedido.eventos + 1)):
        words = f"order {pedido.pedido_id} counts {pedido.eventos} events, the outbox has {numbers}"
        yield Violation(Fault.LOST, words)
    elif numbers != sorted(numbers):
        yield Violation(Fault.WRONG, f"the events of order {pedido.pedido_id} leave out of order: {numbers}")
    elif tipos[0] != "pedido_criado" or tipos[-1] != ULTIMO.get(pedido.status, "status_alterado"):
        yield Violation(Fault.WRONG, f"order {pedido.pedido_id} is {pedido.status}, its events say {tipos}")


def _stream(_history: History, snapshot: Snapshot) -> Iterator[Violation]:
    """Whoever reads the stream and drops repetitions sees every event that was sent, in order, and no other."""
    told: defaultdict[str, list[int]] = defaultdict(list)
    for publicado in snapshot.jornal:
        told[publicado.pedido_id].append(publicado.seq)
    sent: defaultdict[str, list[int]] = defaultdict(list)
    for event in snapshot.eventos:
        if event.enviado:
            sent[event.pedido_id].append(event.seq)
    for pedido_id, numbers in sent.items():
        yield from _stream_of(pedido_id, numbers, told[pedido_id], trimmed=snapshot.aparado)
    happened = {(event.pedido_id, event.seq): event.tipo for event in snapshot.eventos}
    for pedido_id, seq, tipo in {(each.pedido_id, each.seq, each.tipo) for each in snapshot.jornal}:
        if happened.get((pedido_id, seq)) != tipo:
            words = f"the stream tells {pedido_id}:{seq} {tipo}, what happened is {happened.get((pedido_id, seq))}"
            yield Violation(Fault.WRONG, words)


def _stream_of(pedido_id: str, sent: list[int], told: list[int], *, trimmed: bool) -> Iterator[Violation]:
    """A trimmed stream begins anywhere."""
    seen: list[int] = []
    for number in told:
        if not seen or number > seen[-1]:
            seen.append(number)
    begin = 1 if not trimmed else seen[0] if seen else max(sent) + 1
    missing = [number for number in sorted(sent) if number >= begin and number not in told]
    if missing:
        yield Violation(Fault.LOST, f"events {missing} of order {pedido_id} were sent and are not in the stream")
    elif seen != list(range(begin, begin + len(seen))):
        words = f"a reader of the stream sees {seen} of order {pedido_id}, told as {told}"
        yield Violation(Fault.WRONG, words)


def _carts(history: History, snapshot: Snapshot) -> Iterator[Violation]:
    for operation in history.of(Kind.COMPRAR):
        if operation.refused and operation.reason in ("CARRINHO_VAZIO", "CARRINHO_NAO_ENCONTRADO"):
            words = f"cart {operation.sessao_id} was acknowledged with {operation.itens}: {operation.reason}"
            yield Violation(Fault.LOST, words, operation)
        if operation.sessao_id not in snapshot.carrinhos or not operation.acknowledged:
            continue
        cart = snapshot.carrinhos[operation.sessao_id]
        if cart is None:
            yield Violation(Fault.LOST, f"cart {operation.sessao_id} is gone", operation)
        elif operation.talvez:
            continue
        elif cart.itens and cart.versao == operation.versao:
            words = f"cart {operation.sessao_id} was ordered at version {cart.versao} and still holds {cart.itens}"
            yield Violation(Fault.WRONG, words, operation)
        elif cart.versao != operation.versao + 1:
            words = f"cart {operation.sessao_id} was ordered at version {operation.versao}, now it is at {cart.versao}"
            yield Violation(Fault.WRONG, words, operation)


def _additions(history: History, snapshot: Snapshot) -> Iterator[Violation]:
    """What was put in stays until an order of just that version clears it. Decidable where every version is known."""
    ordered: defaultdict[str, set[int]] = defaultdict(set)
    for compra in snapshot.compras:
        if not compra.falhou:
            ordered[compra.sessao_id].add(compra.versao)
    additions: defaultdict[str, list[Operation]] = defaultdict(list)
    for operation in history.of(Kind.ADICIONAR):
        if not operation.refused:
            additions[operation.sessao_id].append(operation)
    for sessao_id, cart in snapshot.carrinhos.items():
        put = additions[sessao_id]
        if cart is None or not put or any(each.in_doubt for each in put):
            continue
        changed = {each.versao for each in put}
        cleared = max((v + 1 for v in ordered[sessao_id] if v + 1 not in changed and v < cart.versao), default=0)
        held: Counter[int] = Counter()
        for each in put:
            held.update(each.itens if each.versao > cleared else {})
        if held != Counter(cart.itens):
            words = f"cart {sessao_id} was left with {dict(held)}, now it holds {cart.itens}"
            yield Violation(Fault.LOST, words, put[-1])


def _refusals(history: History, snapshot: Snapshot) -> Iterator[Violation]:
    """Decidable where a product's stock only ever went down: there was never less than there is at the end."""
    refilled = {line.produto_id for line in snapshot.movimentos if line.operacao in REPOSICOES}
    for operation in (*history.of(Kind.COMPRAR), *history.of(Kind.ADICIONAR)):
        if not operation.refused or operation.reason != "ESTOQUE_INSUFICIENTE":
            continue
        detail = operation.answers[-1].detail
        produto = snapshot.produtos.get(int(detail.get("produto_id", 0)))
        if produto is None or produto.produto_id in refilled:
            continue
        if produto.disponivel >= int(detail["solicitado"]):
            words = f"refused {detail['solicitado']} of product {produto.produto_id}, {produto.disponivel} are left"
            yield Violation(Fault.WRONG, words, operation)


CHECKS: tuple[Check, ...] = (
    _purchases,
    _cancellations,
    _steps,
    _replenishments,
    _keys,
    _answers,
    _internal_errors,
    _conservation,
    _stuck,
    _unsent,
    _reservations,
    _returns,
    _events,
    _stream,
    _carts,
    _additions,
    _refusals,
)
