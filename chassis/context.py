"""What the call being served knows of itself: its request id and the time it has left."""

import re
import time
import uuid
from collections.abc import Callable, Iterable
from contextvars import ContextVar

REQUEST_ID = "x-request-id"
_GOOD_ID = re.compile(r"[A-Za-z0-9._:/+=-]{1,128}")


class Call:
    """One call under way. Nothing is computed until somebody asks: most reads never do."""

    __slots__ = ("_id", "_metadata", "time_remaining")

    def __init__(self, metadata: Iterable[tuple[str, str | bytes]] = ()) -> None:
        self._metadata = metadata
        self._id: str | None = None
        self.time_remaining: Callable[[], float | None] | None = None  # seconds

    @property
    def id(self) -> str:
        """The caller's x-request-id when it is a decent one, else one of our own, the same for the whole call."""
        if self._id is None:
            self._id = next((value for key, value in self._metadata if key == REQUEST_ID and _good(value)), None)  # type: ignore[assignment]
            self._id = self._id or uuid.uuid4().hex
        return self._id


_call: ContextVar[Call | None] = ContextVar("call", default=None)
enter = _call.set
current = _call.get


def request_id() -> str:
    """The id of the call being served; a fresh one outside of any call, kept for the rest of this task."""
    call = _call.get()
    if call is None:
        call = Call()
        _call.set(call)
    return call.id


def remaining() -> float | None:
    """Seconds left of the call being served, never below zero; None when it has no deadline."""
    call = _call.get()
    return call.time_remaining() if call is not None and call.time_remaining is not None else None


def countdown(seconds: float) -> Callable[[], float]:
    """A clock for a call that came without a deadline of its own."""
    end = time.monotonic() + seconds
    return lambda: max(0.0, end - time.monotonic())


def _good(value: str | bytes) -> bool:
    return isinstance(value, str) and _GOOD_ID.fullmatch(value) is not None
