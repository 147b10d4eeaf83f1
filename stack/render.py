"""`python -m stack.render HOME OFFSET SERVICE=N...` writes what Envoy reads; prints how to start it, a word a line."""

import sys
from pathlib import Path

from stack.endpoints import FOLDER, write_endpoints
from stack.envoy import command, render_bootstrap
from stack.home import write_atomically
from stack.proxy import bootstrap
from stack.topology import topology


def main(home: str, offset: str, *counts: str) -> None:
    asked = dict(each.split("=") for each in counts)
    mesh = topology(int(offset), {service: int(number) for service, number in asked.items()}, Path(home))
    mesh.envoy_folder.mkdir(exist_ok=True)
    write_endpoints(mesh, mesh.envoy_folder / FOLDER)
    write_atomically(bootstrap(mesh), render_bootstrap(mesh), durable=False)
    print(*command(bootstrap(mesh)), sep="\n")  # noqa: T201  the answer


if __name__ == "__main__":
    main(*sys.argv[1:])
