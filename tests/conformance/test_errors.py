"""Refusals: google.rpc.Status with ErrorInfo, in Portuguese, small, without initial metadata, and nothing else."""

from typing import Any

import grpc
import pytest
from google.protobuf.message import Message

from tests.conformance import contract
from tests.conformance.running import CALL_SECONDS, Running, answer

Code = grpc.StatusCode
Echo = contract.message("EchoRequest")
Fail = contract.message("FailRequest")
Item = contract.message("Item")


@pytest.mark.parametrize("how", ["mapped", "by_base"])
async def test_a_mapped_exception_carries_its_reason_its_domain_and_its_figures(eco: Any, how: str) -> None:
    told = await eco.refused("Fail", Fail(how=how))
    assert told.code is Code.FAILED_PRECONDITION
    assert told.message == told.status.message == "Há só 2 — você pediu 3."
    assert (told.info.reason, told.info.domain) == ("SEM_ESTOQUE", "eco.teste")
    assert dict(told.info.metadata) == {"wanted": "3", "available": "2"}
    assert told.initial_metadata == ()  # Trailers-Only: else Envoy could not retry it


@pytest.mark.parametrize("how", ["unmapped", "cancelled", "exit", "stop", "nothing"])
async def test_nothing_of_an_unmapped_exception_leaves_the_process(eco: Any, shared: Running, how: str) -> None:
    metadata = (("x-request-id", f"falha-{how}"),)
    told = await eco.refused("Fail", Fail(how=how), metadata=metadata)
    assert (told.code, told.info.reason) == (Code.INTERNAL, "ERRO_INTERNO")
    assert "segredo" not in str(told.status)
    assert told.message == "Erro interno. Tente novamente mais tarde."
    [record] = [each for each in shared.events("unexpected error") if each.get("request_id") == f"falha-{how}"]
    assert record["method"] == f"{contract.SERVICE}.Fail"
    assert "Traceback" in record["exception"]


async def test_a_timeout_inside_the_handler_is_a_deadline(eco: Any) -> None:
    told = await eco.refused("Fail", Fail(how="timeout"))
    assert (told.code, told.info.reason) == (Code.DEADLINE_EXCEEDED, "PRAZO_ESGOTADO")
    assert "segredo" not in told.message


async def test_unavailable_says_when_to_come_back(eco: Any) -> None:
    told = await eco.refused("Fail", Fail(how="unavailable"))
    assert (told.code, told.info.reason) == (Code.UNAVAILABLE, "SERVICO_INDISPONIVEL")
    assert told.retry.retry_delay.ToMilliseconds() == 1500


async def test_exhausted(eco: Any) -> None:
    told = await eco.refused("Fail", Fail(how="exhausted"))
    assert (told.code, told.info.reason) == (Code.RESOURCE_EXHAUSTED, "LIMITE_EXCEDIDO")


async def test_an_abort_of_the_handler_itself_stands(eco: Any) -> None:
    told = await eco.refused("Fail", Fail(how="abort"))
    assert (told.code, told.message) == (Code.DATA_LOSS, "de propósito")


@pytest.mark.parametrize("how", ["many", "long", "surrogate"])
async def test_an_error_always_fits_into_the_trailers(eco: Any, how: str) -> None:
    told = await eco.refused("Fail", Fail(how=how))
    assert told.info.domain == "eco.teste"
    assert told.status.ByteSize() < 6 * 1024


async def test_invalid_fields_are_named_by_the_handler(eco: Any) -> None:
    told = await eco.refused("Fail", Fail(how="invalid"))
    assert (told.code, told.info.reason) == (Code.INVALID_ARGUMENT, "REQUISICAO_INVALIDA")
    assert [(each.field, each.description) for each in told.bad.field_violations] == [
        ("a.b", "não serve"),
        ("c", "também não"),
    ]


@pytest.mark.parametrize(
    ("request_", "field", "description"),
    [
        (Echo(text="x" * 2001), "text", "deve ter no máximo 2000 caracteres"),
        (Echo(number=-1), "number", "deve ficar entre 0 e 100"),
        (Echo(number=101), "number", "deve ficar entre 0 e 100"),
        (Echo(items=[Item(name="a"), Item()]), "items[1].name", "é obrigatório"),
        (Echo(items=[Item(name="a")] * 51), "items", "deve ter no máximo 50 itens"),
    ],
)
@pytest.mark.parametrize("method", ["Awaited", "Plain"])
async def test_a_broken_rule_is_told_in_portuguese(
    eco: Any, method: str, request_: Message, field: str, description: str
) -> None:
    for _ in range(2):  # the second time too
        told = await eco.refused(method, request_)
        assert (told.code, told.info.reason) == (Code.INVALID_ARGUMENT, "REQUISICAO_INVALIDA")
        [violation] = told.bad.field_violations
        assert (violation.field, violation.description) == (field, description)
        assert told.message == f"Requisição inválida: {field}: {description}."


async def test_a_valid_request_is_valid_again(eco: Any) -> None:
    for number in (100, 100, 0, 100):
        assert (await eco.Awaited(Echo(number=number), timeout=CALL_SECONDS)).number == number


@pytest.mark.parametrize(
    "raw",
    [
        b"\x0a\x05abc",
        b"\xff\xff\xff",
        b"\x0a\x02\xc3\x28",
        b"\x0a\x03\xed\xa0\x80",
        b"\x00",
        b"\x0a\xff\xff\xff\xff\x0f",
    ],
    ids=["cut", "noise", "broken-utf8", "surrogate", "field-0", "length"],
)
@pytest.mark.parametrize("method", ["Awaited", "Plain", "Ready", "Follow"])
async def test_bytes_that_are_no_message_are_an_invalid_argument(shared: Running, method: str, raw: bytes) -> None:
    if method == "Follow" and raw.startswith(b"\x0a"):
        raw = b"\xff"  # its first field is a number
    async with shared.channel() as channel:
        make = channel.unary_stream if method == "Follow" else channel.unary_unary
        call: Any = make(f"/{contract.SERVICE}/{method}")(raw, timeout=CALL_SECONDS)
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await (call.read() if method == "Follow" else call)
    told = answer(refused.value)
    assert (told.code, told.info.reason) == (Code.INVALID_ARGUMENT, "REQUISICAO_INVALIDA")
    assert told.message == "Requisição inválida: a mensagem não pôde ser lida."
