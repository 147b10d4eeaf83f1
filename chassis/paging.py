"""Opaque page tokens: where a keyset listing goes on, sealed against tampering and bound to its filter (AIP-158)."""

import base64
import binascii
import hashlib
import hmac
import json

from chassis.errors import InvalidRequest

Position = tuple[int | str, ...]
Filter = tuple[int | str | bool | None, ...]

_SEAL = 12  # bytes of HMAC-SHA256 kept: 96 bits, with no oracle but one online call per guess
_LONGEST = 2_048  # characters of a token worth looking at


class PageTokens:
    """`key`: 32 secret bytes, the same for all instances of a service."""

    def __init__(self, key: bytes) -> None:
        if len(key) < 16:  # noqa: PLR2004  128 bits, the least that seals anything
            raise ValueError("the key of page tokens must have at least 16 bytes")
        self._key = key

    def encode(self, filter: Filter, position: Position) -> str:  # noqa: A002  AIP-158 calls it so
        """A token that continues after `position`, for the same `filter` only. Ints and strings keep their type."""
        if not all(type(part) in (int, str) for part in position):
            raise TypeError(f"a position holds ints and strings only: {position!r}")
        body = _json(position)
        return base64.urlsafe_b64encode(self._seal(filter, body) + body).rstrip(b"=").decode()

    def decode(self, filter: Filter, token: str) -> Position:  # noqa: A002
        """The position in `token`; InvalidRequest("page_token") when it is broken, altered or of another filter."""
        raw = _unbase64(token)
        seal, body = raw[:_SEAL], raw[_SEAL:]
        if not hmac.compare_digest(seal, self._seal(filter, body)):
            raise InvalidRequest(("page_token", "não vale para esta consulta; recomece da primeira página"))
        return tuple(json.loads(body))

    def _seal(self, filter: Filter, body: bytes) -> bytes:  # noqa: A002
        return hmac.digest(self._key, _json(filter) + b"\n" + body, hashlib.sha256)[:_SEAL]


def _json(parts: tuple[object, ...]) -> bytes:
    return json.dumps(parts, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")


def _unbase64(token: str) -> bytes:
    """The bytes of a token; b"" (which no seal fits) when it is not one that encode() could have written."""
    if len(token) > _LONGEST or not token.isascii():
        return b""
    try:
        raw = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
    except binascii.Error:
        return b""
    canonical = base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
    return raw if canonical == token else b""
