"""One child of the supervisor, tried with tiny programs of the test's own."""

import asyncio
import os
import signal
import sys
import time
from itertools import pairwise
from pathlib import Path

import pytest

from stack.child import LOG_LIMIT, Child, PartFailed, set_aside
from stack.parts import Part, base_environment
from stack.probes import Probe
from stack.processes import Signals, alive
from stack.topology import Address

# from Python 3.12 on; the supervisor has no threads, this process may
pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
NOWHERE = Address("127.0.0.1", 1)


async def _always() -> str | None:
    return None


def _part(folder: Path, program: str, probe: Probe = _always, stop: Signals = ((signal.SIGTERM, 5.0),)) -> Part:
    argv = (sys.executable, "-c", program)
    return Part("tiny", "tiny", argv, NOWHERE, probe, folder / "tiny.log", base_environment(), stop)


async def _eventually(condition: object, seconds: float) -> None:
    assert callable(condition)
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110  it speaks of another process
            await asyncio.sleep(0.01)


async def test_a_part_that_keeps_dying_is_started_again_with_growing_pauses(tmp_path: Path) -> None:
    births: list[float] = []
    child = Child(_part(tmp_path, "pass"), lambda: births.append(time.monotonic()) if child.identity else None)
    await child.start()
    await _eventually(lambda: child.restarts >= 3, seconds=10)
    await child.stop()
    pauses = [after - before for before, after in pairwise(births)]
    assert pauses[0] >= 0.1
    assert pauses[1] >= 0.2
    assert pauses[2] >= 0.4
    assert child.state == "stopped"


async def test_a_part_with_bad_settings_is_given_up_at_once(tmp_path: Path) -> None:
    async def never() -> str | None:
        return "no"

    child = Child(_part(tmp_path, "raise SystemExit(2)", never))
    await child.start()
    with pytest.raises(PartFailed, match=r"does not stay up \(exit code 2\)"):
        await child.serving(seconds=10)
    await child.stop()


async def test_a_part_that_never_serves_is_given_up_after_its_time_with_the_reason(tmp_path: Path) -> None:
    async def never() -> str | None:
        return "the oven is cold"

    child = Child(_part(tmp_path, "import time; time.sleep(60)", never))
    await child.start()
    with pytest.raises(PartFailed, match="does not serve after 0 s: the oven is cold"):
        await child.serving(seconds=0.2)
    await child.stop()


async def test_a_program_that_is_not_there_fails_by_name(tmp_path: Path) -> None:
    part = Part("tiny", "tiny", ("/nowhere/tiny",), NOWHERE, _always, tmp_path / "tiny.log")
    with pytest.raises(PartFailed, match=r"tiny cannot be started: .*No such file"):
        await Child(part).start()


async def test_a_part_that_does_not_listen_is_stopped_less_gently(tmp_path: Path) -> None:
    deaf = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(60)"
    )
    child = Child(_part(tmp_path, deaf, stop=((signal.SIGTERM, 0.3), (signal.SIGKILL, 5.0))))
    await child.start()
    await _eventually(lambda: "deaf" in child.part.log.read_text(), seconds=10)
    identity = child.identity
    assert identity is not None
    await child.stop()
    assert not alive(identity)
    assert child.exit_code == -signal.SIGKILL


async def test_a_paused_part_hears_that_it_should_stop(tmp_path: Path) -> None:
    child = Child(_part(tmp_path, "import time; print('up', flush=True); time.sleep(60)"))
    await child.start()
    await _eventually(lambda: "up" in child.part.log.read_text(), seconds=10)
    assert child.identity is not None
    os.kill(child.identity.pid, signal.SIGSTOP)
    await child.stop()
    assert child.exit_code == -signal.SIGTERM


async def test_the_state_follows_the_answers(tmp_path: Path) -> None:
    answers: list[str | None] = ["no"]

    async def probe() -> str | None:
        return answers[-1]

    child = Child(_part(tmp_path, "import time; time.sleep(60)", probe))
    await child.start()
    seen = []
    for answer in ("not yet", None, "hurt", None):
        answers.append(answer)
        await child.ask()
        seen.append(child.state)
    assert seen == ["starting", "serving", "not_serving", "serving"]
    await child.stop()
    assert await child.ask() == "stopped"


def test_a_log_that_grew_long_is_kept_aside(tmp_path: Path) -> None:
    log = tmp_path / "tiny.log"
    with log.open("wb") as file:
        file.truncate(LOG_LIMIT + 1)
    set_aside(log)
    assert not log.exists()
    assert (tmp_path / "tiny.log.1").stat().st_size == LOG_LIMIT + 1
    set_aside(log)
