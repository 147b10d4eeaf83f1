"""All that can be asked of carts, in any order and at once, while the catalog changes or is away."""

import itertools
import uuid
from typing import Any, ClassVar, NamedTuple

from confeitaria.carrinho.v1 import carrinho_pb2 as pb
from google.protobuf.message import Message
from hypothesis import assume
from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule

from tests.model.answers import Answer, invalid
from tests.model.carrinho_doors import Porta, PortaGrpc
from tests.model.explaining import Call
from tests.model.machine import Machine, Run
from tests.model.models.carrinho import DIA, Carrinhos, Produto, mensagem

MUITOS = range(10, 62)  # places of products that only fill carts
SONDA = 9  # the place of one that no cart of the machine holds


class Comando(NamedTuple):
    """A request whose numbers are places in what the example knows: carts, products, keys."""

    rpc: str
    sessao: int = 0
    produto: int = 0
    quantidade: int = 1
    chave: int = -1
    versao: int = 0


def comandos(*rpcs: str, **campos: st.SearchStrategy[Any]) -> st.SearchStrategy[Comando]:
    """One of these RPCs; fields that are not named keep their default."""
    return st.fixed_dictionaries({"rpc": st.sampled_from(rpcs), **campos}).map(lambda given: Comando(**given))


sessoes = st.sampled_from([0, 0, 0, 0, 0, 1, 1, 2])  # the last is dead, or nobody's
produtos = st.sampled_from([0, 0, 0, 1, 1, 2, 3])  # the last is unknown
chaves = st.sampled_from([-1, -1, -1, 0, 0, 1, 2])
quantidades = st.sampled_from([1, 1, 2, 3, 500, 1_000])
adicionar = comandos("AdicionarItem", sessao=sessoes, produto=produtos, quantidade=quantidades, chave=chaves)
atualizar = comandos(
    "AtualizarItem", sessao=sessoes, produto=produtos, quantidade=st.sampled_from([0, 1, 2, 3, 999, 1_000])
)
remover = comandos("RemoverItem", sessao=sessoes, produto=produtos)
esvaziar = comandos("EsvaziarCarrinho", sessao=sessoes, versao=st.sampled_from([0, 1, 1, 2]))  # 1: its own
obter = comandos("ObterCarrinho", sessao=sessoes)
mudancas = st.one_of(adicionar, adicionar, adicionar, atualizar, atualizar, remover, esvaziar, obter)
no_catalogo = st.builds(
    Produto,
    st.sampled_from(["Bolo", "Pão de ló 🍰", ""]),
    st.sampled_from([1, 127, 128, 1_000_000]),
    st.sampled_from([0, 3, 1_000, 1_000_000, 1_000_000]),
    st.sampled_from([True, True, True, False]),
)


class CarrinhoMachine(Machine[Porta, Carrinhos]):
    REMEMBERED = 16
    examples: ClassVar = itertools.count(1)

    def __init__(self, door: Porta, run: Run) -> None:
        super().__init__(door, Carrinhos(), run)
        self.base = next(self.examples) * 100  # the example's own products
        self.chaves = [str(uuid.uuid4()) for _ in range(20)]
        self.prazos: dict[tuple[str, int], int] = {}  # when a version of a cart ends, as first told, in nanoseconds
        self.sessoes: set[str] = set()  # every cart that was ever told of
        self.catalogo_mudou = 0

    # What happens.

    @initialize(estoques=st.tuples(st.sampled_from([3, 2_000]), st.sampled_from([2_000, 1_000_000])))
    def abrir(self, estoques: tuple[int, int]) -> None:
        conhecidos = [Produto("Bolo", 1_000, estoques[0]), Produto("Torta", 1_000_000, estoques[1])]
        outros = [Produto("Pão", 1_000_000, 1_000_000)]
        self.model.produtos = {self.base + place: each for place, each in enumerate([*conhecidos, *outros])}
        for place in (SONDA, *MUITOS):
            self.model.produtos[self.base + place] = Produto(f"Doce {place}", 1, 1_000)
        self.door.catalogo(self.model.produtos, fora=False)
        self.run(self.door.reencontrar(self.base + SONDA))
        for _ in range(2):
            self.ask(Call("CriarCarrinho", pb.CriarCarrinhoRequest()))

    @rule(comando=mudancas)
    def um(self, comando: Comando) -> None:
        self.ask(self._call(comando))

    @rule(comandos=st.lists(mudancas, min_size=2, max_size=4))
    def juntos(self, comandos: list[Comando]) -> None:
        self.ask(*map(self._call, comandos))

    @rule(comandos=st.lists(mudancas, min_size=3, max_size=4))
    def abas(self, comandos: list[Comando]) -> None:
        """Several tabs of one browser."""
        self.ask(*(self._call(comando._replace(sessao=0)) for comando in comandos))

    @rule(qual=st.integers(0, 15), vezes=st.integers(1, 4))
    def repetir(self, qual: int, vezes: int) -> None:
        """Word for word what was asked before."""
        self.ask(*[self.asked[qual % len(self.asked)]] * vezes)

    @rule()
    def muitos_produtos(self) -> None:
        """More than a cart holds."""
        cheio = len(self.model.carrinhos[self._sessao_id(1)].itens) > MUITOS.stop - MUITOS.start - 5
        for place in MUITOS[-1:] if cheio else MUITOS:
            self.ask(self._call(Comando("AdicionarItem", sessao=1, produto=place)))

    @rule(chave=chaves)
    def muitas_chaves(self, chave: int) -> None:
        """As many as push the older ones out of memory."""
        for outra in range(3, 18):
            self.ask(self._call(Comando("AdicionarItem", produto=2, chave=outra)))
        self.ask(self._call(Comando("AdicionarItem", produto=2, chave=chave)))

    @precondition(lambda self: self.catalogo_mudou < self.door.mudancas)
    @rule(produto=st.integers(0, 2), novo=no_catalogo, fora=st.booleans())
    def o_catalogo_muda(self, produto: int, novo: Produto, *, fora: bool) -> None:
        """And nobody remembers what it said before."""
        self.catalogo_mudou += 1
        if not fora and self.model.fora:
            self.o_catalogo_volta()
        self.model.produtos = self.model.produtos | {self.base + produto: novo}
        self.model.fora = fora
        self.door.catalogo(self.model.produtos, fora=fora)
        self.run(self.door.esquecer())

    @precondition(lambda self: self.model.fora)
    @rule()
    def o_catalogo_volta(self) -> None:
        self.model.fora = False
        sonda = max(self.model.produtos) + 1  # nobody knows it yet
        self.model.produtos = self.model.produtos | {sonda: Produto("Sonda", 1, 5)}
        self.door.catalogo(self.model.produtos, fora=False)
        self.run(self.door.reencontrar(sonda))

    @rule(segundos=st.sampled_from([DIA // 2, DIA // 2, DIA]))
    def passar_o_tempo(self, segundos: int) -> None:
        self.door.passar(segundos, self.model.carrinhos)
        self.model.agora += segundos
        self.explained([], [])
        while len(self.model.vivos()) < 2:
            self.ask(Call("CriarCarrinho", pb.CriarCarrinhoRequest()))

    @rule(qual=st.integers(0, 6), sessao=sessoes)
    def pedir_o_que_nao_vale(self, qual: int, sessao: int) -> None:
        call, field = self._invalidos(self._sessao_id(sessao))[qual]
        assert self.run(self.door.call(*call)) == invalid(field), call
        self.explained([], [])

    def finish(self) -> None:
        """Whatever happened, in the end every cart is as the model has it."""
        for sessao_id in list(self.model.carrinhos):
            self.ask(Call("ObterCarrinho", pb.ObterCarrinhoRequest(sessao_id=sessao_id)))

    # How it is held against the model.

    def explained(self, calls: Any, answers: Any) -> list[Answer]:
        if not self.door.em_tempo:
            self.over = True
            assume(False)
        return super().explained(calls, answers)

    def observed(self) -> object:
        found = self.run(self.door.guardados(self.sessoes))
        return {sessao_id: self.said(carrinho) for sessao_id, carrinho in found.items()}

    def observable(self, model: Carrinhos) -> object:
        return {sessao_id: mensagem(sessao_id, carrinho) for sessao_id, carrinho in model.vivos().items()}

    def said(self, answer: Answer) -> Answer:
        """The end of a cart is a day after the change that made this version of it, whoever tells it."""
        if isinstance(answer, pb.Carrinho):
            self.sessoes.add(answer.sessao_id)
            prazo = answer.expira_em.ToNanoseconds()
            version = answer.sessao_id, answer.versao
            if version not in self.prazos:
                assert abs(prazo / 1e9 - self.door.agora() - DIA) < 60, "a change gives a cart another day"
            assert self.prazos.setdefault(version, prazo) == prazo, "reading prolongs nothing"
            answer.ClearField("expira_em")
        return answer

    # Requests.

    def _sessao_id(self, place: int) -> str:
        """A live cart, or else one whose time is over, or nobody's."""
        vivos = list(self.model.vivos())
        mortos = [sessao_id for sessao_id in self.model.carrinhos if sessao_id not in vivos]
        return vivos[place] if place < 2 else [*mortos, "A" * 22][0]

    def _produto_id(self, place: int) -> int:
        return self.base + place if place != 3 else 2**31 - 1

    def _call(self, comando: Comando) -> Call:
        return Call(comando.rpc, self._request(comando))

    def _request(self, comando: Comando) -> Message:
        sessao_id, produto_id = self._sessao_id(comando.sessao), self._produto_id(comando.produto)
        match comando.rpc:
            case "AdicionarItem":
                request_id = self.chaves[comando.chave] if comando.chave >= 0 else ""
                return pb.AdicionarItemRequest(
                    sessao_id=sessao_id, produto_id=produto_id, quantidade=comando.quantidade, request_id=request_id
                )
            case "AtualizarItem":
                return pb.AtualizarItemRequest(
                    sessao_id=sessao_id, produto_id=produto_id, quantidade=comando.quantidade
                )
            case "RemoverItem":
                return pb.RemoverItemRequest(sessao_id=sessao_id, produto_id=produto_id)
            case "EsvaziarCarrinho":
                carrinho = self.model.carrinhos.get(sessao_id)
                atual = carrinho.versao if carrinho else 0
                return pb.EsvaziarCarrinhoRequest(
                    sessao_id=sessao_id, versao=comando.versao and atual + comando.versao - 1
                )
            case _:
                return pb.ObterCarrinhoRequest(sessao_id=sessao_id)

    def _invalidos(self, sessao_id: str) -> list[tuple[Call, str]]:
        """Requests that must change nothing, and the field that each is refused for."""
        item: dict[str, Any] = {"sessao_id": sessao_id, "produto_id": self.base, "quantidade": 1}
        adicionar, atualizar = pb.AdicionarItemRequest, pb.AtualizarItemRequest
        return [
            (Call("AdicionarItem", adicionar(**(item | {"quantidade": 0}))), "quantidade"),
            (Call("AdicionarItem", adicionar(**(item | {"quantidade": 1_001}))), "quantidade"),
            (Call("AdicionarItem", adicionar(**(item | {"produto_id": 0}))), "produto_id"),
            (Call("AdicionarItem", adicionar(**item, request_id="1")), "request_id"),
            (Call("AtualizarItem", atualizar(**(item | {"quantidade": -1}))), "quantidade"),
            (Call("EsvaziarCarrinho", pb.EsvaziarCarrinhoRequest(sessao_id=sessao_id, versao=-1)), "versao"),
            (Call("ObterCarrinho", pb.ObterCarrinhoRequest()), "sessao_id"),
        ]


def _effect(comando: Comando) -> Comando:
    """Without what nobody could see afterwards: which of two changes that are alike was the one that was made."""
    return comando._replace(chave=-1)


class CarrinhoMortalMachine(CarrinhoMachine):
    """The same, while the process or Valkey dies: what was not answered may have happened."""

    door: PortaGrpc

    @precondition(lambda self: not self.model.fora)
    @rule(
        comandos=st.lists(mudancas, min_size=2, max_size=4, unique_by=_effect),
        valkey=st.booleans(),
        milissegundos=st.sampled_from([0, 0, 1, 1, 2, 3]),
    )
    def morre(self, comandos: list[Comando], milissegundos: int, *, valkey: bool) -> None:
        calls = [self._call(comando) for comando in comandos]
        self.asked += calls
        self.explained(calls, self.run(self.door.morre(calls, milissegundos, valkey=valkey)))
        if not valkey:
            self.model.conhecidos = {}
