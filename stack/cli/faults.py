"""`faults`: kills parts of a mesh of its own under load, which the tests do, with the tests' own code."""

import os
from typing import NoReturn

from stack.parts import python
from stack.topology import ROOT


def faults(offset: int, *, kills: int, seed: int | None) -> NoReturn:
    """Becomes that program, so that Ctrl-C reaches it alone and it can take its mesh down in peace.

    `offset` is where free ports are looked for first. Exit code 1 if anything was lost, doubled, oversold or stuck.
    """
    chosen = ["--seed", str(seed)] if seed is not None else []
    command = python("-m", "tests.faults", "--kills", str(kills), *chosen)
    os.chdir(ROOT)
    os.execve(command[0], command, os.environ | {"CONFEITARIA_PORT_OFFSET": str(offset)})  # noqa: S606  our own module
