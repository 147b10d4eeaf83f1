"""One child of the supervisor: started, watched, started again when it dies, stopped."""

import asyncio
import contextlib
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from stack.parts import Part
from stack.processes import Identity, die_with_parent, identify, send

FIRST_PAUSE, LONGEST_PAUSE = 0.1, 5.0  # seconds before a dead part is started again
CALM = 10.0  # seconds up after which earlier deaths are forgiven
POLL = 0.05  # seconds between questions to a part that is starting
MISUSE = 2  # exit code of a service whose settings are bad: starting it again cannot help
LOG_LIMIT = 32 * 1024 * 1024  # bytes after which a log is set aside when its part starts


class PartFailed(Exception):  # noqa: N818  named after what happened
    """A part did not come up; `name` is whose log tells why."""

    def __init__(self, name: str, reason: str) -> None:
        self.name, self.reason = name, reason
        super().__init__(f"{name} {reason}")


class RestartPause:
    """How long to wait before the next start: doubles with each death, forgets after a calm time."""

    def __init__(self) -> None:
        self._next = FIRST_PAUSE

    def after(self, seconds_up: float) -> float:
        """The pause, in seconds, after a life of `seconds_up`."""
        if seconds_up >= CALM:
            self._next = FIRST_PAUSE
        pause, self._next = self._next, min(self._next * 2, LONGEST_PAUSE)
        return pause


class Child:
    """`changed` is called whenever the process behind the part is another one (or none)."""

    def __init__(self, part: Part, changed: Callable[[], None] = lambda: None) -> None:
        self.part = part
        self.restarts = 0
        self.identity: Identity | None = None
        self.exit_code: int | None = None  # of the last life that ended
        self.state = "starting"
        self._born = 0.0  # of the present life, by the monotonic clock
        self._changed = changed
        self._pause = RestartPause()
        self._stopping = asyncio.Event()
        self._process: asyncio.subprocess.Process | None = None
        self._keeper: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Starts the first life; raises PartFailed when not even that is possible."""
        await self._spawn()
        self._keeper = asyncio.create_task(self._keep(), name=f"keep {self.part.name}")

    async def serving(self, seconds: float) -> None:
        """Waits until the part says that it serves; raises PartFailed after `seconds`, or when it keeps dying."""
        deadline = time.monotonic() + seconds
        while why := await self.ask():
            if self.exit_code == MISUSE or self.restarts > 2:  # noqa: PLR2004  twice may be bad luck
                raise PartFailed(self.part.name, f"does not stay up (exit code {self.exit_code})")
            if time.monotonic() > deadline:
                raise PartFailed(self.part.name, f"does not serve after {seconds:.0f} s: {why}")
            await asyncio.sleep(POLL)

    async def ask(self) -> str | None:
        """None when the part serves, else why not; `state` follows the answer."""
        if self.state in ("restarting", "stopped"):
            return self.state
        why = await self.part.probe()
        if self.state in ("restarting", "stopped"):  # it died while we asked
            return self.state
        if why is None:
            self.state = "serving"
        elif self.state == "serving" or time.monotonic() - self._born > CALM:
            self.state = "not_serving"
        return why

    async def stop(self) -> None:
        """Asks gently, then less so, until the process is gone."""
        self._stopping.set()
        for number, seconds in self.part.stop:
            if self._keeper is None or self._keeper.done():
                break
            if self.identity:
                send(self.identity, number)
            await asyncio.wait([self._keeper], timeout=seconds)
        if self._keeper and not self._keeper.done():
            self._keeper.cancel()
        self.state = "stopped"

    async def _keep(self) -> None:
        while True:
            if self._process:
                self.exit_code = await self._process.wait()
            self._process = self.identity = None
            self._changed()
            if self._stopping.is_set():
                return
            self.state = "restarting"
            if await self._wait(self._mourn()):
                return
            self.restarts += 1
            await self._spawn_again()

    def _mourn(self) -> float:
        """Writes the death down where the stack's log goes; gives the pause before the next life, in seconds."""
        lived = time.monotonic() - self._born
        pause = self._pause.after(lived)
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        how = "could not be started" if self.exit_code is None else describe(self.exit_code)
        with contextlib.suppress(OSError):  # a full disk is no reason not to go on
            sys.stdout.write(f"{now} {self.part.name} died ({how}) after {lived:.1f} s; next start in {pause:.1f} s\n")
            sys.stdout.flush()
        return pause

    async def _wait(self, seconds: float) -> bool:
        """True when there will be no next life."""
        try:
            await asyncio.wait_for(self._stopping.wait(), seconds)
        except TimeoutError:
            return False
        return True

    async def _spawn_again(self) -> None:
        """A start that fails (no memory, no file left) counts as one more short life."""
        with contextlib.suppress(PartFailed):
            await self._spawn()

    async def _spawn(self) -> None:
        self._born = time.monotonic()
        try:
            self._process = await self._execute()
        except OSError as error:
            raise PartFailed(self.part.name, f"cannot be started: {error}") from error
        self.identity = identify(self._process.pid)
        self.state = "starting"
        self._changed()

    async def _execute(self) -> asyncio.subprocess.Process:
        part = self.part
        set_aside(part.log)
        with part.log.open("ab") as log:
            return await asyncio.create_subprocess_exec(
                *part.account.prefix,
                *part.argv,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd="/",  # no folder is kept busy, and none is imported from
                env=dict(part.environment),
                process_group=0,  # a Ctrl-C in a terminal is for the stack to hear
                preexec_fn=die_with_parent(part.stop[0][0]),
                **part.account.options(),
            )


def set_aside(log: Path) -> None:
    """Keeps a log that grew long as NAME.log.1, in place of the one before."""
    try:
        if log.stat().st_size > LOG_LIMIT:
            log.replace(f"{log}.1")
    except FileNotFoundError:
        return


def describe(code: int) -> str:
    """`exit code 2` or `SIGKILL`."""
    return f"exit code {code}" if code >= 0 else signal.Signals(-code).name
