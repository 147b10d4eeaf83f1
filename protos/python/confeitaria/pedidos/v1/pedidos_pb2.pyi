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
    PEDIDO_NAO_ENCONTRADO: _ClassVar[MotivoErro]
    CARRINHO_NAO_ENCONTRADO: _ClassVar[MotivoErro]
    CARRINHO_VAZIO: _ClassVar[MotivoErro]
    ESTOQUE_INSUFICIENTE: _ClassVar[MotivoErro]
    PRODUTO_INDISPONIVEL: _ClassVar[MotivoErro]
    TRANSICAO_INVALIDA: _ClassVar[MotivoErro]
    CHAVE_REUTILIZADA: _ClassVar[MotivoErro]
    RESERVA_EXPIRADA: _ClassVar[MotivoErro]
    TOTAL_EXCEDE_LIMITE: _ClassVar[MotivoErro]

class StatusPedido(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    STATUS_PEDIDO_UNSPECIFIED: _ClassVar[StatusPedido]
    PENDENTE: _ClassVar[StatusPedido]
    CONFIRMADO: _ClassVar[StatusPedido]
    EM_PREPARO: _ClassVar[StatusPedido]
    PRONTO: _ClassVar[StatusPedido]
    ENTREGUE: _ClassVar[StatusPedido]
    CANCELADO: _ClassVar[StatusPedido]
MOTIVO_ERRO_UNSPECIFIED: MotivoErro
PEDIDO_NAO_ENCONTRADO: MotivoErro
CARRINHO_NAO_ENCONTRADO: MotivoErro
CARRINHO_VAZIO: MotivoErro
ESTOQUE_INSUFICIENTE: MotivoErro
PRODUTO_INDISPONIVEL: MotivoErro
TRANSICAO_INVALIDA: MotivoErro
CHAVE_REUTILIZADA: MotivoErro
RESERVA_EXPIRADA: MotivoErro
TOTAL_EXCEDE_LIMITE: MotivoErro
STATUS_PEDIDO_UNSPECIFIED: StatusPedido
PENDENTE: StatusPedido
CONFIRMADO: StatusPedido
EM_PREPARO: StatusPedido
PRONTO: StatusPedido
ENTREGUE: StatusPedido
CANCELADO: StatusPedido

class Pedido(_message.Message):
    __slots__ = ("pedido_id", "sessao_id", "status", "itens", "total_centavos", "cliente", "observacao", "criado_em", "atualizado_em")
    PEDIDO_ID_FIELD_NUMBER: _ClassVar[int]
    SESSAO_ID_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    ITENS_FIELD_NUMBER: _ClassVar[int]
    TOTAL_CENTAVOS_FIELD_NUMBER: _ClassVar[int]
    CLIENTE_FIELD_NUMBER: _ClassVar[int]
    OBSERVACAO_FIELD_NUMBER: _ClassVar[int]
    CRIADO_EM_FIELD_NUMBER: _ClassVar[int]
    ATUALIZADO_EM_FIELD_NUMBER: _ClassVar[int]
    pedido_id: str
    sessao_id: str
    status: StatusPedido
    itens: _containers.RepeatedCompositeFieldContainer[ItemPedido]
    total_centavos: int
    cliente: Cliente
    observacao: str
    criado_em: _timestamp_pb2.Timestamp
    atualizado_em: _timestamp_pb2.Timestamp
    def __init__(self, pedido_id: _Optional[str] = ..., sessao_id: _Optional[str] = ..., status: _Optional[_Union[StatusPedido, str]] = ..., itens: _Optional[_Iterable[_Union[ItemPedido, _Mapping]]] = ..., total_centavos: _Optional[int] = ..., cliente: _Optional[_Union[Cliente, _Mapping]] = ..., observacao: _Optional[str] = ..., criado_em: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., atualizado_em: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class ItemPedido(_message.Message):
    __slots__ = ("produto_id", "nome", "preco_centavos", "quantidade", "subtotal_centavos")
    PRODUTO_ID_FIELD_NUMBER: _ClassVar[int]
    NOME_FIELD_NUMBER: _ClassVar[int]
    PRECO_CENTAVOS_FIELD_NUMBER: _ClassVar[int]
    QUANTIDADE_FIELD_NUMBER: _ClassVar[int]
    SUBTOTAL_CENTAVOS_FIELD_NUMBER: _ClassVar[int]
    produto_id: int
    nome: str
    preco_centavos: int
    quantidade: int
    subtotal_centavos: int
    def __init__(self, produto_id: _Optional[int] = ..., nome: _Optional[str] = ..., preco_centavos: _Optional[int] = ..., quantidade: _Optional[int] = ..., subtotal_centavos: _Optional[int] = ...) -> None: ...

class Cliente(_message.Message):
    __slots__ = ("nome", "email", "telefone")
    NOME_FIELD_NUMBER: _ClassVar[int]
    EMAIL_FIELD_NUMBER: _ClassVar[int]
    TELEFONE_FIELD_NUMBER: _ClassVar[int]
    nome: str
    email: str
    telefone: str
    def __init__(self, nome: _Optional[str] = ..., email: _Optional[str] = ..., telefone: _Optional[str] = ...) -> None: ...

class CriarPedidoRequest(_message.Message):
    __slots__ = ("sessao_id", "cliente", "observacao", "request_id")
    SESSAO_ID_FIELD_NUMBER: _ClassVar[int]
    CLIENTE_FIELD_NUMBER: _ClassVar[int]
    OBSERVACAO_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    sessao_id: str
    cliente: Cliente
    observacao: str
    request_id: str
    def __init__(self, sessao_id: _Optional[str] = ..., cliente: _Optional[_Union[Cliente, _Mapping]] = ..., observacao: _Optional[str] = ..., request_id: _Optional[str] = ...) -> None: ...

class ObterPedidoRequest(_message.Message):
    __slots__ = ("pedido_id",)
    PEDIDO_ID_FIELD_NUMBER: _ClassVar[int]
    pedido_id: str
    def __init__(self, pedido_id: _Optional[str] = ...) -> None: ...

class ListarPedidosRequest(_message.Message):
    __slots__ = ("sessao_id", "status", "page_size", "page_token")
    SESSAO_ID_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    sessao_id: str
    status: StatusPedido
    page_size: int
    page_token: str
    def __init__(self, sessao_id: _Optional[str] = ..., status: _Optional[_Union[StatusPedido, str]] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListarPedidosResponse(_message.Message):
    __slots__ = ("pedidos", "next_page_token")
    PEDIDOS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    pedidos: _containers.RepeatedCompositeFieldContainer[Pedido]
    next_page_token: str
    def __init__(self, pedidos: _Optional[_Iterable[_Union[Pedido, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class CancelarPedidoRequest(_message.Message):
    __slots__ = ("pedido_id", "motivo")
    PEDIDO_ID_FIELD_NUMBER: _ClassVar[int]
    MOTIVO_FIELD_NUMBER: _ClassVar[int]
    pedido_id: str
    motivo: str
    def __init__(self, pedido_id: _Optional[str] = ..., motivo: _Optional[str] = ...) -> None: ...

class AtualizarStatusPedidoRequest(_message.Message):
    __slots__ = ("pedido_id", "status")
    PEDIDO_ID_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    pedido_id: str
    status: StatusPedido
    def __init__(self, pedido_id: _Optional[str] = ..., status: _Optional[_Union[StatusPedido, str]] = ...) -> None: ...

class AcompanharPedidoRequest(_message.Message):
    __slots__ = ("pedido_id",)
    PEDIDO_ID_FIELD_NUMBER: _ClassVar[int]
    pedido_id: str
    def __init__(self, pedido_id: _Optional[str] = ...) -> None: ...

class AcompanharPedidoResponse(_message.Message):
    __slots__ = ("pedido_id", "status", "atualizado_em")
    PEDIDO_ID_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    ATUALIZADO_EM_FIELD_NUMBER: _ClassVar[int]
    pedido_id: str
    status: StatusPedido
    atualizado_em: _timestamp_pb2.Timestamp
    def __init__(self, pedido_id: _Optional[str] = ..., status: _Optional[_Union[StatusPedido, str]] = ..., atualizado_em: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...
