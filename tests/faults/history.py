"""What the customers remember: every request with each of its answers, as they came."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from pedidos.domain import chave_do_carrinho


class Outcome(StrEnum):
    OK = "ok"
    REFUSED = "refused"  # a reason was given: nothing happened
    MAYBE = "maybe"  # no certain answer: it happened or it did not


class Kind(StrEnum):
    COMPRAR = "comprar"
    CANCELAR = "cancelar"
    REPOR = "repor"
    ADICIONAR = "adicionar"
    MUDAR = "mudar"  # the bakery moves an order along


@dataclass(frozen=True, slots=True)
class Answer:
    """`begun` and `ended`: seconds of one monotonic clock. `body`: the bytes as they came."""

    outcome: Outcome
    begun: float = 0.0
    ended: float = 0.0
    body: bytes = b""
    reason: str = ""
    detail: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Operation:
    """One wish of a customer, asked for until the outcome is certain; `chave` names it, whatever the number of tries.

    `itens`: produto_id -> units. `versao`: of the cart that is ordered, or that an addition made. `pedido_id`: of the
    order it made, cancels or moves to the status `para`. `talvez`: what may have been ordered of a cart that was
    changed at the same time, by its version. Without answers: who asked left, and never came back to ask again.
    """

    kind: Kind
    chave: str
    via: str  # gRPC or REST
    sessao_id: str = ""
    itens: Mapping[int, int] = field(default_factory=dict)
    versao: int = 0
    pedido_id: str = ""
    answers: list[Answer] = field(default_factory=list)
    para: str = ""
    talvez: Mapping[int, Mapping[int, int]] = field(default_factory=dict)

    @property
    def keyless(self) -> bool:
        """Ordered without a request_id: the version of the cart is the key."""
        return self.chave == chave_do_carrinho(self.sessao_id, self.versao)

    @property
    def acknowledged(self) -> bool:
        return any(answer.outcome is Outcome.OK for answer in self.answers)

    @property
    def in_doubt(self) -> bool:
        """Whether it ever was."""
        return any(answer.outcome is Outcome.MAYBE for answer in self.answers)

    @property
    def open(self) -> bool:
        """Whether its outcome is not known: neither lost nor done."""
        return all(answer.outcome is Outcome.MAYBE for answer in self.answers)

    @property
    def refused(self) -> bool:
        return bool(self.answers) and self.answers[-1].outcome is Outcome.REFUSED and not self.acknowledged

    @property
    def reason(self) -> str:
        return self.answers[-1].reason if self.answers else ""

    @property
    def bodies(self) -> set[bytes]:
        return {answer.body for answer in self.answers if answer.outcome is Outcome.OK}

    @property
    def last(self) -> float:
        """When its last uncertain answer came, else its first answer: what a fault may have hit."""
        times = [answer.ended for answer in self.answers if answer.outcome is Outcome.MAYBE]
        return times[-1] if times else self.answers[0].ended if self.answers else 0.0

    def __str__(self) -> str:
        tries = ", ".join(answer.reason or answer.outcome for answer in self.answers)
        return f"{self.kind} {self.chave} over {self.via} ({tries})"


@dataclass(slots=True)
class History:
    operations: list[Operation] = field(default_factory=list)

    def add(self, operation: Operation) -> Operation:
        self.operations.append(operation)
        return operation

    def of(self, kind: Kind) -> Iterator[Operation]:
        return (operation for operation in self.operations if operation.kind is kind)

    def bought_since(self, moment: float) -> int:
        """Purchases whose first try began after that moment and that were acknowledged."""
        return sum(
            1
            for operation in reversed(self.operations[-500:])  # what began lately
            if operation.kind is Kind.COMPRAR and operation.acknowledged and operation.answers[0].begun > moment
        )
