"""The four services as parts: what each is told through its environment."""

from collections.abc import Mapping

from stack.databases import DATABASES, Database
from stack.home import Home
from stack.parts import Part, inherited, key, python, python_environment
from stack.probes import grpc_health
from stack.topology import SERVICES, Ports

# What of the neighbours each one is told of; Envoy's mesh listener is the only way from one service to another.
NEEDS = {
    "catalogo": ("database",),
    "carrinho": ("valkey", "mesh"),
    "pedidos": ("database", "valkey", "mesh"),
    "gateway": ("mesh", "edge"),
}
HEALTH = {"catalogo": "catalogo.leitura"}  # the name that says `serving`, where it is not the service's own
LEADS = {"catalogo": "catalogo.escrita"}  # the name that says `primary`


class Services:
    """Makes the parts of one mesh."""

    def __init__(self, home: Home, secrets: Mapping[str, str]) -> None:
        self._home, self._secrets, self._ports = home, secrets, Ports(home.offset)

    def database(self, service: str) -> Database:
        return Database(service, self._ports.postgres(DATABASES[service]), self._secrets)

    def part(self, service: str, number: int) -> Part:
        """Instances are counted from 1."""
        assert service in SERVICES
        name, address = f"{service}-{number}", self._ports.instance(service, number)
        told = {"LISTEN": str(address), "INSTANCE": name} | self._neighbours(service)
        return Part(
            name=name,
            kind=service,
            argv=python("-m", service),
            address=address,
            probe=grpc_health(address, HEALTH.get(service, service)),
            log=self._home.log(name),
            environment=python_environment()
            | inherited(service)
            | {key(service, name): value for name, value in told.items()},
            leads=grpc_health(address, LEADS[service]) if service in LEADS else None,
        )

    def _neighbours(self, service: str) -> dict[str, str]:
        known = {
            "valkey": {"REDIS_URL": f"redis://{self._ports.valkey}/0"},
            "mesh": {"MESH": str(self._ports.mesh)},
            "edge": {"EDGE_URL": f"http://{self._ports.edge}"},
        }
        if service in DATABASES:
            known["database"] = {
                "DATABASE_URL": self.database(service).url(f"{service}_app"),
                "PAGE_TOKEN_KEY": self._secrets[f"{service}_page_token_key"],
            }
        told = (known[need] for need in NEEDS[service])
        return {name: value for each in told for name, value in each.items()}
