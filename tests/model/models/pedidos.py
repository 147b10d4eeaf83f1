"""Orders as their contract tells them, with the little of carts and stock that they meddle with.

An order is not one step: the cart is looked at first, the key is taken, and only then is it decided, so what others do
in between shows. Everything else is one step, but for the stock of a cancelled order, which comes back after it.
"""

from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, Self

from confeitaria.carrinho.v1 import carrinho_pb2
from confeitaria.pedidos.v1 import pedidos_pb2 as pb
from google.protobuf.timestamp_pb2 import Timestamp

from tests.model.answers import Answer, Refusal, refused
from tests.model.explaining import Call, Later, Step, View

LIMITE_CENTAVOS = 2_000_000_000
PASSOS = {  # where an order may go from where it stands
    "PENDENTE": {"CONFIRMADO", "CANCELADO"},
    "CONFIRMADO": {"EM_PREPARO", "CANCELADO"},
    "EM_PREPARO": {"PRONTO", "CANCELADO"},
    "PRONTO": {"ENTREGUE"},
    "ENTREGUE": set[str](),
    "CANCELADO": set[str](),
}
Itens = tuple[tuple[int, int], ...]  # produto_id, quantidade


class Produto(NamedTuple):
    nome: str
    preco_centavos: int
    disponivel: int
    ativo: bool = True


class Carrinho(NamedTuple):
    versao: int
    itens: Itens


@dataclass(frozen=True)
class Pedido:
    """`itens`: produto_id, nome, preco_centavos, quantidade. Moments in nanoseconds."""

    pedido_id: str
    sessao_id: str
    itens: tuple[tuple[int, str, int, int], ...]
    cliente: tuple[str, str, str]
    observacao: str
    criado_em: int
    atualizado_em: int
    status: str = "CONFIRMADO"
    eventos: int = 2  # it was made, it was confirmed
    devolvido: bool = False  # its stock

    @property
    def total(self) -> int:
        return sum(preco * unidades for _, _, preco, unidades in self.itens)

    def mensagem(self) -> pb.Pedido:
        nome, email, telefone = self.cliente
        mensagem = pb.Pedido(
            pedido_id=self.pedido_id,
            sessao_id=self.sessao_id,
            status=self.status,
            total_centavos=self.total,
            cliente=pb.Cliente(nome=nome, email=email, telefone=telefone),
            observacao=self.observacao,
            criado_em=momento(self.criado_em),
            atualizado_em=momento(self.atualizado_em),
        )
        for produto_id, nome_do_produto, preco, unidades in self.itens:
            mensagem.itens.add(
                produto_id=produto_id,
                nome=nome_do_produto,
                preco_centavos=preco,
                quantidade=unidades,
                subtotal_centavos=preco * unidades,
            )
        return mensagem


@dataclass(frozen=True)
class Compra:
    """An attempt that took its key: open until it has an order. One that fails leaves the key free."""

    numero: int
    corpo: Hashable
    sessao_id: str
    versao: int
    pedido: Pedido | None = None  # as it was first answered


@dataclass(frozen=True)
class _Olhada:
    """A full cart, as an order without a request_id saw it."""

    carrinho: Carrinho


@dataclass(frozen=True)
class _Decidida:
    """What is to be bought under which key."""

    chave: str
    carrinho: Carrinho


@dataclass(frozen=True)
class _Sua:
    """The attempt is this call's own."""

    chave: str
    carrinho: Carrinho


@dataclass(frozen=True)
class _Espera:
    """The attempt is somebody else's."""

    chave: str
    numero: int


@dataclass(frozen=True)
class _Devolve:
    """The order is cancelled, its stock comes back next."""

    cancelado: Pedido


@dataclass
class Pedidos:
    produtos: dict[int, Produto] = field(default_factory=dict)
    carrinhos: dict[str, Carrinho] = field(default_factory=dict)
    pedidos: dict[str, Pedido] = field(default_factory=dict)
    compras: dict[str, Compra] = field(default_factory=dict)  # by key
    falhas: dict[int, Refusal] = field(default_factory=dict)  # of attempts
    tentativas: int = 0

    # Carts, which others look after: what they answer is so.

    def AdicionarItem(self, pedido: carrinho_pb2.AdicionarItemRequest, dito: Answer, _memory: Hashable) -> Step:
        if isinstance(dito, Refusal):
            return dito
        antes = self.carrinhos[pedido.sessao_id]
        unidades = dict(antes.itens)
        unidades[pedido.produto_id] = unidades.get(pedido.produto_id, 0) + pedido.quantidade
        return self._carrinho(pedido.sessao_id, tuple(unidades.items()))

    def RemoverItem(self, pedido: carrinho_pb2.RemoverItemRequest, _dito: Answer, _memory: Hashable) -> Step:
        antes = self.carrinhos[pedido.sessao_id]
        itens = tuple(item for item in antes.itens if item[0] != pedido.produto_id)
        if itens == antes.itens:
            return _carrinho(pedido.sessao_id, antes)
        return self._carrinho(pedido.sessao_id, itens)

    def _carrinho(self, sessao_id: str, itens: Itens) -> View:
        mudado = self.carrinhos[sessao_id] = Carrinho(self.carrinhos[sessao_id].versao + 1, itens)
        return _carrinho(sessao_id, mudado)

    # The checkout.

    def CriarPedido(self, pedido: pb.CriarPedidoRequest, dito: Answer, memory: Hashable) -> Step:
        match memory:
            case None:
                return self._olhar(pedido)
            case _Olhada(carrinho):
                return self._procurar(pedido, carrinho)
            case _Decidida(chave, carrinho):
                return self._registrar(pedido, chave, carrinho)
            case _Sua(chave, carrinho):
                return self._decidir(pedido, chave, carrinho, dito)
            case _Espera(chave, numero):
                return self._esperar(chave, numero)
        raise AssertionError(memory)

    def _olhar(self, pedido: pb.CriarPedidoRequest) -> Step:
        chave = pedido.request_id.lower()
        if chave in self.compras:
            return self._da_mesma_chave(pedido, chave)
        carrinho = self.carrinhos.get(pedido.sessao_id)
        if carrinho is None:
            return refused("NOT_FOUND", "CARRINHO_NAO_ENCONTRADO", sessao_id=pedido.sessao_id)
        if carrinho.itens:
            return Later(_Decidida(chave, carrinho) if chave else _Olhada(carrinho))
        # A second click, after the first one emptied the cart.
        do_carrinho = None if chave else self._do_carrinho(pedido.sessao_id, carrinho.versao - 1)
        if do_carrinho and self.compras[do_carrinho].corpo == corpo(pedido):
            return Later(_Espera(do_carrinho, self.compras[do_carrinho].numero))
        return refused("FAILED_PRECONDITION", "CARRINHO_VAZIO", sessao_id=pedido.sessao_id)

    def _procurar(self, pedido: pb.CriarPedidoRequest, carrinho: Carrinho) -> Step:
        """Without a request_id, a version of a cart is ordered at most once."""
        do_carrinho = self._do_carrinho(pedido.sessao_id, carrinho.versao)
        if do_carrinho:
            return self._da_mesma_chave(pedido, do_carrinho)
        return Later(_Decidida(f"carrinho:{pedido.sessao_id}:{carrinho.versao}", carrinho))

    def _registrar(self, pedido: pb.CriarPedidoRequest, chave: str, carrinho: Carrinho) -> Step:
        if chave in self.compras:
            return self._da_mesma_chave(pedido, chave)
        self.tentativas += 1
        self.compras[chave] = Compra(self.tentativas, corpo(pedido), pedido.sessao_id, carrinho.versao)
        return Later(_Sua(chave, carrinho))

    def _da_mesma_chave(self, pedido: pb.CriarPedidoRequest, chave: str) -> Step:
        compra = self.compras[chave]
        if compra.corpo != corpo(pedido):
            return refused("ALREADY_EXISTS", "CHAVE_REUTILIZADA", chave=chave)
        return Later(_Espera(chave, compra.numero))

    def _esperar(self, chave: str, numero: int) -> Step:
        """The same answer as whoever made the attempt."""
        if numero in self.falhas:
            return self.falhas[numero]
        feito = self.compras[chave].pedido
        return None if feito is None else _sempre(feito.mensagem())

    def _decidir(self, pedido: pb.CriarPedidoRequest, chave: str, carrinho: Carrinho, dito: Answer) -> Step:
        compra = self.compras[chave]
        recusa = self._falta(carrinho.itens)
        if recusa:
            del self.compras[chave]
            self.falhas[compra.numero] = recusa
            return recusa
        feito = Pedido(
            getattr(dito, "pedido_id", ""),
            pedido.sessao_id,
            self._com_precos(carrinho.itens),
            (pedido.cliente.nome, pedido.cliente.email, pedido.cliente.telefone),
            pedido.observacao,
            nanos(dito, "criado_em"),
            nanos(dito, "atualizado_em"),
        )
        if not feito.pedido_id or feito.pedido_id in self.pedidos or feito.criado_em > feito.atualizado_em:
            return _sempre(pb.Pedido())  # no order looks so
        for produto_id, unidades in carrinho.itens:
            self._tirar(produto_id, unidades)
        self.pedidos[feito.pedido_id] = feito
        self.compras[chave] = replace(compra, pedido=feito)
        if self.carrinhos[pedido.sessao_id].versao == carrinho.versao:
            self._carrinho(pedido.sessao_id, ())
        return _sempre(feito.mensagem())

    def _falta(self, itens: Itens) -> Refusal | None:
        """Why these cannot be bought now: the first by produto_id that is gone or too few, then the sum."""
        for produto_id, unidades in sorted(itens):
            produto = self.produtos.get(produto_id)
            if produto is None or not produto.ativo:
                return refused("FAILED_PRECONDITION", "PRODUTO_INDISPONIVEL", produto_id=produto_id)
            if produto.disponivel < unidades:
                falta = {"produto_id": produto_id, "solicitado": unidades, "disponivel": produto.disponivel}
                return refused("FAILED_PRECONDITION", "ESTOQUE_INSUFICIENTE", **falta)
        total = sum(preco * unidades for _, _, preco, unidades in self._com_precos(itens))
        if total > LIMITE_CENTAVOS:
            limites = {"total_centavos": total, "limite_centavos": LIMITE_CENTAVOS}
            return refused("FAILED_PRECONDITION", "TOTAL_EXCEDE_LIMITE", **limites)
        return None

    def _com_precos(self, itens: Itens) -> tuple[tuple[int, str, int, int], ...]:
        return tuple((key, *self.produtos[key][:2], unidades) for key, unidades in sorted(itens))

    def _do_carrinho(self, sessao_id: str, versao: int) -> str | None:
        """The key under which this version of the cart is or was ordered.

        Two that came at one moment, one of them with a request_id, may both have ordered it: then the older one counts,
        which its id tells as soon as there is one.
        """
        achadas = {key: c for key, c in self.compras.items() if (c.sessao_id, c.versao) == (sessao_id, versao)}
        ids = {key: compra.pedido.pedido_id for key, compra in achadas.items() if compra.pedido}
        return min(ids, key=ids.__getitem__) if achadas and len(ids) == len(achadas) else next(iter(achadas), None)

    # After it.

    def CancelarPedido(self, pedido: pb.CancelarPedidoRequest, dito: Answer, memory: Hashable) -> Step:
        return self._mudar(pedido.pedido_id.lower(), "CANCELADO", dito, memory)

    def AtualizarStatusPedido(self, pedido: pb.AtualizarStatusPedidoRequest, dito: Answer, memory: Hashable) -> Step:
        return self._mudar(pedido.pedido_id.lower(), pb.StatusPedido.Name(pedido.status), dito, memory)

    def ObterPedido(self, pedido: pb.ObterPedidoRequest, _dito: Answer, _memory: Hashable) -> Step:
        achado = self.pedidos.get(pedido.pedido_id.lower())
        return _sempre(achado.mensagem()) if achado else desconhecido(pedido.pedido_id)

    def situacao(self, pedido_id: str) -> pb.AcompanharPedidoResponse | Refusal:
        """What somebody who begins to follow an order hears first."""
        if pedido_id not in self.pedidos:
            return desconhecido(pedido_id)
        pedido = self.pedidos[pedido_id]
        return pb.AcompanharPedidoResponse(
            pedido_id=pedido_id, status=pedido.status, atualizado_em=momento(pedido.atualizado_em)
        )

    def listados(self, sessao_id: str, status: int) -> list[pb.Pedido]:
        """What all pages of a list show together: newest first."""
        nome = pb.StatusPedido.Name(status) if status else ""
        achados = [p for p in self.pedidos.values() if sessao_id in ("", p.sessao_id) and nome in ("", p.status)]
        return [p.mensagem() for p in sorted(achados, key=lambda p: (p.criado_em, p.pedido_id), reverse=True)]

    def _mudar(self, pedido_id: str, para: str, dito: Answer, memory: Hashable) -> Step:
        if isinstance(memory, _Devolve):
            self._devolver(pedido_id)
            return _sempre(memory.cancelado.mensagem())
        pedido = self.pedidos.get(pedido_id)
        if pedido is None:
            return desconhecido(pedido_id)
        if pedido.status != para:
            if para not in PASSOS[pedido.status]:
                return refused("FAILED_PRECONDITION", "TRANSICAO_INVALIDA", de=pedido.status, para=para)
            agora = max(nanos(dito, "atualizado_em"), pedido.atualizado_em + 1)  # a later change has a later time
            pedido = replace(pedido, status=para, atualizado_em=agora, eventos=pedido.eventos + 1)
            self.pedidos[pedido_id] = pedido
        return Later(_Devolve(pedido)) if para == "CANCELADO" else _sempre(pedido.mensagem())

    def _devolver(self, pedido_id: str) -> None:
        pedido = self.pedidos[pedido_id]
        if not pedido.devolvido:
            for produto_id, _, _, unidades in pedido.itens:
                self._tirar(produto_id, -unidades)
            self.pedidos[pedido_id] = replace(pedido, devolvido=True)

    def _tirar(self, produto_id: int, unidades: int) -> None:
        produto = self.produtos[produto_id]
        self.produtos[produto_id] = produto._replace(disponivel=produto.disponivel - unidades)

    # As explaining.py asks for it.

    def copy(self) -> Self:
        parts: dict[str, Any] = {name: dict(getattr(self, name)) for name in PARTS}
        return replace(self, **parts)

    def step(self, call: Call, said: Answer, memory: Hashable) -> Step:
        rpc: Callable[[Any, Answer, Hashable], Step] = getattr(self, call.rpc)
        return rpc(call.request, said, memory)

    def spontaneous(self) -> Iterable[Callable[[Self], None]]:
        return ()

    def state(self) -> Hashable:
        return tuple(frozenset(getattr(self, name).items()) for name in PARTS)


PARTS = ("produtos", "carrinhos", "pedidos", "compras", "falhas")


def corpo(pedido: pb.CriarPedidoRequest) -> Hashable:
    """What two requests with one key must have in common."""
    cliente = pedido.cliente
    return (pedido.sessao_id, cliente.nome, cliente.email, cliente.telefone, pedido.observacao)


def desconhecido(pedido_id: str) -> Refusal:
    return refused("NOT_FOUND", "PEDIDO_NAO_ENCONTRADO", pedido_id=pedido_id.lower())


def momento(nanoseconds: int) -> Timestamp:
    return Timestamp(seconds=nanoseconds // 10**9, nanos=nanoseconds % 10**9)


def nanos(dito: Answer, campo: str) -> int:
    """A moment of the service's clock, as it was told."""
    quando: Timestamp | None = getattr(dito, campo, None)
    return quando.ToNanoseconds() if quando is not None else 0


def _sempre(mensagem: Any) -> View:
    return lambda _: mensagem


def _carrinho(sessao_id: str, carrinho: Carrinho) -> View:
    return _sempre(cart_message(sessao_id, carrinho))


def cart_message(sessao_id: str, carrinho: Carrinho) -> carrinho_pb2.Carrinho:
    """As much of a cart as orders care for."""
    itens = [carrinho_pb2.ItemCarrinho(produto_id=key, quantidade=unidades) for key, unidades in carrinho.itens]
    return carrinho_pb2.Carrinho(sessao_id=sessao_id, versao=carrinho.versao, itens=itens)
