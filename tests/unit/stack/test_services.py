"""What each service is told through its environment."""

from pathlib import Path

import pytest

from stack.credentials import LENGTHS
from stack.databases import Database, fingerprint
from stack.home import Home
from stack.parts import Part, base_environment
from stack.services import Services
from stack.topology import SERVICES, Address

SECRETS = {name: name.encode().hex() for name in LENGTHS}
EVERYWHERE = {"LISTEN", "INSTANCE"}


def _part(service: str, number: int = 1) -> Part:
    return Services(Home(Path("/bolos"), offset=7), SECRETS).part(service, number)


@pytest.mark.parametrize(
    ("service", "told"),
    [
        ("catalogo", {"DATABASE_URL", "PAGE_TOKEN_KEY"}),
        ("carrinho", {"REDIS_URL", "MESH"}),
        ("pedidos", {"DATABASE_URL", "PAGE_TOKEN_KEY", "REDIS_URL", "MESH"}),
        ("gateway", {"MESH", "EDGE_URL"}),
    ],
)
def test_a_service_is_told_of_what_it_needs_and_no_more(service: str, told: set[str]) -> None:
    prefix = f"{service.upper()}_"
    environment = _part(service).environment
    assert {key.removeprefix(prefix) for key in environment if key.startswith(prefix)} == told | EVERYWHERE
    assert not [key for key in environment if key.endswith("_OWNER_URL")]


def test_addresses_follow_the_offset_and_the_number() -> None:
    environment = _part("carrinho", 3).environment
    assert environment["CARRINHO_LISTEN"] == "127.0.0.1:50070"
    assert environment["CARRINHO_INSTANCE"] == "carrinho-3"
    assert environment["CARRINHO_REDIS_URL"] == "redis://127.0.0.1:63798/0"
    assert environment["CARRINHO_MESH"] == "127.0.0.1:8088"
    assert _part("gateway").environment["GATEWAY_EDGE_URL"] == "http://127.0.0.1:8087"


def test_instances_of_a_service_share_the_key_of_their_page_tokens() -> None:
    keys = {_part("pedidos", number).environment["PEDIDOS_PAGE_TOKEN_KEY"] for number in (1, 2)}
    assert keys == {SECRETS["pedidos_page_token_key"]}


def test_a_service_works_with_the_role_that_owns_nothing() -> None:
    url = f"postgresql://catalogo_app:{SECRETS['catalogo_app']}@127.0.0.1:54328/catalogo"
    assert _part("catalogo").environment["CATALOGO_DATABASE_URL"] == url


def test_settings_of_the_user_reach_their_service_but_not_those_the_stack_must_choose(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CARRINHO_LOG_LEVEL", "debug")
    monkeypatch.setenv("CARRINHO_LISTEN", "0.0.0.0:1")
    monkeypatch.setenv("PEDIDOS_LOG_LEVEL", "error")
    environment = _part("carrinho").environment
    assert environment["CARRINHO_LOG_LEVEL"] == "debug"
    assert environment["CARRINHO_LISTEN"] == "127.0.0.1:50068"
    assert "PEDIDOS_LOG_LEVEL" not in environment


def test_the_rest_of_the_environment_stays_outside() -> None:
    given = {"PATH": "/bin", "http_proxy": "http://proxy:3128", "PYTHONPATH": "/elsewhere", "LD_PRELOAD": "x"}
    assert base_environment(given) == {"PATH": "/bin"}


def test_the_schema_is_told_of_its_owner_and_seeded_where_there_is_a_seed() -> None:
    address = Address("127.0.0.1", 54321)
    argv, environment = Database("catalogo", address, SECRETS).migration()
    assert argv[-4:] == ("-m", "catalogo", "migrate", "--seed")
    assert environment["CATALOGO_OWNER_URL"].startswith("postgresql://catalogo_owner:")
    argv, _ = Database("pedidos", address, SECRETS).migration()
    assert argv[-3:] == ("-m", "pedidos", "migrate")


@pytest.mark.parametrize("service", SERVICES)
def test_a_fingerprint_speaks_of_one_service(service: str) -> None:
    assert fingerprint(service) == fingerprint(service)
    assert len({fingerprint(each) for each in SERVICES}) == len(SERVICES)
