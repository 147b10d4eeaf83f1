"""Many at once for the same thing: the database decides, and nothing is lost, sold twice or given back twice."""

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Sequence
from uuid import UUID, uuid4

from catalogo.domain.errors import (
    CatalogoError,
    EstoqueInsuficiente,
    ReservaLiberada,
)
from catalogo.domain.estoque import (
    Ajustar,
    Comando,
    Confirmar,
    ItemReservar,
    Liberar,
    Operacao,
    Reserva,
    Reservar,
    StatusReserva,
)
from catalogo.domain.produtos import AlteracaoProduto, NovaCategoria, NovoProduto, Produto
from catalogo.repository.estoque import EstoqueRepository
from catalogo.repository.produtos import ProdutoRepository
from catalogo.use_cases import Feito
from tests.integration.test_catalogo.conftest import Database

Novo = Callable[..., NovoProduto]
Resposta = Reserva | Produto | CatalogoError


async def at_once(estoque: EstoqueRepository, comandos: Sequence[Comando]) -> list[Resposta]:
    feitos: list[Feito] = await asyncio.gather(*(estoque.executar(comando) for comando in comandos))
    return [feito.resposta for feito in feitos]


def kinds(respostas: Sequence[object]) -> Counter[str]:
    return Counter(type(resposta).__name__ for resposta in respostas)


def reservar(*itens: tuple[int, int], reserva_id: UUID | None = None) -> Reservar:
    return Reservar(reserva_id or uuid4(), tuple(ItemReservar(*item) for item in itens))


async def test_fifty_customers_for_ten_cakes_buy_ten(
    books: Database, produtos: ProdutoRepository, estoque: EstoqueRepository, novo: Novo
) -> None:
    produto_id = (await produtos.criar(novo(10), None, "")).produto_id
    respostas = await at_once(estoque, [reservar((produto_id, 1)) for _ in range(50)])
    assert kinds(respostas) == {"Reserva": 10, "EstoqueInsuficiente": 40}
    assert all(r.disponivel == 0 for r in respostas if isinstance(r, EstoqueInsuficiente))
    assert books.query("SELECT disponivel, reservado FROM produtos WHERE produto_id = %s", produto_id) == [(0, 10)]


async def test_the_last_unit_is_sold_once(
    books: Database, produtos: ProdutoRepository, estoque: EstoqueRepository, novo: Novo
) -> None:
    for _ in range(10):
        produto_id = (await produtos.criar(novo(1), None, "")).produto_id
        removing = Ajustar(produto_id, Operacao.REMOVER, 1)
        respostas = await at_once(estoque, [removing, *(reservar((produto_id, 1)) for _ in range(3)), removing])
        assert kinds(respostas)["EstoqueInsuficiente"] == 4
    books.audit()


async def test_concurrent_movements_add_up(
    books: Database, produtos: ProdutoRepository, estoque: EstoqueRepository, novo: Novo
) -> None:
    produto_id = (await produtos.criar(novo(0), None, "")).produto_id
    respostas = await at_once(estoque, [Ajustar(produto_id, Operacao.ADICIONAR, n) for n in range(1, 51)])
    assert kinds(respostas) == {"Produto": 50}
    assert (await produtos.disponibilidade(produto_id)).disponivel == sum(range(1, 51))
    assert max(r.estoque for r in respostas if isinstance(r, Produto)) == sum(range(1, 51))
    books.audit()


async def test_one_key_at_once_is_one_effect(
    books: Database, produtos: ProdutoRepository, estoque: EstoqueRepository, novo: Novo
) -> None:
    one, other = [(await produtos.criar(novo(50), None, "")).produto_id for _ in range(2)]
    for _ in range(5):
        comando = reservar((one, 1))
        respostas = await at_once(estoque, [comando] * 10)
        assert [r.status for r in respostas if isinstance(r, Reserva)] == [StatusReserva.ATIVA] * 10
        chave = uuid4()
        respostas = await at_once(estoque, [Ajustar(other, Operacao.REMOVER, 1, chave)] * 10)
        assert kinds(respostas) == {"Produto": 10}
    assert (await produtos.disponibilidade(one)).disponivel == 45
    assert (await produtos.disponibilidade(other)).disponivel == 45
    made = await asyncio.gather(*(produtos.criar(novo(3, nome="Um só"), chave, "") for _ in range(10)))
    assert len({produto.produto_id for produto in made}) == 1
    books.audit()


async def test_one_key_at_once_for_different_things_is_one_of_them(
    books: Database, produtos: ProdutoRepository, estoque: EstoqueRepository, novo: Novo
) -> None:
    ids = [(await produtos.criar(novo(9), None, "")).produto_id for _ in range(4)]
    for _ in range(5):
        chave = uuid4()
        respostas = await at_once(estoque, [reservar((key, 1), reserva_id=chave) for key in ids])
        assert kinds(respostas) == {"Reserva": 1, "ChaveReutilizada": 3}
        respostas = await at_once(estoque, [Ajustar(key, Operacao.ADICIONAR, 1, chave) for key in ids])
        assert kinds(respostas) == {"Produto": 1, "ChaveReutilizada": 3}
    assert sum([(await produtos.disponibilidade(key)).disponivel for key in ids]) == 36
    books.audit()


async def test_a_release_and_its_reservation_at_once_leave_no_stock_aside(
    books: Database, produtos: ProdutoRepository, estoque: EstoqueRepository, novo: Novo
) -> None:
    produto_id = (await produtos.criar(novo(20), None, "")).produto_id
    for _ in range(15):
        comando = reservar((produto_id, 1))
        first, second = await at_once(estoque, [comando, Liberar(comando.reserva_id)])
        assert isinstance(second, Reserva)
        assert second.status is StatusReserva.LIBERADA
        assert isinstance(first, Reserva | ReservaLiberada)
    assert (await produtos.disponibilidade(produto_id)).disponivel == 20
    books.audit()


async def test_confirming_and_releasing_at_once_give_one_story(
    books: Database, produtos: ProdutoRepository, estoque: EstoqueRepository, novo: Novo
) -> None:
    produto_id = (await produtos.criar(novo(20), None, "")).produto_id
    for _ in range(10):
        comando = reservar((produto_id, 1))
        await estoque.executar(comando)
        ends: list[Comando] = [Confirmar(comando.reserva_id), Liberar(comando.reserva_id)] * 4
        await at_once(estoque, ends)
    assert (await produtos.disponibilidade(produto_id)).disponivel == 20, "released in the end, whoever came first"
    books.audit()


async def test_an_expiry_is_returned_once_whoever_meets_it(
    books: Database, produtos: ProdutoRepository, estoque: EstoqueRepository, novo: Novo
) -> None:
    produto_id = (await produtos.criar(novo(30), None, "")).produto_id
    reservas = [reservar((produto_id, 1)) for _ in range(30)]
    await at_once(estoque, reservas)
    books.advance(301)
    sweeps = [estoque.vencidas(7, "varredura") for _ in range(6)]
    confirmations = at_once(estoque, [Confirmar(comando.reserva_id) for comando in reservas])
    _, respostas = await asyncio.gather(asyncio.gather(*sweeps), confirmations)
    assert kinds(respostas) == {"ReservaExpirada": 30}
    who = books.query(
        "SELECT quem, count(*) FROM movimentos_estoque WHERE produto_id = %s AND operacao = 'EXPIRAR' GROUP BY 1",
        produto_id,
    )
    assert sum(count for _, count in who) == 30
    assert (await produtos.disponibilidade(produto_id)).disponivel == 30
    books.audit()


async def test_a_sweep_does_not_wait_for_a_reservation_that_somebody_holds(
    books: Database, produtos: ProdutoRepository, estoque: EstoqueRepository, novo: Novo
) -> None:
    produto_id = (await produtos.criar(novo(2), None, "")).produto_id
    held, free = reservar((produto_id, 1)), reservar((produto_id, 1))
    await at_once(estoque, [held, free])
    books.advance(3_600)
    connection = books.connect()
    with connection, connection.cursor() as cursor:
        cursor.execute("SELECT FROM reservas WHERE reserva_id = %s FOR UPDATE", [held.reserva_id])
        async with asyncio.timeout(2):
            while (await estoque.vencidas(100, "varredura"))[0]:
                pass
        assert (await produtos.disponibilidade(produto_id)).disponivel == 1
    connection.close()
    await estoque.vencidas(100, "varredura")
    assert (await produtos.disponibilidade(produto_id)).disponivel == 2


async def test_two_editors_of_one_version_do_not_overwrite_each_other(produtos: ProdutoRepository, novo: Novo) -> None:
    produto = await produtos.criar(novo(), None, "")
    edits = [produtos.alterar(produto.produto_id, 1, AlteracaoProduto(nome=f"Bolo {n}")) for n in range(10)]
    results = await asyncio.gather(*edits, return_exceptions=True)
    assert kinds(results) == {"Produto": 1, "VersaoDesatualizada": 9}


async def test_one_category_name_at_once_is_one_category(produtos: ProdutoRepository) -> None:
    nome = f"Doces {uuid4()}"
    made = [produtos.criar_categoria(NovaCategoria(text, "")) for text in (nome, nome.upper(), f" {nome}") * 3]
    assert kinds(await asyncio.gather(*made, return_exceptions=True)) == {"Categoria": 1, "CategoriaDuplicada": 8}


async def test_orders_of_many_products_never_deadlock(
    books: Database, produtos: ProdutoRepository, estoque: EstoqueRepository, novo: Novo
) -> None:
    ids = [(await produtos.criar(novo(1_000), None, "")).produto_id for _ in range(6)]
    before = books.query("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
    dice = random.Random(4)
    comandos = [reservar(*((key, 1) for key in dice.sample(ids, 4))) for _ in range(120)]
    assert kinds(await at_once(estoque, comandos)) == {"Reserva": 120}
    ends: list[Comando] = [dice.choice((Confirmar, Liberar))(comando.reserva_id) for comando in comandos]
    assert kinds(await at_once(estoque, ends)) == {"Reserva": 120}
    assert books.query("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()") == before


async def test_a_retry_that_races_its_first_attempt_for_the_last_unit_gets_the_reservation(
    books: Database, produtos: ProdutoRepository, estoque: EstoqueRepository, novo: Novo
) -> None:
    produto_id = (await produtos.criar(novo(1), None, "")).produto_id
    one, too_many = reservar((produto_id, 1)), reservar((produto_id, 2))
    respostas = await at_once(estoque, [one, too_many] * 5)
    assert kinds(respostas) == {"Reserva": 5, "EstoqueInsuficiente": 5}
    books.audit()
