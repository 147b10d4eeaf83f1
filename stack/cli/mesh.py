"""A running mesh as the command line sees it: found by its data folder, asked through its control socket."""

from collections.abc import Iterator, Mapping
from typing import Any

from stack import control, recovery
from stack.cli.failure import Failure
from stack.home import Home, HomeError
from stack.state import State, running
from stack.topology import Ports

STATUS_SECONDS = 5.0
SCALE_SECONDS = 120.0  # between two signs of life


def url(home: Home) -> str:
    return f"http://{Ports(home.offset).edge}"


def require(home: Home) -> State:
    """Raises Failure when nothing runs out of that folder."""
    found = running(home)
    if found is None:
        raise Failure(f"the mesh is not running: {home.command('up')} starts it")
    return found


def status(found: State) -> Mapping[str, Any]:
    try:
        return control.answer(found.socket, {"op": "status"}, STATUS_SECONDS)
    except control.Unreachable as error:
        raise Failure(f"the supervisor (pid {found.supervisor.pid}) does not answer: {error}") from error


def is_stopping(found: State) -> bool:
    """Whether its end has begun."""
    try:
        return bool(control.answer(found.socket, {"op": "ping"}, STATUS_SECONDS).get("stopping"))
    except control.Unreachable:
        return True  # its socket is the last it gives up


def ask(found: State, request: Mapping[str, Any], seconds: float) -> Iterator[Mapping[str, Any]]:
    """Every line of the answer; raises Failure for one that says no."""
    try:
        for message in control.ask(found.socket, dict(request), seconds):
            if message.get("ok") is False:
                raise Failure(explain(message))
            yield message
    except control.Unreachable as error:
        raise Failure(f"the supervisor (pid {found.supervisor.pid}) does not answer: {error}") from error


def explain(message: Mapping[str, Any]) -> str:
    """The reason on the first line, then what the log of the culprit ends with."""
    lines = [str(message.get("reason", "no reason given")), *(f"  {line}" for line in message.get("tail", ()))]
    return "\n".join(lines + ([f"  (the whole log: {message['log']})"] if "log" in message else []))


def clear_up(home: Home) -> list[str]:
    """Stops what a dead supervisor left behind; gives the names. Raises Failure."""
    if not home.path.exists():
        return []
    try:
        with home.lock():
            return recovery.clear_up(home)
    except (HomeError, recovery.Survivor) as error:
        raise Failure(str(error)) from error
