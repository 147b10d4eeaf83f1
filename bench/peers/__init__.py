"""What a user would otherwise pick, each a process of its own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import grpc

from stack.topology import ROOT


@contextmanager
def peer(module: str, listen: str, *arguments: str) -> Iterator[int]:
    """The peer of that name in this folder, serving at `listen`; gives its pid."""
    command = [sys.executable, "-m", f"bench.peers.{module}", listen, *arguments]
    process = subprocess.Popen(command, cwd=ROOT)  # noqa: S603  our own command
    try:
        with grpc.insecure_channel(listen) as channel:
            grpc.channel_ready_future(channel).result(timeout=20)
        yield process.pid
    finally:
        process.terminate()
        process.wait(timeout=10)
