"""Two ways to carts: their use cases over fakes, and a process on Valkey of which either may be killed."""

import asyncio
import time
from collections.abc import Collection, Sequence
from typing import Protocol

import redis
from confeitaria.carrinho.v1 import carrinho_pb2 as pb
from google.protobuf.message import Message

from carrinho import domain
from carrinho.conhecimento import VALIDADE, Conhecimento
from carrinho.servicer import ERRORS, CarrinhoServicer
from carrinho.use_cases import Compras
from tests.fakes.carrinho import CarrinhosEmMemoria, CatalogoEmMemoria, CatalogoServicerFalso, Relogio
from tests.integration.test_carrinho.conftest import Servidor
from tests.integration.test_carrinho.test_service import Processo
from tests.model.answers import Answer, Door, GrpcDoor, LocalDoor, Refusal, Unknown, channel_to
from tests.model.explaining import Call
from tests.model.models.carrinho import Produto

SERVICE = pb.DESCRIPTOR.services_by_name["CarrinhoService"]
PATIENCE = 30.0  # seconds until what should happen by itself has failed
NOBODYS = pb.ObterCarrinhoRequest(sessao_id="A" * 22)
SLOW = 0.6  # seconds: an answer that took so long may come of a catalog that was not waited for


class Porta(Door, Protocol):
    mudancas: int  # how often the catalog may change in an example: real time must pass each time
    em_tempo: bool  # whether no answer took so long that the catalog may have been given up

    def catalogo(self, produtos: dict[int, Produto], *, fora: bool) -> None:
        """What the catalog has from now on, and whether it is away."""
        ...

    async def esquecer(self) -> None:
        """Returns when nothing that was learnt of products counts as the catalog's present word."""
        ...

    async def reencontrar(self, produto_id: int) -> None:
        """Returns when carts know that the catalog is there, which they find out by asking for a product."""
        ...

    def passar(self, segundos: int, sessoes: Collection[str]) -> None: ...

    def agora(self) -> float: ...

    async def guardados(self, sessoes: Collection[str]) -> dict[str, pb.Carrinho]:
        """The carts that there are, as they are stored."""
        ...


class PortaLocal(LocalDoor):
    mudancas, em_tempo = 1_000, True

    def __init__(self) -> None:
        self._relogio = Relogio()
        self._catalogo = CatalogoEmMemoria()
        self._carrinhos = CarrinhosEmMemoria(self._relogio)
        compras = Compras(self._carrinhos, Conhecimento(self._catalogo, clock=self._relogio))
        super().__init__(CarrinhoServicer(self._carrinhos, compras), SERVICE, ERRORS)

    def catalogo(self, produtos: dict[int, Produto], *, fora: bool) -> None:
        known = {key: domain.Produto(key, *produto) for key, produto in produtos.items()}
        self._catalogo.produtos, self._catalogo.fora = known, fora

    async def esquecer(self) -> None:
        self._relogio.avancar(VALIDADE)

    async def reencontrar(self, produto_id: int) -> None:
        await _reencontrar(self, produto_id)

    def passar(self, segundos: int, sessoes: Collection[str]) -> None:  # noqa: ARG002
        self._relogio.avancar(segundos)

    def agora(self) -> float:
        return self._relogio()

    async def guardados(self, sessoes: Collection[str]) -> dict[str, pb.Carrinho]:
        found = {}
        for sessao_id in sessoes:
            answer = await self.call("ObterCarrinho", pb.ObterCarrinhoRequest(sessao_id=sessao_id))
            if isinstance(answer, pb.Carrinho):
                found[sessao_id] = answer
        return found


class PortaGrpc:
    """One process and one Valkey for all examples; the catalog is a stand-in that this event loop serves."""

    mudancas = 1

    def __init__(self, processo: Processo, valkey: Servidor, catalogo: CatalogoServicerFalso) -> None:
        self._processo = processo
        self._valkey = valkey
        self._catalogo = catalogo
        self._admin = redis.Redis.from_url(valkey.url)
        self.em_tempo = True

    async def open(self) -> None:
        self._channel = await channel_to(self._processo.address)
        async with asyncio.timeout(PATIENCE):
            await self._channel.channel_ready()
        self._door = GrpcDoor(self._channel, SERVICE, certain=True)

    async def close(self) -> None:
        await self._channel.close()

    async def call(self, rpc: str, request: Message) -> Answer:
        began = time.monotonic()
        answer = await self._door.call(rpc, request)
        self.em_tempo = self.em_tempo and time.monotonic() - began < SLOW
        return answer

    def catalogo(self, produtos: dict[int, Produto], *, fora: bool) -> None:
        self._catalogo.fora = fora
        for key, produto in produtos.items():
            self._catalogo.por(key, **produto._asdict())

    async def esquecer(self) -> None:
        await asyncio.sleep(VALIDADE * 1.1)  # nothing tells when a process forgets: time itself is waited for

    async def reencontrar(self, produto_id: int) -> None:
        await _reencontrar(self, produto_id)
        self.em_tempo = True

    def passar(self, segundos: int, sessoes: Collection[str]) -> None:
        for sessao_id in sessoes:
            key = f"carrinho:{sessao_id}"
            left = self._milliseconds(key)
            if left > 0:
                self._admin.pexpire(key, left - segundos * 1000)

    def agora(self) -> float:
        return time.time()  # of this machine, as Valkey's

    async def guardados(self, sessoes: Collection[str]) -> dict[str, pb.Carrinho]:
        replies = {sessao_id: self._admin.hget(f"carrinho:{sessao_id}", "carrinho") for sessao_id in sessoes}
        return {key: pb.Carrinho.FromString(reply) for key, reply in replies.items() if isinstance(reply, bytes)}

    async def morre(self, calls: Sequence[Call], milissegundos: int, *, valkey: bool) -> list[Answer]:
        """Asks all at once and kills Valkey or the process a moment later; both serve again when this returns."""
        asked = [asyncio.create_task(self.call(*call)) for call in calls]
        await asyncio.sleep(milissegundos / 1000)  # the moment is the point
        if valkey:
            self._valkey.kill()
        else:
            self._processo.process.kill()
            self._processo.process.wait()
        told = await asyncio.gather(*asked)
        await self._again(valkey=valkey)
        return [Unknown("UNAVAILABLE") if _away(answer) else answer for answer in told]

    async def _again(self, *, valkey: bool) -> None:
        if valkey:
            self._valkey.start()
        else:
            self._processo.start()
            await self._channel.close()
            await self.open()
        async with asyncio.timeout(PATIENCE):
            while _away(await self.call("ObterCarrinho", NOBODYS)):  # noqa: ASYNC110  what changes is elsewhere
                await asyncio.sleep(0.02)
        self.em_tempo = True

    def _milliseconds(self, key: str) -> int:
        left = self._admin.pttl(key)
        assert isinstance(left, int)
        return left


def _away(answer: Answer) -> bool:
    return isinstance(answer, Unknown) or (isinstance(answer, Refusal) and answer.code == "UNAVAILABLE")


async def _reencontrar(door: Door, produto_id: int) -> None:
    async with asyncio.timeout(PATIENCE):
        while True:
            carrinho = await door.call("CriarCarrinho", pb.CriarCarrinhoRequest())
            request = pb.AdicionarItemRequest(
                sessao_id=getattr(carrinho, "sessao_id", ""), produto_id=produto_id, quantidade=1
            )
            answer = await door.call("AdicionarItem", request)
            if isinstance(answer, pb.Carrinho) and answer.itens[0].conferido:
                return
            await asyncio.sleep(0.02)
