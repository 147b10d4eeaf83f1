"""How the cart's refusals leave: every reason of the contract, with the metadata that it promises."""

import re

import pytest
from confeitaria.carrinho.v1.carrinho_pb2 import MotivoErro
from google.rpc.error_details_pb2 import ErrorInfo
from google.rpc.status_pb2 import Status

from carrinho import domain
from carrinho.servicer import ERRORS
from chassis.errors import refusal

CASES = [
    (domain.CarrinhoNaoEncontrado("abc"), {"sessao_id": "abc"}),
    (domain.ProdutoNaoEncontrado(3), {"produto_id": "3"}),
    (domain.ProdutoInativo(3), {"produto_id": "3"}),
    (domain.EstoqueInsuficiente(3, 12, 5), {"produto_id": "3", "solicitado": "12", "disponivel": "5"}),
    (domain.ItemNaoEncontrado(3), {"produto_id": "3"}),
    (domain.CarrinhoCheio("unidades"), {"limite": "unidades"}),
    (domain.CarrinhoCheio("produtos"), {"limite": "produtos"}),
    (domain.CarrinhoCheio("total"), {"limite": "total"}),
    (domain.VersaoDesatualizada(1, 2), {"versao_enviada": "1", "versao_atual": "2"}),
    (domain.ChaveReutilizada("k"), {"chave": "k"}),
    (domain.CatalogoIndisponivel(), {}),
    (domain.CarrinhoIndisponivel("connection refused by 10.0.0.1"), {}),
]


def told(exc: Exception) -> tuple[Status, ErrorInfo]:
    answer = refusal(exc, ERRORS, "carrinho.confeitaria")
    assert answer is not None
    status, info = Status.FromString(answer.trailers[0][1]), ErrorInfo()
    assert status.details[0].Unpack(info)
    return status, info


@pytest.mark.parametrize(("exc", "metadata"), CASES, ids=lambda each: type(each).__name__)
def test_a_refusal_carries_the_reason_and_metadata_of_the_contract(exc: Exception, metadata: dict[str, str]) -> None:
    status, info = told(exc)
    reason = re.sub(r"(?<!^)(?=[A-Z])", "_", type(exc).__name__).upper()
    assert info.reason == (reason if reason in MotivoErro.keys() else "SERVICO_INDISPONIVEL")  # noqa: SIM118  no dict
    assert (info.domain, dict(info.metadata)) == ("carrinho.confeitaria", metadata)
    assert status.message.endswith(".")
    assert "10.0.0.1" not in status.message


def test_no_reason_of_the_contract_is_forgotten() -> None:
    mapped = {told(exc)[1].reason for exc, _ in CASES}
    assert set(MotivoErro.keys()) - {"MOTIVO_ERRO_UNSPECIFIED"} <= mapped
    assert set(ERRORS) == {type(exc) for exc, _ in CASES}
