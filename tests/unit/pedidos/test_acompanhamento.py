"""Following orders over a slow, absent or lively database, and over a stream that repeats itself, lags or is away."""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from datetime import UTC, datetime, timedelta

import pytest

from pedidos.domain import (
    Evento,
    MuitosAcompanhamentos,
    PedidoNaoEncontrado,
    ServicoIndisponivel,
    Situacao,
    StatusPedido,
)
from pedidos.use_cases.acompanhamento import HISTORIA, Acompanhamento, Ritmo
from tests.fakes.pedidos.correio import JornalFake

INTERVALO = 0.01  # seconds
NUNCA = 60.0  # seconds: longer than any wait here
S = StatusPedido


class Situacoes:
    """Where orders stand, and how often somebody asked."""

    def __init__(self) -> None:
        self.there: dict[str, Situacao] = {}
        self.asked: list[list[str]] = []
        self.away = False

    def put(self, pedido_id: str, status: StatusPedido) -> None:
        before = self.there.get(pedido_id)
        since = before.atualizado_em + timedelta(seconds=1) if before else datetime(2026, 11, 23, tzinfo=UTC)
        self.there[pedido_id] = Situacao(pedido_id, status, since, before.seq + 1 if before else 1)

    async def situacoes(self, pedido_ids: list[str]) -> dict[str, Situacao]:
        self.asked.append(sorted(pedido_ids))
        await asyncio.sleep(0)
        if self.away:
            raise ServicoIndisponivel("banco de dados")
        return {pedido_id: self.there[pedido_id] for pedido_id in pedido_ids if pedido_id in self.there}


def evento(situacao: Situacao) -> Evento:
    """What the relay tells of the change that led there."""
    quando = situacao.atualizado_em.isoformat()
    corpo = json.dumps({"pedido_id": situacao.pedido_id, "status": situacao.status, "atualizado_em": quando})
    return Evento(situacao.pedido_id, situacao.seq, "status_alterado", corpo, quando)


def following(situacoes: Situacoes, *, limite: int = 10, paciencia: float = 5.0) -> Acompanhamento:
    """With Valkey away: the database alone tells."""
    away = JornalFake()
    away.fora = True
    return Acompanhamento(situacoes, away, limite=limite, ritmo=Ritmo(intervalo=INTERVALO, paciencia=paciencia))


async def rounds(situacoes: Situacoes) -> None:
    """Waits until the poller has asked a few times more."""
    enough = len(situacoes.asked) + 3
    await until(lambda: len(situacoes.asked) >= enough)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110  what is waited for knows no event
            await asyncio.sleep(INTERVALO)


async def statuses(stream: AsyncIterator[Situacao]) -> list[StatusPedido]:
    return [situacao.status async for situacao in stream]


async def next_status(stream: AsyncIterator[Situacao]) -> StatusPedido:
    return (await asyncio.wait_for(anext(stream), 5)).status


async def test_stream_begins_with_the_present_and_ends_with_a_final_status() -> None:
    situacoes = Situacoes()
    situacoes.put("a", S.CONFIRMADO)
    stream = following(situacoes).acompanhar("a")
    seen = [await next_status(stream)]
    for status in (S.EM_PREPARO, S.PRONTO, S.ENTREGUE):
        situacoes.put("a", status)
        seen.append(await next_status(stream))
    assert seen == [S.CONFIRMADO, S.EM_PREPARO, S.PRONTO, S.ENTREGUE]
    with pytest.raises(StopAsyncIteration):
        await next_status(stream)


async def test_final_status_is_told_once_and_asks_once() -> None:
    situacoes = Situacoes()
    situacoes.put("a", S.CANCELADO)
    assert await statuses(following(situacoes).acompanhar("a")) == [S.CANCELADO]


async def test_unknown_order_is_not_followed() -> None:
    with pytest.raises(PedidoNaoEncontrado):
        await statuses(following(Situacoes()).acompanhar("a"))


async def test_all_followers_share_one_question_a_round() -> None:
    situacoes = Situacoes()
    for pedido_id in "abc":
        situacoes.put(pedido_id, S.CONFIRMADO)
    acompanhamento = following(situacoes)
    streams = [acompanhamento.acompanhar(pedido_id) for pedido_id in "abcabc"]
    assert [await next_status(stream) for stream in streams] == [S.CONFIRMADO] * 6
    situacoes.asked.clear()
    for pedido_id in "abc":
        situacoes.put(pedido_id, S.EM_PREPARO)
    assert [await next_status(stream) for stream in streams] == [S.EM_PREPARO] * 6
    assert 1 <= len(situacoes.asked) <= 3
    assert all(asked == ["a", "b", "c"] for asked in situacoes.asked)
    for stream in streams:
        await stream.aclose()


async def test_slow_reader_holds_up_nobody_and_misses_nothing_that_was_seen() -> None:
    situacoes = Situacoes()
    situacoes.put("a", S.CONFIRMADO)
    acompanhamento = following(situacoes)
    slow, quick = acompanhamento.acompanhar("a"), acompanhamento.acompanhar("a")
    await next_status(slow)
    await next_status(quick)
    for status in (S.EM_PREPARO, S.PRONTO, S.ENTREGUE):
        situacoes.put("a", status)
        assert await next_status(quick) is status
    assert await statuses(slow) == [S.EM_PREPARO, S.PRONTO, S.ENTREGUE]
    await quick.aclose()


async def test_nobody_asks_while_nobody_follows() -> None:
    situacoes = Situacoes()
    situacoes.put("a", S.CONFIRMADO)
    acompanhamento = following(situacoes)
    async with aclosing(acompanhamento.acompanhar("a")) as stream:
        await next_status(stream)
    await until(lambda: not acompanhamento.working)
    situacoes.put("a", S.ENTREGUE)
    assert await statuses(acompanhamento.acompanhar("a")) == [S.ENTREGUE]


async def test_hiccup_of_the_database_does_not_end_a_stream() -> None:
    situacoes = Situacoes()
    situacoes.put("a", S.CONFIRMADO)
    stream = following(situacoes).acompanhar("a")
    await next_status(stream)
    situacoes.away = True
    await rounds(situacoes)
    situacoes.away = False
    situacoes.put("a", S.ENTREGUE)
    assert await next_status(stream) is S.ENTREGUE


async def test_long_absence_of_the_database_sends_followers_away() -> None:
    situacoes = Situacoes()
    situacoes.put("a", S.CONFIRMADO)
    stream = following(situacoes, paciencia=2 * INTERVALO).acompanhar("a")
    await next_status(stream)
    situacoes.away = True
    with pytest.raises(ServicoIndisponivel):
        await next_status(stream)


async def test_followers_beyond_the_limit_are_refused_until_one_leaves() -> None:
    situacoes = Situacoes()
    situacoes.put("a", S.CONFIRMADO)
    acompanhamento = following(situacoes, limite=2)
    streams = [acompanhamento.acompanhar("a") for _ in range(2)]
    for stream in streams:
        await next_status(stream)
    with pytest.raises(MuitosAcompanhamentos):
        await next_status(acompanhamento.acompanhar("a"))
    await streams[0].aclose()
    streams[0] = acompanhamento.acompanhar("a")
    assert await next_status(streams[0]) is S.CONFIRMADO
    for stream in streams:
        await stream.aclose()


async def test_older_look_that_arrives_late_is_not_told() -> None:
    """A round that began before the follower's own look ends after it."""
    situacoes = Situacoes()
    situacoes.put("a", S.CONFIRMADO)
    acompanhamento = following(situacoes)
    stream = acompanhamento.acompanhar("a")
    await next_status(stream)
    old = dict(situacoes.there)
    situacoes.put("a", S.EM_PREPARO)
    assert await next_status(stream) is S.EM_PREPARO
    new, situacoes.there = situacoes.there, old
    await rounds(situacoes)
    situacoes.there = new
    situacoes.put("a", S.PRONTO)
    assert await next_status(stream) is S.PRONTO
    await stream.aclose()


class Bakery:
    """A database, a stream, and a relay between them that works when it is told to."""

    def __init__(self, **ritmo: float) -> None:
        self.situacoes = Situacoes()
        self.jornal = JornalFake()
        self.situacoes.put("a", S.CONFIRMADO)
        self.acompanhamento = Acompanhamento(
            self.situacoes, self.jornal, limite=10, ritmo=Ritmo(**{"intervalo": INTERVALO, "calma": NUNCA} | ritmo)
        )

    def put(self, status: StatusPedido, pedido_id: str = "a", *, times: int = 1) -> None:
        self.situacoes.put(pedido_id, status)
        self.jornal.publicar([evento(self.situacoes.there[pedido_id])] * times)

    async def follow(self) -> AsyncGenerator[Situacao, None]:
        """A follower, the present status read, in a bakery where the stream is trusted."""
        stream = self.acompanhamento.acompanhar("a")
        assert await next_status(stream) is S.CONFIRMADO
        await until(lambda: self.acompanhamento._confiavel < self.acompanhamento._certo)
        return stream


async def test_stream_tells_a_change_while_the_database_rests() -> None:
    bakery = Bakery()
    stream = await bakery.follow()
    bakery.situacoes.asked.clear()
    for status in (S.EM_PREPARO, S.PRONTO, S.ENTREGUE):
        bakery.put(status)
        assert await next_status(stream) is status
    assert bakery.situacoes.asked == []


async def test_events_that_come_twice_are_told_once() -> None:
    bakery = Bakery()
    stream = await bakery.follow()
    bakery.put(S.EM_PREPARO, times=3)
    early = list(bakery.jornal.eventos)
    bakery.put(S.PRONTO, times=2)
    bakery.jornal.publicar(early)  # as a relay does that slept in between
    bakery.put(S.ENTREGUE)
    assert await statuses(stream) == [S.EM_PREPARO, S.PRONTO, S.ENTREGUE]


async def test_event_of_a_change_that_the_database_told_before_is_no_news() -> None:
    bakery = Bakery()
    bakery.put(S.EM_PREPARO)
    bakery.situacoes.put("a", S.PRONTO)  # committed, and still to leave when the follower comes
    stream = bakery.acompanhamento.acompanhar("a")
    assert await next_status(stream) is S.PRONTO
    await until(lambda: bakery.acompanhamento._confiavel < bakery.acompanhamento._certo)
    bakery.jornal.publicar([evento(bakery.situacoes.there["a"])])
    bakery.put(S.ENTREGUE)
    assert await statuses(stream) == [S.ENTREGUE]


async def test_change_between_the_first_look_and_the_first_reading_of_the_stream_is_told() -> None:
    """The reader begins at the present end of the stream, so a round after that has to tell what was before."""
    bakery = Bakery()
    stream = bakery.acompanhamento.acompanhar("a")
    assert await next_status(stream) is S.CONFIRMADO
    bakery.put(S.EM_PREPARO)  # neither the reader nor the rounds had their first turn
    assert await next_status(stream) is S.EM_PREPARO
    await stream.aclose()


async def test_quick_rounds_take_over_while_the_stream_is_away_and_rest_when_it_is_back(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO")
    bakery = Bakery()
    stream = await bakery.follow()
    bakery.jornal.fora = True
    await rounds(bakery.situacoes)
    bakery.situacoes.put("a", S.EM_PREPARO)
    assert await next_status(stream) is S.EM_PREPARO
    bakery.jornal.fora = False
    await until(lambda: bakery.acompanhamento._confiavel < bakery.acompanhamento._certo)
    bakery.situacoes.asked.clear()
    bakery.put(S.PRONTO)
    assert await next_status(stream) is S.PRONTO
    assert bakery.situacoes.asked == []
    told = [record.message for record in caplog.records]
    assert told == ["following events: interrupted, Valkey is away: away", "following events: goes on"]
    await stream.aclose()


async def test_stream_that_lags_behind_the_database_is_not_trusted_for_a_while() -> None:
    bakery = Bakery(calma=5 * INTERVALO, suspeita=NUNCA)
    stream = await bakery.follow()
    bakery.situacoes.put("a", S.EM_PREPARO)  # and no relay says so
    assert await next_status(stream) is S.EM_PREPARO
    assert bakery.acompanhamento._confiavel > asyncio.get_running_loop().time() + NUNCA / 2
    await rounds(bakery.situacoes)
    await stream.aclose()


async def test_entry_that_nobody_understands_does_not_end_a_stream(caplog: pytest.LogCaptureFixture) -> None:
    bakery = Bakery(calma=INTERVALO)
    stream = await bakery.follow()
    bakery.jornal.publicar([Evento("a", 7, "status_alterado", "{", "")])
    bakery.put(S.EM_PREPARO)
    assert await next_status(stream) is S.EM_PREPARO
    await until(lambda: "cannot follow the stream of events" in caplog.text)
    await stream.aclose()


async def test_memory_is_bounded_by_those_who_follow() -> None:
    """A thousand events of a hundred orders: nothing is kept of those that nobody follows, nor once all have left."""
    bakery = Bakery()
    stream = await bakery.follow()
    for number in range(1000):
        bakery.put(S.EM_PREPARO, pedido_id=f"outro-{number % 100}")
    bakery.put(S.ENTREGUE)
    assert await next_status(stream) is S.ENTREGUE
    assert [len(vagas) for vagas in bakery.acompanhamento._vagas.values()] == [1]
    await stream.aclose()
    assert bakery.acompanhamento._vagas == {}


async def test_slow_readers_slot_keeps_the_last_few_changes() -> None:
    bakery = Bakery()
    slow = await bakery.follow()
    for number in range(100):
        bakery.put((S.EM_PREPARO, S.PRONTO)[number % 2])
    bakery.put(S.ENTREGUE)
    [[vaga]] = bakery.acompanhamento._vagas.values()
    await until(lambda: vaga._seq == 102)
    assert len(await statuses(slow)) == HISTORIA


async def test_all_work_ends_when_it_is_told_to() -> None:
    bakery = Bakery()
    stream = await bakery.follow()
    await bakery.acompanhamento.parar()
    assert not bakery.acompanhamento.working
    await stream.aclose()
