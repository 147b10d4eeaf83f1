"""The domain's things as messages of the contract."""

from confeitaria.catalogo.v1 import catalogo_pb2 as pb
from google.protobuf.timestamp_pb2 import Timestamp

from catalogo.domain.estoque import Reserva
from catalogo.domain.produtos import Categoria, Produto


def produto_message(produto: Produto) -> pb.Produto:
    return pb.Produto(
        produto_id=produto.produto_id,
        nome=produto.nome,
        descricao=produto.descricao,
        preco_centavos=produto.preco_centavos,
        categoria_id=produto.categoria.categoria_id,
        categoria=produto.categoria.nome,
        estoque=produto.estoque,
        imagem_url=produto.imagem_url,
        ativo=produto.ativo,
        versao=produto.versao,
    )


def categoria_message(categoria: Categoria) -> pb.Categoria:
    return pb.Categoria(categoria_id=categoria.categoria_id, nome=categoria.nome, descricao=categoria.descricao)


def reserva_message(reserva: Reserva) -> pb.Reserva:
    message = pb.Reserva(
        reserva_id=str(reserva.reserva_id),
        status=reserva.status.value,
        itens=[
            pb.ItemReserva(produto_id=produto_id, nome=nome, preco_centavos=preco, quantidade=quantidade)
            for produto_id, nome, preco, quantidade in reserva.itens
        ],
    )
    if reserva.expira_em is not None:
        expiry = Timestamp()
        expiry.FromDatetime(reserva.expira_em)
        message.expira_em.CopyFrom(expiry)
    return message


def element(message: bytes) -> bytes:
    """`message` as one element of a repeated field 1, so that a list answer is a join of such bytes.

    Source: protobuf.dev/programming-guides/encoding (tag 1 with wire type 2, a varint length, the bytes).
    """
    return b"\x0a" + varint(len(message)) + message


def page(elements: bytes, next_page_token: str) -> bytes:
    """A list answer: the joined elements, and the token as field 2 when there is one."""
    if not next_page_token:
        return elements
    token = next_page_token.encode()
    return b"".join((elements, b"\x12", varint(len(token)), token))


def varint(number: int) -> bytes:
    """A length as protobuf writes it: seven bits a byte, the least first."""
    digits = bytearray()
    while number > 0x7F:  # noqa: PLR2004  what seven bits hold
        digits.append(number & 0x7F | 0x80)
        number >>= 7
    digits.append(number)
    return bytes(digits)
