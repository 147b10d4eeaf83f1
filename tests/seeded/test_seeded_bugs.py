"""Each bug that we know how to make is caught by the test that is named for it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Sequence

import pytest

from tests.seeded import outcomes
from tests.seeded.bugs import BUGS, Bug
from tests.seeded.copies import Copy, Stale
from tests.seeded.outcomes import Outcome
from tests.seeded.table import in_readme, table

SECONDS = 240  # for one run of pytest, on a machine that is busy with other things
NAMED = sorted({test for bug in BUGS for test in bug.caught_by})


class Run:
    """One pytest over these tests in a copy."""

    def __init__(self, copy: Copy, tests: Sequence[str]) -> None:
        told = copy.root / "outcomes"
        told.unlink(missing_ok=True)
        options = ["-q", "-p", "no:cacheprovider", "-p", outcomes.__name__, "--rootdir", str(copy.root)]
        done = subprocess.run(
            [sys.executable, "-P", "-m", "pytest", *options, *tests],
            cwd=copy.root,
            env=copy.environment | {outcomes.FILE: str(told)},
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        self.code, self.output, self.outcomes = done.returncode, done.stdout + done.stderr, outcomes.read(told)

    def of(self, test: str) -> list[Outcome]:
        """What became of that test, or of all its cases."""
        return [each for each in self.outcomes if test in (each.test, each.test.partition("[")[0])]


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Copy:
    return Copy(tmp_path_factory.mktemp("seeded"))


def test_without_a_bug_the_named_tests_pass(copy: Copy) -> None:
    run = Run(copy, NAMED)
    assert run.code == 0, run.output
    assert not [test for test in NAMED if not run.of(test)]


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_a_seeded_bug_is_caught(copy: Copy, bug: Bug, record_property: Callable[[str, object], None]) -> None:
    try:
        with copy.edited(bug.edits):
            run = Run(copy, bug.caught_by)
    except Stale as why:
        pytest.fail(f"the seeded bug is stale: {why}")
    assert run.code == pytest.ExitCode.TESTS_FAILED, run.output
    assert not [each for each in run.outcomes if each.error and not each.asserted and each.when != "teardown"], (
        f"broken, not caught:\n{run.output}"
    )
    missed = [test for test in bug.caught_by if not any(each.asserted for each in run.of(test))]
    assert not missed, run.output
    for test in bug.caught_by:
        record_property(bug.name, test)


def test_the_table_of_bugs_is_up_to_date() -> None:
    assert in_readme() == table(BUGS), "python -m tests.seeded.table writes it"
