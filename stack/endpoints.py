"""Which addresses stand behind each of Envoy's clusters, and the (EDS) files by which Envoy learns of a change.

Light on purpose: `scale` rewrites these files from the supervisor, which must not load what renders the configuration.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from stack.home import write_atomically
from stack.topology import Address, Topology

ENDPOINT_TYPE = "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment"
FOLDER = "endpoints"  # inside the folder of the bootstrap; nothing else is written there, because Envoy watches it


class Cluster(NamedTuple):
    """`priorities`: Envoy uses the first group with a healthy address, and an address of the next for a second try."""

    name: str
    health: str  # the name asked of grpc.health.v1
    priorities: Sequence[Sequence[Address]]

    @property
    def file(self) -> str:
        return f"{self.name}.json"


def clusters(mesh: Topology) -> list[Cluster]:
    """The clusters of a mesh: catalogo as reader and as writer, and one for each other service."""
    catalogo = mesh.instances["catalogo"]
    return [
        # all reads go to the first instance while it is healthy, so nobody reads older than what he has seen
        Cluster("catalogo_leitura", "catalogo.leitura", [catalogo[:1], catalogo[1:]]),
        # only the instance beside the writable database says that it serves this name
        Cluster("catalogo_escrita", "catalogo.escrita", [catalogo]),
        *(Cluster(name, name, [mesh.instances[name]]) for name in ("carrinho", "pedidos", "gateway")),
    ]


def assignment(cluster: Cluster) -> dict[str, object]:
    """The cluster's addresses as an envoy.config.endpoint.v3.ClusterLoadAssignment in JSON."""
    groups = [
        {"priority": priority, "lb_endpoints": [_endpoint(address) for address in addresses]}
        for priority, addresses in enumerate(cluster.priorities)
        if addresses
    ]
    return {"cluster_name": cluster.name, "endpoints": groups}


def _endpoint(address: Address) -> dict[str, object]:
    return {"endpoint": {"address": {"socket_address": {"address": address.host, "port_value": address.port}}}}


def write_endpoints(mesh: Topology, folder: Path) -> None:
    """Writes one file a cluster into `folder`; Envoy takes each over as it is renamed into place, without a restart.

    Before an instance is stopped, write the files without it; after one has started, with it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for cluster in clusters(mesh):
        found = {"@type": ENDPOINT_TYPE, **assignment(cluster)}
        text = json.dumps(found, sort_keys=True)
        version = hashlib.sha256(text.encode()).hexdigest()[:12]
        # not forced to disk: the files are written anew at every start
        write_atomically(
            folder / cluster.file, json.dumps({"version_info": version, "resources": [found]}, indent=1), durable=False
        )
