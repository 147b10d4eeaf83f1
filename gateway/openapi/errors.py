"""Which errors an RPC can answer with, read from its comment and from the MotivoErro enums, as OpenAPI responses."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from gateway.openapi.schemas import REF
from gateway.openapi.source import Rpc, Source, values

Json = dict[str, Any]

# google.rpc.Code to HTTP, as Envoy's transcoder does it.
HTTP = {
    "INVALID_ARGUMENT": (3, 400),
    "DEADLINE_EXCEEDED": (4, 504),
    "NOT_FOUND": (5, 404),
    "ALREADY_EXISTS": (6, 409),
    "PERMISSION_DENIED": (7, 403),
    "RESOURCE_EXHAUSTED": (8, 429),
    "FAILED_PRECONDITION": (9, 400),
    "ABORTED": (10, 409),
    "OUT_OF_RANGE": (11, 400),
    "UNIMPLEMENTED": (12, 501),
    "INTERNAL": (13, 500),
    "UNAVAILABLE": (14, 503),
    "UNAUTHENTICATED": (16, 401),
}
COMMON_ENUM = "confeitaria.gateway.v1.MotivoErro"
COMMON = ("REQUISICAO_INVALIDA", "SERVICO_INDISPONIVEL", "PRAZO_ESGOTADO", "LIMITE_EXCEDIDO", "ERRO_INTERNO")
WITH_BODY = ("CORPO_GRANDE_DEMAIS",)
OF_THE_EDGE = {"CORPO_GRANDE_DEMAIS"}
MESSAGES = {
    400: "A requisição não pôde ser atendida como está.",
    404: "Não encontrado.",
    409: "Conflito com o estado atual.",
    413: "O corpo da requisição passa de 256 KiB.",
    429: "Há requisições demais neste momento. Tente de novo em instantes.",
    500: "Erro interno. Tente novamente mais tarde.",
    503: "O serviço está indisponível neste momento. Tente de novo em instantes.",
    504: "O prazo da requisição se esgotou.",
}


@dataclass(frozen=True)
class Failure:
    """One reason, with all it needs to be shown."""

    reason: str
    code: int  # google.rpc.Code
    http: int
    domain: str
    comment: str

    def example(self) -> Json:
        info: Json = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": self.reason, "domain": self.domain}
        if keys := metadata(self.comment):
            info["metadata"] = dict.fromkeys(keys, "...")
        return {"code": self.code, "message": MESSAGES.get(self.http, "..."), "details": [info]}


def metadata(comment: str) -> list[str]:
    """Keys of ErrorInfo.metadata, from "Metadata: produto_id, disponivel." in a reason's comment."""
    found = re.search(r"Metadata: ([^.]+)", comment)
    return re.findall(r"(\w+)(?: \([^)]*\))?(?:, |$)", found[1]) if found else []


def _missing(rpc: Rpc, known: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """What stands first in the path may not exist, whether or not the comment of the RPC says so."""
    for reason, comment in known.items():
        named = [path.rpartition(".")[2] for path in rpc.in_path[:1]]
        if named and comment.startswith("No such") and metadata(comment) == named:
            yield "NOT_FOUND", reason


class Failures:
    """Reads them once; then by RPC."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._rpcs = {rpc.name: rpc for rpcs in source.services.values() for rpc in rpcs}

    def of(self, rpc: Rpc) -> list[Failure]:
        """Its own first, then those that any call can meet."""
        common = (*COMMON, *(WITH_BODY if rpc.rule.body else ()))
        return [*self._own(rpc), *(self._common(rpc, reason) for reason in common)]

    def _own(self, rpc: Rpc) -> Iterator[Failure]:
        enum = f"{rpc.service.rpartition('.')[0]}.MotivoErro"
        known = dict(values(self._source, enum))
        for code, reason in dict.fromkeys([*self._named(rpc), *_missing(rpc, known)]):
            if reason in known and reason not in COMMON:
                number, http = HTTP[code]
                yield Failure(reason, number, http, f"{rpc.part}.confeitaria", known[reason])

    def _named(self, rpc: Rpc) -> list[tuple[str, str]]:
        """`NOT_FOUND, PRODUTO_NAO_ENCONTRADO` in the comment, and what it takes over: `as for AdicionarItem`."""
        found = re.findall(rf"\b({'|'.join(HTTP)}), ([A-Z][A-Z_]+)\b", rpc.comment)
        for other in re.findall(r"\bas for (\w+)", rpc.comment):
            found += self._named(self._rpcs[other])
        return found

    def _common(self, rpc: Rpc, reason: str) -> Failure:
        """Its comment begins with its code, and may name an HTTP status of its own."""
        comment = dict(values(self._source, COMMON_ENUM))[reason]
        number, http = HTTP[comment.split(":")[0].split()[0]]
        other = re.search(r"\bHTTP (\d{3})\b", comment)
        domain = "borda" if reason in OF_THE_EDGE else rpc.part
        return Failure(reason, number, int(other[1]) if other else http, f"{domain}.confeitaria", comment)


def responses(failures: Iterable[Failure]) -> dict[str, Json]:
    """One response a status, with an example a reason."""
    by_status: dict[int, list[Failure]] = {}
    for failure in failures:
        by_status.setdefault(failure.http, []).append(failure)
    return {str(status): _response(found) for status, found in sorted(by_status.items())}


def _response(found: list[Failure]) -> Json:
    return {
        "description": "\n".join(f"- `{each.reason}`: {each.comment}" for each in found),
        "content": {
            "application/json": {
                "schema": {"$ref": REF + "Status"},
                "examples": {each.reason: {"value": each.example()} for each in found},
            }
        },
    }


def status_schemas() -> dict[str, Json]:
    """google.rpc.Status and its details, as they look in JSON."""

    def detail(name: str, told: str, **properties: Json) -> Json:
        kind = {"const": f"type.googleapis.com/google.rpc.{name}"}
        return {
            "type": "object",
            "description": told,
            "properties": {"@type": kind, **properties},
            "required": ["@type"],
        }

    text = {"type": "string"}
    violation = {"type": "object", "properties": {"field": text, "description": text}}
    return {
        "Status": {
            "type": "object",
            "description": "Every error (google.rpc.Status). Decide by `reason` in ErrorInfo, show `message`.",
            "properties": {
                "code": {"type": "integer", "format": "int32", "description": "google.rpc.Code"},
                "message": {"type": "string", "description": "For the customer, in Portuguese."},
                "details": {
                    "type": "array",
                    "items": {"anyOf": [{"$ref": REF + name} for name in ("ErrorInfo", "BadRequest", "RetryInfo")]},
                },
            },
            "required": ["code", "message", "details"],
        },
        "ErrorInfo": detail(
            "ErrorInfo",
            "Why: always there.",
            reason={"type": "string", "pattern": "^[A-Z][A-Z_]+$"},
            domain={"type": "string", "description": "Who says so, as in `catalogo.confeitaria`."},
            metadata={"type": "object", "additionalProperties": text},
        ),
        "BadRequest": detail(
            "BadRequest",
            "With REQUISICAO_INVALIDA: which fields, and what is wrong with each.",
            field_violations={"type": "array", "items": violation},
        ),
        "RetryInfo": detail("RetryInfo", "When to try again.", retry_delay={"type": "string", "examples": ["0.1s"]}),
    }
