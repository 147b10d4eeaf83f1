"""`check`: everything that can be said of the code without running it, one line a step, all steps whatever fails."""

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import click

from stack.parts import python
from stack.topology import ROOT, topology

AT_ONCE = 2
DESCRIPTORS = "protos/python/confeitaria/descriptors.binpb"
Finding = str | None  # what is wrong, None when nothing is


class Result(NamedTuple):
    name: str
    seconds: float
    finding: Finding


def check() -> int:
    with ThreadPoolExecutor(AT_ONCE) as pool:
        running = [pool.submit(_timed, name, step) for name, step in STEPS.items()]
        results = [_show(each.result()) for each in running]
    return 0 if all(result.finding is None for result in results) else 1


def _timed(name: str, step: Callable[[], Finding]) -> Result:
    begun = time.monotonic()
    finding = step()
    return Result(name, time.monotonic() - begun, finding)


def _show(result: Result) -> Result:
    click.echo(f"{'ok    ' if result.finding is None else 'FAILED'} {result.name:<24} {result.seconds:5.1f} s")
    if result.finding is not None:
        click.echo("\n".join(f"    {line}" for line in result.finding.splitlines()))
    return result


def _command(argv: Sequence[str]) -> Callable[[], Finding]:
    def run() -> Finding:
        done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603  our own tools
        return (done.stdout + done.stderr).strip() or f"exit code {done.returncode}" if done.returncode else None

    return run


def _envoy() -> Finding:
    """Renders for an imaginary mesh and asks Envoy whether it would start with that."""
    from stack.endpoints import FOLDER, write_endpoints
    from stack.envoy import EnvoyConfigError, render_bootstrap, validate

    with tempfile.TemporaryDirectory() as home:
        mesh = topology(0, {}, Path(home))
        write_endpoints(mesh, mesh.envoy_folder / FOLDER)
        mesh.logs.mkdir()
        bootstrap = mesh.envoy_folder / "bootstrap.yaml"
        bootstrap.write_text(render_bootstrap(mesh))
        try:
            validate(bootstrap)
        except EnvoyConfigError as error:
            return str(error)
    return None


def _breaking() -> Finding:
    """Compares the contract with the last release, else with the commit before: clients must go on working."""
    buf = [_tool("buf"), "breaking", DESCRIPTORS, "--config", "protos/buf.yaml", "--path", "confeitaria"]
    before = _git("describe", "--tags", "--abbrev=0").strip() or b"HEAD~1"
    descriptors = _git("show", f"{before.decode()}:{DESCRIPTORS}")
    if not descriptors:
        return None  # the first version, or a folder without history: there is nobody to break
    with tempfile.NamedTemporaryFile(suffix=".binpb") as old:
        old.write(descriptors)
        old.flush()
        return _command([*buf, "--against", old.name])()


def _git(*arguments: str) -> bytes:
    """What git prints; nothing when it cannot."""
    command = ["git", *arguments]
    try:
        return subprocess.run(command, cwd=ROOT, capture_output=True, check=False).stdout  # noqa: S603  ours
    except FileNotFoundError:
        return b""


def _tool(name: str) -> str:
    """A program of the environment we run in."""
    return str(Path(sys.executable).with_name(name))


STEPS: dict[str, Callable[[], Finding]] = {
    "ruff check": _command([_tool("ruff"), "check", "."]),
    "ruff format": _command([_tool("ruff"), "format", "--check", "."]),
    "mypy": _command([_tool("mypy"), "."]),
    "import contracts": _command([_tool("lint-imports"), "--no-logo"]),
    # of the descriptors, because the standard .proto files are not in the tree; only ours are held to our rules
    "buf lint": _command([_tool("buf"), "lint", DESCRIPTORS, "--config", "protos/buf.yaml", "--path", "confeitaria"]),
    "buf breaking": _breaking,
    "generated code": _command(python("protos/generate.py", "--check")),
    "envoy": _envoy,
}
