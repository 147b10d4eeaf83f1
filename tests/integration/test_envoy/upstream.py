"""A stand-in for any service of the contract: a process that can be killed, told to hang, and asked what it saw.

    python upstream.py PORT NAME HEALTH_NAME[,HEALTH_NAME...]

It answers every path. What to do is said by the call's own metadata `x-do`: `sleep=SECONDS`, `status=CODE`,
`big=BYTES`, `only=NAME`. The answer is a Produto, whose field `descricao` holds what arrived as JSON; on a streaming
path it is three messages. The path /control/serve takes the health names to serve from now on. It ends when its stdin
does, and on SIGTERM after what it has begun.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from typing import Any

import grpc
from confeitaria.catalogo.v1.catalogo_pb2 import Produto
from confeitaria.pedidos.v1.pedidos_pb2 import AcompanharPedidoResponse
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse

HEALTH = "/grpc.health.v1.Health/Check"
STREAM = "/confeitaria.pedidos.v1.PedidosService/AcompanharPedido"
OPTIONS = [
    ("grpc.so_reuseport", 0),
    ("grpc.http2.min_ping_interval_without_data_ms", 50),
    ("grpc.http2.max_ping_strikes", 0),
    ("grpc.keepalive_permit_without_calls", 1),
]


class Upstream(grpc.GenericRpcHandler):
    def __init__(self, name: str, serving: set[str]) -> None:
        self.name = name
        self.serving = serving
        self.calls: dict[str, int] = {}

    def service(self, details: grpc.HandlerCallDetails) -> Any:
        path = details.method
        if path == HEALTH:
            return grpc.unary_unary_rpc_method_handler(self.health)
        if path == "/control/serve":
            return grpc.unary_unary_rpc_method_handler(self.control)
        if path == "/control/calls":
            return grpc.unary_unary_rpc_method_handler(self.counted)
        if path == STREAM:
            return grpc.unary_stream_rpc_method_handler(self.follow)

        async def answer(raw: bytes, context: Any) -> bytes:
            return await self.answer(path, raw, context)

        return grpc.unary_unary_rpc_method_handler(answer)

    async def health(self, raw: bytes, _context: Any) -> bytes:
        name = HealthCheckRequest.FromString(raw).service
        status = HealthCheckResponse.SERVING if name in self.serving else HealthCheckResponse.NOT_SERVING
        return bytes(HealthCheckResponse(status=status).SerializeToString())

    async def control(self, raw: bytes, _context: Any) -> bytes:
        self.serving = set(raw.decode().split(","))
        return b""

    async def counted(self, _raw: bytes, _context: Any) -> bytes:
        return json.dumps(self.calls).encode()

    async def answer(self, path: str, raw: bytes, context: Any) -> bytes:
        self.calls[path] = self.calls.get(path, 0) + 1
        metadata = {key: value for key, value in context.invocation_metadata() if isinstance(value, str)}
        todo = dict(part.split("=", 1) for part in metadata.get("x-do", "").split(",") if part)
        # `only=NAME`: the others behave
        if todo.get("only", self.name) == self.name:
            await asyncio.sleep(float(todo.get("sleep", 0)))
            if "status" in todo:
                await context.abort(getattr(grpc.StatusCode, todo["status"]), "como pedido")
        seen = {"metadata": metadata, "remaining": context.time_remaining(), "size": len(raw), "path": path}
        text = json.dumps(seen) + "x" * int(todo.get("big", 0))
        return Produto(produto_id=1, nome=self.name, descricao=text).SerializeToString()

    async def follow(self, _raw: bytes, context: Any) -> AsyncIterator[bytes]:
        metadata = {key: value for key, value in context.invocation_metadata() if isinstance(value, str)}
        for status in ("PENDENTE", "CONFIRMADO", "EM_PREPARO"):
            yield AcompanharPedidoResponse(pedido_id=self.name, status=status).SerializeToString()
            await asyncio.sleep(float(metadata.get("x-pause", 0)))


async def main(port: int, name: str, serving: set[str]) -> None:
    server = grpc.aio.server(handlers=[Upstream(name, serving)], options=OPTIONS)
    server.add_insecure_port(f"127.0.0.1:{port}")
    await server.start()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, lambda: asyncio.ensure_future(server.stop(5)))
    parent_gone = asyncio.to_thread(sys.stdin.read)
    await asyncio.wait(
        [asyncio.ensure_future(parent_gone), asyncio.ensure_future(server.wait_for_termination())],
        return_when=asyncio.FIRST_COMPLETED,
    )
    os._exit(0)  # the thread that reads would wait for ever


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), sys.argv[2], set(sys.argv[3].split(","))))
