"""What the call being served knows of itself: its request id and the time it has left."""

import math
import re
import time
import uuid
from collections.abc import Callable, Iterable
from contextvars import ContextVar
from typing import cast

REQUEST_ID = "x-request-id"
_DECENT = re.compile(r"[A-Za-z0-9._:/+=-]{1,128}")


class Call:
    """One call under way. Its id is looked for when somebody asks: most reads never do.

    It holds the metadata as grpc handed it over, a tuple of Python strings, and nothing of grpc's own objects: a task
    that outlives the call may still ask for the id. It holds no task either, which would make a cycle a call.
    """

    __slots__ = ("_id", "_metadata", "announced", "cut", "end", "verdict")

    def __init__(self, metadata: Iterable[tuple[str, str | bytes]] = ()) -> None:
        self._metadata = metadata
        self.announced: tuple[tuple[str, str], ...] = ()  # goes out before the answer, if there is one
        self._id = ""
        self.end: float | None = None  # by time.monotonic()
        self.cut = math.inf  # when the server ends it, shortly before
        self.verdict: Exception | None = None  # why the server itself cancelled it

    @property
    def id(self) -> str:
        """The caller's x-request-id when it is a decent one, else one of our own, the same for the whole call."""
        if not self._id:
            given = (value for key, value in self._metadata if key == REQUEST_ID and isinstance(value, str))
            self._id = next(filter(_DECENT.fullmatch, given), "") or uuid.uuid4().hex
        return self._id

    def metadata(self, name: str) -> str:
        """What the caller sent under `name`, in lower case; several values joined by commas, as HTTP does; else ""."""
        return ",".join([value for key, value in self._metadata if key == name and isinstance(value, str)])


_call: ContextVar[Call | None] = ContextVar("call", default=None)
enter = _call.set
current = _call.get
# Inside a call there always is one: the server enters it before anything of ours runs.
serving = cast("Callable[[], Call]", _call.get)


def request_id() -> str:
    """The id of the call being served; outside of any call a fresh one, kept for the rest of this task."""
    call = _call.get()
    if call is None:
        call = Call()
        enter(call)
    return call.id


def metadata(name: str) -> str:
    """What the caller of the call being served sent under `name`; "": nothing, or there is no call."""
    call = _call.get()
    return "" if call is None else call.metadata(name)


def announce(name: str, value: str) -> None:
    """Sends metadata along with the answer of the call being served: over REST a header.

    It leaves when the answer is ready and never with an error: what had begun to be answered could not be retried.
    """
    call = _call.get()
    if call is not None:
        call.announced = (*call.announced, (name, value))


def remaining() -> float | None:
    """Seconds left of the call being served, never below zero; None outside of a call and in a stream without end."""
    call = _call.get()
    return None if call is None or call.end is None else max(0.0, call.end - time.monotonic())


def deadline(seconds: float | None) -> None:
    """Detaches the present task from the call it began in: the same request id, but `seconds` of its own from now.

    For work that goes on after the call's answer, or has no call: else remaining() would fall to zero under it.
    """
    call = Call(((REQUEST_ID, request_id()),))
    call.end = None if seconds is None else time.monotonic() + seconds
    enter(call)
