"""Relays, followers and their servers at their worst: late commits, frozen processes, a Valkey that dies or hangs."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, aclosing, asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path

import psycopg2
import pytest
import redis
from confeitaria.pedidos.v1 import pedidos_pb2 as pb

from chassis.postgres import Postgres
from pedidos.domain import Evento, ServicoIndisponivel, StatusPedido
from pedidos.repository import PedidosPostgres, transactions
from pedidos.repository.eventos import CONGELADO, SaidaPostgres
from pedidos.repository.eventos_valkey import STREAM, JornalValkey
from pedidos.use_cases.acompanhamento import Acompanhamento, Ritmo
from pedidos.use_cases.relay import Relay
from tests.integration.test_carrinho.conftest import Servidor
from tests.integration.test_pedidos.conftest import Database, compras_of
from tests.integration.test_pedidos.correio import Correio, all_after, once_in_order
from tests.integration.test_pedidos.running import SECONDS, Vizinhos, eventually, instance, settings_of

KEPT = 100_000  # events
FROZEN = 0.3  # seconds after which a relay that freezes here loses its lock
S = StatusPedido


@pytest.fixture
def valkey(tmp_path: Path) -> Iterator[Servidor]:
    """One that the test may kill and pause."""
    servidor = Servidor(tmp_path)
    servidor.start()
    yield servidor
    servidor.resume()
    servidor.kill()


@dataclass
class Instancia(Correio):
    """What one process has: its own connections, its own relay, its own followers."""

    relay_loop: Relay
    acompanhamento: Acompanhamento


@asynccontextmanager
async def opened(
    database: Database, valkey: Servidor, ritmo: Ritmo | None = None, congelado: float = CONGELADO
) -> AsyncIterator[Instancia]:
    work, outbox = (Postgres(database.url, application_name="teste", pool_size=n) for n in (4, 1))
    jornal = JornalValkey(valkey.url, nome="teste", tamanho=KEPT)
    saida = SaidaPostgres(transactions(outbox), congelado=congelado)
    pedidos = PedidosPostgres(transactions(work))

    def unsent() -> int:
        count: int = database.execute("SELECT count(*) FROM eventos_saida WHERE enviado_em IS NULL")[0][0]
        return count

    instancia = Instancia(
        compras_of(work), pedidos, saida, saida, jornal, jornal, unsent, lambda: 0, lambda _: None,
        Relay(saida, jornal, manter=3600), Acompanhamento(pedidos, jornal, limite=100, ritmo=ritmo),
    )  # fmt: skip
    yield instancia
    await instancia.acompanhamento.parar()
    await asyncio.gather(work.close(), outbox.close())
    await jornal.close()


@pytest.fixture
async def um(database: Database, valkey: Servidor) -> AsyncIterator[Instancia]:
    async with opened(database, valkey) as instancia:
        yield instancia


@pytest.fixture
async def outro(database: Database, valkey: Servidor) -> AsyncIterator[Instancia]:
    async with opened(database, valkey) as instancia:
        yield instancia


@asynccontextmanager
async def relaying(*instancias: Instancia) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(instancia.relay_loop.run()) for instancia in instancias]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def test_commit_that_becomes_visible_late_is_not_skipped(database: Database, um: Instancia) -> None:
    """Its number was drawn before that of an event which has left already."""
    atrasado = await um.comprar()
    with closing(psycopg2.connect(database.superuser_url)) as late, late.cursor() as cursor:
        cursor.execute(
            "INSERT INTO eventos_saida (pedido_id, seq, tipo, corpo) VALUES (%s, 3, 'status_alterado', '{}')",
            [atrasado],
        )
        rapido = await um.comprar()
        await um.relay()
        assert once_in_order(await um.lidos()) == {atrasado: [1, 2], rapido: [1, 2]}
        late.commit()
    await um.relay()
    eventos = await um.lidos()
    assert once_in_order(eventos) == {atrasado: [1, 2, 3], rapido: [1, 2]}
    assert eventos[-1].evento_id == f"{atrasado}:3"


@pytest.mark.parametrize("when", ["before", "after"])
async def test_relay_that_froze_and_wakes_after_another_took_over_only_repeats(
    database: Database, valkey: Servidor, outro: Instancia, when: str
) -> None:
    """SIGSTOP with the lock in its hand, before or after it published: the server takes the lock away."""
    async with opened(database, valkey, congelado=FROZEN) as um:
        pedido_id = await um.comprar()
        frozen, wake = threading.Event(), threading.Event()

        def freeze(eventos: Sequence[Evento]) -> None:
            if when == "after":
                um.jornal.publicar(eventos)
            frozen.set()
            assert wake.wait(SECONDS)
            if when == "before":
                um.jornal.publicar(eventos)

        held = asyncio.create_task(um.saida.passar(500, freeze))
        assert await asyncio.to_thread(frozen.wait, SECONDS)
        await um.entregar(pedido_id)
        async with asyncio.timeout(SECONDS):
            while um.unsent():
                await outro.saida.passar(500, outro.jornal.publicar)
        wake.set()
        with pytest.raises(ServicoIndisponivel):
            await held
        eventos = await um.lidos()
        assert sorted(evento.seq for evento in eventos) == [1, 1, 2, 2, 3, 4, 5]
        assert once_in_order(eventos) == {pedido_id: [1, 2, 3, 4, 5]}
        await um.relay()
        assert len(await um.lidos()) == 7  # the one that woke up works on as if nothing had been


async def test_several_relays_at_once_and_a_valkey_that_is_killed_lose_nothing(
    um: Instancia, outro: Instancia, valkey: Servidor
) -> None:
    pedidos: list[str] = []

    async def customer(instancia: Instancia) -> None:
        for _ in range(10):
            pedidos.append(await instancia.comprar())
            await instancia.entregar(pedidos[-1])
            instancia.relay_loop.acordar()

    async with relaying(um, outro, outro):
        shopping = asyncio.gather(*(customer(instancia) for instancia in (um, outro, um, outro)))
        for orders in (8, 20, 32):
            await eventually(lambda orders=orders: len(pedidos) >= orders)  # type: ignore[misc]
            valkey.kill()
            await asyncio.sleep(0.05)  # the orders go on
            valkey.start()
        await shopping
        await eventually(lambda: um.unsent() == 0)
    eventos = await um.lidos()
    assert len(pedidos) == 40
    assert once_in_order(eventos) == {pedido_id: [1, 2, 3, 4, 5] for pedido_id in pedidos}


async def test_hanging_valkey_is_left_in_bounded_time_and_holds_up_no_order(um: Instancia, valkey: Servidor) -> None:
    await um.relay()
    valkey.pause()
    pedido_id = await um.comprar()
    begun = time.monotonic()
    with pytest.raises(ServicoIndisponivel):
        await um.saida.passar(500, um.jornal.publicar)
    assert time.monotonic() - begun < SECONDS
    async with relaying(um):
        await um.entregar(pedido_id)
        outra = await um.comprar()
        valkey.resume()
        await eventually(lambda: um.unsent() == 0)
    # What was sent into the silence may have been heard, more than once.
    assert once_in_order(await um.lidos()) == {pedido_id: [1, 2, 3, 4, 5], outra: [1, 2]}


async def test_full_valkey_takes_a_batch_whole_or_not_at_all(um: Instancia, valkey: Servidor) -> None:
    with redis.Redis.from_url(valkey.url) as admin:
        pedido_id = await um.comprar()
        admin.config_set("maxmemory", "1")
        with pytest.raises(ServicoIndisponivel):
            await um.relay()
        assert (await um.lidos(), um.unsent()) == ([], 2)
        admin.config_set("maxmemory", "0")
        await um.relay()
    assert once_in_order(await um.lidos()) == {pedido_id: [1, 2]}


async def test_other_thing_under_the_name_of_the_stream_loses_no_event(um: Instancia, valkey: Servidor) -> None:
    with redis.Redis.from_url(valkey.url) as admin:
        admin.set(STREAM, "o quê?")
        pedido_id = await um.comprar()
        with pytest.raises(ServicoIndisponivel):
            await um.relay()
        admin.delete(STREAM)
        await um.relay()
    assert once_in_order(await um.lidos()) == {pedido_id: [1, 2]}


async def test_lost_database_connection_between_publishing_and_marking_is_a_repetition(
    database: Database, um: Instancia
) -> None:
    pedido_id = await um.comprar()

    def and_lose(eventos: Sequence[Evento]) -> None:
        um.jornal.publicar(eventos)
        database.execute("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'")

    with pytest.raises(ServicoIndisponivel):
        await um.saida.passar(500, and_lose)
    await um.relay()
    eventos = await um.lidos()
    assert [evento.seq for evento in eventos] == [1, 2, 1, 2]
    assert once_in_order(eventos) == {pedido_id: [1, 2]}


async def test_relay_asks_for_unsent_events_by_their_own_index(database: Database, um: Instancia) -> None:
    """Cheap also when an hour of sent events lies beside them."""
    pedido_id = await um.comprar()
    database.execute(
        """INSERT INTO eventos_saida (pedido_id, seq, tipo, corpo, enviado_em)
           SELECT %s, n, 'status_alterado', '{}', now() FROM generate_series(3, 20000) AS n""",
        pedido_id,
    )
    database.execute("ANALYZE eventos_saida")
    plan = database.execute(
        "EXPLAIN SELECT id FROM eventos_saida WHERE enviado_em IS NULL ORDER BY id LIMIT 500",
    )
    assert "eventos_a_enviar" in str(plan)


QUIETLY = Ritmo(intervalo=0.05, calma=SECONDS * 10)  # seconds: once the stream is trusted the database is not asked


async def following(instancia: Instancia, pedido_id: str) -> "AsyncIterator[StatusPedido]":
    async with aclosing(instancia.acompanhamento.acompanhar(pedido_id)) as stream:
        async for situacao in stream:
            yield situacao.status


async def soon(coroutine: "AsyncIterator[StatusPedido]") -> StatusPedido:
    return await asyncio.wait_for(anext(coroutine), SECONDS)


async def trusting(*instancias: Instancia) -> None:
    for instancia in instancias:
        acompanhamento = instancia.acompanhamento
        await eventually(lambda a=acompanhamento: a._confiavel < a._certo)  # type: ignore[misc]


async def test_followers_are_told_by_the_stream_of_what_another_instance_changed(
    database: Database, valkey: Servidor
) -> None:
    async with AsyncExitStack() as stack:
        um, outro = [await stack.enter_async_context(opened(database, valkey, QUIETLY)) for _ in range(2)]
        pedido_id = await um.comprar()
        streams = [following(um, pedido_id), following(outro, pedido_id)]
        assert [await soon(stream) for stream in streams] == [S.CONFIRMADO] * 2
        await trusting(um, outro)
        await stack.enter_async_context(relaying(um))
        for status in (S.EM_PREPARO, S.PRONTO, S.ENTREGUE):
            await outro.pedidos.mudar_status(pedido_id, status)
            um.relay_loop.acordar()
            assert [await soon(stream) for stream in streams] == [status] * 2
        for stream in streams:
            with pytest.raises(StopAsyncIteration):
                await soon(stream)


async def test_followers_hear_a_repeated_event_once(database: Database, valkey: Servidor) -> None:
    async with opened(database, valkey, QUIETLY) as um:
        pedido_id = await um.comprar()
        stream = following(um, pedido_id)
        assert await soon(stream) is S.CONFIRMADO
        await trusting(um)

        def twice(eventos: Sequence[Evento]) -> None:
            um.jornal.publicar(eventos)
            um.jornal.publicar(eventos)

        await um.entregar(pedido_id)
        await um.saida.passar(500, twice)
        assert [status async for status in stream] == [S.EM_PREPARO, S.PRONTO, S.ENTREGUE]


async def test_followers_do_not_depend_on_valkey(database: Database, valkey: Servidor) -> None:
    """Killed, then hanging, then back: each change is told."""
    async with opened(database, valkey) as um:
        pedido_id = await um.comprar()
        stream = following(um, pedido_id)
        assert await soon(stream) is S.CONFIRMADO
        await trusting(um)
        ends: list[Callable[[], None]] = [valkey.kill, valkey.pause]
        for end, status in zip(ends, (S.EM_PREPARO, S.PRONTO), strict=True):
            end()
            await um.pedidos.mudar_status(pedido_id, status)
            assert await soon(stream) is status
            if end == valkey.kill:
                valkey.start()
            else:
                valkey.resume()
            async with relaying(um):
                await trusting(um)
        await um.pedidos.mudar_status(pedido_id, S.ENTREGUE)
        assert await soon(stream) is S.ENTREGUE
    assert len(await _all(valkey)) >= 4


async def _all(valkey: Servidor) -> list[Evento]:
    jornal = JornalValkey(valkey.url, nome="teste", tamanho=KEPT)
    try:
        return await all_after(jornal)
    finally:
        await jornal.close()


async def test_instances_say_themselves_that_there_is_something_to_send(
    database: Database, valkey: Servidor, vizinhos: Vizinhos, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whole instances, whose relays look by themselves once a minute."""
    monkeypatch.setattr("pedidos.use_cases.relay.INTERVALO", 60.0)
    async with AsyncExitStack() as stack:
        um, outro = [
            await stack.enter_async_context(instance(settings_of(database.url, vizinhos.address, valkey.url)))
            for _ in range(2)
        ]
        pedido = await um.criar(vizinhos.carrinho_cheio())
        change = pb.AtualizarStatusPedidoRequest(pedido_id=pedido.pedido_id, status=pb.EM_PREPARO)
        await outro.stub.AtualizarStatusPedido(change, timeout=SECONDS)
        await um.stub.CancelarPedido(pb.CancelarPedidoRequest(pedido_id=pedido.pedido_id), timeout=SECONDS)
        unsent = "SELECT count(*) FROM eventos_saida WHERE enviado_em IS NULL"
        await eventually(lambda: database.execute(unsent) == [(0,)])
    assert once_in_order(await _all(valkey)) == {pedido.pedido_id: [1, 2, 3, 4]}
