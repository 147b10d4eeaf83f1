"""What `status` tells: every process with its state, its role and what it costs. Scripts rely on the shape."""

import asyncio
import os
from typing import Any

from stack.child import Child
from stack.mesh import Mesh
from stack.probes import http_ok
from stack.processes import Snapshot, Usage

ORDER = ("catalogo", "carrinho", "pedidos", "gateway", "envoy", "patroni", "postgres", "valkey")


async def report(mesh: Mesh) -> dict[str, Any]:
    """Asks every part at once, so it takes as long as the slowest answers, a second at most."""
    children = sorted(mesh.children.values(), key=_place)
    edge = asyncio.ensure_future(http_ok(mesh.topology.ports.edge, "/health")())
    asked = asyncio.gather(*(child.ask() for child in children))
    roles = await asyncio.gather(*(_role(child) for child in children))
    whys = await asked
    table = Snapshot()
    return {
        "ready": mesh.started and await edge is None,
        "edge": mesh.topology.edge_url,
        "processes": [_row(*facts, table) for facts in zip(children, whys, roles, strict=True)],
        "replication": [],
        "supervisor": {"pid": os.getpid()} | _cost(_own(table)),
    }


def _place(child: Child) -> tuple[int, str, int]:
    name, _, number = child.part.name.rpartition("-")
    family, position = (name, int(number)) if number.isdigit() else (child.part.name, 0)
    return ORDER.index(child.part.kind), family, position


async def _role(child: Child) -> str | None:
    """Who takes writes, where that is a question."""
    if child.part.leads is None or child.identity is None:
        return None
    return "primary" if await child.part.leads() is None else "standby"


def _row(child: Child, why: str | None, role: str | None, table: Snapshot) -> dict[str, Any]:
    usage = table.usage(child.identity.pid) if child.identity else Usage(0.0, 0.0)
    return {
        "name": child.part.name,
        "kind": child.part.kind,
        "pid": child.identity.pid if child.identity else None,
        "address": str(child.part.address),
        "state": child.state,
        "role": role,
        "restarts": child.restarts,
        "detail": why,
        **_cost(usage),
    }


def _cost(usage: Usage) -> dict[str, float]:
    return {"cpu_seconds": round(usage.cpu_seconds, 2), "pss_mb": round(usage.pss_mb, 1)}


def _own(table: Snapshot) -> Usage:
    """The supervisor without its children."""
    return table.usage(os.getpid(), tree=False)


def stopped(edge_url: str) -> dict[str, Any]:
    """The same shape for a mesh that does not run."""
    return {"ready": False, "edge": edge_url, "processes": [], "replication": [], "supervisor": None}
