"""Carts do what their contract says, whatever is asked of them, in any order and at once."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import free_port
from tests.fakes.carrinho import CatalogoServicerFalso
from tests.integration.test_carrinho.conftest import Servidor
from tests.integration.test_carrinho.test_service import Processo
from tests.model.carrinho_doors import PortaGrpc, PortaLocal
from tests.model.carrinho_machine import CarrinhoMachine, CarrinhoMortalMachine
from tests.model.machine import check


@pytest.mark.usefixtures("quiet")
def test_over_fakes(runner: asyncio.Runner) -> None:
    check(lambda: CarrinhoMachine(PortaLocal(), runner.run), examples=100, steps=40)


@pytest.fixture
def door(runner: asyncio.Runner, tmp_path: Path) -> Iterator[PortaGrpc]:
    catalogo, address = CatalogoServicerFalso(), f"127.0.0.1:{free_port()}"
    valkey = Servidor(tmp_path)
    valkey.start()
    processo = Processo(tmp_path / "log", valkey.url, address)
    processo.start()
    door = PortaGrpc(processo, valkey, catalogo)
    serving = catalogo.servindo(address)
    try:
        runner.run(serving.__aenter__())
        runner.run(door.open())
        yield door
        runner.run(door.close())
        runner.run(serving.__aexit__(None, None, None))
        assert processo.stop() == 0, processo.log.read_text()
    finally:
        processo.process.kill()
        processo.process.wait()
        valkey.kill()


@pytest.mark.usefixtures("quiet")
def test_over_a_process(door: PortaGrpc, runner: asyncio.Runner) -> None:
    check(lambda: CarrinhoMachine(door, runner.run), examples=12, steps=25)


@pytest.mark.usefixtures("quiet")
def test_over_a_process_that_dies(door: PortaGrpc, runner: asyncio.Runner) -> None:
    check(lambda: CarrinhoMortalMachine(door, runner.run), examples=10, steps=20)
