import datetime

from buf.validate import validate_pb2 as _validate_pb2
from google.api import annotations_pb2 as _annotations_pb2
from google.api import field_behavior_pb2 as _field_behavior_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class MotivoErro(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    MOTIVO_ERRO_UNSPECIFIED: _ClassVar[MotivoErro]
    CARRINHO_NAO_ENCONTRADO: _ClassVar[MotivoErro]
    PRODUTO_NAO_ENCONTRADO: _ClassVar[MotivoErro]
    PRODUTO_INATIVO: _ClassVar[MotivoErro]
    ESTOQUE_INSUFICIENTE: _ClassVar[MotivoErro]
    ITEM_NAO_ENCONTRADO: _ClassVar[MotivoErro]
    CARRINHO_CHEIO: _ClassVar[MotivoErro]
    VERSAO_DESATUALIZADA: _ClassVar[MotivoErro]
    CHAVE_REUTILIZADA: _ClassVar[MotivoErro]
MOTIVO_ERRO_UNSPECIFIED: MotivoErro
CARRINHO_NAO_ENCONTRADO: MotivoErro
PRODUTO_NAO_ENCONTRADO: MotivoErro
PRODUTO_INATIVO: MotivoErro
ESTOQUE_INSUFICIENTE: MotivoErro
ITEM_NAO_ENCONTRADO: MotivoErro
CARRINHO_CHEIO: MotivoErro
VERSAO_DESATUALIZADA: MotivoErro
CHAVE_REUTILIZADA: MotivoErro

class Carrinho(_message.Message):
    __slots__ = ("sessao_id", "itens", "total_centavos", "versao", "expira_em")
    SESSAO_ID_FIELD_NUMBER: _ClassVar[int]
    ITENS_FIELD_NUMBER: _ClassVar[int]
    TOTAL_CENTAVOS_FIELD_NUMBER: _ClassVar[int]
    VERSAO_FIELD_NUMBER: _ClassVar[int]
    EXPIRA_EM_FIELD_NUMBER: _ClassVar[int]
    sessao_id: str
    itens: _containers.RepeatedCompositeFieldContainer[ItemCarrinho]
    total_centavos: int
    versao: int
    expira_em: _timestamp_pb2.Timestamp
    def __init__(self, sessao_id: _Optional[str] = ..., itens: _Optional[_Iterable[_Union[ItemCarrinho, _Mapping]]] = ..., total_centavos: _Optional[int] = ..., versao: _Optional[int] = ..., expira_em: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class ItemCarrinho(_message.Message):
    __slots__ = ("produto_id", "nome", "preco_centavos", "quantidade", "subtotal_centavos", "conferido")
    PRODUTO_ID_FIELD_NUMBER: _ClassVar[int]
    NOME_FIELD_NUMBER: _ClassVar[int]
    PRECO_CENTAVOS_FIELD_NUMBER: _ClassVar[int]
    QUANTIDADE_FIELD_NUMBER: _ClassVar[int]
    SUBTOTAL_CENTAVOS_FIELD_NUMBER: _ClassVar[int]
    CONFERIDO_FIELD_NUMBER: _ClassVar[int]
    produto_id: int
    nome: str
    preco_centavos: int
    quantidade: int
    subtotal_centavos: int
    conferido: bool
    def __init__(self, produto_id: _Optional[int] = ..., nome: _Optional[str] = ..., preco_centavos: _Optional[int] = ..., quantidade: _Optional[int] = ..., subtotal_centavos: _Optional[int] = ..., conferido: _Optional[bool] = ...) -> None: ...

class CriarCarrinhoRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ObterCarrinhoRequest(_message.Message):
    __slots__ = ("sessao_id",)
    SESSAO_ID_FIELD_NUMBER: _ClassVar[int]
    sessao_id: str
    def __init__(self, sessao_id: _Optional[str] = ...) -> None: ...

class AdicionarItemRequest(_message.Message):
    __slots__ = ("sessao_id", "produto_id", "quantidade", "request_id")
    SESSAO_ID_FIELD_NUMBER: _ClassVar[int]
    PRODUTO_ID_FIELD_NUMBER: _ClassVar[int]
    QUANTIDADE_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    sessao_id: str
    produto_id: int
    quantidade: int
    request_id: str
    def __init__(self, sessao_id: _Optional[str] = ..., produto_id: _Optional[int] = ..., quantidade: _Optional[int] = ..., request_id: _Optional[str] = ...) -> None: ...

class AtualizarItemRequest(_message.Message):
    __slots__ = ("sessao_id", "produto_id", "quantidade")
    SESSAO_ID_FIELD_NUMBER: _ClassVar[int]
    PRODUTO_ID_FIELD_NUMBER: _ClassVar[int]
    QUANTIDADE_FIELD_NUMBER: _ClassVar[int]
    sessao_id: str
    produto_id: int
    quantidade: int
    def __init__(self, sessao_id: _Optional[str] = ..., produto_id: _Optional[int] = ..., quantidade: _Optional[int] = ...) -> None: ...

class RemoverItemRequest(_message.Message):
    __slots__ = ("sessao_id", "produto_id")
    SESSAO_ID_FIELD_NUMBER: _ClassVar[int]
    PRODUTO_ID_FIELD_NUMBER: _ClassVar[int]
    sessao_id: str
    produto_id: int
    def __init__(self, sessao_id: _Optional[str] = ..., produto_id: _Optional[int] = ...) -> None: ...

class EsvaziarCarrinhoRequest(_message.Message):
    __slots__ = ("sessao_id", "versao")
    SESSAO_ID_FIELD_NUMBER: _ClassVar[int]
    VERSAO_FIELD_NUMBER: _ClassVar[int]
    sessao_id: str
    versao: int
    def __init__(self, sessao_id: _Optional[str] = ..., versao: _Optional[int] = ...) -> None: ...
