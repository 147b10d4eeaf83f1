"""Products and categories: what they are, what may be put in them, what one may ask for."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum
from typing import NamedTuple

from catalogo.domain.errors import DadosInvalidos, Violation
from catalogo.domain.text import fold


class Momento(NamedTuple):
    """A state of the database: the one that `transacao`, on the timeline `linha` of its log, left behind.

    Whoever sees that transaction sees all that was answered before it began.
    """

    linha: int
    transacao: int


SEMPRE = Momento(0, 0)  # before every transaction


@dataclass(frozen=True, slots=True)
class Categoria:
    """`revisao` grows with each change of the row: of two copies the greater one is the newer."""

    categoria_id: int
    nome: str
    descricao: str
    revisao: int
    momento: Momento = field(default=SEMPRE, compare=False)  # of its last change, where it was asked for


@dataclass(frozen=True, slots=True)
class Produto:
    """A product as it was committed; prices in centavos, stock in units, `revisao` as in Categoria (stock included)."""

    produto_id: int
    nome: str
    descricao: str
    preco_centavos: int
    categoria: Categoria
    estoque: int
    imagem_url: str
    ativo: bool
    versao: int
    criado_em: datetime
    excluido: bool
    revisao: int
    momento: Momento = field(default=SEMPRE, compare=False)  # of its last change


class Ordem(IntEnum):
    """The numbers of the contract."""

    NOME = 1
    PRECO_CRESCENTE = 2
    PRECO_DECRESCENTE = 3
    MAIS_NOVOS = 4


@dataclass(frozen=True, slots=True)
class NovoProduto:
    """A product to be; DadosInvalidos names each field that will not do."""

    nome: str
    descricao: str
    preco_centavos: int
    categoria_id: int
    estoque: int
    imagem_url: str
    ativo: bool

    def __post_init__(self) -> None:
        _refuse(*_of_product(self.nome, self.descricao, self.preco_centavos, self.categoria_id, self.imagem_url))


@dataclass(frozen=True, slots=True)
class AlteracaoProduto:
    """New values of some fields; None leaves a field as it is."""

    nome: str | None = None
    descricao: str | None = None
    preco_centavos: int | None = None
    categoria_id: int | None = None
    imagem_url: str | None = None
    ativo: bool | None = None

    def __post_init__(self) -> None:
        _refuse(*_of_product(self.nome, self.descricao, self.preco_centavos, self.categoria_id, self.imagem_url))


@dataclass(frozen=True, slots=True)
class NovaCategoria:
    """A category to be; DadosInvalidos names each field that will not do."""

    nome: str
    descricao: str

    def __post_init__(self) -> None:
        _refuse(*_of_text("nome", self.nome, required=True), *_of_text("descricao", self.descricao))


class Filtro(NamedTuple):
    """What a list is asked for; empty strings and zeros do not filter. Prices in centavos."""

    categoria: str = ""
    busca: str = ""
    preco_minimo: int = 0
    preco_maximo: int = 0
    apenas_disponiveis: bool = False
    incluir_inativos: bool = False
    ordem: Ordem = Ordem.NOME

    def conferir(self) -> None:
        """DadosInvalidos when nothing could ever match."""
        if 0 < self.preco_maximo < self.preco_minimo:
            _refuse(("preco_maximo_centavos", "não pode ser menor que preco_minimo_centavos"))


def _refuse(*violations: Violation) -> None:
    if violations:
        raise DadosInvalidos(*violations)


def _of_product(
    nome: str | None, descricao: str | None, preco: int | None, categoria_id: int | None, imagem_url: str | None
) -> Iterator[Violation]:
    yield from _of_text("nome", nome, required=True)
    yield from _of_text("descricao", descricao)
    if preco is not None and preco < 1:
        yield "preco_centavos", "deve ser de pelo menos 1 centavo"
    if categoria_id is not None and categoria_id < 1:
        yield "categoria_id", "deve ser informada"
    yield from _of_text("imagem_url", imagem_url)


def _of_text(field: str, text: str | None, *, required: bool = False) -> Iterator[Violation]:
    if text is None:
        return
    if required and not fold(text):
        yield field, "não pode ficar em branco"
    elif "\0" in text:  # PostgreSQL cannot store it
        yield field, "não pode conter o caractere nulo"
