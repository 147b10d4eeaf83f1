"""The catalog as its contract tells it, on plain dictionaries: nothing here knows of locks, batches or databases.

Time is counted in seconds from the model's own beginning and passes only when it is told to.
"""

import unicodedata
from collections import Counter
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, NamedTuple, Self

from confeitaria.catalogo.v1 import catalogo_pb2 as pb
from google.protobuf.empty_pb2 import Empty

from tests.model.answers import Answer, Refusal, refused
from tests.model.explaining import Call, Step, View

LIMITE = 1_000_000  # units
VALIDADE = 300  # seconds, where a reservation does not say
MUDAVEIS = ("nome", "descricao", "preco_centavos", "categoria_id", "imagem_url", "ativo")


class Saldo(NamedTuple):
    """Where a product's units are: inicial + reposto = disponivel + reservado + vendido + baixado."""

    inicial: int = 0
    reposto: int = 0
    disponivel: int = 0
    reservado: int = 0
    vendido: int = 0
    baixado: int = 0

    @property
    def conserva(self) -> bool:
        onde = self.disponivel + self.reservado + self.vendido + self.baixado
        return self.inicial + self.reposto == onde and min(self) >= 0


@dataclass(frozen=True)
class Produto:
    produto_id: int
    nome: str
    descricao: str
    preco_centavos: int
    categoria_id: int
    imagem_url: str
    ativo: bool
    saldo: Saldo
    versao: int = 1
    excluido: bool = False


@dataclass(frozen=True)
class Reserva:
    """`itens`: produto_id, nome, preco_centavos, quantidade. Without any it was released before it was ever made."""

    status: str
    itens: tuple[tuple[int, str, int, int], ...] = ()
    vence: int = 0


class Recusada(Exception):  # noqa: N818  named after what happened
    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal)
        self.refusal = refusal


def recusa(code: str, reason: str, **metadata: object) -> Recusada:
    return Recusada(refused(code, reason, **metadata))


@dataclass
class Catalogo:
    agora: int = 0
    categorias: dict[int, str] = field(default_factory=dict)
    produtos: dict[int, Produto] = field(default_factory=dict)
    criacoes: dict[str, tuple[int, Hashable]] = field(default_factory=dict)  # request_id: the product, its body
    ajustes: dict[str, Hashable] = field(default_factory=dict)  # request_id: its body
    reservas: dict[str, Reserva] = field(default_factory=dict)
    razao: Counter[tuple[int, str, int]] = field(default_factory=Counter)  # the ledger: product, what happened, units

    # Products and categories.

    def CriarCategoria(self, pedido: pb.CriarCategoriaRequest, dito: Answer) -> View:
        nome = pedido.categoria.nome.strip()
        if dobrado(nome) in map(dobrado, self.categorias.values()):
            raise recusa("ALREADY_EXISTS", "CATEGORIA_DUPLICADA", nome=nome)
        categoria_id = novo_id(dito, "categoria_id", self.categorias)
        self.categorias[categoria_id] = nome
        return lambda _: pb.Categoria(categoria_id=categoria_id, nome=nome, descricao=pedido.categoria.descricao)

    def CriarProduto(self, pedido: pb.CriarProdutoRequest, dito: Answer) -> View:
        chave, novo = pedido.request_id.lower(), pedido.produto
        ativo = novo.ativo if novo.HasField("ativo") else True
        saldo = Saldo(inicial=novo.estoque, disponivel=novo.estoque)
        corpo = Produto(
            0, novo.nome.strip(), novo.descricao, novo.preco_centavos, novo.categoria_id, novo.imagem_url, ativo, saldo
        )
        if chave in self.criacoes:
            produto_id, antes = self.criacoes[chave]
            if antes != corpo:
                raise recusa("ALREADY_EXISTS", "CHAVE_REUTILIZADA", chave=chave)
            return self._produto(produto_id)
        if novo.categoria_id not in self.categorias:
            raise recusa("NOT_FOUND", "CATEGORIA_NAO_ENCONTRADA", categoria=novo.categoria_id)
        produto_id = novo_id(dito, "produto_id", self.produtos)
        self.produtos[produto_id] = replace(corpo, produto_id=produto_id)
        self.razao[produto_id, "CRIAR", novo.estoque] += 1
        if chave:
            self.criacoes[chave] = produto_id, corpo
        return self._produto(produto_id)

    def AtualizarProduto(self, pedido: pb.AtualizarProdutoRequest, _dito: Answer) -> View:
        novo = pedido.produto
        produto = self._existente(novo.produto_id)
        if novo.versao not in (0, produto.versao):
            raise recusa("ABORTED", "VERSAO_DESATUALIZADA", versao_enviada=novo.versao, versao_atual=produto.versao)
        nomes = pedido.update_mask.paths or [campo.name for campo, _ in novo.ListFields() if campo.name in MUDAVEIS]
        mudado = replace(produto, **{nome: getattr(novo, nome) for nome in nomes})
        mudado = replace(mudado, nome=mudado.nome.strip())
        if mudado.categoria_id not in self.categorias:
            raise recusa("NOT_FOUND", "CATEGORIA_NAO_ENCONTRADA", categoria=mudado.categoria_id)
        if mudado != produto:
            self.produtos[produto.produto_id] = replace(mudado, versao=produto.versao + 1)
        return self._produto(produto.produto_id)

    def ExcluirProduto(self, pedido: pb.ExcluirProdutoRequest, _dito: Answer) -> View:
        produto = self._existente(pedido.produto_id)
        self.produtos[pedido.produto_id] = replace(produto, excluido=True)
        self.criacoes = {chave: criado for chave, criado in self.criacoes.items() if criado[0] != pedido.produto_id}
        return lambda _: Empty()

    def ObterProduto(self, pedido: pb.ObterProdutoRequest, _dito: Answer) -> View:
        self._existente(pedido.produto_id)
        return self._produto(pedido.produto_id)

    def listados(self, pedido: pb.ListarProdutosRequest) -> list[pb.Produto]:
        """What all pages of a list show together."""
        achados = [
            produto
            for produto in self.produtos.values()
            if not produto.excluido
            and (produto.ativo or pedido.incluir_inativos)
            and (produto.saldo.disponivel or not pedido.apenas_disponiveis)
            and pedido.categoria in ("", str(produto.categoria_id), self.categorias[produto.categoria_id])
            and pedido.preco_minimo_centavos <= produto.preco_centavos
            and produto.preco_centavos <= (pedido.preco_maximo_centavos or produto.preco_centavos)
            and all(palavra in self._texto(produto) for palavra in dobrado(pedido.busca).split())
        ]
        ordens: dict[int, Callable[[Produto], Any]] = {
            pb.PRECO_CRESCENTE: lambda produto: produto.preco_centavos,
            pb.PRECO_DECRESCENTE: lambda produto: -produto.preco_centavos,
            pb.MAIS_NOVOS: lambda produto: -produto.produto_id,  # here the ids grow with time
        }
        por_nome: Callable[[Produto], Any] = lambda produto: dobrado(produto.nome)  # noqa: E731  one of a kind with those
        ordem = ordens.get(pedido.ordenar_por, por_nome)
        return [self.mensagem(p.produto_id) for p in sorted(achados, key=lambda p: (ordem(p), p.produto_id))]

    # Stock.

    def VerificarEstoque(self, pedido: pb.VerificarEstoqueRequest, _dito: Answer) -> View:
        produto = self._existente(pedido.produto_id)
        ha = produto.ativo and produto.saldo.disponivel >= max(1, pedido.quantidade)
        resposta = pb.VerificarEstoqueResponse(disponivel=ha, estoque=produto.saldo.disponivel)
        return lambda _: resposta

    def AtualizarEstoque(self, pedido: pb.AtualizarEstoqueRequest, _dito: Answer) -> View:
        chave, produto_id, unidades = pedido.request_id.lower(), pedido.produto_id, pedido.quantidade
        corpo = (produto_id, pedido.operacao, unidades)
        if self.ajustes.get(chave, corpo) != corpo:
            raise recusa("ALREADY_EXISTS", "CHAVE_REUTILIZADA", chave=chave)
        ha = self._existente(produto_id).saldo.disponivel
        if chave in self.ajustes:
            return self._produto(produto_id)
        if pedido.operacao == pb.ADICIONAR:
            if unidades and ha + unidades > LIMITE:
                raise recusa("FAILED_PRECONDITION", "ESTOQUE_EXCEDE_LIMITE", produto_id=produto_id, limite=LIMITE)
            self._mover(produto_id, "ADICIONAR", unidades, reposto=unidades, disponivel=unidades)
        elif pedido.operacao == pb.REMOVER:
            if unidades > ha:
                raise insuficiente(produto_id, unidades, ha)
            self._mover(produto_id, "REMOVER", unidades, baixado=unidades, disponivel=-unidades)
        else:
            mais, menos = max(0, unidades - ha), max(0, ha - unidades)
            self._mover(produto_id, "DEFINIR", unidades, reposto=mais, baixado=menos, disponivel=unidades - ha)
        if chave:
            self.ajustes[chave] = corpo
        return self._produto(produto_id)

    # Reservations.

    def ReservarEstoque(self, pedido: pb.ReservarEstoqueRequest, _dito: Answer) -> View:
        reserva_id = pedido.reserva_id.lower()
        itens = sorted((item.produto_id, item.quantidade) for item in pedido.itens)
        if reserva_id in self.reservas:
            reserva = self._tocada(reserva_id)
            if not reserva.itens:
                raise recusa("FAILED_PRECONDITION", "RESERVA_LIBERADA", reserva_id=reserva_id)
            if itens != [(produto_id, unidades) for produto_id, _, _, unidades in reserva.itens]:
                raise recusa("ALREADY_EXISTS", "CHAVE_REUTILIZADA", chave=reserva_id)
            return self._resposta(reserva_id, pb.ReservarEstoqueResponse)
        for produto_id, unidades in itens:
            produto = self._existente(produto_id)
            if not produto.ativo:
                raise recusa("FAILED_PRECONDITION", "PRODUTO_INATIVO", produto_id=produto_id)
            if produto.saldo.disponivel < unidades:
                raise insuficiente(produto_id, unidades, produto.saldo.disponivel)
        vence = self.agora + (pedido.validade_segundos or VALIDADE)
        precos = [(self.produtos[produto_id], unidades) for produto_id, unidades in itens]
        com_preco = tuple((p.produto_id, p.nome, p.preco_centavos, unidades) for p, unidades in precos)
        self.reservas[reserva_id] = Reserva("ATIVA", com_preco, vence)
        self._mover_todos(reserva_id, "RESERVAR", disponivel=-1, reservado=1)
        return self._resposta(reserva_id, pb.ReservarEstoqueResponse)

    def ConfirmarReserva(self, pedido: pb.ConfirmarReservaRequest, _dito: Answer) -> View:
        reserva_id = pedido.reserva_id.lower()
        status = self._tocada(reserva_id).status
        if status in ("EXPIRADA", "LIBERADA"):
            raise recusa("FAILED_PRECONDITION", f"RESERVA_{status}", reserva_id=reserva_id)
        if status == "ATIVA":
            self._virar(reserva_id, "CONFIRMADA", "CONFIRMAR", reservado=-1, vendido=1)
        return self._resposta(reserva_id, pb.ConfirmarReservaResponse)

    def LiberarReserva(self, pedido: pb.LiberarReservaRequest, _dito: Answer) -> View:
        reserva_id = pedido.reserva_id.lower()
        if reserva_id not in self.reservas:
            self.reservas[reserva_id] = Reserva("LIBERADA")
        status = self._tocada(reserva_id).status
        if status == "ATIVA":
            self._virar(reserva_id, "LIBERADA", "LIBERAR", reservado=-1, disponivel=1)
        elif status == "CONFIRMADA":
            self._virar(reserva_id, "LIBERADA", "ESTORNAR", vendido=-1, disponivel=1)
        return self._resposta(reserva_id, pb.LiberarReservaResponse)

    def ObterReserva(self, pedido: pb.ObterReservaRequest, _dito: Answer) -> View:
        self._tocada(pedido.reserva_id.lower())
        return lambda modelo: modelo.reserva(pedido.reserva_id.lower())

    def vencida(self, reserva_id: str) -> bool:
        reserva = self.reservas[reserva_id]
        return reserva.status == "ATIVA" and reserva.vence <= self.agora

    def expirar(self, reserva_id: str) -> None:
        self._virar(reserva_id, "EXPIRADA", "EXPIRAR", reservado=-1, disponivel=1)

    # What the rules above are written with.

    def reserva(self, reserva_id: str) -> pb.Reserva:
        reserva = self.reservas[reserva_id]
        mensagem = pb.Reserva(reserva_id=reserva_id, status=reserva.status)
        for produto_id, nome, preco, unidades in reserva.itens:
            mensagem.itens.add(produto_id=produto_id, nome=nome, preco_centavos=preco, quantidade=unidades)
        return mensagem

    def mensagem(self, produto_id: int) -> pb.Produto:
        produto = self.produtos[produto_id]
        campos = {nome: getattr(produto, nome) for nome in (*MUDAVEIS, "produto_id", "versao")}
        categoria = self.categorias[produto.categoria_id]
        return pb.Produto(**campos, categoria=categoria, estoque=produto.saldo.disponivel)

    def _produto(self, produto_id: int) -> View:
        return lambda modelo: modelo.mensagem(produto_id)

    def _resposta(self, reserva_id: str, classe: Any) -> View:
        return lambda modelo: classe(reserva=modelo.reserva(reserva_id))

    def _existente(self, produto_id: int) -> Produto:
        produto = self.produtos.get(produto_id)
        if produto is None or produto.excluido:
            raise recusa("NOT_FOUND", "PRODUTO_NAO_ENCONTRADO", produto_id=produto_id)
        return produto

    def _tocada(self, reserva_id: str) -> Reserva:
        """The reservation as it is now: whoever touches one whose time is over finds it expired."""
        if reserva_id not in self.reservas:
            raise recusa("NOT_FOUND", "RESERVA_NAO_ENCONTRADA", reserva_id=reserva_id)
        if self.vencida(reserva_id):
            self.expirar(reserva_id)
        return self.reservas[reserva_id]

    def _virar(self, reserva_id: str, status: str, operacao: str, **para: int) -> None:
        self.reservas[reserva_id] = replace(self.reservas[reserva_id], status=status)
        self._mover_todos(reserva_id, operacao, **para)

    def _mover_todos(self, reserva_id: str, operacao: str, **sinais: int) -> None:
        for produto_id, _, _, unidades in self.reservas[reserva_id].itens:
            self._mover(produto_id, operacao, unidades, **{onde: sinal * unidades for onde, sinal in sinais.items()})

    def _mover(self, produto_id: int, operacao: str, unidades: int, **deltas: int) -> None:
        produto = self.produtos[produto_id]
        saldo = produto.saldo._replace(**{onde: getattr(produto.saldo, onde) + mais for onde, mais in deltas.items()})
        assert saldo.conserva, f"the model itself loses units: {produto} {deltas}"
        self.produtos[produto_id] = replace(produto, saldo=saldo)
        self.razao[produto_id, operacao, unidades] += 1

    def _texto(self, produto: Produto) -> str:
        return dobrado(f"{produto.nome} {produto.descricao} {self.categorias[produto.categoria_id]}")

    # As explaining.py asks for it.

    def copy(self) -> Self:
        return replace(
            self,
            categorias=dict(self.categorias),
            produtos=dict(self.produtos),
            criacoes=dict(self.criacoes),
            ajustes=dict(self.ajustes),
            reservas=dict(self.reservas),
            razao=self.razao.copy(),
        )

    def step(self, call: Call, said: Answer, _memory: Hashable) -> Step:
        try:
            view: View = getattr(self, call.rpc)(call.request, said)
        except Recusada as recusada:
            return recusada.refusal
        return view

    def spontaneous(self) -> Iterable[Callable[[Self], None]]:
        """A reservation whose time is over gives its stock back without anybody asking."""
        vencidas = [reserva_id for reserva_id in self.reservas if self.vencida(reserva_id)]
        return [partial(type(self).expirar, reserva_id=reserva_id) for reserva_id in vencidas]

    def state(self) -> Hashable:
        parts = (self.categorias, self.produtos, self.criacoes, self.ajustes, self.reservas)
        return tuple(frozenset(part.items()) for part in parts)


def insuficiente(produto_id: int, solicitado: int, disponivel: int) -> Recusada:
    return recusa(
        "FAILED_PRECONDITION",
        "ESTOQUE_INSUFICIENTE",
        produto_id=produto_id,
        solicitado=solicitado,
        disponivel=disponivel,
    )


def novo_id(dito: Answer, campo: str, usados: Iterable[int]) -> int:
    """The service chooses: any number that was not used before."""
    escolhido = getattr(dito, campo, 0)
    return escolhido if escolhido > max(usados, default=0) else -1


def dobrado(texto: str) -> str:
    """Accents and case aside."""
    sem_acentos = (letra for letra in unicodedata.normalize("NFKD", texto) if not unicodedata.combining(letra))
    return " ".join("".join(sem_acentos).casefold().split())
