"""Requests and answers over the fakes: what clients of the contract see."""

from typing import Any, cast
from uuid import uuid4

import grpc
import pytest
from confeitaria.catalogo.v1 import catalogo_pb2 as pb
from google.protobuf.field_mask_pb2 import FieldMask

from catalogo.domain import errors
from catalogo.domain.produtos import NovaCategoria
from catalogo.frescor import LeituraAtrasada
from catalogo.messages import page, varint
from catalogo.servicer import ERRORS, SERVICE, CatalogoServicer
from catalogo.use_cases import Catalogo
from catalogo.vitrine.window import VitrineEmMemoria
from chassis.errors import InvalidRequest
from chassis.paging import PageTokens
from tests.fakes.catalogo import Armazem, FakeAlteracoes, FakeEstoque, FakeProdutos


@pytest.fixture
async def servicer() -> CatalogoServicer:
    armazem = Armazem()
    vitrine = VitrineEmMemoria(FakeAlteracoes(armazem))
    await vitrine.atualizar()
    catalogo = Catalogo(FakeProdutos(armazem), FakeEstoque(armazem), vitrine)
    await catalogo.criar_categoria(NovaCategoria("Bolos", ""))
    return CatalogoServicer(catalogo, vitrine, PageTokens(b"k" * 32))


async def created(servicer: CatalogoServicer, **fields: Any) -> pb.Produto:
    produto = pb.Produto(**{"nome": "Bolo", "preco_centavos": 100, "categoria_id": 1, "estoque": 5, **fields})
    return await servicer.CriarProduto(pb.CriarProdutoRequest(produto=produto), None)


def listed(servicer: CatalogoServicer, **fields: Any) -> pb.ListarProdutosResponse:
    raw = cast("bytes", servicer.ListarProdutos(pb.ListarProdutosRequest(**fields), None))
    return pb.ListarProdutosResponse.FromString(raw)


def test_every_reason_of_the_contract_is_given_by_some_error_with_its_metadata() -> None:
    reasons = set(pb.MotivoErro.keys()) - {"MOTIVO_ERRO_UNSPECIFIED"}
    assert {mapped.reason for mapped in ERRORS.values()} == reasons
    tree = [errors.CatalogoError]
    for error in tree:
        tree += error.__subclasses__()
    leaves = {error for error in tree if not error.__subclasses__()}
    assert leaves - {errors.DadosInvalidos} == set(ERRORS) - {LeituraAtrasada}


def test_every_method_of_the_contract_is_there() -> None:
    assert all(callable(getattr(CatalogoServicer, method.name)) for method in SERVICE.methods)


async def test_a_new_product_is_for_sale_unless_said_otherwise(servicer: CatalogoServicer) -> None:
    assert (await created(servicer)).ativo is True
    inactive = await created(servicer, ativo=False)
    assert inactive.ativo is False
    assert inactive.HasField("ativo")
    assert [produto.produto_id for produto in listed(servicer).produtos] == [1]
    assert len(listed(servicer, incluir_inativos=True).produtos) == 2
    raw = cast("bytes", servicer.ObterProduto(pb.ObterProdutoRequest(produto_id=2), None))
    assert pb.Produto.FromString(raw) == inactive


async def test_output_fields_are_ignored_on_input(servicer: CatalogoServicer) -> None:
    produto = await created(servicer, produto_id=77, categoria="Outra", versao=9)
    assert (produto.produto_id, produto.categoria, produto.versao) == (1, "Bolos", 1)


async def test_violations_are_named_by_their_path_in_the_request(servicer: CatalogoServicer) -> None:
    with pytest.raises(InvalidRequest) as caught:
        await servicer.CriarProduto(pb.CriarProdutoRequest(produto=pb.Produto(nome=" ")), None)
    assert [path for path, _ in caught.value.violations] == [
        "produto.nome",
        "produto.preco_centavos",
        "produto.categoria_id",
    ]
    with pytest.raises(InvalidRequest) as caught:
        await servicer.CriarCategoria(pb.CriarCategoriaRequest(categoria=pb.Categoria(nome="\t")), None)
    assert [path for path, _ in caught.value.violations] == ["categoria.nome"]
    with pytest.raises(InvalidRequest) as caught:
        listed(servicer, preco_minimo_centavos=5, preco_maximo_centavos=4)
    assert [path for path, _ in caught.value.violations] == ["preco_maximo_centavos"]


async def changed(servicer: CatalogoServicer, *mask: str, **fields: Any) -> pb.Produto:
    request = pb.AtualizarProdutoRequest(
        produto=pb.Produto(**{"produto_id": 1, **fields}), update_mask=FieldMask(paths=mask)
    )
    return await servicer.AtualizarProduto(request, None)


async def test_without_a_mask_what_is_not_empty_changes(servicer: CatalogoServicer) -> None:
    before = await created(servicer, descricao="fofo", imagem_url="/a.png")
    after = await changed(servicer, nome="Bolo novo", ativo=False)
    assert (after.nome, after.ativo, after.versao) == ("Bolo novo", False, 2)
    assert (after.descricao, after.imagem_url, after.preco_centavos) == (before.descricao, "/a.png", 100)


async def test_a_mask_says_what_changes_even_to_nothing(servicer: CatalogoServicer) -> None:
    await created(servicer, descricao="fofo", imagem_url="/a.png")
    after = await changed(servicer, "descricao", "imagem_url", nome="ignorado", estoque=5)
    assert (after.nome, after.descricao, after.imagem_url, after.estoque) == ("Bolo", "", "", 5)


async def test_the_same_values_again_leave_the_version_alone(servicer: CatalogoServicer) -> None:
    await created(servicer)
    assert (await changed(servicer, nome="Bolo novo")).versao == 2
    assert (await changed(servicer, nome="Bolo novo")).versao == 2
    with pytest.raises(errors.VersaoDesatualizada) as caught:
        await changed(servicer, nome="Outro", versao=1)
    assert (caught.value.versao_enviada, caught.value.versao_atual) == (1, 2)


@pytest.mark.parametrize(
    ("mask", "fields", "path"),
    [
        (("estoque",), {"estoque": 1}, "update_mask"),
        (("nome", "versao"), {"nome": "x"}, "update_mask"),
        (("*",), {"nome": "x"}, "update_mask"),
        (("produto.nome",), {"nome": "x"}, "update_mask"),
        (("",), {"nome": "x"}, "update_mask"),
        ((), {"estoque": 1}, "produto.estoque"),
        (("ativo",), {}, "produto.ativo"),
        (("nome",), {}, "produto.nome"),
        (("preco_centavos",), {}, "produto.preco_centavos"),
        (("categoria_id",), {}, "produto.categoria_id"),
        ((), {"produto_id": 0, "nome": "x"}, "produto.produto_id"),
        ((), {"produto_id": -1, "nome": "x"}, "produto.produto_id"),
    ],
)
async def test_changes_that_make_no_sense_are_refused(
    servicer: CatalogoServicer, mask: tuple[str, ...], fields: dict[str, Any], path: str
) -> None:
    await created(servicer)
    with pytest.raises(InvalidRequest) as caught:
        await changed(servicer, *mask, **fields)
    assert caught.value.violations[0][0] == path


async def test_pages_follow_each_other_by_token(servicer: CatalogoServicer) -> None:
    for number in range(45):
        await created(servicer, nome=f"Bolo {number:02}")
    names: list[str] = []
    token = ""
    sizes: list[int] = []
    while True:
        answer = listed(servicer, busca="bolo", page_token=token, page_size=len(sizes) and 7)
        names += [produto.nome for produto in answer.produtos]
        sizes.append(len(answer.produtos))
        token = answer.next_page_token
        if not token:
            break
    assert names == [f"Bolo {number:02}" for number in range(45)]
    assert sizes == [20, 7, 7, 7, 4], "0 means 20, and a page may be of another size than the one before"


async def test_a_token_holds_for_its_filters_and_order_only(servicer: CatalogoServicer) -> None:
    for _ in range(3):
        await created(servicer)
    token = listed(servicer, page_size=1).next_page_token
    assert listed(servicer, page_token=token, ordenar_por=pb.NOME).produtos, "the default order has a name"
    for other in ({"busca": "b"}, {"ordenar_por": pb.MAIS_NOVOS}, {"apenas_disponiveis": True}, {"categoria": "1"}):
        with pytest.raises(InvalidRequest):
            listed(servicer, page_token=token, **other)
    with pytest.raises(InvalidRequest):
        listed(servicer, page_token=token[:-1] + ("A" if token[-1] != "A" else "B"))


async def test_no_page_is_larger_than_a_hundred(servicer: CatalogoServicer) -> None:
    for _ in range(101):
        await created(servicer)
    assert len(listed(servicer, page_size=2**31 - 1).produtos) == 100


async def test_a_reservation_is_told_whole(servicer: CatalogoServicer) -> None:
    await created(servicer)
    reserva_id = str(uuid4())
    request = pb.ReservarEstoqueRequest(reserva_id=reserva_id, itens=[pb.ItemReservar(produto_id=1, quantidade=2)])
    reserva = (await servicer.ReservarEstoque(request, None)).reserva
    assert (reserva.reserva_id, reserva.status) == (reserva_id, pb.ATIVA)
    assert reserva.itens == [pb.ItemReserva(produto_id=1, nome="Bolo", preco_centavos=100, quantidade=2)]
    assert reserva.expira_em.seconds > 0
    confirmed = await servicer.ConfirmarReserva(pb.ConfirmarReservaRequest(reserva_id=reserva_id.upper()), None)
    assert confirmed.reserva.status == pb.CONFIRMADA
    stock = await servicer.VerificarEstoque(pb.VerificarEstoqueRequest(produto_id=1, quantidade=4), None)
    assert (stock.disponivel, stock.estoque) == (False, 3)
    stock = await servicer.VerificarEstoque(pb.VerificarEstoqueRequest(produto_id=1), None)
    assert stock.disponivel is True
    unknown = await servicer.LiberarReserva(pb.LiberarReservaRequest(reserva_id=str(uuid4())), None)
    assert unknown.reserva.status == pb.LIBERADA
    assert not unknown.reserva.itens
    assert not unknown.reserva.HasField("expira_em")


@pytest.mark.parametrize("size", [0, 1, 127, 128, 300, 16_383, 16_384, 2_097_152])
def test_a_page_of_bytes_reads_like_the_message(size: int) -> None:
    message = pb.ListarProdutosResponse.FromString(page(b"", "t" * size))
    assert message.next_page_token == "t" * size
    assert varint(size)[-1] < 0x80


def test_codes_are_those_of_the_contract() -> None:
    assert ERRORS[errors.VersaoDesatualizada].code is grpc.StatusCode.ABORTED
    assert ERRORS[errors.ChaveReutilizada].code is grpc.StatusCode.ALREADY_EXISTS
    assert ERRORS[errors.EstoqueInsuficiente].code is grpc.StatusCode.FAILED_PRECONDITION
    assert ERRORS[errors.ProdutoNaoEncontrado].code is grpc.StatusCode.NOT_FOUND
