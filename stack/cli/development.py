"""`test`, `protos` and `tool`: other people's programs with our folders."""

import os
import subprocess
from collections.abc import Sequence

import click

from stack.cli.failure import Failure
from stack.home import find
from stack.parts import python
from stack.tools import ToolError, find_or_build
from stack.topology import ROOT


def test(offset: int, arguments: Sequence[str]) -> int:
    """`offset` is where the tests begin to look for free ports."""
    environment = os.environ | {"CONFEITARIA_PORT_OFFSET": str(offset)}
    return subprocess.run(python("-m", "pytest", *arguments), cwd=ROOT, env=environment, check=False).returncode  # noqa: S603


def protos(*, only_check: bool) -> int:
    command = python("protos/generate.py", *(["--check"] if only_check else []))
    return subprocess.run(command, cwd=ROOT, check=False).returncode  # noqa: S603


def tool(name: str) -> int:
    """Prints where the tool lies; a build says so on stderr, so that $(...) gets the path alone."""
    folder = find(0, os.environ).path / "tools"
    try:
        path = find_or_build(name, folder, lambda: click.echo(f"confeitaria: building {name}, once", err=True))
    except ToolError as error:
        raise Failure(str(error)) from error
    click.echo(path)
    return 0
