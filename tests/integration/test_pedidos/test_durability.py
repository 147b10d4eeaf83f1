"""Nobody is answered before the disk has it: only a commit in which nobody waits for an answer may reach it later."""

import asyncio
import uuid
from collections.abc import Callable
from typing import TypeVar

from sqlalchemy import Connection, text

from chassis.postgres import Postgres
from pedidos.domain import Carrinho, Cliente, Compra, ItemCarrinho, ItemPedido, Solicitacao
from pedidos.repository import ComprasPostgres, transactions
from pedidos.servicer import pedido_em_bytes

T = TypeVar("T")
ITENS = (ItemPedido(1, "Bolo", 4000, 2),)


class Watched:
    """Transactions that begin when `gate` is open, so that what is asked for meanwhile gathers; they note at their end
    whether their commit waits for the disk.
    """

    def __init__(self, postgres: Postgres) -> None:
        self._run = transactions(postgres)
        self.gate = asyncio.Event()
        self.gate.set()
        self.lasting: list[bool] = []

    async def __call__(self, work: Callable[[Connection], T], /) -> T:
        await self.gate.wait()

        def watched(connection: Connection) -> T:
            connection.execute(text("SET LOCAL synchronous_commit = on"))  # the tests' server is in a hurry
            done = work(connection)
            self.lasting.append(connection.execute(text("SHOW synchronous_commit")).scalar() == "on")
            return done

        return await self._run(watched)


async def registrada(compras: ComprasPostgres) -> Compra:
    solicitacao = Solicitacao("sessao", Cliente("Ana", "ana@example.com", ""), "", str(uuid.uuid4()))
    return await compras.registrar(solicitacao.request_id, solicitacao, Carrinho("sessao", 1, (ItemCarrinho(1, 2),)))


async def test_what_is_answered_waits_for_the_disk_whatever_shares_its_commit(postgres: Postgres) -> None:
    run = Watched(postgres)
    compras = ComprasPostgres(run, pedido_em_bytes, dono="este")
    feita, gravada, nova = [await registrada(compras) for _ in range(3)]
    feita = await compras.responder(await compras.gravar(feita, ITENS, 8000))
    gravada = await compras.gravar(gravada, ITENS, 8000)

    run.lasting.clear()
    run.gate.clear()
    begun = asyncio.ensure_future(compras.concluir(feita))  # a commit of its own, in which nobody waits
    await asyncio.sleep(0)
    steps = [
        asyncio.ensure_future(step)
        for step in (compras.responder(gravada), compras.concluir(feita), compras.gravar(nova, ITENS, 8000))
    ]
    await asyncio.sleep(0)  # they are asked for together
    run.gate.set()
    await asyncio.gather(begun, *steps)
    assert run.lasting[-1], "an answer was given that a crash of the database forgets"
