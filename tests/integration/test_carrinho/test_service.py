"""`python -m carrinho` over its own port, with a real Valkey and a catalog that can be taken away."""

import asyncio
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import grpc
import pytest
import pytest_asyncio
from confeitaria.carrinho.v1.carrinho_pb2 import (
    AdicionarItemRequest,
    AtualizarItemRequest,
    Carrinho,
    CriarCarrinhoRequest,
    EsvaziarCarrinhoRequest,
    ObterCarrinhoRequest,
    RemoverItemRequest,
)
from confeitaria.carrinho.v1.carrinho_pb2_grpc import CarrinhoServiceStub
from grpc_health.v1.health_pb2 import HealthCheckRequest
from grpc_health.v1.health_pb2_grpc import HealthStub

from carrinho.conhecimento import PACIENCIA, VALIDADE
from chassis.client import RemoteError, remote_error
from stack.topology import ROOT
from tests.conftest import free_port
from tests.fakes.carrinho import CatalogoServicerFalso
from tests.integration.test_carrinho.conftest import Servidor, until

pytestmark = pytest.mark.asyncio(loop_scope="module")  # grpc.aio wants one event loop


class Catalogo(CatalogoServicerFalso):
    """The stand-in, which tests may also take off its port."""

    def __init__(self) -> None:
        super().__init__()
        self.address = f"127.0.0.1:{free_port()}"
        self._open: AsyncExitStack | None = None

    async def start(self) -> None:
        self._open = AsyncExitStack()
        await self._open.enter_async_context(self.servindo(self.address))

    async def stop(self) -> None:
        if self._open is not None:
            await self._open.aclose()
            self._open = None


class Processo:
    """One cart process."""

    def __init__(self, log: Path, redis_url: str, mesh: str) -> None:
        self.log = log
        self.address = f"127.0.0.1:{free_port()}"
        self.environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": os.pathsep.join((str(ROOT), str(ROOT / "protos" / "python"))),
            "CARRINHO_LISTEN": self.address,
            "CARRINHO_INSTANCE": "carrinho de teste",
            "CARRINHO_REDIS_URL": redis_url,
            "CARRINHO_MESH": mesh,
            "CARRINHO_DRAIN_SECONDS": "0",
        }

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "carrinho"], env=self.environment, stdout=log, stderr=log, cwd="/"
            )

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(10)


class Cliente:
    """What a client does with a cart."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub = CarrinhoServiceStub(channel)
        self._health = HealthStub(channel)

    async def novo(self, *itens: tuple[int, int]) -> Carrinho:
        carrinho = await self._stub.CriarCarrinho(CriarCarrinhoRequest(), timeout=5)
        for produto_id, quantidade in itens:
            carrinho = await self.adicionar(carrinho.sessao_id, produto_id, quantidade)
        return carrinho

    async def obter(self, sessao_id: str) -> Carrinho:
        return await self._stub.ObterCarrinho(ObterCarrinhoRequest(sessao_id=sessao_id), timeout=5)

    async def adicionar(
        self, sessao_id: str, produto_id: int, quantidade: int = 1, request_id: str = "", *, seconds: float = 5
    ) -> Carrinho:
        request = AdicionarItemRequest(
            sessao_id=sessao_id, produto_id=produto_id, quantidade=quantidade, request_id=request_id
        )
        return await self._stub.AdicionarItem(request, timeout=seconds, metadata=(("x-request-id", "pedido-7"),))

    async def atualizar(self, sessao_id: str, produto_id: int, quantidade: int) -> Carrinho:
        request = AtualizarItemRequest(sessao_id=sessao_id, produto_id=produto_id, quantidade=quantidade)
        return await self._stub.AtualizarItem(request, timeout=5)

    async def remover(self, sessao_id: str, produto_id: int) -> Carrinho:
        return await self._stub.RemoverItem(RemoverItemRequest(sessao_id=sessao_id, produto_id=produto_id), timeout=5)

    async def esvaziar(self, sessao_id: str, versao: int = 0) -> Carrinho:
        request = EsvaziarCarrinhoRequest(sessao_id=sessao_id, versao=versao)
        return await self._stub.EsvaziarCarrinho(request, timeout=5)

    async def serving(self) -> bool:
        answer = await self._health.Check(HealthCheckRequest(service="carrinho"), timeout=5)
        return bool(answer.status == answer.SERVING)

    async def not_serving(self) -> bool:
        return not await self.serving()


async def refusal(attempt: Awaitable[object]) -> RemoteError:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await attempt
    return remote_error(caught.value)


@pytest.fixture(scope="module")
def valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servidor]:
    servidor = Servidor(tmp_path_factory.mktemp("valkey"))
    servidor.start()
    yield servidor
    servidor.kill()


@pytest.fixture(scope="module")
def served(valkey: Servidor, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Processo, Catalogo]]:
    catalogo = Catalogo()
    processo = Processo(tmp_path_factory.mktemp("carrinho") / "log", valkey.url, catalogo.address)
    processo.start()
    yield processo, catalogo
    assert processo.stop() == 0, processo.log.read_text()


@pytest_asyncio.fixture(loop_scope="module")
async def catalogo(served: tuple[Processo, Catalogo]) -> AsyncIterator[Catalogo]:
    """In service and in order, whatever the test before did to it."""
    catalogo = served[1]
    catalogo.fora, catalogo.demora = False, 0.0
    for produto_id in range(1, 6):
        catalogo.por(produto_id)
    await catalogo.start()
    yield catalogo
    await catalogo.stop()


@pytest_asyncio.fixture(loop_scope="module")
async def cliente(served: tuple[Processo, Catalogo], catalogo: Catalogo) -> AsyncIterator[Cliente]:
    async with grpc.aio.insecure_channel(served[0].address) as channel:
        await asyncio.wait_for(channel.channel_ready(), 20)
        cliente = Cliente(channel)
        await until(cliente.serving)
        produto_id = await fresh(catalogo)

        async def in_touch() -> bool:
            sessao_id = (await cliente.novo()).sessao_id
            try:
                return (await cliente.adicionar(sessao_id, produto_id)).itens[0].conferido
            except grpc.aio.AioRpcError:
                return False

        await until(in_touch)
        yield cliente


async def fresh(catalogo: Catalogo, **fields: object) -> int:
    """A product that no test and no process has met."""
    produto_id = max(catalogo.produtos) + 1
    catalogo.por(produto_id, **fields)
    return produto_id


async def test_a_cart_is_filled_changed_and_emptied(cliente: Cliente) -> None:
    carrinho = await cliente.novo((3, 2), (1, 1))
    assert [(item.produto_id, item.nome, item.subtotal_centavos, item.conferido) for item in carrinho.itens] == [
        (3, "Produto 3", 2_000, True),
        (1, "Produto 1", 1_000, True),
    ]
    assert (carrinho.total_centavos, carrinho.versao) == (3_000, 3)
    assert carrinho.expira_em.seconds == pytest.approx(time.time() + 86_400, abs=5)
    sessao_id = carrinho.sessao_id
    carrinho = await cliente.atualizar(sessao_id, 3, 5)
    assert carrinho == await cliente.obter(sessao_id)
    assert [item.quantidade for item in carrinho.itens] == [5, 1]
    assert [item.produto_id for item in (await cliente.atualizar(sessao_id, 3, 0)).itens] == [1]
    assert not (await cliente.remover(sessao_id, 1)).itens
    await cliente.adicionar(sessao_id, 2)
    emptied = await cliente.esvaziar(sessao_id)
    assert (len(emptied.itens), emptied.total_centavos) == (0, 0)


async def test_each_refusal_has_its_code_reason_and_metadata(cliente: Cliente, catalogo: Catalogo) -> None:
    carrinho = await cliente.novo((1, 2))
    sessao_id, key = carrinho.sessao_id, str(uuid.uuid4())
    few, inactive = await fresh(catalogo, estoque=3), await fresh(catalogo, ativo=False)
    await cliente.adicionar(sessao_id, 2, 1, key)
    now = await cliente.obter(sessao_id)
    status = grpc.StatusCode
    cases = [
        (cliente.obter("A" * 22), status.NOT_FOUND, "CARRINHO_NAO_ENCONTRADO", {"sessao_id": "A" * 22}),
        (cliente.adicionar("*", 1), status.NOT_FOUND, "CARRINHO_NAO_ENCONTRADO", {"sessao_id": "*"}),
        (cliente.adicionar(sessao_id, 99_999), status.NOT_FOUND, "PRODUTO_NAO_ENCONTRADO", {"produto_id": "99999"}),
        (
            cliente.adicionar(sessao_id, inactive),
            status.FAILED_PRECONDITION,
            "PRODUTO_INATIVO",
            {"produto_id": f"{inactive}"},
        ),
        (
            cliente.adicionar(sessao_id, few, 4),
            status.FAILED_PRECONDITION,
            "ESTOQUE_INSUFICIENTE",
            {"produto_id": f"{few}", "solicitado": "4", "disponivel": "3"},
        ),
        (cliente.atualizar(sessao_id, 3, 1), status.NOT_FOUND, "ITEM_NAO_ENCONTRADO", {"produto_id": "3"}),
        (
            cliente.esvaziar(sessao_id, 1),
            status.ABORTED,
            "VERSAO_DESATUALIZADA",
            {"versao_enviada": "1", "versao_atual": "3"},
        ),
        (cliente.adicionar(sessao_id, 2, 9, key), status.ALREADY_EXISTS, "CHAVE_REUTILIZADA", {"chave": key}),
        (cliente.adicionar(sessao_id, 1, 0), status.INVALID_ARGUMENT, "REQUISICAO_INVALIDA", {}),
        (cliente.adicionar("", 1, 1), status.INVALID_ARGUMENT, "REQUISICAO_INVALIDA", {}),
        (cliente.adicionar(sessao_id, 1, 1, "não é"), status.INVALID_ARGUMENT, "REQUISICAO_INVALIDA", {}),
    ]
    for attempt, code, reason, metadata in cases:
        error = await refusal(attempt)
        assert (error.code, error.reason, error.metadata) == (code, reason, metadata)
    assert await cliente.obter(sessao_id) == now


async def test_a_busy_product_costs_about_one_call_a_second(cliente: Cliente, catalogo: Catalogo) -> None:
    produto_id = await fresh(catalogo)
    carts = [(await cliente.novo()).sessao_id for _ in range(20)]
    catalogo.request_ids.clear()
    started = time.monotonic()
    for _ in range(10):
        await asyncio.gather(*(cliente.adicionar(each, produto_id) for each in carts))
    assert len(catalogo.request_ids) <= 1 + (time.monotonic() - started) / VALIDADE


async def test_the_catalog_is_asked_under_the_callers_request_id_and_with_a_deadline_of_its_own(
    cliente: Cliente, catalogo: Catalogo
) -> None:
    produto_id, sessao_id = await fresh(catalogo), (await cliente.novo()).sessao_id
    catalogo.request_ids.clear()
    catalogo.restantes.clear()
    await cliente.adicionar(sessao_id, produto_id)
    assert catalogo.request_ids == ["pedido-7"]
    assert catalogo.restantes[0] is not None
    assert 0 < catalogo.restantes[0] < PACIENCIA + 0.01  # grpc sends it rounded up


async def test_the_cart_goes_on_without_the_catalog_and_says_so(cliente: Cliente, catalogo: Catalogo) -> None:
    known, unknown = await fresh(catalogo), await fresh(catalogo)
    sessao_id = (await cliente.novo((known, 1))).sessao_id
    await catalogo.stop()

    async def checked() -> bool:
        carrinho = await cliente.atualizar(sessao_id, known, 3)
        assert [item.quantidade for item in carrinho.itens] == [3]
        return carrinho.itens[0].conferido

    async def unchecked() -> bool:
        return not await checked()

    await until(unchecked, seconds=VALIDADE + 1)
    error = await refusal(cliente.adicionar(sessao_id, unknown))
    assert (error.code, error.reason) == (grpc.StatusCode.UNAVAILABLE, "SERVICO_INDISPONIVEL")
    assert await cliente.serving(), "a cart without a catalog is still a cart"
    await catalogo.start()
    await until(checked)


async def test_a_catalog_that_hangs_holds_a_cart_up_once(cliente: Cliente, catalogo: Catalogo) -> None:
    known, unknown = await fresh(catalogo), await fresh(catalogo)
    sessao_id = (await cliente.novo((known, 1))).sessao_id
    catalogo.demora = 3
    waits: list[float] = []

    async def unchecked() -> bool:
        started = time.monotonic()
        carrinho = await cliente.adicionar(sessao_id, known)
        waits.append(time.monotonic() - started)
        return not carrinho.itens[0].conferido

    await until(unchecked, seconds=VALIDADE + 1)
    assert PACIENCIA * 0.9 < waits[-1] < PACIENCIA + 0.5
    waits.clear()
    for _ in range(20):
        assert await unchecked()
    assert sum(waits) < PACIENCIA
    started = time.monotonic()
    assert (await refusal(cliente.adicionar(sessao_id, unknown))).reason == "SERVICO_INDISPONIVEL"
    assert time.monotonic() - started < PACIENCIA + 0.5


async def test_a_caller_in_a_hurry_gets_older_knowledge_rather_than_nothing(
    cliente: Cliente, catalogo: Catalogo
) -> None:
    known = await fresh(catalogo)
    sessao_id = (await cliente.novo((known, 1))).sessao_id
    catalogo.demora = 3

    async def unchecked() -> bool:
        return not (await cliente.adicionar(sessao_id, known, seconds=0.5)).itens[0].conferido

    await until(unchecked, seconds=VALIDADE + 1)


async def test_without_valkey_the_cart_is_unhealthy_unavailable_and_back_by_itself(
    cliente: Cliente, valkey: Servidor
) -> None:
    carrinho = await cliente.novo((1, 2))
    valkey.kill()
    await until(cliente.not_serving)
    started = time.monotonic()
    for attempt in (cliente.obter(carrinho.sessao_id), cliente.adicionar(carrinho.sessao_id, 1), cliente.novo()):
        error = await refusal(attempt)
        assert (error.code, error.reason) == (grpc.StatusCode.UNAVAILABLE, "SERVICO_INDISPONIVEL")
        assert "connect" not in error.message
    assert time.monotonic() - started < 1
    valkey.start()
    await until(cliente.serving)
    assert await cliente.obter(carrinho.sessao_id) == carrinho


async def test_a_valkey_that_hangs_makes_the_cart_unhealthy_within_two_seconds(
    cliente: Cliente, valkey: Servidor
) -> None:
    carrinho = await cliente.novo((1, 2))
    valkey.pause()
    try:
        error = await refusal(cliente.obter(carrinho.sessao_id))
        assert (error.code, error.reason) == (grpc.StatusCode.UNAVAILABLE, "SERVICO_INDISPONIVEL")
        await until(cliente.not_serving, seconds=2)
    finally:
        valkey.resume()
    await until(cliente.serving)
    assert await cliente.obter(carrinho.sessao_id) == carrinho


async def test_it_starts_without_valkey_and_without_a_catalog(tmp_path: Path) -> None:
    processo = Processo(tmp_path / "log", f"redis://127.0.0.1:{free_port()}/0", f"127.0.0.1:{free_port()}")
    processo.start()
    async with grpc.aio.insecure_channel(processo.address) as channel:
        await asyncio.wait_for(channel.channel_ready(), 20)
        cliente = Cliente(channel)
        assert (await refusal(cliente.novo())).reason == "SERVICO_INDISPONIVEL"
        assert not await cliente.serving()
    assert processo.stop() == 0, processo.log.read_text()
    assert "Traceback" not in processo.log.read_text()


async def test_bad_settings_are_named_and_end_the_process_with_2(tmp_path: Path) -> None:
    processo = Processo(tmp_path / "log", "http://nowhere", "nowhere")
    processo.start()
    assert processo.process.wait(20) == 2
    told = processo.log.read_text()
    assert "CARRINHO_REDIS_URL" in told
    assert "CARRINHO_MESH" in told
    assert "Traceback" not in told
