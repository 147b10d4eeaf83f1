"""Many tabs of one cart, across processes: no change lost, every version given once, and all of it survives kill -9."""

import asyncio
import random
import uuid
from collections import Counter
from collections.abc import Callable

from confeitaria.carrinho.v1.carrinho_pb2 import Carrinho

from carrinho.domain import CarrinhoIndisponivel, VersaoDesatualizada
from carrinho.repository import CarrinhosValkey
from tests.integration.test_carrinho.conftest import Servidor, oferta

Novos = Callable[[str], CarrinhosValkey]
TABS = 50


async def test_fifty_tabs_lose_no_change(valkey_url: str, novos_carrinhos: Novos) -> None:
    processes = [novos_carrinhos(valkey_url) for _ in range(5)]
    sessao_id = Carrinho.FromString(await processes[0].criar()).sessao_id
    versions: list[int] = []
    added: Counter[int] = Counter()

    async def tab(number: int) -> None:
        chance = random.Random(number)
        for _ in range(20):
            produto_id, units = chance.randint(1, 8), chance.randint(1, 3)
            carrinhos = chance.choice(processes)
            answer = await carrinhos.adicionar(sessao_id, produto_id, units, oferta(produto_id), "")
            versions.append(Carrinho.FromString(answer).versao)
            added[produto_id] += units

    await asyncio.gather(*(tab(number) for number in range(TABS)))
    last = Carrinho.FromString(await processes[0].obter(sessao_id))
    assert {item.produto_id: item.quantidade for item in last.itens} == dict(added)
    assert last.total_centavos == 1_000 * added.total()
    assert sorted(versions) == list(range(2, 2 + TABS * 20)), "each change has a version of its own, none is skipped"


async def test_tabs_that_add_set_and_remove_different_products_do_not_disturb_each_other(
    valkey_url: str, novos_carrinhos: Novos
) -> None:
    processes = [novos_carrinhos(valkey_url) for _ in range(3)]
    sessao_id = Carrinho.FromString(await processes[0].criar()).sessao_id

    async def tab(produto_id: int) -> None:
        carrinhos, seen = processes[produto_id % 3], 1
        for units in range(1, 11):
            for step in (
                carrinhos.adicionar(sessao_id, produto_id, units, oferta(produto_id), ""),
                carrinhos.atualizar(sessao_id, produto_id, units + 1, oferta(produto_id)),
                carrinhos.remover(sessao_id, produto_id),
                carrinhos.adicionar(sessao_id, produto_id, units, oferta(produto_id), ""),
                carrinhos.remover(sessao_id, produto_id),
            ):
                carrinho = Carrinho.FromString(await step)
                assert carrinho.versao > seen
                seen = carrinho.versao
                assert carrinho.total_centavos == sum(item.subtotal_centavos for item in carrinho.itens)
        await carrinhos.adicionar(sessao_id, produto_id, produto_id, oferta(produto_id), "")

    await asyncio.gather(*(tab(produto_id) for produto_id in range(1, TABS + 1)))
    last = Carrinho.FromString(await processes[0].obter(sessao_id))
    assert {item.produto_id: item.quantidade for item in last.itens} == {each: each for each in range(1, TABS + 1)}
    assert last.versao == 1 + TABS * 51


async def test_fifty_retries_at_once_add_once(valkey_url: str, novos_carrinhos: Novos) -> None:
    processes = [novos_carrinhos(valkey_url) for _ in range(5)]
    sessao_id = Carrinho.FromString(await processes[0].criar()).sessao_id
    key = str(uuid.uuid4())
    answers = await asyncio.gather(
        *(processes[each % 5].adicionar(sessao_id, 1, 3, oferta(1), key) for each in range(TABS))
    )
    assert len(set(answers)) == 1
    assert [item.quantidade for item in Carrinho.FromString(answers[0]).itens] == [3]


async def test_of_an_order_and_a_change_at_the_same_time_the_cart_keeps_what_was_not_ordered(
    valkey_url: str, novos_carrinhos: Novos
) -> None:
    one, other = novos_carrinhos(valkey_url), novos_carrinhos(valkey_url)
    for _ in range(50):
        ordered = Carrinho.FromString(await one.criar())
        ordered = Carrinho.FromString(await one.adicionar(ordered.sessao_id, 1, 1, oferta(1), ""))
        emptied, added = await asyncio.gather(
            one.esvaziar(ordered.sessao_id, ordered.versao),
            other.adicionar(ordered.sessao_id, 2, 1, oferta(2), ""),
            return_exceptions=True,
        )
        assert isinstance(added, bytes)
        last = Carrinho.FromString(await one.obter(ordered.sessao_id))
        expected = [1, 2] if isinstance(emptied, VersaoDesatualizada) else [2]
        assert [item.produto_id for item in last.itens] == expected


async def test_what_was_acknowledged_survives_kill_9_of_valkey(servidor: Servidor, novos_carrinhos: Novos) -> None:
    """An addition that was not answered may have happened; one that was, has."""
    carrinhos = novos_carrinhos(servidor.url)
    carts = [Carrinho.FromString(await carrinhos.criar()).sessao_id for _ in range(TABS)]
    acknowledged: Counter[str] = Counter()
    in_doubt: Counter[str] = Counter()
    busy = asyncio.Event()

    async def customer(sessao_id: str) -> None:
        while True:
            try:
                answer = Carrinho.FromString(await carrinhos.adicionar(sessao_id, 1, 1, oferta(1), ""))
            except CarrinhoIndisponivel:
                in_doubt[sessao_id] += 1
                return
            acknowledged[sessao_id] += 1
            assert answer.itens[0].quantidade == acknowledged[sessao_id]
            if acknowledged.total() > 20 * TABS:
                busy.set()

    customers = [asyncio.create_task(customer(each)) for each in carts]
    await asyncio.wait_for(busy.wait(), 30)
    servidor.kill()
    await asyncio.gather(*customers)
    assert in_doubt.total() == TABS
    servidor.start()
    for each in carts:
        kept = Carrinho.FromString(await carrinhos.obter(each))
        assert kept.versao == 1 + kept.itens[0].quantidade
        assert acknowledged[each] <= kept.itens[0].quantidade <= acknowledged[each] + in_doubt[each]
        assert kept.expira_em.ToMilliseconds() > 0
