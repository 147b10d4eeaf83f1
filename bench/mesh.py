"""The running mesh that is measured: its processes, its addresses, and its databases with their secrets."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from stack.topology import ROOT

TOOLS = ROOT / ".confeitaria" / "tools"


@dataclass(frozen=True)
class Mesh:
    """What `status --json` and the data folder tell of it."""

    status: dict[str, Any]
    secrets: dict[str, str]

    @property
    def edge(self) -> str:
        """host:port, for gRPC."""
        return str(self.status["edge"]).removeprefix("http://")

    @property
    def pids(self) -> dict[str, int]:
        """Every process that runs, by name."""
        return {process["name"]: process["pid"] for process in self.status["processes"]}

    def address(self, name: str) -> str:
        """host:port of a process."""
        return next(str(process["address"]) for process in self.status["processes"] if process["name"] == name)

    def database(self, role: str) -> str:
        """The URL of the database of the role's service: `catalogo_app`, `pedidos_owner`."""
        name = role.partition("_")[0]
        instance = {"catalogo": "postgres-catalogo-1", "pedidos": "postgres-pedidos"}[name]
        return f"postgresql://{role}:{self.secrets[role]}@{self.address(instance)}/{name}"


def running(offset: int) -> Mesh:
    """The mesh at this port offset, in the data folder that CONFEITARIA_HOME names; ClickException when none runs."""
    command = [sys.executable, "-m", "stack", "status", "--json", "--port-offset", str(offset)]
    done = subprocess.run(command, capture_output=True, cwd=ROOT, check=False)  # noqa: S603  our own command
    if done.returncode:
        raise click.ClickException("the mesh does not run: ./confeitaria up --detach")
    home = Path(os.environ.get("CONFEITARIA_HOME") or ROOT / ".confeitaria")
    if offset:
        home /= f"offset-{offset}"
    return Mesh(json.loads(done.stdout), json.loads((home / "secrets.json").read_text()))
