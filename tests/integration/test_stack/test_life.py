"""A mesh from its first start to its last: what is started, seen, kept, stopped."""

import json
import os
import signal
import socket
import subprocess
from pathlib import Path

import psycopg2
import pytest
import redis

from stack.processes import identify
from tests.conftest import Mesh, assert_gone, assert_ports_free, free_offset, wait_until


def test_a_started_mesh_serves_and_says_what_it_runs(shared: Mesh) -> None:
    told = shared.status()
    assert told["ready"] is True
    assert told["edge"] == shared.edge
    assert told["replication"] == []
    names = [process["name"] for process in told["processes"]]
    assert names == [
        "catalogo-1",
        "carrinho-1",
        "pedidos-1",
        "gateway-1",
        "envoy",
        "postgres-catalogo-1",
        "postgres-pedidos",
        "valkey",
    ]
    for process in told["processes"]:
        assert process["state"] == "serving", process
        assert process["pid"] > 0
        assert process["restarts"] >= 0
        assert process["pss_mb"] > 1
        assert process["cpu_seconds"] >= 0
    assert shared.process("catalogo-1")["role"] == "primary"
    assert shared.process("catalogo-1")["address"] == str(shared.ports.instance("catalogo", 1))


def test_the_status_for_people_names_every_part(shared: Mesh) -> None:
    done = shared.run("status")
    assert done.returncode == 0
    assert all(name in done.stdout for name in ("catalogo-1", "postgres-pedidos", "valkey", shared.edge, "PSS MB"))


def test_a_mesh_that_does_not_run_says_so(fresh: Mesh) -> None:
    done = fresh.run("status", "--json")
    assert done.returncode == 1
    assert json.loads(done.stdout) == {
        "ready": False,
        "edge": fresh.edge,
        "processes": [],
        "replication": [],
        "supervisor": None,
    }
    assert fresh.run("down").stdout == "nothing is running\n"
    assert "not running" in fresh.run("status").stdout


def test_a_second_up_is_refused_in_one_line(shared: Mesh) -> None:
    done = shared.run("up", "--detach")
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert f"already running at {shared.edge}" in done.stderr
    assert shared.status()["ready"]


def test_of_two_ups_at_once_one_runs_the_mesh_and_the_other_says_why_not(fresh: Mesh) -> None:
    both = [_start(fresh, "up", "--detach") for _ in range(2)]
    outcomes = {process.wait(timeout=60): process.communicate()[1] for process in both}
    assert sorted(outcomes) == [0, 1]
    assert len(outcomes[1].splitlines()) == 1, outcomes[1]
    assert fresh.status()["ready"]


def test_data_survives_down_and_up(stand_in: Mesh) -> None:
    _write(stand_in)
    stand_in.down()
    stand_in.up()
    assert _read(stand_in) == ("um bolo", b"um carrinho")


def test_an_unchanged_schema_is_not_migrated_again(stand_in: Mesh) -> None:
    stand_in.down()
    stand_in.up()
    with psycopg2.connect(_database(stand_in, "catalogo_owner")) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM migrations")
        assert cursor.fetchone() == (1,)


def test_a_foreign_program_on_a_port_is_named(fresh: Mesh) -> None:
    with socket.create_server(fresh.ports.mesh):
        done = fresh.run("up", "--detach")
    assert done.returncode == 1
    assert f"port {fresh.ports.mesh.port} (envoy, mesh) is taken by " in done.stderr
    assert str(os.getpid()) in done.stderr
    assert "--port-offset" in done.stderr


def test_a_service_that_does_not_start_fails_the_start_with_the_end_of_its_log(fresh: Mesh) -> None:
    broken = subprocess.run(
        fresh.command("up", "--detach"),
        env=fresh.environment | {"CARRINHO_BROKEN": "1"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert broken.returncode == 1
    assert "carrinho-1 does not stay up (exit code 1)" in broken.stderr
    assert "carrinho is broken on purpose" in broken.stderr
    assert_ports_free(fresh)


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_a_mesh_in_the_foreground_ends_with_its_owner(fresh: Mesh, ending: signal.Signals) -> None:
    owner = _start(fresh, "up")
    wait_until(lambda: fresh.status()["ready"], seconds=60)
    processes = fresh.identities()
    owner.send_signal(ending)
    assert owner.wait(timeout=20) == (-ending if ending == signal.SIGKILL else 0)
    wait_until(lambda: identify(processes["supervisor"].pid) is None, seconds=20)
    assert_gone(processes)
    assert_ports_free(fresh)
    owner.communicate()


def test_a_start_that_is_broken_off_leaves_nothing(fresh: Mesh) -> None:
    owner = _start(fresh, "up", "--detach")
    wait_until(lambda: fresh.status()["processes"], seconds=30)
    processes = fresh.identities()
    owner.send_signal(signal.SIGINT)
    owner.wait(timeout=20)
    owner.communicate()
    wait_until(lambda: identify(processes["supervisor"].pid) is None, seconds=20)
    assert_gone(processes)


def test_down_stops_a_supervisor_that_hangs(stand_in: Mesh) -> None:
    processes = stand_in.identities()
    os.kill(processes["supervisor"].pid, signal.SIGSTOP)
    done = stand_in.run("down")
    assert done.returncode == 0, done.stderr
    assert_gone(processes)


def test_reset_deletes_the_data_and_nothing_else(stand_in: Mesh) -> None:
    beside = stand_in.folder / "um bilhete.txt"
    beside.touch()
    assert stand_in.run("reset").returncode == 2
    assert stand_in.status()["ready"]
    assert stand_in.run("reset", "--yes").returncode == 0
    assert list(stand_in.folder.iterdir()) == [beside]


def test_logs_print_what_a_part_said(shared: Mesh) -> None:
    done = shared.run("logs", "postgres-pedidos", "-n", "1")
    assert done.returncode == 0
    assert done.stdout.endswith("ready to accept connections\n")
    assert len(done.stdout.splitlines()) == 1
    wrong = shared.run("logs", "postgres")
    assert wrong.returncode == 2
    assert "postgres-catalogo-1" in wrong.stderr


def test_two_meshes_run_side_by_side(shared: Mesh, tmp_path: Path) -> None:
    other = Mesh(tmp_path / "outros dados", free_offset(), shared.root)
    other.up()
    try:
        assert other.status()["ready"]
        assert shared.status()["ready"]
    finally:
        other.down()
    assert shared.status()["ready"]


def _start(mesh: Mesh, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        mesh.command(*arguments), env=mesh.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def _database(mesh: Mesh, role: str) -> str:
    secrets = json.loads((mesh.folder / "secrets.json").read_text())
    return f"postgresql://{role}:{secrets[role]}@{mesh.ports.postgres('postgres-catalogo-1')}/catalogo"


def _valkey(mesh: Mesh) -> "redis.Redis":
    return redis.Redis(*mesh.ports.valkey)


def _write(mesh: Mesh) -> None:
    with psycopg2.connect(_database(mesh, "catalogo_owner")) as connection, connection.cursor() as cursor:
        cursor.execute("CREATE TABLE bolos AS SELECT 'um bolo' AS nome")
    with _valkey(mesh) as client:
        client.set("carrinho", "um carrinho")


def _read(mesh: Mesh) -> tuple[object, object]:
    with psycopg2.connect(_database(mesh, "catalogo_owner")) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT nome FROM bolos")
        (nome,) = cursor.fetchone() or (None,)
    with _valkey(mesh) as client:
        return nome, client.get("carrinho")
