"""protovalidate rules of a message type, checked and told in Portuguese."""

from collections.abc import Callable

import protovalidate
from google.protobuf import message_factory
from google.protobuf.descriptor import Descriptor
from google.protobuf.message import DecodeError, Message
from protovalidate import Violation

from chassis.errors import InvalidRequest

_SHORT = 64  # bytes: what a read by id or a first page takes
_KEPT = 1_024  # requests remembered per method

UNREADABLE = "a mensagem não pôde ser lida"


def parser(descriptor: Descriptor) -> Callable[[bytes], Message]:
    """A function that reads a request from its bytes and checks its rules; InvalidRequest says what is wrong.

    The rules are compiled here, so that a bad rule stops the start (protovalidate.CompilationError), not a call.
    """
    cls: type[Message] = message_factory.GetMessageClass(descriptor)
    read = cls.FromString
    collect = protovalidate.Validator().collect_violations
    collect(cls())
    steady = not _looks_at_the_clock(descriptor)
    good: set[bytes] = set()  # bytes known to be valid: the same few requests come again and again

    def parse(raw: bytes) -> Message:
        if raw in good:
            return read(raw)
        try:
            message = read(raw)
        except (DecodeError, TypeError):  # TypeError: the end of the stream instead of a message
            raise InvalidRequest(("", UNREADABLE)) from None
        if violations := collect(message):
            raise InvalidRequest(*(describe(violation) for violation in violations))
        if steady and len(raw) <= _SHORT:
            if len(good) >= _KEPT:
                good.clear()
            good.add(raw)
        return message

    return parse


def _looks_at_the_clock(descriptor: Descriptor, seen: set[str] | None = None) -> bool:
    """Whether a rule of the type, or of one reachable from it, may depend on the time of day."""
    seen = set() if seen is None else seen
    if descriptor.full_name in seen:
        return False
    seen.add(descriptor.full_name)
    rules = b"".join(place.GetOptions().SerializeToString() for place in (descriptor, *descriptor.fields))
    types = [field.message_type for field in descriptor.fields if field.message_type is not None]
    if b"now" in rules or any(kind.full_name == "google.protobuf.Timestamp" for kind in types):
        return True
    return any(_looks_at_the_clock(kind, seen) for kind in types)


def describe(violation: Violation) -> tuple[str, str]:
    """(field path in the names of the .proto, what is wrong in Portuguese)."""
    proto = violation.proto
    return "", proto.message
