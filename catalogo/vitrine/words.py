"""Which products may contain a word: keeps a rare search from walking the whole catalog."""

from array import array
from collections.abc import Iterable


class Words:
    """Every word of the catalog and the ids of products that have, or once had, it.

    Four bytes a word and product: about 10 MB for 100,000 products. A product that loses a word stays listed, so what
    is found here must still be looked at; it cannot be missing.
    """

    def __init__(self) -> None:
        self._products: dict[str, array[int]] = {}

    def add(self, produto_id: int, words: Iterable[str]) -> None:
        for word in words:
            self._products.setdefault(word, array("i")).append(produto_id)

    def rarest(self, parts: Iterable[str], limit: int) -> set[int] | None:
        """Candidates for the rarest of `parts` (of words); None when each may be in more than `limit` products."""
        best: list[array[int]] | None = None
        for part in parts:
            lists = [ids for word, ids in self._products.items() if part in word]
            total = sum(map(len, lists))
            if total <= limit:
                best, limit = lists, total
        return None if best is None else set[int]().union(*best)
