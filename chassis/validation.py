"""protovalidate rules of a message type, checked and told in Portuguese."""

import re
from collections.abc import Callable
from functools import cache
from typing import Any

import protovalidate
from google.protobuf import message_factory
from google.protobuf.descriptor import Descriptor
from google.protobuf.message import DecodeError, Message
from protovalidate import Violation

from chassis.errors import InvalidRequest

_SHORT = 64  # bytes: what a read by id or a first page takes
_KEPT = 1_024  # requests remembered per method

UNREADABLE = "a mensagem não pôde ser lida"


@cache
def _validator() -> protovalidate.Validator:
    """One for all methods: each keeps the rules it compiled, and a set of its own for each costs 15 MB."""
    return protovalidate.Validator()


def parser(descriptor: Descriptor) -> Callable[[bytes], Message]:
    """A function that reads a request from its bytes and checks its rules; InvalidRequest says what is wrong.

    The rules are compiled here, so that a bad rule stops the start (protovalidate.CompilationError), not a call.
    """
    cls: type[Message] = message_factory.GetMessageClass(descriptor)
    read = cls.FromString
    collect = _validator().collect_violations
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
    text = _text(proto.rule_id, proto.message, violation.rule_value)
    return _path(proto), f"chave: {text}" if proto.for_key else text


def _path(proto: Any) -> str:  # noqa: ANN401  protovalidate's own message types have no public name
    """`itens[2].quantidade`, `precos["kg"]`; "" for a rule of the whole message."""
    steps = [(element.field_name, element.subscript) for element in (proto.field.elements if proto.field else ())]
    return ".".join(name + ("" if subscript is None else f"[{_key(subscript.value)}]") for name, subscript in steps)


def _key(value: object) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value)


def _text(rule: str, message: str, value: Any) -> str:  # noqa: ANN401  the value of whatever rule
    kind, _, name = rule.rpartition(".")
    if rule != "required" and kind not in _KINDS:
        return message  # a rule of our own speaks for itself
    name = name.removesuffix("_empty")  # the same rule, told of an empty value
    if rule == "required" and "oneof" in message:
        name = "oneof"
    limits = _LIMITS.findall(message)
    if name in RANGES and limits:
        return RANGES[name].format(*limits)
    template = TEXTS.get(f"{kind}.{name}") or TEXTS.get(name, "valor inválido")
    one = value == 1
    nouns = {"s": "" if one else "s", "items": "item" if one else "itens", "pairs": "par" if one else "pares"}
    return template.format(_value(value), **nouns)


def _value(value: Any) -> str:  # noqa: ANN401
    if isinstance(value, bool):
        return "verdadeiro" if value else "falso"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


# "must be greater than or equal to 1 and less than 9": the only place where both limits of a range stand.
_LIMITS = re.compile(r"than(?: or equal to)? (\S+)")
_NUMBERS = "float double int32 int64 uint32 uint64 sint32 sint64 fixed32 fixed64 sfixed32 sfixed64"
_KINDS = {
    "message",
    *_NUMBERS.split(),
    *["bool", "string", "bytes", "enum", "repeated", "map", "any", "duration", "timestamp", "field_mask"],
}

RANGES = {
    "gt": "deve ser maior que {}",
    "gte": "deve ser no mínimo {}",
    "lt": "deve ser menor que {}",
    "lte": "deve ser no máximo {}",
    "gt_lt": "deve ser maior que {} e menor que {}",
    "gt_lte": "deve ser maior que {} e no máximo {}",
    "gte_lt": "deve ser no mínimo {} e menor que {}",
    "gte_lte": "deve ficar entre {} e {}",
    "gt_lt_exclusive": "deve ser maior que {} ou menor que {}",
    "gt_lte_exclusive": "deve ser maior que {} ou no máximo {}",
    "gte_lt_exclusive": "deve ser no mínimo {} ou menor que {}",
    "gte_lte_exclusive": "deve ser no mínimo {} ou no máximo {}",
}

# By rule id, or by its last part where all kinds of value say the same.
TEXTS = {
    "required": "é obrigatório",
    "oneof": "informe exatamente um dos campos",
    "const": "deve ser {}",
    "in": "deve ser um destes: {}",
    "not_in": "não pode ser nenhum destes: {}",
    "finite": "deve ser um número finito",
    "string.len": "deve ter exatamente {} caractere{s}",
    "string.min_len": "deve ter no mínimo {} caractere{s}",
    "string.max_len": "deve ter no máximo {} caractere{s}",
    "string.len_bytes": "deve ter exatamente {} byte{s}",
    "string.min_bytes": "deve ter no mínimo {} byte{s}",
    "string.max_bytes": "deve ter no máximo {} byte{s}",
    "pattern": "deve seguir o formato {}",
    "prefix": "deve começar com {}",
    "suffix": "deve terminar com {}",
    "contains": "deve conter {}",
    "not_contains": "não pode conter {}",
    "string.email": "deve ser um endereço de e-mail válido",
    "string.hostname": "deve ser um nome de servidor válido",
    "ip": "deve ser um endereço IP válido",
    "ipv4": "deve ser um endereço IPv4 válido",
    "ipv6": "deve ser um endereço IPv6 válido",
    "string.uri": "deve ser um endereço (URI) válido",
    "string.uri_ref": "deve ser um endereço (URI) válido, inteiro ou relativo",
    "string.address": "deve ser um nome de servidor ou endereço IP válido",
    "string.host_and_port": "deve ser um servidor seguido de porta",
    "uuid": "deve ser um UUID válido",
    "string.tuuid": "deve ser um UUID válido, sem hífens",
    "string.ulid": "deve ser um ULID válido",
    "bytes.len": "deve ter exatamente {} byte{s}",
    "bytes.min_len": "deve ter no mínimo {} byte{s}",
    "bytes.max_len": "deve ter no máximo {} byte{s}",
    "enum.defined_only": "não é um dos valores conhecidos",
    "enum.in": "não é um dos valores aceitos aqui",
    "enum.not_in": "não é um dos valores aceitos aqui",
    "repeated.min_items": "deve ter no mínimo {} {items}",
    "repeated.max_items": "deve ter no máximo {} {items}",
    "repeated.unique": "não pode ter itens repetidos",
    "map.min_pairs": "deve ter no mínimo {} {pairs}",
    "map.max_pairs": "deve ter no máximo {} {pairs}",
    "timestamp.lt_now": "deve estar no passado",
    "timestamp.gt_now": "deve estar no futuro",
    "timestamp.within": "está longe demais da hora atual",
    "field_mask.in": "só pode conter: {}",
    "field_mask.not_in": "não pode conter: {}",
}
