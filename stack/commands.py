"""Runs a command to its end beside everything else: initdb, psql, a migration."""

import asyncio
import signal
import subprocess
from collections.abc import Mapping, Sequence

from stack.account import Account
from stack.parts import base_environment
from stack.processes import die_with_parent


class CommandFailed(Exception):  # noqa: N818  named after what happened
    """`output` is what the command said, both streams."""

    def __init__(self, name: str, code: int | None, output: str) -> None:
        self.name, self.code, self.output = name, code, output
        last = output.strip().splitlines()[-1:] or ["no output"]
        super().__init__(f"{name} failed ({'too slow' if code is None else f'exit code {code}'}): {last[0]}")


async def run(
    name: str,
    argv: Sequence[str],
    *,
    account: Account | None = None,
    environment: Mapping[str, str] | None = None,
    text: str = "",
    seconds: float = 120.0,
) -> str:
    """Gives what the command wrote, both streams; `text` is its input. Raises CommandFailed; leaves nothing running."""
    account = account or Account()
    process = await asyncio.create_subprocess_exec(
        *account.prefix,
        *argv,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd="/",
        env=dict(base_environment() if environment is None else environment),
        process_group=0,
        preexec_fn=die_with_parent(signal.SIGKILL),
        **account.options(),
    )
    try:
        async with asyncio.timeout(seconds):
            output, _ = await process.communicate(text.encode())
    except TimeoutError:
        raise CommandFailed(name, None, "") from None
    finally:
        if process.returncode is None:  # too slow, or the whole start was called off
            process.kill()
            await process.wait()
    if process.returncode:
        raise CommandFailed(name, process.returncode, output.decode(errors="replace"))
    return output.decode(errors="replace")
