"""Bad values for every field of every request, derived from the descriptors and the rules in them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from buf.validate import validate_pb2
from google.api import field_behavior_pb2
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

INT32 = {FieldDescriptor.TYPE_INT32}
LEAST, MOST = -(2**31), 2**31 - 1
# Stands in a serialised request where bytes that are no UTF-8 go.
MARK, BROKEN = "QZQZ", b"\xff\xfe\xc3\x28"
# What JSON can say that no int32, string, bool, enum or message is.
WRONG_JSON: dict[int, list[Any]] = {
    FieldDescriptor.TYPE_INT32: ["abc", 1.5, MOST + 1, LEAST - 1, True, [1], {"a": 1}],
    FieldDescriptor.TYPE_STRING: [5, True, ["a"], {"a": 1}],
    FieldDescriptor.TYPE_BOOL: ["talvez", 2, [True]],
    FieldDescriptor.TYPE_ENUM: ["NAO_EXISTE", 1.5, [1], {"a": 1}],
    FieldDescriptor.TYPE_MESSAGE: [5, "abc", [1]],
}


class Field(NamedTuple):
    """A field of a request, by its path from the request: `cliente.email`."""

    path: tuple[str, ...]
    descriptor: FieldDescriptor

    @property
    def name(self) -> str:
        return ".".join(self.path)

    @property
    def rules(self) -> Any:
        options: Any = self.descriptor.GetOptions()
        return options.Extensions[validate_pb2.field]

    @property
    def ignored(self) -> bool:
        """Whether input is documented to be ignored."""
        options: Any = self.descriptor.GetOptions()
        return field_behavior_pb2.OUTPUT_ONLY in options.Extensions[field_behavior_pb2.field_behavior]

    def set(self, request: Message, value: Any) -> None:
        """Puts a value in; a message is replaced whole."""
        for name in self.path[:-1]:
            request = getattr(request, name)
        if value is None:
            request.ClearField(self.path[-1])
        elif self.descriptor.is_repeated:
            request.ClearField(self.path[-1])
            getattr(request, self.path[-1]).extend(value)
        else:
            setattr(request, self.path[-1], value)


def fields(request: Descriptor, prefix: tuple[str, ...] = ()) -> Iterator[Field]:
    """Every field of a request and of the contract's own messages in it, repeated ones as a whole."""
    for descriptor in request.fields:
        path = (*prefix, descriptor.name)
        yield Field(path, descriptor)
        inner = descriptor.message_type
        if inner and not descriptor.is_repeated and inner.full_name.startswith("confeitaria."):
            yield from fields(inner, path)


def beyond(field: Field) -> list[Any]:
    """Values that a message can hold and the rules refuse; None stands for an absent one."""
    rules, kind = field.rules, field.descriptor.type
    if field.descriptor.is_repeated:
        return beyond_repeated(field)
    if kind in INT32:
        return beyond_number(rules.int32)
    if kind == FieldDescriptor.TYPE_STRING:
        return beyond_text(rules)
    if kind == FieldDescriptor.TYPE_ENUM and rules.enum.defined_only:
        return [99, -1, *rules.enum.not_in]
    return [None] if rules.required else []


def beyond_number(rules: Any) -> list[int]:
    low = [rules.gte - 1, LEAST] if rules.HasField("gte") else []
    high = [rules.lte + 1, MOST] if rules.HasField("lte") else []
    return low + high


def beyond_text(rules: Any) -> list[str]:
    """Too long, too short, of the wrong shape."""
    text = rules.string
    bad = ["ç" * (text.max_len + 1)] if text.max_len else []
    if text.min_len:
        bad.append("")
    if text.uuid:
        bad += ["x", "01890000-0000-7000-8000-00000000000", "01890000_0000_7000_8000_000000000000"]
        bad += [] if rules.ignore else [""]
    if text.email:
        bad += ["a@", "sem arroba", "a b@c.d"]
    return bad + (["~"] if text.pattern else [])


def beyond_repeated(field: Field) -> list[Any]:
    rules = field.rules.repeated
    item: Any = GetMessageClass(field.descriptor.message_type)  # type: ignore[arg-type]  # only messages repeat here
    most = [item(produto_id=number, quantidade=1) for number in range(1, rules.max_items + 2)]
    return [[], [most[0], most[0]], most, [item(produto_id=1)]]


def at_limit(field: Field) -> list[Any]:
    """Values just within the rules. Rules written as expressions are left to the cases."""
    if field.descriptor.is_repeated or field.rules.cel:
        return []
    if field.descriptor.type in INT32:
        rules = field.rules.int32
        return [getattr(rules, bound) for bound in ("gte", "lte") if rules.HasField(bound)]
    text = field.rules.string
    plain = field.descriptor.type == FieldDescriptor.TYPE_STRING and not (text.uuid or text.email or text.pattern)
    return ["ç" * text.max_len] if plain and text.max_len else []


def odd(field: Field) -> list[Any]:
    """Values that may be taken or refused, but must not hurt: extremes, and text that databases stumble over."""
    kind = field.descriptor.type
    if field.descriptor.is_repeated:
        return []
    if kind in INT32:
        return [LEAST, -1, 0, MOST]
    if kind == FieldDescriptor.TYPE_STRING:
        return ["a\0b", "'; DROP TABLE produtos; --", "%", "_", "\\", "🍰" * 5, "\u202e", "\r\nx: y", "{}", "../../etc"]
    if kind == FieldDescriptor.TYPE_ENUM:
        return [0, 99, -1]
    return []
