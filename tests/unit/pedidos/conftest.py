"""A bakery in memory, with the use cases of orders over it."""

import pytest

from tests.unit.pedidos.loja import Loja


@pytest.fixture
def loja() -> Loja:
    return Loja()
