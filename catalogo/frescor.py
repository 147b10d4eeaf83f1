"""Freshness on request: how a moment of the database travels, in the answer to a write and with a later read."""

from collections.abc import Callable, Coroutine, Sequence
from functools import wraps
from typing import Any, Protocol, TypeAlias, TypeVar

from catalogo.domain.produtos import Momento
from catalogo.use_cases import Vitrine
from chassis.context import announce, metadata
from chassis.errors import RETRY_AFTER, InvalidRequest, Unavailable
from chassis.paging import PageTokens

FRESCOR = "x-confeitaria-frescor"  # metadata of gRPC, header of REST
SEALED_FOR = (FRESCOR,)  # no page of a list has such a filter
MOST = 8  # values in one call: whoever changes several things at once has several

Resposta: TypeAlias = bytes | Coroutine[Any, Any, bytes]
S = TypeVar("S", bound="Fresco")
R = TypeVar("R")


class LeituraAtrasada(Unavailable):
    """What is shown is older than the moment a read asked for, and stayed so."""

    def __init__(self) -> None:
        super().__init__(
            "Esta leitura ainda não alcançou a alteração indicada. Tente de novo em instantes.", RETRY_AFTER
        )


class Frescor:
    """Seals moments and waits for them; `tokens` with the key that all instances share."""

    def __init__(self, vitrine: Vitrine, tokens: PageTokens) -> None:
        self._vitrine = vitrine
        self._tokens = tokens

    def anunciar(self, momento: Momento) -> None:
        """Tells the caller of the present call what to show to a read that must know of what it did."""
        announce(FRESCOR, self._tokens.encode(SEALED_FOR, momento))

    def faltam(self, header: str) -> Sequence[Momento]:
        """The moments in `header`, separated by commas, that are not shown yet; InvalidRequest."""
        sealed = header.split(",")
        if len(sealed) > MOST:
            raise InvalidRequest((FRESCOR, f"não pode ter mais de {MOST} valores"))
        momentos = [self._momento(each.strip()) for each in sealed]
        return [momento for momento in momentos if not self._vitrine.mostra(momento)]

    async def alcancar(self, momentos: Sequence[Momento]) -> None:
        for momento in momentos:
            await self._vitrine.alcancar(momento)

    def _momento(self, sealed: str) -> Momento:
        try:
            linha, transacao = self._tokens.decode(SEALED_FOR, sealed)
        except InvalidRequest:
            raise InvalidRequest((FRESCOR, "não é um valor que a resposta a uma alteração tenha dado")) from None
        return Momento(int(linha), int(transacao))


class Fresco(Protocol):
    """A servicer with reads that may be asked to be fresh."""

    frescor: Frescor


def fresca(read: Callable[[S, R, object], bytes]) -> Callable[[S, R, object], Resposta]:
    """A read that is answered at once, unless its caller named a moment that is not shown yet."""

    @wraps(read)
    def answer(self: S, request: R, context: object) -> Resposta:
        header = metadata(FRESCOR)
        missing = self.frescor.faltam(header) if header else None
        return later(self, missing, request, context) if missing else read(self, request, context)

    async def later(self: S, missing: Sequence[Momento], request: R, context: object) -> bytes:
        await self.frescor.alcancar(missing)
        return read(self, request, context)

    return answer
