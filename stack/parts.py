"""A part of the mesh, to the supervisor: a command line, a place, a way to ask whether it serves, a way to stop it."""

import os
import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from stack.account import Account
from stack.probes import Probe
from stack.processes import Signals
from stack.topology import ROOT, Address

STUBS = ROOT / "protos" / "python"
# A service drains for 0.8 s, then gives calls under way 5 s (DRAIN_SECONDS, GRACE_SECONDS): 8 s is beyond both.
GENTLE: Signals = ((signal.SIGTERM, 8.0), (signal.SIGKILL, 5.0))
# Of the user's environment only this much reaches a part: a proxy meant for the web would break gRPC on the loopback.
KEPT = ("PATH", "HOME", "USER", "LANG", "LC_ALL", "TMPDIR", "TZ")


@dataclass(frozen=True)
class Part:
    """One process of the mesh. `kind` is its service for services, else the program's name."""

    name: str
    kind: str
    argv: tuple[str, ...]
    address: Address
    probe: Probe
    log: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    stop: Signals = GENTLE
    account: Account = field(default_factory=Account)
    leads: Probe | None = None  # answers None when this one is the primary; parts without roles have none


def base_environment(environment: Mapping[str, str] | None = None) -> dict[str, str]:
    """What every process we start is given: little, so that it runs the same on every machine."""
    given = os.environ if environment is None else environment
    return {key: given[key] for key in KEPT if key in given}


def python(*arguments: str) -> tuple[str, ...]:
    """A command line for our own code; -P: the folder one happens to stand in is no place to import from."""
    return (sys.executable, "-P", *arguments)


# grpcio 1.85 polls by its EventEngine, at the price of a thread switch a message; its older poller serves a call
# with less CPU (tests/conformance/cpu_per_call.py). Read when grpc is imported, so it stands in the environment.
GRPC_POLLER = "-event_engine_listener,-event_engine_client,-event_engine_for_all_other_endpoints"


def python_environment(environment: Mapping[str, str] | None = None) -> dict[str, str]:
    """Our own code is found whatever .pth the interpreter has."""
    return base_environment(environment) | {
        "PYTHONPATH": f"{ROOT}{os.pathsep}{STUBS}",
        "PYTHONUNBUFFERED": "1",
        "MALLOC_ARENA_MAX": "2",  # glibc would take an arena a thread, tens of MB in all
        "GRPC_EXPERIMENTS": GRPC_POLLER,
    }


def key(service: str, name: str) -> str:
    return f"{service.upper()}_{name}"


def inherited(service: str) -> dict[str, str]:
    """Settings of the service that the user gave in the environment (CARRINHO_LOG_LEVEL=debug)."""
    return {name: value for name, value in os.environ.items() if name.startswith(key(service, ""))}
