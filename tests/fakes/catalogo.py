"""The catalog's ports in memory: a warehouse with a clock of its own, held to the same suite as PostgreSQL."""

import copy
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from typing import TypeVar
from uuid import UUID

from catalogo.domain.errors import (
    CatalogoError,
    CategoriaDuplicada,
    CategoriaNaoEncontrada,
    ChaveReutilizada,
    ProdutoNaoEncontrado,
    VersaoDesatualizada,
)
from catalogo.domain.estoque import (
    Ajustado,
    Ajustar,
    Comando,
    Consultar,
    Livro,
    Movimento,
    Operacao,
    Reserva,
    Saldo,
    StatusReserva,
)
from catalogo.domain.produtos import AlteracaoProduto, Categoria, Momento, NovaCategoria, NovoProduto, Produto
from catalogo.domain.text import unique_key
from catalogo.use_cases import Disponibilidade, Feito, Marca, Mudancas

T = TypeVar("T")


class Armazem:
    """What the database would hold. `agora` is its clock: `advance` moves it."""

    def __init__(self) -> None:
        self.agora = datetime(2026, 11, 23, 12, tzinfo=UTC)
        self.produtos: dict[int, Produto] = {}
        self.categorias: dict[int, Categoria] = {}
        self.criacoes: dict[UUID, tuple[int, NovoProduto]] = {}
        self.reservas: dict[UUID, Reserva] = {}
        self.ajustados: dict[UUID, Ajustado] = {}
        self.movimentos: list[Movimento] = []
        self.history: list[Produto | Categoria] = []  # a transaction's number is its place in it
        self.linha = 1

    def advance(self, seconds: float) -> None:
        self.agora += timedelta(seconds=seconds)

    def produto(self, produto_id: int) -> Produto:
        produto = self.produtos.get(produto_id)
        if produto is None or produto.excluido:
            raise ProdutoNaoEncontrado(produto_id)
        return produto

    def categoria(self, categoria_id: int) -> Categoria:
        try:
            return self.categorias[categoria_id]
        except KeyError:
            raise CategoriaNaoEncontrada(categoria_id) from None

    def write(self, produto: Produto) -> Produto:
        written = replace(produto, revisao=produto.revisao + 1, momento=self.now())
        self.produtos[produto.produto_id] = written
        self.history.append(written)
        return written

    def now(self) -> Momento:
        """Of the change that is made next."""
        return Momento(self.linha, len(self.history))


class FakeProdutos:
    """The port `Produtos`."""

    def __init__(self, armazem: Armazem) -> None:
        self._armazem = armazem

    async def criar(self, novo: NovoProduto, chave: UUID | None, quem: str) -> Produto:
        armazem = self._armazem
        if chave in armazem.criacoes:
            produto_id, earlier = armazem.criacoes[chave]
            if earlier != novo:
                raise ChaveReutilizada(chave)
            return armazem.produto(produto_id)
        categoria = armazem.categoria(novo.categoria_id)
        produto_id = len(armazem.produtos) + 1
        fields = {name: value for name, value in asdict(novo).items() if name != "categoria_id"}
        if chave is not None:
            armazem.criacoes[chave] = produto_id, novo
        armazem.movimentos.append(
            Movimento(produto_id, Operacao.CRIAR, f"criar:{produto_id}", quem, novo.estoque, disponivel=novo.estoque)
        )
        return armazem.write(
            Produto(
                produto_id,
                **fields,
                categoria=categoria,
                versao=1,
                criado_em=armazem.agora,
                excluido=False,
                revisao=0,
            )
        )

    async def alterar(self, produto_id: int, versao: int, alteracao: AlteracaoProduto) -> Produto:
        produto = self._armazem.produto(produto_id)
        if versao not in (0, produto.versao):
            raise VersaoDesatualizada(versao, produto.versao)
        given = {name: value for name, value in asdict(alteracao).items() if value is not None}
        categoria_id = given.pop("categoria_id", produto.categoria.categoria_id)
        new = replace(produto, **given, categoria=self._armazem.categoria(categoria_id))
        return self._armazem.write(new if new == produto else replace(new, versao=produto.versao + 1))

    async def excluir(self, produto_id: int) -> Produto:
        produto = self._armazem.produto(produto_id)
        for chave, (made, _) in list(self._armazem.criacoes.items()):
            if made == produto_id:
                del self._armazem.criacoes[chave]
        return self._armazem.write(replace(produto, excluido=True))

    async def criar_categoria(self, nova: NovaCategoria) -> Categoria:
        known = {unique_key(categoria.nome) for categoria in self._armazem.categorias.values()}
        if unique_key(nova.nome) in known:
            raise CategoriaDuplicada(nova.nome)
        categoria = Categoria(len(known) + 1, nova.nome, nova.descricao, 1, self._armazem.now())
        self._armazem.categorias[categoria.categoria_id] = categoria
        self._armazem.history.append(categoria)
        return categoria

    async def disponibilidade(self, produto_id: int) -> Disponibilidade:
        produto = self._armazem.produto(produto_id)
        return Disponibilidade(produto.estoque, produto.ativo)


class FakeEstoque:
    """The port `Estoque`: the domain decides, as in PostgreSQL; what is in memory takes the place of rows and locks."""

    def __init__(self, armazem: Armazem) -> None:
        self._armazem = armazem

    async def executar(self, comando: Comando) -> Feito:
        livro = self._open()
        recusa: CatalogoError | None = None
        try:
            livro.executar(comando)
        except CatalogoError as exc:
            recusa = exc
        mudados = self._store(livro)
        if recusa is not None:
            return Feito(recusa, mudados)
        if isinstance(comando, Ajustar):
            return Feito(self._armazem.produtos[comando.produto_id], mudados)
        return Feito(self._armazem.reservas[comando.reserva_id], mudados)

    async def vencidas(self, limite: int, quem: str) -> tuple[int, Sequence[Produto]]:
        due = [
            reserva.reserva_id
            for reserva in self._armazem.reservas.values()
            if reserva.status is StatusReserva.ATIVA and reserva.expira_em and reserva.expira_em <= self._armazem.agora
        ][:limite]
        mudados = [produto for key in due for produto in (await self.executar(Consultar(key, quem))).mudados]
        return len(due), mudados

    def _open(self) -> Livro:
        saldos = {
            p.produto_id: Saldo(p.produto_id, p.nome, p.preco_centavos, p.ativo, p.excluido, p.estoque)
            for p in self._armazem.produtos.values()
        }
        return Livro(self._armazem.agora, saldos, dict(self._armazem.reservas), dict(self._armazem.ajustados))

    def _store(self, livro: Livro) -> list[Produto]:
        armazem = self._armazem
        keys = {line.chave for line in armazem.movimentos if line.chave}
        assert keys.isdisjoint(line.chave for line in livro.movimentos), "the ledger's keys are unique"
        armazem.reservas, armazem.ajustados = livro.reservas, livro.ajustados
        armazem.movimentos += livro.movimentos
        moved = {line.produto_id for line in livro.movimentos}
        return [
            armazem.write(replace(armazem.produtos[key], estoque=livro.saldos[key].disponivel)) for key in sorted(moved)
        ]


class FakeAlteracoes:
    """The port `Alteracoes`: tells everything, or everything since, from the warehouse's history."""

    def __init__(self, armazem: Armazem) -> None:
        self._armazem = armazem
        self.server = "1"
        self.broken = False
        self.asked_for: set[int] = set()  # transactions that were asked for
        self.arrived: int | None = None  # how much of the history a copy has; None: all
        self.during: Callable[[], None] = lambda: None  # what happens after a snapshot was taken, before it is shown

    async def tudo(self, build: Callable[[Iterable[Categoria], Iterable[Produto]], T]) -> tuple[Marca, T]:
        self._check()
        mark = self._mark(self._armazem.history, len(self._armazem.history))
        categorias, produtos = copy.copy(self._armazem.categorias), copy.copy(self._armazem.produtos)
        self.during()
        return mark, build(categorias.values(), produtos.values())

    async def desde(self, marca: Marca, esperadas: Collection[int] = ()) -> Mudancas | None:
        self._check()
        self.asked_for |= set(esperadas)
        if marca.servidor != self.server:
            return None
        end = len(self._armazem.history) if self.arrived is None else max(self.arrived, marca.horizonte)
        rows = self._armazem.history[marca.horizonte : end]
        mark = self._mark(rows, end, marca.linha)
        self.during()
        produtos = [row for row in rows if isinstance(row, Produto)]
        return Mudancas(mark, produtos, [row for row in rows if isinstance(row, Categoria)])

    def _mark(self, rows: Sequence[Produto | Categoria], end: int, linha: int = 0) -> Marca:
        return Marca(self.server, str(end), end, end, linha=max([linha, *(row.momento.linha for row in rows)]))

    def _check(self) -> None:
        if self.broken:
            raise ConnectionError("no database")
