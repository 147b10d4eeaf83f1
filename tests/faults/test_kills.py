"""kill -9 of every part at random moments under load: nothing acknowledged is lost, nothing happens twice."""

from __future__ import annotations

import asyncio
import os
import random
from collections import Counter

from tests.conftest import Mesh
from tests.faults.__main__ import keep, progress
from tests.faults.campaign import run, table
from tests.faults.killer import PARTS

KILLS = 20  # `./confeitaria faults` does ten times as many


def test_twenty_kills_under_load_lose_and_double_nothing(padaria: Mesh) -> None:
    seed = int(os.environ.get("CONFEITARIA_SEED") or random.SystemRandom().randrange(1_000_000))
    print(f"seed {seed} (CONFEITARIA_SEED replays it)")  # noqa: T201  pytest shows it when the test fails
    report = asyncio.run(run(padaria, KILLS, seed, progress(KILLS)))
    told = table(report)
    assert not report.violations, f"{told}\nlogs: {keep(padaria)}"
    killed = Counter(kill.part for kill in report.kills)
    assert set(killed) == set(PARTS), "a part was spared"
    assert report.orders > KILLS, f"there was hardly any load:\n{told}"
    assert all(report.situations.values()), f"nobody did what is hard to get right:\n{told}"
    assert report.in_doubt, f"no kill hit a request, which proves nothing:\n{told}"
