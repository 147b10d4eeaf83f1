"""How long a dead part waits for its next life."""

import pytest

from stack.child import CALM, RestartPause


def test_the_pause_doubles_up_to_five_seconds() -> None:
    pause = RestartPause()
    assert [pause.after(0.0) for _ in range(8)] == pytest.approx([0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0])


def test_a_calm_life_is_forgiven_the_deaths_before_it() -> None:
    pause = RestartPause()
    for _ in range(5):
        pause.after(1.0)
    assert pause.after(CALM) == pytest.approx(0.1)
    assert pause.after(1.0) == pytest.approx(0.2)


def test_a_life_just_too_short_is_not() -> None:
    pause = RestartPause()
    pause.after(0.0)
    assert pause.after(CALM - 0.1) == pytest.approx(0.2)
