"""A tree of its own for the tests of the stack: its code, Envoy's configuration, the contract, stand-in services."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from stack.topology import ROOT, SERVICES
from tests.conftest import Mesh

SERVICE = Path(__file__).with_name("service.py")


@pytest.fixture(scope="session")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    tree = tmp_path_factory.mktemp("a árvore")
    ignored = shutil.ignore_patterns("__pycache__")
    for folder in ("stack", "envoy", "protos"):
        shutil.copytree(ROOT / folder, tree / folder, ignore=ignored)
    for service in SERVICES:
        (tree / service).mkdir()
        (tree / service / "__init__.py").touch()
        shutil.copy(SERVICE, tree / service / "__main__.py")
    return tree


@pytest.fixture(scope="session")
def shared(tree: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mesh]:
    """A running mesh of stand-ins for the tests that leave it as they found it."""
    found = Mesh(tmp_path_factory.mktemp("dados em comum"), root=tree)
    found.up()
    yield found
    found.down()


@pytest.fixture
def fresh(tree: Path, tmp_path: Path) -> Iterator[Mesh]:
    """A mesh of stand-ins that has never run; stopped after the test whatever happened."""
    found = Mesh(tmp_path / "os dados", root=tree)
    yield found
    found.down()


@pytest.fixture
def stand_in(fresh: Mesh) -> Mesh:
    """The same, running."""
    fresh.up()
    return fresh
