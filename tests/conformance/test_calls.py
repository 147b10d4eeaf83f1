"""Answers: of each kind of method, with what metadata, and by what name they are asked for."""

from typing import Any

import grpc
import pytest

from tests.conformance import contract
from tests.conformance.running import CALL_SECONDS, Running, Stub, answer

Echo = contract.message("EchoRequest")


@pytest.mark.parametrize("method", ["Awaited", "Plain"])
async def test_a_method_answers_with_a_message(eco: Any, method: str) -> None:
    found = await getattr(eco, method)(Echo(text="pão de queijo"), timeout=CALL_SECONDS)
    assert found.text == "pão de queijo"


async def test_ready_bytes_go_out_untouched(shared: Running) -> None:
    async with shared.channel() as channel:
        raw = await channel.unary_unary(f"/{contract.SERVICE}/Ready")(b"", timeout=CALL_SECONDS)
    assert contract.message("EchoResponse").FromString(raw).text == "pronto"
    assert raw == contract.message("EchoResponse")(text="pronto", number=7).SerializeToString()


async def test_the_request_id_of_the_caller_is_the_one_of_the_call(eco: Any) -> None:
    metadata = (("x-request-id", "0a1b-c"), ("x-outro", "valor"))
    found = await eco.Awaited(Echo(), metadata=metadata, timeout=CALL_SECONDS)
    assert found.request_id == "0a1b-c"
    assert "x-outro=valor" in found.metadata


@pytest.mark.parametrize("bad", ["", " ", "a b", "x" * 200, '{"log":"forged"}'])
async def test_a_request_id_that_could_spoil_a_log_is_replaced(eco: Any, bad: str) -> None:
    found = await eco.Awaited(Echo(), metadata=(("x-request-id", bad),), timeout=CALL_SECONDS)
    assert len(found.request_id) == 32


async def test_two_calls_without_an_id_get_two(eco: Any) -> None:
    one, two = [await eco.Plain(Echo(), timeout=CALL_SECONDS) for _ in range(2)]
    assert one.request_id != two.request_id


async def test_accents_survive_in_binary_metadata(eco: Any) -> None:
    call = eco.Awaited(Echo(text="trailers"), metadata=(("x-nome-bin", "Conceição".encode()),), timeout=CALL_SECONDS)
    found = await call
    assert f"x-nome-bin={'Conceição'.encode()!r}" in found.metadata
    assert ("x-eco-bin", "ação".encode()) in tuple(await call.trailing_metadata())


async def test_what_a_call_announces_comes_before_its_answer(eco: Any) -> None:
    call = eco.Awaited(Echo(text="announced"), timeout=CALL_SECONDS)
    assert ("x-eco", "sim") in tuple(await call.initial_metadata())
    assert (await call).text == "announced"


async def test_a_plain_method_may_find_that_it_has_to_wait(eco: Any) -> None:
    call = eco.Plain(Echo(text="later"), metadata=(("x-outro", "a"), ("x-outro", "b")), timeout=CALL_SECONDS)
    assert ("x-eco", "a,b") in tuple(await call.initial_metadata())
    assert (await call).text == "later"


async def test_what_was_announced_does_not_come_with_an_error(eco: Any) -> None:
    """Or Envoy could not try it again elsewhere: a status after the headers is no longer its business."""
    call = eco.Awaited(Echo(text="announced, then refused"), timeout=CALL_SECONDS)
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await call
    assert answer(refused.value).info.reason == "SERVICO_INDISPONIVEL"
    assert "x-eco" not in dict(await call.initial_metadata())


@pytest.mark.parametrize("path", [f"/{contract.SERVICE}/Nada", "/nada.v1.Nada/Nada", "/", "/só", "//x//y"])
async def test_an_unknown_method_is_told_so_in_portuguese(shared: Running, path: str) -> None:
    async with shared.channel() as channel:
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await channel.unary_unary(path)(b"", timeout=CALL_SECONDS)
    told = answer(refused.value)
    assert told.code is grpc.StatusCode.UNIMPLEMENTED
    assert told.info.reason == "METODO_DESCONHECIDO"
    assert told.message == "Método desconhecido."


async def test_an_unknown_stream_is_told_so_too(shared: Running) -> None:
    async with shared.channel() as channel:
        call = channel.stream_stream("/nada.v1.Nada/Fluxo")(timeout=CALL_SECONDS)
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await call.read()
    assert answer(refused.value).info.reason == "METODO_DESCONHECIDO"


async def test_successes_leave_no_line_in_the_log(shared: Running) -> None:
    before = len(shared.records())
    async with shared.channel() as channel:
        stub: Any = Stub(channel)
        for _ in range(20):
            await stub.Ready(Echo(), timeout=CALL_SECONDS)
    assert len(shared.records()) == before
