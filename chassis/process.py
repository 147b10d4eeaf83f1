"""From an empty process to a serving one and out again, with the exit code that says how it went."""

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from typing import Any, NoReturn, TypeVar

import structlog
import uvloop

from chassis import telemetry
from chassis.server import StartError
from chassis.settings import ServiceSettings, SettingsError, load

S = TypeVar("S", bound=ServiceSettings)

OK, FAILED, MISUSED = 0, 1, 2
PATIENCE = 1.0  # seconds for what still runs in the background when the service has ended


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
    log = structlog.get_logger()
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            stubborn = runner.run(_run(serve(loaded)))
            if stubborn:
                log.warning("tasks ignored their cancellation", tasks=stubborn)
                sys.stdout.flush()
                os._exit(OK)  # the runner would wait for them for ever
    except StartError as exc:
        log.error("cannot start", why=str(exc))  # noqa: TRY400  one clear line, no traceback
        sys.stderr.write(f"{loaded.instance}: {exc}\n")
        return FAILED
    except Exception:
        log.exception("failed")
        return FAILED
    return OK


async def _run(serving: Awaitable[None]) -> list[str]:
    """Runs it to its end. Gives the names of the tasks that are left and will not end."""
    loop = asyncio.get_running_loop()
    work = asyncio.ensure_future(serving)
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, work.cancel)  # until the server listens for them itself
    try:
        await work
    except asyncio.CancelledError:
        structlog.get_logger().info("stopped before it served")
    return await _end(asyncio.all_tasks() - {asyncio.current_task()})


async def _end(tasks: set[asyncio.Task[Any]]) -> list[str]:
    for task in tasks:
        task.cancel()
    left = (await asyncio.wait(tasks, timeout=PATIENCE))[1] if tasks else ()
    return [getattr(task.get_coro(), "__qualname__", task.get_name()) for task in left]
