"""Stands in for a service in the tests of the stack: command line, environment, health names, end on SIGTERM.

It is copied into a tree of its own as SERVICE/__main__.py.
"""

import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

SERVICE = Path(__file__).resolve().parent.name
NAMES = {"catalogo": ["catalogo.leitura", "catalogo.escrita"]}.get(SERVICE, [SERVICE])


def setting(name: str) -> str:
    return os.environ[f"{SERVICE.upper()}_{name}"]


class Gateway(grpc.GenericRpcHandler):
    """GET /health comes here; an empty answer is enough for a 200."""

    def service(self, handler_call_details: Any) -> Any:
        if not handler_call_details.method.endswith("/VerificarSaude"):
            return None
        answer: Callable[[Any, Any], bytes] = lambda _request, _context: b""  # noqa: E731
        return grpc.unary_unary_rpc_method_handler(answer)


def migrate() -> None:
    import psycopg2

    with psycopg2.connect(setting("OWNER_URL")) as connection, connection.cursor() as cursor:
        cursor.execute("CREATE TABLE IF NOT EXISTS migrations (at timestamptz DEFAULT now())")
        cursor.execute("INSERT INTO migrations DEFAULT VALUES")


def serve() -> None:
    server = grpc.server(ThreadPoolExecutor(2), options=[("grpc.so_reuseport", 0)])
    healthy = health.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(healthy, server)
    for name in NAMES:
        healthy.set(name, health_pb2.HealthCheckResponse.SERVING)
    if SERVICE == "gateway":
        server.add_generic_rpc_handlers((Gateway(),))
    server.add_insecure_port(setting("LISTEN"))
    server.start()
    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    if os.environ.get(f"{SERVICE.upper()}_STUBBORN"):
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    ended.wait()
    healthy.enter_graceful_shutdown()
    time.sleep(0.3)  # Envoy asks every 250 ms
    server.stop(1).wait()


if os.environ.get(f"{SERVICE.upper()}_BROKEN"):
    sys.exit(f"{SERVICE} is broken on purpose")
migrate() if "migrate" in sys.argv else serve()
