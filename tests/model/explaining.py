"""Whether some order of events explains what a batch of concurrent calls was told: a search over a model's own steps.

This is the search of Wing and Gong (Testing and Verifying Concurrent Objects, 1993), with memory, over a model that
forks. Two liberties are the contract's own. A call may take several steps (an order looks at the cart first and is
decided later). And a yes shows its subject as it was at some moment from its own effect to the end of the batch: a
batch that shares one commit shows everybody what that commit left.
"""

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol, Self, TypeAlias, TypeVar

from google.protobuf.message import Message

from tests.model.answers import Answer, Refusal, Unknown


class Model(Protocol):
    """A service as its contract tells it."""

    def copy(self) -> Self: ...

    def step(self, call: "Call", said: Answer, memory: Hashable) -> "Step":
        """What the call does next. `said` is what the client heard, for choices that are the service's (new ids)."""
        ...

    def spontaneous(self) -> Iterable[Callable[[Self], None]]:
        """What may happen now without anybody asking."""
        ...

    def state(self) -> Hashable:
        """All of it: two models with equal states behave alike."""
        ...


class Call(NamedTuple):
    rpc: str
    request: Message

    def __repr__(self) -> str:
        return f"{self.rpc}({' '.join(str(self.request).split())})"


class Later(NamedTuple):
    """The call goes on later, and remembers this."""

    memory: Hashable


View: TypeAlias = Callable[[Any], Message]  # of the model as it is when the answer is made
Step: TypeAlias = Refusal | View | Later | None  # None: the call cannot go on now

M = TypeVar("M", bound=Model)
DONE = "done"


@dataclass
class _Search:
    calls: Sequence[Call]
    told: Sequence[Answer]
    accepts: Callable[[Any], bool]
    seen: set[Hashable] = field(default_factory=set)

    def explain(self, model: M, memories: tuple[Hashable, ...], views: dict[int, View]) -> M | None:
        """A state after all of it that `accepts` agrees with; None when there is none."""
        views = {i: view for i, view in views.items() if not _e(view(model), self.told[i])}
        key = (memories, frozenset(views), model.state())
        if key in self.seen:
            return None
        self.seen.add(key)
        if self._ended(memories, views) and self.accepts(model):
            return model
        for i, memory in enumerate(memories):
            if memory != DONE and (found := self._advance(model, memories, views, i)):
                return found
        for happen in model.spontaneous():
            other = model.copy()
            happen(other)
            if found := self.explain(other, memories, views):
                return found
        return None

    def _ended(self, memories: tuple[Hashable, ...], views: dict[int, View]) -> bool:
        """A call without an answer may have stopped anywhere."""
        ended = (memory == DONE or isinstance(said, Unknown) for memory, said in zip(memories, self.told, strict=True))
        return not views and all(ended)

    def _advance(self, model: M, memories: tuple[Hashable, ...], views: dict[int, View], i: int) -> M | None:
        other = model.copy()
        step = other.step(self.calls[i], self.told[i], memories[i])
        if step is None:
            return None
        if isinstance(step, Later):
            return self.explain(other, (*memories[:i], step.memory, *memories[i + 1 :]), views)
        said = self.told[i]
        if not isinstance(said, Unknown):
            if isinstance(step, Refusal) != isinstance(said, Refusal) or (isinstance(step, Refusal) and step != said):
                return None
            if not isinstance(step, Refusal):
                views = views | {i: step}
        return self.explain(other, (*memories[:i], DONE, *memories[i + 1 :]), views)


def explain(
    model: M, calls: Sequence[Call], told: Sequence[Answer], accepts: Callable[[M], bool] = lambda _: True
) -> M | None:
    """The model after these calls, told this, in some order; None when no order explains it."""
    return _Search(calls, told, accepts).explain(model, (None,) * len(calls), {})


def expected(model: M, calls: Sequence[Call], told: Sequence[Answer]) -> list[Refusal | Message]:
    """What the model itself would answer to the calls one after the other, for the text of a failure."""
    model = model.copy()
    answers: list[Refusal | Message] = []
    for call, said in zip(calls, told, strict=True):
        step: Step = Later(None)
        while isinstance(step, Later):
            step = model.step(call, said, step.memory)
        assert step is not None
        answers.append(step if isinstance(step, Refusal) else step(model))
    return answers


def _e(shown: Message, said: Answer) -> bool:
    return shown == said
