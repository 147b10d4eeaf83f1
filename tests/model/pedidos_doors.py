"""Two ways to orders: their use cases over fakes, and a whole mesh."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterator, Sequence
from contextlib import suppress
from itertools import cycle
from typing import Any, NamedTuple, Protocol
from uuid import uuid4

import psycopg2
from confeitaria.carrinho.v1 import carrinho_pb2
from confeitaria.catalogo.v1 import catalogo_pb2
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.message import Message

from chassis.paging import PageTokens
from pedidos.domain import Etapa
from pedidos.servicer import ERRORS, SERVICE, PedidosServicer, pedido_em_bytes
from pedidos.use_cases.acompanhamento import Acompanhamento
from pedidos.use_cases.checkout import Checkout
from pedidos.use_cases.mudancas import Mudancas
from tests.conftest import Mesh
from tests.fakes.pedidos.banco import Banco, ComprasFake, PedidosFake, Relogio
from tests.fakes.pedidos.correio import JornalFake
from tests.fakes.pedidos.vizinhos import CarrinhosFake, CatalogoFake
from tests.fakes.pedidos.vizinhos import Produto as ProdutoFake
from tests.faults import snapshot
from tests.model.answers import Answer, Door, GrpcDoor, LocalDoor, Refusal, Unknown, channel_to
from tests.model.models.pedidos import Carrinho, Produto, cart_message

CATALOGO = catalogo_pb2.DESCRIPTOR.services_by_name["CatalogoService"]
CARRINHO = carrinho_pb2.DESCRIPTOR.services_by_name["CarrinhoService"]
REPEATS = 20  # of a call without an answer: on a slow machine a neighbour may take longer than orders wait


class Retrato(NamedTuple):
    """What is so, by another way than the answers of orders. `pedidos`: status and number of events."""

    disponiveis: dict[int, int]
    carrinhos: dict[str, Carrinho]
    pedidos: dict[str, tuple[str, int]]


class Porta(Door, Protocol):
    """`call` also takes AdicionarItem and RemoverItem of carts."""

    async def first(self, rpc: str, request: Message) -> Answer: ...

    async def novo_carrinho(self) -> str: ...

    async def novo_produto(self, produto: Produto) -> int: ...

    async def mudar_produto(self, produto_id: int, *, preco_centavos: int, ativo: bool) -> None: ...

    async def definir_estoque(self, produto_id: int, unidades: int) -> None: ...

    async def retrato(self, produtos: Collection[int], sessoes: Collection[str]) -> Retrato: ...

    async def acertado(self, sessoes: Collection[str]) -> None:
        """Holds it to have left no work undone, once those who finish it had their time."""
        ...

    def ritmo(self, voltas: Sequence[int]) -> None:
        """How often a call lets others go first, at each of its steps; real servers have a rhythm of their own."""
        ...


class _Ritmado:
    """A port at each of whose calls others may go first."""

    def __init__(self, port: object, voltas: Iterator[int]) -> None:
        self._port = port
        self._voltas = voltas

    def __getattr__(self, name: str) -> Callable[..., Awaitable[Any]]:
        method = getattr(self._port, name)

        async def call(*args: Any, **kwargs: Any) -> Any:
            await self._outros()
            try:
                return await method(*args, **kwargs)
            finally:
                await self._outros()

        return call

    async def _outros(self) -> None:
        for _ in range(next(self._voltas)):
            await asyncio.sleep(0)


class PortaLocal:
    """Two instances of orders, which take turns to be asked, over one database and two neighbours in memory."""

    def __init__(self) -> None:
        relogio = Relogio()
        self._banco = Banco(relogio, pedido_em_bytes)
        self._catalogo = CatalogoFake(relogio)
        self._carrinhos = CarrinhosFake()
        self._voltas: Iterator[int] = cycle([1])
        self._vez = cycle([self._instancia(dono) for dono in "ab"])

    def _instancia(self, dono: str) -> LocalDoor:
        voltas = iter(lambda: next(self._voltas), None)
        ports: list[Any] = [ComprasFake(self._banco, dono), self._catalogo, self._carrinhos, PedidosFake(self._banco)]
        compras, catalogo, carrinhos, pedidos = (_Ritmado(port, voltas) for port in ports)
        checkout: Any = Checkout(compras, catalogo, carrinhos, pausas=(0.0, 0.0))  # type: ignore[arg-type]
        mudancas = Mudancas(pedidos, catalogo, checkout)  # type: ignore[arg-type]
        acompanhamento = Acompanhamento(PedidosFake(self._banco), JornalFake(), limite=8)
        tokens = PageTokens(bytes(32))
        return LocalDoor(PedidosServicer(checkout, mudancas, ports[3], acompanhamento, tokens), SERVICE, ERRORS)

    async def call(self, rpc: str, request: Message) -> Answer:
        if rpc not in SERVICE.methods_by_name:
            return self._mexer(request)
        return await next(self._vez).call(rpc, request)

    async def first(self, rpc: str, request: Message) -> Answer:
        return await next(self._vez).first(rpc, request)

    async def novo_carrinho(self) -> str:
        sessao_id = uuid4().hex[:22]
        self._carrinhos.encher(sessao_id)
        return sessao_id

    async def novo_produto(self, produto: Produto) -> int:
        produto_id = len(self._catalogo.produtos) + 1
        self._catalogo.produtos[produto_id] = ProdutoFake(produto.nome, produto.preco_centavos, produto.disponivel)
        return produto_id

    async def mudar_produto(self, produto_id: int, *, preco_centavos: int, ativo: bool) -> None:
        produto = self._catalogo.produtos[produto_id]
        produto.preco_centavos, produto.ativo = preco_centavos, ativo

    async def definir_estoque(self, produto_id: int, unidades: int) -> None:
        self._catalogo.produtos[produto_id].disponivel = unidades

    async def retrato(self, produtos: Collection[int], sessoes: Collection[str]) -> Retrato:
        banco = self._banco
        abertas = {c.etapa for c in banco.compras.values()} - {Etapa.CONCLUIDA, Etapa.FALHOU}
        assert not abertas, "work is left although every call was answered"
        assert not banco.dividas, "stock of a cancelled order is still owed"
        assert not any(self._catalogo.produtos[key].reservado for key in produtos), "stock is still set aside"
        carrinhos = {key: self._carrinhos.carrinhos[key] for key in sessoes}
        return Retrato(
            {key: self._catalogo.produtos[key].disponivel for key in produtos},
            {
                key: Carrinho(c.versao, tuple((i.produto_id, i.quantidade) for i in c.itens))
                for key, c in carrinhos.items()
            },
            {key: (pedido.status.value, banco.contagem(key)) for key, pedido in banco.pedidos.items()},
        )

    async def acertado(self, sessoes: Collection[str]) -> None:
        """Each picture looks at it."""

    def ritmo(self, voltas: Sequence[int]) -> None:
        self._voltas = cycle(voltas)

    def _mexer(self, request: Any) -> Answer:
        antes = self._carrinhos.carrinhos[request.sessao_id]
        itens = {item.produto_id: item.quantidade for item in antes.itens}
        if isinstance(request, carrinho_pb2.AdicionarItemRequest):
            itens[request.produto_id] = itens.get(request.produto_id, 0) + request.quantidade
        else:
            itens.pop(request.produto_id, None)
        agora = tuple(itens.items())
        if len(agora) != len(antes.itens) or isinstance(request, carrinho_pb2.AdicionarItemRequest):
            antes = self._carrinhos.encher(request.sessao_id, *agora)
        return cart_message(request.sessao_id, Carrinho(antes.versao, agora))


class PortaMesh:
    """All services, each behind Envoy; each example has products, carts and orders of its own."""

    def __init__(self, mesh: Mesh) -> None:
        self._sql = psycopg2.connect(snapshot.url(mesh, "pedidos"))
        self._sql.set_session(readonly=True, autocommit=True)
        self._target = mesh.mesh_target
        self.repeated = 0  # calls without an answer

    async def open(self) -> None:
        self._channel = await channel_to(self._target)
        self._doors = {service: GrpcDoor(self._channel, service) for service in (SERVICE, CATALOGO, CARRINHO)}
        self._categoria_id = (await self._feito("CriarCategoria", _categoria())).categoria_id

    async def close(self) -> None:
        self._sql.close()
        await self._channel.close()

    async def call(self, rpc: str, request: Message) -> Answer:
        answer = await self._sure(rpc, request)
        if isinstance(answer, carrinho_pb2.Carrinho):
            return cart_message(answer.sessao_id, _conteudo(answer))
        return answer

    async def first(self, rpc: str, request: Message) -> Answer:
        return await self._doors[SERVICE].first(rpc, request)

    async def novo_carrinho(self) -> str:
        sessao_id: str = (await self._feito("CriarCarrinho", carrinho_pb2.CriarCarrinhoRequest())).sessao_id
        return sessao_id

    async def novo_produto(self, produto: Produto) -> int:
        message = catalogo_pb2.Produto(
            nome=produto.nome,
            preco_centavos=produto.preco_centavos,
            categoria_id=self._categoria_id,
            estoque=produto.disponivel,
        )
        request = catalogo_pb2.CriarProdutoRequest(produto=message, request_id=str(uuid4()))
        produto_id: int = (await self._feito("CriarProduto", request)).produto_id
        return produto_id

    async def mudar_produto(self, produto_id: int, *, preco_centavos: int, ativo: bool) -> None:
        produto = catalogo_pb2.Produto(produto_id=produto_id, preco_centavos=preco_centavos, ativo=ativo)
        mask = FieldMask(paths=["preco_centavos", "ativo"])
        request = catalogo_pb2.AtualizarProdutoRequest(produto=produto, update_mask=mask)
        await self._feito("AtualizarProduto", request)

    async def definir_estoque(self, produto_id: int, unidades: int) -> None:
        request = catalogo_pb2.AtualizarEstoqueRequest(
            produto_id=produto_id, operacao=catalogo_pb2.DEFINIR, quantidade=unidades, request_id=str(uuid4())
        )
        await self._feito("AtualizarEstoque", request)

    async def retrato(self, produtos: Collection[int], sessoes: Collection[str]) -> Retrato:
        estoques = [
            self._feito("VerificarEstoque", catalogo_pb2.VerificarEstoqueRequest(produto_id=p)) for p in produtos
        ]
        carrinhos = [self._feito("ObterCarrinho", carrinho_pb2.ObterCarrinhoRequest(sessao_id=s)) for s in sessoes]
        return Retrato(
            dict(zip(produtos, [each.estoque for each in await asyncio.gather(*estoques)], strict=True)),
            dict(zip(sessoes, map(_conteudo, await asyncio.gather(*carrinhos)), strict=True)),
            {row[0]: (row[1], row[2]) for row in self._rows(PEDIDOS, sessoes)},
        )

    def ritmo(self, voltas: Sequence[int]) -> None:
        """Nobody tells real servers when to wait."""

    async def _sure(self, rpc: str, request: Message) -> Answer:
        """The answer, after as many repetitions as the contract asks for when none came."""
        door = next(door for service, door in self._doors.items() if rpc in service.methods_by_name)
        for _ in range(REPEATS):
            answer = await door.call(rpc, request)
            if not isinstance(answer, Unknown):
                return answer
            self.repeated += 1
            await asyncio.sleep(0.1)
        raise AssertionError(f"no answer: {answer}")

    async def _feito(self, rpc: str, request: Message) -> Any:
        answer = await self._sure(rpc, request)
        assert not isinstance(answer, Refusal), answer
        return answer

    def _rows(self, statement: str, sessoes: Collection[str]) -> list[tuple[Any, ...]]:
        with self._sql.cursor() as cursor:
            cursor.execute(statement, {"sessoes": list(sessoes)})
            return cursor.fetchall()

    async def acertado(self, sessoes: Collection[str]) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(30):
                while self._rows(ABERTAS, sessoes):  # noqa: ASYNC110  what changes is in a database
                    await asyncio.sleep(0.1)
        assert self._rows(ABERTAS, sessoes) == []


PEDIDOS = "SELECT pedido_id::text, status, eventos FROM pedidos WHERE sessao_id = ANY(%(sessoes)s)"
ABERTAS = """
SELECT pedido_id::text, etapa FROM compras
 WHERE sessao_id = ANY(%(sessoes)s) AND etapa NOT IN ('CONCLUIDA', 'FALHOU')
UNION ALL SELECT pedido_id::text, 'DEVE' FROM pedidos
 WHERE sessao_id = ANY(%(sessoes)s) AND devolver_em IS NOT NULL
"""


def _categoria() -> catalogo_pb2.CriarCategoriaRequest:
    return catalogo_pb2.CriarCategoriaRequest(categoria=catalogo_pb2.Categoria(nome=f"Modelo {uuid4()}"))


def _conteudo(carrinho: carrinho_pb2.Carrinho) -> Carrinho:
    return Carrinho(carrinho.versao, tuple((item.produto_id, item.quantidade) for item in carrinho.itens))
