"""What the bakery does with its catalog, and what it needs for that."""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol, TypeVar
from uuid import UUID

from catalogo.domain.errors import CatalogoError
from catalogo.domain.estoque import Ajustar, Comando, ComandoReserva, Reserva
from catalogo.domain.produtos import AlteracaoProduto, Categoria, Filtro, Momento, NovaCategoria, NovoProduto, Produto

T = TypeVar("T")
SWEEP = 200  # reservations expired in one transaction

Posicao = tuple[int | str, ...]  # where a page ended: the last product's sort key and id


class Pagina(NamedTuple):
    """Products ready to be sent, each as one element of a repeated field 1; `seguinte` is None on the last page."""

    produtos: Sequence[bytes]
    seguinte: Posicao | None


class Disponibilidade(NamedTuple):
    """A product's stock as the writable database has it, in units."""

    disponivel: int
    ativo: bool


class Feito(NamedTuple):
    """A stock command after its commit: its answer or refusal, and the products whose rows it changed."""

    resposta: Reserva | Produto | CatalogoError
    mudados: Sequence[Produto]


class Produtos(Protocol):
    """Products and categories in the writable database. Each method is one transaction."""

    async def criar(self, novo: NovoProduto, chave: UUID | None, quem: str) -> Produto:
        """A product with its opening stock; the one made before under the same `chave`.

        CategoriaNaoEncontrada; ChaveReutilizada when `chave` made another product.
        """

    async def alterar(self, produto_id: int, versao: int, alteracao: AlteracaoProduto) -> Produto:
        """ProdutoNaoEncontrado, CategoriaNaoEncontrada; VersaoDesatualizada unless `versao` is the present one or 0."""

    async def excluir(self, produto_id: int) -> Produto:
        """The product as it went, `excluido`; ProdutoNaoEncontrado."""

    async def criar_categoria(self, nova: NovaCategoria) -> Categoria:
        """CategoriaDuplicada."""

    async def disponibilidade(self, produto_id: int) -> Disponibilidade:
        """What the writable database has now, never a copy; ProdutoNaoEncontrado."""


class Estoque(Protocol):
    """Stock and reservations in the writable database."""

    async def executar(self, comando: Comando) -> Feito:
        """Decides and commits; a refusal is an answer, because an expiry it met on its way is committed too."""

    async def vencidas(self, limite: int, quem: str) -> tuple[int, Sequence[Produto]]:
        """Expires up to `limite` reservations whose time is over: how many, and the products that got stock back.

        None on a node that cannot be written to. Two that run at once never take the same reservation.
        """


class Vitrine(Protocol):
    """The shop window: what customers see, in memory."""

    def aplicar(self, produtos: Iterable[Produto], categorias: Iterable[Categoria] = ()) -> None:
        """Shows what was just committed, unless something newer is shown already."""

    def obter(self, produto_id: int) -> bytes:
        """A Produto message; ProdutoNaoEncontrado."""

    def listar(self, filtro: Filtro, apos: Posicao | None, limite: int) -> Pagina:
        """Up to `limite` products after `apos`, in the order asked for."""

    def categorias(self) -> bytes:
        """A ListarCategoriasResponse message."""

    def mostra(self, momento: Momento) -> bool:
        """Whether what is shown is no older."""

    async def alcancar(self, momento: Momento) -> None:
        """Returns when what is shown is no older; Unavailable when that takes longer than a read may wait."""


class Marca(NamedTuple):
    """Where to go on reading: the server's start, its snapshot, and the oldest transaction that was still undecided.

    What was read is the state of that snapshot: transactions below `horizonte`, and of those below `fim` the ones that
    are not `abertas`. A copy of the database does not tell these; there the ones that count are `vistas`, of which it
    was asked. `linha` is the latest timeline on which any row was changed.
    """

    servidor: str
    instantaneo: str
    horizonte: int
    fim: int = 0
    abertas: frozenset[int] = frozenset()
    copia: bool = False
    vistas: frozenset[int] = frozenset()
    linha: int = 0

    def inclui(self, momento: Momento) -> bool:
        """Whether the snapshot sees that transaction, and in the history that it belongs to."""
        linha, transacao = momento
        if linha > self.linha:
            return False
        if transacao < self.horizonte:
            return True
        return transacao in self.vistas if self.copia else transacao < self.fim and transacao not in self.abertas


class Mudancas(NamedTuple):
    """Every row that may have changed since a mark, and maybe some that did not."""

    marca: Marca
    produtos: Sequence[Produto] = ()
    categorias: Sequence[Categoria] = ()


class Alteracoes(Protocol):
    """The database as the shop window reads it, a copy of the writable one included."""

    async def tudo(self, build: Callable[[Iterable[Categoria], Iterable[Produto]], T]) -> tuple[Marca, T]:
        """Everything as of one snapshot, deleted products included, built in the reading thread."""

    async def desde(self, marca: Marca, esperadas: Collection[int] = ()) -> Mudancas | None:
        """What changed since; None when the mark means nothing any more (another server, or it was restarted).

        Of the transactions `esperadas` the new mark tells for certain whether it includes them.
        """


@dataclass(frozen=True, slots=True)
class Catalogo:
    """The changes of the catalog: each is committed first, then shown in this process's window, then answered."""

    produtos: Produtos
    estoque: Estoque
    vitrine: Vitrine

    async def criar_produto(self, novo: NovoProduto, chave: UUID | None, quem: str) -> Produto:
        return self._shown(await self.produtos.criar(novo, chave, quem))

    async def alterar_produto(self, produto_id: int, versao: int, alteracao: AlteracaoProduto) -> Produto:
        return self._shown(await self.produtos.alterar(produto_id, versao, alteracao))

    async def excluir_produto(self, produto_id: int) -> Produto:
        """The product as it went."""
        return self._shown(await self.produtos.excluir(produto_id))

    async def criar_categoria(self, nova: NovaCategoria) -> Categoria:
        categoria = await self.produtos.criar_categoria(nova)
        self.vitrine.aplicar((), (categoria,))
        return categoria

    async def verificar_estoque(self, produto_id: int, quantidade: int) -> tuple[bool, int]:
        """Whether that many units (0: one) could be reserved now, and how many are available."""
        agora = await self.produtos.disponibilidade(produto_id)
        return agora.ativo and agora.disponivel >= max(quantidade, 1), agora.disponivel

    async def ajustar_estoque(self, comando: Ajustar) -> Produto:
        produto = await self._executar(comando)
        assert isinstance(produto, Produto)
        return produto

    async def mudar_reserva(self, comando: ComandoReserva) -> Reserva:
        """Reserves, confirms, releases or looks: the reservation as it is after it."""
        reserva = await self._executar(comando)
        assert isinstance(reserva, Reserva)
        return reserva

    async def expirar_reservas(self, quem: str) -> int:
        """Gives back the stock of all reservations whose time is over; how many there were."""
        total = 0
        while True:
            count, mudados = await self.estoque.vencidas(SWEEP, quem)
            self.vitrine.aplicar(mudados)
            total += count
            if count < SWEEP:
                return total

    async def _executar(self, comando: Comando) -> Reserva | Produto:
        feito = await self.estoque.executar(comando)
        self.vitrine.aplicar(feito.mudados)
        if isinstance(feito.resposta, CatalogoError):
            raise feito.resposta
        return feito.resposta

    def _shown(self, produto: Produto) -> Produto:
        self.vitrine.aplicar((produto,))
        return produto
