"""`python -m tests.faults.pausing SERVICE FOLDER`: the service as it is, with stops around the calls of its ports.

Started in place of `python -m SERVICE` by a stack of the tests' own; nothing that customers reach knows of it.
"""

import os
import runpy
import sys
from pathlib import Path

from tests.faults.pausing.points import IMPLEMENTATIONS
from tests.faults.pausing.proxies import install


def main(service: str, folder: str) -> None:
    if service in IMPLEMENTATIONS:
        install(service, Path(folder), os.environ[f"{service.upper()}_INSTANCE"])
    sys.argv = [service]
    runpy.run_module(service, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
