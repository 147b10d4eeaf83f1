"""Calls to neighbours: one channel per process that hands on the request id and what is left of the deadline."""

from collections.abc import Sequence
from typing import Any, Self

import grpc
from google.rpc.error_details_pb2 import ErrorInfo
from google.rpc.status_pb2 import Status

from chassis import context
from chassis.errors import STATUS_DETAILS

DEFAULT_TIMEOUT = 3.0  # seconds, for a call made outside of any deadline
OPTIONS = (
    ("grpc.enable_retries", 0),
    # The proxy next door is back sooner than grpc's own second to two minutes.
    ("grpc.initial_reconnect_backoff_ms", 50),
    ("grpc.max_reconnect_backoff_ms", 500),
)


class RemoteError(Exception):
    """A neighbour's refusal, decoded: `code`, `reason` ("" when it gave none), `metadata` of ErrorInfo, `message`."""

    def __init__(self, code: grpc.StatusCode, reason: str, metadata: dict[str, str], message: str) -> None:
        super().__init__(f"{code.name} {reason}: {message}")
        self.code = code
        self.reason = reason
        self.metadata = metadata
        self.message = message


def remote_error(exc: grpc.aio.AioRpcError) -> RemoteError:
    """What a neighbour answered, from its google.rpc.Status where it sent one."""
    info = ErrorInfo()
    for key, value in exc.trailing_metadata() or ():
        if key == STATUS_DETAILS and isinstance(value, bytes):
            for detail in Status.FromString(value).details:
                detail.Unpack(info)
    return RemoteError(exc.code(), info.reason, dict(info.metadata), exc.details() or "")


def channel(
    target: str,
    *,
    timeout: float = DEFAULT_TIMEOUT,
    credentials: grpc.ChannelCredentials | None = None,
    options: Sequence[tuple[str, Any]] = (),
) -> grpc.aio.Channel:
    """A channel to `target` whose calls carry x-request-id and end with the call being served.

    `timeout` seconds cap every unary call (a stream has only what is left of the deadline, if anything). Retries are
    Envoy's business. The wrapper costs one Python call; an interceptor of grpc.aio would cost a task per call.
    """
    merged = [*OPTIONS, *options]
    if credentials is None:
        return _Channel(grpc.aio.insecure_channel(target, merged), timeout)
    return _Channel(grpc.aio.secure_channel(target, credentials, merged), timeout)


class _Channel(grpc.aio.Channel):
    """Delegates to a real channel; only calls with one request are dressed."""

    def __init__(self, inner: grpc.aio.Channel, timeout: float) -> None:
        self._inner = inner
        self._timeout = timeout

    def unary_unary(self, method: str, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
        return _dressed(self._inner.unary_unary(method, *args, **kwargs), self._timeout)

    def unary_stream(self, method: str, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
        return _dressed(self._inner.unary_stream(method, *args, **kwargs), None)

    def stream_unary(self, method: str, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
        return self._inner.stream_unary(method, *args, **kwargs)

    def stream_stream(self, method: str, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
        return self._inner.stream_stream(method, *args, **kwargs)

    async def close(self, grace: float | None = None) -> None:
        await self._inner.close(grace)

    def get_state(self, try_to_connect: bool = False) -> grpc.ChannelConnectivity:  # noqa: FBT001, FBT002
        return self._inner.get_state(try_to_connect)

    async def wait_for_state_change(self, last_observed_state: grpc.ChannelConnectivity) -> None:
        await self._inner.wait_for_state_change(last_observed_state)

    async def channel_ready(self) -> None:
        await self._inner.channel_ready()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._inner.close()


def _dressed(call: Any, default: float | None) -> Any:  # noqa: ANN401
    def dressed(request: Any, *, timeout: float | None = None, metadata: Any = None, **kwargs: Any) -> Any:  # noqa: ANN401
        limit = default if timeout is None else timeout
        left = context.remaining()
        if left is not None:
            if left <= 0:
                raise _too_late()
            limit = left if limit is None else min(limit, left)
        passed = ((context.REQUEST_ID, context.request_id()), *(metadata or ()))
        return call(request, timeout=limit, metadata=passed, **kwargs)

    return dressed


def _too_late() -> grpc.aio.AioRpcError:
    """What grpc itself would say, had it looked at the clock before it sent."""
    nothing = grpc.aio.Metadata()
    return grpc.aio.AioRpcError(grpc.StatusCode.DEADLINE_EXCEEDED, nothing, nothing, details="no time left to ask")
