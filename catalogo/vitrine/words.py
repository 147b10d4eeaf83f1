"""Which products may contain a word: keeps a rare search from walking the whole catalog."""

from array import array
from collections.abc import Iterable, Iterator


class Words:
    """Every word of the catalog and the ids of products that have, or once had, it.

    Four bytes a word and product: about 10 MB for 100,000 products. A product that loses a word stays listed, so what
    is found here must still be looked at; it cannot be missing.
    """

    def __init__(self) -> None:
        self._products: dict[str, array[int]] = {}
        self._all: str | None = None  # every word between line feeds, made when it is next needed

    def add(self, produto_id: int, words: Iterable[str]) -> None:
        products = self._products
        for word in words:
            ids = products.get(word)
            if ids is None:
                ids = products[word] = array("i")
                self._all = None
            ids.append(produto_id)

    def rarest(self, parts: Iterable[str], limit: int) -> set[int] | None:
        """Candidates for the rarest of `parts` (of words); None when each may be in more than `limit` products."""
        best: list[array[int]] | None = None
        for part in parts:
            lists: list[array[int]] = []
            total = 0
            for word in self._containing(part):
                lists.append(self._products[word])
                total += len(lists[-1])
                if total > limit:
                    break
            else:
                best, limit = lists, total
        return None if best is None else set[int]().union(*best)

    def _containing(self, part: str) -> Iterator[str]:
        if self._all is None:
            self._all = "\n" + "\n".join(self._products) + "\n"
        found = self._all.find(part)
        while found >= 0:
            end = self._all.index("\n", found)
            yield self._all[self._all.rindex("\n", 0, found) + 1 : end]
            found = self._all.find(part, end)
