"""Text as customers compare it."""

import json

import pytest

from catalogo.domain.text import fold, sort_key, unique_key


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("Pão de Queijo", "pao de queijo"),
        ("  AÇÚCAR\tmascavo\n", "acucar mascavo"),
        ("pa\u0303o", "pao"),  # decomposed already
        ("Straße", "strasse"),
        ("1ª fornada nº 2", "1a fornada no 2"),
        ("İstanbul", "istanbul"),
        ("a\u200bb\x00c\x7f", "abc"),  # invisible characters
        ("日本 ケーキ", "日本 ケーキ"),
        ("🎂 bolo", "🎂 bolo"),
        ("\u0301\u200b \n", ""),
    ],
)
def test_accents_case_spacing_and_invisible_characters_are_put_aside(text: str, folded: str) -> None:
    assert fold(text) == folded
    assert fold(folded) == folded


@pytest.mark.parametrize("name", ["a" * 120, "é" * 120, "日" * 120, "🎂" * 120, "\ufdfa" * 120, '"' * 120, "\\" * 120])
def test_a_sort_key_always_fits_a_page_token(name: str) -> None:
    position = json.dumps([sort_key(name), 2**31 - 1], ensure_ascii=False, separators=(",", ":"))
    assert (len(position.encode()) + 12 + 2) // 3 * 4 <= 512


def test_a_name_of_latin_letters_is_ordered_by_all_of_it() -> None:
    assert sort_key("b" * 119 + "a") < sort_key("b" * 119 + "c")


def test_a_unique_key_fits_a_btree_entry() -> None:
    assert len(unique_key("\ufdfa" * 80).encode()) < 2_704
