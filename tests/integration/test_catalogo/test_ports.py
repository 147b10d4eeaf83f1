"""One suite for the ports of the catalog, over the fake and over PostgreSQL."""

import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Protocol
from uuid import uuid4

import pytest

from catalogo.domain.errors import (
    CatalogoError,
    CategoriaDuplicada,
    CategoriaNaoEncontrada,
    ChaveReutilizada,
    EstoqueExcedeLimite,
    EstoqueInsuficiente,
    ProdutoInativo,
    ProdutoNaoEncontrado,
    ReservaExpirada,
    ReservaLiberada,
    ReservaNaoEncontrada,
    VersaoDesatualizada,
)
from catalogo.domain.estoque import (
    Ajustar,
    Comando,
    Confirmar,
    Consultar,
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
from catalogo.use_cases import Estoque, Produtos
from chassis.postgres import Postgres
from tests.fakes.catalogo import Armazem, FakeEstoque, FakeProdutos
from tests.integration.test_catalogo.conftest import Database

QUEM = "teste"


class Clock(Protocol):
    def advance(self, seconds: float) -> None: ...


@dataclass
class Shop:
    """Both ports, and the clock that their reservations go by."""

    produtos: Produtos
    estoque: Estoque
    clock: Clock
    categoria_id: int = 0

    async def criar(self, estoque: int = 10, chave: uuid.UUID | None = None, **changes: Any) -> Produto:
        return await self.produtos.criar(self.novo(estoque, **changes), chave, QUEM)

    def novo(self, estoque: int = 10, **changes: Any) -> NovoProduto:
        fields = {"nome": "Bolo", "descricao": "", "preco_centavos": 100, "imagem_url": "", "ativo": True, **changes}
        return NovoProduto(**{"categoria_id": self.categoria_id, "estoque": estoque, **fields})

    async def reserva(self, comando: Comando) -> Reserva:
        resposta = await self.done(comando)
        assert isinstance(resposta, Reserva)
        return resposta

    async def done(self, comando: Comando) -> Reserva | Produto:
        feito = await self.estoque.executar(comando)
        if isinstance(feito.resposta, CatalogoError):
            raise feito.resposta
        return feito.resposta

    async def disponivel(self, produto_id: int) -> int:
        return (await self.produtos.disponibilidade(produto_id)).disponivel


@pytest.fixture(params=["fake", "postgres"])
def empty_shop(request: pytest.FixtureRequest) -> Shop:
    if request.param == "fake":
        armazem = Armazem()
        return Shop(FakeProdutos(armazem), FakeEstoque(armazem), armazem)
    database: Database = request.getfixturevalue("books")
    postgres: Postgres = request.getfixturevalue("postgres")
    return Shop(ProdutoRepository(postgres), EstoqueRepository(postgres), database)


@pytest.fixture
async def shop(empty_shop: Shop) -> Shop:
    shop = empty_shop
    shop.categoria_id = (await shop.produtos.criar_categoria(NovaCategoria(f"Bolos {uuid4()}", ""))).categoria_id
    return shop


def reservar(*itens: tuple[int, int], reserva_id: uuid.UUID | None = None) -> Reservar:
    return Reservar(reserva_id or uuid4(), tuple(ItemReservar(*item) for item in itens), 60, QUEM)


async def test_a_product_comes_back_as_it_was_made(shop: Shop) -> None:
    produto = await shop.criar(7, nome="Pão 🥖", descricao="d'água \\ %s", imagem_url="/a?b=%20")
    assert produto == replace(
        produto,
        nome="Pão 🥖",
        descricao="d'água \\ %s",
        preco_centavos=100,
        estoque=7,
        imagem_url="/a?b=%20",
        ativo=True,
        versao=1,
        excluido=False,
        revisao=1,
    )
    assert produto.categoria.categoria_id == shop.categoria_id
    assert (await shop.criar()).produto_id > produto.produto_id


async def test_creating_twice_with_one_key_makes_one_product(shop: Shop) -> None:
    chave = uuid4()
    first = await shop.criar(5, chave)
    await shop.done(Ajustar(first.produto_id, Operacao.ADICIONAR, 1))
    again = await shop.criar(5, chave)
    assert (again.produto_id, again.estoque) == (first.produto_id, 6)
    with pytest.raises(ChaveReutilizada) as caught:
        await shop.criar(6, chave)
    assert caught.value.chave == chave


async def test_a_key_lives_as_long_as_its_product(shop: Shop) -> None:
    chave = uuid4()
    first = await shop.criar(5, chave)
    await shop.produtos.excluir(first.produto_id)
    assert (await shop.criar(6, chave)).produto_id != first.produto_id


async def test_a_product_needs_a_category_that_exists(shop: Shop) -> None:
    with pytest.raises(CategoriaNaoEncontrada):
        await shop.criar(categoria_id=2**31 - 1)
    produto = await shop.criar()
    with pytest.raises(CategoriaNaoEncontrada) as caught:
        await shop.produtos.alterar(produto.produto_id, 0, AlteracaoProduto(categoria_id=2**31 - 1))
    assert caught.value.categoria == 2**31 - 1


async def test_a_change_touches_only_its_fields_and_counts_versions(shop: Shop) -> None:
    produto = await shop.criar(descricao="fofo")
    changed = await shop.produtos.alterar(produto.produto_id, 1, AlteracaoProduto(nome="Outro", ativo=False))
    assert changed == replace(produto, nome="Outro", ativo=False, versao=2, revisao=2)
    emptied = await shop.produtos.alterar(produto.produto_id, 0, AlteracaoProduto(descricao=""))
    assert (emptied.descricao, emptied.versao) == ("", 3)
    same = await shop.produtos.alterar(produto.produto_id, 3, AlteracaoProduto(nome="Outro", preco_centavos=100))
    assert same.versao == 3
    assert (await shop.produtos.alterar(produto.produto_id, 3, AlteracaoProduto())).versao == 3


async def test_an_outdated_version_changes_nothing(shop: Shop) -> None:
    produto = await shop.criar()
    await shop.produtos.alterar(produto.produto_id, 1, AlteracaoProduto(nome="Meu"))
    with pytest.raises(VersaoDesatualizada) as caught:
        await shop.produtos.alterar(produto.produto_id, 1, AlteracaoProduto(nome="Seu"))
    assert (caught.value.versao_enviada, caught.value.versao_atual) == (1, 2)
    with pytest.raises(VersaoDesatualizada):
        await shop.produtos.alterar(produto.produto_id, 2**31 - 1, AlteracaoProduto())


@pytest.mark.parametrize("produto_id", [2**31 - 1, 0, -1])
async def test_unknown_products_are_unknown_to_everything(shop: Shop, produto_id: int) -> None:
    for attempt in (
        lambda: shop.produtos.alterar(produto_id, 0, AlteracaoProduto(nome="x")),
        lambda: shop.produtos.excluir(produto_id),
        lambda: shop.produtos.disponibilidade(produto_id),
        lambda: shop.done(Ajustar(produto_id, Operacao.ADICIONAR, 1)),
        lambda: shop.done(reservar((produto_id, 1))),
    ):
        with pytest.raises(ProdutoNaoEncontrado) as caught:
            await attempt()
        assert caught.value.produto_id == produto_id


async def test_a_deleted_product_is_gone_for_good_but_its_reservations_are_honoured(shop: Shop) -> None:
    produto = await shop.criar(5)
    kept, given_back = reservar((produto.produto_id, 1)), reservar((produto.produto_id, 2))
    await shop.done(kept)
    await shop.done(given_back)
    assert (await shop.produtos.excluir(produto.produto_id)).excluido
    with pytest.raises(ProdutoNaoEncontrado):
        await shop.produtos.excluir(produto.produto_id)
    with pytest.raises(ProdutoNaoEncontrado):
        await shop.done(reservar((produto.produto_id, 1)))
    assert (await shop.reserva(Confirmar(kept.reserva_id))).status is StatusReserva.CONFIRMADA
    assert (await shop.reserva(Liberar(given_back.reserva_id))).status is StatusReserva.LIBERADA
    assert (await shop.reserva(Liberar(kept.reserva_id))).status is StatusReserva.LIBERADA


async def test_category_names_are_unique_accents_and_case_aside(shop: Shop) -> None:
    nome = f"Pães {uuid4()}"
    made = await shop.produtos.criar_categoria(NovaCategoria(nome, "do dia"))
    assert (made.nome, made.descricao) == (nome, "do dia")
    for other in (nome, nome.upper().replace("Ã", "a"), f"  {nome.replace(' ', '   ')} "):
        with pytest.raises(CategoriaDuplicada) as caught:
            await shop.produtos.criar_categoria(NovaCategoria(other, ""))
        assert caught.value.nome == other


async def test_stock_is_moved_by_the_bakery(shop: Shop) -> None:
    produto_id = (await shop.criar(5)).produto_id
    for operacao, quantidade, expected in (
        (Operacao.ADICIONAR, 3, 8),
        (Operacao.REMOVER, 8, 0),
        (Operacao.DEFINIR, 4, 4),
        (Operacao.DEFINIR, 2, 2),
        (Operacao.REMOVER, 0, 2),
    ):
        answer = await shop.done(Ajustar(produto_id, operacao, quantidade, quem=QUEM))
        assert isinstance(answer, Produto)
        assert (answer.estoque, answer.versao) == (expected, 1)
        assert await shop.disponivel(produto_id) == expected


async def test_refused_movements_say_why_and_change_nothing(shop: Shop) -> None:
    produto_id = (await shop.criar(5)).produto_id
    with pytest.raises(EstoqueInsuficiente) as short:
        await shop.done(Ajustar(produto_id, Operacao.REMOVER, 6))
    assert (short.value.produto_id, short.value.solicitado, short.value.disponivel) == (produto_id, 6, 5)
    with pytest.raises(EstoqueExcedeLimite) as over:
        await shop.done(Ajustar(produto_id, Operacao.ADICIONAR, 999_996))
    assert (over.value.produto_id, over.value.limite) == (produto_id, 1_000_000)
    assert await shop.disponivel(produto_id) == 5


async def test_reserved_units_cannot_be_removed(shop: Shop) -> None:
    produto_id = (await shop.criar(5)).produto_id
    await shop.done(reservar((produto_id, 4)))
    with pytest.raises(EstoqueInsuficiente):
        await shop.done(Ajustar(produto_id, Operacao.REMOVER, 2))
    answer = await shop.done(Ajustar(produto_id, Operacao.DEFINIR, 0))
    assert isinstance(answer, Produto)
    assert answer.estoque == 0


async def test_a_named_movement_happens_once(shop: Shop) -> None:
    one, other, chave = (await shop.criar(5)).produto_id, (await shop.criar(5)).produto_id, uuid4()
    await shop.done(Ajustar(one, Operacao.ADICIONAR, 2, chave))
    await shop.done(Ajustar(one, Operacao.ADICIONAR, 1))
    again = await shop.estoque.executar(Ajustar(one, Operacao.ADICIONAR, 2, chave))
    assert isinstance(again.resposta, Produto)
    assert again.resposta.estoque == 8, "the product as it is now"
    assert not again.mudados
    for reused in (
        Ajustar(one, Operacao.ADICIONAR, 3, chave),
        Ajustar(one, Operacao.DEFINIR, 2, chave),
        Ajustar(other, Operacao.ADICIONAR, 2, chave),
    ):
        with pytest.raises(ChaveReutilizada):
            await shop.done(reused)


async def test_a_refused_movement_leaves_its_key_free(shop: Shop) -> None:
    produto_id, chave = (await shop.criar(1)).produto_id, uuid4()
    with pytest.raises(EstoqueInsuficiente):
        await shop.done(Ajustar(produto_id, Operacao.REMOVER, 2, chave))
    await shop.done(Ajustar(produto_id, Operacao.ADICIONAR, 1, chave))
    assert await shop.disponivel(produto_id) == 2


async def test_a_reservation_keeps_name_and_price_of_its_moment(shop: Shop) -> None:
    one = await shop.criar(5, nome="Um", preco_centavos=100)
    two = await shop.criar(5, nome="Dois", preco_centavos=200)
    comando = reservar((two.produto_id, 2), (one.produto_id, 1))
    made = await shop.reserva(comando)
    await shop.produtos.alterar(one.produto_id, 0, AlteracaoProduto(nome="Caro", preco_centavos=999))
    assert made.status is StatusReserva.ATIVA
    assert [tuple(item) for item in made.itens] == [(one.produto_id, "Um", 100, 1), (two.produto_id, "Dois", 200, 2)]
    assert await shop.reserva(comando) == made, "a repetition gets the same answer"
    assert await shop.reserva(Consultar(comando.reserva_id)) == made
    assert await shop.disponivel(two.produto_id) == 3


async def test_a_reservation_is_all_or_none(shop: Shop) -> None:
    one, two = (await shop.criar(5)).produto_id, (await shop.criar(1)).produto_id
    comando = reservar((one, 1), (two, 2))
    with pytest.raises(EstoqueInsuficiente) as caught:
        await shop.done(comando)
    assert (caught.value.produto_id, caught.value.solicitado, caught.value.disponivel) == (two, 2, 1)
    assert await shop.disponivel(one) == 5
    with pytest.raises(ReservaNaoEncontrada):
        await shop.done(Consultar(comando.reserva_id))
    await shop.done(Ajustar(two, Operacao.ADICIONAR, 1))
    assert (await shop.reserva(comando)).status is StatusReserva.ATIVA, "a failed attempt leaves the id free"


async def test_an_inactive_product_is_not_reserved(shop: Shop) -> None:
    produto = await shop.criar(ativo=False)
    with pytest.raises(ProdutoInativo):
        await shop.done(reservar((produto.produto_id, 1)))
    assert await shop.produtos.disponibilidade(produto.produto_id) == (10, False)


async def test_one_id_reserves_one_thing(shop: Shop) -> None:
    produto_id = (await shop.criar()).produto_id
    comando = reservar((produto_id, 1))
    await shop.done(comando)
    with pytest.raises(ChaveReutilizada) as caught:
        await shop.done(reservar((produto_id, 2), reserva_id=comando.reserva_id))
    assert caught.value.chave == comando.reserva_id


Ending = Callable[[uuid.UUID], Comando]


@pytest.mark.parametrize("again", [Confirmar, Liberar])
async def test_every_end_can_be_repeated(shop: Shop, again: Ending) -> None:
    produto_id = (await shop.criar(5)).produto_id
    comando = reservar((produto_id, 2))
    await shop.done(comando)
    first = await shop.reserva(again(comando.reserva_id))
    assert await shop.reserva(again(comando.reserva_id)) == first
    assert await shop.reserva(comando) == first, "as it is now"
    assert await shop.disponivel(produto_id) == (3 if again is Confirmar else 5)


async def test_releasing_a_sale_undoes_it_once(shop: Shop) -> None:
    produto_id = (await shop.criar(5)).produto_id
    comando = reservar((produto_id, 2))
    for step in (comando, Confirmar(comando.reserva_id), Liberar(comando.reserva_id), Liberar(comando.reserva_id)):
        await shop.done(step)
    assert await shop.disponivel(produto_id) == 5
    with pytest.raises(ReservaLiberada):
        await shop.done(Confirmar(comando.reserva_id))


async def test_a_release_that_overtakes_its_reservation_wins(shop: Shop) -> None:
    produto_id = (await shop.criar(5)).produto_id
    comando = reservar((produto_id, 2))
    released = await shop.reserva(Liberar(comando.reserva_id))
    assert (released.status, released.itens, released.expira_em) == (StatusReserva.LIBERADA, (), None)
    for late in (comando, Confirmar(comando.reserva_id)):
        with pytest.raises(ReservaLiberada):
            await shop.done(late)
    assert await shop.reserva(Liberar(comando.reserva_id)) == released
    assert await shop.disponivel(produto_id) == 5


async def test_unknown_reservations_are_unknown(shop: Shop) -> None:
    for command in (Confirmar, Consultar):
        with pytest.raises(ReservaNaoEncontrada):
            await shop.done(command(uuid4()))


async def test_after_its_time_a_reservation_is_never_sold(shop: Shop) -> None:
    produto_id = (await shop.criar(5)).produto_id
    comando = reservar((produto_id, 2))
    await shop.done(comando)
    shop.clock.advance(61)
    feito = await shop.estoque.executar(Confirmar(comando.reserva_id))
    assert isinstance(feito.resposta, ReservaExpirada)
    assert [(produto.produto_id, produto.estoque) for produto in feito.mudados] == [(produto_id, 5)]
    assert await shop.disponivel(produto_id) == 5
    with pytest.raises(ReservaExpirada):
        await shop.done(Confirmar(comando.reserva_id))
    for look in (comando, Liberar(comando.reserva_id), Consultar(comando.reserva_id)):
        assert (await shop.reserva(look)).status is StatusReserva.EXPIRADA
    assert await shop.disponivel(produto_id) == 5


async def test_the_sweeper_gives_back_what_nobody_confirmed_once(shop: Shop) -> None:
    shop.clock.advance(3_600)
    while (await shop.estoque.vencidas(100, QUEM))[0]:
        pass  # what other tests left reserved
    produto_id = (await shop.criar(9)).produto_id
    due = [reservar((produto_id, 1)) for _ in range(5)]
    for comando in due:
        await shop.done(comando)
    sold = reservar((produto_id, 1))
    for step in (sold, Confirmar(sold.reserva_id)):
        await shop.done(step)
    shop.clock.advance(61)
    later = reservar((produto_id, 1))
    await shop.done(later)
    counts = [await shop.estoque.vencidas(3, QUEM) for _ in range(3)]
    assert [count for count, _ in counts] == [3, 2, 0]
    assert await shop.disponivel(produto_id) == 7
    assert (await shop.reserva(Consultar(due[0].reserva_id))).status is StatusReserva.EXPIRADA
    assert (await shop.reserva(Consultar(later.reserva_id))).status is StatusReserva.ATIVA


async def test_changed_products_are_told_so_that_the_window_can_show_them(shop: Shop) -> None:
    one, two = await shop.criar(5), await shop.criar(5)
    feito = await shop.estoque.executar(reservar((two.produto_id, 1), (one.produto_id, 2)))
    assert {produto.produto_id: produto.estoque for produto in feito.mudados} == {one.produto_id: 3, two.produto_id: 4}
    assert all(produto.revisao == 2 for produto in feito.mudados)
