"""How a failure leaves the process: google.rpc.Status with ErrorInfo, never a word of an exception nobody mapped."""

# ruff: noqa: N818  an exception is named after what happened

from collections.abc import Mapping
from typing import NamedTuple

import grpc
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, RetryInfo
from google.rpc.status_pb2 import Status

STATUS_DETAILS = "grpc-status-details-bin"
RETRY_AFTER = 0.1  # seconds, told to whom this process could not serve now

# A client drops a call whose trailers pass 8 KiB (grpc.max_metadata_size), and grpc-message triples what is not ASCII,
# so an error is kept well below it. All in bytes of UTF-8.
MAX_MESSAGE = 400
MAX_TEXT = 240  # of a description or a value of the metadata
MAX_FIELD = 100  # of a field path
MAX_VIOLATIONS = 8


class Mapped(NamedTuple):
    """What an exception becomes; `metadata` names its attributes that go into ErrorInfo.metadata."""

    code: grpc.StatusCode
    reason: str
    metadata: tuple[str, ...] = ()


ErrorTable = Mapping[type[Exception], Mapped]  # looked up along the MRO; str(exc) is the text the client reads


class InvalidRequest(Exception):
    """The request breaks its contract: `violations` are (field path, what is wrong with it, in Portuguese)."""

    def __init__(self, *violations: tuple[str, str]) -> None:
        self.violations = violations
        field, why = violations[0] if violations else ("", "")
        more = f" (e mais {len(violations) - 1})" if len(violations) > 1 else ""
        super().__init__(f"Requisição inválida: {field + ': ' if field else ''}{why or 'fora do contrato'}{more}.")


class Unavailable(Exception):
    """Something this call needs cannot be reached now; `retry_after` in seconds, if it is known."""

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Exhausted(Exception):
    """A limit of this process is reached; `retry_after` in seconds, if it is known."""

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class DeadlineExceeded(TimeoutError):
    """The call's time ran out before its work was done."""

    def __init__(self) -> None:
        super().__init__("O prazo da requisição se esgotou.")


class UnknownMethod(Exception):
    """No service of this process has the method."""

    def __init__(self) -> None:
        super().__init__("Método desconhecido.")


BUILT_IN: ErrorTable = {
    InvalidRequest: Mapped(grpc.StatusCode.INVALID_ARGUMENT, "REQUISICAO_INVALIDA"),
    Unavailable: Mapped(grpc.StatusCode.UNAVAILABLE, "SERVICO_INDISPONIVEL"),
    Exhausted: Mapped(grpc.StatusCode.RESOURCE_EXHAUSTED, "LIMITE_EXCEDIDO"),
    DeadlineExceeded: Mapped(grpc.StatusCode.DEADLINE_EXCEEDED, "PRAZO_ESGOTADO"),
    UnknownMethod: Mapped(grpc.StatusCode.UNIMPLEMENTED, "METODO_DESCONHECIDO"),
}
INTERNAL = Mapped(grpc.StatusCode.INTERNAL, "ERRO_INTERNO")
INTERNAL_MESSAGE = "Erro interno. Tente novamente mais tarde."


class Refusal(NamedTuple):
    """An error as gRPC sends it."""

    code: grpc.StatusCode
    message: str
    trailers: tuple[tuple[str, bytes], ...]


def refusal(exc: BaseException, table: ErrorTable, domain: str) -> Refusal | None:
    """The answer for a mapped exception (`table` first, then the built-in ones); None when nobody mapped it."""
    if isinstance(exc, TimeoutError) and type(exc) not in table:
        exc = DeadlineExceeded()  # the text of a TimeoutError is not ours
    for cls in type(exc).__mro__:
        mapped = table.get(cls) or BUILT_IN.get(cls)
        if mapped is not None:
            return _refusal(mapped, str(exc), domain, exc)
    return None


def internal(domain: str) -> Refusal:
    """The fixed answer for anything unforeseen."""
    return _refusal(INTERNAL, INTERNAL_MESSAGE, domain, None)


def _refusal(mapped: Mapped, text: str, domain: str, exc: BaseException | None) -> Refusal:
    message = _clean(text, MAX_MESSAGE)
    metadata = {name: _clean(str(getattr(exc, name)), MAX_TEXT) for name in mapped.metadata}
    status = Status(code=mapped.code.value[0], message=message)
    status.details.add().Pack(ErrorInfo(reason=mapped.reason, domain=domain, metadata=metadata))
    for detail in _details(exc):
        status.details.add().Pack(detail)
    return Refusal(mapped.code, message, ((STATUS_DETAILS, status.SerializeToString()),))


def _details(exc: BaseException | None) -> list[Message]:
    details: list[Message] = []
    if isinstance(exc, InvalidRequest) and exc.violations:
        details.append(
            BadRequest(
                field_violations=[
                    BadRequest.FieldViolation(field=_clean(field, MAX_FIELD), description=_clean(why, MAX_TEXT))
                    for field, why in exc.violations[:MAX_VIOLATIONS]
                ]
            )
        )
    if isinstance(exc, Unavailable | Exhausted) and exc.retry_after is not None:
        pause = Duration()
        pause.FromMilliseconds(round(exc.retry_after * 1000))
        details.append(RetryInfo(retry_delay=pause))
    return details


def _clean(text: str, limit: int) -> str:
    """Short, and free of the lone surrogates that protobuf refuses."""
    raw = text.encode("utf-8", "replace")
    return raw.decode() if len(raw) <= limit else raw[: limit - 3].decode("utf-8", "ignore") + "…"
