"""`down` and `reset`."""

import time

import click

from stack import control, recovery
from stack.cli import mesh
from stack.cli.failure import Failure
from stack.home import Home, HomeError, check_owner
from stack.processes import alive, exists
from stack.state import State, running

PING_SECONDS = 5.0
BURIAL_SECONDS = 3.0
STOP_SECONDS = 30.0  # between two signs of life; the slowest part has 20


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
        control.answer(found.socket, {"op": "ping"}, PING_SECONDS)
        control.answer(found.socket, {"op": "stop"}, STOP_SECONDS)
    except control.Unreachable:
        if alive(found.supervisor):
            recovery.kill_supervisor(found)
    deadline = time.monotonic() + BURIAL_SECONDS
    # also after its end it stays in the table of processes until the system's first process looks
    while alive(found.supervisor) or (exists(found.supervisor.pid) and time.monotonic() < deadline):
        time.sleep(0.01)


def reset(home: Home) -> int:
    if not home.path.exists():
        click.echo(f"there is no data to delete: {home.path} does not exist")
        return 0
    try:
        check_owner(home.path)
        down(home)
        home.erase()
    except HomeError as error:
        raise Failure(str(error)) from error
    click.echo(f"deleted the data of {home.path}")
    return 0
