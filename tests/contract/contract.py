"""The contract as data: every public RPC, its REST route, and how a request travels over either."""

from __future__ import annotations

import json
import re
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode

import grpc
import httpx
from buf.validate import validate_pb2  # noqa: F401  registers the rules, so that options read as messages
from confeitaria.carrinho.v1 import carrinho_pb2
from confeitaria.catalogo.v1 import catalogo_pb2
from confeitaria.gateway.v1 import gateway_pb2
from confeitaria.pedidos.v1 import pedidos_pb2
from google.api import annotations_pb2
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.json_format import MessageToDict, Parse
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status

PACKAGES = (catalogo_pb2, carrinho_pb2, pedidos_pb2, gateway_pb2)
SERVICES: list[ServiceDescriptor] = [
    service for package in PACKAGES for service in package.DESCRIPTOR.services_by_name.values()
]
PATH_VARIABLE = re.compile(r"\{([a-z_.]+)\}")

# How Envoy turns a gRPC status into an HTTP one (google.rpc.Code's own table).
HTTP_STATUS = {
    "CANCELLED": 499,
    "UNKNOWN": 500,
    "INVALID_ARGUMENT": 400,
    "DEADLINE_EXCEEDED": 504,
    "NOT_FOUND": 404,
    "ALREADY_EXISTS": 409,
    "PERMISSION_DENIED": 403,
    "RESOURCE_EXHAUSTED": 429,
    "FAILED_PRECONDITION": 400,
    "ABORTED": 409,
    "OUT_OF_RANGE": 400,
    "UNIMPLEMENTED": 501,
    "INTERNAL": 500,
    "UNAVAILABLE": 503,
}


class Route(NamedTuple):
    """An RPC and the HTTP route that stands for it."""

    method: MethodDescriptor
    verb: str
    path: str
    body: str

    @property
    def name(self) -> str:
        """`CatalogoService.ObterProduto`."""
        return f"{self.method.containing_service.name}.{self.method.name}"

    @property
    def grpc_path(self) -> str:
        """`/confeitaria.catalogo.v1.CatalogoService/ObterProduto`."""
        return f"/{self.method.containing_service.full_name}/{self.method.name}"


class Answer(NamedTuple):
    """What came back: `code` is a gRPC status name; `value` the answer, or the error's message, reason and metadata."""

    code: str
    value: Any

    @property
    def ok(self) -> bool:
        return self.code == "OK"

    @property
    def reason(self) -> str:
        """ErrorInfo.reason, empty if there is none."""
        return "" if self.ok else self.value["reason"]


@cache
def routes() -> dict[str, Route]:
    """Every RPC with a REST route, by name."""
    found = {}
    for service in SERVICES:
        for method in service.methods:
            rule = method.GetOptions().Extensions[annotations_pb2.http]
            verb = rule.WhichOneof("pattern")
            if verb:
                route = Route(method, verb.upper(), getattr(rule, verb), rule.body)
                found[route.name] = route
    return found


@cache
def descriptors() -> FileDescriptorSet:
    """The committed descriptor set, comments included."""
    return FileDescriptorSet.FromString((files("confeitaria") / "descriptors.binpb").read_bytes())


def http_request(route: Route, request: Message) -> tuple[str, str, bytes | None]:
    """Verb, path with query, and JSON body that say what `request` says."""
    fields = as_json(request)
    path = PATH_VARIABLE.sub(lambda match: quote(str(take(fields, match[1].split("."))), safe=""), route.path)
    if route.body == "*":
        return route.verb, path, json.dumps(fields).encode()
    body = json.dumps(fields.pop(route.body, {})).encode() if route.body else None
    query = urlencode([(name, query_text(value)) for name, value in fields.items()])
    return route.verb, f"{path}?{query}" if query else path, body


def as_json(message: Message) -> dict[str, Any]:
    """The fields that are set, under their proto names."""
    fields: dict[str, Any] = MessageToDict(message, preserving_proto_field_name=True)
    for descriptor, value in message.ListFields():
        if isinstance(value, FieldMask):
            fields[descriptor.name] = ",".join(value.paths)
    return fields


def take(fields: dict[str, Any], names: list[str]) -> Any:
    """Takes a path variable out of the fields; a missing number is 0, as proto3 has it."""
    *outer, last = names
    for name in outer:
        fields = fields.get(name, {})
    return fields.pop(last, 0)


def query_text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def call_rest(client: httpx.Client, route: Route, request: Message) -> Answer:
    """The call over REST. Streams are read to their end."""
    verb, path, body = http_request(route, request)
    headers = {"content-type": "application/json"} if body is not None else {}
    return read_rest(client.request(verb, path, content=body, headers=headers), route)


def read_rest(response: httpx.Response, route: Route) -> Answer:
    """An HTTP response as an Answer; fails if an error is not the Status that the contract promises."""
    if response.status_code == 200:
        if route.method.server_streaming:
            lines = [line.removeprefix("data:").strip() for line in response.text.splitlines() if line.strip()]
            return Answer("OK", [json.loads(line) for line in lines])
        kind = response.headers["content-type"]
        return Answer("OK", response.json() if kind.startswith("application/json") else response.content)
    assert response.headers["content-type"].startswith("application/json"), response.text[:300]
    status = Parse(response.content, status_pb2.Status())
    answer = read_status(status)
    allowed = {HTTP_STATUS[answer.code]} | ({413} if answer.reason == "CORPO_GRANDE_DEMAIS" else set())
    assert response.status_code in allowed, (response.status_code, answer)
    return answer


def call_grpc(channel: grpc.Channel, route: Route, request: Message | bytes) -> Answer:
    """The same call over gRPC, the answer as the JSON that REST would print."""
    answer_class = GetMessageClass(route.method.output_type)
    raw = request if isinstance(request, bytes) else request.SerializeToString()
    try:
        if route.method.server_streaming:
            stream: Any = channel.unary_stream(route.grpc_path, response_deserializer=answer_class.FromString)
            return Answer("OK", [printed(message) for message in stream(raw, timeout=10)])
        unary: Any = channel.unary_unary(route.grpc_path, response_deserializer=answer_class.FromString)
        return Answer("OK", printed(unary(raw, timeout=10)))
    except grpc.RpcError as error:
        return read_error(error)


def read_error(error: Any) -> Answer:
    """A failed gRPC call as an Answer; one without a Status has an empty reason."""
    status = rpc_status.from_call(error)
    if status is None:
        return Answer(error.code().name, {"message": error.details(), "reason": "", "metadata": {}, "fields": []})
    return read_status(status)


def read_status(status: status_pb2.Status) -> Answer:
    """Code, message, reason, metadata and the fields that a BadRequest names."""
    info, bad = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
    for detail in status.details:
        detail.Unpack(info)
        detail.Unpack(bad)
    code = next(code.name for code in grpc.StatusCode if code.value[0] == status.code)
    fields = sorted(violation.field for violation in bad.field_violations)
    metadata = {key: value for key, value in info.metadata.items() if key != "detalhe"}
    return Answer(code, {"message": status.message, "reason": info.reason, "metadata": metadata, "fields": fields})


def printed(message: Message) -> Any:
    """The JSON that REST prints of a message; the bytes themselves of a google.api.HttpBody."""
    if message.DESCRIPTOR.full_name == "google.api.HttpBody":
        data: bytes = message.data  # type: ignore[attr-defined]
        return json.loads(data) if message.content_type.startswith("application/json") else data  # type: ignore[attr-defined]
    return MessageToDict(message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True)
