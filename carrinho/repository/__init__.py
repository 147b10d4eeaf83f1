"""Carts in Valkey: a read is one command, a change one script, each one round trip.

A cart is kept as the bytes that its clients get. Reading it costs Python nothing, and a change splices the bytes of
one item inside Valkey, which is cheaper there than decoding and encoding the cart and needs no build step here.
"""

import re
import secrets
import struct
from collections.abc import Callable
from hashlib import sha1
from pathlib import Path
from typing import Any, NamedTuple, cast

from confeitaria.carrinho.v1 import carrinho_pb2 as pb
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.timestamp_pb2 import Timestamp

from carrinho import domain
from carrinho.domain import Oferta, Recusa
from carrinho.repository.valkey import Argument, Refused, Unreachable, Valkey
from carrinho.use_cases import Carrinho

PREFIX = "carrinho:"
SESSAO_ID = re.compile(r"[A-Za-z0-9_-]{22}")  # what secrets.token_urlsafe(16) gives; other names cannot be a cart's

# Refusals that say how Valkey is, not what we asked: none of them executed anything.
FORA = frozenset(
    {"LOADING", "BUSY", "MISCONF", "READONLY", "OOM", "NOREPLICAS", "MASTERDOWN", "CLUSTERDOWN", "NOAUTH", "NOPERM"}
)

CONFERIDO = (b"", pb.ItemCarrinho(conferido=True).SerializeToString())


class _Mudanca(NamedTuple):
    """What a refusal is told with."""

    sessao_id: str
    produto_id: int = 0
    oferta: Oferta | Recusa | None = None
    request_id: str = ""
    versao: int = 0


class CarrinhosValkey:
    """CarrinhoRepository; `validade` in seconds."""

    def __init__(self, valkey: Valkey, *, validade: float = domain.VALIDADE_SEGUNDOS) -> None:
        self._valkey = valkey
        self._script = _script(validade)
        self._sha = sha1(self._script.encode(), usedforsecurity=False).hexdigest()

    async def criar(self) -> Carrinho:
        sessao_id = secrets.token_urlsafe(16)
        return await self._mudar(_Mudanca(sessao_id), "criar", pb.Carrinho(sessao_id=sessao_id).SerializeToString())

    async def obter(self, sessao_id: str) -> Carrinho:
        reply = await self._call("HGET", _key(sessao_id), "carrinho")
        if not isinstance(reply, bytes):
            raise domain.CarrinhoNaoEncontrado(sessao_id)
        return Carrinho(reply)

    async def adicionar(
        self, sessao_id: str, produto_id: int, quantidade: int, oferta: Oferta | Recusa, request_id: str
    ) -> Carrinho:
        chave = bytes.fromhex(request_id.replace("-", ""))  # a UUID by the contract; empty stays empty
        significado = struct.pack(">ii", produto_id, quantidade)
        mudanca = _Mudanca(sessao_id, produto_id, oferta, request_id)
        return await self._mudar(mudanca, "adicionar", *_item(produto_id, quantidade, oferta), chave, significado)

    async def atualizar(self, sessao_id: str, produto_id: int, quantidade: int, oferta: Oferta | Recusa) -> Carrinho:
        mudanca = _Mudanca(sessao_id, produto_id, oferta)
        return await self._mudar(mudanca, "atualizar", *_item(produto_id, quantidade, oferta))

    async def remover(self, sessao_id: str, produto_id: int) -> Carrinho:
        return await self._mudar(_Mudanca(sessao_id, produto_id), "remover", _produto(produto_id))

    async def esvaziar(self, sessao_id: str, versao: int) -> Carrinho:
        return await self._mudar(_Mudanca(sessao_id, versao=versao), "esvaziar", versao)

    async def saude(self) -> str | None:
        """A Probe: whether carts can be changed now."""
        # Refused whenever a write would be (loading, read-only, disk or memory full); otherwise, as there is no such
        # list, it writes nothing, not even to the append-only file.
        try:
            await self._call("RPUSHX", PREFIX + "saude", "")
        except domain.CarrinhoIndisponivel as exc:
            return f"Valkey: {exc.why}"
        return None

    async def _mudar(self, mudanca: _Mudanca, operacao: str, *args: Argument) -> Carrinho:
        key = _key(mudanca.sessao_id)
        try:
            reply = await self._call("EVALSHA", self._sha, 1, key, operacao, *args)
        except Refused as exc:
            if exc.code != "NOSCRIPT":
                raise
            # A new or restarted Valkey: nothing was executed.
            reply = await self._call("EVAL", self._script, 1, key, operacao, *args)
        if isinstance(reply, bytes):
            return Carrinho(reply)
        reason, *figures = cast("list[Any]", reply)
        raise _RECUSAS[reason](mudanca, figures)

    async def _call(self, *command: Argument) -> object:
        try:
            return await self._valkey.call(*command)
        except Unreachable as exc:
            raise domain.CarrinhoIndisponivel(str(exc)) from exc
        except Refused as exc:
            if exc.code in FORA:
                raise domain.CarrinhoIndisponivel(str(exc)) from exc
            raise


def _key(sessao_id: str) -> str:
    if SESSAO_ID.fullmatch(sessao_id) is None:
        raise domain.CarrinhoNaoEncontrado(sessao_id)
    return PREFIX + sessao_id


def _produto(produto_id: int) -> bytes:
    """How the bytes of that product's item begin."""
    return pb.ItemCarrinho(produto_id=produto_id).SerializeToString()


def _item(produto_id: int, quantidade: int, oferta: Oferta | Recusa) -> tuple[Argument, ...]:
    if isinstance(oferta, Recusa):
        return _produto(produto_id), quantidade, b"", 0, 0, b""
    produto = oferta.produto
    item = pb.ItemCarrinho(produto_id=produto_id, nome=produto.nome, preco_centavos=produto.preco_centavos)
    return (
        _produto(produto_id),
        quantidade,
        item.SerializeToString(),
        produto.preco_centavos,
        produto.estoque,
        CONFERIDO[oferta.conferido],
    )


# What the script's refusals mean; `figures` are what stands behind the reason in its reply.
_RECUSAS: dict[object, Callable[[_Mudanca, list[Any]], Exception]] = {
    b"CARRINHO_NAO_ENCONTRADO": lambda mudanca, _: domain.CarrinhoNaoEncontrado(mudanca.sessao_id),
    b"RECUSADO": lambda mudanca, _: cast("Recusa", mudanca.oferta),
    b"ESTOQUE_INSUFICIENTE": lambda mudanca, figures: domain.EstoqueInsuficiente(mudanca.produto_id, *figures),
    b"CARRINHO_CHEIO": lambda _, figures: domain.CarrinhoCheio(figures[0].decode()),
    b"ITEM_NAO_ENCONTRADO": lambda mudanca, _: domain.ItemNaoEncontrado(mudanca.produto_id),
    b"CHAVE_REUTILIZADA": lambda mudanca, _: domain.ChaveReutilizada(mudanca.request_id),
    b"VERSAO_DESATUALIZADA": lambda mudanca, figures: domain.VersaoDesatualizada(mudanca.versao, *figures),
}


def _script(validade: float) -> str:
    """carrinho.lua behind the numbers it decides by."""
    names = {
        "LENGTH_DELIMITED": 2,
        "MAX_UNIDADES": domain.MAX_UNIDADES,
        "MAX_PRODUTOS": domain.MAX_PRODUTOS,
        "MAX_TOTAL_CENTAVOS": domain.MAX_TOTAL_CENTAVOS,
        "MAX_LEMBRADAS": domain.MAX_LEMBRADAS,
        "VALIDADE_MS": round(validade * 1000),
        **_tags(pb.Carrinho.DESCRIPTOR, "sessao_id", "itens", "total_centavos", "versao", "expira_em"),
        **_tags(pb.ItemCarrinho.DESCRIPTOR, "quantidade", "subtotal_centavos"),
        **_tags(Timestamp.DESCRIPTOR, "seconds", "nanos"),
    }
    numbers = "".join(f"local {name} = {number}\n" for name, number in names.items())
    return numbers + Path(__file__).with_name("carrinho.lua").read_text(encoding="utf-8")


def _tags(message: Any, *names: str) -> dict[str, int]:  # noqa: ANN401  the stubs know two Descriptor classes
    """The tag that stands before each field on the wire: its number, and whether a number or bytes follow."""
    bytes_follow = {FieldDescriptor.TYPE_STRING, FieldDescriptor.TYPE_BYTES, FieldDescriptor.TYPE_MESSAGE}
    fields = [message.fields_by_name[name] for name in names]
    return {field.name.upper(): field.number << 3 | (2 if field.type in bytes_follow else 0) for field in fields}
