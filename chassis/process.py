"""From an empty process to a serving one and out again, with the exit code that says how it went."""

import asyncio
import signal
import sys
from collections.abc import Awaitable, Callable
from typing import NoReturn, TypeVar

import structlog
import uvloop

from chassis import telemetry
from chassis.server import StartError
from chassis.settings import ServiceSettings, SettingsError, load

S = TypeVar("S", bound=ServiceSettings)

OK, FAILED, MISUSED = 0, 1, 2


def main(serve: Callable[[S], Awaitable[None]], settings: type[S]) -> NoReturn:
    """Loads the settings, runs `serve` on uvloop and exits: 0 drained, 1 failed to start, 2 bad settings."""
    sys.exit(_main(serve, settings))


def _main(serve: Callable[[S], Awaitable[None]], settings: type[S]) -> int:
    try:
        loaded = load(settings)
    except SettingsError as exc:
        sys.stderr.write(f"{exc}\n")
        return MISUSED
    telemetry.configure(loaded)
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_until_signal(serve, loaded))
    except StartError as exc:
        structlog.get_logger().error("cannot start", why=str(exc))
        sys.stderr.write(f"{loaded.instance}: {exc}\n")
        return FAILED
    except Exception:  # noqa: BLE001  the last one who can tell
        structlog.get_logger().exception("failed")
        return FAILED
    return OK


async def _until_signal(serve: Callable[[S], Awaitable[None]], settings: S) -> None:
    """A signal before the server listens for it ends the start, as orderly as one after."""
    loop = asyncio.get_running_loop()
    work = asyncio.ensure_future(serve(settings))
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, work.cancel)
    try:
        await work
    except asyncio.CancelledError:
        structlog.get_logger().info("stopped before it served")
