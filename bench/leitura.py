"""What does a read cost? CPU a request of catalogo against the bare grpc.aio peer, in alternation in one run.

    .venv/bin/python -m bench.leitura [--rounds 5] [--requests 20000]      with the mesh up

Over gRPC the generator talks to each server directly, so that only the server differs; over REST it goes through
Envoy, and the cost is split into Envoy's share and Python's. Run it on an otherwise idle machine and read the ratios.
"""

from __future__ import annotations

import sys
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from bench.load import Load, Run, median_and_spread
from bench.mesh import TOOLS, running
from bench.peers import peer
from stack.topology import HOST

SERVICE = "confeitaria.catalogo.v1.CatalogoService"
CALLS: dict[str, tuple[dict[str, Any], str]] = {
    "ObterProduto": ({"produto_id": 1}, "/api/produtos/1"),
    "ListarProdutos": ({"page_size": 20}, "/api/produtos?page_size=20"),
}


@click.command(help=__doc__)
@click.option("--rounds", default=5, show_default=True, help="Bursts of each, in alternation.")
@click.option("--requests", default=20_000, show_default=True, help="Requests a burst.")
@click.option("--port-offset", default=0, show_default=True, help="Of the mesh that is measured.")
@click.option("--peer-port", default=17_990, show_default=True, help="Where the peer listens.")
def main(rounds: int, requests: int, port_offset: int, peer_port: int) -> None:
    mesh = running(port_offset)
    ours, listen = mesh.address("catalogo-1"), f"{HOST}:{peer_port}"
    table = Table("call", "server", "CPU us a request", "p50 ms", "p99 ms", "rps", "failed")
    with peer("grpc_aio", listen, ours) as pid:
        load = Load(TOOLS, {"catalogo": mesh.pids["catalogo-1"], "peer": pid, "envoy": mesh.pids["envoy"]})
        for name, (request, path) in CALLS.items():
            runs: dict[str, list[Run]] = {"catalogo": [], "peer": [], "rest": []}
            for _ in range(rounds):
                runs["catalogo"].append(load.grpc(ours, f"{SERVICE}.{name}", request, requests))
                runs["peer"].append(load.grpc(listen, f"{SERVICE}.{name}", request, requests))
                runs["rest"].append(load.rest(mesh.status["edge"] + path, seconds=max(2, requests // 5000)))
            table.add_row(name, "catalogo, gRPC", *figures(runs["catalogo"], "catalogo"))
            table.add_row(name, "bare grpc.aio, gRPC", *figures(runs["peer"], "peer"))
            table.add_row(name, "REST: Python's share", *figures(runs["rest"], "catalogo"))
            table.add_row(name, "REST: Envoy's share", *figures(runs["rest"], "envoy"))
    Console(width=None if sys.stdout.isatty() else 120).print(table)


def figures(runs: list[Run], process: str) -> list[str]:
    """A row: median and spread over the rounds."""
    columns = ([run.cpu[process] for run in runs], [run.p50_ms for run in runs], [run.p99_ms for run in runs])
    told = [median_and_spread(columns[0]), *(f"{sorted(values)[len(values) // 2]:.1f}" for values in columns[1:])]
    return [*told, median_and_spread([run.rps for run in runs]), str(sum(run.failed for run in runs))]


if __name__ == "__main__":
    main()
