"""Requests of the contract as the domain's things; chassis.errors.InvalidRequest names what will not do by its path."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from uuid import UUID

from confeitaria.catalogo.v1 import catalogo_pb2 as pb

from catalogo.domain.errors import DadosInvalidos
from catalogo.domain.estoque import VALIDADE_PADRAO, Ajustar, ItemReservar, Operacao, Reservar
from catalogo.domain.produtos import AlteracaoProduto, Filtro, NovaCategoria, NovoProduto, Ordem
from chassis.errors import InvalidRequest

CHANGEABLE = ("nome", "descricao", "preco_centavos", "categoria_id", "imagem_url", "ativo")
PAGE, LARGEST_PAGE = 20, 100  # products
ORDERS = (Ordem.NOME, *Ordem)  # by their numbers in the contract; 0 is the same as NOME


def filtro_of(request: pb.ListarProdutosRequest) -> Filtro:
    filtro = Filtro(
        request.categoria,
        request.busca,
        request.preco_minimo_centavos,
        request.preco_maximo_centavos,
        request.apenas_disponiveis,
        request.incluir_inativos,
        ORDERS[request.ordenar_por],
    )
    try:
        filtro.conferir()
    except DadosInvalidos as exc:
        raise InvalidRequest(*exc.violations) from exc
    return filtro


def page_size(asked: int) -> int:
    return min(asked or PAGE, LARGEST_PAGE)


def key_of(request_id: str) -> UUID | None:
    return UUID(request_id) if request_id else None


def novo_produto_of(message: pb.Produto) -> NovoProduto:
    with _paths("produto."):
        return NovoProduto(
            nome=message.nome.strip(),
            descricao=message.descricao,
            preco_centavos=message.preco_centavos,
            categoria_id=message.categoria_id,
            estoque=message.estoque,
            imagem_url=message.imagem_url,
            ativo=message.ativo if message.HasField("ativo") else True,
        )


def nova_categoria_of(message: pb.Categoria) -> NovaCategoria:
    with _paths("categoria."):
        return NovaCategoria(message.nome.strip(), message.descricao)


def alteracao_of(request: pb.AtualizarProdutoRequest) -> AlteracaoProduto:
    """The fields that the mask names; without a mask, those that are not empty (AIP-134)."""
    message = request.produto
    if message.produto_id < 1:
        raise InvalidRequest(("produto.produto_id", "deve ser 1 ou mais"))
    names = _named(request.update_mask.paths) or _filled(message)
    if "ativo" in names and not message.HasField("ativo"):
        raise InvalidRequest(("produto.ativo", "deve ser verdadeiro ou falso"))
    with _paths("produto."):
        message.nome = message.nome.strip()
        return AlteracaoProduto(**{name: getattr(message, name) for name in names})


def ajustar_of(request: pb.AtualizarEstoqueRequest, quem: str) -> Ajustar:
    operacao = Operacao(pb.OperacaoEstoque.Name(request.operacao))
    return Ajustar(request.produto_id, operacao, request.quantidade, key_of(request.request_id), quem)


def reservar_of(request: pb.ReservarEstoqueRequest, quem: str) -> Reservar:
    itens = tuple(ItemReservar(item.produto_id, item.quantidade) for item in request.itens)
    return Reservar(UUID(request.reserva_id), itens, request.validade_segundos or VALIDADE_PADRAO, quem)


def _named(paths: Sequence[str]) -> set[str]:
    unknown = [path for path in paths if path not in CHANGEABLE]
    if unknown:
        allowed = ", ".join(CHANGEABLE)
        raise InvalidRequest(*(("update_mask", f"não aceita “{path}”, só {allowed}") for path in unknown))
    return set(paths)


def _filled(message: pb.Produto) -> set[str]:
    if message.estoque:
        raise InvalidRequest(("produto.estoque", "só muda por AtualizarEstoque"))
    return {field.name for field, _ in message.ListFields()}.intersection(CHANGEABLE)


@contextmanager
def _paths(prefix: str) -> Iterator[None]:
    """The domain speaks of its own fields; the caller knows them by their path in the request."""
    try:
        yield
    except DadosInvalidos as exc:
        raise InvalidRequest(*((prefix + field, why) for field, why in exc.violations)) from exc
