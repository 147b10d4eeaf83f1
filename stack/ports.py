"""Ports: whether they are free, who sits on one that is not, and keeping ours while the mesh runs."""

import asyncio
import errno
import socket
import time
from collections.abc import Iterable, Mapping

from stack.processes import LINUX
from stack.topology import POSTGRES, Address, Topology

# How long a connection that sits on one of our ports is waited for: Linux keeps a closed one's port for 60 s.
PASSING_SECONDS = 65.0


class PortTaken(Exception):  # noqa: N818  named after what happened
    """A foreign program listens where a part of the mesh must."""

    def __init__(self, name: str, address: Address) -> None:
        self.name, self.address = name, address
        who = holder(address)
        super().__init__(
            f"port {address.port} ({name}) is taken by {who}: stop it, or take others with --port-offset N"
        )


def holder(address: Address) -> str:
    """The program that listens there, as far as we may know: `nginx (pid 12)` or `another program`."""
    import psutil  # only when something is wrong

    try:
        for connection in psutil.net_connections("tcp"):
            listens = connection.status == psutil.CONN_LISTEN and connection.laddr[1:] == (address.port,)
            if listens and connection.pid:
                return f"{psutil.Process(connection.pid).name()} (pid {connection.pid})"
    except (psutil.Error, OSError):
        pass  # other people's sockets are not ours to name
    return "another program"


def _bind(address: Address) -> socket.socket | None:
    """A bound socket that does not listen, or None when somebody else is there."""
    claim = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    claim.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # connections of a mesh just stopped are no obstacle
    try:
        claim.bind(address)
    except OSError as error:
        claim.close()
        if error.errno in (errno.EADDRINUSE, errno.EACCES):
            return None
        raise
    return claim


def is_free(address: Address) -> bool:
    claim = _bind(address)
    if claim:
        claim.close()
    return claim is not None


def is_listening(address: Address) -> bool:
    with socket.socket() as caller:
        caller.settimeout(0.2)  # loopback: a listener that takes longer has a full queue, and is one
        return caller.connect_ex(address) != errno.ECONNREFUSED


class Claims:
    """Checks ports and, on Linux, keeps them bound (not listening) while the mesh runs.

    Our service ports lie in the range from which the kernel takes the local ports of outgoing connections, so a busy
    mesh would now and then find the port of a part that restarts in use by a passing connection. A bound socket with
    SO_REUSEADDR takes the port out of that range and yet lets the part, which sets the same option, listen on it.
    """

    def __init__(self) -> None:
        self._claims: dict[Address, socket.socket] = {}

    def take(self, wanted: Mapping[str, Address]) -> dict[str, Address]:
        """Keeps all of `wanted` (name -> address) that are free; raises PortTaken for one that a program listens on.

        No part of ours may listen on any of them yet. Gives those on which nobody listens and which are not free all
        the same: the local ends of passing connections.
        """
        passing = {name: address for name, address in wanted.items() if not self._claim(address)}
        for name, address in wanted.items():  # also those we keep: a stranger may listen there as well as our own part
            if is_listening(address):
                raise PortTaken(name, address)
        return passing

    async def wait(self, passing: Mapping[str, Address]) -> None:
        """Takes what `take` could not; raises PortTaken for one that its connection holds for too long."""
        deadline = time.monotonic() + PASSING_SECONDS
        while passing := self.take(passing):
            if time.monotonic() > deadline:
                raise PortTaken(*next(iter(passing.items())))
            await asyncio.sleep(0.1)

    def reserve(self, addresses: Iterable[Address]) -> None:
        """Ports that may be wanted later: those that are free now are kept, the others are left alone."""
        for address in addresses:
            self._claim(address)

    def _claim(self, address: Address) -> bool:
        if address in self._claims:
            return True
        claim = _bind(address)
        if claim is not None:
            self._keep(address, claim)
        return claim is not None

    def _keep(self, address: Address, claim: socket.socket) -> None:
        if LINUX:
            self._claims[address] = claim
        else:
            claim.close()  # elsewhere a bound socket would keep the part itself out

    def release(self) -> None:
        for claim in self._claims.values():
            claim.close()
        self._claims.clear()


def wanted(mesh: Topology) -> dict[str, Address]:
    """Every port a mesh listens on, by the name of its part."""
    found = {"envoy, edge": mesh.ports.edge, "envoy, mesh": mesh.ports.mesh, "envoy, admin": mesh.ports.admin}
    found |= {"valkey": mesh.ports.valkey} | {name: mesh.ports.postgres(name) for name in POSTGRES}
    for service, addresses in mesh.instances.items():
        found |= {f"{service}-{number}": address for number, address in enumerate(addresses, 1)}
    return found
