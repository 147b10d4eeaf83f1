"""The completer's loop outlives whatever goes wrong in it."""

import asyncio
from typing import Any

import pytest

from pedidos.domain import Compra, Etapa, ServicoIndisponivel, StatusPedido
from pedidos.use_cases import completer
from pedidos.use_cases.completer import Completer
from tests.unit.pedidos.loja import SESSAO, Loja, solicitacao


async def abandoned(loja: Loja, chave: str) -> Compra:
    """An attempt whose process died right after its intent."""
    return await loja.compras.registrar(chave, solicitacao(chave), loja.carrinhos.carrinhos[SESSAO])


async def test_work_waits_for_its_lease_and_is_then_done(loja: Loja) -> None:
    await abandoned(loja, "a")
    assert not await loja.completer.passada()
    assert not loja.banco.pedidos
    loja.relogio.avancar(5)
    await loja.completer.passada()
    assert loja.unico.status is StatusPedido.CONFIRMADO


async def test_attempt_without_its_neighbour_is_tried_again_soon(loja: Loja) -> None:
    await abandoned(loja, "a")
    loja.relogio.avancar(5)
    loja.catalogo.away = True
    await loja.completer.passada()
    loja.catalogo.away = False
    loja.relogio.avancar(1.1)
    await loja.completer.passada()
    assert loja.unico.status is StatusPedido.CONFIRMADO


async def test_full_batch_asks_for_the_next_one_at_once(loja: Loja, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(completer, "LOTE", 2)
    for chave in "abc":
        await abandoned(loja, chave)
    loja.relogio.avancar(5)
    assert await loja.completer.passada()
    assert not await loja.completer.passada()
    assert {compra.etapa for compra in loja.banco.compras.values()} <= {Etapa.CONCLUIDA, Etapa.FALHOU}


async def test_one_that_cannot_be_completed_holds_up_no_other(loja: Loja) -> None:
    broken, whole = await abandoned(loja, "a"), await abandoned(loja, "b")
    reservar = loja.catalogo.reservar

    async def fails(reserva_id: str, itens: Any) -> Any:
        if reserva_id == broken.pedido_id:
            raise RuntimeError("unforeseen")
        return await reservar(reserva_id, itens)

    loja.catalogo.reservar = fails  # type: ignore[method-assign]
    loja.relogio.avancar(5)
    await loja.completer.passada()
    assert loja.unico.pedido_id == whole.pedido_id


class Stumbling:
    """Attempts whose database is away at first, then broken, then well."""

    def __init__(self) -> None:
        self.errors: list[Exception] = [ServicoIndisponivel("banco de dados"), RuntimeError("unforeseen")]
        self.well = asyncio.Event()

    async def vencidas(self, _limite: int) -> list[Compra]:
        if self.errors:
            raise self.errors.pop()
        self.well.set()
        return []

    async def a_devolver(self, _limite: int) -> list[str]:
        return []

    async def limpar(self) -> int:
        return 0


async def test_nothing_ends_the_loop(loja: Loja, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(completer, "INTERVALO", 0.001)
    stumbling: Any = Stumbling()
    task = asyncio.create_task(Completer(stumbling, stumbling, loja.checkout, loja.mudancas).run())
    await asyncio.wait_for(stumbling.well.wait(), 5)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
