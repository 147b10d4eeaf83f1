"""`./confeitaria` itself: the environment it makes, once, whatever interrupts it. Empty locks here: no network."""

import contextlib
import os
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from stack.topology import ROOT
from tests.conftest import wait_until

BARE = {"PATH": "/usr/local/bin:/usr/bin:/bin", "CONFEITARIA_PYTHON": sys.executable}
ECHO = "import sys; print(sys.argv[1:])"


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A clone in a path with a space, with a command line that repeats what it is given."""
    folder = tmp_path / "minha loja"
    (folder / "stack").mkdir(parents=True)
    (folder / "tests").mkdir()
    (folder / "stack" / "__main__.py").write_text(ECHO)
    for lock in ("requirements.lock", "tests/requirements.lock"):
        (folder / lock).touch()
    shutil.copy(ROOT / "confeitaria", folder)
    return folder


def _run(clone: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [clone / "confeitaria", *arguments],
        cwd="/",
        env=BARE | environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def _start(clone: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [clone / "confeitaria"], env=BARE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True
    )


def test_the_environment_is_made_once_and_arguments_arrive_as_given(clone: Path) -> None:
    first = _run(clone, "scale", "a b=2")
    assert first.stdout == "['scale', 'a b=2']\n", first.stderr
    assert "installing" in first.stderr
    again = _run(clone, "status")
    assert (again.stdout, again.stderr) == ("['status']\n", "")
    for_tests = _run(clone, "test")
    assert "for tests and checks" in for_tests.stderr
    assert _run(clone, "check").stderr == ""

    (clone / "requirements.lock").write_text("# changed\n")
    assert "installing" in _run(clone, "status").stderr

    moved = clone.rename(clone.with_name("outra loja"))
    assert "installing" in _run(moved, "status").stderr
    assert _run(moved, "status").stderr == ""

    link = moved.with_name("atalho")
    link.symlink_to(moved / "confeitaria")
    assert subprocess.run([link], env=BARE, capture_output=True, text=True, check=True).stdout == "[]\n"


def test_two_at_once_install_once(clone: Path) -> None:
    both = [_start(clone) for _ in range(2)]
    said = [process.communicate(timeout=120)[1].decode() for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert sum("installing 0 packages" in each for each in said) == 1
    assert sum("another one is installing" in each for each in said) == 1


def test_an_installation_that_was_killed_is_made_anew(clone: Path) -> None:
    killed = _start(clone)
    wait_until((clone / ".venv" / "pyvenv.cfg").exists, seconds=30)
    os.kill(killed.pid, signal.SIGKILL)
    killed.communicate()
    with contextlib.suppress(ProcessLookupError):  # what it had started may have ended by itself
        os.killpg(killed.pid, signal.SIGKILL)
    assert _run(clone, "status").stdout == "['status']\n"


def test_a_python_that_does_not_suit_is_named_in_one_line(clone: Path) -> None:
    done = _run(clone, CONFEITARIA_PYTHON="/nowhere/python")
    assert done.returncode == 2
    assert done.stderr == "confeitaria: CONFEITARIA_PYTHON=/nowhere/python is not a Python 3.11 to 3.14\n"


def _tools(folder: Path) -> str:
    """A PATH with what every Unix has, and no Python."""
    tools = folder / "tools"
    tools.mkdir()
    for name in ("sh", "dirname", "cksum", "cat", "mkdir", "ln", "rm", "find", "readlink", "head"):
        (tools / name).symlink_to(shutil.which(name) or "")
    return str(tools)


def test_no_python_at_all_is_said_in_one_line(clone: Path, tmp_path: Path) -> None:
    done = _run(clone, PATH=_tools(tmp_path), CONFEITARIA_PYTHON="")
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert "Python 3.11 to 3.14 is needed" in done.stderr


def test_a_python_without_venv_says_what_to_install(clone: Path, tmp_path: Path) -> None:
    """Debian's python3 without python3-venv lacks ensurepip."""
    lacking = tmp_path / "python3"
    hide = f'case "$2" in *ensurepip*) exit 1 ;; esac\nexec {shlex.quote(sys.executable)} "$@"\n'
    lacking.write_text(f"#!/bin/sh\n{hide}")
    lacking.chmod(0o755)
    done = _run(clone, PATH=_tools(tmp_path), CONFEITARIA_PYTHON=str(lacking))
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    version = f"python3.{sys.version_info[1]}-venv"
    assert f"comes without venv: install it (Debian, Ubuntu: apt install {version})" in done.stderr
