"""Any sequence of calls gets the same answers from Valkey's script as from the plain cart in memory."""

import asyncio
import uuid
from collections.abc import Awaitable, Callable
from typing import NamedTuple, TypeAlias

from confeitaria.carrinho.v1.carrinho_pb2 import Carrinho
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from carrinho import domain
from carrinho.domain import Oferta, Produto, Recusa
from carrinho.repository import CarrinhosValkey
from carrinho.repository.valkey import Valkey
from carrinho.use_cases import CarrinhoRepository
from tests.fakes.carrinho import CarrinhosEmMemoria, Relogio

INT32 = 2**31 - 1
KEYS = [str(uuid.UUID(int=number)) for number in range(20)]


class Chamada(NamedTuple):
    operacao: str
    produto_id: int
    quantidade: int
    oferta: Oferta | Recusa
    chave: str
    versao: int


Answer: TypeAlias = Carrinho | tuple[str, dict[str, object]]

# Few ids, so that they meet; those at which a varint grows, so that their bytes do.
produto_ids = st.sampled_from([1, 2, 3, 127, 128, 16_383, 16_384, INT32, *range(1_000, 1_060)])


@st.composite
def chamadas(draw: st.DrawFn) -> Chamada:
    produto_id = draw(produto_ids)
    produto = Produto(
        produto_id,
        draw(st.text(alphabet="aé🍰 \0\n", min_size=0, max_size=120)),
        draw(st.sampled_from([0, 1, 127, 128, 99_999, 1_000_000])),
        draw(st.sampled_from([0, 1, 5, 1_000, 1_000_000])),
        ativo=True,
    )
    oferta: Oferta | Recusa = Oferta(produto, conferido=draw(st.booleans()))
    if draw(st.integers(0, 9)) == 0:
        oferta = domain.CatalogoIndisponivel()
    return Chamada(
        draw(st.sampled_from(["adicionar"] * 6 + ["atualizar"] * 2 + ["remover", "esvaziar", "obter"])),
        produto_id,
        draw(st.sampled_from([1, 2, 127, 128, 500, 1_000])),
        oferta,
        draw(st.sampled_from(["", "", *KEYS])),
        draw(st.sampled_from([0, 0, 1, 2, 9])),
    )


def fazer(carrinhos: CarrinhoRepository, sessao_id: str, chamada: Chamada) -> Awaitable[bytes]:
    c = chamada
    attempts: dict[str, Callable[[], Awaitable[bytes]]] = {
        "adicionar": lambda: carrinhos.adicionar(sessao_id, c.produto_id, c.quantidade, c.oferta, c.chave),
        "atualizar": lambda: carrinhos.atualizar(sessao_id, c.produto_id, c.quantidade, c.oferta),
        "remover": lambda: carrinhos.remover(sessao_id, c.produto_id),
        "esvaziar": lambda: carrinhos.esvaziar(sessao_id, c.versao),
        "obter": lambda: carrinhos.obter(sessao_id),
    }
    return attempts[c.operacao]()


async def answers(carrinhos: CarrinhoRepository, sequence: list[Chamada]) -> list[Answer]:
    """What a client would see, but for the cart's name and the time."""
    found: list[Answer] = []
    sessao_id = Carrinho.FromString(await carrinhos.criar()).sessao_id
    for chamada in sequence:
        try:
            raw = await fazer(carrinhos, sessao_id, chamada)
        except Exception as refusal:
            if not type(refusal).__module__.startswith("carrinho."):
                raise
            found.append((type(refusal).__name__, vars(refusal)))
        else:
            carrinho = Carrinho.FromString(raw)
            assert carrinho.SerializeToString() == raw
            assert carrinho.sessao_id == sessao_id
            carrinho.ClearField("sessao_id")
            carrinho.ClearField("expira_em")
            found.append(carrinho)
    return found


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(chamadas(), min_size=1, max_size=80))
def test_the_script_answers_as_the_plain_cart_does(valkey_url: str, sequence: list[Chamada]) -> None:
    async def both() -> tuple[list[Answer], list[Answer]]:
        valkey = Valkey(valkey_url, name="modelo")
        try:
            return await answers(CarrinhosValkey(valkey), sequence), await answers(
                CarrinhosEmMemoria(Relogio()), sequence
            )
        finally:
            await valkey.close()

    real, plain = asyncio.run(both())
    assert real == plain
