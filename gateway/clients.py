"""The neighbours' health over gRPC, asked through the mesh: from an instance that Envoy would choose for a call."""

from typing import Any

import grpc
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse

from chassis.client import remote_error

PACIENCIA = 1.0  # seconds for one answer: a busy neighbour is not a dead one
CHECK = "/grpc.health.v1.Health/Check"
TARGET = "x-health-target"  # the cluster that Envoy's mesh listener sends the question to

SEM_INSTANCIA = "nenhuma instância está pronta"
SEM_MALHA = "a malha (Envoy) não pode ser alcançada"
SEM_RESPOSTA = f"sem resposta em {PACIENCIA:.0f} s"
NAO_ATENDE = "diz que não pode atender agora"


class VizinhosGrpc:
    """`mesh` leads to Envoy's mesh listener."""

    def __init__(self, mesh: grpc.aio.Channel) -> None:
        self._check: Any = mesh.unary_unary(
            CHECK,
            request_serializer=HealthCheckRequest.SerializeToString,
            response_deserializer=HealthCheckResponse.FromString,
        )

    async def perguntar(self, nome: str) -> str | None:
        """See Vizinhos."""
        metadata = ((TARGET, nome.replace(".", "_")),)
        try:
            answer = await self._check(HealthCheckRequest(service=nome), metadata=metadata, timeout=PACIENCIA)
        except grpc.aio.AioRpcError as exc:
            return _detalhe(exc)
        return None if answer.status == HealthCheckResponse.SERVING else NAO_ATENDE


def _detalhe(exc: grpc.aio.AioRpcError) -> str:
    if exc.code() is grpc.StatusCode.DEADLINE_EXCEEDED:
        return SEM_RESPOSTA
    if exc.code() is grpc.StatusCode.UNAVAILABLE:  # with a reason it is Envoy's word, without one Envoy is not there
        return SEM_INSTANCIA if remote_error(exc).reason else SEM_MALHA
    return f"responde com o erro {exc.code().name}"
