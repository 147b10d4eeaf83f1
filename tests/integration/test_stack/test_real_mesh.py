"""The mesh with its real services: what it costs, and that only this machine reaches it."""

import json
from urllib.request import urlopen

import psutil

from stack.processes import Snapshot
from tests.conftest import Mesh


def test_every_part_serves_and_so_does_the_edge(mesh: Mesh) -> None:
    told = mesh.status()
    assert told["ready"]
    assert {process["state"] for process in told["processes"]} == {"serving"}
    with urlopen(f"{mesh.edge}/health", timeout=5) as answer:  # noqa: S310  our own edge
        assert json.load(answer)["status"] == "SERVING"


def test_the_whole_mesh_fits_in_500_mb_and_its_supervisor_in_30(mesh: Mesh) -> None:
    told = mesh.status()
    parts = {process["name"]: process["pss_mb"] for process in told["processes"]}
    assert told["supervisor"]["pss_mb"] < 30
    assert sum(parts.values()) + told["supervisor"]["pss_mb"] < 500, parts


def test_nothing_listens_beyond_the_loopback(mesh: Mesh) -> None:
    table = Snapshot()
    pids = {pid for identity in mesh.identities().values() for pid in table.tree(identity.pid)}
    listening = {
        connection.laddr[0].removeprefix("::ffff:")  # how IPv6 writes an IPv4 address
        for connection in psutil.net_connections("inet")
        if connection.pid in pids and connection.status == psutil.CONN_LISTEN and connection.laddr
    }
    assert listening == {"127.0.0.1"}
