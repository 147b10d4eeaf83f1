"""The bare peer: grpc.aio with generated stubs, building and serialising each answer, and nothing else.

    python -m bench.peers.grpc_aio LISTEN CATALOGO

It copies the products from the catalog at CATALOGO once, keeps them as plain rows and serves ObterProduto and
ListarProdutos (the first page by name) from them: no validation, no deadline, no health, no error details.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import grpc
import uvloop
from confeitaria.catalogo.v1 import catalogo_pb2, catalogo_pb2_grpc
from google.protobuf.message import Message


async def rows_of(target: str) -> list[dict[str, Any]]:
    """Every product of the catalog, by name, as fields."""
    rows: list[dict[str, Any]] = []
    async with grpc.aio.insecure_channel(target) as channel:
        stub = catalogo_pb2_grpc.CatalogoServiceStub(channel)
        token = ""
        while True:
            page = await stub.ListarProdutos(catalogo_pb2.ListarProdutosRequest(page_size=100, page_token=token))
            rows += [fields(produto) for produto in page.produtos]
            token = page.next_page_token
            if not token:
                return rows


def fields(message: Message) -> dict[str, Any]:
    return {descriptor.name: value for descriptor, value in message.ListFields()}


class Peer(catalogo_pb2_grpc.CatalogoServiceServicer):
    """Answers as a tutorial would write them."""

    def __init__(self, rows: list[dict[str, Any]]) -> None:
        self._rows = rows
        self._by_id = {row["produto_id"]: row for row in rows}

    async def ObterProduto(self, request: Any, context: Any) -> catalogo_pb2.Produto:  # noqa: ANN401, ARG002, N802  as generated
        return catalogo_pb2.Produto(**self._by_id[request.produto_id])

    async def ListarProdutos(self, request: Any, context: Any) -> catalogo_pb2.ListarProdutosResponse:  # noqa: ANN401, ARG002, N802
        page = [catalogo_pb2.Produto(**row) for row in self._rows[: request.page_size or 20]]
        return catalogo_pb2.ListarProdutosResponse(produtos=page, next_page_token="seguinte")  # noqa: S106  a page's


async def serve(listen: str, catalogo: str) -> None:
    server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
    servicer = Peer(await rows_of(catalogo))  # type: ignore[abstract]  # the other calls answer UNIMPLEMENTED
    catalogo_pb2_grpc.add_CatalogoServiceServicer_to_server(servicer, server)
    server.add_insecure_port(listen)
    await server.start()
    await server.wait_for_termination()


if __name__ == "__main__":
    if len(sys.argv) != 3:  # noqa: PLR2004  two arguments
        sys.exit("usage: python -m bench.peers.grpc_aio LISTEN CATALOGO")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(*sys.argv[1:]))
