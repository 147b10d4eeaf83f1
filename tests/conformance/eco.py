"""The process under test: a service that behaves, and misbehaves, as it is asked to.

python eco.py MODULE:CLASS - the class has the interface of chassis.server.Server and is all that is exchanged
when another server takes the suite.
"""

import asyncio
import ctypes
import gc
import importlib
import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import Any

import grpc
from grpc_reflection.v1alpha import reflection_pb2
from grpc_reflection.v1alpha._async import ReflectionServicer
from pydantic_settings import SettingsConfigDict

from chassis import context
from chassis.errors import ErrorTable, Exhausted, InvalidRequest, Mapped, Unavailable
from chassis.health import Health, Probe
from chassis.process import main
from chassis.settings import ServiceSettings
from tests.conformance import contract

Request = Any
Context = Any

EchoResponse = contract.message("EchoResponse")
StateResponse = contract.message("StateResponse")


class Settings(ServiceSettings):
    model_config = SettingsConfigDict(env_prefix="ECO_")

    probe_seconds: float = 0.05


class OutOfStock(Exception):  # noqa: N818
    def __init__(self, wanted: int, available: int) -> None:
        super().__init__(f"Há só {available} — você pediu {wanted}.")
        self.wanted = wanted
        self.available = available


class MoreOutOfStock(OutOfStock):
    """Found in the table through its base."""


ERRORS: ErrorTable = {
    OutOfStock: Mapped(grpc.StatusCode.FAILED_PRECONDITION, "SEM_ESTOQUE", ("wanted", "available")),
    LookupError: Mapped(grpc.StatusCode.NOT_FOUND, "NAO_ENCONTRADO"),
}

# Made anew each time: an exception raised again and again keeps every traceback it ever had.
FAILURES: dict[str, Callable[[], BaseException]] = {
    "mapped": lambda: OutOfStock(3, 2),
    "by_base": lambda: MoreOutOfStock(3, 2),
    "unmapped": lambda: ValueError("segredo: senha=1234"),
    "cancelled": lambda: asyncio.CancelledError("segredo"),
    "exit": lambda: SystemExit("segredo"),
    "stop": lambda: StopAsyncIteration("segredo"),
    "timeout": lambda: TimeoutError("segredo"),
    "unavailable": lambda: Unavailable("O estoque não responde.", 1.5),
    "exhausted": lambda: Exhausted("Cheio."),
    "invalid": lambda: InvalidRequest(("a.b", "não serve"), ("c", "também não")),
    "many": lambda: InvalidRequest(*((f"campo[{number}]" * 50, "ç" * 5000) for number in range(500))),
    "long": lambda: LookupError("ã" * 100_000),
    "surrogate": lambda: LookupError("meio \ud800 par\n"),
}


class Eco:
    def __init__(self) -> None:
        self.running = self.cancelled = self.produced = self.closed = 0
        self.ready = EchoResponse(text="pronto", number=7).SerializeToString()

    async def Awaited(self, request: Request, context_: Context) -> Any:
        await asyncio.sleep(0)
        left = context.remaining()
        if request.text.startswith("announced"):
            context.announce("x-eco", "sim")
        if request.text == "announced, then refused":
            raise Unavailable("Não deu.")
        seen = [f"{key}={value}" for key, value in context_.invocation_metadata() if not key.startswith("grpc")]
        if request.text == "trailers":
            context_.set_trailing_metadata((("x-eco-bin", "ação".encode()),))
        return EchoResponse(
            text=request.text,
            number=request.number,
            request_id=context.request_id(),
            remaining=-1 if left is None else left,
            metadata=seen,
            padding=request.padding,
        )

    def Plain(self, request: Request, _context: Context) -> Any:
        answer = EchoResponse(text=request.text, request_id=context.request_id())
        return self._later(answer) if request.text == "later" else answer

    async def _later(self, answer: Any) -> Any:
        await asyncio.sleep(0)
        context.announce("x-eco", context.metadata("x-outro"))
        return answer

    def Ready(self, _request: Request, _context: Context) -> bytes:
        ready: bytes = self.ready
        return ready

    async def Fail(self, request: Request, context_: Context) -> Any:
        if request.how == "nothing":
            return None
        if request.how == "abort":
            await context_.abort(grpc.StatusCode.DATA_LOSS, "de propósito")
        failure = FAILURES[request.how]()
        raise failure

    async def Wait(self, request: Request, _context: Context) -> Any:
        self.running += 1
        try:
            await asyncio.sleep(request.seconds)
        except asyncio.CancelledError:
            self.cancelled += 1
            if not request.stubborn:
                raise
        finally:
            self.running -= 1
        return EchoResponse(text="esperei")

    async def Follow(self, request: Request, _context: Context) -> AsyncIterator[Any]:
        self.running += 1
        padding = bytes(request.size)
        number = 0
        try:
            while number < request.count or not request.count:
                number += 1
                self.produced += 1
                yield EchoResponse(number=number, padding=padding)
                if number == request.fail_after:
                    raise OutOfStock(number, 0)
                await asyncio.sleep(request.pause)
        finally:
            self.running -= 1
            self.closed += 1

    def State(self, request: Request, _context: Context) -> Any:
        objects = 0
        if request.text == "count":
            gc.collect()
            with suppress(OSError, AttributeError):  # glibc's: what it keeps in reserve is no leak
                ctypes.CDLL(None).malloc_trim(0)
            objects = len(gc.get_objects())
        return StateResponse(
            running=self.running,
            cancelled=self.cancelled,
            produced=self.produced,
            closed=self.closed,
            objects=objects,
        )


def reflection() -> grpc.GenericRpcHandler:
    servicer = ReflectionServicer([contract.SERVICE])
    handler = grpc.stream_stream_rpc_method_handler(
        servicer.ServerReflectionInfo,
        request_deserializer=reflection_pb2.ServerReflectionRequest.FromString,
        response_serializer=reflection_pb2.ServerReflectionResponse.SerializeToString,
    )
    return grpc.method_handlers_generic_handler(
        "grpc.reflection.v1alpha.ServerReflection", {"ServerReflectionInfo": handler}
    )


def probes() -> dict[str, Probe]:
    """One that serves, one that follows a file, one that hangs and will not be cancelled."""

    async def well() -> str | None:
        return None

    async def as_the_file_says() -> str | None:
        try:
            with open(os.environ.get("ECO_SICK_FILE", "/none")) as file:  # noqa: ASYNC230, PTH123
                return file.read()
        except OSError:
            return None

    async def hang() -> str | None:
        while os.environ.get("ECO_HANG"):
            try:
                await asyncio.sleep(3600)
            except asyncio.CancelledError:
                continue
        return None

    return {"eco.bem": well, "eco.arquivo": as_the_file_says, "eco.trava": hang}


async def serve(settings: Settings) -> None:
    module, _, name = sys.argv[1].partition(":")
    server = getattr(importlib.import_module(module), name)(settings, domain="eco.teste")
    server.add(Eco(), contract.service(), ERRORS)
    server.add_generic(reflection())
    await server.run(Health(probes(), interval=settings.probe_seconds, timeout=0.2))


if __name__ == "__main__":
    main(serve, Settings)
