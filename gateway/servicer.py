"""GatewayService over gRPC: everything it answers is ready before anybody asks."""

from collections.abc import Mapping
from typing import Any

import grpc
from confeitaria.gateway.v1.gateway_pb2 import (
    EstadoSaude,
    ObterArquivoDocumentacaoRequest,
    ObterDocumentacaoRequest,
    ObterOpenApiRequest,
    SaudeServico,
    VerificarSaudeRequest,
    VerificarSaudeResponse,
)

from chassis.errors import ErrorTable, Mapped
from gateway.domain import ArquivoNaoEncontrado, Estado, Situacao, aberta
from gateway.pages import Page
from gateway.use_cases import Painel

ERRORS: ErrorTable = {
    ArquivoNaoEncontrado: Mapped(grpc.StatusCode.NOT_FOUND, "ARQUIVO_NAO_ENCONTRADO", ("arquivo",)),
}
ESTADOS = {
    Estado.AINDA_NAO: EstadoSaude.ESTADO_SAUDE_UNSPECIFIED,
    Estado.SERVING: EstadoSaude.SERVING,
    Estado.NOT_SERVING: EstadoSaude.NOT_SERVING,
}
# Envoy makes it the HTTP status of the REST answer (envoy/listeners.j2); a gRPC client reads `status` instead.
HTTP_503 = (("x-http-status", "503"), ("cache-control", "no-store"))
HTTP_200 = (("cache-control", "no-store"),)


class GatewayServicer:
    """`pages` by name; "" is the page itself."""

    def __init__(self, painel: Painel, openapi: Page, pages: Mapping[str, Page]) -> None:
        self._painel = painel
        self._openapi = openapi
        self._pages = pages
        self._situacoes: tuple[Situacao, ...] = ()
        self._saude = b""

    async def VerificarSaude(self, _request: VerificarSaudeRequest, context: Any) -> bytes:  # noqa: ANN401  grpc's
        if self._situacoes is not self._painel.situacoes:
            self._situacoes = self._painel.situacoes
            self._saude = saude(self._situacoes)
        answer = self._saude
        await context.send_initial_metadata(HTTP_200 if aberta(self._situacoes) else HTTP_503)
        return answer

    async def ObterOpenApi(self, _request: ObterOpenApiRequest, context: Any) -> bytes:  # noqa: ANN401
        return await self._openapi.send(context)

    async def ObterDocumentacao(self, _request: ObterDocumentacaoRequest, context: Any) -> bytes:  # noqa: ANN401
        return await self._pages[""].send(context)

    async def ObterArquivoDocumentacao(
        self,
        request: ObterArquivoDocumentacaoRequest,
        context: Any,  # noqa: ANN401
    ) -> bytes:
        page = self._pages.get(request.arquivo)
        if page is None:
            raise ArquivoNaoEncontrado(request.arquivo)
        return await page.send(context)


def saude(situacoes: tuple[Situacao, ...]) -> bytes:
    """A VerificarSaudeResponse, serialised."""
    answer = VerificarSaudeResponse(
        status=EstadoSaude.SERVING if aberta(situacoes) else EstadoSaude.NOT_SERVING,
        servicos=[
            SaudeServico(nome=each.nome, status=ESTADOS[each.estado], detalhe=each.detalhe) for each in situacoes
        ],
    )
    return answer.SerializeToString()
