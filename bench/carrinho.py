"""What does a cart cost? CPU a request of carrinho, and of Valkey, against a bare grpc.aio echo in alternation.

    .venv/bin/python -m bench.carrinho [--rounds 5] [--requests 10000] [--port-offset 0]      with the mesh up

The generator talks to each server directly. Reads and adds go round 200 carts; the prices were learnt before, as in a
shop at work, so an add is one round trip to Valkey and no call to the catalog. Run it on an otherwise idle machine.
"""

from __future__ import annotations

import itertools
from typing import Any

import click
import uvloop
from rich.console import Console
from rich.table import Table

from bench.compra import fill, products
from bench.load import Load, Run, median_and_spread
from bench.mesh import TOOLS, running
from bench.peers import peer
from stack.topology import HOST

SERVICE = "confeitaria.carrinho.v1.CarrinhoService"
CARTS = 200


@click.command(help=__doc__)
@click.option("--rounds", default=5, show_default=True, help="Bursts of each, in alternation.")
@click.option("--requests", default=10_000, show_default=True, help="Requests a burst.")
@click.option("--port-offset", default=0, show_default=True, help="Of the mesh that is measured.")
@click.option("--peer-port", default=17_991, show_default=True, help="Where the echo listens.")
def main(rounds: int, requests: int, port_offset: int, peer_port: int) -> None:
    mesh, listen = running(port_offset), f"{HOST}:{peer_port}"
    produto_ids = uvloop.run(products(mesh.edge))
    sessions = uvloop.run(fill(mesh.edge, CARTS, produto_ids))
    reads: list[dict[str, Any]] = [{"sessao_id": sessao_id} for sessao_id in sessions]
    adds = [
        {"sessao_id": sessao_id, "produto_id": produto_id, "quantidade": 1}
        for produto_id, sessao_id in itertools.product(produto_ids, sessions)
    ]
    ours = mesh.address("carrinho-1")
    runs: dict[str, list[Run]] = {"echo": [], "read": [], "add": []}
    with peer("echo", listen) as pid:
        load = Load(TOOLS, {"carrinho": mesh.pids["carrinho-1"], "echo": pid, "Valkey": mesh.pids["valkey"]})
        for _ in range(rounds):
            runs["echo"].append(load.grpc(listen, f"{SERVICE}.ObterCarrinho", reads, requests))
            runs["read"].append(load.grpc(ours, f"{SERVICE}.ObterCarrinho", reads, requests))
            runs["add"].append(load.grpc(ours, f"{SERVICE}.AdicionarItem", adds, requests))
    Console().print(table(runs))


def table(runs: dict[str, list[Run]]) -> Table:
    """CPU by component, and the ratio to the echo of the same round, so that what else ran meets both sides."""
    shown = Table("call", "Python us", "Valkey us", "Python / echo", "rps", "failed")
    for name, told in runs.items():
        process = "echo" if name == "echo" else "carrinho"
        spent = [run.cpu[process] for run in told]
        ratios = sorted(mine / echo.cpu["echo"] for mine, echo in zip(spent, runs["echo"], strict=True))
        ratio = f"{ratios[len(ratios) // 2]:.2f} ({ratios[0]:.2f}-{ratios[-1]:.2f})"
        valkey = "" if name == "echo" else median_and_spread([run.cpu["Valkey"] for run in told])
        rates, failed = median_and_spread([run.rps for run in told]), str(sum(run.failed for run in told))
        shown.add_row(name, median_and_spread(spent), valkey, ratio, rates, failed)
    return shown


if __name__ == "__main__":
    main()
