"""One call, from its bytes to its answer: what the wrapper around each servicer method does, and what is under way."""

import asyncio
import inspect
import math
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing, suppress
from types import CoroutineType
from typing import Any, NoReturn, TypeAlias, cast

import grpc
import structlog
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import DecodeError

from chassis import validation
from chassis.context import Call, serving
from chassis.errors import (
    RETRY_AFTER,
    DeadlineExceeded,
    ErrorTable,
    Exhausted,
    InvalidRequest,
    Unavailable,
    UnknownMethod,
    internal,
    refusal,
)

log = structlog.get_logger()

Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"
Context: TypeAlias = Any  # grpc.aio.ServicerContext is generic in types the bytes of a wrapper do not have
Parse = Callable[[bytes], Any]
Served = Callable[[object, Context], Awaitable[Any]]

_task = cast("Callable[[], asyncio.Task[Any]]", asyncio.current_task)  # grpc.aio runs every call in a task of its own

# Seconds before the true deadline that our answer leaves, to arrive before the client gives up; a tenth of the time
# when that is less.
AHEAD = 0.02


class Gate:
    """The calls of one kind under way, at most `limit` of them, each ended when its time is over.

    One timer for all of them, set to the earliest end, replaces a timer a call: as most calls are given about the same
    time, it fires once in seconds. Calls that brought a deadline are ended too, a moment before grpc would do it,
    because grpc's own answer has neither reason nor Portuguese.
    """

    def __init__(self, limit: int, default_deadline: float | None) -> None:
        self._limit = limit
        self._default = default_deadline
        self._calls: dict[asyncio.Task[Any], Call] = {}
        self._closing: Callable[[], Exception] | None = None
        self._next = math.inf
        self._timer: asyncio.TimerHandle | None = None
        self.leave = self._calls.pop

    def admit(self, context: Context) -> None:
        """Counts the present task's call and sets its deadline; Exhausted when there are too many."""
        if len(self._calls) >= self._limit:
            raise Exhausted("Muitas requisições ao mesmo tempo.", RETRY_AFTER)
        if self._closing is not None:
            raise self._closing()
        call = serving()
        left = context.time_remaining()
        if left is None:
            left = self._default
        if left is not None:
            call.end = time.monotonic() + left
            call.cut = call.end - (AHEAD if left > AHEAD * 10 else left * 0.1)
            if call.cut < self._next:
                self._wake_at(call.cut)
        self._calls[_task()] = call

    def close(self, verdict: Callable[[], Exception]) -> None:
        """Ends what is under way, and refuses what comes later, each with a verdict of its own."""
        self._closing = verdict
        for task, call in self._calls.items():
            _end(task, call, verdict())

    def _sweep(self) -> None:
        """Ends what has no time left."""
        now, self._next = time.monotonic(), math.inf
        for task, call in self._calls.items():
            if call.cut <= now:
                _end(task, call, DeadlineExceeded())
        waiting = [call.cut for call in self._calls.values() if now < call.cut < math.inf]
        if waiting:
            self._wake_at(min(waiting))

    def _wake_at(self, when: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._next = when
        self._timer = asyncio.get_running_loop().call_later(max(0.0, when - time.monotonic()), self._sweep)


def _end(task: asyncio.Task[Any], call: Call, verdict: Exception) -> None:
    call.cut = math.inf
    call.verdict = verdict
    task.cancel()


class Calls:
    """Makes the handlers that grpc calls. `domain` is ErrorInfo.domain."""

    def __init__(self, domain: str, limit: int, default_deadline: float) -> None:
        self._domain = domain
        # Streams live long, so they are counted apart: no number of followers keeps a short call out.
        self._short = Gate(limit, default_deadline)
        self._long = Gate(limit, None)

    def handler(self, method: MethodDescriptor, function: Callable[..., Any], errors: ErrorTable) -> Handler:
        """The handler of one RPC; TypeError when the servicer's function does not fit it."""
        name = method.full_name
        if method.client_streaming:
            raise TypeError(f"{name}: client streams are not served")
        if method.server_streaming != inspect.isasyncgenfunction(function):
            raise TypeError(f"{name}: a server stream is an async generator, and nothing else is")
        parse = validation.parser(method.input_type)
        # Registered as client streams, because grpc.aio never answers a unary call whose message does not come.
        if method.server_streaming:
            return grpc.stream_stream_rpc_method_handler(self._many(parse, function, errors, name))
        return grpc.stream_unary_rpc_method_handler(_One(self, self._short, parse, function, errors, name))

    def unknown(self) -> Handler:
        """The handler of every path that nobody serves."""

        async def serve(_requests: object, context: Context) -> None:
            await self.refuse(context, UnknownMethod(), {}, "unknown")

        return grpc.stream_stream_rpc_method_handler(serve)

    def end_streams(self) -> None:
        """Sends the clients of streams to another process."""
        self._long.close(lambda: Unavailable("Este servidor está encerrando.", RETRY_AFTER))

    def guarded(self, foreign: Handler) -> Handler:
        """A handler made elsewhere (reflection), of which no exception text leaves either."""
        errors: ErrorTable = {}
        write = foreign.response_serializer or bytes
        read = foreign.request_deserializer or bytes
        function: Any = foreign.stream_stream or foreign.unary_stream or foreign.stream_unary or foreign.unary_unary

        async def messages(context: Context) -> AsyncGenerator[Any, None]:
            while (raw := await context.read()) is not grpc.aio.EOF:
                yield _read(read, raw)

        async def answers(context: Context) -> None:
            requests = messages(context)
            request = requests if foreign.request_streaming else await anext(requests, None)
            if request is None:
                raise InvalidRequest(("", validation.UNREADABLE))
            if foreign.response_streaming:
                async for answer in function(request, context):
                    await _write(context, write(answer))
            else:
                await _write(context, write(await function(request, context)))

        async def serve(_requests: object, context: Context) -> None:
            try:
                self._long.admit(context)
                await answers(context)
            except BaseException as exc:  # noqa: BLE001  nothing of it may leave the process
                await self.refuse(context, exc, errors, "generic")
            finally:
                self._long.leave(_task(), None)

        return grpc.stream_stream_rpc_method_handler(serve)

    async def refuse(self, context: Context, exc: BaseException, errors: ErrorTable, method: str) -> NoReturn:
        """Ends the call with the status that `exc` stands for; what nobody mapped is told to the log alone."""
        task = _task()
        self._short.leave(task, None)  # no deadline may disturb the answer
        self._long.leave(task, None)
        exc = _cause(exc)
        answer = refusal(exc, errors, self._domain)
        if answer is None:
            log.error("unexpected error", method=method, exc_info=exc)
            answer = internal(self._domain)
        with suppress(grpc.aio.InternalError):  # the client is gone
            await context.abort(answer.code, answer.message, answer.trailers)
        raise asyncio.CancelledError

    def _many(self, parse: Parse, function: Callable[..., Any], errors: ErrorTable, name: str) -> Served:
        gate = self._long

        async def serve(_requests: object, context: Context) -> None:
            try:
                gate.admit(context)
                async with aclosing(function(parse(await context.read()), context)) as answers:
                    async for answer in answers:
                        await _write(context, answer if type(answer) is bytes else answer.SerializeToString())
            except BaseException as exc:  # noqa: BLE001  nothing of it may leave the process
                await self.refuse(context, exc, errors, name)
            finally:
                gate.leave(_task(), None)

        return serve


class _One:
    """The wrapper of a method with one answer.

    An object and no function, because grpc.aio asks inspect twice a call whether its handler is asynchronous, and for
    an awaitable the answer comes at once: 0.7 us of some hundred. Nobody ever awaits it.
    """

    __slots__ = ("_awaited", "_calls", "_errors", "_function", "_gate", "_name", "_parse")

    def __init__(
        self, calls: Calls, gate: Gate, parse: Parse, function: Callable[..., Any], errors: ErrorTable, name: str
    ) -> None:
        self._calls, self._gate, self._parse, self._function = calls, gate, parse, function
        self._errors, self._name = errors, name
        self._awaited = inspect.iscoroutinefunction(function)

    def __await__(self) -> NoReturn:
        raise TypeError("a handler is called")

    async def __call__(self, _requests: object, context: Context) -> bytes:
        try:
            self._gate.admit(context)
            answer = self._function(self._parse(await context.read()), context)
            if self._awaited or type(answer) is CoroutineType:  # a plain function may find that it has to wait
                answer = await answer
                if announced := serving().announced:
                    await context.send_initial_metadata(announced)
            return answer if type(answer) is bytes else answer.SerializeToString()
        except BaseException as exc:  # noqa: BLE001  nothing of it may leave the process
            await self._calls.refuse(context, exc, self._errors, self._name)
        finally:
            self._gate.leave(_task(), None)


class _Gone(Exception):  # noqa: N818
    """The client of a stream went away."""


async def _write(context: Context, answer: bytes) -> None:
    try:
        await context.write(answer)
    except grpc.aio.InternalError:
        raise _Gone from None


def _read(deserializer: Callable[[bytes], Any], raw: bytes) -> Any:  # noqa: ANN401  whatever it reads
    try:
        return deserializer(raw)
    except DecodeError:
        raise InvalidRequest(("", validation.UNREADABLE)) from None


def _cause(exc: BaseException) -> BaseException:
    """The exception to answer for; raises it when it is grpc's own business: an abort, or a client that went away."""
    if isinstance(exc, grpc.aio.AbortError | GeneratorExit):
        raise exc
    if isinstance(exc, _Gone):
        raise asyncio.CancelledError
    task = _task()
    if isinstance(exc, asyncio.CancelledError):
        verdict = serving().verdict
        if verdict is not None:
            task.uncancel()
        if task.cancelling():
            raise exc
        return verdict or exc  # a handler may raise CancelledError of its own; its client must not wait for ever
    return exc
