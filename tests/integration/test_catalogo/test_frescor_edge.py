"""Freshness on request through the real Envoy, over REST and gRPC: the instance asked first stands beside a standby."""

import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import grpc
import httpx
import pytest
from confeitaria.catalogo.v1 import catalogo_pb2 as pb
from confeitaria.catalogo.v1.catalogo_pb2_grpc import CatalogoServiceStub

from catalogo.frescor import FRESCOR
from chassis.client import remote_error
from stack.endpoints import FOLDER, write_endpoints
from stack.envoy import command, render_bootstrap
from stack.topology import HOST, SERVICES, Address, Topology
from tests.conftest import free_port, wait_until
from tests.integration.test_catalogo.pair import Node, catalog, pair
from tests.integration.test_catalogo.test_service import READS, WRITES, Process, environment_of
from tests.integration.test_envoy.bench import FreePorts

NAME = "frescor_na_borda"


@dataclass
class Shop:
    """Two instances, each beside its node, and Envoy, which asks the one beside the standby first."""

    standby: Node
    beside_primary: Process
    rest: httpx.Client
    grpc: CatalogoServiceStub

    def restock(self, units: int) -> str:
        """The token of a change."""
        body = {"operacao": "definir", "quantidade": units}
        answer = self.rest.put("/api/produtos/1/estoque", json=body)
        assert answer.status_code == 200, answer.text
        return str(answer.headers[FRESCOR])

    def read(self, token: str = "") -> httpx.Response:
        return self.rest.get("/api/produtos/1", headers={FRESCOR: token} if token else {})

    def estoque(self, token: str = "") -> int:
        answer = self.read(token)
        assert answer.status_code == 200, answer.text
        return int(answer.json()["estoque"])


@pytest.fixture(scope="module")
def shop() -> Iterator[Shop]:
    with ExitStack() as stack:
        primary, standby = stack.enter_context(pair())
        catalog(primary, standby, NAME)
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="uma borda ")))
        second, first = (_process(node, name, folder, stack) for node, name in ((standby, "dois"), (primary, "um")))
        wait_until(lambda: first.serving(WRITES), 30, "the instance beside the primary takes writes")
        wait_until(lambda: second.serving(READS), 30, "the instance beside the standby serves reads")
        edge = _envoy([second, first], folder, stack)
        rest = stack.enter_context(httpx.Client(base_url=f"http://{edge}", timeout=20))
        stub = CatalogoServiceStub(stack.enter_context(grpc.insecure_channel(str(edge))))
        wait_until(lambda: rest.get("/api/produtos").status_code == 200, 30, "reads through the edge")
        shop = Shop(standby, first, rest, stub)
        wait_until(lambda: _written(shop), 30, "writes through the edge")
        yield shop


def _written(shop: Shop) -> bool:
    body = {"operacao": "adicionar", "quantidade": 1}
    return shop.rest.put("/api/produtos/1/estoque", json=body).status_code == 200


def _process(node: Node, name: str, folder: Path, stack: ExitStack) -> Process:
    process = Process(environment_of(node.url(NAME, "catalogo_app"), name), folder / f"{name}.log")

    def end() -> None:
        process.popen.kill()
        process.popen.wait()
        process.channel.close()

    stack.callback(end)
    return process


def _envoy(processes: list[Process], folder: Path, stack: ExitStack) -> Address:
    """In the order in which they are asked."""
    asked = [Address(HOST, int(process.target.rpartition(":")[2])) for process in processes]
    nobody = [Address(HOST, free_port())]
    topology = Topology(FreePorts(), dict.fromkeys(SERVICES, nobody) | {"catalogo": asked}, folder)
    write_endpoints(topology, topology.envoy_folder / FOLDER)
    (folder / "logs").mkdir(exist_ok=True)
    bootstrap = topology.envoy_folder / "bootstrap.yaml"
    bootstrap.write_text(render_bootstrap(topology))
    log = stack.enter_context((folder / "envoy.out").open("wb"))
    envoy = subprocess.Popen(command(bootstrap), stdout=log, stderr=log)
    stack.callback(envoy.wait)
    stack.callback(envoy.kill)
    wait_until(lambda: _listens(topology.ports.edge), 30, "Envoy listens")
    return topology.ports.edge


def _listens(address: Address) -> bool:
    try:
        httpx.get(f"http://{address}/", timeout=2)
    except httpx.TransportError:
        return False
    return True


def test_every_change_over_rest_answers_with_the_header_and_a_read_takes_it(shop: Shop) -> None:
    rest = shop.rest
    category = rest.post("/api/categorias", json={"nome": "Frescos"})
    new = {"nome": "Bolo fresco", "preco_centavos": 100, "categoria_id": category.json()["categoria_id"]}
    made = rest.post("/api/produtos", json=new)
    where = f"/api/produtos/{made.json()['produto_id']}"
    changed = rest.patch(where, params={"update_mask": "nome"}, json={"nome": "Bolo muito fresco"})
    stocked = rest.put(f"{where}/estoque", json={"operacao": "adicionar", "quantidade": 2})
    for answer in (category, made, changed, stocked):
        assert answer.status_code == 200, answer.text
    tokens = {answer.headers[FRESCOR] for answer in (category, made, changed, stocked)}
    assert len(tokens) == 4
    fresh = {FRESCOR: stocked.headers[FRESCOR]}
    assert rest.get(where, headers=fresh).json()["estoque"] == 2
    assert rest.get("/api/produtos", params={"busca": "muito fresco"}, headers=fresh).json()["produtos"]
    assert "Frescos" in rest.get("/api/categorias", headers=fresh).text
    gone = rest.delete(where)
    assert rest.get(where, headers={FRESCOR: gone.headers[FRESCOR]}).status_code == 404


def test_the_same_over_grpc(shop: Shop) -> None:
    stub: Any = shop.grpc
    for units in range(5):
        request = pb.AtualizarEstoqueRequest(produto_id=2, operacao=pb.DEFINIR, quantidade=units)
        _, call = stub.AtualizarEstoque.with_call(request, timeout=10)
        token = dict(call.initial_metadata())[FRESCOR]
        asked = pb.ObterProdutoRequest(produto_id=2)
        assert stub.ObterProduto(asked, metadata=((FRESCOR, token),), timeout=10).estoque == units


def test_an_instance_that_is_behind_hands_the_read_to_the_other(shop: Shop) -> None:
    shop.estoque(shop.restock(20))
    with shop.standby.held():
        token = shop.restock(21)
        assert shop.estoque() == 20, "the standby is asked first, and answers whoever asks for no more"
        for several in (token, f"{token},{token}"):
            assert shop.estoque(several) == 21
        answer = shop.rest.get("/api/produtos/1", headers=[(FRESCOR, token), (FRESCOR, token)])
        assert answer.json()["estoque"] == 21
        asked = pb.ObterProdutoRequest(produto_id=1)
        assert shop.grpc.ObterProduto(asked, metadata=((FRESCOR, token),), timeout=10).estoque == 21


def test_a_value_of_somebodys_own_is_a_bad_request(shop: Shop) -> None:
    answer = shop.read("v1.ontem")
    assert answer.status_code == 400
    info, request = answer.json()["details"]
    assert info["reason"] == "REQUISICAO_INVALIDA"
    assert [each["field"] for each in request["field_violations"]] == [FRESCOR]


def test_z_when_nobody_is_fresh_enough_the_error_says_so_and_when_to_ask_again(shop: Shop) -> None:
    """The last of this file: it kills the instance beside the primary."""
    shop.estoque(shop.restock(30))
    with shop.standby.held():
        token = shop.restock(31)
        shop.beside_primary.popen.kill()
        answer = shop.read(token)
        assert answer.status_code == 503
        info, retry = answer.json()["details"]
        assert info["reason"] == "LEITURA_ATRASADA"
        assert retry["@type"].endswith("RetryInfo")
        asked = pb.ObterProdutoRequest(produto_id=1)
        with pytest.raises(grpc.RpcError) as caught:
            shop.grpc.ObterProduto(asked, metadata=((FRESCOR, token),), timeout=10)
        error = remote_error(cast("grpc.aio.AioRpcError", caught.value))
        assert (error.code, error.reason) == (grpc.StatusCode.UNAVAILABLE, "LEITURA_ATRASADA")
        assert shop.estoque() == 30
    wait_until(lambda: shop.read(token).status_code == 200, 20, "the standby catches up")
    assert shop.estoque(token) == 31
