"""What was added whole (reflection) is served beside the rest, and guarded like the rest."""

from typing import Any

import grpc
import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from grpc_reflection.v1alpha.reflection_pb2 import ServerReflectionRequest as Ask
from grpc_reflection.v1alpha.reflection_pb2_grpc import ServerReflectionStub

from tests.conformance import contract
from tests.conformance.running import CALL_SECONDS, Running, answer

PATH = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"


async def test_a_client_learns_the_contract(shared: Running) -> None:
    async with shared.channel() as channel:
        call = ServerReflectionStub(channel).ServerReflectionInfo(timeout=CALL_SECONDS)
        await call.write(Ask(list_services=""))
        services = [each.name for each in (await call.read()).list_services_response.service]
        await call.write(Ask(file_containing_symbol=contract.SERVICE))
        raw = (await call.read()).file_descriptor_response.file_descriptor_proto[0]
        await call.done_writing()
        assert await call.read() is grpc.aio.EOF
        assert await call.code() is grpc.StatusCode.OK
    assert contract.SERVICE in services
    assert FileDescriptorProto.FromString(raw).package == "eco.v1"


async def test_a_broken_message_is_refused_like_any_other(shared: Running) -> None:
    async with shared.channel() as channel:
        call: Any = channel.stream_stream(PATH)(iter([b"\xff\xff"]), timeout=CALL_SECONDS)
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await call.read()
    told = answer(refused.value)
    assert (told.code, told.info.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "REQUISICAO_INVALIDA")
