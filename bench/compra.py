"""How many orders an hour? Durable checkouts through Envoy and gRPC, each with two items, and where the CPU goes.

    .venv/bin/python -m bench.compra [--orders 20000] [--concurrency 64] [--port-offset 0]      with the mesh up

The carts are filled first, by this process; then ghz orders them through the edge as fast as it goes, each under a key
of its own. At the end every acknowledged order must be in the database, confirmed, and the stock must add up. Run it on
an idle machine: the generator shares its cores with what it measures.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import time
from collections.abc import Iterator
from contextlib import closing
from typing import Any
from uuid import uuid4

import click
import grpc
import psutil
import psycopg2
import uvloop
from confeitaria.carrinho.v1 import carrinho_pb2, carrinho_pb2_grpc
from confeitaria.catalogo.v1 import catalogo_pb2, catalogo_pb2_grpc
from rich.console import Console
from rich.table import Table

from bench.load import Answer, Load, Run
from bench.mesh import TOOLS, running

METHOD = "confeitaria.pedidos.v1.PedidosService.CriarPedido"
CLIENTE = {"nome": "Maria da Bancada", "email": "maria@example.com", "telefone": "+55 11 99999-0000"}
PRODUTOS = 20  # that the orders spread over, each order with two of them
ESTOQUE = 1_000_000  # units of each
FILLERS = 48  # carts filled at once
WINDOW = 5.0  # seconds
PATIENCE = 30.0  # seconds that a call of the preparation may take


async def products(edge: str) -> list[int]:
    """New products with stock for everybody."""
    async with grpc.aio.insecure_channel(edge) as channel:
        stub = catalogo_pb2_grpc.CatalogoServiceStub(channel)
        categoria = catalogo_pb2.Categoria(nome=f"Bancada {uuid4()}")
        made = await stub.CriarCategoria(catalogo_pb2.CriarCategoriaRequest(categoria=categoria), timeout=PATIENCE)
        bolo = catalogo_pb2.Produto(
            nome="Bolo", preco_centavos=4990, categoria_id=made.categoria_id, estoque=ESTOQUE, ativo=True
        )
        request = catalogo_pb2.CriarProdutoRequest(produto=bolo)
        return [(await stub.CriarProduto(request, timeout=PATIENCE)).produto_id for _ in range(PRODUTOS)]


async def fill(edge: str, orders: int, produto_ids: list[int]) -> list[str]:
    """The sessions of `orders` carts with two items each."""
    turns = itertools.cycle(zip(produto_ids, produto_ids[1:] + produto_ids[:1], strict=True))
    left = iter(range(orders))
    sessions: list[str] = []
    async with grpc.aio.insecure_channel(edge) as channel:
        stub = carrinho_pb2_grpc.CarrinhoServiceStub(channel)

        async def filler() -> None:
            for _ in left:
                cart = await stub.CriarCarrinho(carrinho_pb2.CriarCarrinhoRequest(), timeout=PATIENCE)
                for produto_id in next(turns):
                    item = carrinho_pb2.AdicionarItemRequest(
                        sessao_id=cart.sessao_id, produto_id=produto_id, quantidade=1
                    )
                    await stub.AdicionarItem(item, timeout=PATIENCE)
                sessions.append(cart.sessao_id)

        await asyncio.gather(*(filler() for _ in range(FILLERS)))
    return sessions


def bodies(sessions: list[str]) -> list[dict[str, Any]]:
    return [{"sessao_id": sessao_id, "cliente": CLIENTE, "request_id": str(uuid4())} for sessao_id in sessions]


def confirmed(url: str, sessions: list[str]) -> int:
    """Orders of these carts that the database holds with their two items each."""
    with closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:
        cursor.execute(
            """SELECT count(*) FROM pedidos p WHERE sessao_id = ANY(%s) AND status = 'CONFIRMADO'
               AND (SELECT count(*) FROM itens_pedido i WHERE i.pedido_id = p.pedido_id) = 2""",
            [sessions],
        )
        row = cursor.fetchone()
        assert row is not None
        return int(row[0])


def unbalanced(url: str) -> int:
    """Products whose stock and ledger disagree."""
    with closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM auditoria_estoque")
        row = cursor.fetchone()
        assert row is not None
        return int(row[0])


def windows(answers: tuple[Answer, ...]) -> Iterator[tuple[float, list[float]]]:
    """Seconds from the start, and the sorted latencies of the answers that came within WINDOW from there."""
    start = min(answer.sent for answer in answers)
    came = sorted((answer.sent + answer.seconds - start, answer.seconds) for answer in answers)
    for number, group in itertools.groupby(came, key=lambda pair: int(pair[0] // WINDOW)):
        yield number * WINDOW, sorted(seconds for _, seconds in group)


def over_time(run: Run) -> Table:
    table = Table("from s", "orders a second", "p50 ms", "p99 ms", "worst ms", title="Over time")
    for start, latencies in windows(run.answers):
        told = (latencies[len(latencies) // 2], latencies[int(len(latencies) * 0.99)], latencies[-1])
        rate = f"{len(latencies) / WINDOW:.0f}"
        table.add_row(f"{start:.0f}", rate, *(f"{seconds * 1000:.0f}" for seconds in told))
    return table


def by_process(run: Run, idle: float) -> Table:
    table = Table("process", "CPU us an order", "share of the machine", title="Where the CPU goes")
    cores = os.cpu_count() or 1
    whole = cores * 1e6 / run.rps  # us of CPU that the machine had for each order
    shown = {name: spent for name, spent in run.cpu.items() if spent >= 1}
    shown["ghz and all else"] = whole - sum(shown.values()) - idle * cores * 1e6 / run.requests
    for name, spent in sorted(shown.items(), key=lambda pair: -pair[1]):
        table.add_row(name, f"{spent:.0f}", f"{spent / whole:.0%}")
    table.add_row("nothing: idle", "", f"{idle * cores * 1e6 / run.requests / whole:.0%}")
    return table


@click.command(help=__doc__)
@click.option("--orders", default=20_000, show_default=True, help="Carts that are filled and ordered.")
@click.option("--concurrency", default=64, show_default=True, help="Orders under way at once.")
@click.option("--port-offset", default=0, show_default=True, help="Of the mesh that is measured.")
def main(orders: int, concurrency: int, port_offset: int) -> None:
    mesh, console = running(port_offset), Console()
    produto_ids = uvloop.run(products(mesh.edge))
    begun = time.monotonic()
    sessions = uvloop.run(fill(mesh.edge, orders, produto_ids))
    filled = time.monotonic() - begun
    console.print(f"filled {orders} carts with 2 items in {filled:.1f} s ({orders / filled:.0f} a second)")
    load = Load(TOOLS, mesh.pids)
    psutil.cpu_times_percent()
    run = load.grpc(mesh.edge, METHOD, bodies(sessions), orders, concurrency)
    idle = psutil.cpu_times_percent().idle / 100 * orders / run.rps
    console.print(over_time(run), by_process(run, idle))
    stored = confirmed(mesh.database("pedidos_owner"), sessions)
    wrong = unbalanced(mesh.database("catalogo_owner"))
    took, served = orders / run.rps, run.requests - run.failed
    console.print(
        f"{run.rps:.0f} orders a second for {took:.1f} s, {served} acknowledged, {run.failed} failed,"
        f" p50 {run.p50_ms:.0f} ms, p99 {run.p99_ms:.0f} ms; with filling {orders / (filled + took):.0f} a second\n"
        f"in the database: {stored} confirmed orders with 2 items; products that do not add up: {wrong}"
    )
    if stored < served or wrong:
        raise click.ClickException("an acknowledged order is not in the database, or the stock does not add up")


if __name__ == "__main__":
    main()
