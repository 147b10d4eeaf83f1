"""`status`, and the table that `up` shows too."""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from stack.cli import mesh
from stack.home import Home
from stack.report import stopped
from stack.state import running

if TYPE_CHECKING:
    from rich.table import Table

COLOURS = {"serving": "green", "starting": "yellow", "restarting": "yellow", "not_serving": "red", "stopped": "red"}
WIDTH = 110  # columns of the table where no terminal says how many there are


def status(home: Home, *, as_json: bool) -> int:
    found = running(home)
    told = mesh.status(found) if found else stopped(mesh.url(home))
    if as_json:
        click.echo(json.dumps({key: value for key, value in told.items() if key != "ok"}, ensure_ascii=False))
    elif found:
        _show(told)
    else:
        click.echo(f"the mesh is not running: {home.command('up')} starts it")
    return 0 if told["ready"] else 1


def _show(told: Mapping[str, Any]) -> None:
    from rich.console import Console

    console = Console()
    if not console.is_terminal:
        console = Console(width=WIDTH)
    console.print(table(told))


def table(told: Mapping[str, Any]) -> "Table":
    """One row a process, the sums below."""
    from rich.table import Table  # a twentieth of a second that `--json` need not pay

    ready = "[green]ready[/]" if told["ready"] else "[yellow]not ready[/]"
    made = Table(title=f"{told['edge']}  {ready}", title_justify="left", box=None, pad_edge=False, show_footer=True)
    total = {key: sum(row[key] for row in _all(told)) for key in ("cpu_seconds", "pss_mb")}
    for heading, footer in (("part", "all, with the supervisor"), ("state", ""), ("role", ""), ("address", "")):
        made.add_column(heading, footer, no_wrap=True)
    for heading, footer in (
        ("pid", ""),
        ("restarts", ""),
        ("CPU s", f"{total['cpu_seconds']:.1f}"),
        ("PSS MB", f"{total['pss_mb']:.0f}"),
    ):
        made.add_column(heading, footer, justify="right", no_wrap=True)
    made.add_column("detail")
    for row in told["processes"]:
        made.add_row(*_cells(row))
    return made


def _all(told: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [*told["processes"], *([told["supervisor"]] if told["supervisor"] else [])]


def _cells(row: Mapping[str, Any]) -> list[str]:
    colour = COLOURS.get(row["state"], "white")
    detail = "" if row["state"] == "serving" else str(row["detail"] or "")
    return [
        row["name"],
        f"[{colour}]{row['state']}[/]",
        row["role"] or "",
        row["address"],
        str(row["pid"] or ""),
        str(row["restarts"]),
        f"{row['cpu_seconds']:.1f}",
        f"{row['pss_mb']:.0f}",
        detail,
    ]
