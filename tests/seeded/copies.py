"""A copy of the code in which something is deliberately different; the tree itself is never touched."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from stack.topology import ROOT

COPIED = ("carrinho", "catalogo", "chassis", "envoy", "gateway", "pedidos", "protos", "stack", "tests")


class Stale(Exception):  # noqa: N818  named after what happened
    """The code went on without the change that was written for it."""


@dataclass(frozen=True)
class Edit:
    """In `file`, `right` becomes `wrong`. It stands there exactly once, or whoever changed it changes this too."""

    file: str
    right: str
    wrong: str


class Copy:
    """A copy of the product and its tests in `root`."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for name in COPIED:
            shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(ROOT / "pyproject.toml", root)

    @property
    def environment(self) -> dict[str, str]:
        """For what runs in it: modules of the copy come before those of the tree, for its own children too."""
        path = os.pathsep.join((str(self.root), str(self.root / "protos" / "python")))
        return os.environ | {"PYTHONPATH": path}

    def apply(self, edits: Sequence[Edit]) -> None:
        """Stale when a text is not there, or not there once; then nothing was changed."""
        changed: dict[Path, str] = {}
        for edit in edits:
            path = self.root / edit.file
            before = changed.get(path) or path.read_text()
            if before.count(edit.right) != 1:
                raise Stale(f"{edit.file} has {before.count(edit.right)} times: {edit.right}")
            changed[path] = before.replace(edit.right, edit.wrong)
        for path, text in changed.items():
            self._write(path, text)

    @contextmanager
    def edited(self, edits: Sequence[Edit]) -> Iterator[None]:
        self.apply(edits)
        try:
            yield
        finally:
            for edit in edits:
                self._write(self.root / edit.file, (ROOT / edit.file).read_text())

    def _write(self, path: Path, text: str) -> None:
        path.write_text(text)
        # Python knows a changed file by its second and its size, which may both be the same.
        for compiled in (path.parent / "__pycache__").glob(f"{path.stem}.*.pyc"):
            compiled.unlink()
