"""The panel of the shop's health, over a fake of the neighbours."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from gateway.domain import EU, PARTES, Estado, Situacao, aberta
from gateway.use_cases import Painel
from tests.fakes.gateway import VizinhosFake


@asynccontextmanager
async def vigiado(vizinhos: VizinhosFake) -> AsyncIterator[Painel]:
    painel = Painel(vizinhos)
    tarefa = asyncio.create_task(painel.vigiar())
    try:
        yield painel
    finally:
        tarefa.cancel()
        await asyncio.gather(tarefa, return_exceptions=True)


async def ate(condition: Callable[[], bool], seconds: float = 2) -> None:
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110  the panel has no event to wait for
            await asyncio.sleep(0.005)


def estados(painel: Painel) -> dict[str, Estado]:
    return {each.nome: each.estado for each in painel.situacoes}


def test_nobody_shops_before_everybody_was_asked() -> None:
    painel = Painel(VizinhosFake())
    assert estados(painel) == dict.fromkeys(PARTES, Estado.AINDA_NAO) | {EU: Estado.SERVING}
    assert not aberta(painel.situacoes)


async def test_the_shop_is_open_when_every_part_serves() -> None:
    async with vigiado(VizinhosFake()) as painel:
        await ate(lambda: aberta(painel.situacoes))
        assert estados(painel) == dict.fromkeys((*PARTES, EU), Estado.SERVING)


@pytest.mark.parametrize("parte", PARTES)
async def test_each_part_closes_the_shop_and_opens_it_again(parte: str) -> None:
    vizinhos = VizinhosFake()
    async with vigiado(vizinhos) as painel:
        await ate(lambda: aberta(painel.situacoes))
        vizinhos.detalhes[parte] = "está em reforma"
        await ate(lambda: not aberta(painel.situacoes))
        assert Situacao(parte, Estado.NOT_SERVING, "está em reforma") in painel.situacoes
        assert [each.nome for each in painel.situacoes if each.estado is not Estado.SERVING] == [parte]
        vizinhos.detalhes[parte] = None
        await ate(lambda: aberta(painel.situacoes))


async def test_a_part_that_hangs_delays_no_other() -> None:
    vizinhos = VizinhosFake()
    vizinhos.presos = {"carrinho"}
    async with vigiado(vizinhos) as painel:
        await ate(lambda: estados(painel)["pedidos"] is Estado.SERVING)
        antes = vizinhos.perguntas["pedidos"]
        await ate(lambda: vizinhos.perguntas["pedidos"] > antes + 2)
        assert estados(painel)["carrinho"] is Estado.AINDA_NAO


async def test_nothing_is_told_anew_while_nothing_changes() -> None:
    vizinhos = VizinhosFake()
    async with vigiado(vizinhos) as painel:
        await ate(lambda: aberta(painel.situacoes))
        antes, perguntas = painel.situacoes, vizinhos.perguntas["catalogo.leitura"]
        await ate(lambda: vizinhos.perguntas["catalogo.leitura"] > perguntas + 2)
        assert painel.situacoes is antes
