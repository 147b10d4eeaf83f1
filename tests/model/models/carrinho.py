"""Carts as their contract tells it, and what they know of a catalog that changes, or is away.

Time is counted in seconds from the model's own beginning. What was learnt of a product counts for a second; the model
knows of no seconds so short: whoever changes the catalog waits until nobody remembers.
"""

from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, field, replace
from typing import NamedTuple, Self

from confeitaria.carrinho.v1 import carrinho_pb2 as pb

from tests.model.answers import Answer, Refusal, refused
from tests.model.explaining import Call, Step, View

MAX_UNIDADES, MAX_PRODUTOS, MAX_TOTAL = 1_000, 50, 2_000_000_000
DIA = 24 * 60 * 60  # seconds that a cart lives after its last change
LEMBRADAS = 16  # request_ids that a cart remembers


class Produto(NamedTuple):
    nome: str
    preco_centavos: int
    estoque: int
    ativo: bool = True


class Oferta(NamedTuple):
    """What a cart is told of a product; `conferido`: the catalog could be asked."""

    produto_id: int
    produto: Produto
    conferido: bool


class Item(NamedTuple):
    produto_id: int
    nome: str
    preco_centavos: int
    quantidade: int
    conferido: bool


@dataclass(frozen=True)
class Carrinho:
    vence: int
    versao: int = 1
    itens: tuple[Item, ...] = ()  # in the order in which they were first put in
    lembradas: tuple[tuple[str, tuple[int, int]], ...] = ()  # request_id, what it put in

    @property
    def total(self) -> int:
        return sum(item.preco_centavos * item.quantidade for item in self.itens)

    def quantidade(self, produto_id: int) -> int:
        return next((item.quantidade for item in self.itens if item.produto_id == produto_id), 0)


class Recusada(Exception):  # noqa: N818  named after what happened
    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal)
        self.refusal = refusal


def recusa(code: str, reason: str, **metadata: object) -> Recusada:
    return Recusada(refused(code, reason, **metadata))


@dataclass
class Carrinhos:
    agora: int = 0
    fora: bool = False  # the catalog
    produtos: dict[int, Produto] = field(default_factory=dict)  # as the catalog has them
    conhecidos: dict[int, Produto] = field(default_factory=dict)  # as they were when they were last asked for
    carrinhos: dict[str, Carrinho] = field(default_factory=dict)

    def CriarCarrinho(self, _pedido: pb.CriarCarrinhoRequest, dito: Answer) -> View:
        sessao_id = getattr(dito, "sessao_id", "")
        assert sessao_id not in self.carrinhos, "two carts of one name"
        return self._guardar(sessao_id, Carrinho(0, versao=0))

    def ObterCarrinho(self, pedido: pb.ObterCarrinhoRequest, _dito: Answer) -> View:
        return _mostrar(pedido.sessao_id, self._vivo(pedido.sessao_id))

    def AdicionarItem(self, pedido: pb.AdicionarItemRequest, _dito: Answer) -> View:
        oferta = self._consultar(pedido.produto_id)
        carrinho, chave = self._vivo(pedido.sessao_id), pedido.request_id.lower()
        conteudo = (pedido.produto_id, pedido.quantidade)
        lembrada = dict(carrinho.lembradas).get(chave)
        if lembrada == conteudo:
            return _mostrar(pedido.sessao_id, carrinho)
        if lembrada is not None:
            raise recusa("ALREADY_EXISTS", "CHAVE_REUTILIZADA", chave=pedido.request_id)
        mudado = _com(carrinho, carrinho.quantidade(pedido.produto_id) + pedido.quantidade, oferta)
        if chave:
            mudado = replace(mudado, lembradas=(*carrinho.lembradas, (chave, conteudo))[-LEMBRADAS:])
        return self._guardar(pedido.sessao_id, mudado)

    def AtualizarItem(self, pedido: pb.AtualizarItemRequest, dito: Answer) -> View:
        if pedido.quantidade == 0:
            return self.RemoverItem(
                pb.RemoverItemRequest(sessao_id=pedido.sessao_id, produto_id=pedido.produto_id), dito
            )
        oferta = self._consultar(pedido.produto_id)
        carrinho = self._vivo(pedido.sessao_id)
        if not carrinho.quantidade(pedido.produto_id):
            raise recusa("NOT_FOUND", "ITEM_NAO_ENCONTRADO", produto_id=pedido.produto_id)
        return self._guardar(pedido.sessao_id, _com(carrinho, pedido.quantidade, oferta))

    def RemoverItem(self, pedido: pb.RemoverItemRequest, _dito: Answer) -> View:
        carrinho = self._vivo(pedido.sessao_id)
        if not carrinho.quantidade(pedido.produto_id):
            return _mostrar(pedido.sessao_id, carrinho)
        itens = tuple(item for item in carrinho.itens if item.produto_id != pedido.produto_id)
        return self._guardar(pedido.sessao_id, replace(carrinho, itens=itens))

    def EsvaziarCarrinho(self, pedido: pb.EsvaziarCarrinhoRequest, _dito: Answer) -> View:
        carrinho = self._vivo(pedido.sessao_id)
        if pedido.versao not in (0, carrinho.versao):
            versoes = {"versao_enviada": pedido.versao, "versao_atual": carrinho.versao}
            raise recusa("ABORTED", "VERSAO_DESATUALIZADA", **versoes)
        return self._guardar(pedido.sessao_id, replace(carrinho, itens=()))

    # What the rules above are written with.

    def vivos(self) -> dict[str, Carrinho]:
        return {sessao_id: cart for sessao_id, cart in self.carrinhos.items() if self.agora < cart.vence}

    def _vivo(self, sessao_id: str) -> Carrinho:
        if sessao_id not in self.vivos():
            raise recusa("NOT_FOUND", "CARRINHO_NAO_ENCONTRADO", sessao_id=sessao_id)
        return self.carrinhos[sessao_id]

    def _guardar(self, sessao_id: str, carrinho: Carrinho) -> View:
        """Every change is another version and gives the cart another day."""
        guardado = replace(carrinho, versao=carrinho.versao + 1, vence=self.agora + DIA)
        self.carrinhos[sessao_id] = guardado
        return _mostrar(sessao_id, guardado)

    def _consultar(self, produto_id: int) -> Oferta | Recusada:
        """The product, or why it goes into no cart: given, since the cart decides whether it matters."""
        if not self.fora:
            produto = self.produtos.get(produto_id)
            if produto is None:
                return recusa("NOT_FOUND", "PRODUTO_NAO_ENCONTRADO", produto_id=produto_id)
            self.conhecidos[produto_id] = produto
        elif produto_id not in self.conhecidos:
            return recusa("UNAVAILABLE", "SERVICO_INDISPONIVEL")
        produto = self.conhecidos[produto_id]
        if not produto.ativo:
            return recusa("FAILED_PRECONDITION", "PRODUTO_INATIVO", produto_id=produto_id)
        return Oferta(produto_id, produto, conferido=not self.fora)

    # As explaining.py asks for it.

    def copy(self) -> Self:
        return replace(self, conhecidos=dict(self.conhecidos), carrinhos=dict(self.carrinhos))

    def step(self, call: Call, said: Answer, _memory: Hashable) -> Step:
        try:
            view: View = getattr(self, call.rpc)(call.request, said)
        except Recusada as recusada:
            return recusada.refusal
        return view

    def spontaneous(self) -> Iterable[Callable[[Self], None]]:
        return ()

    def state(self) -> Hashable:
        return frozenset(self.conhecidos.items()), frozenset(self.carrinhos.items())


def _com(carrinho: Carrinho, quantidade: int, oferta: Oferta | Recusada) -> Carrinho:
    """The cart with so many units of what is offered; a refusal leaves it as it was."""
    if isinstance(oferta, Recusada):
        raise oferta
    produto_id, produto, conferido = oferta
    if quantidade > produto.estoque:
        falta = {"produto_id": produto_id, "solicitado": quantidade, "disponivel": produto.estoque}
        raise recusa("FAILED_PRECONDITION", "ESTOQUE_INSUFICIENTE", **falta)
    item = Item(produto_id, produto.nome, produto.preco_centavos, quantidade, conferido)
    if carrinho.quantidade(produto_id):
        itens = tuple(item if antes.produto_id == produto_id else antes for antes in carrinho.itens)
    else:
        itens = (*carrinho.itens, item)
    mudado = replace(carrinho, itens=itens)
    passados = {
        "unidades": quantidade > MAX_UNIDADES,
        "produtos": len(itens) > MAX_PRODUTOS,
        "total": mudado.total > MAX_TOTAL,
    }
    for limite, passado in passados.items():
        if passado:
            raise recusa("FAILED_PRECONDITION", "CARRINHO_CHEIO", limite=limite)
    return mudado


def mensagem(sessao_id: str, carrinho: Carrinho) -> pb.Carrinho:
    """Without the moment of its end."""
    message = pb.Carrinho(sessao_id=sessao_id, versao=carrinho.versao, total_centavos=carrinho.total)
    for item in carrinho.itens:
        message.itens.add(**item._asdict(), subtotal_centavos=item.preco_centavos * item.quantidade)
    return message


def _mostrar(sessao_id: str, carrinho: Carrinho) -> View:
    message = mensagem(sessao_id, carrinho)
    return lambda _: message
