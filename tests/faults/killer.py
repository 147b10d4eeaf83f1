"""Kills parts of a running mesh with SIGKILL at random moments; a seed replays which and roughly when."""

from __future__ import annotations

import asyncio
import random
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from stack.home import Home
from stack.processes import Identity, alive, send
from stack.state import load
from tests.conftest import Mesh

# The two that decide are hit twice as often as the others.
ROUND = (
    *("pedidos-1", "catalogo-1") * 2,
    *("valkey", "postgres-catalogo-1", "postgres-pedidos", "carrinho-1"),
)
PARTS = tuple(dict.fromkeys(ROUND))
BACK_SECONDS = (
    60.0  # for a dead part to run again and for customers to be served: far beyond any promise, for a slow machine
)
SPREAD = 0.6  # seconds of chance between being served again and the next kill


@dataclass(slots=True)
class Kill:
    """`back`: seconds until a purchase that began after it was acknowledged."""

    part: str
    at: float
    back: float = 0.0


class NotBack(Exception):  # noqa: N818  named after what happened
    """The mesh did not recover; the message says from what."""


def victims(rng: random.Random) -> Iterator[str]:
    """Without end, every part in every round, never in a known order."""
    while True:
        parts = list(ROUND)
        rng.shuffle(parts)
        yield from parts


class Killer:
    """`served(moment)`: purchases that began after that moment and were acknowledged."""

    def __init__(self, mesh: Mesh, served: Callable[[float], int], seed: int) -> None:
        self.kills: list[Kill] = []
        self._home = Home(mesh.folder, mesh.offset)
        self._served = served
        self._rng = random.Random(seed)

    async def run(self, count: int, progress: Callable[[Kill], None]) -> None:
        """Kills `count` times, each time under load: after customers were served since the kill before."""
        await self._until(lambda: self._served(0.0) >= 10, "customers are served before the first kill")
        for _, part in zip(range(count), victims(self._rng), strict=False):
            await asyncio.sleep(self._rng.uniform(0, SPREAD))  # the random moment
            kill = await self._kill(part)
            await self._until(lambda kill=kill: self._served(kill.at) >= 3, f"customers are served after {part} died")  # type: ignore[misc]
            kill.back = time.monotonic() - kill.at
            progress(kill)

    async def _kill(self, part: str) -> Kill:
        victim = await self._find(part)
        send(victim, signal.SIGKILL)
        kill = Kill(part, time.monotonic())
        self.kills.append(kill)
        await self._until(lambda: not alive(victim), f"{part} is dead")
        return kill

    async def _find(self, part: str) -> Identity:
        await self._until(lambda: self._identity(part) is not None, f"{part} runs")
        identity = self._identity(part)
        if identity is None:
            return await self._find(part)
        return identity

    def _identity(self, part: str) -> Identity | None:
        state = load(self._home)
        identity = state.children.get(part) if state else None
        return identity if identity and alive(identity) else None

    async def _until(self, condition: Callable[[], bool], what: str) -> None:
        await until(condition, BACK_SECONDS, what)


async def until(condition: Callable[[], bool], seconds: float, what: str) -> None:
    """Looks every few milliseconds. NotBack when the time is over."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise NotBack(f"not within {seconds:.0f} s: {what}")
        await asyncio.sleep(0.02)
