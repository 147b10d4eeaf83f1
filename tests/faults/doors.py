"""The two ways into the shop, gRPC and REST, told apart by nothing but their names; each says what is certain."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import AsyncExitStack, suppress
from typing import Any, Protocol, TypeVar

import grpc
import httpx
from google.protobuf import json_format
from google.protobuf.message import Message

from chassis.client import remote_error
from tests.faults.history import Answer, Outcome

SECONDS = 4.0  # of patience for one try: a little more than the services have
CONNECTIONS = 128  # over REST, at once
M = TypeVar("M", bound=Message)

CERTAIN = {
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.NOT_FOUND,
    grpc.StatusCode.ALREADY_EXISTS,
    grpc.StatusCode.FAILED_PRECONDITION,
    grpc.StatusCode.ABORTED,
    grpc.StatusCode.PERMISSION_DENIED,
}
CERTAIN_HTTP = {400, 403, 404, 409}

PACKAGES = {
    "ObterCarrinho": "carrinho",
    "CriarCarrinho": "carrinho",
    "AdicionarItem": "carrinho",
    "AtualizarItem": "carrinho",
    "CriarPedido": "pedidos",
    "CancelarPedido": "pedidos",
    "AtualizarStatusPedido": "pedidos",
    "ObterPedido": "pedidos",
    "ListarPedidos": "pedidos",
    "AcompanharPedido": "pedidos",
    "AtualizarEstoque": "catalogo",
    "VerificarEstoque": "catalogo",
    "CriarProduto": "catalogo",
    "AtualizarProduto": "catalogo",
    "ExcluirProduto": "catalogo",
    "CriarCategoria": "catalogo",
    "ReservarEstoque": "catalogo",
    "ObterReserva": "catalogo",
}
ROUTES = {
    "ObterCarrinho": ("GET", "/api/carrinhos/{sessao_id}"),
    "CriarCarrinho": ("POST", "/api/carrinhos"),
    "AdicionarItem": ("POST", "/api/carrinhos/{sessao_id}/itens"),
    "AtualizarItem": ("PUT", "/api/carrinhos/{sessao_id}/itens/{produto_id}"),
    "CriarPedido": ("POST", "/api/pedidos"),
    "CancelarPedido": ("POST", "/api/pedidos/{pedido_id}:cancelar"),
    "AtualizarStatusPedido": ("PUT", "/api/pedidos/{pedido_id}/status"),
    "AtualizarEstoque": ("PUT", "/api/produtos/{produto_id}/estoque"),
}


def path(method: str) -> str:
    """Of a method, in gRPC."""
    package = PACKAGES[method]
    return f"/confeitaria.{package}.v1.{package.capitalize()}Service/{method}"


class Door(Protocol):
    via: str

    async def call(self, method: str, request: Message) -> Answer:
        """One try, with a deadline; what is not certain is MAYBE."""
        ...

    def read(self, body: bytes, message: type[M]) -> M: ...


class GrpcDoor:
    via = "gRPC"

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._channel = channel
        self._stubs: dict[str, Any] = {}

    async def call(self, method: str, request: Message) -> Answer:
        begun = time.monotonic()
        try:
            body = await self._stub(method)(request.SerializeToString(), timeout=SECONDS)
        except grpc.aio.AioRpcError as error:
            outcome = Outcome.REFUSED if error.code() in CERTAIN else Outcome.MAYBE
            told = remote_error(error)
            return Answer(outcome, begun, time.monotonic(), b"", told.reason or error.code().name, told.metadata)
        return Answer(Outcome.OK, begun, time.monotonic(), body)

    async def follow(self, request: Message, seconds: float) -> None:
        """Reads the stream of an order's statuses for a while, whatever becomes of it."""
        method: Any = self._channel.unary_stream(path("AcompanharPedido"))
        with suppress(grpc.aio.AioRpcError):
            async for _ in method(request.SerializeToString(), timeout=seconds):
                pass

    def read(self, body: bytes, message: type[M]) -> M:
        return message.FromString(body)

    def _stub(self, method: str) -> Any:
        """Bytes in, bytes out: what came is what is compared."""
        if method not in self._stubs:
            self._stubs[method] = self._channel.unary_unary(path(method))
        return self._stubs[method]


class RestDoor:
    via = "REST"

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client

    async def call(self, method: str, request: Message) -> Answer:
        verb, route = ROUTES[method]
        fields = json_format.MessageToDict(request, preserving_proto_field_name=True)
        body = None if verb == "GET" else {k: v for k, v in fields.items() if f"{{{k}}}" not in route}
        begun = time.monotonic()
        try:
            response = await self._client.request(verb, route.format(**fields), json=body)
        except httpx.HTTPError as error:
            return Answer(Outcome.MAYBE, begun, time.monotonic(), b"", type(error).__name__)
        return _answer(response, begun)

    def read(self, body: bytes, message: type[M]) -> M:
        return json_format.Parse(body, message())


def _answer(response: httpx.Response, begun: float) -> Answer:
    ended = time.monotonic()
    if response.status_code == 200:
        return Answer(Outcome.OK, begun, ended, response.content)
    outcome = Outcome.REFUSED if response.status_code in CERTAIN_HTTP else Outcome.MAYBE
    reason, detail = _reason(response)
    return Answer(outcome, begun, ended, b"", reason, detail)


def _reason(response: httpx.Response) -> tuple[str, Mapping[str, str]]:
    try:
        told = response.json()["details"][0]
        return str(told["reason"]), dict(told.get("metadata", {}))
    except (ValueError, LookupError, TypeError):
        return f"HTTP {response.status_code}", {}


class Doors(AsyncExitStack):
    """Connections to one edge, closed at the end."""

    async def grpc(self, target: str, number: int = 0) -> GrpcDoor:
        """`number` keeps a connection apart from the others."""
        options = [
            ("grpc.use_local_subchannel_pool", 1),
            ("confeitaria.number", number),
            ("grpc.initial_reconnect_backoff_ms", 50),
            ("grpc.max_reconnect_backoff_ms", 500),
        ]
        return GrpcDoor(await self.enter_async_context(grpc.aio.insecure_channel(target, options=options)))

    async def rest(self, edge: str) -> RestDoor:
        limits = httpx.Limits(max_connections=CONNECTIONS, max_keepalive_connections=CONNECTIONS)
        # waiting for a connection of one's own pool is no part of a try
        patience = httpx.Timeout(SECONDS, pool=None)
        client = httpx.AsyncClient(base_url=edge, timeout=patience, limits=limits, trust_env=False)
        return RestDoor(await self.enter_async_context(client))
