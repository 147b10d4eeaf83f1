"""grpc.health.v1: what the probes found, at once, and only what they found."""

import asyncio
import signal
import time
from typing import Any

import grpc
import pytest
from grpc_health.v1.health_pb2 import HealthCheckRequest as Ask
from grpc_health.v1.health_pb2 import HealthCheckResponse as Told
from grpc_health.v1.health_pb2 import HealthListRequest
from grpc_health.v1.health_pb2_grpc import HealthStub

from tests.conformance.conftest import Start
from tests.conformance.running import CALL_SECONDS, Running, answer, eventually


async def _check(stub: Any, name: str) -> int:
    return int((await stub.Check(Ask(service=name), timeout=CALL_SECONDS)).status)


async def test_every_name_serves_and_so_does_the_process(shared: Running) -> None:
    async with shared.channel() as channel:
        stub = HealthStub(channel)
        assert [await _check(stub, name) for name in ("eco.bem", "eco.arquivo", "")] == [Told.SERVING] * 3
        listed = await stub.List(HealthListRequest(), timeout=CALL_SECONDS)
    assert set(listed.statuses) == {"", "eco.bem", "eco.arquivo", "eco.trava"}


async def test_an_unknown_name_is_not_found(shared: Running) -> None:
    async with shared.channel() as channel:
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await _check(HealthStub(channel), "nada")
    assert refused.value.code() is grpc.StatusCode.NOT_FOUND
    assert answer(refused.value).info.domain == "eco.teste"


async def test_a_sick_part_shows_and_a_watcher_sees_it_come_and_go(start: Start, tmp_path: Any) -> None:
    sick = tmp_path / "sick"
    running = start(sick_file=sick).ready()
    async with running.channel() as channel:
        stub = HealthStub(channel)
        await eventually(lambda: _is(stub, "eco.arquivo", Told.SERVING), 2.0, "it serves")
        watch, unknown = (stub.Watch(Ask(service=name), timeout=CALL_SECONDS) for name in ("eco.arquivo", "nada"))
        assert (await watch.read()).status == Told.SERVING
        assert (await unknown.read()).status == Told.SERVICE_UNKNOWN
        sick.write_text("sem banco")
        assert (await watch.read()).status == Told.NOT_SERVING
        assert [await _check(stub, name) for name in ("eco.bem", "eco.arquivo", "")] == [1, 2, 2]
        sick.unlink()
        assert (await watch.read()).status == Told.SERVING
        watch.cancel()
        unknown.cancel()
    changes = [each for each in running.records() if each.get("name") == "eco.arquivo"]
    assert [each.get("why") for each in changes] == [None, "sem banco", None]


async def test_a_probe_that_hangs_hurts_only_its_own_name(start: Start) -> None:
    running = start(hang=1).ready()
    async with running.channel() as channel:
        stub = HealthStub(channel)
        await eventually(lambda: _is(stub, "eco.bem", Told.SERVING), 2.0, "the other serves")
        for name in ("eco.trava", ""):
            assert await _check(stub, name) == Told.NOT_SERVING
        begin = time.monotonic()
        for _ in range(50):
            await _check(stub, "eco.trava")  # a Check never waits for a probe
        assert time.monotonic() - begin < 1.0
    running.signal(signal.SIGTERM)
    assert running.exit_code() == 0


async def test_after_sigterm_nothing_serves_for_good_and_watchers_are_told(start: Start) -> None:
    running = start(drain_seconds=1.0).ready()
    async with running.channel() as channel:
        stub = HealthStub(channel)
        await eventually(lambda: _is(stub, "eco.bem", Told.SERVING), 2.0, "it serves")
        watch = stub.Watch(Ask(service="eco.bem"), timeout=CALL_SECONDS)
        assert (await watch.read()).status == Told.SERVING
        running.signal(signal.SIGTERM)
        assert (await watch.read()).status == Told.NOT_SERVING
        statuses = set()
        for _ in range(10):
            statuses.add(await _check(stub, "eco.bem"))
            await asyncio.sleep(0.03)
        assert statuses == {Told.NOT_SERVING}
        with pytest.raises(grpc.aio.AioRpcError) as ended:
            await watch.read()
        assert ended.value.code() is grpc.StatusCode.UNAVAILABLE
    assert running.exit_code() == 0


async def _is(stub: Any, name: str, status: int) -> bool:
    return await _check(stub, name) == status
