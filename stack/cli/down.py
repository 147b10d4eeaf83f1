"""`down` and `reset`."""

import time

import click

from stack import recovery
from stack.cli import mesh
from stack.cli.failure import Failure
from stack.home import Home, HomeError, check_owner
from stack.processes import alive
from stack.state import State, running


def down(home: Home) -> int:
    begun = time.monotonic()
    found = running(home)
    if found:
        _stop(found)
    orphans = mesh.clear_up(home)
    if found:
        click.echo(f"stopped in {time.monotonic() - begun:.1f} s; the data stays in {home.path}")
    else:
        click.echo(f"stopped what was left behind: {', '.join(orphans)}" if orphans else "nothing is running")
    return 0


def _stop(found: State) -> None:
    """Returns when the supervisor is gone; one that does not answer is killed, and what it leaves is cleared up."""
    try:
        for _ in mesh.ask(found, {"op": "stop"}, mesh.STOP_SECONDS):
            pass
    except Failure:
        if alive(found.supervisor):
            recovery.kill_supervisor(found)
    while alive(found.supervisor):
        time.sleep(0.01)


def reset(home: Home) -> int:
    try:
        if home.path.exists():
            check_owner(home.path)
            down(home)
            home.erase()
    except HomeError as error:
        raise Failure(str(error)) from error
    click.echo(f"deleted the data of {home.path}")
    return 0
