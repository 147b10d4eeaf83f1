"""The table at the end of a run: each fault beside the part whose death came before it."""

from __future__ import annotations

from tests.faults.campaign import Report, table
from tests.faults.checker import Fault, Violation
from tests.faults.history import Answer, History, Kind, Operation, Outcome
from tests.faults.killer import Kill


def _bought(ended: float, *outcomes: Outcome) -> Operation:
    return Operation(Kind.COMPRAR, "k", "REST", answers=[Answer(outcome, ended=ended) for outcome in outcomes])


def _row(told: str, name: str) -> list[str]:
    return next(line.split()[1:8] for line in told.splitlines() if line.split()[0] == name)


def test_doubts_and_faults_stand_beside_the_part_that_was_killed_before() -> None:
    quiet, doubtful = _bought(5.0, Outcome.OK), _bought(25.0, Outcome.MAYBE, Outcome.OK)
    report = Report(7, History([quiet, doubtful]), kills=[Kill("valkey", 10.0, 1.5), Kill("pedidos-1", 20.0, 2.5)])
    report.violations = [Violation(Fault.LOST, "an order", doubtful), Violation(Fault.STUCK, "something")]
    told = table(report)
    assert _row(told, "valkey") == ["1", "0", "0", "0", "0", "0", "0"]
    assert _row(told, "pedidos-1") == ["1", "1", "1", "0", "0", "0", "0"]
    assert _row(told, "-") == ["0", "0", "0", "0", "0", "1", "0"]
    assert _row(told, "all") == ["2", "1", "1", "0", "0", "1", "0"]
    assert "2 orders" in told
    assert "0 double clicks" in told
    assert "seed 7" in told
    assert "lost: an order" in told
