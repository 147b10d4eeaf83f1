"""What the state machines of all services share: a door, a model, and the comparison after every step."""

import asyncio
import os
import random
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any, ClassVar, Generic, TypeAlias, TypeVar

import hypothesis
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test

from tests.model.answers import Answer, Door
from tests.model.explaining import Call, M, expected, explain

D = TypeVar("D", bound=Door)
T = TypeVar("T")
Run: TypeAlias = Callable[[Coroutine[Any, Any, Any]], Any]  # in the event loop of the door
PATIENCE = 30.0  # seconds until what should happen by itself has failed


class Machine(RuleBasedStateMachine, Generic[D, M]):
    """Rules call `ask` or `juntos`; a subclass says what to observe (`observed`) and what must hold (`conferir`)."""

    REMEMBERED: ClassVar = 12  # requests that may be repeated word by word

    def __init__(self, door: D, model: M, run: Run) -> None:
        super().__init__()
        self.door = door
        self.model = model
        self.run = run
        self.asked: list[Call] = []
        self.over = False  # nothing more is to be asked

    def finish(self) -> None:
        """The last questions of an example."""
        raise NotImplementedError

    def teardown(self) -> None:
        if not self.over:
            self.finish()

    def observed(self) -> object:
        """The state of the service, by another way than its answers, in the form of `observable`."""
        raise NotImplementedError

    def observable(self, model: M) -> object:
        """The part of a model's state that `observed` shows."""
        raise NotImplementedError

    def said(self, answer: Answer) -> Answer:
        """An answer without what the model does not know of (moments); a subclass looks at those here."""
        return answer

    def ask(self, *calls: Call) -> list[Answer]:
        """Asks all at once, and holds what was told, and what is so afterwards, against the model."""
        self.asked = [*self.asked, *calls][-self.REMEMBERED :]
        return self.explained(calls, self.run(self._all(calls)))

    def explained(self, calls: Sequence[Call], answers: Sequence[Answer]) -> list[Answer]:
        self.over = True  # unless all goes well: what comes after a failure only hides it
        told = [self.said(answer) for answer in answers]
        observed = self.observed()
        after = explain(self.model, calls, told, lambda model: self.observable(model) == observed)
        assert after is not None, self._why(calls, told, observed)
        self.model = after
        self.over = False
        return told

    async def _all(self, calls: Sequence[Call]) -> list[Answer]:
        return list(await asyncio.gather(*(self.door.call(*call) for call in calls)))

    def _why(self, calls: Sequence[Call], told: Sequence[Answer], observed: object) -> str:
        lines = ["no order of these calls explains what was told, and what is so afterwards:"]
        for call, said, right in zip(calls, told, expected(self.model, calls, told), strict=True):
            lines += [f"  {call}", f"    told:  {_flat(said)}", f"    model: {_flat(right)}"]
        after = explain(self.model, calls, told)
        if after is not None:
            lines += ["the answers alone can be explained; the state cannot:", f"  is:    {observed}"]
            lines += [f"  model: {self.observable(after)}"]
        return "\n".join(lines)


def _flat(answer: object) -> str:
    return " ".join(str(answer).split()) or "(empty)"


async def eventually(ask: Callable[[], Awaitable[Any]], right: object, *, patient: bool) -> None:
    """Asks until the answer is right: once, unless there is a reason to be patient."""
    end = asyncio.get_running_loop().time() + (PATIENCE if patient else 0)
    while (found := await ask()) != right:
        assert asyncio.get_running_loop().time() < end, f"told:  {_flat(found)}\nmodel: {_flat(right)}"
        await asyncio.sleep(0.02)


def check(factory: Callable[[], Machine[Any, Any]], examples: int, steps: int) -> None:
    """Runs a machine; CONFEITARIA_SEED replays it. Nothing is remembered from run to run."""
    number = int(os.environ.get("CONFEITARIA_SEED") or random.SystemRandom().randrange(2**32))
    print(f"CONFEITARIA_SEED={number}")  # noqa: T201  pytest shows it with the failure

    def make() -> Machine[Any, Any]:
        return factory()

    settings = hypothesis.settings(
        max_examples=int(os.environ.get("CONFEITARIA_EXAMPLES") or examples),
        stateful_step_count=steps,
        deadline=None,  # a slow machine is no bug
        database=None,
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    run_state_machine_as_test(hypothesis.seed(number)(make), settings=settings)  # type: ignore[arg-type]
