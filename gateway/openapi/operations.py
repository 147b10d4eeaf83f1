"""One RPC as an OpenAPI operation: parameters, body, answers."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from google.api.field_behavior_pb2 import FieldBehavior
from google.protobuf.descriptor_pb2 import FieldDescriptorProto as Field

from gateway.openapi.errors import Failures, responses
from gateway.openapi.schemas import WELL_KNOWN, Schemas, behaves
from gateway.openapi.source import Rpc, Source

Json = dict[str, Any]
HTTP_BODY = "google.api.HttpBody"

# `Takes `x-...`.` and `Its answer carries `x-...`.`: headers, which no message of the contract could name.
TAKES, CARRIES = re.compile(r"Takes `(x-[\w-]+)`"), re.compile(r"answer carries `(x-[\w-]+)`")
GIVEN = "Opaque; from the answer to a change. The answer to this read is then no older than that change."


@dataclass(frozen=True)
class _Leaf:
    """A field that can be written as one parameter: `cliente.nome`, of the message that declares it."""

    path: str
    message: str
    field: Field


class Operations:
    """Makes them; the types they need grow in `schemas`."""

    def __init__(self, source: Source, schemas: Schemas, failures: Failures) -> None:
        self._source, self._schemas, self._failures = source, schemas, failures

    def of(self, rpc: Rpc) -> Json:
        """The operation object of one RPC (OpenAPI 3.1, 4.8.10)."""
        summary = re.split(r"(?<=[.])\s", rpc.comment, maxsplit=1)[0]
        operation: Json = {
            "operationId": rpc.name,
            "tags": [rpc.part],
            "summary": summary.rstrip(".").replace("`", ""),  # no Markdown there
            "description": f"{rpc.comment}\n\ngRPC: `{rpc.service}/{rpc.name}`",
        }
        if parameters := list(self._parameters(rpc)):
            operation["parameters"] = parameters
        if rpc.rule.body:
            operation["requestBody"] = self._body(rpc)
        operation["responses"] = {"200": self._answer(rpc)} | responses(self._failures.of(rpc))
        self._same_body_with_another_status(rpc, operation["responses"])
        return operation

    def _parameters(self, rpc: Rpc) -> Iterator[Json]:
        leaves = {leaf.path: leaf for leaf in self._leaves(rpc.proto.input_type.lstrip("."))}
        for path in rpc.in_path:
            yield self._parameter(leaves[path], path.rpartition(".")[2], "path", required=True)
        for name in TAKES.findall(rpc.comment):
            yield {"name": name, "in": "header", "required": False, "description": GIVEN, "schema": {"type": "string"}}
        if rpc.rule.body == "*":
            return
        for path, leaf in leaves.items():
            if path not in rpc.in_path and path.split(".")[0] != rpc.rule.body:
                yield self._parameter(leaf, path, "query", required=behaves(leaf.field, FieldBehavior.REQUIRED))

    def _leaves(self, message: str, prefix: str = "", above: tuple[str, ...] = ()) -> Iterator[_Leaf]:
        for each in self._source.messages[message].field:
            inner = each.type_name.lstrip(".") if each.type == Field.TYPE_MESSAGE else ""
            if not inner or inner in WELL_KNOWN:
                yield _Leaf(prefix + each.name, message, each)
            elif each.label != Field.LABEL_REPEATED and inner not in above:  # the others cannot stand in a query
                yield from self._leaves(inner, f"{prefix}{each.name}.", (*above, message))

    def _parameter(self, leaf: _Leaf, name: str, place: str, *, required: bool) -> Json:
        schema = self._schemas.field(leaf.message, leaf.field)
        schema.pop("readOnly", None)
        told = schema.pop("description")
        return {"name": name, "in": place, "required": required, "description": told, "schema": schema}

    def _body(self, rpc: Rpc) -> Json:
        """The request without what stands in the path, or the one field that `body` names."""
        message, in_path = rpc.proto.input_type.lstrip("."), rpc.in_path
        if rpc.rule.body != "*":
            prefix = f"{rpc.rule.body}."
            (field,) = (each for each in self._source.messages[message].field if each.name == rpc.rule.body)
            message = field.type_name.lstrip(".")
            in_path = [path.removeprefix(prefix) for path in in_path if path.startswith(prefix)]
        schema = self._schemas.message(message, in_path) if in_path else self._schemas.reference(message)
        needed = bool(self._schemas.message(message, in_path)["properties"])
        return {"required": needed, "content": {"application/json": {"schema": schema}}}

    def _answer(self, rpc: Rpc) -> Json:
        name = rpc.proto.output_type.lstrip(".")
        if name == HTTP_BODY:  # whose type the comment says, in parentheses
            kind = re.search(r"\((\w+/[\w.+-]+)\)", rpc.comment)
            return {"description": "OK", "content": {kind[1] if kind else "*/*": {}}}
        schema = self._schemas.reference(name)
        if rpc.proto.server_streaming:
            events = {"type": "string", "contentMediaType": "application/json", "contentSchema": schema}
            told = "Server-sent events; the `data` of each is one message."
            return {"description": told, "content": {"text/event-stream": {"schema": events}}}
        answer: Json = {"description": "OK", "content": {"application/json": {"schema": schema}}}
        if headers := CARRIES.findall(rpc.comment):
            told = "Opaque; sent with a read, it makes the answer no older than this change."
            answer["headers"] = {name: {"description": told, "schema": {"type": "string"}} for name in headers}
        return answer

    def _same_body_with_another_status(self, rpc: Rpc, found: dict[str, Json]) -> None:
        """`... and 503 when not, with the same body`: then a 503 is either the answer or an error."""
        if told := re.search(r"and (\d{3}) when not, with the same body", rpc.comment):
            content = found[told[1]]["content"]["application/json"]
            content["schema"] = {
                "anyOf": [self._schemas.reference(rpc.proto.output_type.lstrip(".")), content["schema"]]
            }
