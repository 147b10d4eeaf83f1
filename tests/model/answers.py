"""What a client hears from a service, in one form, whether the service is a process behind gRPC or objects in here."""

import inspect
from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol, TypeAlias

import grpc
from google.protobuf.descriptor import ServiceDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo
from google.rpc.status_pb2 import Status

from chassis.errors import STATUS_DETAILS, ErrorTable, refusal
from chassis.validation import parser

PATIENCE = 30.0  # seconds: a call that takes longer has failed, however slow the machine
UNCERTAIN = {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.CANCELLED}


class Refusal(NamedTuple):
    """A no: `metadata` is ErrorInfo's, `fields` are the paths that BadRequest names."""

    code: str
    reason: str
    metadata: frozenset[tuple[str, str]] = frozenset()
    fields: frozenset[str] = frozenset()


class Unknown(NamedTuple):
    """No answer: what was asked for may have happened or not."""

    code: str


Answer: TypeAlias = Message | Refusal | Unknown


def refused(code: str, reason: str, **metadata: object) -> Refusal:
    return Refusal(code, reason, frozenset((name, str(value)) for name, value in metadata.items()))


def invalid(*fields: str) -> Refusal:
    return Refusal("INVALID_ARGUMENT", "REQUISICAO_INVALIDA", fields=frozenset(fields))


async def channel_to(target: str) -> grpc.aio.Channel:
    """It belongs to the event loop that runs this."""
    return grpc.aio.insecure_channel(target)


class Door(Protocol):
    """Where a client knocks."""

    async def call(self, rpc: str, request: Message) -> Answer: ...


class LocalDoor:
    """A servicer without a server: requests are parsed and errors told as the chassis does.

    Its ports may be fakes, so that a call costs microseconds.
    """

    def __init__(self, servicer: object, service: ServiceDescriptor, errors: ErrorTable) -> None:
        self._servicer = servicer
        self._service = service
        self._errors = errors

    async def call(self, rpc: str, request: Message) -> Answer:
        try:
            answer = getattr(self._servicer, rpc)(self.parsed(rpc, request), None)
            answer = await answer if inspect.isawaitable(answer) else answer
        except Exception as exc:  # noqa: BLE001  told as the server tells it, or raised again
            return self.told(exc)
        return _message(self._service, rpc, answer)

    async def first(self, rpc: str, request: Message) -> Answer:
        """The first message of a stream, of which no more is read."""
        try:
            stream = getattr(self._servicer, rpc)(self.parsed(rpc, request), None)
            answer: Message = await anext(stream)
            await stream.aclose()
        except Exception as exc:  # noqa: BLE001  told as the server tells it, or raised again
            return self.told(exc)
        return answer

    def parsed(self, rpc: str, request: Message) -> Message:
        message: Message = _parser(self._service, rpc)(request.SerializeToString())
        return message

    def told(self, exc: Exception) -> Refusal:
        """What a client would hear of an error; one that nobody mapped is raised again."""
        mapped = refusal(exc, self._errors, "")
        if mapped is None:
            raise exc
        return _decoded(mapped.code, dict(mapped.trailers))


class GrpcDoor:
    """A process behind a channel. No answer is Unknown; every other failure is told as it came.

    UNAVAILABLE is no answer, unless it is `certain`: there are services that say so of a neighbour they only read from.
    """

    def __init__(self, channel: grpc.aio.Channel, service: ServiceDescriptor, *, certain: bool = False) -> None:
        self._channel = channel
        self._service = service
        self._certain = certain
        self._methods: dict[str, Any] = {}

    async def call(self, rpc: str, request: Message) -> Answer:
        try:
            answer: Message = await self._method(rpc)(request, timeout=PATIENCE)
        except grpc.aio.AioRpcError as exc:
            return heard(exc, certain=self._certain)
        return answer

    async def first(self, rpc: str, request: Message) -> Answer:
        """The first message of a stream, of which no more is read."""
        stream = self._method(rpc)(request, timeout=PATIENCE)
        try:
            answer: Message = await stream.read()
        except grpc.aio.AioRpcError as exc:
            return heard(exc)
        stream.cancel()
        return answer

    def _method(self, rpc: str) -> Any:
        if rpc not in self._methods:
            method = self._service.methods_by_name[rpc]
            make = self._channel.unary_stream if method.server_streaming else self._channel.unary_unary
            self._methods[rpc] = make(
                f"/{self._service.full_name}/{rpc}",
                request_serializer=GetMessageClass(method.input_type).SerializeToString,
                response_deserializer=GetMessageClass(method.output_type).FromString,
            )
        return self._methods[rpc]


def heard(exc: grpc.aio.AioRpcError, *, certain: bool = False) -> Refusal | Unknown:
    trailers = {key: value for key, value in exc.trailing_metadata() or () if isinstance(value, bytes)}
    told = _decoded(exc.code(), trailers)
    if exc.code() in UNCERTAIN and not (certain and told.reason):
        return Unknown(f"{exc.code().name}: {exc.details()}")
    return told


def _decoded(code: grpc.StatusCode, trailers: Mapping[str, bytes]) -> Refusal:
    info, bad = ErrorInfo(), BadRequest()
    for detail in Status.FromString(trailers.get(STATUS_DETAILS, b"")).details:
        detail.Unpack(info)
        detail.Unpack(bad)
    fields = frozenset(violation.field for violation in bad.field_violations)
    return Refusal(code.name, info.reason, frozenset(info.metadata.items()), fields)


_parsers: dict[str, Any] = {}


def _parser(service: ServiceDescriptor, rpc: str) -> Any:
    method = service.methods_by_name[rpc]
    if method.full_name not in _parsers:
        _parsers[method.full_name] = parser(method.input_type)
    return _parsers[method.full_name]


def _message(service: ServiceDescriptor, rpc: str, answer: Message | bytes) -> Message:
    """Servicers may give ready bytes."""
    if isinstance(answer, Message):
        return answer
    return GetMessageClass(service.methods_by_name[rpc].output_type).FromString(answer)
