"""Where calls go and what travels with them."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import grpc
import httpx
import pytest
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse

from tests.integration.test_envoy.bench import CATALOGO, Bench, call, eventually

FOLLOW = "/confeitaria.pedidos.v1.PedidosService/AcompanharPedido"
HEALTH = "/grpc.health.v1.Health/Check"


@pytest.mark.parametrize(
    ("verb", "path", "rpc"),
    [
        ("GET", "/api/produtos/1", "catalogo.v1.CatalogoService/ObterProduto"),
        ("GET", "/api/produtos/1/estoque?quantidade=2", "catalogo.v1.CatalogoService/VerificarEstoque"),
        ("POST", "/api/produtos?request_id=a", "catalogo.v1.CatalogoService/CriarProduto"),
        ("PATCH", "/api/produtos/1?update_mask=nome", "catalogo.v1.CatalogoService/AtualizarProduto"),
        ("PUT", "/api/produtos/1/estoque", "catalogo.v1.CatalogoService/AtualizarEstoque"),
        ("GET", "/api/carrinhos/abc", "carrinho.v1.CarrinhoService/ObterCarrinho"),
        ("POST", "/api/pedidos/1:cancelar", "pedidos.v1.PedidosService/CancelarPedido"),
    ],
)
async def test_a_rest_route_reaches_the_method_of_the_contract(
    bench: Bench, rest: httpx.AsyncClient, verb: str, path: str, rpc: str
) -> None:
    first = bench.services[rpc.partition(".")[0]][0]
    before = await asyncio.to_thread(first.calls, f"/confeitaria.{rpc}")
    # our stand-in answers a Produto to everything, so only some answers can be shown as JSON
    assert (await rest.request(verb, path, json={} if verb != "GET" else None)).status_code in (200, 503)
    assert await asyncio.to_thread(first.calls, f"/confeitaria.{rpc}") > before


async def test_the_promoted_instance_gets_the_writes_and_the_first_keeps_the_reads(
    bench: Bench, edge: grpc.aio.Channel
) -> None:
    first, second = bench.services["catalogo"]

    async def writes_go_to(name: str) -> bool:
        return (await call(edge, CATALOGO + "CriarProduto")).by == name

    await asyncio.to_thread(first.serve, "catalogo.leitura")
    await asyncio.to_thread(second.serve, "catalogo.leitura,catalogo.escrita")
    try:
        await eventually(lambda: writes_go_to("catalogo-2"), 5)
        assert (await call(edge, CATALOGO + "VerificarEstoque")).by == "catalogo-2"
        assert (await call(edge, CATALOGO + "ObterProduto")).by == "catalogo-1"
    finally:
        await asyncio.to_thread(first.serve, "catalogo.leitura,catalogo.escrita")
        await asyncio.to_thread(second.serve, "catalogo.leitura")
    await eventually(lambda: writes_go_to("catalogo-1"), 5)


async def test_a_call_without_a_deadline_gets_three_seconds(
    rest: httpx.AsyncClient, edge: grpc.aio.Channel, mesh: grpc.aio.Channel
) -> None:
    seen = json.loads((await rest.get("/api/produtos/1")).json()["descricao"])
    assert 2.5 < seen["remaining"] <= 3
    for channel in (edge, mesh):
        assert 2.5 < (await call(channel, CATALOGO + "ObterProduto")).seen["remaining"] <= 3


async def test_the_caller_s_deadline_travels_and_is_capped_at_ten_seconds(
    edge: grpc.aio.Channel, mesh: grpc.aio.Channel
) -> None:
    for channel in (edge, mesh):
        for asked, most in ((0.8, 0.82), (6, 6.1), (60, 10)):
            seen = (await call(channel, CATALOGO + "CriarProduto", deadline=asked)).seen
            assert most - 0.5 < seen["remaining"] <= most


async def test_a_stream_has_no_deadline_but_its_caller_s(edge: grpc.aio.Channel) -> None:
    follow: Any = edge.unary_stream(FOLLOW)
    assert len([_ async for _ in follow(b"", metadata=[("x-pause", "1.2")])]) == 3  # longer than 3 s in all
    with pytest.raises(grpc.aio.AioRpcError) as cut:
        async for _ in follow(b"", metadata=[("x-pause", "1.2")], timeout=0.5):
            pass
    assert cut.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED


async def test_a_stream_is_server_sent_events_over_rest(rest: httpx.AsyncClient) -> None:
    async with rest.stream("GET", "/api/pedidos/1:acompanhar", headers={"x-pause": "0.1"}) as answer:
        assert answer.headers["content-type"] == "text/event-stream"
        arrived = [line async for line in answer.aiter_lines()]
    assert [json.loads(line.removeprefix("data: "))["status"] for line in arrived if line] == [
        "PENDENTE",
        "CONFIRMADO",
        "EM_PREPARO",
    ]


async def test_envoy_takes_no_orders_from_outside(edge: grpc.aio.Channel, rest: httpx.AsyncClient) -> None:
    orders = {
        "x-envoy-max-retries": "50",
        "x-envoy-retry-on": "5xx",
        "x-envoy-upstream-rq-timeout-ms": "1",
        "x-envoy-original-path": "/de/mentira",
        "x-envoy-external-address": "203.0.113.9",
        "x-health-target": "carrinho",
    }
    by_grpc = (await call(edge, CATALOGO + "CriarProduto", do="sleep=0.05", metadata=orders)).seen["metadata"]
    assert not orders.keys() & by_grpc.keys()
    by_rest = json.loads((await rest.get("/api/produtos/1", headers=orders)).json()["descricao"])["metadata"]
    assert by_rest["x-envoy-original-path"] == "/api/produtos/1"  # Envoy's own
    assert not (orders.keys() - {"x-envoy-original-path"}) & by_rest.keys()


async def test_no_answer_tells_what_stands_behind(rest: httpx.AsyncClient, edge: grpc.aio.Channel) -> None:
    answers = [(await rest.get(path)).headers for path in ("/api/produtos/1", "/api/nada", "/")]
    answers.append(httpx.Headers((await call(edge, CATALOGO + "ObterProduto")).headers))
    for headers in answers:
        assert not {key for key in headers if key.startswith("x-envoy") or key in ("server", "grpc-accept-encoding")}


async def test_the_request_id_is_kept_or_given_and_told(rest: httpx.AsyncClient, edge: grpc.aio.Channel) -> None:
    own = "minha-compra-1"
    for path in ("/api/produtos/1", "/api/nada"):
        assert (await rest.get(path, headers={"x-request-id": own})).headers["x-request-id"] == own
        assert len((await rest.get(path)).headers["x-request-id"]) == 36
    answer = await call(edge, CATALOGO + "ObterProduto", metadata={"x-request-id": own})
    assert answer.headers["x-request-id"] == own == answer.seen["metadata"]["x-request-id"]


async def test_a_header_with_an_underscore_reaches_nobody(rest: httpx.AsyncClient) -> None:
    answer = await rest.get("/api/produtos/1", headers={"x_do": "status=NOT_FOUND"})
    assert "x_do" not in json.loads(answer.json()["descricao"])["metadata"]


async def test_the_front_page_leads_to_the_docs(rest: httpx.AsyncClient) -> None:
    answer = await rest.get("/")
    assert (answer.status_code, answer.headers["location"].removeprefix(str(rest.base_url))) == (302, "/docs")


@pytest.mark.parametrize("name", ["catalogo_leitura", "catalogo_escrita", "carrinho", "pedidos", "gateway"])
async def test_a_neighbour_s_health_is_asked_through_the_mesh(mesh: grpc.aio.Channel, name: str) -> None:
    ask = mesh.unary_unary(
        HEALTH,
        request_serializer=HealthCheckRequest.SerializeToString,
        response_deserializer=HealthCheckResponse.FromString,
    )
    answer = await ask(HealthCheckRequest(service=name.replace("_", ".")), metadata=[("x-health-target", name)])
    assert answer.status == HealthCheckResponse.SERVING


async def test_health_without_a_target_belongs_to_nobody_on_the_mesh(mesh: grpc.aio.Channel) -> None:
    assert (await call(mesh, HEALTH)).code is grpc.StatusCode.UNIMPLEMENTED
    assert (await call(mesh, HEALTH, metadata={"x-health-target": "nada"})).code is grpc.StatusCode.UNAVAILABLE


async def test_only_failures_are_logged(bench: Bench, rest: httpx.AsyncClient, edge: grpc.aio.Channel) -> None:
    await rest.get("/api/produtos/1")
    await rest.get("/api/nada")
    await call(edge, CATALOGO + "Nada")
    await call(edge, CATALOGO + "CriarProduto", do="status=UNAVAILABLE", metadata={"x-request-id": "esta-sim"})

    async def logged() -> list[dict[str, Any]]:
        return [each for each in bench.log("envoy-failures.log") if each["request_id"] == "esta-sim"]

    await eventually(logged, 5)
    (line,) = await logged()
    assert (line["call"], line["grpc_status"]) == (CATALOGO + "CriarProduto", "Unavailable")
    assert line["listener"] == "edge"
    wrong = {"Unavailable", "DeadlineExceeded", "Internal"}
    logs = bench.log("envoy-failures.log")
    assert not [each for each in logs if each["status"] < 500 and each["grpc_status"] not in wrong]
