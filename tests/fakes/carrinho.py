"""The cart's ports in memory, and a catalog of a few products that can fail: as a port and as a gRPC server."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import grpc
from confeitaria.carrinho.v1 import carrinho_pb2 as pb
from confeitaria.catalogo.v1 import catalogo_pb2 as catalogo_pb
from google.protobuf.timestamp_pb2 import Timestamp

from carrinho import domain
from carrinho.domain import Oferta, Produto, Recusa
from carrinho.use_cases import Carrinho
from chassis import context
from chassis.errors import ErrorTable, Mapped, Unavailable
from chassis.health import Health
from chassis.server import Server
from chassis.settings import ServiceSettings


class Relogio:
    """A clock that stands still until told."""

    def __init__(self, agora: float = 1_000.0) -> None:
        self.agora = agora

    def __call__(self) -> float:
        return self.agora

    def avancar(self, seconds: float) -> None:
        self.agora += seconds


@dataclass
class _Guardado:
    sessao_id: str
    expira_em: float = 0.0
    versao: int = 0
    itens: dict[int, pb.ItemCarrinho] = field(default_factory=dict)  # a dict keeps the order of first insertion
    lembradas: dict[str, tuple[int, int]] = field(default_factory=dict)

    @property
    def total(self) -> int:
        return sum(item.subtotal_centavos for item in self.itens.values())

    def bytes(self) -> Carrinho:
        seconds, millis = divmod(round(self.expira_em * 1000), 1000)
        message = pb.Carrinho(
            sessao_id=self.sessao_id,
            itens=self.itens.values(),
            total_centavos=self.total,
            versao=self.versao,
            expira_em=Timestamp(seconds=seconds, nanos=millis * 1_000_000),
        )
        return Carrinho(message.SerializeToString())


class CarrinhosEmMemoria:
    """CarrinhoRepository without Valkey."""

    def __init__(self, relogio: Relogio) -> None:
        self._relogio = relogio
        self._carrinhos: dict[str, _Guardado] = {}

    async def criar(self) -> Carrinho:
        guardado = _Guardado(secrets.token_urlsafe(16))
        self._carrinhos[guardado.sessao_id] = guardado
        return self._mudado(guardado)

    async def obter(self, sessao_id: str) -> Carrinho:
        return self._achar(sessao_id).bytes()

    async def adicionar(
        self, sessao_id: str, produto_id: int, quantidade: int, oferta: Oferta | Recusa, request_id: str
    ) -> Carrinho:
        guardado = self._achar(sessao_id)
        antes = guardado.lembradas.get(request_id.lower())
        if antes == (produto_id, quantidade):
            return guardado.bytes()
        if antes is not None:
            raise domain.ChaveReutilizada(request_id)
        item = guardado.itens.get(produto_id)
        carrinho = self._por(guardado, quantidade + (item.quantidade if item else 0), oferta)
        if request_id:
            guardado.lembradas[request_id.lower()] = (produto_id, quantidade)
            if len(guardado.lembradas) > domain.MAX_LEMBRADAS:
                del guardado.lembradas[next(iter(guardado.lembradas))]
        return carrinho

    async def atualizar(self, sessao_id: str, produto_id: int, quantidade: int, oferta: Oferta | Recusa) -> Carrinho:
        guardado = self._achar(sessao_id)
        if produto_id not in guardado.itens:
            raise domain.ItemNaoEncontrado(produto_id)
        return self._por(guardado, quantidade, oferta)

    async def remover(self, sessao_id: str, produto_id: int) -> Carrinho:
        guardado = self._achar(sessao_id)
        if guardado.itens.pop(produto_id, None) is None:
            return guardado.bytes()
        return self._mudado(guardado)

    async def esvaziar(self, sessao_id: str, versao: int) -> Carrinho:
        guardado = self._achar(sessao_id)
        if versao not in (0, guardado.versao):
            raise domain.VersaoDesatualizada(versao, guardado.versao)
        guardado.itens.clear()
        return self._mudado(guardado)

    def _achar(self, sessao_id: str) -> _Guardado:
        guardado = self._carrinhos.get(sessao_id)
        if guardado is None or self._relogio() >= guardado.expira_em:
            raise domain.CarrinhoNaoEncontrado(sessao_id)
        return guardado

    def _por(self, guardado: _Guardado, quantidade: int, oferta: Oferta | Recusa) -> Carrinho:
        if isinstance(oferta, Recusa):
            raise oferta
        produto = oferta.produto
        if quantidade > produto.estoque:
            raise domain.EstoqueInsuficiente(produto.produto_id, quantidade, produto.estoque)
        if quantidade > domain.MAX_UNIDADES:
            raise domain.CarrinhoCheio("unidades")
        if produto.produto_id not in guardado.itens and len(guardado.itens) == domain.MAX_PRODUTOS:
            raise domain.CarrinhoCheio("produtos")
        antes = guardado.itens.get(produto.produto_id, pb.ItemCarrinho())
        subtotal = quantidade * produto.preco_centavos
        if guardado.total - antes.subtotal_centavos + subtotal > domain.MAX_TOTAL_CENTAVOS:
            raise domain.CarrinhoCheio("total")
        guardado.itens[produto.produto_id] = pb.ItemCarrinho(
            produto_id=produto.produto_id,
            nome=produto.nome,
            preco_centavos=produto.preco_centavos,
            quantidade=quantidade,
            subtotal_centavos=subtotal,
            conferido=oferta.conferido,
        )
        return self._mudado(guardado)

    def _mudado(self, guardado: _Guardado) -> Carrinho:
        guardado.versao += 1
        guardado.expira_em = self._relogio() + domain.VALIDADE_SEGUNDOS
        return guardado.bytes()


class CatalogoEmMemoria:
    """Catalogo: products by id; `fora` makes it fail at once, `aberto` cleared makes every question wait."""

    def __init__(self, *produtos: Produto) -> None:
        self.produtos = {produto.produto_id: produto for produto in produtos}
        self.fora = False
        self.aberto = asyncio.Event()
        self.aberto.set()
        self.perguntas: list[int] = []

    async def obter_produto(self, produto_id: int) -> Produto:
        self.perguntas.append(produto_id)
        await self.aberto.wait()
        if self.fora:
            raise domain.CatalogoIndisponivel
        try:
            return self.produtos[produto_id]
        except KeyError:
            raise domain.ProdutoNaoEncontrado(produto_id) from None


class ProdutosFixos:
    """Produtos: always the same answer."""

    def __init__(self, resposta: Oferta | Recusa) -> None:
        self.resposta = resposta
        self.consultados: list[int] = []

    async def consultar(self, produto_id: int) -> Oferta | Recusa:
        self.consultados.append(produto_id)
        return self.resposta


class CatalogoServicerFalso:
    """The stand-in behind a real gRPC port; it serves ObterProduto, and refuses what no cart should ask."""

    def __init__(self) -> None:
        self.produtos: dict[int, catalogo_pb.Produto] = {}
        self.fora = False
        self.demora = 0.0  # seconds
        self.request_ids: list[str] = []
        self.restantes: list[float | None] = []  # seconds that each call was given

    def por(self, produto_id: int, **fields: object) -> None:
        known = {"nome": f"Produto {produto_id}", "preco_centavos": 1_000, "estoque": 1_000, "ativo": True}
        self.produtos[produto_id] = catalogo_pb.Produto(produto_id=produto_id, **(known | fields))  # type: ignore[arg-type]

    async def ObterProduto(self, request: catalogo_pb.ObterProdutoRequest, _context: object) -> catalogo_pb.Produto:
        self.request_ids.append(context.request_id())
        self.restantes.append(context.remaining())
        await asyncio.sleep(self.demora)
        if self.fora:
            raise Unavailable("O catálogo está fora.")
        try:
            return self.produtos[request.produto_id]
        except KeyError:
            raise domain.ProdutoNaoEncontrado(request.produto_id) from None

    def __getattr__(self, name: str) -> object:
        if name not in catalogo_pb.DESCRIPTOR.services_by_name["CatalogoService"].methods_by_name:
            raise AttributeError(name)

        async def refuse(_request: object, _context: object) -> None:
            raise NotImplementedError(name)

        return refuse

    @asynccontextmanager
    async def servindo(self, listen: str) -> AsyncIterator[None]:
        """Served by the chassis on `listen` for as long as the block runs."""
        errors: ErrorTable = {
            domain.ProdutoNaoEncontrado: Mapped(grpc.StatusCode.NOT_FOUND, "PRODUTO_NAO_ENCONTRADO", ("produto_id",))
        }
        settings = ServiceSettings(listen=listen, instance="catalogo-falso", drain_seconds=0)
        server = Server(settings, domain="catalogo.confeitaria")
        server.add(self, catalogo_pb.DESCRIPTOR.services_by_name["CatalogoService"], errors)
        running = asyncio.create_task(server.run(Health({})))
        async with grpc.aio.insecure_channel(listen) as channel:
            await asyncio.wait_for(channel.channel_ready(), 10)
        try:
            yield
        finally:
            server.stop()
            await running
