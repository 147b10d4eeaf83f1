"""The OpenAPI document: whole, well-formed, and as strict as the contract."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest
from confeitaria.carrinho.v1 import carrinho_pb2
from confeitaria.catalogo.v1 import catalogo_pb2
from confeitaria.gateway.v1 import gateway_pb2
from confeitaria.pedidos.v1 import pedidos_pb2
from google.api import annotations_pb2
from google.protobuf.descriptor import MethodDescriptor

from gateway import contract, openapi

Json = dict[str, Any]
EDGE = "http://127.0.0.1:8080"
METHODS = {
    method.name: method
    for module in (carrinho_pb2, catalogo_pb2, gateway_pb2, pedidos_pb2)
    for service in module.DESCRIPTOR.services_by_name.values()
    for method in service.methods
}
PUBLIC = {name: each for name, each in METHODS.items() if each.GetOptions().HasExtension(annotations_pb2.http)}
LEAST = ("400", "429", "500", "503", "504")  # what any call can meet


@pytest.fixture(scope="module")
def document() -> Json:
    return openapi.document(contract.load(), EDGE)


def operations(document: Json) -> Iterator[tuple[str, str, Json]]:
    for path, item in document["paths"].items():
        for verb, operation in item.items():
            yield verb, path, operation


def by_id(document: Json, name: str) -> Json:
    (found,) = (each for _, _, each in operations(document) if each["operationId"] == name)
    return found


def parameters(operation: Json, place: str) -> dict[str, Json]:
    return {each["name"]: each for each in operation.get("parameters", ()) if each["in"] == place}


def body(operation: Json) -> Json:
    found: Json = operation["requestBody"]["content"]["application/json"]["schema"]
    return found


def answer(operation: Json, status: str = "200") -> Json:
    found: Json = operation["responses"][status]["content"]["application/json"]
    return found


def reasons(operation: Json, status: str) -> set[str]:
    return set(answer(operation, status)["examples"])


def walk(node: object) -> Iterator[Json]:
    if isinstance(node, dict):
        yield node
        for each in node.values():
            yield from walk(each)
    elif isinstance(node, list):
        for each in node:
            yield from walk(each)


def resolved(document: Json, schema: Json) -> Json:
    """The schema with the document's components at hand, so that it can be used alone."""
    return {"components": document["components"], **schema}


def test_every_route_of_the_contract_is_there_once(document: Json) -> None:
    assert sorted(each["operationId"] for _, _, each in operations(document)) == sorted(PUBLIC)


@pytest.mark.parametrize("method", PUBLIC.values(), ids=PUBLIC)
def test_a_route_has_the_verb_and_path_of_its_annotation(document: Json, method: MethodDescriptor) -> None:
    rule = method.GetOptions().Extensions[annotations_pb2.http]
    wanted = re.sub(r"{(?:\w+\.)*(\w+)}", r"{\1}", getattr(rule, rule.WhichOneof("pattern")))
    assert (rule.WhichOneof("pattern"), wanted, method.name) in {
        (verb, path, each["operationId"]) for verb, path, each in operations(document)
    }


def test_the_document_has_the_shape_that_openapi_asks_for(document: Json) -> None:
    """OpenAPI 3.1.1, sections 4.8.1 to 4.8.24, as far as this document uses them."""
    assert re.fullmatch(r"3\.1\.\d+", document["openapi"])
    assert {"title", "version"} <= document["info"].keys()
    assert document["servers"] == [{"url": EDGE}]
    tags = [each["name"] for each in document["tags"]]
    assert len(tags) == len(set(tags))
    shapes = [re.sub(r"{[^}]*}", "{}", path) for path in document["paths"]]
    assert len(shapes) == len(set(shapes)), "paths that differ in the names of parameters alone are one"
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+", name) for name in document["components"]["schemas"])
    for verb, path, operation in operations(document):
        assert verb in ("get", "put", "post", "delete", "patch")
        assert set(operation["tags"]) <= set(tags)
        assert operation["summary"]
        assert ("requestBody" in operation) <= (verb not in ("get", "delete"))
        assert set(parameters(operation, "path")) == set(re.findall(r"{([^}]*)}", path))
        assert all(each["required"] for each in parameters(operation, "path").values())
        for response in operation["responses"].values():
            assert response["description"]


def test_every_reference_leads_somewhere(document: Json) -> None:
    found = {node["$ref"] for node in walk(document) if "$ref" in node}
    assert not found - {f"#/components/schemas/{name}" for name in document["components"]["schemas"]}
    assert len(found) > 15


def test_every_schema_is_json_schema(document: Json) -> None:
    schemas = [node["schema"] for node in walk(document["paths"]) if isinstance(node.get("schema"), dict)]
    for schema in [*document["components"]["schemas"].values(), *schemas]:
        jsonschema.Draft202012Validator.check_schema(schema)


def test_every_example_is_an_error_as_described(document: Json) -> None:
    status = jsonschema.Draft202012Validator(resolved(document, {"$ref": "#/components/schemas/Status"}))
    examples = [node["examples"] for node in walk(document["paths"]) if isinstance(node.get("examples"), dict)]
    assert len(examples) > 100
    known = all_reasons()
    for example in (each["value"] for found in examples for each in found.values()):
        status.validate(example)
        assert example["details"][0]["reason"] in known


def all_reasons() -> set[str]:
    modules = (carrinho_pb2, catalogo_pb2, gateway_pb2, pedidos_pb2)
    return {name for module in modules for name in module.MotivoErro.keys()}  # noqa: SIM118  an enum is no dict


def test_any_call_can_meet_the_common_errors(document: Json) -> None:
    for _, _, operation in operations(document):
        assert set(LEAST) <= operation["responses"].keys()
        assert ("413" in operation["responses"]) == ("requestBody" in operation)


@pytest.mark.parametrize(
    ("name", "status", "wanted"),
    [
        ("ObterProduto", "404", {"PRODUTO_NAO_ENCONTRADO"}),
        ("CriarProduto", "404", {"CATEGORIA_NAO_ENCONTRADA"}),
        ("AtualizarProduto", "409", {"VERSAO_DESATUALIZADA"}),
        ("AtualizarProduto", "404", {"PRODUTO_NAO_ENCONTRADO"}),
        ("CriarCategoria", "409", {"CATEGORIA_DUPLICADA"}),
        ("AtualizarEstoque", "400", {"ESTOQUE_INSUFICIENTE", "REQUISICAO_INVALIDA"}),
        ("AtualizarItem", "400", {"PRODUTO_INATIVO", "ESTOQUE_INSUFICIENTE", "CARRINHO_CHEIO", "REQUISICAO_INVALIDA"}),
        ("CriarPedido", "404", {"CARRINHO_NAO_ENCONTRADO"}),
        ("CancelarPedido", "404", {"PEDIDO_NAO_ENCONTRADO"}),
        ("AcompanharPedido", "404", {"PEDIDO_NAO_ENCONTRADO"}),
        ("ObterArquivoDocumentacao", "404", {"ARQUIVO_NAO_ENCONTRADO"}),
        ("CriarPedido", "413", {"CORPO_GRANDE_DEMAIS"}),
    ],
)
def test_a_route_tells_its_errors(document: Json, name: str, status: str, wanted: set[str]) -> None:
    assert reasons(by_id(document, name), status) >= wanted


def test_an_error_tells_what_its_metadata_holds(document: Json) -> None:
    example = answer(by_id(document, "AtualizarEstoque"), "400")["examples"]["ESTOQUE_INSUFICIENTE"]["value"]
    (info,) = example["details"]
    assert set(info["metadata"]) == {"produto_id", "solicitado", "disponivel"}
    assert (example["code"], info["domain"]) == (9, "catalogo.confeitaria")


def test_the_limits_of_the_contract_are_those_of_the_document(document: Json) -> None:
    page_size = parameters(by_id(document, "ListarProdutos"), "query")["page_size"]
    assert page_size["schema"] == {"type": "integer", "format": "int32", "minimum": 0}
    stock = body(by_id(document, "AtualizarEstoque"))
    assert stock["properties"]["quantidade"]["maximum"] == 1_000_000
    assert stock["properties"]["request_id"]["anyOf"] == [{"maxLength": 0}, {"format": "uuid"}]
    assert stock["properties"]["operacao"]["enum"] == ["ADICIONAR", "REMOVER", "DEFINIR"]
    customer = document["components"]["schemas"]["Cliente"]
    assert customer["required"] == ["nome", "email"]
    assert customer["properties"]["nome"] | {"description": ""} == {
        "type": "string",
        "minLength": 1,
        "maxLength": 120,
        "description": "",
    }
    assert customer["properties"]["email"]["format"] == "email"
    assert customer["properties"]["telefone"]["anyOf"][1]["pattern"].startswith("^[+]?")


def test_what_stands_in_the_path_is_not_asked_for_again(document: Json) -> None:
    assert set(body(by_id(document, "AtualizarItem"))["properties"]) == {"quantidade"}
    patch = by_id(document, "AtualizarProduto")
    assert "produto_id" not in body(patch)["properties"]
    assert set(parameters(patch, "query")) == {"update_mask"}
    creation = by_id(document, "CriarProduto")
    assert body(creation) == {"$ref": "#/components/schemas/Produto"}
    assert set(parameters(creation, "query")) == {"request_id"}
    assert "parameters" not in by_id(document, "CriarPedido")


def test_what_the_service_decides_is_read_only(document: Json) -> None:
    product = document["components"]["schemas"]["Produto"]["properties"]
    assert {name for name, each in product.items() if each.get("readOnly")} == {"produto_id", "categoria"}


def test_answers_have_their_type(document: Json) -> None:
    assert answer(by_id(document, "ObterCarrinho"))["schema"] == {"$ref": "#/components/schemas/Carrinho"}
    (stream,) = by_id(document, "AcompanharPedido")["responses"]["200"]["content"].items()
    assert stream[0] == "text/event-stream"
    assert stream[1]["schema"]["contentSchema"] == {"$ref": "#/components/schemas/AcompanharPedidoResponse"}
    assert set(by_id(document, "ObterDocumentacao")["responses"]["200"]["content"]) == {"text/html"}
    health = by_id(document, "VerificarSaude")
    assert {"$ref": "#/components/schemas/VerificarSaudeResponse"} in answer(health, "503")["schema"]["anyOf"]


def test_the_comments_of_the_contract_are_the_manual(document: Json) -> None:
    for _, _, operation in operations(document):
        assert len(operation["description"]) > 20
        for each in operation.get("parameters", ()):
            assert each["description"]
    for name, schema in document["components"]["schemas"].items():
        assert schema["description"], name


def test_an_order_as_the_shop_prints_it_fits_its_schema(document: Json) -> None:
    """Written by hand after the contract, so that the schema is held to something it did not make itself."""
    order = {
        "pedido_id": "0193d0c4-7b7e-7d3a-8b1f-1c2d3e4f5a6b",
        "sessao_id": "AAAAAAAAAAAAAAAAAAAAAA",
        "status": "CONFIRMADO",
        "itens": [
            {"produto_id": 1, "nome": "Brigadeiro", "preco_centavos": 350, "quantidade": 2, "subtotal_centavos": 700}
        ],
        "total_centavos": 700,
        "cliente": {"nome": "Ana", "email": "ana@example.org", "telefone": ""},
        "observacao": "",
        "criado_em": "2026-11-23T12:00:00Z",
        "atualizado_em": "2026-11-23T12:00:00Z",
    }
    schema = resolved(document, answer(by_id(document, "ObterPedido"))["schema"])
    validator = jsonschema.Draft202012Validator(schema)
    validator.validate(order)
    mistakes: list[Json] = [
        {"status": "PERDIDO"},
        {"total_centavos": "700"},
        {"itens": {}},
        {"cliente": {"nome": "Ana"}},
        {"cliente": {"nome": "Ana", "email": "a@example.org", "telefone": "ligue"}},
    ]
    for mistake in mistakes:
        assert list(validator.iter_errors(order | mistake)), mistake


def test_freshness_is_taken_by_reads_and_given_by_changes(document: Json) -> None:
    header = "x-confeitaria-frescor"
    takes = {each["operationId"] for _, _, each in operations(document) if header in parameters(each, "header")}
    gives = {
        each["operationId"]
        for _, _, each in operations(document)
        if header in each["responses"]["200"].get("headers", ())
    }
    assert takes == {"ListarProdutos", "ObterProduto", "ListarCategorias"}
    assert gives == {"CriarProduto", "AtualizarProduto", "ExcluirProduto", "CriarCategoria", "AtualizarEstoque"}
    assert all("LEITURA_ATRASADA" in answer(by_id(document, name), "503")["examples"] for name in takes)
