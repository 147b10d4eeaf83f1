"""A pytest plugin, `-p tests.seeded.outcomes`: writes what became of each test, for another pytest to read."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

FILE = "CONFEITARIA_OUTCOMES"


class Outcome(NamedTuple):
    """`when`: setup, call or teardown. `error`: of what type it failed, "" if it did not."""

    test: str
    when: str
    error: str
    asserted: bool  # it failed because something was expected, not because something broke


def read(path: Path) -> list[Outcome]:
    return [Outcome(*json.loads(line)) for line in path.read_text().splitlines()] if path.exists() else []


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    error = call.excinfo
    asserted = error is not None and error.errisinstance((AssertionError, pytest.fail.Exception))
    outcome = Outcome(item.nodeid, call.when, error.typename if error else "", asserted)
    with Path(os.environ[FILE]).open("a") as file:
        file.write(json.dumps(outcome) + "\n")
    return (yield)
