"""Envoy as a part of the mesh; its configuration is written by a process of its own (stack/render.py)."""

import hashlib
import json
import sys
from pathlib import Path

from stack.commands import run
from stack.home import Home, read_json, write_atomically
from stack.parts import Part, base_environment, python, python_environment
from stack.probes import http_ok
from stack.topology import ROOT, Topology

SOURCES = ("envoy/*", "stack/envoy.py", "stack/endpoints.py", "stack/topology.py", "protos/python/confeitaria/*.binpb")


def bootstrap(mesh: Topology) -> Path:
    return mesh.envoy_folder / "bootstrap.yaml"


async def render(mesh: Topology) -> list[str]:
    """Writes bootstrap and endpoints and gives Envoy's command line.

    In a process of its own, because the template engine would stay in the supervisor's memory; what was written by an
    earlier start is used again when nothing it was made from has changed.
    """
    counts = [f"{service}={len(addresses)}" for service, addresses in mesh.instances.items()]
    arguments = (str(mesh.home), str(mesh.ports.offset), *counts)
    kept, made_from = mesh.envoy_folder / "command.json", _fingerprint(arguments)
    known = read_json(kept)
    if known.get("made_from") != made_from or not bootstrap(mesh).exists():
        command = python("-m", "stack.render", *arguments)
        output = await run("rendering Envoy's configuration", command, environment=python_environment())
        known = {"made_from": made_from, "command": output.splitlines()}
        write_atomically(kept, json.dumps(known), durable=False)
    found = known["command"]
    assert isinstance(found, list)
    return found


def _fingerprint(arguments: tuple[str, ...]) -> str:
    digest = hashlib.sha256("\0".join((sys.prefix, *arguments)).encode())
    for path in sorted(path for pattern in SOURCES for path in ROOT.glob(pattern) if path.is_file()):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def part(home: Home, mesh: Topology, command: list[str]) -> Part:
    return Part(
        name="envoy",
        kind="envoy",
        argv=tuple(command),
        address=mesh.ports.edge,
        probe=http_ok(mesh.ports.admin, "/ready"),
        log=home.log("envoy"),
        environment=base_environment(),
    )
