"""One run: customers shop while parts are killed, the mesh settles, the checker judges, a table tells."""

from __future__ import annotations

import asyncio
import random
import time
import uuid
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import psycopg2
from confeitaria.catalogo.v1 import catalogo_pb2

from tests.conftest import Mesh
from tests.faults.checker import Fault, Violation, check, unsettled
from tests.faults.customers import Customers, Unanswered, insist, known, look
from tests.faults.doors import Door, Doors
from tests.faults.history import History, Kind, Operation
from tests.faults.killer import PARTS, Kill, Killer, NotBack
from tests.faults.snapshot import Snapshot, read

SETTLE_SECONDS = 10.0  # the promise: nothing is stuck for longer
GRPC_CUSTOMERS, REST_CUSTOMERS = 6, 4
CARTS = 400  # looked at, besides those of every purchase that was in doubt


@dataclass
class Report:
    seed: int
    history: History
    kills: Sequence[Kill] = ()
    violations: list[Violation] = field(default_factory=list)
    settled: float = 0.0  # seconds
    seconds: float = 0.0

    @property
    def in_doubt(self) -> Sequence[Operation]:
        return [operation for operation in self.history.operations if operation.in_doubt]

    @property
    def orders(self) -> int:
        return sum(operation.acknowledged for operation in self.history.of(Kind.COMPRAR))

    @property
    def situations(self) -> dict[str, int]:
        """How often customers did what is hard to get right."""
        bought = list(self.history.of(Kind.COMPRAR))
        cancelled = [operation.pedido_id for operation in self.history.of(Kind.CANCELAR)]
        baked = {operation.pedido_id for operation in self.history.of(Kind.MUDAR)}
        return {
            "double clicks": sum(operation.keyless for operation in bought),
            "carts changed while they were ordered": sum(bool(operation.talvez) for operation in bought),
            "cancellations": len(cancelled),
            "of them against the baker": sum(pedido_id in baked for pedido_id in cancelled),
        }

    def culprit(self, operation: Operation | None) -> str:
        """The part whose death came last before what went wrong; as good a guess as the clock allows."""
        before = [kill for kill in self.kills if operation and kill.at <= operation.last]
        return before[-1].part if before else "-"


async def run(mesh: Mesh, kills: int, seed: int, progress: Callable[[Kill], None] = lambda _: None) -> Report:
    """Kills that many times under load, then waits for quiet and checks."""
    begun = time.monotonic()
    async with Doors() as doors:
        entrances: list[Door] = [await doors.grpc(mesh.edge_target, number) for number in range(GRPC_CUSTOMERS)]
        entrances += [await doors.rest(mesh.edge)] * REST_CUSTOMERS
        customers = await _open_shop(entrances, seed)
        killer = Killer(mesh, customers.history.bought_since, seed)
        report = Report(seed, customers.history, killer.kills)
        shopping = asyncio.create_task(customers.run())
        try:
            await killer.run(kills, progress)
        except NotBack as why:
            report.violations.append(Violation(Fault.STUCK, str(why)))
        finally:
            customers.close()
            await shopping
        await _settled_and_checked(mesh, report, entrances[0])
    report.seconds = time.monotonic() - begun
    return report


async def settled_and_checked(mesh: Mesh, report: Report) -> Report:
    """Waits for quiet and judges what the customers of a run remember."""
    async with Doors() as doors:
        await _settled_and_checked(mesh, report, await doors.grpc(mesh.edge_target))
    return report


async def _settled_and_checked(mesh: Mesh, report: Report, door: Door) -> None:
    try:
        snapshot = await settle(mesh, report)
        report.violations += check(report.history, await _with_carts(snapshot, door, report))
    except (psycopg2.OperationalError, Unanswered) as why:
        report.violations.append(Violation(Fault.STUCK, f"the history cannot be checked: {why!r}"))


async def settle(mesh: Mesh, report: Report) -> Snapshot:
    """What the databases say when nothing is under way any more, or after the time that was promised."""
    begun = time.monotonic()
    while True:
        snapshot = await asyncio.to_thread(read, mesh)
        report.settled = time.monotonic() - begun
        if report.settled > SETTLE_SECONDS or not unsettled(snapshot):
            return snapshot
        await asyncio.sleep(0.2)


async def new_product(door: Door, units: int) -> int:
    """Made through gRPC; its id."""
    produto = catalogo_pb2.Produto(
        nome=f"Bolo {uuid.uuid4().hex[:8]}", categoria_id=1, preco_centavos=1250, estoque=units
    )
    asked = Operation(Kind.REPOR, "", door.via)
    request = catalogo_pb2.CriarProdutoRequest(produto=produto, request_id=str(uuid.uuid4()))
    await insist(door, asked, "CriarProduto", request)
    return known(door, asked, catalogo_pb2.Produto).produto_id


async def _open_shop(doors: Sequence[Door], seed: int) -> Customers:
    plenty = [await new_product(doors[0], 100_000) for _ in range(4)]
    scarce = [await new_product(doors[0], 25) for _ in range(2)]
    return Customers(doors, plenty, scarce, seed)


async def _with_carts(snapshot: Snapshot, door: Door, report: Report) -> Snapshot:
    bought = [operation for operation in report.history.of(Kind.COMPRAR) if operation.acknowledged]
    chosen = {operation.sessao_id for operation in bought if operation.in_doubt or operation.talvez}
    chosen |= {operation.sessao_id for operation in report.history.of(Kind.COMPRAR) if not operation.answers}
    sample = random.Random(report.seed).sample(bought, min(CARTS, len(bought)))
    chosen |= {operation.sessao_id for operation in sample}
    return replace(snapshot, carrinhos=await look(door, sorted(chosen)))


def table(report: Report) -> str:
    """A row a part, the sum, what went wrong in words, the seed."""
    killed = Counter(kill.part for kill in report.kills)
    doubts = Counter(report.culprit(operation) for operation in report.in_doubt)
    found = Counter((report.culprit(violation.operation), violation.fault) for violation in report.violations)
    rows = [*PARTS, *({part for part, _ in found} | set(doubts)) - set(PARTS)]
    lines = [("part", "kills", "in doubt", *Fault, "back: median s", "worst s")]
    for part in rows:
        faults = (str(found[part, fault]) for fault in Fault)
        lines.append((part, str(killed[part]), str(doubts[part]), *faults, *_back(report, part)))
    sums = (str(sum(n for (_, kind), n in found.items() if kind is fault)) for fault in Fault)
    lines.append(("all", str(len(report.kills)), str(len(report.in_doubt)), *sums, *_back(report, "")))
    summary = (
        f"{report.orders} orders, {len(report.history.operations)} requests with a key;"
        f" quiet after {report.settled:.1f} s; {report.seconds:.0f} s in all; seed {report.seed}"
    )
    situations = ", ".join(f"{count} {name}" for name, count in report.situations.items())
    cells = ("  ".join([line[0].ljust(20), *(cell.rjust(8) for cell in line[1:])]) for line in lines)
    return "\n".join([*cells, summary, situations, *map(str, report.violations)])


def _back(report: Report, part: str) -> tuple[str, str]:
    times = sorted(kill.back for kill in report.kills if kill.back and part in ("", kill.part))
    return (f"{times[len(times) // 2]:.1f}", f"{times[-1]:.1f}") if times else ("", "")
