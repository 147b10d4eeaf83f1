"""grpc.health.v1 that tells the truth: probes run in the background, a Check only reads what they found."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

import grpc
import structlog
from grpc_health.v1.health_pb2 import (
    DESCRIPTOR,
    HealthCheckRequest,
    HealthCheckResponse,
    HealthListResponse,
)

from chassis.errors import ErrorTable, Mapped

log = structlog.get_logger()

Probe = Callable[[], Awaitable[str | None]]  # None: serving; a text: why not

SERVICE = DESCRIPTOR.services_by_name["Health"]
SERVING: bytes
NOT_SERVING: bytes
UNKNOWN: bytes
SERVING, NOT_SERVING, UNKNOWN = (
    HealthCheckResponse(status=status).SerializeToString()
    for status in (HealthCheckResponse.SERVING, HealthCheckResponse.NOT_SERVING, HealthCheckResponse.SERVICE_UNKNOWN)
)
ALL = ""


class UnknownName(Exception):  # noqa: N818  named after what happened
    """Nobody probes this name."""

    def __init__(self) -> None:
        super().__init__("Nome de saúde desconhecido.")


ERRORS: ErrorTable = {UnknownName: Mapped(grpc.StatusCode.NOT_FOUND, "SERVICO_DESCONHECIDO")}


class Health:
    """`probes`: name -> probe, asked every `interval` seconds and given `timeout` seconds to answer.

    A name serves once its probe has said so; "" serves when all of them do. Each name has a task of its own, so a
    probe that hangs, even one that ignores its cancellation, is NOT_SERVING and hurts no other name.
    """

    def __init__(self, probes: Mapping[str, Probe], *, interval: float = 0.25, timeout: float = 1.0) -> None:
        self._probes = dict(probes)
        self._interval = interval
        self._timeout = timeout
        self._why: dict[str, str | None] = dict.fromkeys(probes, "ainda não verificado")
        self._draining = False
        self._changed = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    def serving(self, name: str) -> bool:
        """Whether `name` serves now; KeyError when nobody probes it."""
        if name == ALL:
            return not self._draining and not any(self._why.values())
        return self._why[name] is None and not self._draining

    def start(self) -> None:
        """Begins to probe, in the running loop."""
        self._tasks = [asyncio.create_task(self._watch(name, probe)) for name, probe in self._probes.items()]

    def drain(self) -> None:
        """Everything is NOT_SERVING from here on, for good."""
        self._draining = True
        self._notify()

    async def close(self) -> None:
        """Ends the probing."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def Check(self, request: HealthCheckRequest, _context: object) -> bytes:  # noqa: N802  RPC name
        """Status of one name as last found; NOT_FOUND for a name nobody probes."""
        try:
            return SERVING if self.serving(request.service) else NOT_SERVING
        except KeyError:
            raise UnknownName from None

    def List(self, _request: object, _context: object) -> bytes:  # noqa: N802
        """Status of every name."""
        status = (HealthCheckResponse.NOT_SERVING, HealthCheckResponse.SERVING)
        names = (ALL, *self._probes)
        statuses = {name: HealthCheckResponse(status=status[self.serving(name)]) for name in names}
        return bytes(HealthListResponse(statuses=statuses).SerializeToString())

    async def Watch(self, request: HealthCheckRequest, _context: object) -> AsyncIterator[bytes]:  # noqa: N802
        """Status of one name now and at each change; SERVICE_UNKNOWN for a name nobody probes."""
        sent = b""
        while True:
            changed = self._changed
            status = self._status(request.service)
            if status != sent:
                yield status
                sent = status
            await changed.wait()

    def _status(self, name: str) -> bytes:
        try:
            return SERVING if self.serving(name) else NOT_SERVING
        except KeyError:
            return UNKNOWN

    async def _watch(self, name: str, probe: Probe) -> None:
        while True:
            asked = asyncio.ensure_future(probe())
            try:
                await asyncio.wait({asked}, timeout=self._timeout)
                if not asked.done():
                    self._set(name, f"sem resposta em {self._timeout:g} s")
                    asked.cancel()
                    await asyncio.wait({asked})
                else:
                    self._set(name, _answer(asked))
            finally:
                asked.cancel()
            await asyncio.sleep(self._interval)

    def _set(self, name: str, why: str | None) -> None:
        before, self._why[name] = self._why[name], why
        if why != before and not self._draining:
            if why is None:
                log.info("health: serving", name=name)
            else:
                log.warning("health: not serving", name=name, why=why)
            self._notify()

    def _notify(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()


def _answer(asked: "asyncio.Future[str | None]") -> str | None:
    if asked.cancelled():
        return "a verificação foi cancelada"
    exc = asked.exception()
    return asked.result() if exc is None else f"{type(exc).__name__}: {exc}"
