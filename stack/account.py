"""As whom PostgreSQL runs: it refuses root, and initdb refuses a user without a name.

An ordinary user is simply that user. For root (or a container's nameless uid) there are two ways: an unprivileged
account, where that account can reach binaries and data, or else a user namespace in which the same files belong to
somebody who is not root (unshare(1)); the second also works under /root, which only root may enter.
"""

import os
import pwd
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from stack.home import HomeError

ACCOUNTS = ("postgres", "_postgres", "nobody")  # in order of liking
PROBE_SECONDS = 10
T = TypeVar("T")


@dataclass(frozen=True)
class Account:
    """`uid` and `gid` are switched to when given; `prefix` comes before the command line."""

    uid: int | None = None
    gid: int | None = None
    prefix: tuple[str, ...] = ()

    def options(self) -> dict[str, Any]:
        """For subprocess: the account to switch to, leaving root's groups behind."""
        return {} if self.uid is None else {"user": self.uid, "group": self.gid, "extra_groups": []}

    def give(self, path: Path) -> None:
        if self.uid is not None and self.gid is not None:
            os.chown(path, self.uid, self.gid)


def choose(folder: Path, binary: Path) -> Account:
    """For the data in `folder` (which may not exist yet) and the server `binary`. Raises HomeError if no way works."""
    me = os.geteuid()
    if me != 0 and _name(me):
        return Account()
    if folder.exists():  # stay with what was chosen first: the files belong to it
        owner = folder.stat().st_uid
        return _namespace(binary) if owner == me else _switch(owner)
    for name in ACCOUNTS if me == 0 else ():
        uid = _uid(name)
        if uid is not None and _reaches(_switch(uid), folder.parent, binary):
            return _switch(uid)
    return _namespace(binary)


def _name(uid: int) -> str | None:
    return _ask(lambda: pwd.getpwuid(uid).pw_name)


def _uid(name: str) -> int | None:
    return _ask(lambda: pwd.getpwnam(name).pw_uid)


def _ask(question: Callable[[], T]) -> T | None:
    try:
        return question()
    except KeyError:
        return None


def _switch(uid: int) -> Account:
    gid = _ask(lambda: pwd.getpwuid(uid).pw_gid)
    return Account(uid, uid if gid is None else gid)


def _reaches(account: Account, folder: Path, binary: Path) -> bool:
    return _works(account, "test", "-x", str(folder)) and _works(account, str(binary), "--version")


def _works(account: Account, *command: str) -> bool:
    try:
        done = subprocess.run(  # noqa: S603  our own binaries, tried as another account
            [*account.prefix, *command], **account.options(), capture_output=True, timeout=PROBE_SECONDS, check=False
        )
    except (OSError, subprocess.SubprocessError):
        return False
    return done.returncode == 0


def _namespace(binary: Path) -> Account:
    tool = shutil.which("unshare")
    stranger = next((each for each in pwd.getpwall() if each.pw_uid not in (0, os.geteuid())), None)
    if tool and stranger:
        prefix = (tool, "--user", f"--map-user={stranger.pw_uid}", f"--map-group={stranger.pw_gid}")
        if _works(account := Account(prefix=prefix), str(binary), "--version"):
            return account
    raise HomeError(
        "PostgreSQL does not run as root, and here neither another account nor a user namespace can take its place:"
        " run ./confeitaria as an ordinary user"
    )
