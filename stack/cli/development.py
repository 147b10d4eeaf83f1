"""`test` and `protos`: other people's programs with our folders."""

import os
import subprocess
from collections.abc import Sequence

from stack.parts import python
from stack.topology import ROOT


def test(offset: int, arguments: Sequence[str]) -> int:
    """`offset` is where the tests begin to look for free ports."""
    environment = os.environ | {"CONFEITARIA_PORT_OFFSET": str(offset)}
    return subprocess.run(python("-m", "pytest", *arguments), cwd=ROOT, env=environment, check=False).returncode  # noqa: S603


def protos(*, only_check: bool) -> int:
    command = python("protos/generate.py", *(["--check"] if only_check else []))
    return subprocess.run(command, cwd=ROOT, check=False).returncode  # noqa: S603
