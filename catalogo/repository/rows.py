"""How rows become the domain's things."""

from sqlalchemy import RowMapping

from catalogo.domain.produtos import Categoria, Produto

# What `produto_of` reads; p and c are the aliases of produtos and categorias.
PRODUTO = """
p.produto_id, p.nome, p.descricao, p.preco_centavos, p.disponivel, p.imagem_url, p.ativo, p.versao, p.criado_em,
p.excluido_em IS NOT NULL AS excluido, p.revisao,
c.categoria_id, c.nome AS c_nome, c.descricao AS c_descricao, c.revisao AS c_revisao
"""
CATEGORIA = "categoria_id, nome, descricao, revisao"


def produto_of(row: RowMapping) -> Produto:
    return Produto(
        produto_id=row["produto_id"],
        nome=row["nome"],
        descricao=row["descricao"],
        preco_centavos=row["preco_centavos"],
        categoria=Categoria(row["categoria_id"], row["c_nome"], row["c_descricao"], row["c_revisao"]),
        estoque=row["disponivel"],
        imagem_url=row["imagem_url"],
        ativo=row["ativo"],
        versao=row["versao"],
        criado_em=row["criado_em"],
        excluido=row["excluido"],
        revisao=row["revisao"],
    )


def categoria_of(row: RowMapping) -> Categoria:
    return Categoria(row["categoria_id"], row["nome"], row["descricao"], row["revisao"])
