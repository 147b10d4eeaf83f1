"""Orders do what their contract says, whatever is asked of them, in any order and at once."""

import asyncio

import pytest

from tests.conftest import Mesh
from tests.model.machine import check
from tests.model.pedidos_doors import PortaLocal, PortaMesh
from tests.model.pedidos_machine import PedidosMachine


@pytest.mark.usefixtures("quiet")
def test_over_fakes(runner: asyncio.Runner) -> None:
    check(lambda: PedidosMachine(PortaLocal(), runner.run), examples=150, steps=40)


def test_over_a_mesh(mesh: Mesh, runner: asyncio.Runner) -> None:
    door = PortaMesh(mesh)
    runner.run(door.open())
    try:
        check(lambda: PedidosMachine(door, runner.run), examples=15, steps=25)
    finally:
        runner.run(door.close())
