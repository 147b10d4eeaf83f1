"""protovalidate rules of a message type, checked and told in Portuguese."""

from collections.abc import Callable

import protovalidate
from google.protobuf import message_factory
from google.protobuf.descriptor import Descriptor
from google.protobuf.message import DecodeError, Message
from protovalidate import Violation

from chassis.errors import InvalidRequest

# Extension 1159 is (buf.validate.*) in field, oneof and message options: its tag, as bytes.
_RULES_TAG = b"\xba\x48"

Text = Callable[[Violation], str]


def parser(descriptor: Descriptor) -> Callable[[bytes], Message]:
    """A function that reads a request from its bytes and checks its rules; InvalidRequest says what is wrong.

    The rules are compiled here, so that a bad rule stops the start (protovalidate.CompilationError), not a call.
    """
    cls: type[Message] = message_factory.GetMessageClass(descriptor)
    read = cls.FromString
    validator = protovalidate.Validator()
    ruled = has_rules(descriptor)
    if ruled:
        validator.collect_violations(cls())
    collect = validator.collect_violations

    def parse(raw: bytes) -> Message:
        try:
            message = read(raw)
        except DecodeError:
            raise InvalidRequest(("", "a mensagem não pôde ser lida")) from None
        if ruled and (violations := collect(message)):
            raise InvalidRequest(*(describe(violation) for violation in violations))
        return message

    return parse


def has_rules(descriptor: Descriptor, seen: set[str] | None = None) -> bool:
    """Whether the type, or one reachable from it, carries any protovalidate rule."""
    seen = set() if seen is None else seen
    if descriptor.full_name in seen:
        return False
    seen.add(descriptor.full_name)
    places = [descriptor, *descriptor.fields, *descriptor.oneofs]
    if any(_RULES_TAG in place.GetOptions().SerializeToString() for place in places):
        return True
    return any(has_rules(field.message_type, seen) for field in descriptor.fields if field.message_type is not None)


def describe(violation: Violation) -> tuple[str, str]:
    """(field path in the names of the .proto, what is wrong in Portuguese)."""
    proto = violation.proto
    return "", proto.message
