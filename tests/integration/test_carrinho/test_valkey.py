"""The one connection to Valkey: what it costs, and what becomes of calls when Valkey stops, dies or hangs."""

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import cast

import pytest
import redis.asyncio
from confeitaria.carrinho.v1.carrinho_pb2 import Carrinho

from carrinho.domain import CarrinhoIndisponivel
from carrinho.repository import CarrinhosValkey
from carrinho.repository.valkey import LOOK, TIMEOUT, Refused, Unreachable, Valkey
from tests.integration.test_carrinho.conftest import Servidor, oferta, until

Novos = Callable[[str], CarrinhosValkey]


async def novo(carrinhos: CarrinhosValkey) -> str:
    return Carrinho.FromString(await carrinhos.criar()).sessao_id


async def reads(admin: "redis.asyncio.Redis") -> int:
    """How often Valkey has read from any client, this question included."""
    counted: int = (await admin.info("stats"))["total_reads_processed"]
    return counted


async def test_every_operation_is_one_round_trip(servidor: Servidor, novos_carrinhos: Novos) -> None:
    carrinhos = novos_carrinhos(servidor.url)
    sessao_id = await novo(carrinhos)  # loads the script
    key = str(uuid.uuid4())
    operations: list[Callable[[], Awaitable[object]]] = [
        carrinhos.criar,
        lambda: carrinhos.adicionar(sessao_id, 1, 2, oferta(1), key),
        lambda: carrinhos.adicionar(sessao_id, 1, 2, oferta(1), key),
        lambda: carrinhos.adicionar(sessao_id, 2, 2, oferta(2), ""),
        lambda: carrinhos.atualizar(sessao_id, 1, 3, oferta(1)),
        lambda: carrinhos.remover(sessao_id, 1),
        lambda: carrinhos.esvaziar(sessao_id, 0),
        lambda: carrinhos.obter(sessao_id),
        carrinhos.saude,
    ]
    async with redis.asyncio.Redis.from_url(servidor.url) as admin:
        await admin.config_resetstat()
        for operation in operations:
            before = await reads(admin)
            await operation()
            assert await reads(admin) == before + 2, "one for the operation, one for the question itself"
        stats = await admin.info("commandstats")
    assert stats["cmdstat_evalsha"]["calls"] == 7
    assert "cmdstat_eval" not in stats


async def test_a_valkey_that_lost_the_script_is_given_it_again(servidor: Servidor, novos_carrinhos: Novos) -> None:
    carrinhos = novos_carrinhos(servidor.url)
    sessao_id = await novo(carrinhos)
    async with redis.asyncio.Redis.from_url(servidor.url) as admin:
        await admin.script_flush()
        changed = Carrinho.FromString(await carrinhos.adicionar(sessao_id, 1, 2, oferta(1), ""))
    assert [item.quantidade for item in changed.itens] == [2]


async def test_a_caller_that_goes_away_leaves_the_others_their_own_answers(
    valkey_url: str, novo_valkey: Callable[[str], Valkey]
) -> None:
    valkey = novo_valkey(valkey_url)
    await valkey.call("PING")
    calls = [asyncio.create_task(valkey.call("ECHO", str(number))) for number in range(100)]
    await asyncio.sleep(0)
    for gone in calls[::3]:
        gone.cancel()
    answers = await asyncio.gather(*calls, return_exceptions=True)
    for number, answer in enumerate(answers):
        expected = f"{number}".encode() if number % 3 else asyncio.CancelledError
        assert answer == expected or isinstance(answer, asyncio.CancelledError)
    assert await valkey.call("ECHO", "still in step") == b"still in step"


async def test_a_refusal_is_raised_to_its_caller_only(valkey_url: str, novo_valkey: Callable[[str], Valkey]) -> None:
    valkey = novo_valkey(valkey_url)
    answers = await asyncio.gather(
        valkey.call("PING"), valkey.call("NOSUCH"), valkey.call("PING"), return_exceptions=True
    )
    assert (answers[0], answers[2]) == (b"PONG", b"PONG")
    assert isinstance(answers[1], Refused)
    assert answers[1].code == "ERR"


async def test_calls_that_come_together_share_one_connection(
    servidor: Servidor, novo_valkey: Callable[[str], Valkey]
) -> None:
    valkey = novo_valkey(servidor.url)
    await asyncio.gather(*(valkey.call("PING") for _ in range(50)))
    async with redis.asyncio.Redis.from_url(servidor.url) as admin:
        names = [each["name"] for each in await admin.client_list()]
    assert len([name for name in names if name.startswith("teste_")]) == 1


async def test_a_valkey_that_is_not_there_is_unavailable_at_once_and_found_when_it_comes(
    servidor: Servidor, novos_carrinhos: Novos
) -> None:
    servidor.kill()
    carrinhos = novos_carrinhos(servidor.url)
    for _ in range(3):
        started = time.monotonic()
        with pytest.raises(CarrinhoIndisponivel):
            await carrinhos.criar()
        assert time.monotonic() - started < 0.5
    assert "cannot connect" in str(await carrinhos.saude())
    servidor.start()
    await novo(carrinhos)
    assert await carrinhos.saude() is None


async def test_a_connection_that_died_at_rest_is_no_error(servidor: Servidor, novos_carrinhos: Novos) -> None:
    carrinhos = novos_carrinhos(servidor.url)
    sessao_id = await novo(carrinhos)
    await asyncio.to_thread(servidor.kill)
    await asyncio.to_thread(servidor.start)
    assert Carrinho.FromString(await carrinhos.obter(sessao_id)).sessao_id == sessao_id
    await carrinhos.adicionar(sessao_id, 1, 1, oferta(1), "")


async def test_a_valkey_that_hangs_is_given_up_in_time_and_used_again_when_it_goes_on(
    servidor: Servidor, novos_carrinhos: Novos
) -> None:
    carrinhos = novos_carrinhos(servidor.url)
    sessao_id = await novo(carrinhos)
    servidor.pause()
    for _ in range(2):  # on the open connection, then on a new one that is not answered either
        started = time.monotonic()
        calls = [carrinhos.obter(sessao_id) for _ in range(20)]
        answers = await asyncio.gather(*calls, return_exceptions=True)
        assert [type(answer) for answer in answers] == [CarrinhoIndisponivel] * 20
        assert TIMEOUT * 0.9 < time.monotonic() - started < TIMEOUT + 2 * LOOK + 0.3
    servidor.resume()

    async def back() -> bool:
        return await carrinhos.saude() is None

    await until(back)
    assert Carrinho.FromString(await carrinhos.obter(sessao_id)).versao == 1


async def test_a_slow_caller_of_many_does_not_make_a_busy_connection_look_stuck(
    valkey_url: str, novo_valkey: Callable[[str], Valkey]
) -> None:
    valkey = novo_valkey(valkey_url)
    end = time.monotonic() + TIMEOUT + 3 * LOOK
    answered = 0
    while time.monotonic() < end:
        answered += len(await asyncio.gather(*(valkey.call("PING") for _ in range(200))))
    assert answered > 1_000


@asynccontextmanager
async def swallowing(servidor: Servidor) -> AsyncIterator[tuple[str, asyncio.Event]]:
    """A way to Valkey; once the event is set, it delivers what it is given and hangs up instead of answering."""
    swallow = asyncio.Event()
    served: set[asyncio.Task[None] | None] = set()

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, answers: bool) -> None:
        while data := await reader.read(65_536):
            if answers and swallow.is_set():
                swallow.clear()
                break
            writer.write(data)
            await writer.drain()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        served.add(asyncio.current_task())
        up_reader, up_writer = await asyncio.open_connection(servidor.address.host, servidor.address.port)
        pumps = [
            asyncio.create_task(pump(reader, up_writer, answers=False)),
            asyncio.create_task(pump(up_reader, writer, answers=True)),
        ]
        await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        for each in pumps:
            each.cancel()
        await asyncio.gather(*pumps, return_exceptions=True)
        for end in (writer, up_writer):
            end.close()
            with suppress(OSError):
                await end.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}/0", swallow
    finally:
        server.close()
        await asyncio.wait_for(asyncio.gather(*(task for task in served if task)), 5)


async def test_an_addition_whose_answer_is_lost_is_unavailable_and_not_made_twice(servidor: Servidor) -> None:
    async with swallowing(servidor) as (url, swallow):
        valkey = Valkey(url, name="mudo")
        carrinhos = CarrinhosValkey(valkey)
        sessao_id = await novo(carrinhos)
        await carrinhos.adicionar(sessao_id, 1, 1, oferta(1), "")
        swallow.set()
        with pytest.raises(CarrinhoIndisponivel):
            await carrinhos.adicionar(sessao_id, 1, 10, oferta(1), "")
        assert [item.quantidade for item in Carrinho.FromString(await carrinhos.obter(sessao_id)).itens] == [11]
        swallow.set()
        key = str(uuid.uuid4())
        with pytest.raises(CarrinhoIndisponivel):
            await carrinhos.adicionar(sessao_id, 1, 100, oferta(1), key)
        again = Carrinho.FromString(await carrinhos.adicionar(sessao_id, 1, 100, oferta(1), key))
        assert [item.quantidade for item in again.itens] == [111]
        await valkey.close()


async def test_closing_leaves_nobody_waiting(servidor: Servidor) -> None:
    valkey = Valkey(servidor.url, name="fim")
    await valkey.call("PING")
    servidor.pause()
    call = asyncio.create_task(valkey.call("PING"))
    await asyncio.sleep(0)
    await valkey.close()
    with pytest.raises(Unreachable):
        await asyncio.wait_for(call, 0.2)
    servidor.resume()


@pytest.mark.parametrize(
    ("breaking", "mending", "code"),
    [
        ("CONFIG SET maxmemory 1", "CONFIG SET maxmemory 0", "OOM"),
        ("CONFIG SET min-replicas-to-write 1", "CONFIG SET min-replicas-to-write 0", "NOREPLICAS"),
        ("REPLICAOF 127.0.0.1 1", "REPLICAOF NO ONE", "READONLY"),
    ],
)
async def test_a_valkey_that_takes_no_changes_is_unhealthy_and_still_read(
    servidor: Servidor, novo_valkey: Callable[[str], Valkey], breaking: str, mending: str, code: str
) -> None:
    valkey = novo_valkey(servidor.url)
    carrinhos = CarrinhosValkey(valkey)
    sessao_id = await novo(carrinhos)
    await valkey.call(*breaking.split())
    assert code in str(await carrinhos.saude())
    with pytest.raises(CarrinhoIndisponivel):
        await carrinhos.adicionar(sessao_id, 1, 1, oferta(1), "")
    assert Carrinho.FromString(await carrinhos.obter(sessao_id)).versao == 1
    await valkey.call(*mending.split())
    assert await carrinhos.saude() is None
    await carrinhos.adicionar(sessao_id, 1, 1, oferta(1), "")


async def test_health_writes_nothing(servidor: Servidor, novos_carrinhos: Novos) -> None:
    carrinhos = novos_carrinhos(servidor.url)
    async with redis.asyncio.Redis.from_url(servidor.url) as admin:
        assert await carrinhos.saude() is None
        before = (await admin.info("persistence"))["aof_current_size"]
        for _ in range(20):
            assert await carrinhos.saude() is None
        assert (await admin.info("persistence"))["aof_current_size"] == before
        assert await admin.dbsize() == 0


async def test_a_login_and_another_database_are_used(servidor: Servidor, novo_valkey: Callable[[str], Valkey]) -> None:
    admin = novo_valkey(servidor.url)
    await admin.call("ACL", "SETUSER", "loja", "on", ">doce", "~carrinho:*", "+@all")
    carrinhos = CarrinhosValkey(novo_valkey(f"redis://loja:doce@{servidor.address}/3"))
    assert await carrinhos.saude() is None
    await novo(carrinhos)
    assert await admin.call("DBSIZE") == 0
    assert b"db3:keys=1" in cast("bytes", await admin.call("INFO", "keyspace"))
    wrong = CarrinhosValkey(novo_valkey(f"redis://loja:amargo@{servidor.address}/3"))
    why = await wrong.saude()
    assert why is not None
    assert "amargo" not in why
