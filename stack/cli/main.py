"""What `./confeitaria` understands: commands, options, their help. What they do is imported when they are called."""

import os
import sys
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import click

from stack.cli.failure import Failure
from stack.home import Home, find
from stack.tools import TOOLS
from stack.topology import MAX_INSTANCES, SERVICES

MAX_OFFSET = 64511
Command = TypeVar("Command", bound=Callable[..., Any])


def offset_option(command: Command) -> Command:
    """Gives a command `--port-offset` and, in its place, the data folder that belongs to it."""
    return click.option(
        "--port-offset",
        "home",
        type=click.IntRange(0, MAX_OFFSET),
        default=0,
        envvar="CONFEITARIA_PORT_OFFSET",
        metavar="N",
        help="Shift every port by N (past 65535 they go on at 1024) and use a data folder of its own.",
        callback=lambda _context, _parameter, offset: find(offset, os.environ),
    )(command)


@click.group(
    no_args_is_help=False, invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]}
)
@click.pass_context
def cli(context: click.Context) -> int:
    """A bakery as a gRPC service mesh: PostgreSQL, Valkey, Envoy and four services on this machine.

    Data lies in .confeitaria/ (CONFEITARIA_HOME moves it) and survives `down`.
    """
    if context.invoked_subcommand is None:
        click.echo(context.get_help())
    return 0


@cli.command()
@click.option("--detach", is_flag=True, help="Return when the mesh is ready, and leave it running.")
@offset_option
def up(home: Home, *, detach: bool) -> int:
    """Start everything and show its state until Ctrl-C, which stops everything."""
    from stack.cli.up import up as run

    return run(home, detach=detach)


@cli.command()
@click.option("--json", "as_json", is_flag=True, help="For scripts: the same as JSON.")
@offset_option
def status(home: Home, *, as_json: bool) -> int:
    """Tell what runs, in which state and at what cost. Exit code 0 when the mesh is ready, else 1."""
    from stack.cli.status import status as run

    return run(home, as_json=as_json)


@cli.command()
@offset_option
def down(home: Home) -> int:
    """Stop everything; the data stays."""
    from stack.cli.down import down as run

    return run(home)


@cli.command()
@click.option("--yes", is_flag=True, help="Do not ask.")
@offset_option
def reset(home: Home, *, yes: bool) -> int:
    """Stop everything and delete its data: products, carts, orders, secrets, logs."""
    from stack.cli.down import reset as run

    if not yes and not sys.stdin.isatty():
        raise click.UsageError("reset deletes all data: say --yes where nobody can be asked")
    if not yes:
        click.confirm(f"Delete all data of {home.path}?", abort=True)
    return run(home)


def _counts(_context: click.Context, _parameter: click.Parameter, values: tuple[str, ...]) -> Mapping[str, int]:
    counts = {}
    for value in values:
        name, _, number = value.partition("=")
        if name not in SERVICES:
            raise click.UsageError(f"{name!r} cannot be scaled: one of {', '.join(SERVICES)}, as in carrinho=3")
        if not number.isdecimal() or not 1 <= int(number) <= MAX_INSTANCES:
            raise click.UsageError(f"{value!r} is no number of instances: 1 to {MAX_INSTANCES}, as in {name}=3")
        if name in counts:
            raise click.UsageError(f"{name} is named twice")
        counts[name] = int(number)
    return counts


@cli.command()
@click.argument("counts", nargs=-1, required=True, metavar="NAME=N...", callback=_counts)
@offset_option
def scale(home: Home, counts: Mapping[str, int]) -> int:
    """Run N instances of a service (catalogo, carrinho, pedidos, gateway), also at later starts.

    No request is lost: new instances serve before they are used, old ones drain before they stop.
    """
    from stack.cli.scale import scale as run

    return run(home, counts)


@cli.command()
@click.argument("name")
@click.option("-f", "--follow", is_flag=True, help="Go on as the log grows.")
@click.option("-n", "--lines", type=click.IntRange(0), default=100, show_default=True, help="How many to begin with.")
@offset_option
def logs(home: Home, name: str, *, follow: bool, lines: int) -> int:
    """Print the log of a part, named as in the status."""
    from stack.cli.logs import logs as run

    return run(home, name, follow=follow, lines=lines)


@cli.command(context_settings={"ignore_unknown_options": True})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED, metavar="[PYTEST ARGUMENTS]")
@offset_option
def test(home: Home, arguments: tuple[str, ...]) -> int:
    """Run the tests; arguments go to pytest. They start meshes of their own on free ports."""
    from stack.cli.development import test as run

    return run(home.offset, arguments)


@cli.command()
@click.option("--kills", type=click.IntRange(1), default=200, show_default=True, help="How many parts to kill.")
@click.option("--seed", type=click.IntRange(0), help="Repeats the choices of an earlier run.")
@offset_option
def faults(home: Home, *, kills: int, seed: int | None) -> int:
    """Kill parts of a mesh of its own under load and check that nothing was lost, doubled or oversold.

    Exit code 1 if anything was, and the logs are kept.
    """
    from stack.cli.faults import faults as run

    return run(home.offset, kills=kills, seed=seed)


@cli.command()
def check() -> int:
    """Lint, types, import contracts, the contract's own lint, generated code, Envoy's configuration."""
    from stack.cli.check import check as run

    return run()


@cli.command()
@click.option("--check", "only_check", is_flag=True, help="Write nothing; fail if something would change.")
def protos(*, only_check: bool) -> int:
    """Generate stubs and descriptors from protos/."""
    from stack.cli.development import protos as run

    return run(only_check=only_check)


@cli.command()
@click.argument("name", type=click.Choice(sorted(TOOLS)))
def tool(name: str) -> int:
    """Print the path of ghz, grpcurl or vegeta: from PATH, else built once from its pinned version."""
    from stack.cli.development import tool as run

    return run(name)


def main() -> int:
    """Exit code 0, 1 for a failure, 2 for misuse; each of the latter with one line that says what is wrong."""
    try:
        return int(cli.main(prog_name="confeitaria", standalone_mode=False) or 0)
    except click.UsageError as misuse:
        return _say(f"{' '.join(misuse.format_message().split())} (./confeitaria --help)", 2)
    except Failure as failure:
        return _say(str(failure), 1)
    except click.Abort:
        return _say("stopped", 1)


def _say(line: str, code: int) -> int:
    click.echo(f"confeitaria: {line}", err=True)
    return code
