"""Reflection: what a tool learns is enough to call everything."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from grpc_reflection.v1alpha.reflection_pb2 import ExtensionRequest
from grpc_reflection.v1alpha.reflection_pb2 import ServerReflectionRequest as Request
from grpc_reflection.v1alpha.reflection_pb2 import ServerReflectionResponse as Response

from gateway import contract
from gateway.reflection import Reflection

SERVICES = [
    "confeitaria.carrinho.v1.CarrinhoService",
    "confeitaria.catalogo.v1.CatalogoService",
    "confeitaria.gateway.v1.GatewayService",
    "confeitaria.pedidos.v1.PedidosService",
    "grpc.health.v1.Health",
    "grpc.reflection.v1.ServerReflection",
    "grpc.reflection.v1alpha.ServerReflection",
]
FIELD_OPTIONS = "google.protobuf.FieldOptions"


@pytest.fixture(scope="module")
def reflection() -> Reflection:
    return Reflection(contract.load())


def files(answer: Response) -> list[FileDescriptorProto]:
    return [FileDescriptorProto.FromString(each) for each in answer.file_descriptor_response.file_descriptor_proto]


def pool(answer: Response) -> DescriptorPool:
    """Every file added after what it imports, as a client does it; fails when one is missing."""
    found, waiting = DescriptorPool(), {each.name: each for each in files(answer)}
    while waiting:
        ready = [each for each in waiting.values() if not set(each.dependency) & waiting.keys()]
        for each in ready:
            found.Add(waiting.pop(each.name))
    return found


def test_every_service_is_listed(reflection: Reflection) -> None:
    answer = reflection.answer(Request(list_services=""))
    assert sorted(each.name for each in answer.list_services_response.service) == SERVICES


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_can_be_rebuilt_from_its_description(reflection: Reflection, service: str) -> None:
    found = pool(reflection.answer(Request(file_containing_symbol=service))).FindServiceByName(service)
    assert found.methods
    for method in found.methods:
        by_method = reflection.answer(Request(file_containing_symbol=method.full_name))
        assert files(by_method)[0].package == service.rpartition(".")[0]


def test_messages_fields_and_enums_are_found_by_name(reflection: Reflection) -> None:
    for name in ("Produto", "Produto.nome", "StatusReserva", "ListarProdutosRequest.page_token"):
        answer = reflection.answer(Request(file_containing_symbol=f"confeitaria.catalogo.v1.{name}"))
        assert files(answer)[0].name == "confeitaria/catalogo/v1/catalogo.proto"


def test_the_contract_comes_with_its_comments_and_others_without(reflection: Reflection) -> None:
    found = files(reflection.answer(Request(file_by_filename="confeitaria/pedidos/v1/pedidos.proto")))
    assert "full cart to a cake" in str(found[0].source_code_info)
    assert not any(each.source_code_info.location for each in found if not each.name.startswith("confeitaria/"))


def test_extensions_are_found_by_type_and_number(reflection: Reflection) -> None:
    numbers = reflection.answer(Request(all_extension_numbers_of_type=FIELD_OPTIONS)).all_extension_numbers_response
    assert 1159 in numbers.extension_number  # buf.validate.field
    wanted = ExtensionRequest(containing_type=FIELD_OPTIONS, extension_number=1159)
    answer = reflection.answer(Request(file_containing_extension=wanted))
    assert files(answer)[0].name == "buf/validate/validate.proto"


@pytest.mark.parametrize(
    "request_",
    [
        Request(),
        Request(file_by_filename="nada.proto"),
        Request(file_containing_symbol="nada.Nada"),
        Request(file_containing_symbol=""),
        Request(all_extension_numbers_of_type="nada.Nada"),
        Request(file_containing_extension=ExtensionRequest(containing_type=FIELD_OPTIONS, extension_number=7)),
    ],
    ids=str,
)
def test_what_does_not_exist_is_not_found(reflection: Reflection, request_: Request) -> None:
    assert reflection.answer(request_).error_response.error_code == 5


async def test_a_conversation_has_an_answer_for_each_question(reflection: Reflection) -> None:
    asked = [Request(host="a", list_services=""), Request(file_by_filename="nada")]

    async def questions() -> AsyncIterator[Request]:
        for each in asked:
            yield each

    answers = [each async for each in reflection.answers(questions(), None)]
    assert [each.original_request for each in answers] == asked
    assert answers[0].valid_host == "a"


def test_both_versions_are_served(reflection: Reflection) -> None:
    assert sorted(each.service_name() for each in reflection.handlers()) == SERVICES[-2:]  # type: ignore[attr-defined]
