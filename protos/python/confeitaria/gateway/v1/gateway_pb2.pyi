from buf.validate import validate_pb2 as _validate_pb2
from google.api import annotations_pb2 as _annotations_pb2
from google.api import field_behavior_pb2 as _field_behavior_pb2
from google.api import httpbody_pb2 as _httpbody_pb2
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
    REQUISICAO_INVALIDA: _ClassVar[MotivoErro]
    SERVICO_INDISPONIVEL: _ClassVar[MotivoErro]
    PRAZO_ESGOTADO: _ClassVar[MotivoErro]
    LIMITE_EXCEDIDO: _ClassVar[MotivoErro]
    ERRO_INTERNO: _ClassVar[MotivoErro]
    METODO_DESCONHECIDO: _ClassVar[MotivoErro]
    ROTA_INEXISTENTE: _ClassVar[MotivoErro]
    ACESSO_NEGADO: _ClassVar[MotivoErro]
    CORPO_GRANDE_DEMAIS: _ClassVar[MotivoErro]
    ARQUIVO_NAO_ENCONTRADO: _ClassVar[MotivoErro]

class EstadoSaude(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ESTADO_SAUDE_UNSPECIFIED: _ClassVar[EstadoSaude]
    SERVING: _ClassVar[EstadoSaude]
    NOT_SERVING: _ClassVar[EstadoSaude]
MOTIVO_ERRO_UNSPECIFIED: MotivoErro
REQUISICAO_INVALIDA: MotivoErro
SERVICO_INDISPONIVEL: MotivoErro
PRAZO_ESGOTADO: MotivoErro
LIMITE_EXCEDIDO: MotivoErro
ERRO_INTERNO: MotivoErro
METODO_DESCONHECIDO: MotivoErro
ROTA_INEXISTENTE: MotivoErro
ACESSO_NEGADO: MotivoErro
CORPO_GRANDE_DEMAIS: MotivoErro
ARQUIVO_NAO_ENCONTRADO: MotivoErro
ESTADO_SAUDE_UNSPECIFIED: EstadoSaude
SERVING: EstadoSaude
NOT_SERVING: EstadoSaude

class VerificarSaudeRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class VerificarSaudeResponse(_message.Message):
    __slots__ = ("status", "servicos")
    STATUS_FIELD_NUMBER: _ClassVar[int]
    SERVICOS_FIELD_NUMBER: _ClassVar[int]
    status: EstadoSaude
    servicos: _containers.RepeatedCompositeFieldContainer[SaudeServico]
    def __init__(self, status: _Optional[_Union[EstadoSaude, str]] = ..., servicos: _Optional[_Iterable[_Union[SaudeServico, _Mapping]]] = ...) -> None: ...

class SaudeServico(_message.Message):
    __slots__ = ("nome", "status", "detalhe")
    NOME_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    DETALHE_FIELD_NUMBER: _ClassVar[int]
    nome: str
    status: EstadoSaude
    detalhe: str
    def __init__(self, nome: _Optional[str] = ..., status: _Optional[_Union[EstadoSaude, str]] = ..., detalhe: _Optional[str] = ...) -> None: ...

class ObterOpenApiRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ObterDocumentacaoRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ObterArquivoDocumentacaoRequest(_message.Message):
    __slots__ = ("arquivo",)
    ARQUIVO_FIELD_NUMBER: _ClassVar[int]
    arquivo: str
    def __init__(self, arquivo: _Optional[str] = ...) -> None: ...
