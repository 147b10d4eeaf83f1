"""Orders as they run: real processes' worth of them in this loop, on PostgreSQL, before stand-in neighbours."""

import asyncio
import socket
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import grpc
from confeitaria.pedidos.v1.pedidos_pb2 import Cliente, CriarPedidoRequest, Pedido
from confeitaria.pedidos.v1.pedidos_pb2_grpc import PedidosServiceStub
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthStub
from pydantic_settings import SettingsConfigDict

from chassis.client import RemoteError, remote_error
from chassis.health import Health
from chassis.server import Server
from chassis.settings import ServiceSettings
from pedidos.__main__ import serve
from pedidos.settings import PedidosSettings
from tests.fakes.pedidos.banco import Relogio
from tests.fakes.pedidos.servidores import CARRINHO, CATALOGO, ERRORS, CarrinhoServidor, CatalogoServidor
from tests.fakes.pedidos.vizinhos import CarrinhosFake, CatalogoFake, Produto

SECONDS = 10.0  # a wait ends in failure after so long
CLIENTE = Cliente(nome="Ana Luísa", email="ana@example.com", telefone="+55 11 91234-5678")


class NeighbourSettings(ServiceSettings):
    model_config = SettingsConfigDict(env_prefix="TESTE_")


def free_address() -> str:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return f"127.0.0.1:{listener.getsockname()[1]}"


async def eventually(condition: Callable[[], object], what: str = "") -> None:
    """Looks again and again; fails when the time is over."""
    end = asyncio.get_running_loop().time() + SECONDS
    while not condition():
        assert asyncio.get_running_loop().time() < end, f"not within {SECONDS} s: {what or condition}"
        await asyncio.sleep(0.02)


class Vizinhos:
    """Catalog and carts, which fakes keep and gRPC serves at `address`."""

    def __init__(self) -> None:
        self.address = free_address()
        self.relogio = Relogio()
        self.catalogo = CatalogoServidor(CatalogoFake(self.relogio))
        self.catalogo.catalogo.produtos |= {1: Produto("Bolo", 4000, 1000), 2: Produto("Torta", 2500, 1000)}
        self.carrinho = CarrinhoServidor(CarrinhosFake())

    def carrinho_cheio(self, *itens: tuple[int, int]) -> str:
        sessao_id = uuid.uuid4().hex[:22]
        self.carrinho.carrinhos.encher(sessao_id, *(itens or ((2, 1), (1, 2))))
        return sessao_id

    def estoque(self) -> list[tuple[int, int, int]]:
        """Available, reserved, sold, of each product."""
        return [(p.disponivel, p.reservado, p.vendido) for p in self.catalogo.catalogo.produtos.values()]

    @asynccontextmanager
    async def served(self) -> AsyncIterator["Vizinhos"]:
        settings = NeighbourSettings(listen=self.address, instance="vizinhos", drain_seconds=0, grace_seconds=0)
        server = Server(settings, domain="vizinhos.confeitaria")
        server.add(self.catalogo, CATALOGO, ERRORS)
        server.add(self.carrinho, CARRINHO, ERRORS)
        running = asyncio.create_task(server.run(Health({})))
        try:
            yield self
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)


class Client:
    """A client of one instance."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self.stub: Any = PedidosServiceStub(channel)
        self.health = HealthStub(channel)

    async def criar(
        self, sessao_id: str, request_id: str = "", observacao: str = "", seconds: float = SECONDS
    ) -> Pedido:
        request = CriarPedidoRequest(sessao_id=sessao_id, cliente=CLIENTE, request_id=request_id, observacao=observacao)
        pedido: Pedido = await self.stub.CriarPedido(request, timeout=seconds)
        return pedido

    async def serving(self) -> bool:
        try:
            answer = await self.health.Check(HealthCheckRequest(service="pedidos"), timeout=1)
        except grpc.aio.AioRpcError:
            return False
        return bool(answer.status == HealthCheckResponse.SERVING)


def settings_of(url: str, mesh: str, redis_url: str = "", **changes: Any) -> PedidosSettings:
    """Without `redis_url` Valkey is away, which changes nothing for orders."""
    given: dict[str, Any] = {
        "listen": free_address(),
        "instance": "pedidos-teste",
        "drain_seconds": 0,
        "grace_seconds": 1,
        "database_url": url,
        "page_token_key": "ab" * 32,
        "redis_url": redis_url or f"redis://{free_address()}/0",
        "mesh": mesh,
    }
    return PedidosSettings(**given | changes)


@asynccontextmanager
async def instance(settings: PedidosSettings) -> AsyncIterator[Client]:
    """One instance, from its composition root, and a client of it."""
    running = asyncio.create_task(serve(settings))
    async with grpc.aio.insecure_channel(settings.listen) as channel:
        client = Client(channel)
        end = asyncio.get_running_loop().time() + SECONDS
        while not await client.serving():
            assert not running.done(), running.exception()
            assert asyncio.get_running_loop().time() < end, "does not serve"
            await asyncio.sleep(0.02)
        try:
            yield client
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)


async def refused(call: Any) -> RemoteError:
    """How a call was refused."""
    try:
        answer = await call
    except grpc.aio.AioRpcError as exc:
        return remote_error(exc)
    raise AssertionError(f"was not refused: {answer}")
