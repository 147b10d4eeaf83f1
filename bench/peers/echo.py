"""The bare echo: grpc.aio with generated stubs that reads a request and gives back one ready cart.

    python -m bench.peers.echo LISTEN

It does nothing else, so what it costs is what a call costs.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import grpc
import uvloop
from confeitaria.carrinho.v1 import carrinho_pb2, carrinho_pb2_grpc

ITENS = [
    carrinho_pb2.ItemCarrinho(produto_id=n, nome="Bolo de cenoura", preco_centavos=4990, quantidade=1) for n in (1, 2)
]


class Echo(carrinho_pb2_grpc.CarrinhoServiceServicer):
    """Answers of the size of a real one."""

    def __init__(self) -> None:
        self._cart = carrinho_pb2.Carrinho(sessao_id="a" * 32, versao=1, itens=ITENS)

    async def ObterCarrinho(self, request: Any, context: Any) -> carrinho_pb2.Carrinho:  # noqa: ANN401, ARG002, N802  as generated
        return self._cart


async def serve(listen: str) -> None:
    server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
    carrinho_pb2_grpc.add_CarrinhoServiceServicer_to_server(Echo(), server)  # type: ignore[abstract]
    server.add_insecure_port(listen)
    await server.start()
    await server.wait_for_termination()


if __name__ == "__main__":
    if len(sys.argv) != 2:  # noqa: PLR2004  one argument
        sys.exit("usage: python -m bench.peers.echo LISTEN")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(sys.argv[1]))
