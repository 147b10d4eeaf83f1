"""From exceptions to google.rpc.Status."""

import grpc
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, RetryInfo
from google.rpc.status_pb2 import Status
from hypothesis import given
from hypothesis import strategies as st

from chassis.errors import (
    DeadlineExceeded,
    ErrorTable,
    Exhausted,
    InvalidRequest,
    Mapped,
    Refusal,
    Unavailable,
    internal,
    refusal,
)


class Missing(Exception):  # noqa: N818
    def __init__(self, key: object) -> None:
        super().__init__(f"Não há {key}.")
        self.key = key


class ReallyMissing(Missing):
    pass


TABLE: ErrorTable = {Missing: Mapped(grpc.StatusCode.NOT_FOUND, "FALTA", ("key",))}
DOMAIN = "loja.teste"


def details(answer: Refusal | None) -> tuple[Status, ErrorInfo, BadRequest, RetryInfo]:
    assert answer is not None
    [(key, raw)] = answer.trailers
    assert key == "grpc-status-details-bin"
    status = Status.FromString(raw)
    info, bad, retry = ErrorInfo(), BadRequest(), RetryInfo()
    for detail in status.details:
        assert detail.Unpack(info) or detail.Unpack(bad) or detail.Unpack(retry)
    assert status.message == answer.message
    assert status.code == answer.code.value[0]
    return status, info, bad, retry


def test_a_mapped_exception_keeps_its_text_and_gives_its_attributes() -> None:
    answer = refusal(Missing(7), TABLE, DOMAIN)
    _, info, _, _ = details(answer)
    assert answer is not None
    assert (answer.code, answer.message) == (grpc.StatusCode.NOT_FOUND, "Não há 7.")
    assert (info.reason, info.domain, dict(info.metadata)) == ("FALTA", DOMAIN, {"key": "7"})


def test_the_table_is_looked_up_along_the_bases() -> None:
    _, info, _, _ = details(refusal(ReallyMissing("x"), TABLE, DOMAIN))
    assert info.reason == "FALTA"


def test_the_nearest_base_wins() -> None:
    table = {**TABLE, ReallyMissing: Mapped(grpc.StatusCode.DATA_LOSS, "PERDIDO")}
    _, info, _, _ = details(refusal(ReallyMissing("x"), table, DOMAIN))
    assert info.reason == "PERDIDO"


def test_what_nobody_mapped_is_nothing_and_the_internal_answer_is_fixed() -> None:
    assert refusal(ValueError("segredo"), TABLE, DOMAIN) is None
    status, info, _, _ = details(internal(DOMAIN))
    assert (info.reason, status.message) == ("ERRO_INTERNO", "Erro interno. Tente novamente mais tarde.")


def test_the_text_of_a_timeout_is_ours() -> None:
    for exc in (TimeoutError("segredo"), DeadlineExceeded()):
        status, info, _, _ = details(refusal(exc, TABLE, DOMAIN))
        assert (info.reason, status.message) == ("PRAZO_ESGOTADO", "O prazo da requisição se esgotou.")


def test_a_service_may_map_what_is_built_in() -> None:
    table: ErrorTable = {TimeoutError: Mapped(grpc.StatusCode.ABORTED, "DEMOROU")}
    _, info, _, _ = details(refusal(TimeoutError("meu texto"), table, DOMAIN))
    assert info.reason == "DEMOROU"


def test_invalid_fields_are_listed_and_the_first_is_in_the_message() -> None:
    exc = InvalidRequest(("nome", "é obrigatório"), ("preco", "deve ser maior que 0"))
    status, info, bad, _ = details(refusal(exc, TABLE, DOMAIN))
    assert info.reason == "REQUISICAO_INVALIDA"
    assert status.message == "Requisição inválida: nome: é obrigatório (e mais 1)."
    assert [(each.field, each.description) for each in bad.field_violations] == list(exc.violations)


def test_a_pause_is_told_only_when_it_is_known() -> None:
    for kind, reason in ((Unavailable, "SERVICO_INDISPONIVEL"), (Exhausted, "LIMITE_EXCEDIDO")):
        status, info, _, retry = details(refusal(kind("Volte.", 0.25), TABLE, DOMAIN))
        assert (info.reason, retry.retry_delay.ToMilliseconds(), len(status.details)) == (reason, 250, 2)
        status, _, _, _ = details(refusal(kind("Volte."), TABLE, DOMAIN))
        assert len(status.details) == 1


@given(st.lists(st.tuples(st.text(), st.text()), max_size=30), st.text(min_size=1), st.integers(0, 2000))
def test_any_text_makes_a_status_that_fits(violations: list[tuple[str, str]], text: str, times: int) -> None:
    for exc in (InvalidRequest(*violations, (text * times, text * times)), Missing(text * times)):
        answer = refusal(exc, TABLE, DOMAIN)
        details(answer)
        assert answer is not None
        percent_encoded = 3 * len(answer.message.encode())
        base64 = len(answer.trailers[0][1]) * 4 // 3
        assert percent_encoded + base64 < 7_000  # of 8 KiB
