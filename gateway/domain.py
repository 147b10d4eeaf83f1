"""How the shop is: the parts a customer needs, and whether he can shop."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

# Health names of everything a purchase passes through; the gateway itself aside, which answers or does not.
PARTES = ("catalogo.leitura", "catalogo.escrita", "carrinho", "pedidos")
EU = "gateway"


class Estado(Enum):
    """As in grpc.health.v1; AINDA_NAO: not asked yet."""

    AINDA_NAO = 0
    SERVING = 1
    NOT_SERVING = 2


@dataclass(frozen=True)
class Situacao:
    """One part; `detalhe` says in Portuguese what is wrong, and is empty when nothing is."""

    nome: str
    estado: Estado
    detalhe: str = ""


def aberta(situacoes: Iterable[Situacao]) -> bool:
    """Whether a customer can shop: every part serves."""
    return all(each.estado is Estado.SERVING for each in situacoes)


class ArquivoNaoEncontrado(Exception):  # noqa: N818  named after what happened
    """The page of the API has no such file."""

    def __init__(self, arquivo: str) -> None:
        super().__init__(f"A página não tem o arquivo {arquivo}.")
        self.arquivo = arquivo
