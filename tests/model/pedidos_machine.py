"""All that can be asked of orders, in any order and at once: few carts, few keys, little stock."""

import uuid
from typing import Any, NamedTuple

from confeitaria.carrinho.v1 import carrinho_pb2
from confeitaria.pedidos.v1 import pedidos_pb2 as pb
from google.protobuf.message import Message
from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule

from tests.model.answers import invalid
from tests.model.explaining import Call
from tests.model.machine import Machine, Run
from tests.model.models.pedidos import Carrinho, Pedidos, Produto
from tests.model.pedidos_doors import Porta

CLIENTES = (
    pb.Cliente(nome="Ana Luísa", email="ana@example.com", telefone="+55 11 91234-5678"),
    pb.Cliente(nome="Bento", email="bento@example.com"),
)
GRANDE = 100_000  # units of a product that does not run out


class Comando(NamedTuple):
    """A request whose numbers are places in what the example knows: carts, products, keys, orders."""

    rpc: str
    sessao: int = 0
    cliente: int = 0
    observacao: str = ""
    chave: int = -1
    produto: int = 0
    quantidade: int = 1
    pedido: int = 0
    status: int = 0


def comandos(*rpcs: str, **campos: st.SearchStrategy[Any]) -> st.SearchStrategy[Comando]:
    """One of these RPCs; fields that are not named keep their default."""
    return st.fixed_dictionaries({"rpc": st.sampled_from(rpcs), **campos}).map(lambda given: Comando(**given))


sessoes = st.sampled_from([0, 0, 0, 0, 1, 1, 2])  # the last is nobody's
chaves = st.sampled_from([-1, -1, -1, 0, 0, 1, 2, 3])  # the last is the first in capitals
produtos = st.integers(0, 2)
pedidos = st.sampled_from([0, 0, 0, 1, 1, 2, 3, 9])  # from the newest; the last is nobody's
comprar = comandos(
    "CriarPedido",
    sessao=sessoes,
    cliente=st.sampled_from([0, 0, 0, 1]),
    observacao=st.sampled_from(["", "", "sem açúcar"]),
    chave=chaves,
)
por = comandos("AdicionarItem", sessao=st.integers(0, 1), produto=produtos, quantidade=st.sampled_from([1, 1, 2, 3]))
tirar = comandos("RemoverItem", sessao=st.integers(0, 1), produto=produtos)
cancelar = comandos("CancelarPedido", pedido=pedidos)
mudar = comandos("AtualizarStatusPedido", pedido=pedidos, status=st.sampled_from([1, 2, 3, 3, 4, 4, 5, 5, 6]))
voltas = st.lists(st.integers(0, 3), min_size=1, max_size=7)


class PedidosMachine(Machine[Porta, Pedidos]):
    def __init__(self, door: Porta, run: Run) -> None:
        super().__init__(door, Pedidos(), run)
        self.chaves = [str(uuid.uuid4()) for _ in range(3)]

    # What happens.

    @initialize(estoques=st.tuples(st.sampled_from([3, 6]), st.sampled_from([1, 2, 4])))
    def abrir(self, estoques: tuple[int, int]) -> None:
        novos = [Produto("Bolo", 4000, estoques[0]), Produto("Torta", 2500, estoques[1]), Produto("Pão", 100, GRANDE)]
        for novo in novos:
            self.model.produtos[self.run(self.door.novo_produto(novo))] = novo
        for _ in range(2):
            self.model.carrinhos[self.run(self.door.novo_carrinho())] = Carrinho(1, ())
        self.ask(self._call(Comando("AdicionarItem")))
        self.ask(self._call(Comando("AdicionarItem", sessao=1, produto=1)))

    @rule(comando=st.one_of(comprar, comprar, por, cancelar, mudar, tirar))
    def um(self, comando: Comando) -> None:
        self.ask(self._call(comando))

    @rule(posto=por, compra=comprar, vezes=st.integers(1, 4), voltas=voltas)
    def por_e_comprar(self, posto: Comando, compra: Comando, vezes: int, voltas: list[int]) -> None:
        """More than one click: one purchase all the same."""
        self.ask(self._call(posto))
        self.door.ritmo(voltas)
        self.ask(*[self._call(compra._replace(sessao=posto.sessao))] * vezes)

    @rule(posto=por, compras=st.lists(comprar, min_size=2, max_size=3), mexe=st.one_of(por, tirar), voltas=voltas)
    def um_carrinho_disputado(self, posto: Comando, compras: list[Comando], mexe: Comando, voltas: list[int]) -> None:
        """Several order one cart, which changes meanwhile: what was not ordered stays in it."""
        self.ask(self._call(posto))
        self.door.ritmo(voltas)
        juntos = [*compras, mexe]
        self.ask(*(self._call(comando._replace(sessao=posto.sessao)) for comando in juntos))

    @rule(comandos=st.lists(st.one_of(comprar, comprar, por, cancelar, mudar), min_size=2, max_size=4), voltas=voltas)
    def juntos(self, comandos: list[Comando], voltas: list[int]) -> None:
        self.door.ritmo(voltas)
        self.ask(*map(self._call, comandos))

    @rule(comandos=st.lists(st.one_of(cancelar, mudar), min_size=2, max_size=4), pedido=pedidos, voltas=voltas)
    def um_pedido_disputado(self, comandos: list[Comando], pedido: int, voltas: list[int]) -> None:
        self.door.ritmo(voltas)
        self.ask(*(self._call(comando._replace(pedido=pedido)) for comando in comandos))

    @rule(qual=st.integers(0, 11), vezes=st.integers(1, 3))
    def repetir(self, qual: int, vezes: int) -> None:
        """Word for word what was asked before."""
        self.ask(*[self.asked[qual % len(self.asked)]] * vezes)

    @rule(pedido=pedidos, ate=st.integers(1, 3), entao=st.one_of(cancelar, mudar))
    def passo_a_passo(self, pedido: int, ate: int, entao: Comando) -> None:
        for status in (pb.EM_PREPARO, pb.PRONTO, pb.ENTREGUE)[:ate]:
            self.ask(self._call(Comando("AtualizarStatusPedido", pedido=pedido, status=status)))
        self.ask(self._call(entao._replace(pedido=pedido)))

    @rule(produto=produtos, preco=st.sampled_from([100, 4000, 1_000_000]), ativo=st.sampled_from([True, True, False]))
    def mudar_produto(self, produto: int, preco: int, *, ativo: bool) -> None:
        key = self._produto_id(produto)
        self.run(self.door.mudar_produto(key, preco_centavos=preco, ativo=ativo))
        self.model.produtos[key] = self.model.produtos[key]._replace(preco_centavos=preco, ativo=ativo)

    @rule(produto=produtos, unidades=st.integers(0, 6))
    def definir_estoque(self, produto: int, unidades: int) -> None:
        key = self._produto_id(produto)
        self.run(self.door.definir_estoque(key, unidades))
        self.model.produtos[key] = self.model.produtos[key]._replace(disponivel=unidades)

    @rule(posto=por, compra=comprar, vendido=st.booleans())
    def acaba_antes(self, posto: Comando, compra: Comando, *, vendido: bool) -> None:
        """It was there when it was put into the cart."""
        self.ask(self._call(posto))
        if vendido:
            self.definir_estoque(posto.produto, 0)
        else:
            self.mudar_produto(posto.produto, 4000, ativo=False)
        self.ask(self._call(compra._replace(sessao=posto.sessao)))
        self.definir_estoque(posto.produto, 5)
        self.mudar_produto(posto.produto, 4000, ativo=True)
        self.ask(self._call(compra._replace(sessao=posto.sessao)))

    @rule(caro=st.sampled_from([999_999, 1_000_000]), mais=st.integers(0, 1))
    def caro_demais(self, caro: int, mais: int) -> None:
        """2,000 units, or one more, that were cheap when they were put into the cart."""
        sessao_id = self.run(self.door.novo_carrinho())
        self.model.carrinhos[sessao_id] = Carrinho(1, ())
        antes = dict(self.model.produtos)
        for outro in range(2):
            self.definir_estoque(outro, 1_001)
            self.mudar_produto(outro, 100, ativo=True)
        for produto, unidades in ((0, 1_000), (1, 1_000), (2, 1))[: 2 + mais]:
            request = carrinho_pb2.AdicionarItemRequest(
                sessao_id=sessao_id, produto_id=self._produto_id(produto), quantidade=unidades
            )
            self.ask(Call("AdicionarItem", request))
        for produto in range(3):
            self.mudar_produto(produto, caro, ativo=True)
        self.ask(Call("CriarPedido", pb.CriarPedidoRequest(sessao_id=sessao_id, cliente=CLIENTES[0])))
        for produto, (_, preco, estoque, ativo) in enumerate(antes.values()):
            self.definir_estoque(produto, estoque)
            self.mudar_produto(produto, preco, ativo=ativo)

    @rule(pedido=pedidos)
    def obter(self, pedido: int) -> None:
        self.ask(Call("ObterPedido", pb.ObterPedidoRequest(pedido_id=self._pedido_id(pedido))))

    @rule(pedido=pedidos)
    def acompanhar(self, pedido: int) -> None:
        pedido_id = self._pedido_id(pedido)
        request = pb.AcompanharPedidoRequest(pedido_id=pedido_id)
        assert self.run(self.door.first("AcompanharPedido", request)) == self.model.situacao(pedido_id)

    @rule(
        sessao=st.sampled_from([-1, 0, 0, 1, 2]), status=st.sampled_from([0, 0, 2, 3, 6]), page_size=st.integers(1, 3)
    )
    def listar(self, sessao: int, status: int, page_size: int) -> None:
        filtro = "" if sessao < 0 else self._sessao_id(sessao)
        found = self.run(self._paginas(filtro, status, page_size if filtro else 100))
        assert [pedido for pedido in found if pedido.pedido_id in self.model.pedidos] == self.model.listados(
            filtro, status
        )
        assert not filtro or len(found) == len(self.model.listados(filtro, status))

    @rule(qual=st.integers(0, 7), pedido=pedidos)
    def pedir_o_que_nao_vale(self, qual: int, pedido: int) -> None:
        call, field = self._invalidos(self._pedido_id(pedido))[qual]
        assert self.run(self.door.call(*call)) == invalid(field), call
        self.explained([], [])

    def finish(self) -> None:
        """Whatever happened, in the end every order and every list is as the model has it."""
        for pedido_id in self.model.pedidos:
            self.ask(Call("ObterPedido", pb.ObterPedidoRequest(pedido_id=pedido_id)))
        for sessao in range(2):
            self.listar(sessao, 0, 2)
        self.run(self.door.acertado(list(self.model.carrinhos)))

    # How it is held against the model.

    def observed(self) -> object:
        return tuple(self.run(self.door.retrato(list(self.model.produtos), list(self.model.carrinhos))))

    def observable(self, model: Pedidos) -> object:
        return (
            {key: produto.disponivel for key, produto in model.produtos.items()},
            dict(model.carrinhos),
            {key: (pedido.status, pedido.eventos) for key, pedido in model.pedidos.items()},
        )

    async def _paginas(self, sessao_id: str, status: int, page_size: int) -> list[pb.Pedido]:
        found: list[pb.Pedido] = []
        pagina_de = pb.ListarPedidosRequest(sessao_id=sessao_id, status=status, page_size=page_size)  # type: ignore[arg-type]
        while True:
            pagina = await self.door.call("ListarPedidos", pagina_de)
            assert isinstance(pagina, pb.ListarPedidosResponse), pagina
            assert len(pagina.pedidos) <= page_size
            found += pagina.pedidos
            if not pagina.next_page_token:
                return found
            await self._alheia(pagina.next_page_token)
            pagina_de.page_token = pagina.next_page_token

    async def _alheia(self, token: str) -> None:
        """A page of one list is no page of another."""
        outra = pb.ListarPedidosRequest(sessao_id="outra", page_token=token)
        assert await self.door.call("ListarPedidos", outra) == invalid("page_token")

    # Requests.

    def _sessao_id(self, place: int) -> str:
        conhecidas = list(self.model.carrinhos)
        return conhecidas[place] if place < 2 else "A" * 22

    def _produto_id(self, place: int) -> int:
        return list(self.model.produtos)[place]

    def _pedido_id(self, place: int) -> str:
        conhecidos = sorted(self.model.pedidos, reverse=True)
        return conhecidos[place] if place < len(conhecidos) else str(uuid.UUID(int=1))

    def _call(self, comando: Comando) -> Call:
        return Call(comando.rpc, self._request(comando))

    def _request(self, comando: Comando) -> Message:
        match comando.rpc:
            case "CriarPedido":
                request_ids = ["", *self.chaves, self.chaves[0].upper()]
                return pb.CriarPedidoRequest(
                    sessao_id=self._sessao_id(comando.sessao),
                    cliente=CLIENTES[comando.cliente],
                    observacao=comando.observacao,
                    request_id=request_ids[comando.chave + 1],
                )
            case "AdicionarItem":
                return carrinho_pb2.AdicionarItemRequest(
                    sessao_id=self._sessao_id(comando.sessao),
                    produto_id=self._produto_id(comando.produto),
                    quantidade=comando.quantidade,
                )
            case "RemoverItem":
                return carrinho_pb2.RemoverItemRequest(
                    sessao_id=self._sessao_id(comando.sessao), produto_id=self._produto_id(comando.produto)
                )
            case "CancelarPedido":
                return pb.CancelarPedidoRequest(pedido_id=self._pedido_id(comando.pedido), motivo="mudei de ideia")
            case _:
                status: Any = comando.status
                return pb.AtualizarStatusPedidoRequest(pedido_id=self._pedido_id(comando.pedido), status=status)

    def _invalidos(self, pedido_id: str) -> list[tuple[Call, str]]:
        """Requests that must change nothing, and the field that each is refused for."""
        sessao_id, ana = self._sessao_id(0), CLIENTES[0]
        criar, status = pb.CriarPedidoRequest, pb.AtualizarStatusPedidoRequest
        return [
            (Call("CriarPedido", criar(cliente=ana)), "sessao_id"),
            (Call("CriarPedido", criar(sessao_id=sessao_id)), "cliente"),
            (Call("CriarPedido", criar(sessao_id=sessao_id, cliente=ana, request_id="1")), "request_id"),
            (Call("CriarPedido", criar(sessao_id=sessao_id, cliente=ana, observacao="a\0")), "observacao"),
            (Call("CancelarPedido", pb.CancelarPedidoRequest(pedido_id="bolo")), "pedido_id"),
            (Call("AtualizarStatusPedido", status(pedido_id=pedido_id)), "status"),
            (Call("AtualizarStatusPedido", status(pedido_id=pedido_id[1:], status=pb.PRONTO)), "pedido_id"),
            (Call("ListarPedidos", pb.ListarPedidosRequest(page_token="AAAA")), "page_token"),
        ]
