"""`python -m pedidos` as the stack runs it: starting, draining, dying, migrating."""

import asyncio
import os
import signal
import sys
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import grpc
import psycopg2
import pytest
from confeitaria.pedidos.v1 import pedidos_pb2 as pb

from chassis.client import remote_error
from pedidos.migrate import HEAD
from tests.conftest import PostgresServer
from tests.integration.test_pedidos.conftest import Database
from tests.integration.test_pedidos.running import SECONDS, Client, Vizinhos, eventually, free_address

ROOT = Path(__file__).parents[3]
PATH = os.pathsep.join((str(ROOT), str(ROOT / "protos" / "python")))


async def started(*arguments: str, **environment: str) -> asyncio.subprocess.Process:
    clean = {key: value for key, value in os.environ.items() if not key.startswith("PEDIDOS_")}
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-P",
        "-m",
        "pedidos",
        *arguments,
        env=clean | {"PYTHONPATH": PATH} | environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


def environment_of(database: Database, vizinhos: Vizinhos) -> dict[str, str]:
    return {
        "PEDIDOS_LISTEN": free_address(),
        "PEDIDOS_INSTANCE": "pedidos-teste",
        "PEDIDOS_DRAIN_SECONDS": "0.1",
        "PEDIDOS_DATABASE_URL": database.url,
        "PEDIDOS_PAGE_TOKEN_KEY": "cd" * 32,
        "PEDIDOS_REDIS_URL": f"redis://{free_address()}/0",  # away: orders do without it
        "PEDIDOS_MESH": vizinhos.address,
    }


@asynccontextmanager
async def running(environment: dict[str, str]) -> AsyncIterator[tuple[asyncio.subprocess.Process, Client]]:
    process = await started(**environment)
    try:
        async with grpc.aio.insecure_channel(environment["PEDIDOS_LISTEN"]) as channel:
            client = Client(channel)
            async with asyncio.timeout(30):
                while not await client.serving():
                    assert process.returncode is None, await process.communicate()
                    await asyncio.sleep(0.05)
            yield process, client
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def test_termination_ends_streams_drains_and_exits_clean(database: Database, vizinhos: Vizinhos) -> None:
    async with running(environment_of(database, vizinhos)) as (process, client):
        pedido = await client.criar(vizinhos.carrinho_cheio())
        stream = client.stub.AcompanharPedido(pb.AcompanharPedidoRequest(pedido_id=pedido.pedido_id), timeout=SECONDS)
        assert (await stream.read()).status == pb.CONFIRMADO
        process.send_signal(signal.SIGTERM)
        with pytest.raises(grpc.aio.AioRpcError) as ended:
            await stream.read()
        assert remote_error(ended.value).code == grpc.StatusCode.UNAVAILABLE
        assert await asyncio.wait_for(process.wait(), SECONDS) == 0


@pytest.mark.parametrize("where", ["ReservarEstoque", "ConfirmarReserva", "EsvaziarCarrinho"])
@pytest.mark.parametrize("when", ["before", "after"])
async def test_killed_instance_leaves_nothing_unfinished_for_ten_seconds(
    database: Database, vizinhos: Vizinhos, loja: Client, where: str, when: str
) -> None:
    """kill -9 while a neighbour is being asked; the surviving instance does the rest by itself."""
    sessao_id, chave = vizinhos.carrinho_cheio(), str(uuid.uuid4())
    neighbour: Any = vizinhos.carrinho if where == "EsvaziarCarrinho" else vizinhos.catalogo
    async with running(environment_of(database, vizinhos)) as (process, client):

        async def kill(name: str) -> None:
            if name == where:
                setattr(neighbour, when, None)
                process.kill()
                await process.wait()

        setattr(neighbour, when, kill)
        with pytest.raises(grpc.aio.AioRpcError):
            await client.criar(sessao_id, chave)
        settled = "SELECT count(*) FROM compras WHERE etapa = 'CONCLUIDA'"
        await eventually(lambda: database.execute(settled) == [(1,)], "the other instance finishes it")

    assert vizinhos.estoque() == [(998, 0, 2), (999, 0, 1)]
    assert not vizinhos.carrinho.carrinhos.carrinhos[sessao_id].itens
    pedido = await loja.criar(sessao_id, chave)
    assert pedido.status == pb.CONFIRMADO
    assert database.execute("SELECT count(*) FROM pedidos") == [(1,)]
    assert [seq for seq, *_ in database.events(pedido.pedido_id)] == [1, 2]


async def test_bad_environment_is_one_line_a_key() -> None:
    process = await started(PEDIDOS_LISTEN="nowhere", PEDIDOS_DATABASE_URL="mysql://x")
    _, told = await asyncio.wait_for(process.communicate(), 30)
    assert process.returncode == 2
    lines = told.decode().splitlines()
    keys = {line.partition(":")[0] for line in lines}
    assert keys == {
        f"PEDIDOS_{key}" for key in ("LISTEN", "INSTANCE", "DATABASE_URL", "PAGE_TOKEN_KEY", "REDIS_URL", "MESH")
    }
    assert len(lines) == 6


async def test_taken_port_is_told_in_one_line(database: Database, vizinhos: Vizinhos) -> None:
    environment = environment_of(database, vizinhos) | {"PEDIDOS_LISTEN": vizinhos.address}
    process = await started(**environment)
    _, told = await asyncio.wait_for(process.communicate(), 30)
    assert process.returncode == 1
    assert len(told.decode().splitlines()) == 1
    assert vizinhos.address in told.decode()


async def test_it_serves_without_its_neighbours_and_says_not_serving_without_its_database(
    database: Database, vizinhos: Vizinhos
) -> None:
    environment = environment_of(database, vizinhos) | {"PEDIDOS_MESH": free_address()}
    async with running(environment) as (_, client):
        assert not (await client.stub.ListarPedidos(pb.ListarPedidosRequest())).pedidos
        refusal = None
        try:
            await client.criar("sessao", seconds=3)
        except grpc.aio.AioRpcError as exc:
            refusal = remote_error(exc)
        assert refusal is not None
        assert (refusal.code, refusal.reason) == (grpc.StatusCode.UNAVAILABLE, "SERVICO_INDISPONIVEL")

    nowhere = f"postgresql://pedidos_app@{free_address()}/pedidos"
    process = await started(**environment_of(database, vizinhos) | {"PEDIDOS_DATABASE_URL": nowhere})
    try:
        assert process.stdout is not None
        async with asyncio.timeout(30):
            while b"health: not serving" not in (line := await process.stdout.readline()):
                assert line, "ended"
    finally:
        process.kill()
        await process.communicate()


async def migrated(url: str, *, role: str = "pedidos_app") -> tuple[int | None, str, str]:
    process = await started("migrate", PEDIDOS_OWNER_URL=url, PEDIDOS_DATABASE_URL=f"postgresql://{role}:x@127.0.0.1/x")
    told, errors = await asyncio.wait_for(process.communicate(), 60)
    return process.returncode, told.decode(), errors.decode()


async def test_migrations_that_meet_take_turns_and_a_second_one_finds_nothing_to_do(
    postgres_server: PostgresServer,
) -> None:
    url = postgres_server.create_database("pedidos_migrados")
    ends = await asyncio.gather(*(migrated(url) for _ in range(3)))
    assert [(code, errors) for code, _, errors in ends] == [(0, "")] * 3
    assert await migrated(url) == (0, f"pedidos: nothing to do, at {HEAD}\n", "")
    with closing(psycopg2.connect(postgres_server.url("pedidos_migrados", "pedidos_app"))) as opened:
        cursor = opened.cursor()
        cursor.execute("SELECT count(*) FROM compras")
        for forbidden in ("DELETE FROM pedidos", "UPDATE itens_pedido SET nome = ''", "CREATE TABLE minha ()"):
            opened.rollback()
            with pytest.raises(psycopg2.errors.InsufficientPrivilege):
                cursor.execute(forbidden)


async def test_migration_that_fails_says_why_in_one_line() -> None:
    code, told, errors = await migrated(f"postgresql://ninguem@{free_address()}/nada")
    assert (code, told) == (1, "")
    assert errors.startswith("pedidos: cannot migrate: ")
    assert len(errors.splitlines()) == 1
    code, told, errors = await migrated("")
    assert (code, told, errors) == (2, "", "PEDIDOS_OWNER_URL: is missing\n")
