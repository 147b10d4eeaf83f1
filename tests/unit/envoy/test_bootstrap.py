"""What is rendered: every RPC of the contract has one treatment at each listener, every failure one answer."""

import base64
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from confeitaria.carrinho.v1 import carrinho_pb2
from confeitaria.catalogo.v1 import catalogo_pb2
from confeitaria.gateway.v1 import gateway_pb2
from confeitaria.pedidos.v1 import pedidos_pb2
from google.api import annotations_pb2
from google.protobuf.descriptor import MethodDescriptor
from google.rpc.error_details_pb2 import ErrorInfo
from google.rpc.status_pb2 import Status

from stack.endpoints import FOLDER
from stack.envoy import WRITABLE_READS, contract, render_bootstrap
from stack.topology import Address, Topology, topology

REASONS = set(gateway_pb2.MotivoErro.keys())
CONTRACT = (carrinho_pb2, catalogo_pb2, gateway_pb2, pedidos_pb2)
METHODS = [
    method
    for module in CONTRACT
    for service in module.DESCRIPTOR.services_by_name.values()
    for method in service.methods
]
INTERNAL = {"ReservarEstoque", "ConfirmarReserva", "LiberarReserva", "ObterReserva"}
NAME = {method: f"/{method.containing_service.full_name}/{method.name}" for method in METHODS}
Json = dict[str, Any]


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Json:
    mesh = topology(100, {"catalogo": 2}, tmp_path_factory.mktemp("a home: with, {odd} #signs"))
    found: Json = yaml.safe_load(render_bootstrap(mesh))
    return found | {"mesh": mesh}


def manager(rendered: Json, name: str) -> Json:
    listener = next(each for each in rendered["static_resources"]["listeners"] if each["name"] == name)
    found: Json = listener["filter_chains"][0]["filters"][0]["typed_config"]
    return found


def routes(rendered: Json, listener: str) -> list[Json]:
    hosts = manager(rendered, listener)["route_config"]["virtual_hosts"]
    assert len(hosts) == 1
    found: list[Json] = hosts[0]["routes"]
    return found


def matches(match: Json, path: str) -> bool:
    """As Envoy decides it, for a POST without other headers."""
    if match.get("headers"):  # another verb, or a health probe
        return False
    if "path" in match:
        return bool(match["path"] == path)
    if "prefix" in match:
        return path.startswith(match["prefix"])
    return re.fullmatch(match["safe_regex"]["regex"], path) is not None


def decision(rendered: Json, listener: str, path: str) -> Json:
    return next(route for route in routes(rendered, listener) if matches(route["match"], path))


def cluster_of(method: MethodDescriptor) -> str:
    process = method.containing_service.full_name.split(".")[1]
    if process != "catalogo":
        return process
    reads = method.GetOptions().idempotency_level == 1 and method.name not in WRITABLE_READS
    return "catalogo_leitura" if reads else "catalogo_escrita"


def retry_on(route: Json) -> set[str]:
    return set(route["retry_policy"]["retry_on"].split(","))


def test_the_contract_is_read_whole() -> None:
    assert {rpc.path for rpc in contract()} == set(NAME.values())
    assert len(METHODS) > 25


def test_exactly_the_rpcs_without_a_rest_route_are_internal() -> None:
    assert {rpc.name for rpc in contract() if not rpc.public} == INTERNAL


def test_the_reads_of_the_writable_database_are_reads_of_the_contract() -> None:
    assert not WRITABLE_READS - {rpc.name for rpc in contract() if rpc.kind == "read"}


@pytest.mark.parametrize("listener", ["edge", "mesh"])
@pytest.mark.parametrize("method", METHODS, ids=NAME.get)
def test_every_rpc_is_named_once_and_goes_to_its_cluster(
    rendered: Json, listener: str, method: MethodDescriptor
) -> None:
    named = [route for route in routes(rendered, listener) if route["match"].get("path") == NAME[method]]
    assert len(named) == 1
    chosen = decision(rendered, listener, NAME[method])
    assert chosen is named[0]
    if listener == "edge" and not method.GetOptions().HasExtension(annotations_pb2.http):
        assert chosen["direct_response"] == {"status": 403}
        assert "route" not in chosen
    else:
        assert chosen["route"]["cluster"] == cluster_of(method)


@pytest.mark.parametrize("method", METHODS, ids=NAME.get)
def test_a_call_is_repeated_only_where_that_is_harmless(rendered: Json, method: MethodDescriptor) -> None:
    route = decision(rendered, "mesh", NAME[method])["route"]
    never_sent = {"connect-failure", "refused-stream"}
    assert never_sent <= retry_on(route)
    if method.GetOptions().idempotency_level == 0:  # IDEMPOTENCY_UNKNOWN
        assert retry_on(route) == never_sent
    assert ("hedge_policy" in route) == (method.GetOptions().idempotency_level == 1 and not method.server_streaming)


@pytest.mark.parametrize("method", METHODS, ids=NAME.get)
def test_every_call_but_a_stream_has_a_deadline(rendered: Json, method: MethodDescriptor) -> None:
    route = decision(rendered, "edge" if method.name not in INTERNAL else "mesh", NAME[method])["route"]
    assert route["timeout"] == "0s"
    if method.server_streaming:
        assert "max_stream_duration" not in route
        assert route["idle_timeout"] == "1800s"
    else:
        assert route["max_stream_duration"] == {"max_stream_duration": "3s", "grpc_timeout_header_max": "10s"}


@pytest.mark.parametrize("path", ["/confeitaria.catalogo.v1.CatalogoService/Nada", "/outro.Servico/Metodo", "/"])
@pytest.mark.parametrize("listener", ["edge", "mesh"])
def test_what_the_contract_does_not_name_reaches_nobody(rendered: Json, listener: str, path: str) -> None:
    assert decision(rendered, listener, path)["direct_response"] == {"status": 404}


@pytest.mark.parametrize("version", ["v1", "v1alpha"])
def test_tools_are_served_by_the_gateway_at_the_edge_alone(rendered: Json, version: str) -> None:
    reflection = f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo"
    assert decision(rendered, "edge", reflection)["route"]["cluster"] == "gateway"
    assert "direct_response" in decision(rendered, "mesh", reflection)
    assert decision(rendered, "edge", "/grpc.health.v1.Health/Check")["route"]["cluster"] == "gateway"


def test_the_transcoder_knows_every_service_and_rejects_what_it_does_not_know(rendered: Json) -> None:
    (config,) = (
        each["typed_config"]
        for each in manager(rendered, "edge")["http_filters"]
        if each["name"] == "envoy.filters.http.grpc_json_transcoder"
    )
    assert config["services"] == sorted({method.containing_service.full_name for method in METHODS})
    assert all(config["request_validation_options"].values())
    assert Path(config["proto_descriptor"]).is_file()
    assert [each["name"] for each in manager(rendered, "mesh")["http_filters"]] == ["envoy.filters.http.router"]


def test_ports_follow_the_offset_and_the_admin_port_is_on_loopback(rendered: Json) -> None:
    listeners = rendered["static_resources"]["listeners"]
    ports = [each["address"]["socket_address"]["port_value"] for each in listeners]
    assert ports == [8180, 8181]
    assert rendered["admin"]["address"]["socket_address"] == {"address": "127.0.0.1", "port_value": 10001}


def test_nobody_is_called_who_says_that_he_does_not_serve(rendered: Json) -> None:
    found = rendered["static_resources"]["clusters"]
    health = {each["name"]: each["health_checks"][0]["grpc_health_check"]["service_name"] for each in found}
    assert health == {
        "catalogo_leitura": "catalogo.leitura",
        "catalogo_escrita": "catalogo.escrita",
        "carrinho": "carrinho",
        "pedidos": "pedidos",
        "gateway": "gateway",
    }
    for cluster in found:
        assert cluster["common_lb_config"]["healthy_panic_threshold"] == {"value": 0}


def test_endpoints_come_from_files_whatever_the_folder_is_called(rendered: Json) -> None:
    folder = rendered["mesh"].envoy_folder / FOLDER
    for cluster in rendered["static_resources"]["clusters"]:
        source = cluster["eds_cluster_config"]["eds_config"]["path_config_source"]
        assert source["path"] == str(folder / f"{cluster['name']}.json")
        assert source["watched_directory"] == {"path": str(folder)}


def test_a_mesh_of_host_names_is_a_parameter(tmp_path: Path) -> None:
    here = topology(0, {}, tmp_path)
    named = {service: [Address(f"{service}-1", 50051)] for service in here.instances}
    found = yaml.safe_load(render_bootstrap(Topology(here.ports, named, tmp_path), dns=True))
    for cluster in found["static_resources"]["clusters"]:
        assert cluster["type"] == "STRICT_DNS"
        assert cluster["load_assignment"]["cluster_name"] == cluster["name"]
        assert "eds_cluster_config" not in cluster
    text = json.dumps(found["static_resources"]["clusters"])
    assert "carrinho-1" in text
    assert str(tmp_path / "envoy") not in text


def answers(rendered: Json, listener: str) -> Iterator[Json]:
    yield from manager(rendered, listener)["local_reply_config"]["mappers"]


def test_what_envoy_answers_to_rest_is_a_status_with_a_reason_of_the_contract(rendered: Json) -> None:
    found = [each for each in answers(rendered, "edge") if "json_format" in each["body_format_override"]]
    assert len(found) > 8
    for mapper in found:
        body = mapper["body_format_override"]["json_format"]
        assert body["details"][0]["reason"] in REASONS
        assert body["details"][0]["domain"] == "borda.confeitaria"
        assert body["message"].endswith(".")


@pytest.mark.parametrize("listener", ["edge", "mesh"])
def test_what_envoy_answers_to_grpc_is_the_same_status_in_its_header(rendered: Json, listener: str) -> None:
    found = [each for each in answers(rendered, listener) if "headers_to_add" in each]
    assert len(found) > 8
    for mapper in found:
        headers = {each["header"]["key"]: each["header"]["value"] for each in mapper["headers_to_add"]}
        status = Status.FromString(base64.b64decode(headers["grpc-status-details-bin"]))
        info = ErrorInfo()
        assert status.details[0].Unpack(info)
        assert (str(status.code), info.domain) == (headers["grpc-status"], "borda.confeitaria")
        assert info.reason in REASONS
        assert mapper["body_format_override"]["text_format_source"]["inline_string"] == status.message
        assert "%" not in status.message, "Envoy would take it for a command"


def test_the_last_answer_of_each_kind_fits_every_failure(rendered: Json) -> None:
    *_, last = answers(rendered, "edge")
    assert last["filter"]["status_code_filter"]["comparison"] == {
        "op": "GE",
        "value": {"default_value": 400, "runtime_key": "none"},
    }
