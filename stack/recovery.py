"""Clears up after a supervisor that died without doing so: stops what it had started, where that can be proved."""

import signal
from collections.abc import Mapping

from stack.control import remove_socket
from stack.home import Home
from stack.postgres import FAST
from stack.processes import Identity, Signals, alive, send, stop_for_good
from stack.state import State, load

# Nobody waits for answers of theirs any more: a second to write what they must, then the end.
BRIEF: Signals = ((signal.SIGTERM, 2.0), (signal.SIGKILL, 5.0))


class Survivor(Exception):  # noqa: N818  named after what happened
    """A process of an earlier start does not go."""

    def __init__(self, name: str, identity: Identity) -> None:
        super().__init__(f"{name} (pid {identity.pid}) is left from an earlier start and does not stop: stop it")


def clear_up(home: Home) -> list[str]:
    """Stops the orphans of this folder and gives their names. The caller holds its lock, so no supervisor lives."""
    state = load(home)
    if state is None:
        return []
    names = _stop_orphans(state.children)
    remove_socket(state.socket)
    home.state.unlink(missing_ok=True)
    return names


def _stop_orphans(children: Mapping[str, Identity]) -> list[str]:
    orphans = {name: identity for name, identity in children.items() if alive(identity)}
    for name, identity in orphans.items():  # all of them hear of it before we wait for the first
        send(identity, _signals(name)[0][0])
    for name, identity in orphans.items():
        if not stop_for_good(identity, _signals(name)):
            raise Survivor(name, identity)
    return list(orphans)


def _signals(name: str) -> Signals:
    return FAST if name.startswith("postgres") else BRIEF


def kill_supervisor(state: State) -> None:
    """For a supervisor that does not answer: it first, so that it starts nothing again; `clear_up` does the rest."""
    stop_for_good(state.supervisor, ((signal.SIGKILL, 5.0),))
