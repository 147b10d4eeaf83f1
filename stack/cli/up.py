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
from typing import Any, Self

import click

from stack.cli import mesh
from stack.cli.failure import Failure
from stack.cli.progress import Progress
from stack.home import Home, HomeError
from stack.parts import python, python_environment
from stack.state import State, running

REFRESH = 2.0  # seconds between two looks at a mesh in the foreground
END = {"event": "stopped"}
ENDINGS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)


class Asked(BaseException):
    """A signal has asked for the end; not an Exception, so that nothing on the way takes it for an error."""


def up(home: Home, *, detach: bool) -> int:
    if found := running(home):
        raise Failure(_why_not(home, found))
    try:
        home.prepare()
    except (HomeError, OSError) as error:
        raise Failure(str(error)) from error
    for number in ENDINGS:
        if signal.getsignal(number) != signal.SIG_IGN:  # nohup and the like have their reasons
            signal.signal(number, _end)
    with Supervisor(home) as supervisor:
        try:
            _show_start(home, supervisor.told)
            if detach:
                supervisor.leave()
            else:
                _watch(home, supervisor)
        except Asked:
            _stop(supervisor)
    return 0


def _why_not(home: Home, found: State) -> str:
    """What to do about a mesh that is there already."""
    if mesh.is_stopping(found):
        return f"the mesh is stopping: wait, or let {home.command('down')} wait for its end, and try again"
    return f"already running at {mesh.url(home)}: {home.command('status')} shows it, {home.command('down')} stops it"


def _end(_number: int, _frame: object) -> None:
    for number in ENDINGS:
        signal.signal(number, signal.SIG_IGN)  # the end has begun: a second Ctrl-C would only cut its report short
    raise Asked


class Supervisor:
    """The process in a session of its own, and the socket that ties it to us. `told` is what it says."""

    def __init__(self, home: Home) -> None:
        self.socket, theirs = socket.socketpair()
        with theirs, home.log("stack").open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603  our own module
                python("-m", "stack.supervisor", str(home.path), str(home.offset), str(theirs.fileno())),
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                env=dict(os.environ) | python_environment(),
                start_new_session=True,
            )
        self._lines = self.socket.makefile("rb")
        self.told: Iterator[Mapping[str, Any]] = map(json.loads, self._lines)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._lines.close()
        self.socket.close()

    def leave(self) -> None:
        """From here on it lives without us."""
        self.socket.sendall(b'{"op": "detach"}\n')
        self._process.returncode = 0  # we wait for it no more

    def give_up(self) -> None:
        """Half closed, the socket says that we want the end and still tells us how it comes."""
        self.socket.shutdown(socket.SHUT_WR)

    def bury(self) -> None:
        """When it has told its last."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=10)


def _show_start(home: Home, told: Iterator[Mapping[str, Any]]) -> None:
    """Until the mesh is ready; raises Failure when it will not be."""
    with Progress("starting") as progress:
        for message in told:
            match message["event"]:
                case "step":
                    progress.step(message)
                case "failed":
                    for _ in told:  # a start that failed is over when everything it had started is gone
                        pass
                    raise Failure(mesh.explain(message))
                case "ready":
                    progress.close()
                    return _welcome(home, message)
    raise Failure(f"the supervisor ended before the mesh was ready: {home.command('logs stack')} tells why")


def _welcome(home: Home, message: Mapping[str, Any]) -> None:
    edge = message["edge"]
    click.echo(f"The bakery is open after {message['seconds']:.1f} s:")
    click.echo(f"  REST and gRPC  {edge}")
    click.echo(f"  documentation  {edge}/docs")
    click.echo("Try:")
    click.echo(f"  curl '{edge}/api/produtos?page_size=3'")
    click.echo(f"  curl -X POST {edge}/api/carrinhos")
    click.echo(f"  {home.command('status')}")


def _watch(home: Home, supervisor: Supervisor) -> None:
    """The foreground: a living table on a terminal, silence elsewhere, until somebody else stops the mesh."""
    if sys.stdout.isatty():
        _watch_alive(home, supervisor)
    elif any(map(_is_end, supervisor.told)):
        click.echo("stopped from elsewhere")
    supervisor.bury()


def _watch_alive(home: Home, supervisor: Supervisor) -> None:
    from rich.live import Live

    from stack.cli.status import table

    with Live(auto_refresh=False) as live:
        while True:
            if select.select([supervisor.socket], [], [], REFRESH)[0] and _is_end(next(supervisor.told, END)):
                return
            with contextlib.suppress(Failure):  # it may stop while we ask
                live.update(table(mesh.status(mesh.require(home))), refresh=True)


def _is_end(message: Mapping[str, Any]) -> bool:
    return message == END


def _stop(supervisor: Supervisor) -> None:
    click.echo("")
    supervisor.give_up()
    with Progress("stopping") as progress:
        for message in supervisor.told:
            if message["event"] == "stop":
                progress.step(message)
    supervisor.bury()
    click.echo("stopped; the data stays")
