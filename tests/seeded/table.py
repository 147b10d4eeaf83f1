"""`python -m tests.seeded.table`: writes the table of seeded bugs into tests/README.md."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile
from pathlib import Path

from stack.topology import ROOT
from tests.seeded.bugs import BUGS, Bug

README = ROOT / "tests" / "README.md"
HEAD = "| seeded bug | caught by |\n|---|---|\n"


def table(bugs: Sequence[Bug]) -> str:
    return HEAD + "".join(f"| {bug.name} | {', '.join(map(_short, bug.caught_by))} |\n" for bug in bugs)


def in_readme() -> str:
    """The table as it stands there, "" if it does not."""
    _, head, rest = README.read_text().partition(HEAD)
    return head + "".join(takewhile(lambda line: line.startswith("|"), rest.splitlines(keepends=True)))


def _short(test: str) -> str:
    path, _, name = test.partition("::")
    return f"`{name}` in `{Path(path).relative_to('tests')}`"


def write() -> None:
    text = README.read_text()
    README.write_text(text.replace(in_readme(), table(BUGS)))


if __name__ == "__main__":
    write()
