"""What an order is, what it may become and why a call can fail; no I/O, no clock."""

# ruff: noqa: N818  an exception is named after what happened

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

LIMITE_TOTAL = 2_000_000_000  # centavos: R$ 20.000.000,00, what int32 money still holds


class StatusPedido(StrEnum):
    """Where an order stands; the names of the contract."""

    PENDENTE = "PENDENTE"
    CONFIRMADO = "CONFIRMADO"
    EM_PREPARO = "EM_PREPARO"
    PRONTO = "PRONTO"
    ENTREGUE = "ENTREGUE"
    CANCELADO = "CANCELADO"

    @property
    def final(self) -> bool:
        return not SEGUINTES[self]


SEGUINTES: Mapping[StatusPedido, frozenset[StatusPedido]] = {
    StatusPedido.PENDENTE: frozenset({StatusPedido.CONFIRMADO, StatusPedido.CANCELADO}),
    StatusPedido.CONFIRMADO: frozenset({StatusPedido.EM_PREPARO, StatusPedido.CANCELADO}),
    StatusPedido.EM_PREPARO: frozenset({StatusPedido.PRONTO, StatusPedido.CANCELADO}),
    StatusPedido.PRONTO: frozenset({StatusPedido.ENTREGUE}),
    StatusPedido.ENTREGUE: frozenset(),
    StatusPedido.CANCELADO: frozenset(),
}


def anteriores(para: StatusPedido) -> frozenset[StatusPedido]:
    """The statuses from which one step leads to `para`."""
    return frozenset(de for de, seguintes in SEGUINTES.items() if para in seguintes)


class TipoEvento(StrEnum):
    """What the outbox tells others; one event for each change of an order."""

    PEDIDO_CRIADO = "pedido_criado"
    PEDIDO_CONFIRMADO = "pedido_confirmado"
    PEDIDO_CANCELADO = "pedido_cancelado"
    STATUS_ALTERADO = "status_alterado"


def tipo_evento(para: StatusPedido) -> TipoEvento:
    """The event of a step to `para`."""
    especiais = {
        StatusPedido.CONFIRMADO: TipoEvento.PEDIDO_CONFIRMADO,
        StatusPedido.CANCELADO: TipoEvento.PEDIDO_CANCELADO,
    }
    return especiais.get(para, TipoEvento.STATUS_ALTERADO)


@dataclass(frozen=True, slots=True)
class Cliente:
    nome: str
    email: str
    telefone: str = ""


@dataclass(frozen=True, slots=True)
class ItemCarrinho:
    """What the cart asks for; its price is the catalog's to say."""

    produto_id: int
    quantidade: int


@dataclass(frozen=True, slots=True)
class Carrinho:
    sessao_id: str
    versao: int
    itens: tuple[ItemCarrinho, ...]


@dataclass(frozen=True, slots=True)
class ItemPedido:
    """A product at the name and price (centavos) of the moment of reservation."""

    produto_id: int
    nome: str
    preco_centavos: int
    quantidade: int

    @property
    def subtotal_centavos(self) -> int:
        return self.preco_centavos * self.quantidade


def total(itens: Iterable[ItemPedido]) -> int:
    """Sum of the subtotals in centavos; TotalExcedeLimite above the limit."""
    soma = sum(item.subtotal_centavos for item in itens)
    if soma > LIMITE_TOTAL:
        raise TotalExcedeLimite(soma, LIMITE_TOTAL)
    return soma


@dataclass(frozen=True, slots=True)
class Pedido:
    pedido_id: str
    sessao_id: str
    status: StatusPedido
    itens: tuple[ItemPedido, ...]
    total_centavos: int
    cliente: Cliente
    observacao: str
    criado_em: datetime
    atualizado_em: datetime


@dataclass(frozen=True, slots=True)
class Situacao:
    """Where an order stands since when, after its event number `seq`; a later change always has a later time."""

    pedido_id: str
    status: StatusPedido
    atualizado_em: datetime
    seq: int


@dataclass(frozen=True, slots=True)
class Evento:
    """What others are told of one change of an order. `seq` counts the order's own events from 1, without a gap.

    `corpo` is JSON in the words of the contract, `ocorrido_em` a time of ISO 8601 in UTC; docs/eventos.md tells both.
    """

    pedido_id: str
    seq: int
    tipo: str
    corpo: str
    ocorrido_em: str

    @property
    def evento_id(self) -> str:
        """The same in every repetition, and never another event's."""
        return f"{self.pedido_id}:{self.seq}"

    def situacao(self) -> Situacao:
        """Where the order stood after it."""
        corpo = json.loads(self.corpo)
        quando = datetime.fromisoformat(corpo.get("atualizado_em") or corpo["criado_em"])
        return Situacao(self.pedido_id, StatusPedido(corpo["status"]), quando, self.seq)


@dataclass(frozen=True, slots=True)
class Solicitacao:
    """A customer's wish to order a cart. `request_id`: a canonical UUID, or "" when the cart's version names it."""

    sessao_id: str
    cliente: Cliente
    observacao: str = ""
    request_id: str = ""

    @property
    def fingerprint(self) -> bytes:
        """The same for the same body, whatever its request_id; independent of how protobuf lays bytes out."""
        cliente = self.cliente
        corpo = [self.sessao_id, cliente.nome, cliente.email, cliente.telefone, self.observacao]
        return hashlib.sha256(json.dumps(corpo, ensure_ascii=False).encode()).digest()


class Etapa(StrEnum):
    """How far an attempt to order has come. It only ever moves down one of two ways.

    INICIADA -> GRAVADA -> RESPONDIDA -> CONCLUIDA, or from one of the first two FALHANDO -> FALHOU.
    """

    INICIADA = "INICIADA"  # the intent is durable; stock may have been reserved
    GRAVADA = "GRAVADA"  # stock was reserved and the order is written, PENDENTE; it may have been sold
    RESPONDIDA = "RESPONDIDA"  # the answer is durable; the cart may still be full
    CONCLUIDA = "CONCLUIDA"
    FALHANDO = "FALHANDO"  # given up, the key is free; stock may still be reserved
    FALHOU = "FALHOU"


ABERTAS = frozenset({Etapa.INICIADA, Etapa.GRAVADA})  # the outcome is open
DEVEDORAS = frozenset({Etapa.RESPONDIDA, Etapa.FALHANDO})  # the outcome is known, something remains to be done
SEM_CHAVE = frozenset({Etapa.FALHANDO, Etapa.FALHOU})  # another attempt may use the key


@dataclass(frozen=True, slots=True)
class Compra:
    """One attempt to order one version of a cart; its `pedido_id` also names its reservation of stock.

    `idade`: seconds since it began, by the database's clock; 0: it begins with this call. `minha`: whether the caller
    holds its lease.
    """

    pedido_id: str
    chave: str
    fingerprint: bytes
    solicitacao: Solicitacao
    carrinho: Carrinho
    etapa: Etapa
    criado_em: datetime
    idade: float = 0.0
    minha: bool = False
    resposta: bytes | None = None
    falha: "ErroPedido | None" = None

    def desfecho(self) -> bytes:
        """The answer, or the reason why there is none, raised."""
        if self.resposta is not None:
            return self.resposta
        assert self.falha is not None, f"{self.pedido_id} is {self.etapa}: its outcome is open"
        raise self.falha


def chave_do_carrinho(sessao_id: str, versao: int) -> str:
    """The key of an order that came without a request_id; no UUID looks like it."""
    return f"carrinho:{sessao_id}:{versao}"


class ErroPedido(Exception):
    """Base of what orders can refuse. The attributes are the data, str() is what the customer reads."""


class PedidoNaoEncontrado(ErroPedido):
    def __init__(self, pedido_id: str) -> None:
        super().__init__("Este pedido não existe.")
        self.pedido_id = pedido_id


class CarrinhoNaoEncontrado(ErroPedido):
    def __init__(self, sessao_id: str) -> None:
        super().__init__("Este carrinho não existe ou já expirou.")
        self.sessao_id = sessao_id


class CarrinhoVazio(ErroPedido):
    def __init__(self, sessao_id: str) -> None:
        super().__init__("O carrinho está vazio.")
        self.sessao_id = sessao_id


class EstoqueInsuficiente(ErroPedido):
    def __init__(self, produto_id: int, solicitado: int, disponivel: int) -> None:
        super().__init__(
            f"Estoque insuficiente do produto {produto_id}: solicitado {solicitado}, disponível {disponivel}."
        )
        self.produto_id = produto_id
        self.solicitado = solicitado
        self.disponivel = disponivel


class ProdutoIndisponivel(ErroPedido):
    def __init__(self, produto_id: int) -> None:
        super().__init__("Um produto do carrinho não está mais à venda.")
        self.produto_id = produto_id


class TransicaoInvalida(ErroPedido):
    def __init__(self, de: StatusPedido, para: StatusPedido) -> None:
        super().__init__(f"Um pedido {de} não pode passar a {para}.")
        self.de = de
        self.para = para


class ChaveReutilizada(ErroPedido):
    def __init__(self, chave: str) -> None:
        super().__init__("Esta compra já foi feita com outros dados.")
        self.chave = chave


class ReservaExpirada(ErroPedido):
    def __init__(self, pedido_id: str) -> None:
        super().__init__("O pedido demorou mais que a reserva do estoque e foi desfeito; nada foi vendido.")
        self.pedido_id = pedido_id


class TotalExcedeLimite(ErroPedido):
    def __init__(self, total_centavos: int, limite_centavos: int) -> None:
        super().__init__("O total do pedido passa de R$ 20.000.000,00.")
        self.total_centavos = total_centavos
        self.limite_centavos = limite_centavos


class ServicoIndisponivel(ErroPedido):
    """A neighbour or the database gave no certain answer: what was asked for may have happened or not."""

    def __init__(self, servico: str) -> None:
        super().__init__("O serviço está indisponível no momento. Repita a mesma requisição em instantes.")
        self.servico = servico


class MuitosAcompanhamentos(ErroPedido):
    def __init__(self, limite: int) -> None:
        super().__init__("Há acompanhamentos demais neste momento. Tente de novo em instantes.")
        self.limite = limite


_FALHAS: Mapping[str, type[ErroPedido]] = {
    cls.__name__: cls
    for cls in (EstoqueInsuficiente, ProdutoIndisponivel, ReservaExpirada, TotalExcedeLimite, ServicoIndisponivel)
}


def falha_em_dados(falha: ErroPedido) -> dict[str, Any]:
    """A failed attempt's reason, as it is stored beside the attempt for those who waited for it."""
    return {"erro": type(falha).__name__, **vars(falha)}


def falha_de_dados(dados: Mapping[str, Any]) -> ErroPedido:
    """The reverse of falha_em_dados."""
    return _FALHAS[dados["erro"]](**{nome: valor for nome, valor in dados.items() if nome != "erro"})
