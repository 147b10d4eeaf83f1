"""All that can be asked of a catalog, in any order and at once, by few keys on few products with little stock."""

import uuid
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, ClassVar, NamedTuple

from confeitaria.catalogo.v1 import catalogo_pb2 as pb
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.message import Message
from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule

from tests.model.answers import Answer, Refusal, Unknown, invalid
from tests.model.catalogo_doors import Porta, PortaMortal
from tests.model.explaining import Call
from tests.model.machine import Machine, Run, eventually
from tests.model.models.catalogo import Catalogo

UNKNOWN = 2**31 - 1
NOMES = ("Bolo", "BOLO", "Pão", "pao", "Torta de limão")
PASSOS = 150  # seconds; the real clock goes on meanwhile, so a machine that needs longer for an example is too slow
# Of each key its own, since of two that come at once with one key nobody could say whose validity counts.
VALIDADES = (0, PASSOS, 3600, 0)  # seconds, 0: 300
DRIFT = timedelta(seconds=PASSOS - 30)


class Comando(NamedTuple):
    """A request whose numbers are places in what the example knows: its products, its keys."""

    rpc: str
    produto: int = 0
    quantidade: int = 0
    chave: int = 0
    operacao: Any = pb.ADICIONAR  # what the stub makes of an enum is no class
    itens: tuple[tuple[int, int], ...] = ()


def comandos(*rpcs: str, **campos: st.SearchStrategy[Any]) -> st.SearchStrategy[Comando]:
    """One of these RPCs; fields that are not named keep their default."""
    return st.fixed_dictionaries({"rpc": st.sampled_from(rpcs), **campos}).map(lambda given: Comando(**given))


produtos = st.sampled_from([0, 0, 0, 0, 1, 1, 1, 2, 3, 4])  # there are three at first: then it is an unknown one
quantidades = st.sampled_from([1, 1, 2, 3, 5])
chaves = st.sampled_from([0, 0, 0, 1, 1, 2, 3, 4])  # the last is the first in capitals
unidades = st.sampled_from([0, 1, 2, 3, 7, 1_000_000])
itens = st.lists(st.tuples(produtos, quantidades), min_size=1, max_size=3, unique_by=lambda item: item[0]).map(tuple)
reservar = comandos("ReservarEstoque", chave=chaves, itens=itens)
de_reserva = comandos("ConfirmarReserva", "ConfirmarReserva", "LiberarReserva", "ObterReserva", chave=chaves)
ajustar = comandos(
    "AtualizarEstoque",
    produto=produtos,
    quantidade=unidades,
    chave=st.integers(-3, 3),  # none, more often than not
    operacao=st.sampled_from([pb.ADICIONAR, pb.REMOVER, pb.REMOVER, pb.DEFINIR]),
)
verificar = comandos("VerificarEstoque", produto=produtos, quantidade=unidades)
excluir = comandos("ExcluirProduto", produto=st.sampled_from([1, 2, 3, 4]))  # one at least stays
de_estoque = st.one_of(reservar, reservar, de_reserva, de_reserva, ajustar, verificar)
criacoes = st.fixed_dictionaries(
    {
        "nome": st.sampled_from(NOMES),
        "preco_centavos": st.sampled_from([1, 100, 1_000_000]),
        "categoria_id": st.integers(0, 2),
        "estoque": st.integers(0, 6),
        "ativo": st.sampled_from([None, True, True, False]),
    }
)
alteracoes = st.fixed_dictionaries(
    {},
    optional={
        "nome": st.sampled_from(NOMES),
        "descricao": st.sampled_from(["", "com nozes"]),
        "preco_centavos": st.sampled_from([1, 100]),
        "categoria_id": st.integers(0, 2),
        "imagem_url": st.sampled_from(["", "/bolo.jpg"]),
        "ativo": st.sampled_from([True, True, False]),
    },
)


class CatalogoMachine(Machine[Porta, Catalogo]):
    def __init__(self, door: Porta, run: Run) -> None:
        super().__init__(door, Catalogo(), run)
        self.tag = uuid.uuid4().hex[:12]  # what is the example's own in a database that all share
        self.chaves = [str(uuid.uuid4()) for _ in range(4)]
        self.todas = list(self.chaves)  # those that are not used any more, too
        self.prazos: dict[str, datetime] = {}  # when reservations end, as first told

    # What happens.

    @initialize(estoques=st.lists(st.sampled_from([2, 5, 9]), min_size=3, max_size=3))
    def abrir(self, estoques: list[int]) -> None:
        for nome in ("Bolos", "Pães"):
            self.ask(self._categoria(nome))
        for estoque in estoques:
            self.ask(self._criar({"nome": "Bolo", "preco_centavos": 100, "categoria_id": 0, "estoque": estoque}, -1))

    @rule(comando=de_estoque)
    def um(self, comando: Comando) -> None:
        self.ask(self._call(comando))

    @rule(comandos=st.lists(st.one_of(*[de_estoque] * 9, excluir), min_size=2, max_size=4))
    def juntos(self, comandos: list[Comando]) -> None:
        self.ask(*map(self._call, comandos))

    @rule(comando=reservar, vezes=st.integers(2, 4))
    def a_mesma_reserva_ao_mesmo_tempo(self, comando: Comando, vezes: int) -> None:
        self.ask(*[self._call(comando)] * vezes)

    @rule(
        produto=st.sampled_from([0, 1]),
        estoque=st.integers(1, 3),
        pedidas=st.lists(quantidades, min_size=4, max_size=4),
    )
    def as_ultimas(self, produto: int, estoque: int, pedidas: list[int]) -> None:
        """Four customers, and fewer cakes."""
        self.ask(self._call(Comando("AtualizarEstoque", produto, estoque, -1, pb.DEFINIR)))
        self.chaves = [str(uuid.uuid4()) for _ in range(4)]
        self.todas += self.chaves
        reservas = [
            Comando("ReservarEstoque", chave=chave, itens=((produto, quantidade),))
            for chave, quantidade in enumerate(pedidas)
        ]
        self.ask(*map(self._call, reservas))

    @rule(chave=chaves, itens=itens, fins=st.lists(de_reserva, min_size=1, max_size=3))
    def reservada_e_encerrada_ao_mesmo_tempo(
        self, chave: int, itens: tuple[tuple[int, int], ...], fins: list[Comando]
    ) -> None:
        reserva = Comando("ReservarEstoque", chave=chave, itens=itens)
        self.ask(*map(self._call, [reserva, *(fim._replace(chave=chave) for fim in fins)]))

    @rule(comando=reservar, fins=st.lists(st.one_of(de_reserva, reservar), max_size=4))
    def vencida_e_disputada(self, comando: Comando, fins: list[Comando]) -> None:
        """Its time is over; whoever comes first finds it so, and the others want its stock."""
        self.ask(self._call(comando))
        self.passar_o_tempo(24)
        disputa = [fim._replace(chave=comando.chave) if fim.rpc != comando.rpc else fim for fim in fins]
        self.ask(*map(self._call, disputa))

    @rule(qual=st.integers(0, 11), vezes=st.integers(1, 3))
    def repetir(self, qual: int, vezes: int) -> None:
        """Word for word what was asked before."""
        self.ask(*[self.asked[qual % len(self.asked)]] * vezes)

    @rule(novos=st.lists(criacoes, min_size=1, max_size=2), chave=st.integers(-1, 2), vezes=st.integers(1, 2))
    def criar(self, novos: list[dict[str, Any]], chave: int, vezes: int) -> None:
        self.ask(*[self._criar(novo, chave) for novo in novos] * vezes)

    @rule(produto=produtos, campos=alteracoes, versao=st.sampled_from([0, 0, 1, 2]), mascara=st.booleans())
    def alterar(self, produto: int, campos: dict[str, Any], versao: int, *, mascara: bool) -> None:
        self.ask(self._alterar(produto, campos, versao, mascara=mascara))

    @rule(produto=produtos, um=alteracoes, outro=alteracoes, comandos=st.lists(de_estoque, max_size=2))
    def editado_por_dois(
        self, produto: int, um: dict[str, Any], outro: dict[str, Any], comandos: list[Comando]
    ) -> None:
        """Both with the version that they read: at most one wins, whatever customers do meanwhile."""
        lido = self.model.produtos.get(self._produto_id(produto))
        versao = lido.versao if lido else 1
        dois = [self._alterar(produto, campos, versao, mascara=True) for campos in (um, outro)]
        self.ask(*dois, *map(self._call, comandos))

    @rule(comando=excluir)
    def excluir(self, comando: Comando) -> None:
        self.ask(self._call(comando))

    @rule(nome=st.sampled_from(["Bolos", "BÓLOS", "Doces", "doces "]))
    def criar_categoria(self, nome: str) -> None:
        self.ask(self._categoria(nome))

    @rule(vezes=st.sampled_from([1, 2, 24]))
    def passar_o_tempo(self, vezes: int) -> None:
        shift = self.door.passar(vezes * PASSOS, self.todas)
        self.model.agora += vezes * PASSOS
        self.prazos = {reserva_id: prazo - shift for reserva_id, prazo in self.prazos.items()}

    @rule()
    def varrer(self) -> None:
        """Reservations whose time is over give their stock back without anybody asking."""
        self.run(self.door.varrer(self.todas))
        self.explained([], [])
        assert not list(self.model.spontaneous()), "stock of an expired reservation is still set aside"

    @rule(
        ordenar_por=st.integers(0, 4),
        apenas_disponiveis=st.booleans(),
        incluir_inativos=st.booleans(),
        categoria=st.integers(0, 1),
        busca=st.sampled_from(["", "bolo", "PÃO", "nozes"]),
        page_size=st.integers(1, 3),
    )
    def listar(self, categoria: int, page_size: int, **filtro: Any) -> None:
        pedido = pb.ListarProdutosRequest(categoria=str(self._categoria_id(categoria)), **filtro)
        self._settle()
        certo = _comparable(pedido, self.model.listados(pedido))
        self.run(eventually(lambda: self._paginas(pedido, page_size), certo, patient=self._patient()))

    @rule(produto=produtos)
    def obter(self, produto: int) -> None:
        self._obter(self._produto_id(produto))

    @rule(qual=st.integers(0, 8), produto=produtos, chave=chaves)
    def pedir_o_que_nao_vale(self, qual: int, produto: int, chave: int) -> None:
        call, field = self._invalidos(self._produto_id(produto), self.chaves[chave % 4])[qual]
        assert self.run(self.door.call(*call)) == invalid(field), call
        self.explained([], [])

    def finish(self) -> None:
        """Whatever happened, in the end every question is answered as the model would."""
        for produto_id in self.model.produtos:
            self._obter(produto_id)
        for chave in range(4):
            self.ask(self._call(Comando("ObterReserva", chave=chave)))

    # How it is held against the model.

    def observed(self) -> object:
        return self.door.retrato(self.model.categorias, self.todas)

    def observable(self, model: Catalogo) -> object:
        saldos = {produto_id: produto.saldo for produto_id, produto in model.produtos.items()}
        return saldos, {key: reserva.status for key, reserva in model.reservas.items()}, model.razao

    def ask(self, *calls: Call) -> list[Answer]:
        told = super().ask(*calls)
        for reserva_id, prazo in self.prazos.items():
            reserva = self.model.reservas[reserva_id]
            certo = self.door.agora() + timedelta(seconds=reserva.vence - self.model.agora)
            assert abs(prazo - certo) < DRIFT, f"{reserva_id} ends at {prazo} instead of about {certo}"
        return told

    def said(self, answer: Answer) -> Answer:
        """The end of a reservation is a moment of the service's clock: once told, it stays."""
        assert self.door.pode_calar or not isinstance(answer, Unknown), answer
        reserva = answer if isinstance(answer, pb.Reserva) else getattr(answer, "reserva", None)
        if reserva is None:
            return answer
        assert reserva.HasField("expira_em") == bool(reserva.itens), reserva
        if reserva.itens:
            prazo = reserva.expira_em.ToDatetime(tzinfo=self.door.agora().tzinfo)
            assert self.prazos.setdefault(reserva.reserva_id, prazo) == prazo, "the end of a reservation moved"
            reserva.ClearField("expira_em")
        return answer

    def _settle(self) -> None:
        """What is due may happen at any moment: it happens now, so that only one answer is right."""
        if any(True for _ in self.model.spontaneous()):
            self.run(self.door.varrer(self.todas))
            self.explained([], [])

    def _obter(self, produto_id: int) -> None:
        self._settle()
        call = Call("ObterProduto", pb.ObterProdutoRequest(produto_id=produto_id))
        step = self.model.copy().step(call, Refusal("", ""), None)
        certo = step(self.model) if callable(step) else step
        self.run(eventually(lambda: self.door.call(*call), certo, patient=self._patient()))

    def _patient(self) -> bool:
        """What this process did by itself it shows a moment after the commit, not before an answer."""
        varridas = any(reserva.status == "EXPIRADA" for reserva in self.model.reservas.values())
        return varridas or not self.door.mostra_logo

    async def _paginas(self, pedido: pb.ListarProdutosRequest, page_size: int) -> list[Message] | Answer:
        found: list[Message] = []
        pagina_de = pb.ListarProdutosRequest(page_size=page_size)
        pagina_de.MergeFrom(pedido)
        while True:
            pagina = await self.door.call("ListarProdutos", pagina_de)
            if not isinstance(pagina, pb.ListarProdutosResponse):
                return pagina
            assert len(pagina.produtos) <= page_size
            found += pagina.produtos
            if not pagina.next_page_token:
                return _comparable(pedido, found)
            pagina_de.page_token = pagina.next_page_token

    # Requests.

    def _produto_id(self, place: int) -> int:
        conhecidos = sorted(self.model.produtos)
        return conhecidos[place] if place < len(conhecidos) else UNKNOWN

    def _categoria_id(self, place: int) -> int:
        conhecidas = sorted(self.model.categorias)
        return conhecidas[place] if place < 2 else UNKNOWN

    def _categoria(self, nome: str) -> Call:
        nome = f"{self.tag} {nome}"
        return Call("CriarCategoria", pb.CriarCategoriaRequest(categoria=pb.Categoria(nome=nome)))

    def _criar(self, novo: dict[str, Any], chave: int) -> Call:
        campos = novo | {"categoria_id": self._categoria_id(novo["categoria_id"])}
        request_id = self.chaves[chave] if chave >= 0 else ""
        return Call("CriarProduto", pb.CriarProdutoRequest(produto=pb.Produto(**campos), request_id=request_id))

    def _alterar(self, produto: int, campos: dict[str, Any], versao: int, *, mascara: bool) -> Call:
        if "categoria_id" in campos:
            campos = campos | {"categoria_id": self._categoria_id(campos["categoria_id"])}
        message = pb.Produto(produto_id=self._produto_id(produto), versao=versao, **campos)
        mask = FieldMask(paths=list(campos) if mascara else [])
        return Call("AtualizarProduto", pb.AtualizarProdutoRequest(produto=message, update_mask=mask))

    def _call(self, comando: Comando) -> Call:
        return Call(comando.rpc, self._requests[comando.rpc](self, comando))

    def _reserva_id(self, place: int) -> str:
        return self.chaves[place] if place < 4 else self.chaves[0].upper()

    def _reservar(self, comando: Comando) -> pb.ReservarEstoqueRequest:
        # Unknown products are one product, and each may be asked for once.
        unidades = {self._produto_id(produto): quantidade for produto, quantidade in comando.itens}
        itens = [pb.ItemReservar(produto_id=key, quantidade=quantidade) for key, quantidade in unidades.items()]
        return pb.ReservarEstoqueRequest(
            reserva_id=self._reserva_id(comando.chave), itens=itens, validade_segundos=VALIDADES[comando.chave % 4]
        )

    def _ajustar(self, comando: Comando) -> pb.AtualizarEstoqueRequest:
        return pb.AtualizarEstoqueRequest(
            produto_id=self._produto_id(comando.produto),
            operacao=comando.operacao,
            quantidade=comando.quantidade,
            request_id=self.chaves[comando.chave] if comando.chave >= 0 else "",
        )

    def _verificar(self, comando: Comando) -> pb.VerificarEstoqueRequest:
        return pb.VerificarEstoqueRequest(produto_id=self._produto_id(comando.produto), quantidade=comando.quantidade)

    def _excluir(self, comando: Comando) -> pb.ExcluirProdutoRequest:
        return pb.ExcluirProdutoRequest(produto_id=self._produto_id(comando.produto))

    _requests: ClassVar[dict[str, Callable[["CatalogoMachine", Comando], Message]]] = {
        "ReservarEstoque": _reservar,
        "ConfirmarReserva": lambda self, c: pb.ConfirmarReservaRequest(reserva_id=self._reserva_id(c.chave)),
        "LiberarReserva": lambda self, c: pb.LiberarReservaRequest(reserva_id=self._reserva_id(c.chave)),
        "ObterReserva": lambda self, c: pb.ObterReservaRequest(reserva_id=self._reserva_id(c.chave)),
        "AtualizarEstoque": _ajustar,
        "VerificarEstoque": _verificar,
        "ExcluirProduto": _excluir,
    }

    def _invalidos(self, produto_id: int, chave: str) -> list[tuple[Call, str]]:
        """Requests that must change nothing, and the field that each is refused for."""
        item = pb.ItemReservar(produto_id=produto_id, quantidade=1)
        ajuste: dict[str, Any] = {"produto_id": produto_id, "quantidade": 1, "operacao": pb.ADICIONAR}
        produto: dict[str, Any] = {"nome": "Bolo", "preco_centavos": 1, "categoria_id": self._categoria_id(0)}
        reservar, ajustar, criar = pb.ReservarEstoqueRequest, pb.AtualizarEstoqueRequest, pb.CriarProdutoRequest
        return [
            (Call("ReservarEstoque", reservar(reserva_id=chave)), "itens"),
            (Call("ReservarEstoque", reservar(reserva_id=chave, itens=[item, item])), "itens"),
            (Call("ReservarEstoque", reservar(reserva_id="bolo", itens=[item])), "reserva_id"),
            (Call("ConfirmarReserva", pb.ConfirmarReservaRequest(reserva_id=chave[:-1])), "reserva_id"),
            (Call("LiberarReserva", pb.LiberarReservaRequest()), "reserva_id"),
            (Call("AtualizarEstoque", ajustar(**(ajuste | {"quantidade": -1}))), "quantidade"),
            (Call("AtualizarEstoque", ajustar(**(ajuste | {"operacao": 0}))), "operacao"),
            (Call("AtualizarEstoque", ajustar(**ajuste, request_id="1")), "request_id"),
            (Call("CriarProduto", criar(produto=pb.Produto(**(produto | {"nome": " "})))), "produto.nome"),
        ]


def _effect(comando: Comando) -> Comando:
    """Without what nobody could see afterwards: which of two adjustments that are alike was the one that was made."""
    return comando._replace(chave=-1) if comando.rpc == "AtualizarEstoque" else comando


class CatalogoMortalMachine(CatalogoMachine):
    """The same, while processes die: what was not answered may have happened, and is found again by its key."""

    door: PortaMortal

    @rule(
        comandos=st.lists(de_estoque, min_size=2, max_size=4, unique_by=_effect),
        qual=st.integers(0, 1),
        milissegundos=st.sampled_from([0, 0, 1, 1, 2, 3, 5]),
    )
    def morre(self, comandos: list[Comando], qual: int, milissegundos: int) -> None:
        calls = list(map(self._call, comandos))
        self.asked += calls
        self.explained(calls, self.run(self.door.morre(calls, qual, milissegundos)))


def _comparable(pedido: pb.ListarProdutosRequest, produtos: list[Any]) -> list[Any]:
    """Of two made at once only the database's clock knows which is newer (that order: unit/catalogo/test_index.py)."""
    return sorted(produtos, key=lambda p: p.produto_id) if pedido.ordenar_por == pb.MAIS_NOVOS else produtos
