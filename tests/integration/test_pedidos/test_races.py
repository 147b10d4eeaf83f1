"""What must hold when calls, instances and completers meet, on PostgreSQL."""

import asyncio
import uuid
from collections import Counter

import grpc
import pytest
from confeitaria.pedidos.v1 import pedidos_pb2 as pb

from chassis.client import remote_error
from chassis.postgres import Postgres
from pedidos.domain import Carrinho, Cliente, Compra, EstoqueInsuficiente, Etapa, ItemCarrinho, Solicitacao
from pedidos.repository import PedidosPostgres, transactions
from tests.integration.test_pedidos.conftest import Database, compras_of
from tests.integration.test_pedidos.running import CLIENTE, SECONDS, Client, Vizinhos, eventually

QUEM = Cliente(CLIENTE.nome, CLIENTE.email, CLIENTE.telefone)


async def ends(*calls: object) -> list[str]:
    """Each call's status or reason."""
    found = await asyncio.gather(*calls, return_exceptions=True)  # type: ignore[call-overload]
    return [_end(each) for each in found]


def _end(found: object) -> str:
    if isinstance(found, grpc.aio.AioRpcError):
        return remote_error(found).reason
    assert isinstance(found, pb.Pedido), found
    return pb.StatusPedido.Name(found.status)


@pytest.mark.parametrize("chave", ["7b0c4a3e-3f0e-4f0c-9a55-6a4f6f0e2d11", ""], ids=["key", "no key"])
async def test_fifty_calls_at_once_make_one_order_and_get_one_answer(
    loja: Client, outra_loja: Client, vizinhos: Vizinhos, database: Database, chave: str
) -> None:
    sessao_id = vizinhos.carrinho_cheio()
    pedidos = await asyncio.gather(*(who.criar(sessao_id, chave) for who in (loja, outra_loja) for _ in range(25)))
    assert len({pedido.SerializeToString(deterministic=True) for pedido in pedidos}) == 1
    assert vizinhos.estoque()[0] == (998, 0, 2)
    assert len(vizinhos.catalogo.catalogo.reservas) == 1
    assert database.execute("SELECT count(*) FROM pedidos") == [(1,)]


async def test_ten_cakes_make_ten_orders(loja: Client, outra_loja: Client, vizinhos: Vizinhos) -> None:
    vizinhos.catalogo.catalogo.produtos[1].disponivel = 10
    sessoes = [vizinhos.carrinho_cheio((1, 1)) for _ in range(60)]
    instances = (loja, outra_loja) * 30
    told = await ends(*(who.criar(sessao) for who, sessao in zip(instances, sessoes, strict=True)))
    assert Counter(told) == {"CONFIRMADO": 10, "ESTOQUE_INSUFICIENTE": 50}
    await eventually(lambda: vizinhos.estoque()[0] == (0, 0, 10))


async def test_many_customers_at_once_get_each_their_own(
    loja: Client, outra_loja: Client, vizinhos: Vizinhos, database: Database
) -> None:
    sessoes = [vizinhos.carrinho_cheio((1, 1 + number % 3), (2, 1)) for number in range(150)]
    instances = (loja, outra_loja) * 75
    pedidos = await asyncio.gather(
        *(who.criar(sessao, str(uuid.uuid4())) for who, sessao in zip(instances, sessoes, strict=True))
    )
    for number, (sessao, pedido) in enumerate(zip(sessoes, pedidos, strict=True)):
        assert pedido.sessao_id == sessao
        assert [item.quantidade for item in pedido.itens] == [1 + number % 3, 1]
        assert [seq for seq, *_ in database.events(pedido.pedido_id)] == [1, 2]
    await eventually(lambda: database.execute("SELECT DISTINCT etapa FROM compras") == [("CONCLUIDA",)])


async def test_of_a_cancellation_and_a_step_that_race_one_wins_and_stock_agrees(
    loja: Client, outra_loja: Client, vizinhos: Vizinhos, database: Database
) -> None:
    pedidos = [await loja.criar(vizinhos.carrinho_cheio((1, 1))) for _ in range(20)]
    for pedido in pedidos:
        step = pb.AtualizarStatusPedidoRequest(pedido_id=pedido.pedido_id, status=pb.EM_PREPARO)
        await loja.stub.AtualizarStatusPedido(step)
        step.status = pb.PRONTO
        calls = [
            loja.stub.CancelarPedido(pb.CancelarPedidoRequest(pedido_id=pedido.pedido_id), timeout=SECONDS),
            outra_loja.stub.AtualizarStatusPedido(step, timeout=SECONDS),
        ]
        told = sorted(await ends(*calls))
        assert told in (["CANCELADO", "TRANSICAO_INVALIDA"], ["PRONTO", "TRANSICAO_INVALIDA"])
        assert [seq for seq, *_ in database.events(pedido.pedido_id)] == [1, 2, 3, 4]
    cancelled = database.execute("SELECT count(*) FROM pedidos WHERE status = 'CANCELADO'")[0][0]
    assert vizinhos.estoque()[0] == (980 + cancelled, 0, 20 - cancelled)


@pytest.mark.parametrize("when", ["before", "after"])
async def test_order_cancelled_while_it_is_confirmed_leaves_no_stock_sold(
    loja: Client, outra_loja: Client, vizinhos: Vizinhos, when: str
) -> None:
    """Before the sale it is refused, after it the sale is undone; either way the answer is the cancelled order."""
    sessao_id, chave = vizinhos.carrinho_cheio(), str(uuid.uuid4())

    async def cancel(name: str) -> None:
        if name == "ConfirmarReserva":
            setattr(vizinhos.catalogo, when, None)
            (pedido,) = (await outra_loja.stub.ListarPedidos(pb.ListarPedidosRequest(sessao_id=sessao_id))).pedidos
            assert pedido.status == pb.PENDENTE
            await outra_loja.stub.CancelarPedido(pb.CancelarPedidoRequest(pedido_id=pedido.pedido_id))

    setattr(vizinhos.catalogo, when, cancel)
    pedido = await loja.criar(sessao_id, chave)
    assert pedido.status == pb.CANCELADO
    assert vizinhos.estoque() == [(1000, 0, 0), (1000, 0, 0)]
    assert await outra_loja.criar(sessao_id, chave) == pedido


async def abandoned(postgres: Postgres, vizinhos: Vizinhos, ate: Etapa) -> Compra:
    """An attempt whose process died when it had come so far."""
    compras, catalogo = compras_of(postgres), vizinhos.catalogo.catalogo
    sessao_id = vizinhos.carrinho_cheio((1, 1))
    itens = (ItemCarrinho(1, 1),)
    solicitacao = Solicitacao(sessao_id, QUEM, "", str(uuid.uuid4()))
    compra = await compras.registrar(solicitacao.request_id, solicitacao, Carrinho(sessao_id, 1, itens))
    if ate is Etapa.FALHANDO:
        return await compras.desistir(compra, EstoqueInsuficiente(1, 1, 0))
    if ate is not Etapa.INICIADA:
        reservados = await catalogo.reservar(compra.pedido_id, itens)
        compra = await compras.gravar(compra, reservados, sum(item.subtotal_centavos for item in reservados))
    if ate is Etapa.RESPONDIDA:
        await catalogo.confirmar(compra.pedido_id)
        compra = await compras.responder(compra)
    return compra


async def test_retry_takes_over_a_dead_owners_attempt(
    loja: Client, vizinhos: Vizinhos, database: Database, postgres: Postgres
) -> None:
    for ate in (Etapa.INICIADA, Etapa.GRAVADA, Etapa.RESPONDIDA):
        compra = await abandoned(postgres, vizinhos, ate)
        database.advance(5)
        pedido = await loja.criar(compra.solicitacao.sessao_id, compra.chave)
        assert (pedido.pedido_id, pedido.status) == (compra.pedido_id, pb.CONFIRMADO)
        if compra.resposta is not None:
            assert pedido.SerializeToString() == compra.resposta


async def test_retry_waits_for_an_owner_who_may_live(loja: Client, vizinhos: Vizinhos, postgres: Postgres) -> None:
    """Nothing is taken away from it before its lease is over; then the waiting call itself goes on."""
    compra = await abandoned(postgres, vizinhos, Etapa.INICIADA)
    began = asyncio.get_running_loop().time()
    pedido = await loja.criar(compra.solicitacao.sessao_id, compra.chave)
    assert pedido.pedido_id == compra.pedido_id
    assert asyncio.get_running_loop().time() - began > 3


async def test_completers_of_two_instances_finish_everything_once(
    loja: Client, outra_loja: Client, vizinhos: Vizinhos, database: Database, postgres: Postgres
) -> None:
    assert await loja.serving()
    assert await outra_loja.serving()
    etapas = [Etapa.INICIADA, Etapa.GRAVADA, Etapa.RESPONDIDA, Etapa.FALHANDO]
    compras = [await abandoned(postgres, vizinhos, etapas[number % 4]) for number in range(80)]
    database.advance(5)
    left = "SELECT count(*) FROM compras WHERE etapa NOT IN ('CONCLUIDA', 'FALHOU')"
    await eventually(lambda: database.execute(left) == [(0,)], "all are finished")

    assert vizinhos.estoque()[0] == (940, 0, 60)
    assert database.execute("SELECT status, count(*) FROM pedidos GROUP BY status") == [("CONFIRMADO", 60)]
    for compra in compras:
        seqs = [seq for seq, *_ in database.events(compra.pedido_id)]
        assert seqs == ([] if compra.etapa is Etapa.FALHANDO else [1, 2])
        carrinho = vizinhos.carrinho.carrinhos.carrinhos[compra.carrinho.sessao_id]
        assert bool(carrinho.itens) is (compra.etapa is Etapa.FALHANDO)
    calls = Counter(vizinhos.catalogo.calls)
    assert calls == {"ReservarEstoque": 20, "ConfirmarReserva": 40, "LiberarReserva": 20}


async def test_claims_that_meet_never_share_an_attempt(database: Database, postgres: Postgres) -> None:
    """Several completers look at the same moment."""
    workers = [compras_of(postgres) for _ in range(6)]
    itens = (ItemCarrinho(1, 1),)

    async def registered() -> Compra:
        solicitacao = Solicitacao("sessao", QUEM, "", str(uuid.uuid4()))
        return await workers[0].registrar(solicitacao.request_id, solicitacao, Carrinho("sessao", 1, itens))

    compras = await asyncio.gather(*(registered() for _ in range(120)))
    for _ in range(5):
        database.advance(5)
        claims = await asyncio.gather(*(worker.vencidas(30) for worker in workers))
        claimed = Counter(compra.pedido_id for claim in claims for compra in claim)
        assert claimed == Counter(compra.pedido_id for compra in compras)
    database.advance(5)
    one = compras[0].pedido_id
    taken = await asyncio.gather(*(worker.assumir(one) for worker in workers))
    assert [compra.minha for compra in taken if compra].count(True) == 1


async def test_claims_that_meet_never_share_a_debt(
    loja: Client, vizinhos: Vizinhos, database: Database, postgres: Postgres
) -> None:
    pedidos = [await loja.criar(vizinhos.carrinho_cheio()) for _ in range(30)]
    database.execute("UPDATE pedidos SET status = 'CANCELADO', devolver_em = now() + interval '1 hour'")
    workers = [PedidosPostgres(transactions(postgres)) for _ in range(6)]
    for _ in range(5):
        database.execute("UPDATE pedidos SET devolver_em = now() + interval '1 hour'")
        database.advance(3601)
        claims = await asyncio.gather(*(worker.a_devolver(10) for worker in workers))
        claimed = Counter(pedido_id for claim in claims for pedido_id in claim)
        assert set(claimed.values()) == {1}
        assert claimed.keys() <= {pedido.pedido_id for pedido in pedidos}
