"""The data folder of one mesh: where things lie in it, whose it is, what is running out of it."""

import fcntl
import json
import os
import pwd
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stack.topology import ROOT, SERVICES

MARKER = "confeitaria.json"  # says that a folder is ours, so that `reset` never empties another
FORMAT = 1  # of the folder; a later change of its shape counts up
OURS = (
    "postgres-*",
    "patroni-*",
    "valkey",
    "envoy",
    "logs",
    "secrets.json",
    "scale.json",
    "state.json",
    "lock",
    MARKER,
)


class HomeError(Exception):
    """The folder cannot be used; the message says why and what to do, in one line."""


@dataclass(frozen=True)
class Home:
    """`path` is absolute. Every offset has a folder of its own, so that meshes never share data."""

    path: Path
    offset: int = 0

    @property
    def logs(self) -> Path:
        return self.path / "logs"

    @property
    def secrets(self) -> Path:
        return self.path / "secrets.json"

    @property
    def state(self) -> Path:
        return self.path / "state.json"

    @property
    def scale(self) -> Path:
        return self.path / "scale.json"

    def command(self, words: str) -> str:
        """What to type to do `words` with this very mesh."""
        return f"./confeitaria {words}" + (f" --port-offset {self.offset}" if self.offset else "")

    def part(self, name: str) -> Path:
        return self.path / name

    def log(self, name: str) -> Path:
        return self.logs / f"{name}.log"

    def prepare(self) -> None:
        """Makes the folder, or checks that it is one of ours and that the person is its owner. Raises HomeError."""
        check_owner(self.path)
        marker = self.path / MARKER
        base = self.path.parent if self.offset else self.path
        for folder in {self.path, base}:
            if folder.exists() and not (folder / MARKER).exists() and _foreign(folder):
                raise HomeError(f"{folder} holds files that are not ours: choose another folder with CONFEITARIA_HOME")
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise HomeError(
                f"{self.path} cannot be made ({error.strerror}): choose another folder with CONFEITARIA_HOME"
            ) from error
        self.logs.mkdir(mode=0o700, exist_ok=True)
        # when root starts us PostgreSQL runs as another account, which must be able to pass through
        self.path.chmod(0o711 if os.geteuid() == 0 else 0o700)
        if not marker.exists():
            write_atomically(marker, json.dumps({"format": FORMAT}))
        elif read_json(marker).get("format") != FORMAT:
            raise HomeError(
                f"{self.path} was written by another version of confeitaria: use that, or {self.command('reset')}"
            )

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Held by the one supervisor of this folder; the kernel lets go of it when it dies. Raises HomeError."""
        with (self.path / "lock").open("a") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise HomeError("another confeitaria is starting or running on this data folder") from None
            yield

    def counts(self) -> dict[str, int]:
        """Instances of each service, as last asked of `scale`; one where nothing was asked."""
        asked = read_json(self.scale)
        return {service: int(asked.get(service, 1)) for service in SERVICES}

    def keep_counts(self, counts: Mapping[str, int]) -> None:
        write_atomically(self.scale, json.dumps(dict(counts)))

    def erase(self) -> None:
        """Removes everything of ours and nothing else (offset 0 holds the folders of the other offsets)."""
        for pattern in OURS:
            for found in self.path.glob(pattern):
                shutil.rmtree(found) if found.is_dir() and not found.is_symlink() else found.unlink()
        if self.path.exists() and not any(self.path.iterdir()):
            self.path.rmdir()


def find(offset: int, environment: Mapping[str, str]) -> Home:
    """The folder of an offset: .confeitaria in the repository, or where CONFEITARIA_HOME says."""
    base = Path(environment.get("CONFEITARIA_HOME") or ROOT / ".confeitaria").expanduser().absolute()
    return Home(base / f"offset-{offset}" if offset else base, offset)


def check_owner(path: Path) -> None:
    """Files of another person cannot be used by this one, nor should root quietly take them over. Raises HomeError."""
    existing = next(each for each in (path, *path.parents) if each.exists())
    if existing == path and existing.stat().st_uid != os.geteuid():
        owner = name_of(existing.stat().st_uid)
        raise HomeError(f"{path} belongs to {owner}: run as {owner}, or choose another folder with CONFEITARIA_HOME")
    if existing != path and not os.access(existing, os.W_OK):
        raise HomeError(
            f"{path} cannot be made, {existing} is not writable: choose another folder with CONFEITARIA_HOME"
        )


def name_of(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"


def _foreign(path: Path) -> bool:
    """Whether a folder holds anything but the folders of other offsets and tools."""
    return any(each.name != "tools" and not each.name.startswith("offset-") for each in path.iterdir())


def read_json(path: Path) -> dict[str, Any]:
    """Empty when the file is missing or was cut short."""
    try:
        found = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def write_atomically(path: Path, text: str, mode: int = 0o644, *, durable: bool = True) -> None:
    """Readers see the old text or the new one, whenever the writer dies; durable: also when the machine does."""
    beside = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
        if durable:
            file.flush()
            os.fsync(descriptor)
    beside.replace(path)


def owned(path: Path) -> bool:
    """Whether a folder is there and ours, not a link that somebody laid in its place."""
    try:
        return path.lstat().st_uid == os.geteuid() and not path.is_symlink()
    except OSError:
        return False
