"""One call, from its bytes to its answer: what the wrapper around each servicer method does."""

import asyncio
import inspect
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from typing import Any, NoReturn

import grpc
import structlog
from google.protobuf.descriptor import MethodDescriptor

from chassis import context, validation
from chassis.errors import ErrorTable, Exhausted, Unavailable, UnknownMethod, internal, refusal
from chassis.settings import ServiceSettings

log = structlog.get_logger()

# types-grpcio asks for a request and a response type; here they are bytes and whatever the method yields.
Context = Any
Served = Callable[[bytes, Context], Awaitable[Any]]
RETRY_AFTER = 0.1  # seconds, told to a client that met the limit


class Calls:
    """Makes the wrappers, and counts what is under way."""

    def __init__(self, settings: ServiceSettings, domain: str) -> None:
        self._domain = domain
        self._deadline = settings.default_deadline_seconds
        self._limit = settings.max_concurrent_rpcs
        self._waiting = 0
        self._streams: set[asyncio.Task[Any]] = set()
        self._ending = False

    def unary(self, method: MethodDescriptor, function: Callable[..., Any], errors: ErrorTable) -> Served:
        if inspect.isasyncgenfunction(function):
            raise TypeError(f"{method.full_name}: one answer, yet the servicer's method yields")
        parse = validation.parser(method.input_type)
        if inspect.iscoroutinefunction(function):
            return self._awaited(parse, function, errors, method.full_name)
        return self._plain(parse, function, errors, method.full_name)

    def stream(self, method: MethodDescriptor, function: Callable[..., Any], errors: ErrorTable) -> Served:
        if not inspect.isasyncgenfunction(function):
            raise TypeError(f"{method.full_name}: a stream, yet the servicer's method is no async generator")
        return self._streamed(validation.parser(method.input_type), function, errors, method.full_name)

    def unknown(self) -> Served:
        async def serve(_raw: bytes, call: Context) -> NoReturn:
            await self._refuse(call, UnknownMethod(), {}, "?")

        return serve

    def end_streams(self) -> None:
        """Ends every stream with UNAVAILABLE, and each one that begins later: its client goes to another process."""
        self._ending = True
        for task in self._streams:
            task.cancel()

    def _plain(
        self, parse: Callable[[bytes], Any], function: Callable[..., Any], errors: ErrorTable, name: str
    ) -> Served:
        async def serve(raw: bytes, call: Context) -> bytes:
            try:
                context.current().time_remaining = call.time_remaining  # type: ignore[union-attr]
                answer = function(parse(raw), call)
                return answer if type(answer) is bytes else answer.SerializeToString()
            except BaseException as exc:
                await self._refuse(call, exc, errors, name)

        return serve

    def _awaited(
        self, parse: Callable[[bytes], Any], function: Callable[..., Awaitable[Any]], errors: ErrorTable, name: str
    ) -> Served:
        async def serve(raw: bytes, call: Context) -> bytes:
            if self._waiting >= self._limit:
                await self._refuse(call, Exhausted("Muitas requisições ao mesmo tempo.", RETRY_AFTER), errors, name)
            self._waiting += 1
            try:
                request = parse(raw)
                if call.time_remaining() is None:
                    context.current().time_remaining = context.countdown(self._deadline)  # type: ignore[union-attr]
                    async with asyncio.timeout(self._deadline):
                        answer = await function(request, call)
                else:
                    context.current().time_remaining = call.time_remaining  # type: ignore[union-attr]
                    answer = await function(request, call)
                return answer if type(answer) is bytes else answer.SerializeToString()
            except BaseException as exc:
                await self._refuse(call, exc, errors, name)
            finally:
                self._waiting -= 1

        return serve

    def _streamed(
        self,
        parse: Callable[[bytes], Any],
        function: Callable[..., AsyncGenerator[Any, None]],
        errors: ErrorTable,
        name: str,
    ) -> Served:
        async def serve(raw: bytes, call: Context) -> None:
            task = asyncio.current_task()
            assert task is not None
            self._streams.add(task)
            try:
                if self._ending:
                    raise Unavailable("Este processo está encerrando.", RETRY_AFTER)
                if len(self._streams) > self._limit:
                    raise Exhausted("Muitos acompanhamentos ao mesmo tempo.", RETRY_AFTER)
                context.current().time_remaining = call.time_remaining  # type: ignore[union-attr]
                async with aclosing(function(parse(raw), call)) as answers:
                    async for answer in answers:
                        await call.write(answer if type(answer) is bytes else answer.SerializeToString())
            except asyncio.CancelledError as exc:
                if self._ending and not call.cancelled():
                    task.uncancel()
                    await self._refuse(call, Unavailable("Este processo está encerrando.", RETRY_AFTER), errors, name)
                await self._refuse(call, exc, errors, name)
            except BaseException as exc:
                await self._refuse(call, exc, errors, name)
            finally:
                self._streams.discard(task)

        return serve

    async def _refuse(self, call: Context, exc: BaseException, errors: ErrorTable, method: str) -> NoReturn:
        if isinstance(exc, grpc.aio.AbortError | GeneratorExit):
            raise exc
        if isinstance(exc, asyncio.CancelledError) and asyncio.current_task().cancelling():  # type: ignore[union-attr]
            raise exc
        answer = refusal(exc, errors, self._domain)
        if answer is None:
            log.error("unexpected error", method=method, exc_info=exc)
            answer = internal(self._domain)
        await call.abort(answer.code, answer.message, answer.trailers)
        raise AssertionError("abort always raises")
