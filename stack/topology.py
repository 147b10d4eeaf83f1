"""Who listens where: the ports of DESIGN section 5 under an offset, the instances of each service, the folders.

Pure data, imported by everybody (supervisor, rendering of Envoy's configuration, tests): it imports nothing of ours.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

HOST = "127.0.0.1"
ROOT = Path(__file__).resolve().parent.parent  # the repository

FIRST_PORT = 1024  # below it only root may listen
PORT_COUNT = 64512
MAX_INSTANCES = 10

FIRST_INSTANCE = {"catalogo": 50051, "carrinho": 50061, "pedidos": 50071, "gateway": 50081}
SERVICES = tuple(FIRST_INSTANCE)
EDGE, MESH, ADMIN, VALKEY = 8080, 8081, 9901, 63791
POSTGRES = {"postgres-catalogo-1": 54321, "postgres-pedidos": 54331}


def shift(base: int, offset: int) -> int:
    """The port that `base` becomes; wraps, so that every offset from 0 to 64511 gives ports in 1024..65535."""
    return FIRST_PORT + (base + offset - FIRST_PORT) % PORT_COUNT


class Address(NamedTuple):
    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


@dataclass(frozen=True)
class Ports:
    """Every port of one mesh, already shifted."""

    offset: int = 0

    def _at(self, base: int) -> Address:
        return Address(HOST, shift(base, self.offset))

    @property
    def edge(self) -> Address:
        return self._at(EDGE)

    @property
    def mesh(self) -> Address:
        return self._at(MESH)

    @property
    def admin(self) -> Address:
        return self._at(ADMIN)

    @property
    def valkey(self) -> Address:
        return self._at(VALKEY)

    def postgres(self, name: str) -> Address:
        """`name` as in the status: postgres-catalogo-1, postgres-pedidos."""
        return self._at(POSTGRES[name])

    def instance(self, service: str, number: int) -> Address:
        """Instances are counted from 1, MAX_INSTANCES at most."""
        return self._at(FIRST_INSTANCE[service] + number - 1)

    def instances(self, service: str, count: int) -> list[Address]:
        return [self.instance(service, number) for number in range(1, count + 1)]


@dataclass(frozen=True)
class Topology:
    """What Envoy and the status need to know of a mesh. `instances[service]` is in order: catalogo-1 first."""

    ports: Ports
    instances: Mapping[str, Sequence[Address]]
    home: Path

    @property
    def envoy_folder(self) -> Path:
        """Where the bootstrap and the endpoint (EDS) files of Envoy are written."""
        return self.home / "envoy"

    @property
    def logs(self) -> Path:
        return self.home / "logs"

    @property
    def edge_url(self) -> str:
        return f"http://{self.ports.edge}"


def topology(offset: int, counts: Mapping[str, int], home: Path) -> Topology:
    """`counts` says how many instances of each service run; one that is missing has one."""
    ports = Ports(offset)
    return Topology(ports, {name: ports.instances(name, counts.get(name, 1)) for name in SERVICES}, home)
