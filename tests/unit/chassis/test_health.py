"""The logic of health, without a server."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from grpc_health.v1.health_pb2 import HealthCheckRequest as Ask
from grpc_health.v1.health_pb2 import HealthCheckResponse as Told

from chassis.health import Health, Probe, UnknownName

QUICK = {"interval": 0.01, "timeout": 0.05}


class Patient:
    """A probe one may make ill."""

    def __init__(self) -> None:
        self.why: str | None = None
        self.asked = asyncio.Event()

    async def __call__(self) -> str | None:
        self.asked.set()
        return self.why


@asynccontextmanager
async def started(**probes: Probe) -> AsyncIterator[Health]:
    health = Health(probes, **QUICK)
    health.start()
    yield health
    await health.close()


async def becomes(health: Health, name: str, serving: bool) -> None:  # noqa: FBT001
    async with asyncio.timeout(2):
        async for raw in health.Watch(Ask(service=name), None):
            if (Told.FromString(raw).status == Told.SERVING) is serving:
                return


async def test_nothing_serves_before_its_probe_has_said_so() -> None:
    health = Health({"a": Patient()}, **QUICK)
    assert not health.serving("a")
    assert not health.serving("")


async def test_a_process_without_probes_serves() -> None:
    assert Health({}).serving("")


async def test_all_serve_when_each_does() -> None:
    one, two = Patient(), Patient()
    async with started(one=one, two=two) as health:
        await becomes(health, "", serving=True)
        two.why = "doente"
        await becomes(health, "two", serving=False)
        assert health.serving("one")
        assert not health.serving("")
        two.why = None
        await becomes(health, "", serving=True)


async def test_a_probe_that_raises_is_ill_and_is_asked_again() -> None:
    times = 0

    async def fails_once() -> str | None:
        nonlocal times
        times += 1
        if times == 1:
            raise OSError("sem rede")
        return None

    async with started(a=fails_once) as health:
        await becomes(health, "a", serving=True)
    assert times > 1


@pytest.mark.parametrize("stubborn", [False, True])
async def test_a_probe_that_hangs_hurts_its_own_name_alone(stubborn: bool) -> None:  # noqa: FBT001
    release = asyncio.Event()
    well = Patient()

    async def hangs() -> str | None:
        while not release.is_set():
            try:
                await release.wait()
            except asyncio.CancelledError:
                if not stubborn:
                    raise
        return None

    async with started(well=well, hangs=hangs) as health:
        await becomes(health, "well", serving=True)
        well.asked.clear()
        await asyncio.wait_for(well.asked.wait(), 1)
        assert not health.serving("hangs")
        release.set()
        await becomes(health, "hangs", serving=True)


async def test_draining_is_for_good() -> None:
    async with started(a=Patient()) as health:
        await becomes(health, "a", serving=True)
        health.drain()
        for _ in range(5):
            await asyncio.sleep(0.01)  # probes go on
            assert not health.serving("a")
        with pytest.raises(UnknownName):
            health.Check(Ask(service="b"), None)


async def test_a_watcher_of_an_unknown_name_is_told_and_waits() -> None:
    async with started(a=Patient()) as health:
        watch = health.Watch(Ask(service="b"), None)
        assert Told.FromString(await anext(watch)).status == Told.SERVICE_UNKNOWN
        waiting = asyncio.ensure_future(anext(watch))
        await becomes(health, "a", serving=True)
        assert not waiting.done()
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
