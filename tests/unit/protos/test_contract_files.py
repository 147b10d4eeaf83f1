"""The contract is the manual: every part of it is commented, says whether a retry is safe, and states its limits."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from buf.validate import validate_pb2
from google.api import annotations_pb2, field_behavior_pb2
from google.protobuf.descriptor import FieldDescriptor, MethodDescriptor
from google.protobuf.descriptor_pb2 import FileDescriptorProto

from tests.contract import contract

PROTOS = Path(__file__).parents[3] / "protos"
SOURCES = sorted(PROTOS.glob("confeitaria/*/v1/*.proto"))
METHODS = [method for service in contract.SERVICES for method in service.methods]
# Paths into a FileDescriptorProto: which numbers stand for message, field, enum, enum value, service and method.
MESSAGE, ENUM, SERVICE, FIELD, METHOD, VALUE = 4, 5, 6, 2, 2, 2


def described() -> Iterator[FileDescriptorProto]:
    return (file for file in contract.descriptors().file if file.package.startswith("confeitaria."))


def elements(file: FileDescriptorProto) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Name and path of everything that wants a comment."""
    for number, message in enumerate(file.message_type):
        yield message.name, (MESSAGE, number)
        for place, field in enumerate(message.field):
            yield f"{message.name}.{field.name}", (MESSAGE, number, FIELD, place)
    for number, enum in enumerate(file.enum_type):
        yield enum.name, (ENUM, number)
        for place, value in enumerate(enum.value):
            yield f"{enum.name}.{value.name}", (ENUM, number, VALUE, place)
    for number, service in enumerate(file.service):
        yield service.name, (SERVICE, number)
        for place, method in enumerate(service.method):
            yield f"{service.name}.{method.name}", (SERVICE, number, METHOD, place)


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.name)
def test_a_third_of_the_lines_are_comments(source: Path) -> None:
    lines = [line.strip() for line in source.read_text().splitlines() if line.strip()]
    assert sum(line.startswith("//") for line in lines) * 3 >= len(lines)


@pytest.mark.parametrize("file", list(described()), ids=lambda file: file.package)
def test_everything_has_a_comment(file: FileDescriptorProto) -> None:
    comments = {tuple(place.path): place.leading_comments.strip() for place in file.source_code_info.location}
    assert [name for name, path in elements(file) if not comments.get(path)] == []


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
def test_every_rpc_says_whether_it_is_idempotent(method: MethodDescriptor) -> None:
    options: Any = method.GetOptions()
    assert options.HasField("idempotency_level")
    if options.Extensions[annotations_pb2.http].WhichOneof("pattern") == "get":
        assert options.idempotency_level == options.NO_SIDE_EFFECTS


def requests() -> Iterator[FieldDescriptor]:
    """Every text and number that a client may send."""
    for method in METHODS:
        for field in method.input_type.fields:
            inner = field.message_type.fields if field.message_type else [field]
            yield from (one for one in inner if one.type in (FieldDescriptor.TYPE_STRING, FieldDescriptor.TYPE_INT32))


def test_every_text_and_number_has_a_limit() -> None:
    unlimited = []
    for field in requests():
        if field.full_name.startswith("google."):
            continue
        options: Any = field.GetOptions()
        output_only = options.Extensions[field_behavior_pb2.field_behavior]
        if not output_only and not options.HasExtension(validate_pb2.field):
            unlimited.append(field.full_name)
    assert unlimited == []


@pytest.mark.parametrize(
    "file", [file for file in described() if "gateway" not in file.package], ids=lambda f: f.package
)
def test_every_reason_is_named_by_an_rpc_that_gives_it(file: FileDescriptorProto) -> None:
    """OpenAPI reads them there: `NOT_FOUND, PRODUTO_NAO_ENCONTRADO`."""
    calls = " ".join(place.leading_comments for place in file.source_code_info.location if place.path[:1] == [SERVICE])
    reasons = next(enum for enum in file.enum_type if enum.name == "MotivoErro").value
    assert [reason.name for reason in reasons[1:] if reason.name not in calls] == []
