"""Limits: of a message, of metadata, of calls at the same time, of patience with a client that sends nothing."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthStub

from tests.conformance import contract
from tests.conformance.conftest import Start
from tests.conformance.running import CALL_SECONDS, Answer, Running, Stub, answer, eventually

Code = grpc.StatusCode
Echo = contract.message("EchoRequest")
Wait = contract.message("WaitRequest")
Follow = contract.message("FollowRequest")


async def test_a_message_of_the_limit_passes_and_one_beyond_does_not(eco: Any) -> None:
    room = 100_000 - Echo(padding=bytes(90_000)).ByteSize() + 90_000
    assert (await eco.Awaited(Echo(padding=bytes(room)), timeout=CALL_SECONDS)).padding == bytes(room)
    told = await eco.refused("Awaited", Echo(padding=bytes(room + 1)))
    assert told.code is Code.RESOURCE_EXHAUSTED


async def test_a_compressed_bomb_is_refused_before_it_unfolds(shared: Running, eco: Any) -> None:
    before = shared.rss()
    for _ in range(5):
        bomb = Echo(padding=bytes(80_000_000))
        told = await eco.refused("Awaited", bomb, compression=grpc.Compression.Gzip)
        assert told.code is Code.RESOURCE_EXHAUSTED
    assert shared.rss() - before < 20_000_000


async def test_a_compressed_message_within_the_limit_is_read(eco: Any) -> None:
    request = Echo(padding=bytes(50_000))
    found = await eco.Awaited(request, compression=grpc.Compression.Gzip, timeout=CALL_SECONDS)
    assert found.padding == request.padding


@pytest.mark.parametrize("size", [50_000, 1_000_000])
async def test_huge_metadata_is_refused_and_hurts_nobody(shared: Running, eco: Any, size: int) -> None:
    async with shared.channel() as channel:
        told = await Stub(channel).refused("Awaited", Echo(), metadata=(("x-grande", "x" * size),))
        assert told.code in (Code.RESOURCE_EXHAUSTED, Code.INTERNAL, Code.UNAVAILABLE)
    assert (await eco.Plain(Echo(text="vivo"), timeout=CALL_SECONDS)).text == "vivo"


async def test_beyond_the_limit_of_calls_one_is_told_to_come_back_and_health_is_not_touched(start: Start) -> None:
    running = start(max_concurrent_rpcs=4).ready()
    async with running.channel() as channel:
        stub: Any = Stub(channel)
        calls = [stub.refused("Wait", Wait(seconds=1)) for _ in range(12)]
        refused = [each for each in await asyncio.gather(*calls, return_exceptions=True) if isinstance(each, Answer)]
        assert len(refused) == 8
        assert {(each.code, each.info.reason) for each in refused} == {(Code.RESOURCE_EXHAUSTED, "LIMITE_EXCEDIDO")}
        assert all(each.retry.retry_delay.ToMilliseconds() > 0 for each in refused)
        full = [asyncio.ensure_future(stub.refused("Wait", Wait(seconds=1))) for _ in range(12)]
        await asyncio.wait(full, return_when=asyncio.FIRST_COMPLETED)  # the first to be refused: the house is full
        health = await HealthStub(channel).Check(HealthCheckRequest(service="eco.bem"), timeout=CALL_SECONDS)
        assert health.status == HealthCheckResponse.SERVING
        await asyncio.gather(*full, return_exceptions=True)
        assert (await stub.Plain(Echo(text="de volta"), timeout=CALL_SECONDS)).text == "de volta"


async def test_streams_are_counted_apart_from_calls(start: Start) -> None:
    running = start(max_concurrent_rpcs=4).ready()
    async with running.channel() as channel:
        stub: Any = Stub(channel)
        follows = [stub.Follow(Follow(pause=60), timeout=CALL_SECONDS) for _ in range(4)]
        for follow in follows:
            await follow.read()
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await stub.Follow(Follow(pause=60), timeout=CALL_SECONDS).read()
        assert answer(refused.value).info.reason == "LIMITE_EXCEDIDO"
        assert (await stub.Awaited(Echo(text="passa"), timeout=CALL_SECONDS)).text == "passa"
        follows[0].cancel()
        await eventually(lambda: _runs(stub, 3), 2.0, "one stream ended")
        assert (await stub.Follow(Follow(pause=60), timeout=CALL_SECONDS).read()).number == 1


@pytest.mark.parametrize("method", ["Awaited", "Plain", "Ready", "Follow"])
async def test_a_call_without_a_message_is_answered(shared: Running, method: str) -> None:
    async with shared.channel() as channel:
        call: Any = channel.stream_stream(f"/{contract.SERVICE}/{method}")(iter(()), timeout=CALL_SECONDS)
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await call.read()
    assert answer(refused.value).info.reason == "REQUISICAO_INVALIDA"


async def test_a_client_that_never_sends_its_message_runs_out_of_time(start: Start) -> None:
    running = start(default_deadline_seconds=0.3).ready()

    async def silence() -> AsyncIterator[bytes]:
        await asyncio.sleep(60)
        yield b""

    async with running.channel() as channel:
        begin = time.monotonic()
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await channel.stream_unary(f"/{contract.SERVICE}/Plain")(silence())
    assert answer(refused.value).info.reason == "PRAZO_ESGOTADO"
    assert time.monotonic() - begin < 2.0


async def _runs(stub: Any, count: int) -> bool:
    return bool((await stub.state()).running == count)
