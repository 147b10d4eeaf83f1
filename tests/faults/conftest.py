"""A bakery that may be hurt: its parts die in these tests, so no other suite shares it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.conftest import Mesh
from tests.faults.__main__ import bakery


@pytest.fixture(scope="session")
def padaria() -> Iterator[Mesh]:
    with bakery() as mesh:
        yield mesh
