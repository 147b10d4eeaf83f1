"""The files by which Envoy learns who is there."""

import json
from pathlib import Path

from stack.endpoints import clusters, write_endpoints
from stack.topology import topology


def addresses(path: Path) -> dict[int, list[int]]:
    """Ports by priority."""
    (assignment,) = json.loads(path.read_text())["resources"]
    return {
        group["priority"]: [
            each["endpoint"]["address"]["socket_address"]["port_value"] for each in group["lb_endpoints"]
        ]
        for group in assignment["endpoints"]
    }


def test_reads_prefer_the_first_instance_and_writes_know_all(tmp_path: Path) -> None:
    write_endpoints(topology(0, {"catalogo": 3}, tmp_path), tmp_path)
    assert addresses(tmp_path / "catalogo_leitura.json") == {0: [50051], 1: [50052, 50053]}
    assert addresses(tmp_path / "catalogo_escrita.json") == {0: [50051, 50052, 50053]}


def test_every_cluster_has_one_file_and_nothing_is_left_beside_them(tmp_path: Path) -> None:
    mesh = topology(7, {"carrinho": 2}, tmp_path)
    write_endpoints(mesh, tmp_path)
    write_endpoints(mesh, tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {each.file for each in clusters(mesh)}
    assert addresses(tmp_path / "carrinho.json") == {0: [50068, 50069]}


def test_the_version_changes_with_the_addresses_and_only_with_them(tmp_path: Path) -> None:
    def version(count: int) -> str:
        write_endpoints(topology(0, {"pedidos": count}, tmp_path), tmp_path)
        found: str = json.loads((tmp_path / "pedidos.json").read_text())["version_info"]
        return found

    assert version(1) == version(1) != version(2)


def test_a_service_without_instances_is_an_empty_cluster(tmp_path: Path) -> None:
    write_endpoints(topology(0, {"gateway": 0, "catalogo": 0}, tmp_path), tmp_path)
    assert addresses(tmp_path / "gateway.json") == {}
    assert addresses(tmp_path / "catalogo_leitura.json") == {}
