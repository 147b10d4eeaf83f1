"""`logs`."""

import time
from collections import deque
from pathlib import Path
from typing import TextIO

import click

from stack.home import Home

PAUSE = 0.2  # seconds between looks at a log that is followed


def logs(home: Home, name: str, *, follow: bool, lines: int) -> int:
    log = home.log(name)
    known = sorted(path.stem for path in home.logs.glob("*.log"))
    if name not in known:
        raise click.UsageError(f"there is no log of {name!r}: one of {', '.join(known) or 'none, nothing has run yet'}")
    with log.open(errors="replace") as file:
        for line in deque(file, maxlen=lines):
            click.echo(line, nl=False)
        if follow:
            _follow(log, file)
    return 0


def _follow(log: Path, file: TextIO) -> None:
    """Until Ctrl-C; a log that was set aside is left for the new one."""
    while True:
        if line := file.readline():
            click.echo(line, nl=False)
        elif log.exists() and log.stat().st_size < file.tell():
            file.seek(0)
        else:
            time.sleep(PAUSE)
