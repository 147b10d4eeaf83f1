"""kill -9 of pedidos and of catalogo at every call of a port: before it, after it, and with its transaction open.

The processes are the product's own but for the stops around their ports (pausing/), which a copy of the stack starts.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from catalogo import use_cases as catalogo
from pedidos.use_cases import ports as pedidos
from tests.conftest import Mesh
from tests.faults.__main__ import bakery, keep
from tests.faults.campaign import Report, settled_and_checked
from tests.faults.pausing.points import IMPLEMENTATIONS, WITHOUT_POINTS, Point, points, ports
from tests.faults.pausing.tour import INSTANCES, Tour
from tests.seeded.copies import Copy, Edit

POINTS = [point for service in IMPLEMENTATIONS for point in points(service)]


@pytest.fixture(scope="module")
def stopping() -> Iterator[tuple[Mesh, Path]]:
    """A mesh whose services look for traps in the folder."""
    folder = Path(tempfile.mkdtemp(prefix="armadilhas "))
    folder.chmod(0o711)
    copy = Copy(folder / "codigo")
    started, instead = (
        'argv=python("-m", service)',
        f'argv=python("-m", "tests.faults.pausing", service, {str(folder)!r})',
    )
    copy.apply([Edit("stack/services.py", started, instead)])
    with bakery(copy.root) as mesh:
        scaled = mesh.run("scale", *(f"{service}={count}" for service, count in INSTANCES.items()))
        assert scaled.returncode == 0, scaled.stderr
        yield mesh, folder
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def tour(stopping: tuple[Mesh, Path], request: pytest.FixtureRequest) -> Tour:
    """All points that tests were chosen for, visited in one go."""
    chosen = [item.callspec.params.get("point") for item in request.session.items if hasattr(item, "callspec")]
    tour = Tour(*stopping)
    asyncio.run(tour.visit([point for point in POINTS if point in chosen]))
    return tour


@pytest.mark.parametrize("point", POINTS, ids=str)
def test_who_is_killed_at_a_point_leaves_one_order_a_key(tour: Tour, point: Point) -> None:
    visit = tour.visits[point]
    print(f"{visit.seconds:.1f} s")  # noqa: T201  pytest shows it when the test fails
    assert not visit.problem


def test_after_all_these_deaths_the_shop_is_in_order(tour: Tour, stopping: tuple[Mesh, Path]) -> None:
    mesh, _ = stopping
    report = asyncio.run(settled_and_checked(mesh, Report(0, tour.history)))
    assert not report.violations, "\n".join(map(str, report.violations[:20])) + f"\nlogs: {keep(mesh)}"
    assert report.orders >= 3 * len(tour.visits), "most of these points saw no order"


def test_every_port_has_its_points() -> None:
    named = {port for service in IMPLEMENTATIONS.values() for each in service for port in each.ports}
    assert named | WITHOUT_POINTS == ports(catalogo) | ports(pedidos)
