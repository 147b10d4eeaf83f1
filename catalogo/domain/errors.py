"""Why the catalog says no: one tree, the data as attributes, the text for customers."""

# ruff: noqa: N818  an exception is named after what happened

from uuid import UUID

Violation = tuple[str, str]  # (field, what is wrong with it, in Portuguese)


class CatalogoError(Exception):
    """Every refusal of the catalog."""


class DadosInvalidos(CatalogoError):
    """Values that the bakery does not accept; `violations` name fields of the thing itself ("nome")."""

    def __init__(self, *violations: Violation) -> None:
        super().__init__("; ".join(f"{field}: {why}" for field, why in violations))
        self.violations = violations


class ProdutoNaoEncontrado(CatalogoError):
    def __init__(self, produto_id: int) -> None:
        super().__init__(f"Produto {produto_id} não encontrado.")
        self.produto_id = produto_id


class ProdutoInativo(CatalogoError):
    def __init__(self, produto_id: int) -> None:
        super().__init__(f"O produto {produto_id} não está à venda no momento.")
        self.produto_id = produto_id


class VersaoDesatualizada(CatalogoError):
    def __init__(self, versao_enviada: int, versao_atual: int) -> None:
        super().__init__(
            f"O produto foi alterado por outra pessoa: a versão enviada é {versao_enviada} e a atual é {versao_atual}."
        )
        self.versao_enviada = versao_enviada
        self.versao_atual = versao_atual


class CategoriaNaoEncontrada(CatalogoError):
    def __init__(self, categoria: int | str) -> None:
        super().__init__(f"Categoria {categoria} não encontrada.")
        self.categoria = categoria


class CategoriaDuplicada(CatalogoError):
    def __init__(self, nome: str) -> None:
        super().__init__(f"Já existe uma categoria chamada “{nome}”.")
        self.nome = nome


class EstoqueInsuficiente(CatalogoError):
    """`solicitado` and `disponivel` in units."""

    def __init__(self, produto_id: int, solicitado: int, disponivel: int) -> None:
        super().__init__(
            f"Estoque insuficiente do produto {produto_id}: solicitado {solicitado}, disponível {disponivel}."
        )
        self.produto_id = produto_id
        self.solicitado = solicitado
        self.disponivel = disponivel


class EstoqueExcedeLimite(CatalogoError):
    """`limite` in units."""

    def __init__(self, produto_id: int, limite: int) -> None:
        super().__init__(f"O estoque do produto {produto_id} não pode passar de {limite} unidades.")
        self.produto_id = produto_id
        self.limite = limite


class ChaveReutilizada(CatalogoError):
    """The key of an earlier request came back with another body."""

    def __init__(self, chave: UUID) -> None:
        super().__init__(f"A chave {chave} já foi usada em outra requisição.")
        self.chave = chave


class ReservaError(CatalogoError):
    """A refusal about the reservation `reserva_id`."""

    text = ""

    def __init__(self, reserva_id: UUID) -> None:
        super().__init__(self.text.format(reserva_id))
        self.reserva_id = reserva_id


class ReservaNaoEncontrada(ReservaError):
    text = "Reserva {} não encontrada."


class ReservaExpirada(ReservaError):
    text = "A reserva {} expirou e seu estoque foi devolvido."


class ReservaLiberada(ReservaError):
    text = "A reserva {} foi liberada."
