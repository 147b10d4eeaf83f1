"""The relay's rhythm: at once when told, in full batches when late, patient when Valkey is away."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest

from pedidos.domain import Evento, ServicoIndisponivel, StatusPedido, TipoEvento
from pedidos.servicer import pedido_em_bytes
from pedidos.use_cases.pausa import MAXIMA, Pausa
from pedidos.use_cases.relay import ESPACO, LOTE, LOTE_LIMPEZA, Relay
from tests.fakes.pedidos import banco
from tests.fakes.pedidos.banco import Banco, Relogio
from tests.fakes.pedidos.correio import JornalFake, SaidaFake

MANTER = 60.0  # seconds


class Saida(SaidaFake):
    """Counts the passes."""

    passes = 0

    async def passar(self, limite: int, publicar: Callable[[Sequence[Evento]], None]) -> int:
        self.passes += 1
        return await super().passar(limite, publicar)


class Posto:
    """A relay with its outbox and its stream."""

    def __init__(self) -> None:
        self.banco = Banco(Relogio(), pedido_em_bytes)
        self.jornal = JornalFake(tamanho=100_000)
        self.saida = Saida(self.banco)
        self.relay = Relay(self.saida, self.jornal, manter=MANTER)

    def put(self, events: int = 1) -> None:
        there = len(self.banco.eventos)
        for number in range(there, there + events):
            self.banco.eventos.append(
                banco.Evento(f"pedido-{number}", 1, TipoEvento.PEDIDO_CRIADO, StatusPedido.PENDENTE, datetime.now(UTC))
            )

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self.relay.run())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def until(condition: Callable[[], bool], seconds: float = 10) -> None:
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110  what is waited for knows no event
            await asyncio.sleep(0.005)


async def test_what_was_there_before_is_sent() -> None:
    posto = Posto()
    posto.put(3)
    async with posto.running():
        await until(lambda: len(posto.jornal.eventos) == 3)


async def test_event_that_nobody_announced_is_found() -> None:
    """Of an instance that died after its commit."""
    posto = Posto()
    async with posto.running():
        await until(lambda: posto.saida.passes == 1)
        posto.put()
        await until(lambda: len(posto.jornal.eventos) == 1)


async def test_announced_event_does_not_wait_for_the_next_look(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pedidos.use_cases.relay.INTERVALO", 60.0)
    posto = Posto()
    async with posto.running():
        await until(lambda: posto.saida.passes == 1)
        for events in (1, 2, 3):
            posto.put()
            posto.relay.acordar()
            await until(lambda events=events: len(posto.jornal.eventos) == events)  # type: ignore[misc]


async def test_announcement_during_a_pass_is_not_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pedidos.use_cases.relay.INTERVALO", 60.0)
    posto = Posto()
    posto.put()
    publish = posto.jornal.publicar

    def commit_meanwhile(eventos: Sequence[Evento]) -> None:
        if len(posto.banco.eventos) == 1:
            posto.put()
            posto.relay.acordar()
        publish(eventos)

    posto.jornal.publicar = commit_meanwhile  # type: ignore[method-assign]
    async with posto.running():
        await until(lambda: len(posto.jornal.eventos) == 2)


async def test_many_announcements_cost_few_passes() -> None:
    posto = Posto()
    async with posto.running():
        await until(lambda: posto.saida.passes == 1)
        now = asyncio.get_running_loop().time
        begun = now()
        while now() < begun + 0.5:
            posto.put()
            posto.relay.acordar()
            await asyncio.sleep(0.001)
        assert posto.saida.passes <= 2 + (now() - begun) / ESPACO
        await until(lambda: len(posto.jornal.eventos) == len(posto.banco.eventos))


async def test_backlog_leaves_batch_after_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pedidos.use_cases.relay.INTERVALO", 60.0)
    posto = Posto()
    posto.put(3 * LOTE + 1)
    async with posto.running():
        await until(lambda: len(posto.jornal.eventos) == 3 * LOTE + 1)
    assert posto.saida.passes == 4


async def test_absence_of_valkey_is_told_once_and_ends_by_itself(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    posto = Posto()
    posto.put(2)
    posto.jornal.fora = True
    async with posto.running():
        await until(lambda: posto.saida.passes >= 4)
        posto.jornal.fora = False
        await until(lambda: len(posto.jornal.eventos) == 2)
        await until(lambda: len(caplog.records) == 2)
    assert [record.message for record in caplog.records] == [
        "sending events: interrupted, Valkey is away: away",
        "sending events: goes on",
    ]


def test_pause_grows_up_to_a_limit_and_begins_anew() -> None:
    pausa, away = Pausa("trying"), ServicoIndisponivel("Valkey")
    pauses = [pausa.falhou(away) for _ in range(10)]
    assert pauses == sorted(pauses)
    assert pauses[0] == 0.1
    assert pauses[-1] == MAXIMA
    pausa.voltou()
    assert pausa.falhou(away) == 0.1


async def test_nothing_that_goes_wrong_ends_it(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("pedidos.use_cases.relay.INTERVALO", 0.11)
    posto = Posto()
    posto.put()
    publish = posto.jornal.publicar
    failures = iter([ZeroDivisionError, KeyError])

    def stumble(eventos: Sequence[Evento]) -> None:
        if (failure := next(failures, None)) is not None:
            raise failure
        publish(eventos)

    posto.jornal.publicar = stumble  # type: ignore[method-assign]
    async with posto.running():
        await until(lambda: len(posto.jornal.eventos) == 1)
    assert caplog.text.count("the relay stumbled") == 2


async def test_old_events_are_forgotten_batch_after_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pedidos.use_cases.relay.INTERVALO", 0.11)
    posto = Posto()
    posto.put(2 * LOTE_LIMPEZA + 1)
    while await posto.relay.passada():
        pass
    posto.banco.relogio.avancar(MANTER + 1)
    posto.put()
    async with posto.running():
        await until(lambda: posto.banco.esquecidos == 2 * LOTE_LIMPEZA + 1)
        await until(lambda: len(posto.banco.enviados) == len(posto.banco.eventos))
    assert posto.banco.esquecidos == 2 * LOTE_LIMPEZA + 1
