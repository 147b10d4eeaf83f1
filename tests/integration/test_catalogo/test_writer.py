"""The writer of stock: what arrives together is one commit, and two writers on one database stay exact."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import closing
from typing import TypeVar
from uuid import UUID, uuid4

import pytest
from sqlalchemy import Connection

from catalogo.domain.errors import CatalogoError, EstoqueInsuficiente, ReservaExpirada
from catalogo.domain.estoque import Ajustar, Comando, Confirmar, Consultar, ItemReservar, Liberar, Operacao, Reservar
from catalogo.domain.estoque import Reserva as ReservaFeita
from catalogo.domain.produtos import NovoProduto
from catalogo.repository.estoque import EstoqueRepository
from catalogo.repository.produtos import ProdutoRepository
from chassis.errors import Exhausted, Unavailable
from chassis.postgres import Isolation, Postgres
from tests.integration.test_catalogo.conftest import Database

Novo = Callable[..., NovoProduto]
T = TypeVar("T")


class LosesAnswers(Postgres):
    """Commits, and then says that it does not know, as often as `lost` says."""

    lost = 0

    async def run(self, work: Callable[[Connection], T], *, isolation: Isolation = "READ COMMITTED") -> T:
        done = await super().run(work, isolation=isolation)
        if self.lost > 0:
            self.lost -= 1
            raise Unavailable("answer lost")
        return done


@pytest.fixture
async def writers(books: Database) -> AsyncIterator[list[LosesAnswers]]:
    """The connections of two processes on one database."""
    opened = [LosesAnswers(books.app, application_name=f"escritor-{n}", pool_size=2) for n in range(2)]
    yield opened
    for one in opened:
        await one.close()


def reservar(*itens: tuple[int, int], reserva_id: UUID | None = None, quem: str = "") -> Reservar:
    return Reservar(reserva_id or uuid4(), tuple(ItemReservar(*item) for item in itens), quem=quem)


async def at_once(estoques: Sequence[EstoqueRepository], comandos: Sequence[Comando]) -> list[object]:
    """The answer or failure of each command, dealt to the writers in turn."""
    calls = [estoques[n % len(estoques)].executar(comando) for n, comando in enumerate(comandos)]
    ends = await asyncio.gather(*calls, return_exceptions=True)
    return [end if isinstance(end, BaseException) else end.resposta for end in ends]


def kinds(respostas: Sequence[object]) -> Counter[str]:
    return Counter(type(resposta).__name__ for resposta in respostas)


async def until(condition: Callable[[], bool], seconds: float = 5) -> None:
    deadline = time.monotonic() + seconds
    while not await asyncio.to_thread(condition):
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)


def blocked(books: Database) -> bool:
    found = "SELECT pid FROM pg_stat_activity WHERE application_name LIKE 'escritor%' AND wait_event_type = 'Lock'"
    return bool(books.query(found))


async def test_commands_that_arrive_together_are_one_commit_in_their_order(
    books: Database, writers: list[LosesAnswers], produtos: ProdutoRepository, novo: Novo
) -> None:
    produto_id = (await produtos.criar(novo(60), None, "")).produto_id
    comandos: list[Comando] = [reservar((produto_id, 1)) for _ in range(100)]
    comandos[70] = Ajustar(produto_id, Operacao.ADICIONAR, 5)
    respostas = await at_once([EstoqueRepository(writers[0])], comandos)
    refused = [n for n, resposta in enumerate(respostas) if isinstance(resposta, EstoqueInsuficiente)]
    assert refused == [*range(60, 70), *range(76, 100)], "first come, first served"
    assert books.query("SELECT disponivel, reservado, revisao FROM produtos WHERE produto_id = %s", produto_id) == [
        (0, 65, 2)
    ]


async def test_two_writers_on_one_database_sell_exactly_what_there_is(
    books: Database, writers: list[LosesAnswers], produtos: ProdutoRepository, novo: Novo
) -> None:
    ids = [(await produtos.criar(novo(50), None, "")).produto_id for _ in range(6)]
    deadlocks = books.query("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
    estoques = [EstoqueRepository(one, largest=16) for one in writers]
    dice = random.Random(7)
    wanted = [reservar(*((key, dice.randint(1, 3)) for key in dice.sample(ids, 3))) for _ in range(240)]
    respostas = await at_once(estoques, [comando for comando in wanted for _ in range(2)])  # each by both writers
    assert kinds(respostas).keys() == {"Reserva", "EstoqueInsuficiente"}
    assert [type(one) for one in respostas[::2]] == [type(other) for other in respostas[1::2]]
    made = [c for c, resposta in zip(wanted, respostas[::2], strict=True) if isinstance(resposta, ReservaFeita)]
    ends: list[Comando] = [end(c.reserva_id) for c in made for end in (Confirmar, dice.choice((Confirmar, Liberar)))]
    assert not [end for end in await at_once(estoques, ends) if isinstance(end, Unavailable)]
    for key in ids:
        taken = sum(item.quantidade for c in made for item in c.itens if item.produto_id == key)
        ((disponivel, reservado, vendido),) = books.query(
            "SELECT disponivel, reservado, vendido FROM produtos WHERE produto_id = %s", key
        )
        assert (disponivel + vendido, reservado) == (50, 0)
        assert vendido <= taken <= 50
    assert books.query("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()") == deadlocks


async def test_a_command_that_cannot_be_done_fails_alone(
    books: Database, writers: list[LosesAnswers], produtos: ProdutoRepository, novo: Novo
) -> None:
    produto_id = (await produtos.criar(novo(50), None, "")).produto_id
    unwritable = reservar((produto_id, 1), quem="\0")
    # Its line stands in the ledger without it: whatever is done, its key is taken.
    impossible = reservar((produto_id, 1))
    books.query(
        "INSERT INTO movimentos_estoque (produto_id, operacao, chave, quem, quantidade) VALUES (%s, %s, %s, '', 0)",
        *(produto_id, "ADICIONAR", f"reserva:{impossible.reserva_id}:{produto_id}:abertura"),
    )
    comandos = [reservar((produto_id, 1)) for _ in range(20)]
    comandos[3:3], comandos[12:12] = [unwritable], [impossible]
    respostas = await at_once([EstoqueRepository(writers[0])], comandos)
    assert isinstance(respostas.pop(12), Unavailable)
    assert isinstance(respostas.pop(3), ValueError)
    assert kinds(respostas) == {"Reserva": 20}
    assert (await produtos.disponibilidade(produto_id)).disponivel == 30


async def test_whoever_lost_the_answer_finds_what_was_committed(
    writers: list[LosesAnswers], produtos: ProdutoRepository, novo: Novo
) -> None:
    produto_id = (await produtos.criar(novo(10), None, "")).produto_id
    one, other = (EstoqueRepository(writer) for writer in writers)
    comandos: list[Comando] = [reservar((produto_id, 1)) for _ in range(4)]
    comandos.append(Ajustar(produto_id, Operacao.REMOVER, 6, uuid4()))
    writers[0].lost = 1
    assert kinds(await at_once([one], comandos)) == {"Unavailable": 5}
    assert kinds(await at_once([one, other], comandos * 2)) == {"Reserva": 8, "Produto": 2}
    assert (await produtos.disponibilidade(produto_id)).disponivel == 0
    looked = await at_once([other], [Consultar(c.reserva_id) for c in comandos if isinstance(c, Reservar)])
    assert kinds(looked) == {"Reserva": 4}


async def test_a_lost_connection_is_unavailable_for_its_batch_and_for_nobody_after_it(
    books: Database, writers: list[LosesAnswers], produtos: ProdutoRepository, novo: Novo
) -> None:
    produto_id = (await produtos.criar(novo(10), None, "")).produto_id
    estoque = EstoqueRepository(writers[0], largest=3)
    comandos = [reservar((produto_id, 1)) for _ in range(5)]
    with closing(books.connect()) as holder, holder.cursor() as cursor:
        cursor.execute("SELECT FROM produtos WHERE produto_id = %s FOR UPDATE", [produto_id])
        calls = asyncio.create_task(at_once([estoque], comandos))
        await until(lambda: blocked(books))
        books.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'escritor-0'")
    respostas = await calls
    assert [type(resposta) for resposta in respostas] == [Unavailable] * 3 + [ReservaFeita] * 2
    assert kinds(await at_once([estoque], comandos)) == {"Reserva": 5}
    assert (await produtos.disponibilidade(produto_id)).disponivel == 5


async def test_when_the_queue_is_full_the_next_is_refused_at_once(
    books: Database, writers: list[LosesAnswers], produtos: ProdutoRepository, novo: Novo
) -> None:
    produto_id = (await produtos.criar(novo(10), None, "")).produto_id
    estoque = EstoqueRepository(writers[0], largest=2, queue=3)
    with closing(books.connect()) as holder, holder.cursor() as cursor:
        cursor.execute("SELECT FROM produtos WHERE produto_id = %s FOR UPDATE", [produto_id])
        calls = [asyncio.create_task(estoque.executar(reservar((produto_id, 1)))) for _ in range(2)]
        await until(lambda: blocked(books))
        calls += [asyncio.create_task(estoque.executar(reservar((produto_id, 1)))) for _ in range(3)]
        await asyncio.sleep(0)  # they arrive
        with pytest.raises(Exhausted):
            await estoque.executar(reservar((produto_id, 1)))
        assert not any(call.done() for call in calls)
    assert kinds([feito.resposta for feito in await asyncio.gather(*calls)]) == {"Reserva": 5}


async def test_an_expiry_and_a_confirmation_that_meet_end_a_reservation_once(
    books: Database, writers: list[LosesAnswers], produtos: ProdutoRepository, novo: Novo
) -> None:
    produto_id = (await produtos.criar(novo(40), None, "")).produto_id
    estoques = [EstoqueRepository(one) for one in writers]
    comandos = [reservar((produto_id, 1)) for _ in range(40)]
    await at_once(estoques, comandos)
    with closing(books.connect()) as connection, connection, connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        for n, comando in enumerate(comandos):  # the first are over, the last are not, the others end meanwhile
            until_end = {0: "-1s", 39: "1h"}.get(n, f"{n * 10}ms")
            end = "UPDATE reservas SET expira_em = clock_timestamp() + %s::interval WHERE reserva_id = %s"
            cursor.execute(end, [until_end, comando.reserva_id])
    sold = 0
    for comando in comandos:
        confirming = at_once(estoques, [Confirmar(comando.reserva_id)] * 2)
        (one, other), _ = await asyncio.gather(confirming, estoques[1].vencidas(5, "varredura"))
        assert type(one) is type(other)
        assert isinstance(one, ReservaFeita | ReservaExpirada)
        sold += not isinstance(one, CatalogoError)
    assert 0 < sold < 40
    ends = books.query(
        "SELECT operacao, count(*) FROM movimentos_estoque WHERE produto_id = %s AND chave LIKE %s GROUP BY 1",
        *(produto_id, "%:fim"),
    )
    assert dict(ends) == {"CONFIRMAR": sold, "EXPIRAR": 40 - sold}
    assert (await produtos.disponibilidade(produto_id)).disponivel == 40 - sold
