import datetime

from buf.validate import validate_pb2 as _validate_pb2
from google.api import annotations_pb2 as _annotations_pb2
from google.api import field_behavior_pb2 as _field_behavior_pb2
from google.protobuf import empty_pb2 as _empty_pb2
from google.protobuf import field_mask_pb2 as _field_mask_pb2
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
    PRODUTO_NAO_ENCONTRADO: _ClassVar[MotivoErro]
    CATEGORIA_NAO_ENCONTRADA: _ClassVar[MotivoErro]
    CATEGORIA_DUPLICADA: _ClassVar[MotivoErro]
    ESTOQUE_INSUFICIENTE: _ClassVar[MotivoErro]
    ESTOQUE_EXCEDE_LIMITE: _ClassVar[MotivoErro]
    PRODUTO_INATIVO: _ClassVar[MotivoErro]
    VERSAO_DESATUALIZADA: _ClassVar[MotivoErro]
    CHAVE_REUTILIZADA: _ClassVar[MotivoErro]
    RESERVA_NAO_ENCONTRADA: _ClassVar[MotivoErro]
    RESERVA_EXPIRADA: _ClassVar[MotivoErro]
    RESERVA_LIBERADA: _ClassVar[MotivoErro]
    LEITURA_ATRASADA: _ClassVar[MotivoErro]

class Ordenacao(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ORDENACAO_UNSPECIFIED: _ClassVar[Ordenacao]
    NOME: _ClassVar[Ordenacao]
    PRECO_CRESCENTE: _ClassVar[Ordenacao]
    PRECO_DECRESCENTE: _ClassVar[Ordenacao]
    MAIS_NOVOS: _ClassVar[Ordenacao]

class OperacaoEstoque(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    OPERACAO_ESTOQUE_UNSPECIFIED: _ClassVar[OperacaoEstoque]
    ADICIONAR: _ClassVar[OperacaoEstoque]
    REMOVER: _ClassVar[OperacaoEstoque]
    DEFINIR: _ClassVar[OperacaoEstoque]

class StatusReserva(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    STATUS_RESERVA_UNSPECIFIED: _ClassVar[StatusReserva]
    ATIVA: _ClassVar[StatusReserva]
    CONFIRMADA: _ClassVar[StatusReserva]
    LIBERADA: _ClassVar[StatusReserva]
    EXPIRADA: _ClassVar[StatusReserva]
MOTIVO_ERRO_UNSPECIFIED: MotivoErro
PRODUTO_NAO_ENCONTRADO: MotivoErro
CATEGORIA_NAO_ENCONTRADA: MotivoErro
CATEGORIA_DUPLICADA: MotivoErro
ESTOQUE_INSUFICIENTE: MotivoErro
ESTOQUE_EXCEDE_LIMITE: MotivoErro
PRODUTO_INATIVO: MotivoErro
VERSAO_DESATUALIZADA: MotivoErro
CHAVE_REUTILIZADA: MotivoErro
RESERVA_NAO_ENCONTRADA: MotivoErro
RESERVA_EXPIRADA: MotivoErro
RESERVA_LIBERADA: MotivoErro
LEITURA_ATRASADA: MotivoErro
ORDENACAO_UNSPECIFIED: Ordenacao
NOME: Ordenacao
PRECO_CRESCENTE: Ordenacao
PRECO_DECRESCENTE: Ordenacao
MAIS_NOVOS: Ordenacao
OPERACAO_ESTOQUE_UNSPECIFIED: OperacaoEstoque
ADICIONAR: OperacaoEstoque
REMOVER: OperacaoEstoque
DEFINIR: OperacaoEstoque
STATUS_RESERVA_UNSPECIFIED: StatusReserva
ATIVA: StatusReserva
CONFIRMADA: StatusReserva
LIBERADA: StatusReserva
EXPIRADA: StatusReserva

class Produto(_message.Message):
    __slots__ = ("produto_id", "nome", "descricao", "preco_centavos", "categoria_id", "categoria", "estoque", "imagem_url", "ativo", "versao")
    PRODUTO_ID_FIELD_NUMBER: _ClassVar[int]
    NOME_FIELD_NUMBER: _ClassVar[int]
    DESCRICAO_FIELD_NUMBER: _ClassVar[int]
    PRECO_CENTAVOS_FIELD_NUMBER: _ClassVar[int]
    CATEGORIA_ID_FIELD_NUMBER: _ClassVar[int]
    CATEGORIA_FIELD_NUMBER: _ClassVar[int]
    ESTOQUE_FIELD_NUMBER: _ClassVar[int]
    IMAGEM_URL_FIELD_NUMBER: _ClassVar[int]
    ATIVO_FIELD_NUMBER: _ClassVar[int]
    VERSAO_FIELD_NUMBER: _ClassVar[int]
    produto_id: int
    nome: str
    descricao: str
    preco_centavos: int
    categoria_id: int
    categoria: str
    estoque: int
    imagem_url: str
    ativo: bool
    versao: int
    def __init__(self, produto_id: _Optional[int] = ..., nome: _Optional[str] = ..., descricao: _Optional[str] = ..., preco_centavos: _Optional[int] = ..., categoria_id: _Optional[int] = ..., categoria: _Optional[str] = ..., estoque: _Optional[int] = ..., imagem_url: _Optional[str] = ..., ativo: _Optional[bool] = ..., versao: _Optional[int] = ...) -> None: ...

class Categoria(_message.Message):
    __slots__ = ("categoria_id", "nome", "descricao")
    CATEGORIA_ID_FIELD_NUMBER: _ClassVar[int]
    NOME_FIELD_NUMBER: _ClassVar[int]
    DESCRICAO_FIELD_NUMBER: _ClassVar[int]
    categoria_id: int
    nome: str
    descricao: str
    def __init__(self, categoria_id: _Optional[int] = ..., nome: _Optional[str] = ..., descricao: _Optional[str] = ...) -> None: ...

class ListarProdutosRequest(_message.Message):
    __slots__ = ("categoria", "busca", "preco_minimo_centavos", "preco_maximo_centavos", "apenas_disponiveis", "ordenar_por", "page_size", "page_token", "incluir_inativos")
    CATEGORIA_FIELD_NUMBER: _ClassVar[int]
    BUSCA_FIELD_NUMBER: _ClassVar[int]
    PRECO_MINIMO_CENTAVOS_FIELD_NUMBER: _ClassVar[int]
    PRECO_MAXIMO_CENTAVOS_FIELD_NUMBER: _ClassVar[int]
    APENAS_DISPONIVEIS_FIELD_NUMBER: _ClassVar[int]
    ORDENAR_POR_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    INCLUIR_INATIVOS_FIELD_NUMBER: _ClassVar[int]
    categoria: str
    busca: str
    preco_minimo_centavos: int
    preco_maximo_centavos: int
    apenas_disponiveis: bool
    ordenar_por: Ordenacao
    page_size: int
    page_token: str
    incluir_inativos: bool
    def __init__(self, categoria: _Optional[str] = ..., busca: _Optional[str] = ..., preco_minimo_centavos: _Optional[int] = ..., preco_maximo_centavos: _Optional[int] = ..., apenas_disponiveis: _Optional[bool] = ..., ordenar_por: _Optional[_Union[Ordenacao, str]] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., incluir_inativos: _Optional[bool] = ...) -> None: ...

class ListarProdutosResponse(_message.Message):
    __slots__ = ("produtos", "next_page_token")
    PRODUTOS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    produtos: _containers.RepeatedCompositeFieldContainer[Produto]
    next_page_token: str
    def __init__(self, produtos: _Optional[_Iterable[_Union[Produto, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class ObterProdutoRequest(_message.Message):
    __slots__ = ("produto_id",)
    PRODUTO_ID_FIELD_NUMBER: _ClassVar[int]
    produto_id: int
    def __init__(self, produto_id: _Optional[int] = ...) -> None: ...

class CriarProdutoRequest(_message.Message):
    __slots__ = ("produto", "request_id")
    PRODUTO_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    produto: Produto
    request_id: str
    def __init__(self, produto: _Optional[_Union[Produto, _Mapping]] = ..., request_id: _Optional[str] = ...) -> None: ...

class AtualizarProdutoRequest(_message.Message):
    __slots__ = ("produto", "update_mask")
    PRODUTO_FIELD_NUMBER: _ClassVar[int]
    UPDATE_MASK_FIELD_NUMBER: _ClassVar[int]
    produto: Produto
    update_mask: _field_mask_pb2.FieldMask
    def __init__(self, produto: _Optional[_Union[Produto, _Mapping]] = ..., update_mask: _Optional[_Union[_field_mask_pb2.FieldMask, _Mapping]] = ...) -> None: ...

class ExcluirProdutoRequest(_message.Message):
    __slots__ = ("produto_id",)
    PRODUTO_ID_FIELD_NUMBER: _ClassVar[int]
    produto_id: int
    def __init__(self, produto_id: _Optional[int] = ...) -> None: ...

class ListarCategoriasRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListarCategoriasResponse(_message.Message):
    __slots__ = ("categorias",)
    CATEGORIAS_FIELD_NUMBER: _ClassVar[int]
    categorias: _containers.RepeatedCompositeFieldContainer[Categoria]
    def __init__(self, categorias: _Optional[_Iterable[_Union[Categoria, _Mapping]]] = ...) -> None: ...

class CriarCategoriaRequest(_message.Message):
    __slots__ = ("categoria",)
    CATEGORIA_FIELD_NUMBER: _ClassVar[int]
    categoria: Categoria
    def __init__(self, categoria: _Optional[_Union[Categoria, _Mapping]] = ...) -> None: ...

class VerificarEstoqueRequest(_message.Message):
    __slots__ = ("produto_id", "quantidade")
    PRODUTO_ID_FIELD_NUMBER: _ClassVar[int]
    QUANTIDADE_FIELD_NUMBER: _ClassVar[int]
    produto_id: int
    quantidade: int
    def __init__(self, produto_id: _Optional[int] = ..., quantidade: _Optional[int] = ...) -> None: ...

class VerificarEstoqueResponse(_message.Message):
    __slots__ = ("disponivel", "estoque")
    DISPONIVEL_FIELD_NUMBER: _ClassVar[int]
    ESTOQUE_FIELD_NUMBER: _ClassVar[int]
    disponivel: bool
    estoque: int
    def __init__(self, disponivel: _Optional[bool] = ..., estoque: _Optional[int] = ...) -> None: ...

class AtualizarEstoqueRequest(_message.Message):
    __slots__ = ("produto_id", "operacao", "quantidade", "request_id")
    PRODUTO_ID_FIELD_NUMBER: _ClassVar[int]
    OPERACAO_FIELD_NUMBER: _ClassVar[int]
    QUANTIDADE_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    produto_id: int
    operacao: OperacaoEstoque
    quantidade: int
    request_id: str
    def __init__(self, produto_id: _Optional[int] = ..., operacao: _Optional[_Union[OperacaoEstoque, str]] = ..., quantidade: _Optional[int] = ..., request_id: _Optional[str] = ...) -> None: ...

class Reserva(_message.Message):
    __slots__ = ("reserva_id", "status", "itens", "expira_em")
    RESERVA_ID_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    ITENS_FIELD_NUMBER: _ClassVar[int]
    EXPIRA_EM_FIELD_NUMBER: _ClassVar[int]
    reserva_id: str
    status: StatusReserva
    itens: _containers.RepeatedCompositeFieldContainer[ItemReserva]
    expira_em: _timestamp_pb2.Timestamp
    def __init__(self, reserva_id: _Optional[str] = ..., status: _Optional[_Union[StatusReserva, str]] = ..., itens: _Optional[_Iterable[_Union[ItemReserva, _Mapping]]] = ..., expira_em: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class ItemReserva(_message.Message):
    __slots__ = ("produto_id", "nome", "preco_centavos", "quantidade")
    PRODUTO_ID_FIELD_NUMBER: _ClassVar[int]
    NOME_FIELD_NUMBER: _ClassVar[int]
    PRECO_CENTAVOS_FIELD_NUMBER: _ClassVar[int]
    QUANTIDADE_FIELD_NUMBER: _ClassVar[int]
    produto_id: int
    nome: str
    preco_centavos: int
    quantidade: int
    def __init__(self, produto_id: _Optional[int] = ..., nome: _Optional[str] = ..., preco_centavos: _Optional[int] = ..., quantidade: _Optional[int] = ...) -> None: ...

class ItemReservar(_message.Message):
    __slots__ = ("produto_id", "quantidade")
    PRODUTO_ID_FIELD_NUMBER: _ClassVar[int]
    QUANTIDADE_FIELD_NUMBER: _ClassVar[int]
    produto_id: int
    quantidade: int
    def __init__(self, produto_id: _Optional[int] = ..., quantidade: _Optional[int] = ...) -> None: ...

class ReservarEstoqueRequest(_message.Message):
    __slots__ = ("reserva_id", "itens", "validade_segundos")
    RESERVA_ID_FIELD_NUMBER: _ClassVar[int]
    ITENS_FIELD_NUMBER: _ClassVar[int]
    VALIDADE_SEGUNDOS_FIELD_NUMBER: _ClassVar[int]
    reserva_id: str
    itens: _containers.RepeatedCompositeFieldContainer[ItemReservar]
    validade_segundos: int
    def __init__(self, reserva_id: _Optional[str] = ..., itens: _Optional[_Iterable[_Union[ItemReservar, _Mapping]]] = ..., validade_segundos: _Optional[int] = ...) -> None: ...

class ReservarEstoqueResponse(_message.Message):
    __slots__ = ("reserva",)
    RESERVA_FIELD_NUMBER: _ClassVar[int]
    reserva: Reserva
    def __init__(self, reserva: _Optional[_Union[Reserva, _Mapping]] = ...) -> None: ...

class ConfirmarReservaRequest(_message.Message):
    __slots__ = ("reserva_id",)
    RESERVA_ID_FIELD_NUMBER: _ClassVar[int]
    reserva_id: str
    def __init__(self, reserva_id: _Optional[str] = ...) -> None: ...

class ConfirmarReservaResponse(_message.Message):
    __slots__ = ("reserva",)
    RESERVA_FIELD_NUMBER: _ClassVar[int]
    reserva: Reserva
    def __init__(self, reserva: _Optional[_Union[Reserva, _Mapping]] = ...) -> None: ...

class LiberarReservaRequest(_message.Message):
    __slots__ = ("reserva_id",)
    RESERVA_ID_FIELD_NUMBER: _ClassVar[int]
    reserva_id: str
    def __init__(self, reserva_id: _Optional[str] = ...) -> None: ...

class LiberarReservaResponse(_message.Message):
    __slots__ = ("reserva",)
    RESERVA_FIELD_NUMBER: _ClassVar[int]
    reserva: Reserva
    def __init__(self, reserva: _Optional[_Union[Reserva, _Mapping]] = ...) -> None: ...

class ObterReservaRequest(_message.Message):
    __slots__ = ("reserva_id",)
    RESERVA_ID_FIELD_NUMBER: _ClassVar[int]
    reserva_id: str
    def __init__(self, reserva_id: _Optional[str] = ...) -> None: ...
