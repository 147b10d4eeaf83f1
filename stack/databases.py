"""The databases of the services: roles, ownership, and the schema that must stand before a service starts."""
# ruff: noqa: S608  every name in these statements is ours, and the secrets are hexadecimal

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from stack.parts import inherited, key, python, python_environment
from stack.topology import ROOT, Address

DATABASES = {"catalogo": "postgres-catalogo-1", "pedidos": "postgres-pedidos"}  # service -> its server
SEEDED = ("catalogo",)


@dataclass(frozen=True)
class Database:
    """The database of one service: `owner` holds the schema, `application` only works with it."""

    service: str
    address: Address  # of its server
    secrets: Mapping[str, str]

    @property
    def owner(self) -> str:
        return f"{self.service}_owner"

    @property
    def application(self) -> str:
        return f"{self.service}_app"

    def url(self, role: str) -> str:
        return f"postgresql://{role}:{self.secrets[role]}@{self.address}/{self.service}"

    def creation(self) -> str:
        """A psql script that makes both roles and the database, or finds them made."""
        roles = "".join(_role(role, self.secrets[role]) for role in (self.owner, self.application))
        return (
            roles + f"SELECT 'CREATE DATABASE {self.service} OWNER {self.owner}'"
            f" WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = '{self.service}') \\gexec\n"
            f"REVOKE ALL ON DATABASE {self.service} FROM PUBLIC;\n"
            f"GRANT CONNECT ON DATABASE {self.service} TO {self.application};\n"
        )

    def mark(self, fingerprint: str) -> str:
        """Remembers in the server itself, beside the data it speaks of, for which code the schema was made."""
        return f"COMMENT ON DATABASE {self.service} IS 'schema {fingerprint}';\n"

    def is_marked(self, fingerprint: str) -> str:
        """A query that answers `t` when that schema is in place."""
        return (
            f"SELECT count(*) = 1 FROM pg_database WHERE datname = '{self.service}'"
            f" AND shobj_description(oid, 'pg_database') = 'schema {fingerprint}';\n"
        )

    def migration(self) -> tuple[tuple[str, ...], dict[str, str]]:
        """Command line and environment that bring the schema to its head, with the seed where there is one."""
        seed = ("--seed",) if self.service in SEEDED else ()
        environment = python_environment() | {
            **inherited(self.service),
            key(self.service, "OWNER_URL"): self.url(self.owner),
            key(self.service, "DATABASE_URL"): self.url(self.application),
        }
        return python("-m", self.service, "migrate", *seed), environment


def _role(role: str, password: str) -> str:
    return (
        f"SELECT 'CREATE ROLE {role}' WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{role}') \\gexec\n"
        f"ALTER ROLE {role} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE PASSWORD '{password}';\n"
    )


def fingerprint(service: str) -> str:
    """Of everything in the service's folder, so that no migration or seed is ever forgotten.

    Whoever changes a file there pays for one migration more, which finds nothing to do.
    """
    digest = hashlib.sha256()
    for path in sorted((ROOT / service).rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            digest.update(f"{path.relative_to(ROOT)}\0{path.stat().st_size}\0".encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()[:16]
