"""`scale`."""

from collections.abc import Mapping

import click

from stack.cli import mesh
from stack.cli.failure import Failure
from stack.home import Home, HomeError
from stack.state import running


def scale(home: Home, counts: Mapping[str, int]) -> int:
    wanted = ", ".join(f"{name}={number}" for name, number in counts.items())
    if found := running(home):
        for message in mesh.ask(found, {"op": "scale", "counts": counts}, mesh.SCALE_SECONDS):
            _tell(message)
        click.echo(f"now {wanted}")
        return 0
    try:
        home.prepare()
    except HomeError as error:
        raise Failure(str(error)) from error
    home.keep_counts(home.counts() | dict(counts))
    click.echo(f"{wanted} from the next {home.command('up')}")
    return 0


def _tell(message: Mapping[str, object]) -> None:
    if message.get("state") == "done":
        click.echo(f"{message['name']} {'serves' if message['event'] == 'step' else 'has drained and stopped'}")
