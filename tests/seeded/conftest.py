"""Says at the end which bug was caught by which test."""

from __future__ import annotations

import pytest

SEEDED = "::test_a_seeded_bug_is_caught["


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    passed = terminalreporter.getreports("passed")
    caught = [pair for report in passed if SEEDED in report.nodeid for pair in report.user_properties]
    if caught:
        terminalreporter.section("seeded bugs and the tests that caught them")
        width = max(len(bug) for bug, _ in caught)
        for bug, test in caught:
            terminalreporter.line(f"{bug.ljust(width)}  {test}")
