"""The contract as the generator reads it: types and RPCs by name, each with its comment."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from google.api import annotations_pb2
from google.api.http_pb2 import HttpRule
from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FileDescriptorProto,
    FileDescriptorSet,
    MethodDescriptorProto,
)

OWN = "confeitaria."
Path = tuple[int, ...]


@dataclass(frozen=True)
class Rpc:
    """One RPC with a REST route."""

    service: str  # full name
    proto: MethodDescriptorProto
    comment: str

    @property
    def name(self) -> str:
        return self.proto.name

    @property
    def part(self) -> str:
        """The service's short name: catalogo."""
        return self.service.split(".")[1]

    @property
    def rule(self) -> HttpRule:
        return self.proto.options.Extensions[annotations_pb2.http]

    @property
    def verb(self) -> str:
        """get, put, post, delete or patch."""
        return self.rule.WhichOneof("pattern") or ""

    @property
    def in_path(self) -> list[str]:
        """Field paths of the parameters in the path: ["produto.produto_id"]."""
        return re.findall(r"{([^}=]+)[^}]*}", getattr(self.rule, self.verb))

    @property
    def path(self) -> str:
        """As OpenAPI writes it, parameters by their last name: two paths that differ in those alone are one."""
        return re.sub(r"{(?:\w+\.)*(\w+)[^}]*}", r"{\1}", getattr(self.rule, self.verb))


@dataclass
class Source:
    """Everything by full name, without a leading dot. Enum values are named Enum.VALUE."""

    messages: dict[str, DescriptorProto] = field(default_factory=dict)
    enums: dict[str, EnumDescriptorProto] = field(default_factory=dict)
    comments: dict[str, str] = field(default_factory=dict)
    services: dict[str, list[Rpc]] = field(default_factory=dict)


def read(described: FileDescriptorSet) -> Source:
    """The whole contract; of other people's files only the types."""
    source = Source()
    for file in described.file:
        comments = {tuple(each.path): _flowing(each.leading_comments) for each in file.source_code_info.location}
        own = file.package.startswith(OWN)
        _Reader(source, comments if own else {}).file(file, served=own)
    return source


class _Reader:
    """Walks one file; paths are those of SourceCodeInfo (descriptor.proto: field numbers and positions)."""

    def __init__(self, source: Source, comments: Mapping[Path, str]) -> None:
        self._source, self._comments = source, comments

    def file(self, file: FileDescriptorProto, *, served: bool) -> None:
        scope = file.package
        self._note(scope, (12,))  # the `syntax` line, which carries the comment at the top
        self._messages(scope, file.message_type, (4,))
        self._enums(scope, file.enum_type, (5,))
        for position, service in enumerate(file.service if served else ()):
            name, path = f"{scope}.{service.name}", (6, position)
            self._note(name, path)
            rpcs = [
                Rpc(name, method, self._comments.get((*path, 2, at), "")) for at, method in enumerate(service.method)
            ]
            self._source.services[name] = [rpc for rpc in rpcs if rpc.verb]

    def _messages(self, scope: str, messages: Iterable[DescriptorProto], at: Path) -> None:
        for position, message in enumerate(messages):
            name, path = f"{scope}.{message.name}", (*at, position)
            self._source.messages[name] = message
            self._note(name, path)
            for number, each in enumerate(message.field):
                self._note(f"{name}.{each.name}", (*path, 2, number))
            self._messages(name, message.nested_type, (*path, 3))
            self._enums(name, message.enum_type, (*path, 4))

    def _enums(self, scope: str, enums: Iterable[EnumDescriptorProto], at: Path) -> None:
        for position, enum in enumerate(enums):
            name, path = f"{scope}.{enum.name}", (*at, position)
            self._source.enums[name] = enum
            self._note(name, path)
            for number, each in enumerate(enum.value):
                self._note(f"{name}.{each.name}", (*path, 2, number))

    def _note(self, name: str, path: Path) -> None:
        if comment := self._comments.get(path):
            self._source.comments[name] = comment


def _flowing(comment: str) -> str:
    """Paragraphs, each on one line."""
    paragraphs = re.split(r"\n\s*\n", comment.strip())
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs if paragraph.strip())


def values(source: Source, enum: str) -> Iterator[tuple[str, str]]:
    """Name and comment of each value of an enum."""
    for value in source.enums[enum].value:
        yield value.name, source.comments.get(f"{enum}.{value.name}", "")
