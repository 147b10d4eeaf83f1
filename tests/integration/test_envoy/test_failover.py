"""Instances that die, hang, come and go, under load: who reads notices nothing, who writes is never doubled."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import grpc
import httpx

from tests.integration.test_envoy.bench import CATALOGO, Bench, call, eventually, wait_until

CARRINHO = "/confeitaria.carrinho.v1.CarrinhoService/"


@dataclass
class Load:
    """What a few clients met."""

    answers: int = 0
    by: set[str] = field(default_factory=set)
    failures: list[str] = field(default_factory=list)
    worst: float = 0.0  # seconds

    def note(self, seconds: float, by: str, failure: str) -> None:
        self.answers += 1
        self.worst = max(self.worst, seconds)
        if failure:
            self.failures.append(failure)
        else:
            self.by.add(by)

    async def until(self, count: int) -> None:
        """Waits for this many more answers."""
        goal = self.answers + count

        async def reached() -> bool:
            return self.answers >= goal

        await eventually(reached, 20)


@asynccontextmanager
async def load(bench: Bench, rpc: str, rest: str | None = None) -> AsyncIterator[Load]:
    """Four gRPC clients, and with `rest` two REST clients, one call after another each."""
    found, stop = Load(), asyncio.Event()

    async def client(ask: Callable[[], Awaitable[tuple[str, str]]]) -> None:
        while not stop.is_set():
            begun = time.monotonic()
            by, failure = await ask()
            found.note(time.monotonic() - begun, by, failure)
            await asyncio.sleep(0.005)

    async with (
        httpx.AsyncClient(base_url=bench.edge, timeout=10) as http,
        grpc.aio.insecure_channel(str(bench.ports.edge)) as channel,
        asyncio.TaskGroup() as tasks,
    ):

        async def by_grpc() -> tuple[str, str]:
            answer = await call(channel, rpc)
            return answer.by, "" if answer.code is grpc.StatusCode.OK else f"{answer.code.name} {answer.reason}"

        async def by_rest() -> tuple[str, str]:
            answer = await http.get(rest or "")
            return (answer.json().get("nome", ""), "") if answer.is_success else ("", answer.text)

        for ask in [by_grpc] * 4 + [by_rest] * (2 if rest else 0):
            tasks.create_task(client(ask))
        try:
            await found.until(50)
            yield found
        finally:
            stop.set()


async def test_killing_the_first_reader_costs_no_read(own_bench: Callable[..., Bench]) -> None:
    bench = await asyncio.to_thread(own_bench, catalogo=2)
    first = bench.services["catalogo"][0]
    async with load(bench, CATALOGO + "ObterProduto", rest="/api/produtos/1") as found:
        assert found.by == {"catalogo-1"}
        first.kill()
        await found.until(200)
        assert found.by == {"catalogo-1", "catalogo-2"}
        first.start()
        await asyncio.to_thread(wait_until, lambda: bench.healthy("catalogo_leitura") == 2, 10, "it is back")
        found.by.clear()
        await found.until(100)
        assert "catalogo-1" in found.by
    assert not found.failures
    assert found.worst < 0.3, "seconds"


async def test_a_reader_that_hangs_costs_a_moment_and_no_read(own_bench: Callable[..., Bench]) -> None:
    bench = await asyncio.to_thread(own_bench, catalogo=2)
    first = bench.services["catalogo"][0]
    async with load(bench, CATALOGO + "ObterProduto", rest="/api/produtos/1") as found:
        first.signal(signal.SIGSTOP)
        await found.until(200)
        first.signal(signal.SIGCONT)
        await found.until(50)
    assert not found.failures
    assert found.worst < 0.8, "seconds: a try lasts 0.3, the rest is this machine"


async def test_one_of_two_carts_dies_and_comes_back_unnoticed(own_bench: Callable[..., Bench]) -> None:
    bench = await asyncio.to_thread(own_bench, carrinho=2)
    first = bench.services["carrinho"][0]
    for rpc in ("ObterCarrinho", "RemoverItem"):  # a read, and a change that may be repeated
        async with load(bench, CARRINHO + rpc) as found:
            assert found.by == {"carrinho-1", "carrinho-2"}
            first.kill()
            await found.until(100)
            first.start()
            await asyncio.to_thread(wait_until, lambda: bench.healthy("carrinho") == 2, 10, "it is back")
        assert not found.failures


async def test_instances_come_and_go_without_a_restart_or_a_lost_call(own_bench: Callable[..., Bench]) -> None:
    bench = await asyncio.to_thread(own_bench)
    started = bench.stat("server.hot_restart_epoch"), bench.stat("server.uptime")
    async with load(bench, CARRINHO + "AdicionarItem") as found:
        bench.add("carrinho")
        bench.write_endpoints()
        await asyncio.to_thread(wait_until, lambda: bench.healthy("carrinho") == 2, 10, "Envoy knows the second")
        await found.until(50)
        assert found.by == {"carrinho-1", "carrinho-2"}
        gone = bench.services["carrinho"].pop(0)
        bench.write_endpoints()
        await asyncio.to_thread(wait_until, lambda: bench.stat("cluster.carrinho.membership_total") == 1, 5, "one left")
        gone.signal(signal.SIGTERM)
        await asyncio.to_thread(gone.process.wait, 10)
        await found.until(100)
    assert not found.failures, "writes, which are not repeated"
    assert bench.stat("server.uptime") >= started[1]


async def test_a_read_is_tried_elsewhere_and_a_write_is_not(own_bench: Callable[..., Bench]) -> None:
    bench = await asyncio.to_thread(own_bench, catalogo=2, carrinho=2)
    async with grpc.aio.insecure_channel(str(bench.ports.edge)) as edge:
        fails = "status=UNAVAILABLE,only=catalogo-1"
        assert (await call(edge, CATALOGO + "ObterProduto", do=fails)).by == "catalogo-2"
        assert (await call(edge, CATALOGO + "CriarProduto", do=fails)).code is grpc.StatusCode.UNAVAILABLE
        hangs = await call(edge, CATALOGO + "ObterProduto", do="sleep=3,only=catalogo-1")
        assert hangs.by == "catalogo-2"
        for _ in range(20):  # whichever comes first
            for rpc in ("ObterCarrinho", "AtualizarItem"):
                answer = await call(edge, CARRINHO + rpc, do="status=UNAVAILABLE,only=carrinho-1")
                assert answer.by == "carrinho-2"
    writer = bench.services["catalogo"][0]
    assert writer.calls(CATALOGO + "CriarProduto") == 1


async def test_error_answers_never_talk_the_only_writer_out_of_service(own_bench: Callable[..., Bench]) -> None:
    bench = await asyncio.to_thread(own_bench, catalogo=2)
    async with grpc.aio.insecure_channel(str(bench.ports.edge)) as edge:
        for code in ("UNAVAILABLE", "DEADLINE_EXCEEDED", "UNKNOWN", "INTERNAL", "UNIMPLEMENTED"):
            for _ in range(8):
                await call(edge, CATALOGO + "CriarProduto", do=f"status={code}")
            assert (await call(edge, CATALOGO + "CriarProduto")).by == "catalogo-1"
    assert bench.stat("cluster.catalogo_escrita.outlier_detection.ejections_enforced_total") == 0


async def test_more_calls_than_a_service_is_given_are_refused_at_once(own_bench: Callable[..., Bench]) -> None:
    bench = await asyncio.to_thread(own_bench)
    channels = [grpc.aio.insecure_channel(str(bench.ports.mesh), [("x", number)]) for number in range(2)]
    calls = [
        asyncio.ensure_future(call(channels[number % 2], CARRINHO + "AdicionarItem", do="sleep=1.5"))
        for number in range(1100)
    ]
    answers = await asyncio.gather(*calls)
    for channel in channels:
        await channel.close()
    refused = [each for each in answers if each.code is not grpc.StatusCode.OK]
    assert 0 < len(refused) <= 1100 - 512  # 1,024 may be under way, but only 512 wait for a connection to be made
    assert {(each.code, each.reason) for each in refused} == {(grpc.StatusCode.RESOURCE_EXHAUSTED, "LIMITE_EXCEDIDO")}
