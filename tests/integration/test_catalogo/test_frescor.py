"""Freshness on request on a real primary and its standby: open transactions, late replay, a promotion."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, contextmanager

import psycopg2
import pytest
from confeitaria.catalogo.v1 import catalogo_pb2 as pb

from catalogo.domain.estoque import Ajustar, Operacao
from catalogo.domain.produtos import Momento, Produto
from catalogo.frescor import LeituraAtrasada
from catalogo.repository.alteracoes import AlteracoesRepository
from catalogo.repository.estoque import EstoqueRepository
from catalogo.repository.produtos import ProdutoRepository
from catalogo.vitrine.window import VitrineEmMemoria
from chassis.postgres import Postgres
from tests.integration.test_catalogo.pair import Node, catalog, pair

NAME = "frescor"
PATIENT, IMPATIENT = 30.0, 0.3  # seconds: a wait that must end well, and one that must end badly


class Instance:
    """What a process of the catalog is made of, on one node."""

    def __init__(self, node: Node) -> None:
        self.node = node
        url = node.url(NAME, "catalogo_app")
        self.pools = [Postgres(url, application_name="escrita"), Postgres(url, application_name="vitrine", pool_size=1)]
        self.produtos = ProdutoRepository(self.pools[0])
        self.estoque = EstoqueRepository(self.pools[0])
        self.vitrine = VitrineEmMemoria(AlteracoesRepository(self.pools[1]), patience=PATIENT)
        self.following: asyncio.Task[None] | None = None

    def follow(self) -> None:
        self.following = asyncio.create_task(self.vitrine.seguir())

    async def restock(self, produto_id: int, units: int) -> Momento:
        feito = await self.estoque.executar(Ajustar(produto_id, Operacao.DEFINIR, units))
        assert isinstance(feito.resposta, Produto)
        return feito.resposta.momento

    def shown(self, produto_id: int) -> int:
        return pb.Produto.FromString(self.vitrine.obter(produto_id)).estoque

    async def close(self) -> None:
        if self.following is not None:
            self.following.cancel()
            await asyncio.gather(self.following, return_exceptions=True)
        for pool in self.pools:
            await pool.close()


@pytest.fixture(scope="module")
def nodes() -> Iterator[tuple[Node, Node]]:
    with pair() as (primary, standby):
        catalog(primary, standby, NAME)
        yield primary, standby


Make = Callable[[Node], Instance]


@pytest.fixture
async def make() -> AsyncIterator[Make]:
    """Instances that follow their node; each is closed at the end."""
    async with AsyncExitStack() as stack:

        def made(node: Node) -> Instance:
            instance = Instance(node)
            stack.push_async_callback(instance.close)
            instance.follow()
            return instance

        yield made


async def loaded(*instances: Instance) -> None:
    await eventually(lambda: all(instance.vitrine.idade() is not None for instance in instances))


async def eventually(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110  a server decides
            await asyncio.sleep(0.02)


@contextmanager
def open_transaction(node: Node, statement: str = "SELECT pg_current_xact_id()") -> Iterator[None]:
    """One that has a number and does not end."""
    connection = psycopg2.connect(node.url(NAME))
    with connection.cursor() as cursor:
        cursor.execute(statement)
        yield
    connection.rollback()
    connection.close()


@pytest.mark.parametrize("place", [0, 1], ids=["primary", "standby"])
async def test_a_change_is_seen_by_every_other_instance(nodes: tuple[Node, Node], make: Make, place: int) -> None:
    writer, reader = make(nodes[0]), make(nodes[place])
    await loaded(writer, reader)
    for units in range(50):
        momento = await writer.restock(1, units)
        await reader.vitrine.alcancar(momento)
        assert reader.shown(1) == units


@pytest.mark.parametrize("place", [0, 1], ids=["primary", "standby"])
async def test_an_open_transaction_holds_nobody_up_and_hides_nothing(
    nodes: tuple[Node, Node], make: Make, place: int
) -> None:
    """The horizon stays behind it; what was committed since must be shown, and known to be shown, all the same."""
    writer, reader = make(nodes[0]), make(nodes[place])
    await loaded(writer, reader)
    with open_transaction(nodes[0], "UPDATE produtos SET nome = 'Aberto' WHERE produto_id = 2"):
        for units in range(10):
            momento = await writer.restock(1, units)
            await reader.vitrine.alcancar(momento)
            assert reader.shown(1) == units
        assert reader.vitrine.mostra(momento), "and it stays known"
        assert b"Aberto" not in reader.vitrine.obter(2)


async def test_a_moment_is_not_reached_while_its_own_transaction_is_open(nodes: tuple[Node, Node], make: Make) -> None:
    primary, standby = (make(node) for node in nodes)
    await loaded(primary, standby)
    for instance in (primary, standby):
        instance.vitrine._patience = IMPATIENT
    connection = psycopg2.connect(nodes[0].url(NAME))
    with connection.cursor() as cursor:
        cursor.execute("UPDATE produtos SET descricao = 'x' WHERE produto_id = 3 RETURNING linha, mudanca")
        momento = Momento(*(cursor.fetchone() or ()))
        await primary.restock(1, 3)  # later numbers are committed
        for instance in (primary, standby):
            with pytest.raises(LeituraAtrasada):
                await instance.vitrine.alcancar(momento)
    connection.commit()
    connection.close()
    for instance in (primary, standby):
        instance.vitrine._patience = PATIENT
        await instance.vitrine.alcancar(momento)
        assert pb.Produto.FromString(instance.vitrine.obter(3)).descricao == "x"


async def test_a_standby_that_is_held_back_refuses_and_then_catches_up(nodes: tuple[Node, Node], make: Make) -> None:
    writer, reader = make(nodes[0]), make(nodes[1])
    await loaded(writer, reader)
    await reader.vitrine.alcancar(await writer.restock(1, 1))
    with nodes[1].held():
        momento = await writer.restock(1, 77)
        reader.vitrine._patience = IMPATIENT
        with pytest.raises(LeituraAtrasada):
            await reader.vitrine.alcancar(momento)
        assert reader.shown(1) == 1, "without a token it answers"
        reader.vitrine._patience = PATIENT
        waiting = asyncio.create_task(reader.vitrine.alcancar(momento))
        await asyncio.sleep(0)
        assert not waiting.done()
    await waiting
    assert reader.shown(1) == 77


async def test_a_commit_that_waits_for_a_standby_is_not_taken_for_shown(nodes: tuple[Node, Node], make: Make) -> None:
    """It is in the log before anybody sees it: by a position in the log its readers would be served too soon."""
    writer, reader = make(nodes[0]), make(nodes[0])
    await loaded(writer, reader)
    await writer.restock(1, 1)
    await writer.restock(2, 1)
    nodes[0].query("ALTER SYSTEM SET synchronous_standby_names = 'nobody'")
    nodes[0].query("SELECT pg_reload_conf()")
    waits = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND application_name = 'escrita'"
    stuck = asyncio.create_task(writer.restock(1, 88))
    try:
        await eventually(lambda: nodes[0].query(waits) == "1")
        connection = psycopg2.connect(nodes[0].url(NAME))
        with connection, connection.cursor() as cursor:  # later in the log, and seen at once
            cursor.execute("SET LOCAL synchronous_commit = local")
            cursor.execute("UPDATE produtos SET descricao = 'y' WHERE produto_id = 2 RETURNING linha, mudanca")
            later = Momento(*(cursor.fetchone() or ()))
        connection.close()
        await reader.vitrine.alcancar(later)
        assert reader.shown(1) == 1
    finally:
        nodes[0].query("ALTER SYSTEM RESET synchronous_standby_names")
        nodes[0].query("SELECT pg_reload_conf()")
    momento = await stuck
    await reader.vitrine.alcancar(momento)
    assert reader.shown(1) == 88


async def test_a_storm_of_changes_never_shows_anybody_less_than_he_has_seen(
    nodes: tuple[Node, Node], make: Make
) -> None:
    """Transactions overlap and commit in any order; each is looked for on both nodes as soon as it was answered."""
    writer, *readers = make(nodes[0]), make(nodes[0]), make(nodes[1])
    await loaded(writer, *readers)
    stop = threading.Event()

    def disturb() -> None:
        connection = psycopg2.connect(nodes[0].url(NAME))
        while not stop.is_set():
            with connection, connection.cursor() as cursor:
                cursor.execute("UPDATE produtos SET descricao = descricao WHERE produto_id = 9")
                stop.wait(0.03)
        connection.close()

    async def customer(produto_id: int) -> None:
        for units in range(25):
            momento = await writer.restock(produto_id, units)
            for reader in readers:
                await reader.vitrine.alcancar(momento)
                assert reader.shown(produto_id) == units

    thread = threading.Thread(target=disturb)
    thread.start()
    try:
        await asyncio.gather(*(customer(produto_id) for produto_id in range(1, 7)))
    finally:
        stop.set()
        thread.join()


async def test_z_a_promotion_keeps_every_moment_and_the_history_that_was_left_has_no_new_one(
    nodes: tuple[Node, Node], make: Make
) -> None:
    """The last of this file: it parts the two for good."""
    old, new = make(nodes[0]), make(nodes[1])
    await loaded(old, new)
    before = await old.restock(1, 11)
    await new.vitrine.alcancar(before)
    nodes[1].query("SELECT pg_promote()")
    for units in range(5):  # the old primary does not know, and goes on
        lost = await old.restock(4, 100 + units)
    await new.vitrine.alcancar(before)
    momento = await new.restock(1, 12)
    assert momento.linha > before.linha
    assert momento.transacao <= lost.transacao, "the same numbers, of other transactions"
    await new.vitrine.alcancar(momento)
    assert new.shown(1) == 12
    other = make(nodes[1])
    await other.vitrine.alcancar(before)
    await other.vitrine.alcancar(momento)
    assert other.shown(1) == 12
    await old.vitrine.alcancar(before)
    old.vitrine._patience = IMPATIENT
    with pytest.raises(LeituraAtrasada):
        await old.vitrine.alcancar(momento)
