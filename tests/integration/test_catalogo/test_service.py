"""`python -m catalogo` as a process of its own, over gRPC."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import cast
from uuid import uuid4

import grpc
import pytest
from confeitaria.catalogo.v1 import catalogo_pb2 as pb
from confeitaria.catalogo.v1.catalogo_pb2_grpc import CatalogoServiceStub
from google.protobuf.field_mask_pb2 import FieldMask
from grpc_health.v1 import health_pb2, health_pb2_grpc

from catalogo.migrate import head, migrate
from chassis.client import RemoteError, remote_error
from tests.conftest import PostgresServer, free_port, wait_until
from tests.integration.test_catalogo.conftest import Database

READS, WRITES = "catalogo.leitura", "catalogo.escrita"


class Process:
    """One instance, and a client of it."""

    def __init__(self, environment: dict[str, str], log: Path) -> None:
        self.target = environment["CATALOGO_LISTEN"]
        with log.open("ab") as out:
            self.popen = subprocess.Popen(
                [sys.executable, "-m", "catalogo"], env=environment, stdout=out, stderr=subprocess.STDOUT
            )
        self.channel = grpc.insecure_channel(self.target)
        self.stub = CatalogoServiceStub(self.channel)
        self.log = log

    def serving(self, name: str) -> bool:
        assert self.popen.poll() is None, self.log.read_text()
        try:
            answer = health_pb2_grpc.HealthStub(self.channel).Check(health_pb2.HealthCheckRequest(service=name))
        except grpc.RpcError:
            return False
        return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)

    def stop(self) -> int:
        self.channel.close()
        self.popen.send_signal(signal.SIGTERM)
        return self.popen.wait(timeout=10)


def environment(database: Database, instance: str) -> dict[str, str]:
    return environment_of(database.app, instance)


def environment_of(url: str, instance: str) -> dict[str, str]:
    return os.environ | {
        "CATALOGO_LISTEN": f"127.0.0.1:{free_port()}",
        "CATALOGO_INSTANCE": instance,
        "CATALOGO_DATABASE_URL": url,
        "CATALOGO_PAGE_TOKEN_KEY": "ab" * 32,
        "CATALOGO_DRAIN_SECONDS": "0",
    }


@contextmanager
def running(database: Database, instance: str, folder: Path) -> Iterator[Process]:
    process = Process(environment(database, instance), folder / f"{instance}.log")
    try:
        wait_until(lambda: process.serving(""), seconds=15, what=f"{instance} serves")
        yield process
    finally:
        assert process.stop() == 0


@pytest.fixture(scope="module")
def seeded(postgres_server: PostgresServer) -> Iterator[Database]:
    database = Database(postgres_server, "test_service_seeded")
    migrate(database.owner, "catalogo_app", seed=True)
    yield database
    database.audit()


@pytest.fixture(scope="module")
def process(seeded: Database, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    with running(seeded, "catalogo-1", tmp_path_factory.mktemp("catalogo")) as process:
        yield process


@pytest.fixture(scope="module")
def stub(process: Process) -> "CatalogoServiceStub":
    return process.stub


def refused(call: Callable[[], object]) -> RemoteError:
    with pytest.raises(grpc.RpcError) as caught:
        call()
    return remote_error(cast("grpc.aio.AioRpcError", caught.value))  # its synchronous twin has the same methods


def new(stub: "CatalogoServiceStub", **fields: object) -> pb.Produto:
    produto = pb.Produto(**{"nome": "Bolo", "preco_centavos": 100, "categoria_id": 1, "estoque": 5, **fields})  # type: ignore[arg-type]
    return stub.CriarProduto(pb.CriarProdutoRequest(produto=produto))


def test_the_opening_catalog_is_listed_and_searched(stub: "CatalogoServiceStub") -> None:
    page = stub.ListarProdutos(pb.ListarProdutosRequest(page_size=100))
    assert len(page.produtos) >= 40
    found = stub.ListarProdutos(pb.ListarProdutosRequest(busca="PAO queijo"))
    assert [produto.nome for produto in found.produtos] == ["Pão de queijo"]
    assert stub.ObterProduto(pb.ObterProdutoRequest(produto_id=found.produtos[0].produto_id)) == found.produtos[0]
    assert len(stub.ListarCategorias(pb.ListarCategoriasRequest()).categorias) >= 6


def test_a_change_is_seen_by_the_next_read_of_the_same_process(stub: "CatalogoServiceStub") -> None:
    produto = new(stub, nome="Bolo à vista")
    for units in range(20):
        changed = stub.AtualizarEstoque(
            pb.AtualizarEstoqueRequest(produto_id=produto.produto_id, operacao=pb.DEFINIR, quantidade=units)
        )
        assert changed.estoque == units
        assert stub.ObterProduto(pb.ObterProdutoRequest(produto_id=produto.produto_id)) == changed
    mask = FieldMask(paths=["nome"])
    produto.nome = "Torta à vista"
    stub.AtualizarProduto(pb.AtualizarProdutoRequest(produto=produto, update_mask=mask))
    assert len(stub.ListarProdutos(pb.ListarProdutosRequest(busca="torta vista")).produtos) == 1
    stub.ExcluirProduto(pb.ExcluirProdutoRequest(produto_id=produto.produto_id))
    assert len(stub.ListarProdutos(pb.ListarProdutosRequest(busca="torta vista")).produtos) == 0


def test_errors_carry_reason_and_metadata(stub: "CatalogoServiceStub") -> None:
    produto = new(stub, estoque=1)
    short = refused(
        lambda: stub.AtualizarEstoque(
            pb.AtualizarEstoqueRequest(produto_id=produto.produto_id, operacao=pb.REMOVER, quantidade=2)
        )
    )
    assert (short.code, short.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "ESTOQUE_INSUFICIENTE")
    assert short.metadata == {"produto_id": str(produto.produto_id), "solicitado": "2", "disponivel": "1"}
    missing = refused(lambda: stub.ObterProduto(pb.ObterProdutoRequest(produto_id=2**31 - 1)))
    assert (missing.code, missing.reason) == (grpc.StatusCode.NOT_FOUND, "PRODUTO_NAO_ENCONTRADO")
    duplicate = refused(lambda: stub.CriarCategoria(pb.CriarCategoriaRequest(categoria=pb.Categoria(nome="BOLOS"))))
    assert (duplicate.code, duplicate.metadata) == (grpc.StatusCode.ALREADY_EXISTS, {"nome": "BOLOS"})


@pytest.mark.parametrize(
    "produto",
    [
        pb.Produto(nome="a\0b", preco_centavos=1, categoria_id=1),
        pb.Produto(nome="a", descricao="\0", preco_centavos=1, categoria_id=1),
        pb.Produto(nome="a", imagem_url="/\0", preco_centavos=1, categoria_id=1),
        pb.Produto(nome="a", categoria_id=1),
        pb.Produto(nome="a", preco_centavos=-(2**31), categoria_id=-(2**31), estoque=2**31 - 1, versao=-1),
        pb.Produto(nome="x" * 121, preco_centavos=1, categoria_id=1),
    ],
)
def test_bad_input_is_refused_and_never_an_internal_error(stub: "CatalogoServiceStub", produto: pb.Produto) -> None:
    error = refused(lambda: stub.CriarProduto(pb.CriarProdutoRequest(produto=produto)))
    assert (error.code, error.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "REQUISICAO_INVALIDA")


@pytest.mark.parametrize("text", ["\0", "%", "_", "'", "\\", "🎂" * 80, "\ufdfa" * 20, "\u202e", " "])
def test_odd_text_in_filters_is_just_text(stub: "CatalogoServiceStub", text: str) -> None:
    stub.ListarProdutos(pb.ListarProdutosRequest(busca=text))
    stub.ListarProdutos(pb.ListarProdutosRequest(categoria=text))


@pytest.mark.parametrize("name", ["日" * 120, "🎂" * 120, "\ufdfa" * 120, '"' * 120, "\\" * 120, "é" * 120])
def test_the_longest_names_are_stored_and_paged(stub: "CatalogoServiceStub", name: str) -> None:
    ids = {new(stub, nome=name).produto_id for _ in range(3)}
    seen: list[int] = []
    token = ""
    while True:
        page = stub.ListarProdutos(pb.ListarProdutosRequest(busca=name[:3], page_size=1, page_token=token))
        seen += [produto.produto_id for produto in page.produtos]
        token = page.next_page_token
        if not token:
            break
    assert ids <= set(seen)
    assert len(seen) == len(set(seen))
    for produto_id in ids:
        stub.ExcluirProduto(pb.ExcluirProdutoRequest(produto_id=produto_id))


def test_the_longest_category_names_are_stored(stub: "CatalogoServiceStub") -> None:
    nome = "\ufdfa" * 79 + str(uuid4())[:1]
    stub.CriarCategoria(pb.CriarCategoriaRequest(categoria=pb.Categoria(nome=nome)))
    assert (
        refused(lambda: stub.CriarCategoria(pb.CriarCategoriaRequest(categoria=pb.Categoria(nome=nome)))).reason
        == "CATEGORIA_DUPLICADA"
    )


def test_expired_stock_comes_back_without_anybody_asking(stub: "CatalogoServiceStub") -> None:
    produto_id = new(stub, estoque=3).produto_id
    request = pb.ReservarEstoqueRequest(
        reserva_id=str(uuid4()),
        itens=[pb.ItemReservar(produto_id=produto_id, quantidade=3)],
        validade_segundos=1,
    )
    reserva = stub.ReservarEstoque(request).reserva
    assert 0 < reserva.expira_em.ToMilliseconds() / 1_000 - time.time() <= 1
    asked = pb.ObterProdutoRequest(produto_id=produto_id)
    assert stub.ObterProduto(asked).estoque == 0
    wait_until(lambda: stub.ObterProduto(asked).estoque == 3, seconds=5, what="the sweeper gives the stock back")
    late = refused(lambda: stub.ConfirmarReserva(pb.ConfirmarReservaRequest(reserva_id=reserva.reserva_id)))
    assert (late.code, late.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "RESERVA_EXPIRADA")


def test_two_processes_on_one_database_see_each_other(process: Process, seeded: Database, tmp_path: Path) -> None:
    with running(seeded, "catalogo-2", tmp_path) as other:
        produto = new(process.stub, nome="Bolo visto ao lado")
        asked = pb.ObterProdutoRequest(produto_id=produto.produto_id)

        def visible() -> bool:
            try:
                return other.stub.ObterProduto(asked) == produto
            except grpc.RpcError:
                return False

        wait_until(visible, seconds=1, what="shown within a second")
        page = process.stub.ListarProdutos(pb.ListarProdutosRequest(page_size=5))
        again = other.stub.ListarProdutos(pb.ListarProdutosRequest(page_size=5, page_token=page.next_page_token))
        assert len(again.produtos) == 5, "a token of one instance holds for the other"


def cut(database: Database) -> None:
    """Ends every connection of the service."""
    database.query(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() "
        "AND usename = 'catalogo_app'"
    )


def test_a_database_that_takes_no_writes_is_read_from_and_written_to_again(process: Process, seeded: Database) -> None:
    produto = new(process.stub)
    asked = pb.ObterProdutoRequest(produto_id=produto.produto_id)
    write = pb.AtualizarEstoqueRequest(produto_id=produto.produto_id, operacao=pb.ADICIONAR, quantidade=1)
    name = seeded.query("SELECT current_database()")[0][0]
    seeded.query(f'ALTER ROLE catalogo_app IN DATABASE "{name}" SET default_transaction_read_only = on')
    cut(seeded)
    try:
        wait_until(lambda: not process.serving(WRITES), seconds=5, what="writes are given up")
        wait_until(lambda: process.serving(READS), seconds=5, what="reads go on")
        assert process.stub.ObterProduto(asked).estoque == 5
        error = refused(lambda: process.stub.AtualizarEstoque(write))
        assert (error.code, error.reason) == (grpc.StatusCode.UNAVAILABLE, "SERVICO_INDISPONIVEL")
    finally:
        seeded.query(f'ALTER ROLE catalogo_app IN DATABASE "{name}" RESET default_transaction_read_only')
        cut(seeded)
    wait_until(lambda: process.serving(WRITES), seconds=5, what="writes are back")
    assert process.stub.AtualizarEstoque(write).estoque == 6


def run(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "catalogo", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=30, check=False)


def test_a_taken_port_is_one_clear_line(process: Process, seeded: Database) -> None:
    taken = environment(seeded, "catalogo-9") | {"CATALOGO_LISTEN": process.target}
    done = run(taken)
    assert done.returncode == 1
    assert process.target in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_bad_settings_are_all_named(seeded: Database) -> None:
    bad = environment(seeded, "") | {"CATALOGO_PAGE_TOKEN_KEY": "curta", "CATALOGO_DATABASE_URL": "sqlite://"}
    done = run(bad)
    assert done.returncode == 2
    lines = done.stderr.splitlines()
    for key in ("CATALOGO_INSTANCE", "CATALOGO_PAGE_TOKEN_KEY", "CATALOGO_DATABASE_URL"):
        assert sum(line.startswith(f"{key}: ") for line in lines) == 1


def test_the_command_line_of_migrations(seeded: Database) -> None:
    good = environment(seeded, "x") | {"CATALOGO_OWNER_URL": seeded.owner}
    done = run(good, "migrate", "--seed")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"catalogo: nothing to do, at {head()}\n", "")
    unreachable = run(good | {"CATALOGO_OWNER_URL": "postgresql://x@127.0.0.1:1/x"}, "migrate")
    assert (unreachable.returncode, len(unreachable.stderr.splitlines())) == (1, 1)
    assert run(good | {"CATALOGO_OWNER_URL": ""}, "migrate").returncode == 2
    assert run(good, "migrate", "--sede").returncode == 2
