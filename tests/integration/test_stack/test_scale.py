"""More and fewer instances of a service while the mesh runs."""

import json
import socket
import threading
from urllib.request import urlopen

from tests.conftest import Mesh, assert_gone


def _names(mesh: Mesh, kind: str) -> list[str]:
    return [each["name"] for each in mesh.status()["processes"] if each["kind"] == kind]


def _endpoints(mesh: Mesh, cluster: str) -> set[int]:
    """The ports Envoy is told of."""
    (resource,) = json.loads((mesh.folder / "envoy" / "endpoints" / f"{cluster}.json").read_text())["resources"]
    groups = resource["endpoints"]
    return {
        each["endpoint"]["address"]["socket_address"]["port_value"]
        for group in groups
        for each in group["lb_endpoints"]
    }


def test_instances_are_added_told_to_envoy_kept_over_a_restart_and_taken_away(shared: Mesh) -> None:
    mesh = shared
    done = mesh.run("scale", "carrinho=3", "catalogo=2")
    assert done.returncode == 0, done.stderr
    assert _names(mesh, "carrinho") == ["carrinho-1", "carrinho-2", "carrinho-3"]
    assert _names(mesh, "catalogo") == ["catalogo-1", "catalogo-2"]
    assert _endpoints(mesh, "carrinho") == {address.port for address in mesh.ports.instances("carrinho", 3)}

    mesh.down()
    mesh.up()
    assert _names(mesh, "carrinho") == ["carrinho-1", "carrinho-2", "carrinho-3"]

    leaving = {name: identity for name, identity in mesh.identities().items() if name in ("carrinho-2", "carrinho-3")}
    assert mesh.run("scale", "carrinho=1", "catalogo=1").returncode == 0
    assert_gone(leaving)
    assert _names(mesh, "carrinho") == ["carrinho-1"]
    assert _endpoints(mesh, "carrinho") == {mesh.ports.instance("carrinho", 1).port}
    assert mesh.status()["ready"]


def test_scaling_up_and_down_loses_no_request(shared: Mesh) -> None:
    mesh, stop, answers = shared, threading.Event(), list[int]()

    def ask() -> None:
        while not stop.is_set():
            with urlopen(f"{mesh.edge}/health", timeout=5) as answer:  # noqa: S310  our own edge
                answers.append(answer.status)

    client = threading.Thread(target=ask)
    client.start()
    try:
        assert mesh.run("scale", "gateway=3").returncode == 0
        assert mesh.run("scale", "gateway=1").returncode == 0
    finally:
        stop.set()
        client.join(timeout=10)
    assert len(answers) > 100
    assert set(answers) == {200}


def test_a_scale_that_fails_leaves_things_as_they_were(shared: Mesh) -> None:
    mesh = shared
    with socket.create_server(mesh.ports.instance("pedidos", 2)):
        done = mesh.run("scale", "pedidos=2")
    assert done.returncode == 1
    assert f"port {mesh.ports.instance('pedidos', 2).port} (pedidos-2) is taken by" in done.stderr
    assert _names(mesh, "pedidos") == ["pedidos-1"]
    assert mesh.status()["ready"]


def test_a_scale_while_stopped_counts_from_the_next_start(fresh: Mesh) -> None:
    assert fresh.run("scale", "pedidos=2").returncode == 0
    fresh.up()
    assert _names(fresh, "pedidos") == ["pedidos-1", "pedidos-2"]
