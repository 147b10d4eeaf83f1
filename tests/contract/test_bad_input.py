"""Bad input is the caller's to mend: always a 4xx with a reason and a Portuguese message, never a trace or a crash.

The inputs come from hostile.py; for each field of each request, over gRPC and over REST, at the limits and beyond.
"""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import quote

import grpc
import httpx
import pytest
from google.protobuf.descriptor import FieldDescriptor, MethodDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from tests.contract import contract
from tests.contract.cases import CASES
from tests.contract.contract import Answer, Route
from tests.contract.hostile import BROKEN, MARK, WRONG_JSON, Field, at_limit, beyond, fields, odd
from tests.contract.shop import Shop

# What a caller may be told of bad input; anything else is our failure.
CALLERS_FAULT = {
    "INVALID_ARGUMENT",
    "NOT_FOUND",
    "FAILED_PRECONDITION",
    "ALREADY_EXISTS",
    "ABORTED",
    "OUT_OF_RANGE",
    "PERMISSION_DENIED",
    "UNIMPLEMENTED",
    "RESOURCE_EXHAUSTED",
}
ENGLISH = re.compile(
    r"\b(must|invalid|field|required|unknown|error|failed|exceeds?|value|expected|not found|parse)\b", re.IGNORECASE
)
TRACE = re.compile(r"Traceback|File \"|psycopg|sqlalchemy|Error:|Exception|/site-packages/")

PUBLIC = [(route, field) for route in contract.routes().values() for field in fields(route.method.input_type)]


def is_clean(answer: Answer) -> bool:
    """Whether an answer is a success or an error as the contract promises it; fails with the reason if not."""
    if answer.ok:
        return True
    error = answer.value
    assert answer.code in CALLERS_FAULT, answer
    assert error["reason"], answer
    assert error["message"], answer
    assert not ENGLISH.search(error["message"]), answer
    assert not TRACE.search(error["message"]), answer
    return True


def assert_refused(answer: Answer, field: Field | None = None) -> None:
    assert is_clean(answer)
    assert answer.reason == "REQUISICAO_INVALIDA", answer
    if field:
        named = answer.value["fields"]
        assert any(name.split("[")[0].startswith(field.name) for name in named), (field.name, named)


def base(route: Route, shop: Shop) -> Message:
    """A request of this RPC that succeeds."""
    return next(case for case in CASES if case.rpc == route.name and not case.expected).build(shop)


def with_value(request: Message, field: Field, value: Any) -> Message:
    copy = type(request)()
    copy.CopyFrom(request)
    field.set(copy, value)
    return copy


def in_path(route: Route, field: Field) -> bool:
    return f"{{{field.name}}}" in route.path


def sayable(route: Route, field: Field, value: Any) -> bool:
    """Whether REST can say this value: an empty path segment is another path, and line ends are no part of one."""
    return not (in_path(route, field) and (value in ("", None) or (isinstance(value, str) and "/" in value)))


def label(value: Any) -> str:
    return value if isinstance(value, str) else f"{value.name}" if isinstance(value, Route | Field) else str(value)


@pytest.mark.parametrize(("route", "field"), PUBLIC, ids=label)
def test_values_beyond_the_rules_are_refused(
    route: Route, field: Field, shop: Shop, channel: grpc.Channel, rest: httpx.Client
) -> None:
    request = base(route, shop)
    for value in [] if field.ignored else beyond(field):
        bad = with_value(request, field, value)
        assert_refused(contract.call_grpc(channel, route, bad), field)
        if sayable(route, field, value):
            nameless = field.descriptor.type == FieldDescriptor.TYPE_ENUM  # refused by the edge, which names no field
            assert_refused(contract.call_rest(rest, route, bad), None if nameless else field)


@pytest.mark.parametrize(("route", "field"), PUBLIC, ids=label)
def test_values_at_the_limit_are_not_refused(route: Route, field: Field, shop: Shop, channel: grpc.Channel) -> None:
    if field.name == "produto_id" and route.verb != "GET":
        return  # the first product is the seed's, and others want it
    for value in [] if field.ignored else at_limit(field):
        answer = contract.call_grpc(channel, route, with_value(base(route, shop), field, value))
        assert is_clean(answer)
        if answer.reason == "REQUISICAO_INVALIDA":  # by a rule of the domain, such as a price of 0 for a new product
            assert answer.value["message"], answer


@pytest.mark.parametrize(("route", "field"), PUBLIC, ids=label)
def test_odd_values_do_no_harm(
    route: Route, field: Field, shop: Shop, channel: grpc.Channel, rest: httpx.Client
) -> None:
    request = base(route, shop)
    for value in odd(field):
        strange = with_value(request, field, value)
        assert is_clean(contract.call_grpc(channel, route, strange)), value
        if sayable(route, field, value):
            assert is_clean(contract.call_rest(rest, route, strange)), value


@pytest.mark.parametrize(
    ("route", "field"), [pair for pair in PUBLIC if pair[1].descriptor.type == FieldDescriptor.TYPE_STRING], ids=label
)
def test_broken_utf8_is_refused(
    route: Route, field: Field, shop: Shop, channel: grpc.Channel, rest: httpx.Client
) -> None:
    marked = with_value(base(route, shop), field, MARK)
    assert_refused(contract.call_grpc(channel, route, marked.SerializeToString().replace(MARK.encode(), BROKEN)))
    if not field.ignored:
        verb, path, body = contract.http_request(route, marked)
        broken = body and body.replace(MARK.encode(), BROKEN)
        response = rest.request(verb, path.replace(MARK, quote(BROKEN)), content=broken)
        answer = contract.read_rest(response, route)
        assert not answer.ok
        assert is_clean(answer)


@pytest.mark.parametrize(("route", "field"), PUBLIC, ids=label)
def test_wrong_json_types_are_refused(route: Route, field: Field, shop: Shop, rest: httpx.Client) -> None:
    request = base(route, shop)
    verb, path, body = contract.http_request(
        route, with_value(request, field, None) if not in_path(route, field) else request
    )
    bodied = not in_path(route, field) and (route.body == "*" or field.path[0] == route.body)
    for value in WRONG_JSON[field.descriptor.type] if bodied and len(field.path) > (route.body != "*") else []:
        tree = json.loads(body or b"{}")
        place = tree
        for name in field.path[0 if route.body == "*" else 1 : -1]:
            place = place.setdefault(name, {})
        place[field.path[-1]] = value
        answer = contract.read_rest(rest.request(verb, path, content=json.dumps(tree).encode()), route)
        if not tolerated(field, value):
            assert_refused(answer)
        assert is_clean(answer), value


def tolerated(field: Field, value: Any) -> bool:
    """What protobuf's JSON parser in Envoy takes by the letter of its mapping: an enum by number, a mask as text."""
    mask = field.descriptor.message_type is not None and field.descriptor.message_type.name == "FieldMask"
    return field.ignored or mask or (field.descriptor.type == FieldDescriptor.TYPE_STRING and value in (5, True))


@pytest.mark.parametrize(
    ("route", "text"),
    [
        (route, text)
        for route in contract.routes().values()
        if "{produto" in route.path
        for text in ("abc", "1.5", "2147483648", "-1", "0", "1e3", "%00", "99999999999999999999")
    ],
    ids=label,
)
def test_a_path_with_no_number_in_it_is_refused(route: Route, text: str, rest: httpx.Client) -> None:
    path = contract.PATH_VARIABLE.sub(lambda match: text if "produto" in match[1] else "A" * 22, route.path)
    answer = contract.read_rest(rest.request(route.verb, path, content=b"{}" if route.body else None), route)
    assert not answer.ok
    assert is_clean(answer)


@pytest.mark.parametrize("route", list(contract.routes().values()), ids=label)
class TestWholeRequests:
    """Requests that are bad as a whole."""

    def test_unknown_query_parameter_is_refused(self, route: Route, shop: Shop, rest: httpx.Client) -> None:
        verb, path, body = contract.http_request(route, base(route, shop))
        path += ("&" if "?" in path else "?") + "inexistente=1"
        assert_refused(contract.read_rest(rest.request(verb, path, content=body), route))

    def test_unknown_fields_are_ignored(
        self, route: Route, shop: Shop, channel: grpc.Channel, rest: httpx.Client
    ) -> None:
        """As proto3 has it, so that a newer client can talk to an older shop; Envoy ignores them in JSON bodies too."""
        newer = base(route, shop).SerializeToString() + b"\xfa\x7f\x03abc"  # field 2047, bytes
        assert contract.call_grpc(channel, route, newer).ok
        verb, path, body = contract.http_request(route, base(route, shop))
        if body is not None:
            extended = json.dumps(json.loads(body) | {"inexistente": {"a": [1]}}).encode()
            assert contract.read_rest(rest.request(verb, path, content=extended), route).ok

    def test_truncated_message_is_refused(self, route: Route, channel: grpc.Channel) -> None:
        assert_refused(contract.call_grpc(channel, route, b"\x0a\xff\x01truncado"))

    def test_json_that_is_none_is_refused(self, route: Route, shop: Shop, rest: httpx.Client) -> None:
        verb, path, body = contract.http_request(route, base(route, shop))
        for text in (b"{", b"[]", b'"texto"', b"\xff\xfe", b"{}}") if body is not None else ():
            assert_refused(contract.read_rest(rest.request(verb, path, content=text), route))

    def test_huge_message_is_refused(self, route: Route, shop: Shop, channel: grpc.Channel, rest: httpx.Client) -> None:
        huge = b"\xfa\x7f" + b"\x80\x80\x14" + b"x" * 327_680  # an unknown field of 320 KiB: over the limit of 256
        answer = contract.call_grpc(channel, route, huge)
        assert (answer.code, answer.reason) == ("RESOURCE_EXHAUSTED", "LIMITE_EXCEDIDO")
        assert is_clean(answer)
        verb, path, body = contract.http_request(route, base(route, shop))
        if body is not None:
            answer = contract.read_rest(rest.request(verb, path, content=b" " * 300_000 + body), route)
            assert answer.reason == "CORPO_GRANDE_DEMAIS"
            assert is_clean(answer)

    def test_wrong_verb_is_no_route(self, route: Route, shop: Shop, rest: httpx.Client) -> None:
        _, path, _ = contract.http_request(route, base(route, shop))
        known = {other.verb for other in contract.routes().values() if same_path(other.path, route.path)}
        for verb in {"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"} - known:
            answer = contract.read_rest(rest.request(verb, path), route)
            assert (answer.code, answer.reason) == ("NOT_FOUND", "ROTA_INEXISTENTE"), verb
            assert is_clean(answer)


def same_path(one: str, other: str) -> bool:
    return contract.PATH_VARIABLE.sub("{}", one) == contract.PATH_VARIABLE.sub("{}", other)


@pytest.mark.parametrize(
    "path",
    [
        "/api",
        "/api/",
        "/api/nada",
        "/api/produtos/1/2/3",
        "/favicon.ico",
        "/api/pedidos/x:voar",
        "/..%2f..",
        "/api/%ff",
    ],
)
def test_wrong_path_is_no_route(path: str, rest: httpx.Client) -> None:
    response = rest.get(path)
    assert 400 <= response.status_code < 500
    answer = contract.read_rest(response, contract.routes()["CatalogoService.ObterProduto"])
    assert answer.reason in {"ROTA_INEXISTENTE", "REQUISICAO_INVALIDA"}
    assert is_clean(answer)


@pytest.mark.parametrize(
    "path",
    ["/confeitaria.catalogo.v1.CatalogoService/Voar", "/confeitaria.catalogo.v9.CatalogoService/ObterProduto", "/a/b"],
)
def test_unknown_method_is_unimplemented(path: str, channel: grpc.Channel) -> None:
    call: Any = channel.unary_unary(path)
    with pytest.raises(grpc.RpcError) as caught:
        call(b"", timeout=10)
    answer = contract.read_error(caught.value)
    assert (answer.code, answer.reason) == ("UNIMPLEMENTED", "METODO_DESCONHECIDO")
    assert is_clean(answer)


def internal_methods() -> list[MethodDescriptor]:
    public = {route.method.full_name for route in contract.routes().values()}
    return [method for service in contract.SERVICES for method in service.methods if method.full_name not in public]


@pytest.mark.parametrize("method", internal_methods(), ids=lambda method: method.name)
def test_internal_calls_refuse_bad_values_too(method: MethodDescriptor, mesh: Any) -> None:
    route = Route(method, "", "", "")
    with grpc.insecure_channel(mesh.mesh_target) as channel:
        for field in fields(method.input_type):
            for value in beyond(field):
                request = GetMessageClass(method.input_type)()
                field.set(request, value)
                assert_refused(contract.call_grpc(channel, route, request), field)


def test_the_shop_still_stands(shop: Shop, rest: httpx.Client) -> None:
    assert rest.get("/health").status_code == 200
    assert shop.pedido().pedido_id
