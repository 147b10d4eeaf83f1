"""SIGTERM and SIGINT: no call lost, nobody waited for longer than said, exit code 0."""

import asyncio
import signal
import time
from typing import Any

import grpc
import pytest

from tests.conformance import contract
from tests.conformance.conftest import Start
from tests.conformance.running import CALL_SECONDS, Stub, answer, eventually

Echo = contract.message("EchoRequest")
Wait = contract.message("WaitRequest")
Follow = contract.message("FollowRequest")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_call_under_way_is_answered_and_the_exit_code_is_0(start: Start, number: signal.Signals) -> None:
    running = start(drain_seconds=0.2, grace_seconds=5).ready()
    async with running.channel() as channel:
        stub: Any = Stub(channel)
        call = stub.Wait(Wait(seconds=0.8), timeout=CALL_SECONDS)
        await eventually(lambda: _runs(stub, 1), 3.0, "it runs")
        running.signal(number)
        assert (await call).text == "esperei"
    assert running.exit_code() == 0
    assert [each["event"] for each in running.records()][-2:] == ["draining", "stopped"]


async def test_no_call_is_lost_when_one_of_two_servers_drains(start: Start) -> None:
    stays, goes = start().ready(), start(drain_seconds=0.3).ready()
    # A client must heed health, as Envoy does: grpc cancels calls that come after its stop() began.
    heed = '{"loadBalancingConfig": [{"round_robin": {}}], "healthCheckConfig": {"serviceName": "eco.bem"}}'
    policy = ("grpc.service_config", heed)
    target = f"ipv4:{stays.target},{goes.target}"
    async with grpc.aio.insecure_channel(target, [policy, ("grpc.enable_retries", 0)]) as channel:
        stub: Any = Stub(channel)
        answered = 0

        async def client() -> None:
            nonlocal answered
            while goes.process.poll() is None:
                assert (await stub.Awaited(Echo(text="x"), timeout=CALL_SECONDS)).text == "x"
                answered += 1

        clients = [asyncio.create_task(client()) for _ in range(8)]
        await asyncio.sleep(0.3)
        before = answered
        goes.signal(signal.SIGTERM)
        await asyncio.gather(*clients)  # one lost call fails the test
    assert goes.exit_code() == 0
    assert answered > before > 20


async def test_the_grace_period_is_the_longest_wait(start: Start) -> None:
    running = start(drain_seconds=0, grace_seconds=0.5).ready()
    async with running.channel() as channel:
        stub: Any = Stub(channel)
        call = stub.Wait(Wait(seconds=30), timeout=30)
        await eventually(lambda: _runs(stub, 1), 3.0, "it runs")
        begin = time.monotonic()
        running.signal(signal.SIGTERM)
        with pytest.raises(grpc.aio.AioRpcError):
            await call
    assert running.exit_code() == 0
    assert time.monotonic() - begin < 3.0


async def test_a_second_signal_hurries_it(start: Start) -> None:
    running = start(drain_seconds=30, grace_seconds=30).ready()
    async with running.channel() as channel:
        stub: Any = Stub(channel)
        call = stub.Wait(Wait(seconds=30), timeout=30)
        await eventually(lambda: _runs(stub, 1), 3.0, "it runs")
        begin = time.monotonic()
        running.signal(signal.SIGTERM)
        await eventually(lambda: _logged(running, "draining"), 3.0, "it drains")
        running.signal(signal.SIGTERM)
        with pytest.raises(grpc.aio.AioRpcError):
            await call
    assert running.exit_code() == 0
    assert time.monotonic() - begin < 5.0


async def test_followers_of_a_stream_are_sent_elsewhere_at_once(start: Start) -> None:
    running = start(drain_seconds=0.1, grace_seconds=30).ready()
    async with running.channel() as channel:
        stub: Any = Stub(channel)
        call = stub.Follow(Follow(pause=60), timeout=60)
        await call.read()
        begin = time.monotonic()
        running.signal(signal.SIGTERM)
        with pytest.raises(grpc.aio.AioRpcError) as ended:
            await call.read()
    told = answer(ended.value)
    assert (told.code, told.info.reason) == (grpc.StatusCode.UNAVAILABLE, "SERVICO_INDISPONIVEL")
    assert running.exit_code() == 0
    assert time.monotonic() - begin < 3.0


async def _runs(stub: Any, count: int) -> bool:
    return bool((await stub.state()).running == count)


async def _logged(running: Any, event: str) -> bool:
    return bool(running.events(event))
