"""How rows become the domain's things."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection

from catalogo.domain.produtos import Categoria, Momento, Produto
from chassis.postgres import query

# What `produto_of` reads; p and c are the aliases of produtos and categorias.
PRODUTO = """
p.produto_id, p.nome, p.descricao, p.preco_centavos, p.disponivel, p.imagem_url, p.ativo, p.versao, p.criado_em,
p.excluido_em IS NOT NULL AS excluido, p.revisao, p.linha, p.mudanca,
c.categoria_id, c.nome AS c_nome, c.descricao AS c_descricao, c.revisao AS c_revisao
"""
CATEGORIA = "categoria_id, nome, descricao, revisao, linha, mudanca"

LER = f"""
SELECT {PRODUTO} FROM produtos p JOIN categorias c USING (categoria_id)
WHERE p.produto_id = ANY(CAST(%(ids)s AS integer[]))
"""  # noqa: S608  the columns are ours


def ler(connection: Connection, ids: Iterable[int]) -> dict[int, Produto]:
    """Products by id, deleted ones included."""
    known = list(ids)
    rows = query(connection, LER, {"ids": known}) if known else ()
    return {row.produto_id: produto_of(row) for row in rows}


def produto_of(row: Any) -> Produto:  # noqa: ANN401  named tuples of a query
    return Produto(
        produto_id=row.produto_id,
        nome=row.nome,
        descricao=row.descricao,
        preco_centavos=row.preco_centavos,
        categoria=Categoria(row.categoria_id, row.c_nome, row.c_descricao, row.c_revisao),
        estoque=row.disponivel,
        imagem_url=row.imagem_url,
        ativo=row.ativo,
        versao=row.versao,
        criado_em=row.criado_em,
        excluido=row.excluido,
        revisao=row.revisao,
        momento=Momento(row.linha, row.mudanca),
    )


def categoria_of(row: Any) -> Categoria:  # noqa: ANN401
    momento = Momento(row.linha, row.mudanca)
    return Categoria(row.categoria_id, row.nome, row.descricao, row.revisao, momento)
