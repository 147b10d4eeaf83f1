"""state.json: who supervises a data folder and whom it has started, so that a crash can be cleared up."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from stack.home import Home, read_json, write_atomically
from stack.processes import Identity, alive


@dataclass(frozen=True)
class State:
    supervisor: Identity
    socket: Path  # its control socket
    children: Mapping[str, Identity]  # by name of the part


def load(home: Home) -> State | None:
    """None when nothing was left behind (or nothing readable: an identity that is half there proves nothing)."""
    found = read_json(home.state)
    try:
        children = _mapping(found["children"])
        return State(
            supervisor=_identity(found["supervisor"]),
            socket=Path(str(found["socket"])),
            children={str(name): _identity(each) for name, each in children.items()},
        )
    except (KeyError, TypeError, ValueError):
        return None


def save(home: Home, state: State) -> None:
    text = json.dumps({"supervisor": state.supervisor, "socket": str(state.socket), "children": dict(state.children)})
    # not forced to disk: after a crash of the machine there is no process left to find
    write_atomically(home.state, text, 0o600, durable=False)


def running(home: Home) -> State | None:
    """The state of a mesh whose supervisor lives."""
    state = load(home)
    return state if state and alive(state.supervisor) else None


def _identity(found: object) -> Identity:
    if not isinstance(found, Iterable):
        raise TypeError(found)
    pid, born = found
    return Identity(int(pid), str(born))


def _mapping(found: object) -> Mapping[object, object]:
    if not isinstance(found, Mapping):
        raise TypeError(found)
    return found
