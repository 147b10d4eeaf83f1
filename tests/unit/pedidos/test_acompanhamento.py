"""Following orders over a slow, absent or lively database."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from datetime import UTC, datetime, timedelta

import pytest

from pedidos.domain import (
    MuitosAcompanhamentos,
    PedidoNaoEncontrado,
    ServicoIndisponivel,
    Situacao,
    StatusPedido,
)
from pedidos.use_cases.acompanhamento import Acompanhamento

INTERVALO = 0.01  # seconds
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
        self.there[pedido_id] = Situacao(pedido_id, status, since)

    async def situacoes(self, pedido_ids: list[str]) -> dict[str, Situacao]:
        self.asked.append(sorted(pedido_ids))
        await asyncio.sleep(0)
        if self.away:
            raise ServicoIndisponivel("banco de dados")
        return {pedido_id: self.there[pedido_id] for pedido_id in pedido_ids if pedido_id in self.there}


def following(situacoes: Situacoes, *, limite: int = 10, paciencia: float = 5.0) -> Acompanhamento:
    return Acompanhamento(situacoes, limite=limite, intervalo=INTERVALO, paciencia=paciencia)


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


async def test_slow_reader_misses_the_middle_and_holds_up_nobody() -> None:
    situacoes = Situacoes()
    situacoes.put("a", S.CONFIRMADO)
    acompanhamento = following(situacoes)
    slow, quick = acompanhamento.acompanhar("a"), acompanhamento.acompanhar("a")
    await next_status(slow)
    await next_status(quick)
    for status in (S.EM_PREPARO, S.PRONTO, S.ENTREGUE):
        situacoes.put("a", status)
        assert await next_status(quick) is status
    assert await statuses(slow) == [S.ENTREGUE]
    await quick.aclose()


async def test_nobody_asks_while_nobody_follows() -> None:
    situacoes = Situacoes()
    situacoes.put("a", S.CONFIRMADO)
    acompanhamento = following(situacoes)
    async with aclosing(acompanhamento.acompanhar("a")) as stream:
        await next_status(stream)
    await until(lambda: not acompanhamento.polling)
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
