"""Bytes on the socket that are no gRPC: the server stays up, small and quiet."""

import asyncio
import random
import struct
from typing import Any

import pytest

from tests.conformance import contract
from tests.conformance.running import CALL_SECONDS, Running

Echo = contract.message("EchoRequest")

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
SETTINGS, HEADERS, DATA, RST, PING, WINDOW, CONTINUATION = 4, 1, 0, 3, 6, 8, 9


def frame(kind: int, flags: int, stream: int, payload: bytes = b"", length: int | None = None) -> bytes:
    """An HTTP/2 frame (RFC 9113, section 4.1); `length` may lie."""
    size = len(payload) if length is None else length
    return struct.pack(">I", size)[1:] + struct.pack(">BBI", kind, flags, stream) + payload


HELLO = PREFACE + frame(SETTINGS, 0, 0)
NOISE = random.Random(7).randbytes(20_000)
ATTACKS = {
    "noise": NOISE,
    "http1": b"GET /api/produtos HTTP/1.1\r\nHost: x\r\n\r\n",
    "tls": bytes.fromhex("16030100a5010000a10303") + NOISE[:160],
    "half a preface": PREFACE[:10],
    "noise after the preface": PREFACE + NOISE,
    "noise after the settings": HELLO + NOISE,
    "a frame of 16 MiB": HELLO + frame(DATA, 0, 1, b"x" * 1000, length=(1 << 24) - 1),
    "data on stream 0": HELLO + frame(DATA, 0, 0, b"x"),
    "data on a stream nobody opened": HELLO + frame(DATA, 0, 5, b"x"),
    "broken hpack": HELLO + frame(HEADERS, 4, 1, b"\xff" * 50),
    "headers that never end": HELLO + frame(HEADERS, 0, 1) + frame(CONTINUATION, 0, 1, b"\x00\x01a\x01b" * 2000) * 40,
    "window overflow": HELLO + frame(WINDOW, 0, 0, b"\x7f\xff\xff\xff") * 3,
    "pings": HELLO + frame(PING, 0, 0, b"12345678") * 5000,
    "settings": HELLO + frame(SETTINGS, 0, 0) * 5000,
    "resets of streams nobody opened": HELLO + b"".join(frame(RST, 0, n, b"\0\0\0\x08") for n in range(1, 4001, 2)),
}


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS.keys())
async def test_the_server_stays_up_and_small(shared: Running, eco: Any, attack: bytes) -> None:
    await eco.state(count=True)
    before, lines = shared.rss(), len(shared.records())
    for _ in range(3):
        reader, writer = await asyncio.open_connection("127.0.0.1", shared.port)
        try:
            writer.write(attack)
            await asyncio.wait_for(writer.drain(), CALL_SECONDS)
            await asyncio.wait_for(reader.read(100_000), 0.3)
        except (ConnectionError, TimeoutError):
            pass
        finally:
            writer.close()
        assert (await eco.Plain(Echo(text="vivo"), timeout=CALL_SECONDS)).text == "vivo"
    await eco.state(count=True)
    assert shared.rss() - before < 40_000_000  # grpc holds some 12 MB for 80,000 headers, and lets them go again
    assert len(shared.records()) == lines


async def test_silent_connections_take_nothing_from_the_others(shared: Running, eco: Any) -> None:
    silent = [await asyncio.open_connection("127.0.0.1", shared.port) for _ in range(200)]
    try:
        for _ in range(20):
            assert (await eco.Plain(Echo(text="vivo"), timeout=CALL_SECONDS)).text == "vivo"
    finally:
        for _, writer in silent:
            writer.close()
