"""Time, for a reservation, is the database's: what the process believes plays no part."""

from collections.abc import AsyncIterator, Callable
from uuid import uuid4

import pytest

from catalogo.domain.errors import ReservaExpirada
from catalogo.domain.estoque import Confirmar, Consultar, ItemReservar, Reserva, Reservar, StatusReserva
from catalogo.domain.produtos import NovoProduto
from catalogo.repository.estoque import EstoqueRepository
from catalogo.repository.produtos import ProdutoRepository
from chassis.postgres import Postgres
from tests.integration.test_catalogo.conftest import Database

CLOCK = """
CREATE OR REPLACE FUNCTION relogio.clock_timestamp() RETURNS timestamptz LANGUAGE sql AS
$$ SELECT pg_catalog.clock_timestamp() + interval '{} seconds' $$
"""


class Clock:
    """The clock of the database, as the service's connections read it."""

    def __init__(self, database: Database) -> None:
        self._database = database
        database.query("CREATE SCHEMA relogio; GRANT USAGE ON SCHEMA relogio TO catalogo_app")
        self.advance(0)
        # What is not named with its schema is looked for in ours first.
        self._of_role("SET search_path = relogio, public, pg_catalog")

    def advance(self, seconds: int) -> None:
        self._database.query(CLOCK.format(seconds))

    def right(self) -> None:
        self._of_role("RESET search_path")
        self._database.query("DROP SCHEMA relogio CASCADE")

    def _of_role(self, change: str) -> None:
        ((name,),) = self._database.query("SELECT current_database()")
        self._database.query(f'ALTER ROLE catalogo_app IN DATABASE "{name}" {change}')


@pytest.fixture
async def clock(books: Database) -> AsyncIterator[Clock]:
    clock = Clock(books)
    yield clock
    clock.right()


@pytest.fixture
async def estoque(clock: Clock, books: Database) -> AsyncIterator[EstoqueRepository]:  # noqa: ARG001  it comes first
    postgres = Postgres(books.app, application_name="teste-relogio", pool_size=2)
    yield EstoqueRepository(postgres)
    await postgres.close()


async def test_a_reservation_expires_by_the_clock_of_the_database(
    clock: Clock,
    estoque: EstoqueRepository,
    produtos: ProdutoRepository,
    novo: Callable[..., NovoProduto],
) -> None:
    produto_id = (await produtos.criar(novo(5), None, "")).produto_id
    comandos = [Reservar(uuid4(), (ItemReservar(produto_id, 1),), 300) for _ in range(3)]
    for comando in comandos:
        await estoque.executar(comando)

    clock.advance(290)
    kept = (await estoque.executar(Consultar(comandos[0].reserva_id))).resposta
    assert isinstance(kept, Reserva)
    assert kept.status is StatusReserva.ATIVA
    assert await estoque.vencidas(10, "varredura") == (0, ())

    clock.advance(310)
    late = (await estoque.executar(Confirmar(comandos[0].reserva_id))).resposta
    assert isinstance(late, ReservaExpirada)
    swept, mudados = await estoque.vencidas(10, "varredura")
    assert (swept, [produto.estoque for produto in mudados]) == (2, [5])


async def test_a_reservation_lasts_as_long_as_was_asked_for_by_that_clock(
    clock: Clock, estoque: EstoqueRepository, produtos: ProdutoRepository, novo: Callable[..., NovoProduto]
) -> None:
    produto_id = (await produtos.criar(novo(5), None, "")).produto_id
    clock.advance(-86_400)  # the process's own clock is a day ahead
    comando = Reservar(uuid4(), (ItemReservar(produto_id, 1),), 60)
    await estoque.executar(comando)
    clock.advance(59 - 86_400)
    sold = (await estoque.executar(Confirmar(comando.reserva_id))).resposta
    assert isinstance(sold, Reserva)
    assert sold.status is StatusReserva.CONFIRMADA
