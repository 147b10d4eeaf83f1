"""The REST API as an OpenAPI 3.1 document, made from the contract's descriptors: routes, limits, comments, errors."""

import json

from google.protobuf.descriptor_pb2 import FileDescriptorSet

from gateway.openapi.errors import Failures, Json, status_schemas
from gateway.openapi.operations import Operations
from gateway.openapi.schemas import Schemas
from gateway.openapi.source import Source, read, values
from gateway.pages import FRESH, Page

ABOUT = """A API da Confeitaria: catálogo, carrinho e pedidos, em JSON por HTTP.
Os mesmos métodos estão em gRPC no mesmo endereço.

Todo erro é um `google.rpc.Status` com `ErrorInfo`: o programa decide pelo `reason`, a pessoa lê a `message`.
Dinheiro é um inteiro em centavos. Uma requisição sem prazo tem 3 segundos; um prazo próprio vai no cabeçalho
`grpc-timeout` (por exemplo `800m`, em milissegundos). O cabeçalho `x-request-id` volta em cada resposta e encontra
a requisição nos nossos registros."""


def document(described: FileDescriptorSet, edge_url: str) -> Json:
    """The whole document; `edge_url` is where the API is."""
    source = read(described)
    schemas = Schemas(source)
    operations = Operations(source, schemas, Failures(source))
    rpcs = [rpc for rpcs in source.services.values() for rpc in rpcs]
    paths: dict[str, Json] = {}
    for rpc in rpcs:
        paths.setdefault(rpc.path, {})[rpc.verb] = operations.of(rpc)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Confeitaria", "version": "1.0.0", "description": ABOUT},
        "servers": [{"url": edge_url}],
        "tags": [_tag(source, service) for service, rpcs in source.services.items() if rpcs],
        "paths": paths,
        "components": {"schemas": dict(sorted((schemas.components | status_schemas()).items()))},
    }


def page(described: FileDescriptorSet, edge_url: str) -> Page:
    """The document, ready to be sent."""
    text = json.dumps(document(described, edge_url), ensure_ascii=False, separators=(",", ":"))
    return Page("application/json", text.encode(), FRESH)


def _tag(source: Source, service: str) -> Json:
    """A service, its manual, and every reason it may give."""
    package = service.rpartition(".")[0]
    reasons = [f"- `{name}`: {told}" for name, told in list(values(source, f"{package}.MotivoErro"))[1:]]
    told = [source.comments.get(package, ""), "", f"Reasons of `{package}.MotivoErro`:", "", *reasons]
    return {"name": package.split(".")[1], "description": "\n".join(told)}
