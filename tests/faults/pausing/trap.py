"""How a test and a process agree on a point: files of one folder, one name an instance."""

from __future__ import annotations

import os
from pathlib import Path

from tests.faults.pausing.points import Point

DIE, HOLD = "die", "hold"


class Trap:
    """Set by the test, sprung by the process, which stops there: for `die` to be killed, for `hold` till it is cleared.

    Being files, traps are set before a process starts and outlive it.
    """

    def __init__(self, folder: Path, instance: str) -> None:
        self._set = {what: folder / f"{instance}.{what}" for what in (DIE, HOLD)}
        self._sprung = {what: folder / f"{instance}.{what}.sprung" for what in (DIE, HOLD)}

    # --- the process ------------------------------------------------------------------------------------------------

    def holds(self, point: Point) -> bool:
        """Whether whoever comes to this point stops there; then the trap is sprung."""
        for what, path in self._set.items():
            try:
                named = path.read_text()
            except FileNotFoundError:
                continue
            if named == str(point):
                self._sprung[what].write_text(str(os.getpid()))
                return True
        return False

    # --- the test ---------------------------------------------------------------------------------------------------

    def set(self, what: str, point: Point) -> None:
        self.clear(what)
        new = self._set[what].with_suffix(".new")
        new.write_text(str(point))
        new.replace(self._set[what])

    def clear(self, what: str) -> None:
        self._set[what].unlink(missing_ok=True)
        self._sprung[what].unlink(missing_ok=True)

    def sprung(self, what: str) -> bool:
        return self._sprung[what].exists()
