"""Orders over their own gRPC port: every RPC of the contract, on PostgreSQL, before stand-in neighbours."""

import asyncio
import uuid

import grpc
import pytest
from confeitaria.pedidos.v1 import pedidos_pb2 as pb

from pedidos.domain import ServicoIndisponivel
from tests.integration.test_pedidos.conftest import Database
from tests.integration.test_pedidos.running import CLIENTE, SECONDS, Client, Vizinhos, eventually, refused

NINGUEM = "0192f000-0000-7000-8000-00000000dead"


def novo_id() -> str:
    return str(uuid.uuid4())


async def test_order_is_complete_confirmed_and_paid_for_by_stock(
    loja: Client, vizinhos: Vizinhos, database: Database
) -> None:
    sessao_id = vizinhos.carrinho_cheio()
    pedido = await loja.criar(sessao_id, novo_id(), "sem nozes ☕")
    assert uuid.UUID(pedido.pedido_id).version == 7
    assert (pedido.sessao_id, pedido.status, pedido.total_centavos) == (sessao_id, pb.CONFIRMADO, 10_500)
    assert (pedido.cliente, pedido.observacao) == (CLIENTE, "sem nozes ☕")
    assert [(i.produto_id, i.nome, i.preco_centavos, i.quantidade, i.subtotal_centavos) for i in pedido.itens] == [
        (1, "Bolo", 4000, 2, 8000),
        (2, "Torta", 2500, 1, 2500),
    ]
    assert pedido.atualizado_em.ToDatetime() > pedido.criado_em.ToDatetime()
    assert vizinhos.estoque() == [(998, 0, 2), (999, 0, 1)]
    assert not vizinhos.carrinho.carrinhos.carrinhos[sessao_id].itens

    assert await loja.stub.ObterPedido(pb.ObterPedidoRequest(pedido_id=pedido.pedido_id)) == pedido
    stored = database.execute("SELECT criado_em FROM pedidos WHERE pedido_id = %s", pedido.pedido_id)[0][0]
    assert pedido.criado_em.ToMicroseconds() == int(stored.timestamp() * 1_000_000 + 0.5)
    assert database.events(pedido.pedido_id) == [
        (1, "pedido_criado", "PENDENTE"),
        (2, "pedido_confirmado", "CONFIRMADO"),
    ]


async def test_replay_is_the_same_bytes_whatever_became_of_the_order(loja: Client, vizinhos: Vizinhos) -> None:
    sessao_id, chave = vizinhos.carrinho_cheio(), novo_id()
    first = await loja.criar(sessao_id, chave)
    await loja.stub.CancelarPedido(pb.CancelarPedidoRequest(pedido_id=first.pedido_id))
    again = await loja.criar(sessao_id, chave.upper())
    assert again.SerializeToString(deterministic=True) == first.SerializeToString(deterministic=True)
    other = await refused(loja.criar(sessao_id, chave, "outra"))
    assert (other.code, other.reason, other.metadata) == (
        grpc.StatusCode.ALREADY_EXISTS,
        "CHAVE_REUTILIZADA",
        {"chave": chave},
    )


async def test_refusals_say_why_in_the_words_of_the_contract(loja: Client, vizinhos: Vizinhos) -> None:
    unknown = await refused(loja.criar("ninguém"))
    assert (unknown.code, unknown.reason) == (grpc.StatusCode.NOT_FOUND, "CARRINHO_NAO_ENCONTRADO")
    assert unknown.metadata == {"sessao_id": "ninguém"}

    vizinhos.carrinho.carrinhos.encher("vazio")
    empty = await refused(loja.criar("vazio"))
    assert (empty.code, empty.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "CARRINHO_VAZIO")

    vizinhos.catalogo.catalogo.produtos[1].disponivel = 3
    sessao_id = vizinhos.carrinho_cheio((2, 1), (1, 4))
    short = await refused(loja.criar(sessao_id, novo_id()))
    assert (short.code, short.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "ESTOQUE_INSUFICIENTE")
    assert short.metadata == {"produto_id": "1", "solicitado": "4", "disponivel": "3"}
    assert vizinhos.carrinho.carrinhos.carrinhos[sessao_id].itens

    vizinhos.catalogo.catalogo.produtos[2].ativo = False
    gone = await refused(loja.criar(vizinhos.carrinho_cheio((2, 1)), novo_id()))
    assert (gone.code, gone.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "PRODUTO_INDISPONIVEL")
    assert gone.metadata == {"produto_id": "2"}

    vizinhos.catalogo.catalogo.produtos[1].preco_centavos = 1_000_000_000
    dear = await refused(loja.criar(vizinhos.carrinho_cheio((1, 3)), novo_id()))
    assert (dear.code, dear.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "TOTAL_EXCEDE_LIMITE")
    assert dear.metadata == {"total_centavos": "3000000000", "limite_centavos": "2000000000"}
    assert all(reservado == 0 for _, reservado, _ in vizinhos.estoque())


@pytest.mark.parametrize("campo", ["sessao_id", "observacao", "nome"])
async def test_null_character_is_refused_before_anything_happens(loja: Client, vizinhos: Vizinhos, campo: str) -> None:
    request = pb.CriarPedidoRequest(sessao_id=vizinhos.carrinho_cheio(), cliente=CLIENTE)
    setattr(request.cliente if campo == "nome" else request, campo, "a\0b")
    refusal = await refused(loja.stub.CriarPedido(request, timeout=SECONDS))
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "REQUISICAO_INVALIDA")
    assert vizinhos.carrinho.calls == []


async def test_null_characters_elsewhere_are_refused_too(loja: Client) -> None:
    cancel = loja.stub.CancelarPedido(pb.CancelarPedidoRequest(pedido_id=NINGUEM, motivo="a\0b"))
    listing = loja.stub.ListarPedidos(pb.ListarPedidosRequest(sessao_id="a\0b"))
    assert [(await refused(call)).reason for call in (cancel, listing)] == ["REQUISICAO_INVALIDA"] * 2


async def test_unknown_orders_are_not_found(loja: Client) -> None:
    async def followed() -> object:
        return [each async for each in loja.stub.AcompanharPedido(pb.AcompanharPedidoRequest(pedido_id=NINGUEM))]

    calls = [
        loja.stub.ObterPedido(pb.ObterPedidoRequest(pedido_id=NINGUEM.upper())),
        loja.stub.CancelarPedido(pb.CancelarPedidoRequest(pedido_id=NINGUEM)),
        loja.stub.AtualizarStatusPedido(pb.AtualizarStatusPedidoRequest(pedido_id=NINGUEM, status=pb.CONFIRMADO)),
        loja.stub.AtualizarStatusPedido(pb.AtualizarStatusPedidoRequest(pedido_id=NINGUEM, status=pb.PRONTO)),
        followed(),
    ]
    for call in calls:
        refusal = await refused(call)
        assert (refusal.code, refusal.reason) == (grpc.StatusCode.NOT_FOUND, "PEDIDO_NAO_ENCONTRADO")
        assert refusal.metadata == {"pedido_id": NINGUEM}


async def mudar(loja: Client, pedido_id: str, status: int) -> pb.Pedido:
    request = pb.AtualizarStatusPedidoRequest(pedido_id=pedido_id, status=status)  # type: ignore[arg-type]
    pedido: pb.Pedido = await loja.stub.AtualizarStatusPedido(request, timeout=SECONDS)
    return pedido


async def test_order_walks_to_its_delivery_step_by_step(loja: Client, vizinhos: Vizinhos) -> None:
    pedido = await loja.criar(vizinhos.carrinho_cheio())
    skipped = await refused(mudar(loja, pedido.pedido_id, pb.PRONTO))
    assert (skipped.reason, skipped.metadata) == ("TRANSICAO_INVALIDA", {"de": "CONFIRMADO", "para": "PRONTO"})
    assert skipped.code == grpc.StatusCode.FAILED_PRECONDITION
    assert await mudar(loja, pedido.pedido_id, pb.CONFIRMADO) == pedido
    for status in (pb.EM_PREPARO, pb.PRONTO, pb.ENTREGUE):
        before, pedido = pedido, await mudar(loja, pedido.pedido_id, status)
        assert pedido.status == status
        assert pedido.atualizado_em.ToDatetime() > before.atualizado_em.ToDatetime()
        assert await mudar(loja, pedido.pedido_id, status) == pedido
    late = await refused(loja.stub.CancelarPedido(pb.CancelarPedidoRequest(pedido_id=pedido.pedido_id)))
    assert (late.reason, late.metadata) == ("TRANSICAO_INVALIDA", {"de": "ENTREGUE", "para": "CANCELADO"})


@pytest.mark.parametrize("by_status", [True, False])
async def test_cancelling_gives_stock_back_once(
    loja: Client, vizinhos: Vizinhos, database: Database, by_status: bool  # noqa: FBT001
) -> None:  # fmt: skip
    pedido = await loja.criar(vizinhos.carrinho_cheio())
    cancel = pb.CancelarPedidoRequest(pedido_id=pedido.pedido_id, motivo="Mudei de ideia 'agora'")
    for _ in range(2):
        if by_status:
            cancelado = await mudar(loja, pedido.pedido_id, pb.CANCELADO)
        else:
            cancelado = await loja.stub.CancelarPedido(cancel, timeout=SECONDS)
        assert cancelado.status == pb.CANCELADO
        assert vizinhos.estoque() == [(1000, 0, 0), (1000, 0, 0)]
    assert [tipo for _, tipo, _ in database.events(pedido.pedido_id)][2:] == ["pedido_cancelado"]
    found = "SELECT motivo_cancelamento, devolver_em FROM pedidos WHERE pedido_id = %s"
    assert database.execute(found, pedido.pedido_id) == [("" if by_status else cancel.motivo, None)]


async def test_stock_comes_back_as_soon_as_the_catalog_does(
    loja: Client, vizinhos: Vizinhos, database: Database
) -> None:
    pedido = await loja.criar(vizinhos.carrinho_cheio())

    async def away(_: str) -> None:
        raise ServicoIndisponivel("catalogo")

    vizinhos.catalogo.before = away
    cancelado = await loja.stub.CancelarPedido(pb.CancelarPedidoRequest(pedido_id=pedido.pedido_id), timeout=SECONDS)
    assert cancelado.status == pb.CANCELADO
    assert vizinhos.estoque()[0] == (998, 0, 2)
    vizinhos.catalogo.before = None
    database.advance(5)
    await eventually(lambda: vizinhos.estoque()[0] == (1000, 0, 0), "the completer gives the stock back")


async def test_pages_are_newest_first_and_neither_repeat_nor_skip(loja: Client, vizinhos: Vizinhos) -> None:
    sessao_id = vizinhos.carrinho_cheio()
    feitos = []
    for number in range(7):
        vizinhos.carrinho.carrinhos.encher(sessao_id, (1, 1 + number))
        feitos.append(await loja.criar(sessao_id))
    await loja.criar(vizinhos.carrinho_cheio())

    request = pb.ListarPedidosRequest(sessao_id=sessao_id, page_size=3)
    vistos = []
    while True:
        page = await loja.stub.ListarPedidos(request, timeout=SECONDS)
        vistos += page.pedidos
        assert len(page.pedidos) <= 3
        if not page.next_page_token:
            break
        vizinhos.carrinho.carrinhos.encher(sessao_id, (1, 1))
        await loja.criar(sessao_id)
        request.page_token = page.next_page_token
    assert vistos == feitos[::-1]


async def test_page_token_holds_for_its_filter_alone(loja: Client, vizinhos: Vizinhos) -> None:
    for _ in range(2):
        await loja.criar(vizinhos.carrinho_cheio())
    page = await loja.stub.ListarPedidos(pb.ListarPedidosRequest(page_size=1))
    token = page.next_page_token
    bad = [
        pb.ListarPedidosRequest(page_token=token, status=pb.CONFIRMADO),
        pb.ListarPedidosRequest(page_token=token, sessao_id="outra"),
        pb.ListarPedidosRequest(page_token=token[:-2] + ("AA" if token[-2:] != "AA" else "BB")),
        pb.ListarPedidosRequest(page_token="x"),
        pb.ListarPedidosRequest(page_size=-1),
        pb.ListarPedidosRequest(status=17),  # type: ignore[arg-type]
    ]
    for request in bad:
        refusal = await refused(loja.stub.ListarPedidos(request, timeout=SECONDS))
        assert (refusal.code, refusal.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "REQUISICAO_INVALIDA")
    assert len((await loja.stub.ListarPedidos(pb.ListarPedidosRequest(page_token=token))).pedidos) == 1


async def test_status_filter_shows_only_that_status(loja: Client, vizinhos: Vizinhos) -> None:
    pedidos = [await loja.criar(vizinhos.carrinho_cheio()) for _ in range(3)]
    await mudar(loja, pedidos[1].pedido_id, pb.EM_PREPARO)
    listed = await loja.stub.ListarPedidos(pb.ListarPedidosRequest(status=pb.EM_PREPARO))
    assert [pedido.pedido_id for pedido in listed.pedidos] == [pedidos[1].pedido_id]
    assert not (await loja.stub.ListarPedidos(pb.ListarPedidosRequest(status=pb.ENTREGUE))).pedidos


async def test_followers_of_every_instance_see_each_change(
    loja: Client, outra_loja: Client, vizinhos: Vizinhos
) -> None:
    pedido = await loja.criar(vizinhos.carrinho_cheio())
    request = pb.AcompanharPedidoRequest(pedido_id=pedido.pedido_id)
    streams = [instance.stub.AcompanharPedido(request, timeout=SECONDS) for instance in (loja, outra_loja)]
    for stream in streams:
        assert (await stream.read()).status == pb.CONFIRMADO
    for status in (pb.EM_PREPARO, pb.PRONTO, pb.ENTREGUE):
        changed = await mudar(loja, pedido.pedido_id, status)
        async with asyncio.timeout(1):  # "within about half a second", on a busy machine
            for stream in streams:
                seen = await stream.read()
                assert (seen.pedido_id, seen.status) == (pedido.pedido_id, status)
                assert seen.atualizado_em == changed.atualizado_em
    for stream in streams:
        assert await stream.read() is grpc.aio.EOF


async def test_following_a_finished_order_is_one_message(loja: Client, vizinhos: Vizinhos) -> None:
    pedido = await loja.criar(vizinhos.carrinho_cheio())
    await loja.stub.CancelarPedido(pb.CancelarPedidoRequest(pedido_id=pedido.pedido_id))
    stream = loja.stub.AcompanharPedido(pb.AcompanharPedidoRequest(pedido_id=pedido.pedido_id), timeout=SECONDS)
    assert [each.status async for each in stream] == [pb.CANCELADO]


async def test_lost_answer_of_the_catalog_is_unavailable_and_the_order_goes_on(
    loja: Client, vizinhos: Vizinhos
) -> None:
    sessao_id, chave = vizinhos.carrinho_cheio(), novo_id()
    lost = {"ConfirmarReserva"}

    async def lose(name: str) -> None:
        if name in lost:
            lost.remove(name)
            raise ServicoIndisponivel("catalogo")

    vizinhos.catalogo.after = lose
    refusal = await refused(loja.criar(sessao_id, chave))
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.UNAVAILABLE, "SERVICO_INDISPONIVEL")
    pedido = await loja.criar(sessao_id, chave)
    assert pedido.status == pb.CONFIRMADO
    assert vizinhos.estoque()[0] == (998, 0, 2)
    assert vizinhos.catalogo.calls.count("ReservarEstoque") == 1


async def test_hanging_catalog_is_told_before_the_callers_patience_ends(loja: Client, vizinhos: Vizinhos) -> None:
    async def hang(_: str) -> None:
        await asyncio.sleep(30)

    vizinhos.catalogo.before = hang
    refusal = await refused(loja.criar(vizinhos.carrinho_cheio(), novo_id(), seconds=3.0))
    assert refusal.code == grpc.StatusCode.UNAVAILABLE


async def test_unforeseen_answer_of_a_neighbour_leaves_the_outcome_open(
    loja: Client, vizinhos: Vizinhos, database: Database
) -> None:
    """Whatever it says that is no refusal we know: nobody can tell what it did, so the attempt is carried on."""
    sessao_id, chave = vizinhos.carrinho_cheio(), novo_id()

    async def stumble(_: str) -> None:
        vizinhos.catalogo.before = None
        raise ZeroDivisionError

    vizinhos.catalogo.before = stumble
    refusal = await refused(loja.criar(sessao_id, chave))
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.UNAVAILABLE, "SERVICO_INDISPONIVEL")
    settled = "SELECT count(*) FROM compras WHERE etapa = 'CONCLUIDA'"
    await eventually(lambda: database.execute(settled) == [(1,)], "the completer goes on")
    assert (await loja.criar(sessao_id, chave)).status == pb.CONFIRMADO


async def test_request_without_its_parts_is_told_which(loja: Client) -> None:
    refusal = await refused(loja.stub.CriarPedido(pb.CriarPedidoRequest(request_id="x"), timeout=SECONDS))
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "REQUISICAO_INVALIDA")
    status = await refused(
        loja.stub.AtualizarStatusPedido(pb.AtualizarStatusPedidoRequest(pedido_id=NINGUEM), timeout=SECONDS)
    )
    assert (status.code, status.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "REQUISICAO_INVALIDA")
