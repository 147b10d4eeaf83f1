"""Every public call gives over REST what it gives over gRPC: the same answer, or the same error."""

from __future__ import annotations

import re
from typing import Any

import grpc
import httpx
import pytest
from google.protobuf.descriptor_pb2 import MethodOptions
from google.protobuf.message import Message

from tests.contract import contract
from tests.contract.cases import CASES, SHOWN_ELSEWHERE, Case
from tests.contract.contract import Answer, Route
from tests.contract.shop import Shop

# What differs between two runs of one story; everything else must be equal.
VOLATILE = {"produto_id", "categoria_id", "sessao_id", "pedido_id", "nome", "criado_em", "atualizado_em", "expira_em"}
VOLATILE_METADATA = {"chave"}
UNIQUE = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}|[\w-]{22}|\b[0-9a-fA-F]{8}\b|\d+")


def masked(value: Any) -> Any:
    """The value with ids, names and times replaced, and numbers in an error's message too."""
    if isinstance(value, list):
        return [masked(item) for item in value]
    if not isinstance(value, dict):
        return value
    hidden = VOLATILE | VOLATILE_METADATA
    kept = {key: "*" if key in hidden else masked(item) for key, item in value.items()}
    if "reason" in value:
        kept["message"] = UNIQUE.sub("#", value["message"])
    return kept


def both(case: Case, shop: Shop, channel: grpc.Channel, rest: httpx.Client) -> tuple[Answer, Answer, bool]:
    """The call over gRPC and over REST, and whether both made the very same request.

    A call that changes something gets a request of its own for each, so that the second finds what the first found.
    """
    route = contract.routes()[case.rpc]
    request = case.build(shop)
    over_grpc = contract.call_grpc(channel, route, request)
    repeatable = route.method.GetOptions().idempotency_level == MethodOptions.NO_SIDE_EFFECTS
    other: Message = request if repeatable else case.build(shop)
    return over_grpc, contract.call_rest(rest, route, other), repeatable


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.rpc.split('.')[1]}: {case.label}")
def test_same_answer_over_rest_and_grpc(case: Case, shop: Shop, channel: grpc.Channel, rest: httpx.Client) -> None:
    over_grpc, over_rest, repeatable = both(case, shop, channel, rest)
    assert over_grpc.reason == case.expected, over_grpc
    assert over_grpc.ok is not bool(case.expected)
    if repeatable:
        assert over_rest == over_grpc
    else:
        assert over_rest.code == over_grpc.code
        assert masked(over_rest.value) == masked(over_grpc.value)


@pytest.mark.parametrize("name", list(contract.routes()))
def test_every_route_has_a_case_that_succeeds(name: str) -> None:
    assert any(case.rpc == name and not case.expected for case in CASES), f"add a case for {name} to cases.py"


def test_every_reason_of_the_contract_is_brought_about() -> None:
    shown = {case.expected for case in CASES} | set(SHOWN_ELSEWHERE)
    promised = {
        reason
        for package in contract.PACKAGES
        for reason in package.DESCRIPTOR.enum_types_by_name["MotivoErro"].values_by_name
        if reason != "MOTIVO_ERRO_UNSPECIFIED"
    }
    assert promised <= shown, f"no case brings about {sorted(promised - shown)}"


def test_every_rpc_without_a_route_is_internal(channel: grpc.Channel) -> None:
    public = {route.grpc_path for route in contract.routes().values()}
    internal = [
        Route(method, "", "", "")
        for service in contract.SERVICES
        for method in service.methods
        if f"/{service.full_name}/{method.name}" not in public
    ]
    assert internal
    for route in internal:
        answer = contract.call_grpc(channel, route, b"")
        assert (answer.code, answer.reason) == ("PERMISSION_DENIED", "ACESSO_NEGADO"), route.name
