"""The gateway as a process behind the real Envoy, its neighbours played by stand-ins."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import grpc
import httpx
import jsonschema  # type: ignore[import-untyped]
import pytest
from confeitaria.gateway.v1.gateway_pb2 import (
    EstadoSaude,
    ObterArquivoDocumentacaoRequest,
    ObterOpenApiRequest,
    VerificarSaudeRequest,
)
from confeitaria.gateway.v1.gateway_pb2_grpc import GatewayServiceStub
from google.protobuf.descriptor_pool import DescriptorPool
from google.rpc.error_details_pb2 import ErrorInfo
from google.rpc.status_pb2 import Status
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_reflection.v1alpha.reflection_pb2 import ServerReflectionRequest, ServerReflectionResponse

from chassis.client import channel
from gateway.clients import NAO_ATENDE, SEM_INSTANCIA, SEM_MALHA, SEM_RESPOSTA, VizinhosGrpc
from gateway.domain import PARTES
from gateway.use_cases import Vizinhos
from stack.topology import HOST, ROOT, Address
from tests.fakes.gateway import VizinhosFake
from tests.integration.test_envoy.bench import Bench, Upstream, eventually, free_port, wait_until


class Gateway(Upstream):
    """The real one, where the bench expects an upstream."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        super().__init__("gateway-1", "gateway")

    def start(self) -> None:
        settings = {
            "GATEWAY_LISTEN": str(self.address),
            "GATEWAY_INSTANCE": self.name,
            "GATEWAY_MESH": str(self._bench.ports.mesh),
            "GATEWAY_EDGE_URL": self._bench.edge,
        }
        path = os.pathsep.join((str(ROOT), str(ROOT / "protos/python")))
        with (self._bench.home / "logs" / "gateway.log").open("ab") as log:
            command = [sys.executable, "-m", "gateway"]
            self.process = subprocess.Popen(command, env=os.environ | {"PYTHONPATH": path} | settings, stdout=log)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with ExitStack() as stack:
        bench = Bench(tmp_path_factory.mktemp("a shop"), stack, gateway=0)
        gateway = Gateway(bench)
        stack.callback(gateway.kill)
        bench.services["gateway"].append(gateway)
        bench.write_endpoints()
        with httpx.Client(base_url=bench.edge) as rest:
            wait_until(lambda: rest.get("/health").status_code == 200, 15, "the shop is open")
        yield bench


@pytest.fixture
async def rest(shop: Bench) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=shop.edge, timeout=10) as client:
        yield client


@pytest.fixture
async def edge(shop: Bench) -> AsyncIterator[grpc.aio.Channel]:
    async with grpc.aio.insecure_channel(str(shop.ports.edge)) as found:
        yield found


async def reasons(call: Any) -> tuple[grpc.StatusCode, str, str]:
    """Code, reason and domain of a call that fails."""
    with pytest.raises(grpc.aio.AioRpcError) as failed:
        await call
    trailers = dict(failed.value.trailing_metadata() or ())
    info = ErrorInfo()
    assert Status.FromString(trailers["grpc-status-details-bin"]).details[0].Unpack(info)
    return failed.value.code(), info.reason, info.domain


# ---- health ----------------------------------------------------------------------------------------------


async def test_an_open_shop_says_so(rest: httpx.AsyncClient, edge: grpc.aio.Channel) -> None:
    answer = await rest.get("/health")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    wanted = [{"nome": name, "status": "SERVING", "detalhe": ""} for name in (*PARTES, "gateway")]
    assert answer.json() == {"status": "SERVING", "servicos": wanted}
    told = await GatewayServiceStub(edge).VerificarSaude(VerificarSaudeRequest())
    assert (told.status, len(told.servicos)) == (EstadoSaude.SERVING, 5)


@pytest.mark.parametrize(("service", "health"), [("pedidos", "pedidos"), ("catalogo", "catalogo.escrita")])
async def test_a_part_that_is_down_makes_it_503_with_the_same_body(
    shop: Bench, rest: httpx.AsyncClient, edge: grpc.aio.Channel, service: str, health: str
) -> None:
    (part,) = shop.services[service]
    serving = part.health
    await asyncio.to_thread(part.serve, serving.replace(health, "nada"))
    try:

        async def status(wanted: int) -> bool:
            return (await rest.get("/health")).status_code == wanted

        await eventually(lambda: status(503), 5)
        answer = await rest.get("/health")
        assert "x-http-status" not in answer.headers
        assert answer.json()["status"] == "NOT_SERVING"
        found = {each["nome"]: each for each in answer.json()["servicos"]}
        assert found[health]["status"] == "NOT_SERVING"
        assert found[health]["detalhe"] in (SEM_INSTANCIA, NAO_ATENDE)  # as Envoy knows already, or as it says itself
        assert [name for name, each in found.items() if each["status"] != "SERVING"] == [health]
        call = GatewayServiceStub(edge).VerificarSaude(VerificarSaudeRequest())
        assert (await call).status == EstadoSaude.NOT_SERVING
        assert await call.code() is grpc.StatusCode.OK
        assert "x-http-status" not in dict(await call.initial_metadata())
    finally:
        await asyncio.to_thread(part.serve, serving)
    await eventually(lambda: status(200), 5)


async def test_the_gateway_s_own_health_depends_on_nobody(shop: Bench, edge: grpc.aio.Channel) -> None:
    check: Any = edge.unary_unary(
        "/grpc.health.v1.Health/Check",
        request_serializer=HealthCheckRequest.SerializeToString,
        response_deserializer=HealthCheckResponse.FromString,
    )
    (carrinho,) = shop.services["carrinho"]
    await asyncio.to_thread(carrinho.serve, "nada")
    try:
        for name in ("gateway", ""):
            assert (await check(HealthCheckRequest(service=name))).status == HealthCheckResponse.SERVING
    finally:
        await asyncio.to_thread(carrinho.serve, "carrinho")


# ---- the port: one suite over the fake and the real neighbours -------------------------------------------


class Reais:
    """The real client; parts are broken by telling the stand-ins."""

    def __init__(self, shop: Bench, vizinhos: Vizinhos) -> None:
        self._shop, self.vizinhos = shop, vizinhos

    async def quebrar(self, nome: str) -> str:
        (part,) = self._shop.services[nome.partition(".")[0]]
        await asyncio.to_thread(part.serve, part.health.replace(nome, "nada"))

        async def noticed() -> bool:
            return await self.vizinhos.perguntar(nome) == SEM_INSTANCIA  # until Envoy knows, it is its own word

        await eventually(noticed, 5)
        return SEM_INSTANCIA

    async def consertar(self, nome: str) -> None:
        (part,) = self._shop.services[nome.partition(".")[0]]
        await asyncio.to_thread(part.serve, part.health)

        async def noticed() -> bool:
            return await self.vizinhos.perguntar(nome) is None

        await eventually(noticed, 5)


class Faz:
    """The fake, broken by hand."""

    def __init__(self) -> None:
        self.vizinhos: VizinhosFake = VizinhosFake()

    async def quebrar(self, nome: str) -> str:
        self.vizinhos.detalhes[nome] = "quebrado"
        return "quebrado"

    async def consertar(self, nome: str) -> None:
        self.vizinhos.detalhes[nome] = None


@pytest.fixture(params=["fake", "real"])
async def neighbours(request: pytest.FixtureRequest, shop: Bench) -> AsyncIterator[Reais | Faz]:
    if request.param == "fake":
        yield Faz()
        return
    async with channel(str(shop.ports.mesh)) as mesh:
        yield Reais(shop, VizinhosGrpc(mesh))


@pytest.mark.parametrize("nome", PARTES)
async def test_a_neighbour_serves_or_says_in_portuguese_what_is_wrong(neighbours: Reais | Faz, nome: str) -> None:
    assert await neighbours.vizinhos.perguntar(nome) is None
    detalhe = await neighbours.quebrar(nome)
    try:
        assert await neighbours.vizinhos.perguntar(nome) == detalhe
        others = {each: await neighbours.vizinhos.perguntar(each) for each in PARTES if each != nome}
        assert set(others.values()) == {None}
    finally:
        await neighbours.consertar(nome)


async def test_what_is_wrong_on_the_way_is_told_apart() -> None:
    address = Address(HOST, free_port())
    async with channel(str(address)) as nobody:
        assert await VizinhosGrpc(nobody).perguntar("carrinho") == SEM_MALHA
    upstream = Upstream("direto", "pedidos")
    try:
        async with channel(str(upstream.address)) as direct:
            await asyncio.to_thread(upstream.serve, "pedidos")
            vizinhos = VizinhosGrpc(direct)
            assert await vizinhos.perguntar("pedidos") is None
            assert await vizinhos.perguntar("carrinho") == NAO_ATENDE
    finally:
        upstream.kill()

    async def silent(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with closing(writer):
            await asyncio.sleep(5)

    server = await asyncio.start_server(silent, HOST, 0)
    async with channel(f"{HOST}:{server.sockets[0].getsockname()[1]}") as mute:
        assert await VizinhosGrpc(mute).perguntar("carrinho") == SEM_RESPOSTA
    server.close()


# ---- reflection ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", ["v1", "v1alpha"])
async def test_a_tool_learns_everything_at_the_edge(edge: grpc.aio.Channel, version: str) -> None:
    ask: Any = edge.stream_stream(
        f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo",
        request_serializer=ServerReflectionRequest.SerializeToString,
        response_deserializer=ServerReflectionResponse.FromString,
    )
    conversation = ask()

    async def answer(request: ServerReflectionRequest) -> ServerReflectionResponse:
        await conversation.write(request)
        found: ServerReflectionResponse = await conversation.read()
        return found

    listed = await answer(ServerReflectionRequest(list_services=""))
    names = [each.name for each in listed.list_services_response.service]
    assert len(names) == 7
    for name in names:
        described = await answer(ServerReflectionRequest(file_containing_symbol=name))
        pool = DescriptorPool()
        for each in reversed(described.file_descriptor_response.file_descriptor_proto):
            pool.AddSerializedFile(each)
        assert pool.FindServiceByName(name).methods
    await conversation.done_writing()
    assert await conversation.code() is grpc.StatusCode.OK


async def test_bytes_that_are_no_question_are_a_bad_request(edge: grpc.aio.Channel) -> None:
    ask: Any = edge.stream_stream("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo")
    conversation = ask()
    await conversation.write(b"\xff\xff\xff")
    code, reason, _ = await reasons(conversation.read())
    assert (code, reason) == (grpc.StatusCode.INVALID_ARGUMENT, "REQUISICAO_INVALIDA")


# ---- the API's description and its page ------------------------------------------------------------------


async def test_the_document_is_json_and_the_same_over_grpc(
    shop: Bench, rest: httpx.AsyncClient, edge: grpc.aio.Channel
) -> None:
    answer = await rest.get("/openapi.json")
    assert answer.headers["content-type"] == "application/json"
    document = answer.json()
    assert document["servers"] == [{"url": shop.edge}]
    told = await GatewayServiceStub(edge).ObterOpenApi(ObterOpenApiRequest())
    assert (told.content_type, told.data) == ("application/json", answer.content)


async def test_what_the_edge_answers_is_what_the_document_says(rest: httpx.AsyncClient) -> None:
    document = (await rest.get("/openapi.json")).json()

    def fits(answer: httpx.Response, path: str) -> None:
        said = document["paths"][path]["get"]["responses"][str(answer.status_code)]["content"]["application/json"]
        schema = {"components": document["components"], **said["schema"]}
        jsonschema.Draft202012Validator(schema).validate(answer.json())

    fits(await rest.get("/health"), "/health")
    fits(await rest.get("/docs/nada.js"), "/docs/{arquivo}")
    fits(await rest.get("/docs?x=1"), "/docs")


async def test_every_route_of_the_document_is_one_of_the_edge(rest: httpx.AsyncClient) -> None:
    document = (await rest.get("/openapi.json")).json()
    for path, item in document["paths"].items():
        filled = path.replace("{produto_id}", "1").replace("{arquivo}", "docs.js").replace("{", "").replace("}", "")
        for verb in item:
            answer = await rest.request(verb, filled, headers={"x-do": "status=DATA_LOSS"})
            assert answer.status_code != 404, (verb, path, answer.text)


async def test_the_page_and_all_its_files_come_from_here(rest: httpx.AsyncClient) -> None:
    page = await rest.get("/", follow_redirects=True)
    assert (page.status_code, page.url.path) == (200, "/docs")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert "<title>Confeitaria: a API</title>" in page.text
    for name in ("swagger-ui-bundle.js", "swagger-ui.css", "docs.js", "docs.css", "favicon-32x32.png"):
        assert f"/docs/{name}" in page.text
        found = await rest.get(f"/docs/{name}")
        assert found.status_code == 200
        assert found.headers["cache-control"] == "public, max-age=3600"
        assert found.content


@pytest.mark.parametrize(
    ("name", "status", "reason"),
    [("nada.js", 404, "ARQUIVO_NAO_ENCONTRADO"), ("..hidden", 400, "REQUISICAO_INVALIDA")],
)
async def test_a_file_that_is_not_there_is_not_found(
    rest: httpx.AsyncClient, edge: grpc.aio.Channel, name: str, status: int, reason: str
) -> None:
    answer = await rest.get(f"/docs/{name}")
    assert answer.status_code == status
    info = answer.json()["details"][0]
    assert (info["reason"], info["domain"]) == (reason, "gateway.confeitaria")
    call = GatewayServiceStub(edge).ObterArquivoDocumentacao(ObterArquivoDocumentacaoRequest(arquivo=name))
    assert (await reasons(call))[1:] == (reason, "gateway.confeitaria")


# ---- the process -----------------------------------------------------------------------------------------


def test_bad_settings_are_named_all_at_once(tmp_path: Path) -> None:
    clean = {key: value for key, value in os.environ.items() if not key.startswith("GATEWAY_")}
    path = os.pathsep.join((str(ROOT), str(ROOT / "protos/python")))
    done = subprocess.run(
        [sys.executable, "-m", "gateway"],
        env=clean | {"PYTHONPATH": path, "GATEWAY_EDGE_URL": "nowhere"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 2
    keys = [line.partition(":")[0] for line in done.stderr.splitlines()]
    assert keys == ["GATEWAY_LISTEN", "GATEWAY_INSTANCE", "GATEWAY_MESH", "GATEWAY_EDGE_URL"]


async def test_a_gateway_that_stops_loses_nothing(
    shop: Bench, own: Callable[[], Gateway], rest: httpx.AsyncClient
) -> None:
    """Two of them; one is told to stop while customers look."""
    first = own()
    await asyncio.to_thread(wait_until, lambda: shop.healthy("gateway") == 2, 10, "Envoy knows both")
    failures: list[str] = []
    stop = asyncio.Event()

    async def look() -> None:
        while not stop.is_set():
            answer = await rest.get("/docs")
            if answer.status_code != 200:
                failures.append(answer.text)

    async with asyncio.TaskGroup() as tasks:
        looking = [tasks.create_task(look()) for _ in range(4)]
        first.process.terminate()
        assert await asyncio.to_thread(first.process.wait, 15) == 0
        stop.set()
        await asyncio.gather(*looking)
    assert not failures


@pytest.fixture
def own(shop: Bench) -> Iterator[Callable[[], Gateway]]:
    """One more gateway, gone at the end."""
    made: list[Gateway] = []

    def make() -> Gateway:
        made.append(Gateway(shop))
        shop.services["gateway"].append(made[-1])
        shop.write_endpoints()
        return made[-1]

    yield make
    for each in made:
        shop.services["gateway"].remove(each)
        each.kill()
    shop.write_endpoints()
