"""Kills a mesh's processes at one named point after the other, while a day at the bakery goes on."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from stack.home import Home
from stack.processes import Identity, alive, send
from stack.state import load
from tests.conftest import Mesh
from tests.faults.doors import Doors, GrpcDoor
from tests.faults.history import History
from tests.faults.killer import until
from tests.faults.pausing.day import Day
from tests.faults.pausing.points import Point
from tests.faults.pausing.trap import DIE, HOLD, Trap

INSTANCES = {"pedidos": 8, "catalogo": 3}
NEVER = float("inf")
REACHED_SECONDS = 45.0  # for a day to come past a point


@dataclass(frozen=True)
class Visit:
    """How a point was left: `problem` is "" if all was well."""

    seconds: float
    problem: str = ""


class Tour:
    """`folder`: where the mesh's processes look for their traps."""

    def __init__(self, mesh: Mesh, folder: Path) -> None:
        self.history = History()
        self.visits: dict[Point, Visit] = {}
        self._mesh, self._folder = mesh, folder
        self._home = Home(mesh.folder, mesh.offset)

    async def visit(self, points: Sequence[Point]) -> None:
        """Each instance of orders is killed by itself while the others serve; of the catalog whichever comes first."""
        waiting = [point for point in points if point.service == "pedidos"]
        async with Doors() as doors, asyncio.TaskGroup() as group:
            for number in range(1, INSTANCES["pedidos"] + 1):
                group.create_task(self._orders(doors, number, waiting))
        async with Doors() as doors:
            edge, inner = await doors.grpc(self._mesh.edge_target), await doors.grpc(self._mesh.mesh_target)
            names = self._names("catalogo")
            for point in [point for point in points if point.service == "catalogo"]:
                await self._noted(point, names, edge, edge, inner)

    def _names(self, service: str) -> list[str]:
        return [f"{service}-{number}" for number in range(1, INSTANCES[service] + 1)]

    async def _orders(self, doors: Doors, number: int, waiting: list[Point]) -> None:
        address = str(self._mesh.ports.instance("pedidos", number))
        edge, inner = await doors.grpc(self._mesh.edge_target, number), await doors.grpc(self._mesh.mesh_target, number)
        orders = await doors.grpc(address)
        while waiting:
            await self._noted(waiting.pop(), [f"pedidos-{number}"], edge, orders, inner)

    async def _noted(
        self, point: Point, names: Sequence[str], edge: GrpcDoor, orders: GrpcDoor, inner: GrpcDoor
    ) -> None:
        begun, problem = time.monotonic(), ""
        with self._traps(names) as traps:
            day = Day(edge, orders, inner, list(traps.values()), self.history)
            try:
                await self._at(point, day, traps)
            except Exception as why:  # noqa: BLE001  it is told by the point's own test
                problem = f"{type(why).__name__}: {why}"
        self.visits[point] = Visit(time.monotonic() - begun, problem)

    async def _at(self, point: Point, day: Day, traps: dict[str, Trap]) -> None:
        for trap in traps.values():
            trap.set(DIE, point)
        killer = asyncio.create_task(self._kill(traps))
        try:
            await day.somebody_who_leaves()
            if killer.done():  # now for those who ask again
                killer = await self._set_again(point, killer, traps)
            await (day.a_shelf_in_use() if point.service == "catalogo" else day.orders_of_every_kind())
            await self._linger(day, killer, traps)
            await day.counted()
        finally:
            killer.cancel()

    async def _set_again(self, point: Point, killer: asyncio.Task[None], traps: dict[str, Trap]) -> asyncio.Task[None]:
        await killer
        for trap in traps.values():
            trap.set(DIE, point)
        return asyncio.create_task(self._kill(traps))

    async def _linger(self, day: Day, killer: asyncio.Task[None], traps: dict[str, Trap]) -> None:
        """What happens now and then needs some time, and what happens at a start needs one."""
        deadline, restarted = time.monotonic() + REACHED_SECONDS, False
        while not killer.done():
            assert time.monotonic() < deadline, "the day does not come past this point"
            await day.one_more()
            if not killer.done() and not restarted:
                restarted = True
                for name in traps:
                    await self._end(name)
        await killer

    async def _kill(self, traps: dict[str, Trap]) -> None:
        """kill -9 of whoever comes to the point first."""
        await until(lambda: any(trap.sprung(DIE) for trap in traps.values()), NEVER, "somebody comes to the point")
        there = [name for name, trap in traps.items() if trap.sprung(DIE)]
        victims = [self._identity(name) for name in there]
        for victim in victims:
            assert victim is not None, f"{there} are gone already"
            send(victim, signal.SIGKILL)
        for trap in traps.values():
            trap.clear(DIE)

    async def _end(self, name: str) -> None:
        victim = self._identity(name)
        if victim is None:
            return
        send(victim, signal.SIGKILL)
        await until(lambda: not alive(victim), REACHED_SECONDS, f"{name} is dead")

    def _identity(self, name: str) -> Identity | None:
        state = load(self._home)
        return state.children.get(name) if state else None

    @contextmanager
    def _traps(self, names: Sequence[str]) -> Iterator[dict[str, Trap]]:
        traps = {name: Trap(self._folder, name) for name in names}
        try:
            yield traps
        finally:
            for trap in traps.values():
                trap.clear(DIE)
                trap.clear(HOLD)
