"""gRPC server reflection for every service of the contract, v1 and v1alpha, out of the descriptor set alone.

The two versions have the same messages under two names, and grpcio-reflection brings only the older ones, so the newer
description is made from them. Unlike grpcio-reflection this keeps the contract's comments: `grpcurl describe` is the
manual.
"""

from collections.abc import AsyncIterator, Iterable, Iterator

import grpc
from google.protobuf.descriptor_pb2 import DescriptorProto, FileDescriptorProto, FileDescriptorSet
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2
from grpc_reflection.v1alpha.reflection_pb2 import ServerReflectionRequest as Request
from grpc_reflection.v1alpha.reflection_pb2 import ServerReflectionResponse as Response

OWN = "confeitaria/"
OLD, NEW = "grpc.reflection.v1alpha", "grpc.reflection.v1"
VERSIONS = (OLD, NEW)
NOT_FOUND: int = grpc.StatusCode.NOT_FOUND.value[0]


class Reflection:
    """Knows every file of `contract` by name, by symbol and by extension."""

    def __init__(self, contract: FileDescriptorSet) -> None:
        self._files: dict[str, FileDescriptorProto] = {}
        self._symbols: dict[str, str] = {}  # full name -> file name
        self._extensions: dict[str, dict[int, str]] = {}  # extended type -> number -> file name
        self._services: list[str] = []
        for file in (*contract.file, *_described(health_pb2), *_reflection_itself()):
            self._add(file)

    def handlers(self) -> list[grpc.GenericRpcHandler]:
        """One for each version of the protocol."""
        handler = grpc.stream_stream_rpc_method_handler(
            self.answers, request_deserializer=Request.FromString, response_serializer=Response.SerializeToString
        )
        return [
            grpc.method_handlers_generic_handler(f"{version}.ServerReflection", {"ServerReflectionInfo": handler})
            for version in VERSIONS
        ]

    async def answers(self, requests: AsyncIterator[Request], _context: object) -> AsyncIterator[Response]:
        """ServerReflectionInfo: one answer a question."""
        async for request in requests:
            answer = self.answer(request)
            answer.valid_host = request.host
            answer.original_request.CopyFrom(request)
            yield answer

    def answer(self, request: Request) -> Response:
        """What one question asks for, or error_response NOT_FOUND."""
        match request.WhichOneof("message_request"):
            case "list_services":
                services = [reflection_pb2.ServiceResponse(name=name) for name in self._services]
                return Response(list_services_response=reflection_pb2.ListServiceResponse(service=services))
            case "file_by_filename":
                return self._file(request.file_by_filename)
            case "file_containing_symbol":
                return self._file(self._symbols.get(request.file_containing_symbol))
            case "file_containing_extension":
                wanted = request.file_containing_extension
                numbers = self._extensions.get(wanted.containing_type, {})
                return self._file(numbers.get(wanted.extension_number))
            case "all_extension_numbers_of_type":
                return self._numbers(request.all_extension_numbers_of_type)
        return _missing("a pergunta")

    def _file(self, name: str | None) -> Response:
        if name is None or name not in self._files:
            return _missing("o nome")
        found = [self._files[each].SerializeToString() for each in self._with_imports(name)]
        return Response(file_descriptor_response=reflection_pb2.FileDescriptorResponse(file_descriptor_proto=found))

    def _with_imports(self, name: str) -> list[str]:
        """The file first, then everything it needs, each once."""
        found = [name]
        for each in found:
            found.extend(needed for needed in self._files[each].dependency if needed not in found)
        return found

    def _numbers(self, name: str) -> Response:
        if name not in self._symbols:
            return _missing("o tipo")
        numbers = sorted(self._extensions.get(name, ()))
        found = reflection_pb2.ExtensionNumberResponse(base_type_name=name, extension_number=numbers)
        return Response(all_extension_numbers_response=found)

    def _add(self, file: FileDescriptorProto) -> None:
        if file.name in self._files:
            return
        if not file.name.startswith(OWN):
            file.ClearField("source_code_info")  # other people's comments are half of all bytes
        self._files[file.name] = file
        for name in _names(file):
            self._symbols[name] = file.name
        for extension in file.extension:
            self._extensions.setdefault(extension.extendee.lstrip("."), {})[extension.number] = file.name
        self._services.extend(f"{file.package}.{service.name}" for service in file.service)


def _missing(what: str) -> Response:
    error = reflection_pb2.ErrorResponse(error_code=NOT_FOUND, error_message=f"{what} não existe")
    return Response(error_response=error)


def _names(file: FileDescriptorProto) -> Iterator[str]:
    """Full names of everything a file declares."""
    package = f"{file.package}."
    for service in file.service:
        yield package + service.name
        yield from (f"{package}{service.name}.{method.name}" for method in service.method)
    yield from (package + enum.name for enum in file.enum_type)
    yield from (package + extension.name for extension in file.extension)
    yield from _nested(package, file.message_type)


def _nested(scope: str, messages: Iterable[DescriptorProto]) -> Iterator[str]:
    for message in messages:
        name = scope + message.name
        yield name
        yield from (f"{name}.{field.name}" for field in message.field)
        yield from (f"{name}.{enum.name}" for enum in message.enum_type)
        yield from _nested(f"{name}.", message.nested_type)


def _described(module: object) -> list[FileDescriptorProto]:
    return [FileDescriptorProto.FromString(module.DESCRIPTOR.serialized_pb)]  # type: ignore[attr-defined]


def _reflection_itself() -> Iterator[FileDescriptorProto]:
    (old,) = _described(reflection_pb2)
    yield old
    new = FileDescriptorProto()
    new.CopyFrom(old)
    new.name, new.package = old.name.replace("v1alpha", "v1"), NEW
    for field in (each for message in new.message_type for each in message.field if each.type_name):
        field.type_name = field.type_name.replace(f".{OLD}.", f".{NEW}.")
    for method in new.service[0].method:
        method.input_type = method.input_type.replace(f".{OLD}.", f".{NEW}.")
        method.output_type = method.output_type.replace(f".{OLD}.", f".{NEW}.")
    yield new
