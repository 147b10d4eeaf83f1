"""The shop window as it follows a database that changes while it reads."""

from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest
from confeitaria.catalogo.v1 import catalogo_pb2 as pb

from catalogo.domain.errors import ProdutoNaoEncontrado
from catalogo.domain.estoque import Ajustar, ItemReservar, Operacao, Reservar
from catalogo.domain.produtos import AlteracaoProduto, NovaCategoria, NovoProduto
from catalogo.use_cases import Catalogo
from catalogo.vitrine.window import STALE, VitrineEmMemoria
from chassis.errors import Unavailable
from tests.fakes.catalogo import Armazem, FakeAlteracoes, FakeEstoque, FakeProdutos

NOVO = NovoProduto("Bolo", "", 100, 1, 5, "", ativo=True)


class Shop:
    """A warehouse, the process that changes it and the window of another process."""

    def __init__(self) -> None:
        self.armazem = Armazem()
        self.alteracoes = FakeAlteracoes(self.armazem)
        self.seconds = 0.0
        self.vitrine = VitrineEmMemoria(self.alteracoes, clock=lambda: self.seconds)
        self.catalogo = Catalogo(FakeProdutos(self.armazem), FakeEstoque(self.armazem), self.vitrine)
        elsewhere = VitrineEmMemoria(FakeAlteracoes(self.armazem))
        self.others = Catalogo(FakeProdutos(self.armazem), FakeEstoque(self.armazem), elsewhere)

    def estoque(self, produto_id: int = 1) -> int:
        return pb.Produto.FromString(self.vitrine.obter(produto_id)).estoque


@pytest.fixture
async def shop() -> Shop:
    shop = Shop()
    await shop.others.criar_categoria(NovaCategoria("Bolos", ""))
    await shop.others.criar_produto(NOVO, None, "")
    return shop


async def test_nothing_is_answered_before_everything_is_there(shop: Shop) -> None:
    with pytest.raises(Unavailable):
        shop.vitrine.obter(1)
    assert await shop.vitrine.probe() == "a vitrine ainda não foi carregada"
    await shop.vitrine.atualizar()
    assert shop.estoque() == 5
    assert await shop.vitrine.probe() is None


async def test_others_changes_are_shown_at_the_next_look(shop: Shop) -> None:
    await shop.vitrine.atualizar()
    await shop.others.ajustar_estoque(Ajustar(1, Operacao.REMOVER, 2))
    assert shop.estoque() == 5
    await shop.vitrine.atualizar()
    assert shop.estoque() == 3


async def test_own_changes_are_shown_at_once(shop: Shop) -> None:
    await shop.vitrine.atualizar()
    await shop.catalogo.ajustar_estoque(Ajustar(1, Operacao.REMOVER, 2))
    assert shop.estoque() == 3
    await shop.catalogo.alterar_produto(1, 0, AlteracaoProduto(ativo=False))
    await shop.catalogo.excluir_produto(1)
    with pytest.raises(ProdutoNaoEncontrado):
        shop.vitrine.obter(1)


async def test_a_commit_made_while_everything_is_read_is_not_lost(shop: Shop) -> None:
    def sell_one() -> None:
        produto = shop.armazem.produtos[1]
        shop.vitrine.aplicar([shop.armazem.write(replace(produto, estoque=produto.estoque - 1))])

    shop.alteracoes.during = sell_one  # after the snapshot was taken, before it is shown
    await shop.vitrine.atualizar()
    assert shop.estoque() == 4
    shop.alteracoes.server = "2"  # everything is read again while an older window answers
    await shop.vitrine.atualizar()
    assert shop.estoque() == 3


async def test_a_restarted_server_is_read_from_scratch(shop: Shop) -> None:
    await shop.vitrine.atualizar()
    kept = shop.armazem.produtos[1]
    await shop.others.ajustar_estoque(Ajustar(1, Operacao.REMOVER, 2))
    await shop.vitrine.atualizar()
    shop.armazem.produtos[1] = kept  # the change is gone: the server was rewound to another history
    shop.armazem.history.clear()
    shop.alteracoes.server = "2"
    await shop.vitrine.atualizar()
    assert shop.estoque() == 5


async def test_age_counts_from_the_beginning_of_the_last_reading(shop: Shop) -> None:
    assert shop.vitrine.idade() is None
    shop.alteracoes.during = lambda: setattr(shop, "seconds", 1.0)  # the reading takes a second
    await shop.vitrine.atualizar()
    assert shop.vitrine.idade() == 1.0
    shop.alteracoes.during = lambda: None
    shop.seconds = STALE
    assert await shop.vitrine.probe() is None
    shop.alteracoes.broken = True
    with pytest.raises(ConnectionError):
        await shop.vitrine.atualizar()
    shop.seconds = STALE + 0.1
    assert await shop.vitrine.probe() == "a vitrine está 2.1 s atrasada"
    assert shop.estoque() == 5, "an old window still answers: Envoy chooses a younger one if there is any"
    shop.alteracoes.broken = False
    await shop.vitrine.atualizar()
    assert await shop.vitrine.probe() is None


async def test_expired_reservations_are_swept_and_shown(shop: Shop) -> None:
    await shop.vitrine.atualizar()
    for number in range(3):
        await shop.catalogo.mudar_reserva(Reservar(UUID(int=number), (ItemReservar(1, 1),), 60))
    assert shop.estoque() == 2
    assert await shop.catalogo.expirar_reservas("varredura") == 0
    shop.armazem.agora += timedelta(seconds=60)
    assert await shop.catalogo.expirar_reservas("varredura") == 3
    assert shop.estoque() == 5
