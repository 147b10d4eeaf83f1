"""Starting: what is wrong is said in clear lines, with an exit code; what is logged can be read by machines."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

from tests.conformance.conftest import Start
from tests.conformance.running import ROOT, wait_until


def test_a_taken_port_is_one_clear_line(start: Start) -> None:
    first = start().ready()
    second = start(listen=first.target)
    assert second.exit_code(20) == 1
    lines = second.log.read_text().splitlines()
    assert lines[-1] == f"eco-1: cannot listen on {first.target}: Address already in use"
    assert len(lines) == 2  # the other is for the log
    assert json.loads(lines[0])["event"] == "cannot start"


def test_every_bad_key_is_named_at_once(start: Start) -> None:
    running = start(listen="nowhere", log_level="loud", drain_seconds=-1, max_message_bytes="many", tls_cert="/none")
    assert running.exit_code(20) == 2
    lines = running.log.read_text().splitlines()
    keys = ("ECO_LISTEN", "ECO_LOG_LEVEL", "ECO_DRAIN_SECONDS", "ECO_MAX_MESSAGE_BYTES", "ECO_TLS_CERT")
    assert [line.partition(":")[0] for line in lines] == list(keys)


def test_certificates_that_are_none_are_one_clear_line(start: Start, tmp_path: Path) -> None:
    noise = tmp_path / "noise.pem"
    noise.write_text("noise")
    running = start(tls_cert=noise, tls_key=noise)
    assert running.exit_code(20) == 1
    assert "eco-1: cannot listen on" in running.log.read_text().splitlines()[-1]


def test_a_signal_while_it_starts_ends_it_in_order(start: Start) -> None:
    running = start()
    wait_until(lambda: _catches_sigterm(running.pid), 20.0, "Python runs")
    running.signal(signal.SIGTERM)
    assert running.exit_code() == 0


def test_a_log_for_people(start: Start) -> None:
    running = start(log_format="console")
    wait_until(lambda: "serving" in running.log.read_text(), 20.0, "it serves")
    assert "{" not in running.log.read_text()


def test_every_line_of_the_log_is_json_with_the_same_keys(start: Start) -> None:
    running = start().ready()
    running.signal(signal.SIGTERM)
    assert running.exit_code() == 0
    records = running.records()
    assert all({"time", "level", "instance", "event"} <= record.keys() for record in records)
    assert {record["instance"] for record in records} == {"eco-1"}


def test_importing_the_chassis_does_nothing() -> None:
    script = (
        "import threading, chassis.process, chassis.server, chassis.client, chassis.postgres, chassis.validation\n"
        "assert threading.active_count() == 1\n"
    )
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-c", script], check=True, timeout=30, env=environment)


def _catches_sigterm(pid: int) -> bool:
    """Whether the process has a handler for SIGTERM (bit 14 of SigCgt)."""
    status = Path(f"/proc/{pid}/status").read_text()
    caught = int(next(line for line in status.splitlines() if line.startswith("SigCgt")).split()[1], 16)
    return bool(caught >> (signal.SIGTERM - 1) & 1)
