"""The checkout: a saga over persistent steps that whoever comes next can resume at the step where it stands.

Nothing here remembers anything between two port calls but what the attempt's row says, so a crash before or after any
of them leaves a row that another worker carries on from. Several workers on one attempt do no harm: the catalog's
calls may be repeated, and each step of the row is guarded. The lease only keeps them from working for nothing.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from contextvars import Context

from pedidos.domain import (
    ABERTAS,
    Carrinho,
    CarrinhoNaoEncontrado,
    CarrinhoVazio,
    ChaveReutilizada,
    Compra,
    EstoqueInsuficiente,
    Etapa,
    PedidoNaoEncontrado,
    ProdutoIndisponivel,
    ReservaExpirada,
    ServicoIndisponivel,
    Solicitacao,
    TotalExcedeLimite,
    chave_do_carrinho,
    total,
)
from pedidos.use_cases.ports import Carrinhos, Catalogo, Compras
from pedidos.use_cases.single_flight import SingleFlight

log = logging.getLogger(__name__)

PAUSAS = (0.02, 0.2)  # seconds, first and longest, between two looks at an attempt that another instance works on
# An intent that stood still for so long (the catalog was away) is given up: nobody expects a cake from a click of an
# hour ago. Once the order is written, the reservation's own expiry is the bound.
DESISTE_APOS = 60.0  # seconds


class Checkout:
    def __init__(
        self, compras: Compras, catalogo: Catalogo, carrinhos: Carrinhos, *, pausas: tuple[float, float] = PAUSAS
    ) -> None:
        self._compras = compras
        self._catalogo = catalogo
        self._carrinhos = carrinhos
        self._pausas = pausas
        self._juntas: SingleFlight[bytes] = SingleFlight()
        self._soltando: set[asyncio.Task[None]] = set()
        self._passos: dict[Etapa, Callable[[Compra], Awaitable[Compra]]] = {
            Etapa.INICIADA: self._reservar,
            Etapa.GRAVADA: self._confirmar,
        }

    async def criar(self, solicitacao: Solicitacao) -> bytes:
        """The answer to CriarPedido, the same bytes on every repetition; raises the domain's errors."""
        if not solicitacao.request_id:
            return await self._criar_por_carrinho(solicitacao)
        chave = solicitacao.request_id
        return await self._juntas((chave, solicitacao.fingerprint), lambda: self._criar_por_chave(chave, solicitacao))

    async def retomar(self, pedido_id: str) -> bytes:
        """The answer of the attempt that wrote this order, carried to its end if that is still open."""
        compra = await self._compras.assumir(pedido_id)
        if compra is None:
            raise PedidoNaoEncontrado(pedido_id)
        return await self._levar_ao_fim(compra)

    async def conduzir(self, compra: Compra) -> Compra:
        """Carries an attempt that is ours to its end: its outcome, then what is owed after it."""
        try:
            compra = await self._decidir(compra)
            await self._acertar(compra)
        except asyncio.CancelledError:
            self._soltar_depois(compra)
            raise
        return compra

    async def _criar_por_chave(self, chave: str, solicitacao: Solicitacao) -> bytes:
        compra = await self._compras.buscar(chave)
        if compra is None:
            try:
                carrinho = await self._obter_carrinho(solicitacao.sessao_id)
            except (CarrinhoVazio, CarrinhoNaoEncontrado):
                # A twin of this call may have ordered the cart, and emptied it, since we looked for the key.
                compra = await self._compras.buscar(chave)
                if compra is None:
                    raise
            else:
                compra = await self._compras.registrar(chave, solicitacao, carrinho)
        return await self._responder(compra, solicitacao)

    async def _criar_por_carrinho(self, solicitacao: Solicitacao) -> bytes:
        carrinho = await self._carrinhos.obter(solicitacao.sessao_id)
        if not carrinho.itens:
            return await self._responder_carrinho_vazio(carrinho, solicitacao)
        chave = chave_do_carrinho(carrinho.sessao_id, carrinho.versao)
        return await self._juntas(
            (chave, solicitacao.fingerprint), lambda: self._criar_da_versao(chave, solicitacao, carrinho)
        )

    async def _criar_da_versao(self, chave: str, solicitacao: Solicitacao, carrinho: Carrinho) -> bytes:
        compra = await self._compras.buscar_por_carrinho(carrinho.sessao_id, carrinho.versao)
        if compra is None:
            compra = await self._compras.registrar(chave, solicitacao, carrinho)
        return await self._responder(compra, solicitacao)

    async def _responder_carrinho_vazio(self, carrinho: Carrinho, solicitacao: Solicitacao) -> bytes:
        """The second click, come after the first one emptied the cart: one version on from the one that was ordered."""
        compra = await self._compras.buscar_por_carrinho(carrinho.sessao_id, carrinho.versao - 1)
        if compra is None or compra.fingerprint != solicitacao.fingerprint:
            raise CarrinhoVazio(carrinho.sessao_id)
        return await self._levar_ao_fim(compra)

    async def _obter_carrinho(self, sessao_id: str) -> Carrinho:
        carrinho = await self._carrinhos.obter(sessao_id)
        if not carrinho.itens:
            raise CarrinhoVazio(sessao_id)
        return carrinho

    async def _responder(self, compra: Compra, solicitacao: Solicitacao) -> bytes:
        if compra.fingerprint != solicitacao.fingerprint:
            raise ChaveReutilizada(compra.chave)
        return await self._levar_ao_fim(compra)

    async def _levar_ao_fim(self, compra: Compra) -> bytes:
        """The outcome of an attempt: of our own work, or of somebody else's that we wait for or take over."""
        pausa, maior = self._pausas
        while compra.etapa in ABERTAS and not compra.minha:
            compra = await self._compras.assumir(compra.pedido_id) or compra
            if compra.etapa in ABERTAS and not compra.minha:
                await asyncio.sleep(pausa)  # the call's deadline ends the wait
                pausa = min(pausa * 1.5, maior)
        if compra.minha:
            compra = await self._trabalhar(compra)
        return compra.desfecho()

    async def _trabalhar(self, compra: Compra) -> Compra:
        try:
            compra = await self._decidir(compra)
            with suppress(ServicoIndisponivel):  # the outcome stands; the completer does what is owed
                await self._acertar(compra)
        except asyncio.CancelledError:
            self._soltar_depois(compra)
            raise
        except Exception:
            await asyncio.shield(self._soltar_depois(compra))
            raise
        return compra

    async def _decidir(self, compra: Compra) -> Compra:
        while compra.etapa in ABERTAS:
            compra = await self._passos[compra.etapa](compra)
        return compra

    async def _reservar(self, compra: Compra) -> Compra:
        if compra.idade and not await self._ainda_vale(compra):
            return await self._compras.desistir(compra, ServicoIndisponivel("catalogo"))
        try:
            itens = await self._catalogo.reservar(compra.pedido_id, compra.carrinho.itens)
            total_centavos = total(itens)
        except (EstoqueInsuficiente, ProdutoIndisponivel, ReservaExpirada, TotalExcedeLimite) as falha:
            return await self._compras.desistir(compra, falha)
        return await self._compras.gravar(compra, itens, total_centavos)

    async def _ainda_vale(self, compra: Compra) -> bool:
        """Whether an intent that was taken up again is still what the customer wants: one who changed the cart since,
        or ordered it by another call, must not get the old one too.
        """
        if compra.idade > DESISTE_APOS:
            return False
        try:
            carrinho = await self._carrinhos.obter(compra.carrinho.sessao_id)
        except CarrinhoNaoEncontrado:
            return False
        return carrinho.versao == compra.carrinho.versao

    async def _confirmar(self, compra: Compra) -> Compra:
        try:
            await self._catalogo.confirmar(compra.pedido_id)
        except ReservaExpirada as falha:
            compra = await self._compras.desistir(compra, falha)
            if compra.etapa is not Etapa.GRAVADA:
                return compra
            # Somebody cancelled the order, and its stock went back, before it was sold: that is the outcome.
        return await self._compras.responder(compra)

    async def _acertar(self, compra: Compra) -> None:
        """Pays what an attempt owes once its outcome is durable."""
        if compra.etapa is Etapa.RESPONDIDA:
            await self._carrinhos.esvaziar(compra.carrinho.sessao_id, compra.carrinho.versao)
        elif compra.etapa is Etapa.FALHANDO:
            await self._catalogo.liberar(compra.pedido_id)
        else:
            return
        await self._compras.concluir(compra)

    def _soltar_depois(self, compra: Compra) -> asyncio.Task[None]:
        """Ends the lease of a call that stops here, so that a retry need not wait for it. In a context of its own: the
        call may have no time left for it.
        """
        task = asyncio.get_running_loop().create_task(self._soltar(compra), context=Context())
        self._soltando.add(task)
        task.add_done_callback(self._soltando.discard)
        return task

    async def _soltar(self, compra: Compra) -> None:
        with suppress(ServicoIndisponivel):
            await self._compras.soltar(compra)
