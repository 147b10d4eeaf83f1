"""Load from ghz and vegeta, and what it cost the processes that served it, in CPU microseconds a request."""

from __future__ import annotations

import json
import statistics
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import psutil

from stack.tools import find_or_build

PROTOSET = Path(__file__).parent.parent / "protos" / "python" / "confeitaria" / "descriptors.binpb"


class Answer(NamedTuple):
    """One request: when it was sent, in seconds since 1970, and how long it took."""

    sent: float
    seconds: float


@dataclass(frozen=True)
class Run:
    """One burst of load. `cpu` is microseconds a request, by process name; `failed` counts what was not OK."""

    requests: int
    failed: int
    rps: float
    p50_ms: float
    p99_ms: float
    cpu: dict[str, float]
    answers: tuple[Answer, ...] = ()


@dataclass(frozen=True)
class Load:
    """Where the generators lie, and which processes are watched while they run."""

    tools: Path
    watched: dict[str, int]  # name -> pid

    def grpc(self, target: str, method: str, request: object, requests: int, concurrency: int = 50) -> Run:
        """A burst over gRPC by ghz, as fast as it goes, on a tenth as many connections.

        `request` is one body, or a list of them that is dealt out in turn.
        """
        ghz = str(find_or_build("ghz", self.tools))
        connections = max(1, concurrency // 10)
        shape = ["-n", str(requests), "-c", str(concurrency), "--connections", str(connections)]
        with tempfile.NamedTemporaryFile("w", suffix=".json") as data:
            json.dump(request, data)
            data.flush()
            call = ["--insecure", "--protoset", str(PROTOSET), "--call", method, "-D", data.name]
            output, cpu = self._watch(lambda: run([ghz, *shape, *call, "-O", "json", target]))
        told = json.loads(output)
        latencies = {each["percentage"]: each["latency"] / 1e6 for each in told["latencyDistribution"]}
        failed = sum(count for status, count in told["statusCodeDistribution"].items() if status != "OK")
        answered = [Answer(_moment(each["timestamp"]), each["latency"] / 1e9) for each in told["details"] or ()]
        spent = shares(cpu, told["count"])
        return Run(told["count"], failed, told["rps"], latencies[50], latencies[99], spent, tuple(answered))

    def rest(self, url: str, seconds: int, rate: int = 0, workers: int = 50) -> Run:
        """GETs by vegeta: `rate` a second arriving evenly, or as fast as `workers` go when it is 0."""
        vegeta = str(find_or_build("vegeta", self.tools))
        shape = ["-duration", f"{seconds}s", "-rate", str(rate), "-max-workers", str(workers)]
        attack = lambda: run([vegeta, "attack", *shape], f"GET {url}\n".encode())  # noqa: E731  measured as one
        samples, cpu = self._watch(attack)
        told = json.loads(run([vegeta, "report", "-type", "json"], samples))
        failed = told["requests"] - told["status_codes"].get("200", 0)
        spent = shares(cpu, told["requests"])
        latencies = told["latencies"]
        return Run(
            told["requests"], failed, told["throughput"], latencies["50th"] / 1e6, latencies["99th"] / 1e6, spent
        )

    def _watch(self, work: Callable[[], bytes]) -> tuple[bytes, dict[str, float]]:
        """What `work` gave, and the CPU seconds of each watched process, its children included, meanwhile."""
        before = {name: cpu_seconds(pid) for name, pid in self.watched.items()}
        output = work()
        return output, {name: cpu_seconds(pid) - before[name] for name, pid in self.watched.items()}


def _moment(told: str) -> float:
    return datetime.fromisoformat(told).timestamp()


def run(command: Sequence[str], stdin: bytes = b"") -> bytes:
    """The standard output of a generator; its own words when it fails."""
    done = subprocess.run(command, input=stdin, capture_output=True, check=False)  # noqa: S603  ours
    if done.returncode:
        raise RuntimeError(f"{command[0]}: {done.stderr.decode()[-500:]}")
    return done.stdout


def cpu_seconds(pid: int) -> float:
    """User and system time of a process and its children."""
    root = psutil.Process(pid)
    times = [process.cpu_times() for process in (root, *root.children(recursive=True))]
    return sum(time.user + time.system for time in times)


def shares(cpu: dict[str, float], requests: int) -> dict[str, float]:
    return {name: seconds / requests * 1e6 for name, seconds in cpu.items()}


def median_and_spread(values: Sequence[float]) -> str:
    """`123 (118-131)`."""
    return f"{statistics.median(values):.0f} ({min(values):.0f}-{max(values):.0f})"
