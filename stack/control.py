"""How the command line and the supervisor talk: JSON lines over a Unix socket that only its owner may open.

A request is one line, `{"op": "status"}`; the answer is any number of lines with "event" and a last one with "ok".
"""

import asyncio
import json
import shutil
import socket
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

from stack.home import owned

Message = dict[str, Any]
Tell = Callable[[Message], None]
Handler = Callable[[Message, Tell], Awaitable[Message]]
LINE_LIMIT = 1024 * 1024  # bytes; a status of forty processes takes ten thousand
PATH_LIMIT = 60  # characters of folder: a socket's whole path must fit in 104 bytes (macOS; 108 on Linux)
PREFIX = "confeitaria-"


def make_socket_path() -> Path:
    """In a new folder that nobody else may enter, short wherever the data folder lies."""
    base = tempfile.gettempdir()
    return Path(tempfile.mkdtemp(prefix=PREFIX, dir=base if len(base) < PATH_LIMIT else "/tmp")) / "control"  # noqa: S108  mkdtemp makes it ours


def remove_socket(path: Path) -> None:
    """With its folder, and only if that is one of ours."""
    if path.parent.name.startswith(PREFIX) and owned(path.parent):
        shutil.rmtree(path.parent, ignore_errors=True)


def encode(message: Message) -> bytes:
    return json.dumps(message, ensure_ascii=False).encode() + b"\n"


def write(writer: asyncio.StreamWriter, message: Message) -> None:
    """To whoever listens; one who has gone misses it."""
    if not writer.is_closing():
        writer.write(encode(message))


async def listen(path: Path, handle: Handler) -> asyncio.Server:
    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        def tell(message: Message) -> None:
            write(writer, message)

        try:
            request = json.loads(await reader.readline() or b"{}")
            tell(await handle(request, tell))
            await writer.drain()
        except (ConnectionError, ValueError):
            pass  # who asked has gone, or did not speak our language
        finally:
            writer.close()

    return await asyncio.start_unix_server(converse, path, limit=LINE_LIMIT)


class Unreachable(Exception):  # noqa: N818  named after what happened
    """The supervisor does not answer."""


def ask(path: Path, request: Message, seconds: float) -> Iterator[Message]:
    """The answer's lines as they come, the last with "ok"; raises Unreachable when none comes for `seconds`."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(seconds)
        try:
            connection.connect(str(path))
            connection.sendall(encode(request))
            for line in connection.makefile("rb"):
                yield json.loads(line)
        except OSError as error:
            raise Unreachable(str(error)) from error


def answer(path: Path, request: Message, seconds: float) -> Message:
    """The last line alone."""
    last: Message = {}
    for message in ask(path, request, seconds):
        last = message
    if "ok" not in last:
        raise Unreachable("it ended before it answered")
    return last
