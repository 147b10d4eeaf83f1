"""Text as customers compare it: accents, case, spacing and invisible characters aside."""

import re
import unicodedata

_ACCENTS = re.compile("[\u0300-\u036f]+")  # all that Portuguese leaves after NFKD

# A name that orders a list travels in the page token, which may have 512 characters: 340 bytes of JSON fit.
_SORT_KEY_BYTES = 340
_SORT_KEY_CHARS = _SORT_KEY_BYTES // 4  # no character takes more than 4
_UNIQUE_KEY_CHARS = 500  # a B-tree entry of PostgreSQL holds 2,704 bytes


def fold(text: str) -> str:
    """`text` without accents, case, control characters and repeated spaces: " Pão  de LÓ" gives "pao de lo"."""
    plain = " ".join(_ACCENTS.sub("", unicodedata.normalize("NFKD", text)).casefold().split())
    return plain if plain.isascii() and plain.isprintable() else _fold_slowly(plain)


def sort_key(name: str) -> str:
    """What a name is ordered by: all of it folded, or its first 85 characters when that passes 340 bytes of JSON."""
    folded = fold(name)
    size = len(folded.encode()) + folded.count('"') + folded.count("\\")
    return folded if size <= _SORT_KEY_BYTES else folded[:_SORT_KEY_CHARS]


def unique_key(name: str) -> str:
    """What must not occur twice among names."""
    return fold(name)[:_UNIQUE_KEY_CHARS]


def _fold_slowly(text: str) -> str:
    decomposed = unicodedata.normalize("NFKD", text)
    kept = (char for char in decomposed if char.isprintable() and not unicodedata.combining(char))
    return " ".join("".join(kept).split())
