"""Whatever dies comes back, or the next start clears it up; what is not ours is left alone."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest
import redis

from stack.processes import Identity, alive, identify
from tests.conftest import Mesh, assert_gone, wait_until

EVERY_PART = ["catalogo-1", "carrinho-1", "gateway-1", "envoy", "postgres-catalogo-1", "valkey"]


@pytest.mark.parametrize("name", EVERY_PART)
def test_a_part_that_is_killed_comes_back(shared: Mesh, name: str) -> None:
    before = shared.process(name)
    os.kill(before["pid"], signal.SIGKILL)
    wait_until(lambda: shared.process(name)["restarts"] == before["restarts"] + 1, seconds=20)
    wait_until(lambda: shared.process(name)["state"] == "serving", seconds=20)
    assert shared.process(name)["pid"] != before["pid"]
    wait_until(lambda: shared.status()["ready"], seconds=20)


def test_a_part_that_hangs_is_seen(shared: Mesh) -> None:
    pid = shared.process("carrinho-1")["pid"]
    os.kill(pid, signal.SIGSTOP)
    try:
        process = shared.process("carrinho-1")
        assert (process["state"], process["detail"]) == ("not_serving", "no answer")
    finally:
        os.kill(pid, signal.SIGCONT)
    wait_until(lambda: shared.process("carrinho-1")["state"] == "serving", seconds=10)


def test_a_dead_supervisor_takes_its_children_along_and_the_next_up_recovers(stand_in: Mesh) -> None:
    processes = stand_in.identities()
    os.kill(processes["supervisor"].pid, signal.SIGKILL)
    stand_in.up()
    assert_gone(processes)
    assert stand_in.status()["ready"]


@pytest.fixture
def left_behind(fresh: Mesh, monkeypatch: pytest.MonkeyPatch) -> dict[str, Identity]:
    """The processes of a mesh whose supervisor was killed; carrinho would not follow it."""
    monkeypatch.setenv("CARRINHO_STUBBORN", "1")
    fresh.up()
    monkeypatch.delenv("CARRINHO_STUBBORN")
    processes = fresh.identities()
    os.kill(processes["supervisor"].pid, signal.SIGKILL)
    wait_until(lambda: not alive(processes["gateway-1"]), seconds=20)
    assert alive(processes["carrinho-1"])
    return processes


def test_a_child_that_survives_its_supervisor_is_stopped_by_the_next_up(
    fresh: Mesh, left_behind: dict[str, Identity]
) -> None:
    fresh.up()
    assert_gone(left_behind)


def test_down_after_a_crash_stops_what_was_left(fresh: Mesh, left_behind: dict[str, Identity]) -> None:
    done = fresh.run("down")
    assert done.returncode == 0
    assert done.stdout.startswith("stopped what was left behind: ")
    assert "carrinho-1" in done.stdout
    assert_gone(left_behind)


def test_a_paused_part_does_not_outlive_its_supervisor(stand_in: Mesh) -> None:
    processes = stand_in.identities()
    for name in ("carrinho-1", "postgres-pedidos", "valkey"):
        os.kill(processes[name].pid, signal.SIGSTOP)
    os.kill(processes["supervisor"].pid, signal.SIGKILL)
    stand_in.up()
    assert_gone(processes)


def test_everything_killed_at_once_recovers_with_its_data(stand_in: Mesh) -> None:
    with redis.Redis(*stand_in.ports.valkey) as client:
        client.set("carrinho", "bolo")
    processes = stand_in.identities()
    for identity in (processes.pop("supervisor"), *processes.values()):
        os.kill(identity.pid, signal.SIGKILL)
    stand_in.up()
    assert stand_in.status()["ready"]
    with redis.Redis(*stand_in.ports.valkey) as client:
        assert client.get("carrinho") == b"bolo"


def test_an_acknowledged_write_survives_the_death_of_valkey(shared: Mesh) -> None:
    acknowledged, stop = [0], threading.Event()

    def write() -> None:
        with redis.Redis(*shared.ports.valkey) as client, contextlib.suppress(redis.ConnectionError):
            while not stop.is_set():
                client.set("n", acknowledged[0] + 1)
                acknowledged[0] += 1

    writer = threading.Thread(target=write)
    writer.start()
    wait_until(lambda: acknowledged[0] > 200, seconds=20)
    os.kill(shared.process("valkey")["pid"], signal.SIGKILL)
    stop.set()
    writer.join(timeout=20)
    wait_until(lambda: shared.process("valkey")["state"] == "serving", seconds=20)
    with redis.Redis(*shared.ports.valkey) as client:
        assert int(client.get("n") or 0) >= acknowledged[0]


def test_a_process_that_got_the_pid_of_a_dead_part_is_left_alone(stand_in: Mesh) -> None:
    stand_in.down()
    with _bystander() as pid:
        claimed = identify(pid)
        assert claimed is not None
        state = stand_in.folder / "state.json"
        stranger = [pid, "another life"]
        state.write_text(json.dumps({"supervisor": stranger, "socket": "/nowhere/s", "children": {"valkey": stranger}}))
        (stand_in.folder / "postgres-pedidos" / "data" / "postmaster.pid").write_text(f"{pid}\n/nowhere\n")
        stand_in.up()
        assert alive(claimed)


@contextlib.contextmanager
def _bystander() -> Iterator[int]:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        yield process.pid
        process.communicate(b"\n")


def test_a_damaged_state_file_is_no_obstacle(stand_in: Mesh) -> None:
    stand_in.down()
    (stand_in.folder / "state.json").write_text('{"supervisor": [1')
    stand_in.up()
    assert stand_in.status()["ready"]


def test_lost_secrets_are_missed_in_one_line(stand_in: Mesh) -> None:
    stand_in.down()
    secrets = stand_in.folder / "secrets.json"
    kept = secrets.read_text()
    secrets.write_text("")
    done = stand_in.run("up", "--detach")
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert str(secrets) in done.stderr
    assert "./confeitaria reset" in done.stderr
    secrets.write_text(kept)
    stand_in.up()


def test_data_of_another_postgresql_is_refused_in_one_line(stand_in: Mesh) -> None:
    stand_in.down()
    version = stand_in.folder / "postgres-catalogo-1" / "data" / "PG_VERSION"
    kept = version.read_text()
    version.write_text("9.6\n")
    done = stand_in.run("up", "--detach")
    assert done.returncode == 1
    assert "was written by PostgreSQL 9.6" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    version.write_text(kept)


def test_a_folder_with_files_of_others_is_refused(fresh: Mesh) -> None:
    fresh.folder.mkdir(parents=True)
    (fresh.folder / "tese.txt").touch()
    done = fresh.run("up", "--detach")
    assert done.returncode == 1
    assert "holds files that are not ours" in done.stderr
    assert list(fresh.folder.iterdir()) == [fresh.folder / "tese.txt"]


def test_an_initdb_that_was_cut_off_is_begun_again(fresh: Mesh) -> None:
    unfinished = fresh.folder / "postgres-catalogo-1" / "new-0123"
    (unfinished / "base").mkdir(parents=True)
    (fresh.folder / "confeitaria.json").write_text('{"format": 1}')
    fresh.up()
    assert not unfinished.exists()
    assert fresh.status()["ready"]
