"""Freshness on request over the fakes: what a token promises, and what a read with one does."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import cast

import pytest
from confeitaria.catalogo.v1 import catalogo_pb2 as pb

from catalogo.domain.produtos import Momento, NovaCategoria
from catalogo.frescor import FRESCOR, MOST, LeituraAtrasada
from catalogo.servicer import CatalogoServicer
from catalogo.use_cases import Catalogo, Marca
from catalogo.vitrine.window import VitrineEmMemoria
from chassis.context import Call, enter
from chassis.errors import InvalidRequest
from chassis.paging import PageTokens
from tests.fakes.catalogo import Armazem, FakeAlteracoes, FakeEstoque, FakeProdutos

KEY = b"k" * 32
PATIENT = 30.0  # seconds: a wait that ends by itself fails the test


class Instance:
    """A process of the catalog; all of them share a warehouse, and each has a copy that may be behind."""

    def __init__(self, armazem: Armazem, patience: float = PATIENT) -> None:
        self.copy = FakeAlteracoes(armazem)
        self.vitrine = VitrineEmMemoria(self.copy, patience=patience)
        self.catalogo = Catalogo(FakeProdutos(armazem), FakeEstoque(armazem), self.vitrine)
        self.servicer = CatalogoServicer(self.catalogo, self.vitrine, PageTokens(KEY))

    @asynccontextmanager
    async def following(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self.vitrine.seguir())
        yield
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def read(instance: Instance, token: str, produto_id: int = 1) -> bytes | Coroutine[None, None, bytes]:
    enter(Call(((FRESCOR, token),)))
    return instance.servicer.ObterProduto(pb.ObterProdutoRequest(produto_id=produto_id), None)


async def late(instance: Instance, token: str) -> pb.Produto:
    answer = read(instance, token)
    assert asyncio.iscoroutine(answer), "it was answered at once"
    return pb.Produto.FromString(await answer)


async def restock(instance: Instance, units: int) -> str:
    """The token of the change."""
    call = Call()
    enter(call)
    request = pb.AtualizarEstoqueRequest(produto_id=1, operacao=pb.DEFINIR, quantidade=units)
    await instance.servicer.AtualizarEstoque(request, None)
    ((name, token),) = call.announced
    assert name == FRESCOR
    return token


@pytest.fixture
async def armazem() -> Armazem:
    armazem = Armazem()
    maker = Instance(armazem)
    await maker.catalogo.criar_categoria(NovaCategoria("Bolos", ""))
    produto = pb.Produto(nome="Bolo", preco_centavos=100, categoria_id=1, estoque=5)
    await maker.servicer.CriarProduto(pb.CriarProdutoRequest(produto=produto), None)
    return armazem


@pytest.fixture
async def here(armazem: Armazem) -> Instance:
    here = Instance(armazem)
    await here.vitrine.atualizar()
    return here


@pytest.fixture
async def there(armazem: Armazem) -> Instance:
    there = Instance(armazem)
    await there.vitrine.atualizar()
    return there


async def test_every_change_announces_its_moment(here: Instance) -> None:
    async def announced(call: Coroutine[None, None, object]) -> int:
        told = Call()
        enter(told)
        await call
        return len(told.announced)

    produto = pb.Produto(produto_id=1, nome="Torta", preco_centavos=1, categoria_id=1)
    categoria = pb.Categoria(nome="Tortas")
    stock = pb.AtualizarEstoqueRequest(produto_id=1, operacao=pb.ADICIONAR, quantidade=1)
    for change in (
        here.servicer.CriarProduto(pb.CriarProdutoRequest(produto=produto), None),
        here.servicer.AtualizarProduto(pb.AtualizarProdutoRequest(produto=produto), None),
        here.servicer.AtualizarEstoque(stock, None),
        here.servicer.CriarCategoria(pb.CriarCategoriaRequest(categoria=categoria), None),
        here.servicer.ExcluirProduto(pb.ExcluirProdutoRequest(produto_id=1), None),
    ):
        assert await announced(change) == 1


async def test_a_read_whose_moment_is_shown_is_answered_at_once(here: Instance) -> None:
    token = await restock(here, 7)
    await here.vitrine.atualizar()
    for value in ("", token, f"{token}, {token}"):
        assert pb.Produto.FromString(cast("bytes", read(here, value))).estoque == 7
    enter(Call(((FRESCOR, token),)))
    assert isinstance(here.servicer.ListarProdutos(pb.ListarProdutosRequest(), None), bytes)
    assert isinstance(here.servicer.ListarCategorias(pb.ListarCategoriasRequest(), None), bytes)


async def test_a_read_waits_for_another_instances_change_and_wakes_the_window(here: Instance, there: Instance) -> None:
    async with there.following():
        for units in range(20):
            token = await restock(here, units)
            async with asyncio.timeout(10):
                assert (await late(there, token)).estoque == units
    assert there.copy.asked_for, "the database was told what was waited for"


async def test_a_copy_that_stays_behind_refuses_in_time(here: Instance, armazem: Armazem) -> None:
    behind = Instance(armazem, patience=0.05)
    await behind.vitrine.atualizar()
    behind.copy.arrived = 0
    token = await restock(here, 9)
    async with behind.following():
        with pytest.raises(LeituraAtrasada) as caught:
            await late(behind, token)
        assert caught.value.retry_after
        assert pb.Produto.FromString(cast("bytes", read(behind, ""))).estoque == 5, "without a token it answers"
        behind.copy.arrived = None
        async with asyncio.timeout(10):
            while asyncio.iscoroutine(answer := read(behind, token)):
                answer.close()
                await asyncio.sleep(0.01)
    assert pb.Produto.FromString(answer).estoque == 9


async def test_a_caller_in_a_hurry_leaves_half_of_its_time_to_the_next_instance(armazem: Armazem) -> None:
    instance = Instance(armazem)
    await instance.vitrine.atualizar()
    call = Call()
    loop = asyncio.get_running_loop()
    call.end = loop.time() + 1
    enter(call)
    with pytest.raises(LeituraAtrasada):
        await instance.vitrine.alcancar(Momento(1, 1_000))
    assert loop.time() < call.end


async def test_a_reader_that_goes_away_is_forgotten(here: Instance, there: Instance) -> None:
    token = await restock(here, 3)
    task = asyncio.create_task(late(there, token))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await there.vitrine.atualizar()
    assert there.copy.asked_for == set()


async def test_several_changes_are_all_waited_for(here: Instance, there: Instance) -> None:
    tokens = [await restock(here, units) for units in (1, 2, 3)]
    async with there.following(), asyncio.timeout(10):
        assert (await late(there, ",".join(tokens))).estoque == 3


@pytest.mark.parametrize("bad", ["x", "AAAA", "1:2", "é", ",", ",".join(["a"] * (MOST + 1)), "a" * 9_000])
async def test_a_value_that_no_answer_gave_is_refused_by_name(here: Instance, bad: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        read(here, bad)
    assert [field for field, _ in caught.value.violations] == [FRESCOR]


async def test_an_altered_value_a_foreign_one_and_a_page_token_are_refused(here: Instance) -> None:
    token = await restock(here, 2)
    altered = token[:-2] + ("A" if token[-2] != "A" else "B") + token[-1]
    foreign = PageTokens(b"other" * 8).encode((FRESCOR,), (1, 1))
    page = PageTokens(KEY).encode(("filter",), (1, 1))
    for bad in (altered, foreign, page):
        with pytest.raises(InvalidRequest):
            read(here, bad)


async def test_a_change_after_a_promotion_is_not_met_by_the_history_that_was_left(
    here: Instance, there: Instance, armazem: Armazem
) -> None:
    """A primary that goes on alone has transactions of the same numbers as the one that took its place."""
    lost = [await restock(here, units) for units in (50, 51, 52)]
    await there.vitrine.atualizar()  # the old primary, which does not know yet
    del armazem.history[-3:]
    armazem.linha = 2
    token = await restock(here, 6)
    assert not there.vitrine.mostra(armazem.history[-1].momento)
    assert isinstance(read(there, lost[0]), bytes)
    there.copy.server = "2"  # rewound: it comes back on the new timeline
    await there.vitrine.atualizar()
    assert pb.Produto.FromString(cast("bytes", read(there, token))).estoque == 6


@pytest.mark.parametrize(
    ("momento", "expected"),
    [
        (Momento(1, 89), True),  # below the horizon: decided
        (Momento(1, 90), False),  # the oldest that is open
        (Momento(1, 91), True),  # ended although an older one is open
        (Momento(1, 95), False),  # open
        (Momento(1, 100), False),  # not begun when the snapshot was taken
        (Momento(2, 10), False),  # of a history that is not this one
        (Momento(0, 91), True),
    ],
)
def test_a_snapshot_includes_what_it_sees(momento: Momento, expected: bool) -> None:  # noqa: FBT001
    marca = Marca("s", "90:100:90,95", 90, 100, frozenset({90, 95}), linha=1)
    assert marca.inclui(momento) is expected


def test_a_copys_snapshot_includes_what_is_decided_or_was_asked_for() -> None:
    marca = Marca("s", "90:100:", 90, 100, copia=True, vistas=frozenset({91}), linha=1)
    included = [number for number in range(88, 101) if marca.inclui(Momento(1, number))]
    assert included == [88, 89, 91]
