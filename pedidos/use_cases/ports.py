"""What the use cases need of the world. Every method may raise ServicoIndisponivel: it may have happened or not."""

from collections.abc import Callable, Sequence
from typing import Protocol

from pedidos.domain import (
    Carrinho,
    Compra,
    ErroPedido,
    Evento,
    ItemCarrinho,
    ItemPedido,
    Pedido,
    Situacao,
    Solicitacao,
    StatusPedido,
)


class Catalogo(Protocol):
    """Stock, by reservations that the order's id names. Each call may be repeated."""

    async def reservar(self, reserva_id: str, itens: Sequence[ItemCarrinho]) -> tuple[ItemPedido, ...]:
        """All items, at the price of this moment, or EstoqueInsuficiente, ProdutoIndisponivel; ReservaExpirada when
        the reservation was made before and is over.
        """
        ...

    async def confirmar(self, reserva_id: str) -> None:
        """Sells what was reserved; ReservaExpirada when it is not set aside any more."""
        ...

    async def liberar(self, reserva_id: str) -> None:
        """Gives back what was reserved or sold; a reservation that comes later takes nothing."""
        ...


class Carrinhos(Protocol):
    async def obter(self, sessao_id: str) -> Carrinho:
        """The cart, or CarrinhoNaoEncontrado."""
        ...

    async def esvaziar(self, sessao_id: str, versao: int) -> None:
        """Empties the cart if it still has this version; otherwise nothing happens."""
        ...


class Compras(Protocol):
    """Attempts to order. Every change is guarded by the step that the attempt is at, and returns the attempt as it
    stands afterwards, whoever moved it: of several workers on one attempt only one makes each change.
    """

    async def buscar(self, chave: str) -> Compra | None:
        """The attempt that holds the key."""
        ...

    async def buscar_por_carrinho(self, sessao_id: str, versao: int) -> Compra | None:
        """The attempt, not failed, that this version of a cart was ordered with; the first of several."""
        ...

    async def registrar(self, chave: str, solicitacao: Solicitacao, carrinho: Carrinho) -> Compra:
        """A new attempt, `minha`, or the one that holds the key."""
        ...

    async def assumir(self, pedido_id: str) -> Compra | None:
        """The attempt of this order, `minha` when its outcome was open and nobody's lease was on it."""
        ...

    async def gravar(self, compra: Compra, itens: Sequence[ItemPedido], total_centavos: int) -> Compra:
        """INICIADA -> GRAVADA: the order, PENDENTE, with its items and its event, in one commit."""
        ...

    async def responder(self, compra: Compra) -> Compra:
        """GRAVADA -> RESPONDIDA: the order CONFIRMADO (or left CANCELADO), its event and the answer, in one commit."""
        ...

    async def desistir(self, compra: Compra, falha: ErroPedido) -> Compra:
        """INICIADA or GRAVADA -> FALHANDO; an order that was written becomes CANCELADO, with its event, in the same
        commit. Nothing changes when somebody cancelled that order before.
        """
        ...

    async def concluir(self, compra: Compra) -> None:
        """RESPONDIDA -> CONCLUIDA or FALHANDO -> FALHOU: nothing remains to be done. A crash may forget this one."""
        ...

    async def soltar(self, compra: Compra, segundos: float = 0.0) -> None:
        """Ends our lease, from `segundos` on: whoever comes next may go on."""
        ...

    async def vencidas(self, limite: int) -> list[Compra]:
        """Up to `limite` attempts with work left and nobody's lease on them, oldest first, now `minha`."""
        ...

    async def limpar(self) -> int:
        """Forgets failed attempts of days ago; how many."""
        ...


class Pedidos(Protocol):
    async def obter(self, pedido_id: str) -> Pedido:
        """The order, or PedidoNaoEncontrado."""
        ...

    async def listar(
        self, *, sessao_id: str = "", status: StatusPedido | None = None, apos: str = "", limite: int
    ) -> list[Pedido]:
        """Up to `limite` orders, newest first, that come after the order `apos` ("" begins)."""
        ...

    async def mudar_status(self, pedido_id: str, para: StatusPedido, motivo: str = "") -> Pedido:
        """One guarded step with its event. The order as it is when it is at `para` already; TransicaoInvalida,
        PedidoNaoEncontrado. A step to CANCELADO leaves the debt to give its stock back, ours for a lease.
        """
        ...

    async def situacoes(self, pedido_ids: Sequence[str]) -> dict[str, Situacao]:
        """Where these orders stand; unknown ones are left out."""
        ...

    async def devolvido(self, pedido_id: str) -> None:
        """The stock of a cancelled order was given back."""
        ...

    async def a_devolver(self, limite: int) -> list[str]:
        """Up to `limite` cancelled orders whose stock nobody is giving back, now ours for a lease."""
        ...


class Saida(Protocol):
    """The outbox: events that were committed together with the changes that they tell of, until they have left."""

    async def passar(self, limite: int, publicar: Callable[[Sequence[Evento]], None]) -> int:
        """Gives up to `limite` unsent events to `publicar` and marks them as sent once it has returned; how many.

        The events of one order come in their order, and none before those that precede it have been marked or stand in
        the same batch. Of all instances one does this at a time; another waits for a moment, then gets 0. `publicar`
        may block, is called in a thread, and not at all for no event; what it raises passes through, nothing is marked.
        """
        ...

    async def limpar(self, segundos: float, limite: int) -> int:
        """Forgets up to `limite` of the oldest events, sent more than `segundos` ago; how many."""
        ...


class Jornal(Protocol):
    """The stream of events, as its writer sees it."""

    def publicar(self, eventos: Sequence[Evento]) -> None:
        """Appends all of them, in this order, or none; returns when they are durable. Blocks the thread, for a bounded
        time.
        """
        ...


class Novidades(Protocol):
    """The stream of events, as a reader sees it: each event at least once, for as long as the stream keeps it."""

    async def fim(self) -> str:
        """The position after the newest event."""
        ...

    async def depois(self, posicao: str, espera: float) -> tuple[str, list[Evento]]:
        """The events after a position, and the position after them; waits up to `espera` seconds for the first."""
        ...
