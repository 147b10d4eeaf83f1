"""The opening catalog, from seed.toml into an empty database."""

import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from catalogo.domain.produtos import NovaCategoria, NovoProduto
from catalogo.domain.text import unique_key

if TYPE_CHECKING:
    import psycopg2.extensions

SOURCE = Path(__file__).with_name("seed.toml")
QUEM = "semente"  # who, in the ledger

CATEGORY = """
INSERT INTO categorias (nome, nome_chave, descricao) VALUES (%s, %s, %s)
ON CONFLICT (nome_chave) DO UPDATE SET nome = excluded.nome RETURNING categoria_id
"""
PRODUCT = """
WITH novo AS (
  INSERT INTO produtos (nome, descricao, preco_centavos, categoria_id, inicial, disponivel, imagem_url, ativo)
  VALUES (%(nome)s, %(descricao)s, %(preco)s, %(categoria_id)s, %(estoque)s, %(estoque)s, '', true) RETURNING *
)
INSERT INTO movimentos_estoque (produto_id, operacao, chave, quem, quantidade, inicial, disponivel)
SELECT produto_id, 'CRIAR', 'criar:' || produto_id, %(quem)s, inicial, inicial, inicial FROM novo
"""


def read() -> list[tuple[NovaCategoria, list[NovoProduto]]]:
    """Categories with their products (categoria_id not known yet: 1); DadosInvalidos when one breaks a rule."""
    return [
        (
            NovaCategoria(shelf["nome"], shelf["descricao"]),
            [
                NovoProduto(item["nome"], item["descricao"], item["preco"], 1, item["estoque"], "", ativo=True)
                for item in shelf["produtos"]
            ],
        )
        for shelf in _source()
    ]


def load(cursor: "psycopg2.extensions.cursor") -> int:
    """Adds everything; how many products. The caller commits."""
    count = 0
    for categoria, produtos in read():
        cursor.execute(CATEGORY, (categoria.nome, unique_key(categoria.nome), categoria.descricao))
        (categoria_id,) = cursor.fetchone() or (0,)
        for novo in produtos:
            cursor.execute(PRODUCT, _row(novo, categoria_id))
            count += 1
    return count


def _source() -> list[dict[str, Any]]:
    shelves: list[dict[str, Any]] = tomllib.loads(SOURCE.read_text(encoding="utf-8"))["categoria"]
    return shelves


def _row(novo: NovoProduto, categoria_id: int) -> dict[str, object]:
    return {
        "nome": novo.nome,
        "descricao": novo.descricao,
        "preco": novo.preco_centavos,
        "categoria_id": categoria_id,
        "estoque": novo.estoque,
        "quem": QUEM,
    }
