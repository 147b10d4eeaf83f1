"""Page tokens: whole or refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.errors import InvalidRequest
from chassis.paging import PageTokens

KEY = bytes(range(32))
tokens = PageTokens(KEY)

parts = st.integers() | st.text(max_size=60)
positions = st.lists(parts, max_size=4).map(tuple)
filters = st.lists(parts | st.booleans() | st.none(), max_size=5).map(tuple)


def refused(where: PageTokens, filter_: tuple[object, ...], token: str) -> None:
    with pytest.raises(InvalidRequest) as exc:
        where.decode(filter_, token)  # type: ignore[arg-type]  # any tuple
    [(field, why)] = exc.value.violations
    assert field == "page_token"
    assert "recomece" in why


@given(filters, positions)
def test_a_token_gives_its_position_back_with_its_types(
    filter_: tuple[object, ...], position: tuple[object, ...]
) -> None:
    token = tokens.encode(filter_, position)  # type: ignore[arg-type]  # any tuple
    back = tokens.decode(filter_, token)  # type: ignore[arg-type]
    assert back == position
    assert [type(part) for part in back] == [type(part) for part in position]
    assert set(token) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")


@given(filters, filters, positions)
def test_a_token_is_of_one_filter(
    one: tuple[object, ...], other: tuple[object, ...], position: tuple[object, ...]
) -> None:
    if [(type(part), part) for part in one] != [(type(part), part) for part in other]:
        refused(tokens, other, tokens.encode(one, position))  # type: ignore[arg-type]


@given(positions, st.data())
def test_an_altered_token_is_refused(position: tuple[object, ...], data: st.DataObject) -> None:
    token = tokens.encode(("bolos",), position)  # type: ignore[arg-type]
    at = data.draw(st.integers(0, len(token) - 1))
    other = data.draw(st.sampled_from("ABab01-_=+/ .é").filter(lambda char: char != token[at]))
    for altered in (token[:at] + other + token[at + 1 :], token[:at], token[:at] + other + token[at:], token + "="):
        refused(tokens, ("bolos",), altered)


@given(st.text())
def test_noise_is_refused(noise: str) -> None:
    refused(tokens, (), noise)


@pytest.mark.parametrize("noise", ["", "A" * 100_000, "\ud800", "AAAA" * 10])
def test_odd_noise_is_refused(noise: str) -> None:
    refused(tokens, (), noise)


def test_another_key_is_refused() -> None:
    refused(PageTokens(bytes(32)), (), tokens.encode((), (1, "bolo")))


def test_a_position_of_another_type_is_the_programmers_error() -> None:
    for part in (1.5, None, True, b"x", (1,)):
        with pytest.raises(TypeError):
            tokens.encode((), (part,))  # type: ignore[arg-type]  # on purpose


def test_a_short_key_is_refused() -> None:
    with pytest.raises(ValueError, match="16 bytes"):
        PageTokens(b"curta")
