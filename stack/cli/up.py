"""`up`: starts a supervisor, shows what it tells, then either leaves it or lives and dies with it."""

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from typing import Any

import click

from stack.cli import mesh
from stack.cli.failure import Failure
from stack.cli.progress import Progress
from stack.home import Home, HomeError
from stack.parts import python, python_environment
from stack.state import running

REFRESH = 2.0  # seconds between two looks at a mesh in the foreground
ENDINGS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Asked(BaseException):
    """A signal has asked for the end; not an Exception, so that nothing on the way takes it for an error."""


def up(home: Home, *, detach: bool) -> int:
    if running(home):
        raise Failure(
            f"already running at {mesh.url(home)}: ./confeitaria status shows it, ./confeitaria down stops it"
        )
    try:
        home.prepare()
    except (HomeError, OSError) as error:
        raise Failure(str(error)) from error
    for number in ENDINGS:
        signal.signal(number, _end)
    owner = _supervise(home)
    with owner, owner.makefile("rb") as lines:
        told = map(json.loads, lines)
        try:
            _show_start(told)
            if detach:
                owner.sendall(b'{"op": "detach"}\n')
            else:
                _watch(home, owner, told)
        except Asked:
            _stop(owner, told)
    return 0


def _end(_number: int, _frame: object) -> None:
    for number in ENDINGS:
        signal.signal(number, signal.SIG_IGN)  # the end has begun: a second Ctrl-C would only cut its report short
    raise Asked


def _supervise(home: Home) -> socket.socket:
    """Starts the supervisor in a session of its own and gives our end of the socket that ties it to us."""
    ours, theirs = socket.socketpair()
    with theirs, home.log("stack").open("ab") as log:
        subprocess.Popen(  # noqa: S603  our own module
            python("-m", "stack.supervisor", str(home.path), str(home.offset), str(theirs.fileno())),
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd="/",
            env=dict(os.environ) | python_environment(),
            start_new_session=True,
        )
    return ours


def _show_start(told: Iterator[Mapping[str, Any]]) -> None:
    """Until the mesh is ready; raises Failure when it will not be."""
    with Progress("starting") as progress:
        for message in told:
            match message["event"]:
                case "step":
                    progress.step(message)
                case "failed":
                    raise Failure(_wait(told, mesh.explain(message)))
                case "ready":
                    progress.close()
                    return _welcome(message)
    raise Failure("the supervisor ended before the mesh was ready: ./confeitaria logs stack tells why")


def _wait(told: Iterator[Mapping[str, Any]], reason: str) -> str:
    """A start that failed is over when everything it had started is gone."""
    for _ in told:
        pass
    return reason


def _welcome(message: Mapping[str, Any]) -> None:
    edge = message["edge"]
    click.echo(f"The bakery is open at {edge} after {message['seconds']:.1f} s (documentation: {edge}/docs). Try:")
    for command in (
        f"curl '{edge}/api/produtos?page_size=3'",
        f"curl -X POST {edge}/api/carrinhos",
        "./confeitaria status",
    ):
        click.echo(f"  {command}")


def _watch(home: Home, owner: socket.socket, told: Iterator[Mapping[str, Any]]) -> None:
    """The foreground: a living table on a terminal, silence elsewhere, until somebody else stops the mesh."""
    if sys.stdout.isatty():
        _watch_alive(home, owner, told)
    elif any(_is_end(message) for message in told):
        click.echo("stopped from elsewhere")


def _watch_alive(home: Home, owner: socket.socket, told: Iterator[Mapping[str, Any]]) -> None:
    from rich.live import Live

    from stack.cli.status import table

    with Live(auto_refresh=False) as live:
        while True:
            if select.select([owner], [], [], REFRESH)[0] and _is_end(next(told, END)):
                return
            with contextlib.suppress(Failure):  # it may stop while we ask
                live.update(table(mesh.status(mesh.require(home))), refresh=True)


END = {"event": "stopped"}


def _is_end(message: Mapping[str, Any]) -> bool:
    return message == END


def _stop(owner: socket.socket, told: Iterator[Mapping[str, Any]]) -> None:
    """Half closed, the socket says that we leave and still tells us how it ends."""
    click.echo("")
    owner.shutdown(socket.SHUT_WR)
    with Progress("stopping") as progress:
        for message in told:
            if message["event"] == "stop":
                progress.step(message)
    click.echo("stopped; the data stays")
