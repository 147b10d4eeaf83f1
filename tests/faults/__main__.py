"""`python -m tests.faults --kills N --seed S`: what `./confeitaria faults` runs, on a mesh of its own."""

from __future__ import annotations

import argparse
import asyncio
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from stack.topology import ROOT
from tests.conftest import Mesh
from tests.faults.campaign import run, table
from tests.faults.killer import Kill


@contextmanager
def bakery(root: Path = ROOT) -> Iterator[Mesh]:
    """A mesh that nobody else needs: parts of it will die. `root`: of its code."""
    with _folder() as folder:
        mesh = Mesh(folder, root=root)
        mesh.up()
        try:
            yield mesh
        finally:
            mesh.down()


@contextmanager
def _folder() -> Iterator[Path]:
    """Gone at the end, also after Ctrl-C. Where root runs us PostgreSQL is another account, which must pass through."""
    folder = Path(tempfile.mkdtemp(prefix="a padaria em apuros "))
    folder.chmod(0o711)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def main() -> int:
    parser = argparse.ArgumentParser(prog="confeitaria faults", description=__doc__)
    parser.add_argument("--kills", type=int, default=200, help="how many parts to kill (200)")
    parser.add_argument("--seed", type=int, default=None, help="repeats the choices of an earlier run")
    given = parser.parse_args()
    seed = random.SystemRandom().randrange(1_000_000) if given.seed is None else given.seed
    say(f"seed {seed}; starting a mesh of its own")
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # whoever ends us, the mesh must go too
    try:
        return campaign(given.kills, seed)
    except KeyboardInterrupt:
        say("stopped")
        return 130


def campaign(kills: int, seed: int) -> int:
    with bakery() as mesh:
        report = asyncio.run(run(mesh, kills, seed, progress(kills)))
        if report.violations:
            say(f"logs kept in {keep(mesh)}")
    say(table(report))
    return 1 if report.violations else 0


def progress(kills: int) -> Callable[[Kill], None]:
    """Says after each kill how many there were and how long the rest may take."""
    begun, done = time.monotonic(), 0

    def tell(kill: Kill) -> None:
        nonlocal done
        done += 1
        left = (time.monotonic() - begun) / done * (kills - done)
        minutes, seconds = divmod(round(left), 60)
        say(f"{done:4}/{kills}  {kill.part:<20} served again after {kill.back:4.1f} s   {minutes}:{seconds:02} left")

    return tell


def keep(mesh: Mesh) -> Path:
    kept = Path(tempfile.mkdtemp(prefix="confeitaria-faults-"))
    shutil.copytree(mesh.folder / "logs", kept / "logs")
    return kept


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
