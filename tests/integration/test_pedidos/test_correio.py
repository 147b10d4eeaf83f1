"""What Saida, Jornal and Novidades promise, asked of the fakes and of PostgreSQL and Valkey alike."""

import asyncio
import threading
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest
import redis

from chassis.postgres import Postgres
from pedidos.domain import Evento, StatusPedido
from pedidos.repository import PedidosPostgres, transactions
from pedidos.repository.eventos import SaidaPostgres
from pedidos.repository.eventos_valkey import STREAM, JornalValkey
from pedidos.servicer import pedido_em_bytes
from tests.fakes.pedidos.banco import Banco, ComprasFake, PedidosFake, Relogio
from tests.fakes.pedidos.correio import JornalFake, SaidaFake
from tests.integration.test_pedidos.conftest import Database, compras_of
from tests.integration.test_pedidos.correio import Correio, Morto, dies_after, dies_before, event, once_in_order

KEPT = 1000  # events in the stream


@pytest.fixture(params=["fake", "real"])
def correio(request: pytest.FixtureRequest) -> Correio:
    if request.param == "fake":
        return _fake()
    real: Correio = request.getfixturevalue("correio_real")
    return real


@pytest.fixture
async def correio_real(database: Database, valkey_url: str) -> AsyncIterator[Correio]:
    with redis.Redis.from_url(valkey_url) as client:
        client.delete(STREAM)
    jornal = JornalValkey(valkey_url, nome="teste", tamanho=KEPT)
    pools = [Postgres(database.url, application_name="teste", pool_size=2) for _ in range(2)]
    yield _real(database, jornal, *pools)
    for pool in pools:
        await pool.close()
    await jornal.close()


def _fake() -> Correio:
    banco, jornal = Banco(Relogio(), pedido_em_bytes), JornalFake(KEPT)

    def unsent() -> int:
        return len(banco.eventos) - len(banco.enviados)

    def kept() -> int:
        return len(banco.eventos) - banco.esquecidos

    return Correio(
        ComprasFake(banco, "a"), PedidosFake(banco), SaidaFake(banco), SaidaFake(banco), jornal, _FromZero(jornal),
        unsent, kept, banco.relogio.avancar,
    )  # fmt: skip


class _FromZero:
    """The fake's positions are numbers; "0-0" is where every stream begins."""

    def __init__(self, jornal: JornalFake) -> None:
        self.fim = jornal.fim
        self._depois = jornal.depois

    async def depois(self, posicao: str, espera: float) -> tuple[str, list[Evento]]:
        return await self._depois("0" if posicao == "0-0" else posicao, espera)


def _real(database: Database, jornal: JornalValkey, um: Postgres, outro: Postgres) -> Correio:
    def count(where: str) -> int:
        total: int = database.execute(f"SELECT count(*) FROM eventos_saida WHERE {where}")[0][0]  # noqa: S608
        return total

    def later(seconds: float) -> None:
        database.execute("UPDATE eventos_saida SET enviado_em = enviado_em - %s * interval '1 second'", seconds)

    return Correio(
        compras_of(um), PedidosPostgres(transactions(um)), SaidaPostgres(transactions(um)),
        SaidaPostgres(transactions(outro)), jornal, jornal,
        lambda: count("enviado_em IS NULL"), lambda: count("true"), later,
    )  # fmt: skip


async def test_events_leave_once_and_in_the_order_of_each_order(correio: Correio) -> None:
    pedidos = [await correio.comprar() for _ in range(3)]
    for pedido_id in pedidos:
        await correio.entregar(pedido_id)
    assert await correio.saida.passar(500, correio.jornal.publicar) == 15
    assert await correio.saida.passar(500, correio.jornal.publicar) == 0
    eventos = await correio.lidos()
    assert len(eventos) == 15
    assert once_in_order(eventos) == {pedido_id: [1, 2, 3, 4, 5] for pedido_id in pedidos}
    assert correio.unsent() == 0


async def test_event_tells_what_happened_in_the_words_of_the_contract(correio: Correio) -> None:
    pedido_id = await correio.comprar()
    await correio.pedidos.mudar_status(pedido_id, StatusPedido.CANCELADO, "mudei de ideia")
    await correio.relay()
    pedido = await correio.pedidos.obter(pedido_id)
    eventos = await correio.lidos()
    assert [evento.evento_id for evento in eventos] == [f"{pedido_id}:{seq}" for seq in (1, 2, 3)]
    assert [evento.tipo for evento in eventos] == ["pedido_criado", "pedido_confirmado", "pedido_cancelado"]
    assert [evento.situacao().status for evento in eventos] == ["PENDENTE", "CONFIRMADO", "CANCELADO"]
    assert eventos[0].situacao().atualizado_em == pedido.criado_em
    assert eventos[-1].situacao().atualizado_em == pedido.atualizado_em
    assert [evento.situacao().seq for evento in eventos] == [1, 2, 3]


async def test_small_batches_keep_the_order(correio: Correio) -> None:
    um, outro = await correio.comprar(), await correio.comprar()
    await asyncio.gather(correio.entregar(um), correio.entregar(outro))
    await correio.relay(limite=3)
    eventos = await correio.lidos()
    assert len(eventos) == 10
    assert once_in_order(eventos) == {um: [1, 2, 3, 4, 5], outro: [1, 2, 3, 4, 5]}


async def test_nobody_publishes_nothing(correio: Correio) -> None:
    assert await correio.saida.passar(500, dies_before) == 0


async def test_death_before_publishing_loses_nothing(correio: Correio) -> None:
    pedido_id = await correio.comprar()
    with pytest.raises(Morto):
        await correio.saida.passar(500, dies_before)
    assert (await correio.lidos(), correio.unsent()) == ([], 2)
    await correio.relay(correio.de_outro)
    assert [evento.seq for evento in await correio.lidos()] == [1, 2]
    assert once_in_order(await correio.lidos()) == {pedido_id: [1, 2]}


async def test_death_between_publishing_and_marking_repeats_and_a_reader_sees_each_once(correio: Correio) -> None:
    pedido_id = await correio.comprar()
    with pytest.raises(Morto):
        await correio.saida.passar(500, dies_after(correio.jornal.publicar))
    await correio.entregar(pedido_id)
    await correio.relay(correio.de_outro)
    eventos = await correio.lidos()
    assert [evento.seq for evento in eventos] == [1, 2, 1, 2, 3, 4, 5]
    assert once_in_order(eventos) == {pedido_id: [1, 2, 3, 4, 5]}
    assert len({evento.evento_id for evento in eventos}) == 5
    assert eventos[0] == eventos[2]  # a repetition is the same in every letter


async def test_death_after_marking_repeats_nothing(correio: Correio) -> None:
    await correio.comprar()
    await correio.saida.passar(500, correio.jornal.publicar)
    assert await correio.de_outro.passar(500, correio.jornal.publicar) == 0
    assert len(await correio.lidos()) == 2


async def test_one_relay_at_a_time(correio: Correio) -> None:
    """While one publishes, the other gets nothing, so it cannot overtake; afterwards it goes on."""
    pedido_id = await correio.comprar()
    publishing, go_on = threading.Event(), threading.Event()

    def slowly(eventos: Sequence[Evento]) -> None:
        publishing.set()
        assert go_on.wait(10)
        correio.jornal.publicar(eventos)

    first = asyncio.create_task(correio.saida.passar(1, slowly))
    assert await asyncio.to_thread(publishing.wait, 10)
    assert await correio.de_outro.passar(500, correio.jornal.publicar) == 0
    go_on.set()
    assert await first == 1
    assert await correio.de_outro.passar(500, correio.jornal.publicar) == 1
    assert [(evento.pedido_id, evento.seq) for evento in await correio.lidos()] == [(pedido_id, 1), (pedido_id, 2)]


async def test_only_what_was_sent_long_ago_is_forgotten_and_so_much_at_a_time(correio: Correio) -> None:
    for _ in range(3):
        await correio.comprar()
    assert await correio.saida.limpar(60, 100) == 0
    await correio.relay()
    correio.later(50)
    await correio.comprar()
    assert await correio.saida.limpar(60, 100) == 0
    correio.later(20)
    assert [await correio.saida.limpar(60, 4) for _ in range(3)] == [4, 2, 0]
    assert (correio.kept(), correio.unsent()) == (2, 2)
    await correio.relay()
    assert len(await correio.lidos()) == 8


async def test_reader_starts_at_the_end_and_waits_for_the_first(correio: Correio) -> None:
    correio.jornal.publicar([event("velho", 1)])
    fim = await correio.novidades.fim()
    assert await correio.novidades.depois(fim, 0.01) == (fim, [])
    waiting = asyncio.create_task(correio.novidades.depois(fim, 0.9))
    await asyncio.to_thread(correio.jornal.publicar, [event("novo", 1), event("novo", 2)])
    posicao, eventos = await asyncio.wait_for(waiting, 10)
    assert [evento.evento_id for evento in eventos] == ["novo:1", "novo:2"]
    assert posicao == await correio.novidades.fim()
    assert await correio.novidades.depois(posicao, 0.01) == (posicao, [])


async def test_stream_that_is_not_there_yet_is_read_from_its_beginning(correio: Correio) -> None:
    fim = await correio.novidades.fim()
    correio.jornal.publicar([event("primeiro", 1)])
    assert [evento.evento_id for evento in (await correio.novidades.depois(fim, 0.5))[1]] == ["primeiro:1"]


async def test_stream_keeps_so_many_events_and_the_newest(correio: Correio) -> None:
    for batch in range(50):
        correio.jornal.publicar([event(f"pedido-{batch}", seq) for seq in range(1, 101)])
    eventos: list[Any] = await correio.lidos()
    assert KEPT <= len(eventos) <= KEPT + 200  # a batch, and a node of the stream, a hundred
    assert [evento.evento_id for evento in eventos[-100:]] == [f"pedido-49:{seq}" for seq in range(1, 101)]
