"""Steps as they happen: moving on a terminal, a line each elsewhere."""

import sys
from collections.abc import Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import click

if TYPE_CHECKING:
    from rich.progress import Progress as Bars
    from rich.progress import TaskID


class Progress:
    """`step` takes the supervisor's messages: a name that has begun, later the same name that is done."""

    def __init__(self, verb: str) -> None:
        self._verb = verb
        self._bars = _bars() if sys.stdout.isatty() else None
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> Self:
        if self._bars:
            self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        if self._bars:
            self._bars.stop()

    def step(self, message: Mapping[str, Any]) -> None:
        name, done = message["name"], message["state"] == "done"
        if self._bars and not done:
            self._tasks[name] = self._bars.add_task(f"{self._verb} {name}", total=1)
        elif self._bars:
            self._bars.update(self._tasks[name], completed=1, description=name)
        elif done:
            click.echo(f"{name}: {self._verb.removesuffix('ing')}ed" + _time(message))


def _time(message: Mapping[str, Any]) -> str:
    return f" in {message['seconds']:.1f} s" if "seconds" in message else ""


def _bars() -> "Bars":
    from rich.progress import Progress as Bars  # a terminal's luxury
    from rich.progress import SpinnerColumn, TextColumn, TimeElapsedColumn

    return Bars(SpinnerColumn(finished_text="[green]✓[/]"), TextColumn("{task.description}"), TimeElapsedColumn())
