"""`check`: every step runs, whatever fails."""

import pytest

from stack.cli import check


def test_all_steps_run_and_each_gets_a_line_although_one_fails(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(check, "STEPS", {"before": lambda: None, "broken": lambda: "a\nb", "after": lambda: None})
    assert check.check() == 1
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:2] for line in lines if not line.startswith("    ")] == [
        ["ok", "before"],
        ["FAILED", "broken"],
        ["ok", "after"],
    ]
    assert "    a" in lines
    assert "    b" in lines


def test_without_a_finding_all_is_well(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check, "STEPS", {"one": lambda: None})
    assert check.check() == 0


def test_a_command_that_fails_tells_what_it_said() -> None:
    assert check._command(["sh", "-c", "echo out; echo err >&2; exit 3"])() == "out\nerr"
    assert check._command(["sh", "-c", "exit 3"])() == "exit code 3"
    assert check._command(["sh", "-c", "echo noise"])() is None
