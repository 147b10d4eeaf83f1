"""Randomness that can be replayed."""

import os
import random

import pytest


@pytest.fixture
def dice() -> random.Random:
    """Prints its seed, shown when the test fails; CONFEITARIA_SEED=... repeats the run."""
    seed = int(os.environ.get("CONFEITARIA_SEED") or random.randrange(2**32))
    print(f"CONFEITARIA_SEED={seed}")  # noqa: T201  pytest shows it with the failure
    return random.Random(seed)
