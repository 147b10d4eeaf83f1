"""What Envoy answers by itself: google.rpc.Status in JSON to REST, in headers to gRPC, in Portuguese, with a reason."""

from __future__ import annotations

import asyncio
import base64
import signal
import socket
import time
from collections.abc import AsyncIterator
from urllib.parse import unquote

import grpc
import httpx
import pytest

from stack.envoy import EnvoyConfigError, render_bootstrap, validate
from tests.integration.test_envoy.bench import CATALOGO, Bench, call, wait_until

ERROR_INFO = "type.googleapis.com/google.rpc.ErrorInfo"
LIMIT = 262144
NOT_JSON = '{"produto_id": "1\n'


async def test_validate_takes_what_is_rendered(bench: Bench) -> None:
    validate(bench.bootstrap)
    named = bench.home / "named.yaml"
    named.write_text(render_bootstrap(bench.topology, dns=True))
    validate(named)
    broken = bench.home / "broken.yaml"
    broken.write_text(bench.bootstrap.read_text().replace("drain_type: MODIFY_ONLY", "drain_type: PERHAPS"))
    with pytest.raises(EnvoyConfigError, match=r"refuses .*broken\.yaml: .*PERHAPS"):
        validate(broken)


def error(answer: httpx.Response, status: int, code: int, reason: str) -> str:
    """Checks one JSON error of Envoy's own; gives `detalhe`."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    body = answer.json()
    assert body["code"] == code
    assert body["message"].endswith(".")
    (info,) = body["details"]
    assert info["@type"] == ERROR_INFO
    assert (info["reason"], info["domain"]) == (reason, "borda.confeitaria")
    detail: str = info.get("metadata", {}).get("detalhe", "")
    return detail


@pytest.mark.parametrize(
    ("verb", "path"),
    [
        ("GET", "/api/nada"),
        ("DELETE", "/api/produtos"),
        ("TRACE", "/api/produtos"),
        ("OPTIONS", "/api/produtos"),
        ("GET", "/api/pedidos/1:inventado"),
        ("GET", "/api/produtos/1/2/3"),
        ("POST", "/confeitaria.catalogo.v1.CatalogoService/ReservarEstoque"),
        ("POST", "/"),
    ],
)
async def test_an_unknown_path_or_verb_is_not_found(rest: httpx.AsyncClient, verb: str, path: str) -> None:
    error(await rest.request(verb, path, json={}), 404, 5, "ROTA_INEXISTENTE")


@pytest.mark.parametrize(
    ("path", "hint"),
    [
        ("/api/produtos?cor=azul", 'field "cor"'),
        ("/api/produtos/abc", '"abc"'),
        ("/api/produtos/99999999999", "99999999999"),
        ("/api/produtos?ordenar_por=SABOR", "SABOR"),
        ("/api/produtos/1%2F2", ""),
    ],
)
async def test_bad_parameters_are_named(rest: httpx.AsyncClient, path: str, hint: str) -> None:
    assert hint in error(await rest.get(path), 400, 3, "REQUISICAO_INVALIDA")


@pytest.mark.parametrize("body", ["{", NOT_JSON, "[]", '{"quantidade": 1.5}', '{"produto_id": "\\ud800"}', "\x00"])
async def test_a_body_that_is_not_the_json_of_its_message_is_refused(rest: httpx.AsyncClient, body: str) -> None:
    error(await rest.post("/api/carrinhos/x/itens", content=body), 400, 3, "REQUISICAO_INVALIDA")


async def test_a_body_of_the_limit_passes_and_one_byte_more_does_not(rest: httpx.AsyncClient) -> None:
    async def whole() -> AsyncIterator[bytes]:  # chunked: nothing says how long it is
        yield body(LIMIT + 1).encode()

    def body(size: int, filler: str = " ") -> str:
        return '{"nome":%s"x"}' % (filler * (size - 12))

    assert (await rest.post("/api/categorias", content=body(LIMIT))).status_code == 200
    for size in (LIMIT + 1, 2 * LIMIT):
        error(await rest.post("/api/categorias", content=body(size)), 413, 11, "CORPO_GRANDE_DEMAIS")
    error(await rest.post("/api/categorias", content=whole()), 413, 11, "CORPO_GRANDE_DEMAIS")


async def test_an_answer_above_4_mib_is_our_mistake(rest: httpx.AsyncClient) -> None:
    assert (await rest.get("/api/produtos/1", headers={"x-do": "big=4100000"})).status_code == 200
    large = await rest.get("/api/produtos/1", headers={"x-do": "big=4300000"})
    assert error(large, 500, 13, "ERRO_INTERNO") == ""


async def test_headers_have_limits(rest: httpx.AsyncClient) -> None:
    error(await rest.get("/api/produtos/1", headers={"x-a": "a" * 40_000}), 431, 3, "REQUISICAO_INVALIDA")
    many = {f"x-{number}": "a" for number in range(120)}
    error(await rest.get("/api/produtos/1", headers=many), 431, 3, "REQUISICAO_INVALIDA")


@pytest.mark.parametrize(
    "raw",
    [
        b"FOO\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: a\r\nx y: z\r\n\r\n",
        b"POST /api/carrinhos HTTP/1.1\r\nhost: a\r\ncontent-length: abc\r\n\r\n",
        b"POST /api/carrinhos HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n",
        b"GET /api/produtos/\xff HTTP/1.1\r\nhost: a\r\n\r\n",
    ],
)
async def test_what_is_no_http_gets_a_json_error_too(bench: Bench, raw: bytes) -> None:
    with socket.create_connection(bench.ports.edge, timeout=5) as connection:
        connection.sendall(raw)
        head, _, body = connection.recv(65536).partition(b"\r\n\r\n")
    told = httpx.Response(int(head.split()[1]), headers={"content-type": "application/json"}, content=body)
    error(told, 400, 3, "REQUISICAO_INVALIDA")


async def test_connect_is_refused_at_once(bench: Bench) -> None:
    with socket.create_connection(bench.ports.edge, timeout=5) as connection:
        connection.sendall(b"CONNECT example.org:443 HTTP/1.1\r\nhost: example.org:443\r\n\r\n")
        assert connection.recv(65536).startswith(b"HTTP/1.1 404")


async def test_a_call_without_a_deadline_ends_after_three_seconds(
    rest: httpx.AsyncClient, edge: grpc.aio.Channel, mesh: grpc.aio.Channel
) -> None:
    begun = time.monotonic()
    by_rest, *by_grpc = await asyncio.gather(
        rest.post("/api/carrinhos", json={}, headers={"x-do": "sleep=8"}),
        call(edge, CATALOGO + "AtualizarEstoque", do="sleep=8"),
        call(mesh, CATALOGO + "ReservarEstoque", do="sleep=8"),
    )
    assert by_rest.status_code == 504
    assert {each.code for each in by_grpc} == {grpc.StatusCode.DEADLINE_EXCEEDED}
    assert 2.9 < time.monotonic() - begun < 6


async def test_a_deadline_that_envoy_ends_has_its_reason(bench: Bench, rest: httpx.AsyncClient) -> None:
    """The service hangs; one that does not answers a little before Envoy would."""
    (carrinho,) = bench.services["carrinho"]
    carrinho.signal(signal.SIGSTOP)
    try:
        soon = {"grpc-timeout": "400m"}
        by_rest, by_grpc = await asyncio.gather(
            rest.post("/api/carrinhos", json={}, headers=soon),
            rest.post(
                "/confeitaria.carrinho.v1.CarrinhoService/CriarCarrinho",
                headers=soon | {"content-type": "application/grpc"},  # over HTTP/1.1: a gRPC client gives up by itself
                content=bytes(5),
            ),
        )
    finally:
        carrinho.signal(signal.SIGCONT)
    assert error(by_rest, 504, 4, "PRAZO_ESGOTADO") == ""
    assert (by_grpc.status_code, by_grpc.headers["grpc-status"]) == (200, "4")
    assert unquote(by_grpc.headers["grpc-message"]) == by_rest.json()["message"]
    assert b"PRAZO_ESGOTADO" in base64.b64decode(by_grpc.headers["grpc-status-details-bin"])


async def test_internal_methods_are_refused_at_the_edge_and_served_on_the_mesh(
    edge: grpc.aio.Channel, mesh: grpc.aio.Channel
) -> None:
    for name in ("ReservarEstoque", "ConfirmarReserva", "LiberarReserva", "ObterReserva"):
        refused = await call(edge, CATALOGO + name)
        assert refused.code is grpc.StatusCode.PERMISSION_DENIED
        assert (refused.reason, refused.domain) == ("ACESSO_NEGADO", "borda.confeitaria")
        assert refused.message == "Este método é interno e não está disponível ao público."
        assert (await call(mesh, CATALOGO + name)).by == "catalogo-1"


async def test_unknown_methods_are_unimplemented(edge: grpc.aio.Channel, mesh: grpc.aio.Channel) -> None:
    for channel in (edge, mesh):
        for path in (CATALOGO + "Nada", "/outro.Servico/Metodo", "/control/calls"):
            answer = await call(channel, path)
            assert (answer.code, answer.reason) == (grpc.StatusCode.UNIMPLEMENTED, "METODO_DESCONHECIDO")
            assert answer.message == "Método desconhecido."


async def test_a_grpc_message_has_the_limit_of_a_rest_body(edge: grpc.aio.Channel) -> None:
    assert (await call(edge, CATALOGO + "ObterProduto", b"x" * LIMIT)).code is grpc.StatusCode.OK
    answer = await call(edge, CATALOGO + "ObterProduto", b"x" * (LIMIT + 1))
    assert (answer.code, answer.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "LIMITE_EXCEDIDO")


async def test_the_service_s_own_error_passes_untouched(rest: httpx.AsyncClient, edge: grpc.aio.Channel) -> None:
    told = await rest.post("/api/produtos", json={}, headers={"x-do": "status=NOT_FOUND"})
    assert (told.status_code, told.json()) == (404, {"code": 5, "message": "como pedido", "details": []})
    answer = await call(edge, CATALOGO + "CriarProduto", do="status=NOT_FOUND")
    assert (answer.code, answer.message) == (grpc.StatusCode.NOT_FOUND, "como pedido")


async def test_a_service_nobody_serves_is_unavailable(
    bench: Bench, rest: httpx.AsyncClient, edge: grpc.aio.Channel
) -> None:
    (pedidos,) = bench.services["pedidos"]
    pedidos.serve("nada")
    try:
        await asyncio.to_thread(wait_for_health, bench, 0)
        assert error(await rest.get("/api/pedidos"), 503, 14, "SERVICO_INDISPONIVEL") == ""
        answer = await call(edge, "/confeitaria.pedidos.v1.PedidosService/CriarPedido")
        assert (answer.code, answer.reason) == (grpc.StatusCode.UNAVAILABLE, "SERVICO_INDISPONIVEL")
        assert answer.message == "O serviço está indisponível neste momento. Tente de novo em instantes."
    finally:
        pedidos.serve("pedidos")
        await asyncio.to_thread(wait_for_health, bench, 1)


def wait_for_health(bench: Bench, count: int) -> None:
    wait_until(lambda: bench.healthy("pedidos") == count, 5, f"{count} healthy")
