"""Asks a part whether it serves, in its own protocol and with nothing imported: the supervisor stays small.

Every probe answers None when the part serves, else why not, and never takes longer than `TIMEOUT`.
"""

import asyncio
import struct
from collections.abc import Awaitable, Callable

from stack.topology import Address

TIMEOUT = 1.0  # seconds
Probe = Callable[[], Awaitable[str | None]]
Conversation = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[str | None]]


async def _ask(address: Address, conversation: Conversation) -> str | None:
    try:
        async with asyncio.timeout(TIMEOUT):
            reader, writer = await asyncio.open_connection(*address)
            try:
                return await conversation(reader, writer)
            finally:
                writer.transport.abort()  # no lingering connection, whatever the other side does
    except TimeoutError:
        return "no answer"
    except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
        return str(error) or type(error).__name__


def valkey(address: Address) -> Probe:
    async def ping(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> str | None:
        writer.write(b"PING\r\n")
        answer = await reader.readline()
        return None if answer == b"+PONG\r\n" else answer.decode(errors="replace").strip()

    return lambda: _ask(address, ping)


def postgres(address: Address) -> Probe:
    """As pg_isready does: a server that asks for the password takes connections (PostgreSQL manual, 54.2.1)."""
    parameters = b"user\0postgres\0database\0postgres\0\0"
    start = struct.pack("!II", 8 + len(parameters), 3 << 16) + parameters

    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> str | None:
        writer.write(start)
        kind, length = struct.unpack("!cI", await reader.readexactly(5))
        if kind == b"R":
            return None
        fields = (await reader.readexactly(max(length - 4, 0))).split(b"\0")
        return next((field[1:].decode(errors="replace") for field in fields if field[:1] == b"M"), "refused")

    return lambda: _ask(address, greet)


def http_ok(address: Address, path: str) -> Probe:
    async def get(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> str | None:
        writer.write(f"GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n".encode())
        status = (await reader.readline()).split()
        return None if status[1:2] == [b"200"] else f"{path} answers {b' '.join(status[1:]).decode(errors='replace')}"

    return lambda: _ask(address, get)


# --- grpc.health.v1 over HTTP/2, one call a connection -------------------------------------------------------------
# RFC 9113 (frames) and RFC 7541 (headers): only what one unary call needs. Request headers are written as literals
# without Huffman coding; of the answer only the DATA frame is read, so nothing need be decompressed.

_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_DATA, _HEADERS, _RST_STREAM, _SETTINGS, _GOAWAY = 0, 1, 3, 4, 7
_ACK = _END_STREAM = 0x1
_END_HEADERS = 0x4
_STATUS = {1: "SERVING", 2: "NOT_SERVING", 3: "SERVICE_UNKNOWN"}


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return struct.pack("!I", len(payload))[1:] + struct.pack("!BBI", kind, flags, stream) + payload


def _literal(prefix: bytes, *texts: str) -> bytes:
    return prefix + b"".join(bytes([len(text)]) + text.encode() for text in texts)


def _check(address: Address, service: str) -> bytes:
    """The whole request as bytes."""
    headers = b"\x83\x86"  # :method POST, :scheme http, from the static table
    headers += _literal(b"\x04", "/grpc.health.v1.Health/Check")  # 4: :path
    headers += _literal(b"\x01", str(address))  # 1: :authority
    headers += _literal(b"\x0f\x10", "application/grpc")  # 31: content-type
    headers += _literal(b"\x00", "te", "trailers")
    name = service.encode()
    message = bytes([0x0A, len(name)]) + name if name else b""  # HealthCheckRequest.service, field 1
    body = struct.pack("!BI", 0, len(message)) + message
    return (
        _PREFACE
        + _frame(_SETTINGS, 0, 0, b"")
        + _frame(_HEADERS, _END_HEADERS, 1, headers)
        + _frame(_DATA, _END_STREAM, 1, body)
    )


def grpc_health(address: Address, service: str) -> Probe:
    """`service` is a name of grpc.health.v1; empty for the whole process."""
    request = _check(address, service)

    async def check(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> str | None:
        writer.write(request)
        while True:
            length, kind, flags, stream = struct.unpack("!IBBI", b"\0" + await reader.readexactly(9))
            payload = await reader.readexactly(length)
            if kind == _SETTINGS and not flags & _ACK:
                writer.write(_frame(_SETTINGS, _ACK, 0, b""))
            elif kind == _DATA and stream == 1:
                # five bytes of prefix, then HealthCheckResponse.status: field 1, a small number
                status = payload[6] if payload[5:6] == b"\x08" else 0
                return None if status == 1 else _STATUS.get(status, "UNKNOWN")
            elif kind in (_RST_STREAM, _GOAWAY) or (kind == _HEADERS and flags & _END_STREAM):
                return f"{service or 'the process'} has no health to tell"

    return lambda: _ask(address, check)
