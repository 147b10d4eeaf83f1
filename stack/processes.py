"""Processes as the operating system knows them: proof that a pid is still ours, what a tree costs, how one is stopped.

Linux is read from /proc, which keeps the supervisor small; elsewhere psutil is imported when first needed.
"""

import contextlib
import ctypes
import os
import signal
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

LINUX = sys.platform == "linux"
PROC = Path("/proc")
PR_SET_PDEATHSIG = 1  # prctl(2)
MIB = 1024 * 1024

Signals = Sequence[tuple[signal.Signals, float]]  # what to send, and how many seconds it has to work


class Identity(NamedTuple):
    """A pid alone may be reused; with its moment of birth it names one process for ever."""

    pid: int
    born: str


class _Stat(NamedTuple):
    parent: int
    state: str
    own: int  # ticks of CPU
    buried: int  # ticks of CPU of children that ended
    threads: int
    born: str


def _stat(pid: int) -> _Stat | None:
    """The fields of /proc/PID/stat we use (proc(5)); the name in parentheses may itself hold spaces and parentheses."""
    try:
        text = (PROC / str(pid) / "stat").read_text()
    except OSError:
        return None
    fields = text.rpartition(")")[2].split()
    own, buried = (sum(map(int, fields[at : at + 2])) for at in (11, 13))
    return _Stat(int(fields[1]), fields[0], own, buried, int(fields[17]), fields[19])


def _boot() -> str:
    return (PROC / "sys/kernel/random/boot_id").read_text().strip()


def identify(pid: int) -> Identity | None:
    """None when there is no such process, or only its unburied remains."""
    if LINUX:
        stat = _stat(pid)
        # the first thread may be dead while others still are, and keep its ports
        if stat is None or (stat.state in "ZX" and stat.threads <= 1):
            return None
        return Identity(pid, f"{_boot()}:{stat.born}")  # births are counted from the boot, so the boot belongs to it
    return _identify_by_psutil(pid)


def _identify_by_psutil(pid: int) -> Identity | None:
    import psutil  # not needed on Linux

    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return None
        return Identity(pid, f"{process.create_time():.2f}")
    except psutil.Error:
        return None


def alive(identity: Identity) -> bool:
    return identify(identity.pid) == identity


def exists(pid: int) -> bool:
    """Whether the system knows the number, be it of a process that has ended and was not buried."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # somebody else's
    return True


def working_in(folder: Path, program: Path) -> list[Identity]:
    """The processes that run `program` with `folder` as their working folder, as far as we may know."""
    import psutil  # only after a crash

    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            is_it = Path(process.exe()).samefile(program) and Path(process.cwd()).samefile(folder)
            if is_it and (identity := identify(process.pid)):
                found.append(identity)
    return found


def send(identity: Identity, number: signal.Signals) -> None:
    """Signals the process only if it is still the one meant; a paused one is woken to hear it."""
    if not alive(identity):
        return
    try:
        os.kill(identity.pid, number)
        if number not in (signal.SIGKILL, signal.SIGSTOP):
            os.kill(identity.pid, signal.SIGCONT)
    except ProcessLookupError:
        return


def stop_for_good(identity: Identity, signals: Signals) -> bool:
    """Sends each signal in turn until the process, not a child of ours, is gone. False if it would not go."""
    for number, seconds in signals:
        send(identity, number)
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if not alive(identity):
                return True
            time.sleep(0.02)
    return not alive(identity)


def die_with_parent(number: signal.Signals) -> Callable[[], None] | None:
    """For `preexec_fn`: the kernel sends `number` to the child when we die, however we die. Linux only."""
    if not LINUX:
        return None
    prctl = ctypes.CDLL(None, use_errno=True).prctl  # looked up before the fork: the child only calls
    parent = os.getpid()

    def ask() -> None:
        prctl(PR_SET_PDEATHSIG, int(number), 0, 0, 0)
        if os.getppid() != parent:  # it died in between
            os._exit(1)

    return ask


class Usage(NamedTuple):
    cpu_seconds: float
    pss_mb: float


class Snapshot:
    """All processes at one moment, so that many trees are measured with one reading of the table."""

    def __init__(self) -> None:
        self._stats: dict[int, _Stat] = {}
        self._children: dict[int, list[int]] = defaultdict(list)
        for entry in PROC.iterdir() if LINUX else ():
            if entry.name.isdigit() and (stat := _stat(int(entry.name))):
                self._stats[int(entry.name)] = stat
                self._children[stat.parent].append(int(entry.name))

    def tree(self, pid: int) -> list[int]:
        found = [pid]
        for each in found:
            found.extend(self._children.get(each, ()))
        return found

    def usage(self, pid: int, *, tree: bool = True) -> Usage:
        """CPU since birth and memory of a process, and all it has started if `tree`; zeros when it is gone."""
        if not LINUX:
            return _usage_by_psutil(pid, tree=tree)
        pids = [each for each in (self.tree(pid) if tree else [pid]) if each in self._stats]
        ticks = sum(self._stats[each].own + (self._stats[each].buried if tree else 0) for each in pids)
        return Usage(ticks / os.sysconf("SC_CLK_TCK"), sum(map(_pss, pids)) / MIB)


def _pss(pid: int) -> int:
    """Bytes, shared pages counted by share (proc(5), smaps_rollup); 0 when it is gone or not ours to read."""
    try:
        lines: Iterable[str] = (PROC / str(pid) / "smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))


def _usage_by_psutil(pid: int, *, tree: bool) -> Usage:
    import psutil  # not needed on Linux

    seconds, memory = 0.0, 0
    try:
        process = psutil.Process(pid)
        for each in (process, *(process.children(recursive=True) if tree else ())):
            times = each.cpu_times()
            seconds += times.user + times.system
            memory += each.memory_full_info().uss
    except psutil.Error:
        pass  # gone, or not ours to read: what was counted stays
    return Usage(seconds, memory / MIB)
