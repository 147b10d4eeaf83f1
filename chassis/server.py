"""The gRPC server of every service, on grpc.aio: one wrapper per method made at registration, no chain per call."""

import asyncio
import signal
import socket
from collections.abc import Awaitable, Callable
from typing import Any

import grpc
import structlog
from google.protobuf.descriptor import ServiceDescriptor

from chassis import health as health_service
from chassis.calls import Calls, Handler
from chassis.context import Call, enter
from chassis.errors import ErrorTable
from chassis.health import Health
from chassis.settings import ServiceSettings, split_address

log = structlog.get_logger()


class StartError(Exception):
    """The process cannot begin to serve; the text is one clear line for the operator."""


class _Router(grpc.GenericRpcHandler):
    """Path -> handler, in one step; asks what was added whole (reflection) next, and never says "not found" itself."""

    def __init__(self, calls: Calls) -> None:
        self.handlers: dict[str, Handler] = {}
        self.others: list[grpc.GenericRpcHandler] = []
        self._guarded = calls.guarded
        self._unknown = calls.unknown()

    def service(self, details: grpc.HandlerCallDetails) -> Handler:
        enter(Call(details.invocation_metadata))
        handler = self.handlers.get(details.method)
        return self._elsewhere(details) if handler is None else handler

    def _elsewhere(self, details: grpc.HandlerCallDetails) -> Handler:
        for other in self.others:
            handler = other.service(details)
            if handler is not None:
                return self._guarded(handler)
        return self._unknown


class Server:
    """`domain` is ErrorInfo.domain of every error that leaves."""

    def __init__(self, settings: ServiceSettings, *, domain: str) -> None:
        self._settings = settings
        self._calls = Calls(domain, settings.max_concurrent_rpcs, settings.default_deadline_seconds)
        # Apart, so that a full house is not taken for a dead one.
        self._health_calls = Calls(domain, settings.max_concurrent_rpcs, settings.default_deadline_seconds)
        self._router = _Router(self._calls)
        self._stopping = asyncio.Event()
        self._hurry = asyncio.Event()
        self.port = 0  # the bound port, once it serves

    def add(self, servicer: object, service: ServiceDescriptor, errors: ErrorTable) -> None:
        """Binds the servicer's methods by RPC name; TypeError when one is missing or of another kind."""
        self._add(self._calls, servicer, service, errors)

    def add_generic(self, handler: grpc.GenericRpcHandler) -> None:
        """Serves what no descriptor binds: reflection and the like."""
        self._router.others.append(handler)

    async def run(self, health: Health) -> None:
        """Serves until SIGTERM or SIGINT, then NOT_SERVING, drain, stop; a second signal hurries it.

        StartError when the address is taken or the certificates do not fit.
        """
        self._add(self._health_calls, health, health_service.SERVICE, health_service.ERRORS)
        server = self._bind()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop)
        await server.start()
        health.start()
        log.info("serving", address=f"{split_address(self._settings.listen)[0]}:{self.port}")
        try:
            await self._stopping.wait()
            await self._drain(server, health)
        finally:
            await server.stop(None)
            await health.close()
        log.info("stopped")

    def stop(self) -> None:
        """What a signal does: the first begins the drain, the second ends it at once."""
        if self._stopping.is_set():
            self._hurry.set()
        self._stopping.set()

    async def _drain(self, server: grpc.aio.Server, health: Health) -> None:
        log.info("draining", seconds=self._settings.drain_seconds)
        health.drain()
        await self._or_hurry(asyncio.sleep(self._settings.drain_seconds))
        self._calls.end_streams()
        self._health_calls.end_streams()
        await self._or_hurry(server.stop(self._settings.grace_seconds))

    async def _or_hurry(self, step: Awaitable[object]) -> None:
        tasks = {asyncio.ensure_future(step), asyncio.ensure_future(self._hurry.wait())}
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()

    def _add(self, calls: Calls, servicer: object, service: ServiceDescriptor, errors: ErrorTable) -> None:
        for method in service.methods:
            function: Callable[..., Any] | None = getattr(servicer, method.name, None)
            if function is None:
                raise TypeError(f"{method.full_name}: {type(servicer).__name__} has no such method")
            path = f"/{service.full_name}/{method.name}"
            self._router.handlers[path] = calls.handler(method, function, errors)

    def _bind(self) -> grpc.aio.Server:
        settings = self._settings
        _claim(settings.listen)
        server = grpc.aio.server(handlers=[self._router], options=_options(settings))
        try:
            if settings.tls_cert is None:
                self.port = server.add_insecure_port(settings.listen)
            else:
                self.port = server.add_secure_port(settings.listen, _credentials(settings))
        except RuntimeError as exc:
            raise StartError(f"cannot listen on {settings.listen}") from exc
        return server


def _claim(listen: str) -> None:
    """Fails on a taken port with one line of ours, before grpc's C++ prints its own pages about it."""
    host, port = split_address(listen)
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # an old connection in TIME_WAIT is no clash
            probe.bind(address)
            probe.listen()
    except OSError as exc:
        raise StartError(f"cannot listen on {listen}: {exc.strerror or exc}") from exc


def _credentials(settings: ServiceSettings) -> grpc.ServerCredentials:
    assert settings.tls_cert is not None
    assert settings.tls_key is not None
    pair = (settings.tls_key.read_bytes(), settings.tls_cert.read_bytes())
    client_ca = settings.tls_client_ca
    authority = client_ca.read_bytes() if client_ca else None
    return grpc.ssl_server_credentials([pair], authority, require_client_auth=authority is not None)


def _options(settings: ServiceSettings) -> list[tuple[str, int]]:
    return [
        ("grpc.so_reuseport", 0),  # else a second process shares the port without a word
        ("grpc.max_receive_message_length", settings.max_message_bytes),
        # Envoy pings every half second, also on idle connections; without these three it gets GOAWAY.
        ("grpc.http2.min_ping_interval_without_data_ms", 50),
        ("grpc.http2.max_ping_strikes", 0),
        ("grpc.keepalive_permit_without_calls", 1),
        # A peer that opens a connection and says nothing is let go after 10 s instead of two minutes.
        ("grpc.server_handshake_timeout_ms", 10_000),
    ]
