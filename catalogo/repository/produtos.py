"""Products and categories in PostgreSQL: one transaction a method, and what must hold under a race in one statement."""

import hashlib
import json
from dataclasses import asdict, astuple
from uuid import UUID

from sqlalchemy import Connection, text
from sqlalchemy.exc import IntegrityError

from catalogo.domain.errors import (
    CategoriaDuplicada,
    CategoriaNaoEncontrada,
    ChaveReutilizada,
    ProdutoNaoEncontrado,
    VersaoDesatualizada,
)
from catalogo.domain.produtos import AlteracaoProduto, Categoria, NovaCategoria, NovoProduto, Produto
from catalogo.domain.text import unique_key
from catalogo.repository.rows import CATEGORIA, categoria_of, ler
from catalogo.use_cases import Disponibilidade
from chassis.errors import Unavailable
from chassis.postgres import Postgres

CRIAR = text("""
WITH novo AS (
  INSERT INTO produtos (nome, descricao, preco_centavos, categoria_id, inicial, disponivel, imagem_url, ativo,
                        criacao_chave, criacao_impressao)
  VALUES (:nome, :descricao, :preco_centavos, :categoria_id, :estoque, :estoque, :imagem_url, :ativo,
          :chave, :impressao)
  ON CONFLICT (criacao_chave) WHERE criacao_chave IS NOT NULL DO NOTHING
  RETURNING produto_id, inicial
), movimento AS (
  INSERT INTO movimentos_estoque (produto_id, operacao, chave, quem, quantidade, inicial, disponivel)
  SELECT produto_id, 'CRIAR', 'criar:' || produto_id, :quem, inicial, inicial, inicial FROM novo
)
SELECT produto_id FROM novo
""")
CRIADO = text("SELECT produto_id, criacao_impressao FROM produtos WHERE criacao_chave = :chave")

# Equal values leave `versao` alone, so that a repetition is harmless.
ALTERAR = text("""
UPDATE produtos SET
  nome = coalesce(:nome, nome), descricao = coalesce(:descricao, descricao),
  preco_centavos = coalesce(:preco_centavos, preco_centavos), categoria_id = coalesce(:categoria_id, categoria_id),
  imagem_url = coalesce(:imagem_url, imagem_url), ativo = coalesce(:ativo, ativo),
  versao = versao + CASE WHEN
    coalesce(:nome, nome) = nome AND coalesce(:descricao, descricao) = descricao
    AND coalesce(:preco_centavos, preco_centavos) = preco_centavos
    AND coalesce(:categoria_id, categoria_id) = categoria_id
    AND coalesce(:imagem_url, imagem_url) = imagem_url AND coalesce(:ativo, ativo) = ativo THEN 0 ELSE 1 END
WHERE produto_id = :produto_id AND excluido_em IS NULL AND :versao IN (0, versao)
RETURNING produto_id
""")
EXCLUIR = text("""
UPDATE produtos SET excluido_em = now(), criacao_chave = NULL, criacao_impressao = NULL
WHERE produto_id = :produto_id AND excluido_em IS NULL
RETURNING produto_id
""")
VERSAO = text("SELECT versao FROM produtos WHERE produto_id = :produto_id AND excluido_em IS NULL")
SALDO = text("""
SELECT pg_is_in_recovery() AS copia, p.disponivel, p.ativo
FROM (SELECT) sempre LEFT JOIN produtos p ON p.produto_id = :produto_id AND p.excluido_em IS NULL
""")
CRIAR_CATEGORIA = text(f"""
INSERT INTO categorias (nome, nome_chave, descricao) VALUES (:nome, :chave, :descricao)
ON CONFLICT (nome_chave) DO NOTHING
RETURNING {CATEGORIA}
""")  # noqa: S608  the columns are ours


class ProdutoRepository:
    """The port `Produtos`."""

    def __init__(self, postgres: Postgres) -> None:
        self._postgres = postgres

    async def criar(self, novo: NovoProduto, chave: UUID | None, quem: str) -> Produto:
        try:
            return await self._postgres.run(lambda connection: _criar(connection, novo, chave, quem))
        except IntegrityError as exc:
            raise _without_category(exc, novo.categoria_id) from exc

    async def alterar(self, produto_id: int, versao: int, alteracao: AlteracaoProduto) -> Produto:
        try:
            return await self._postgres.run(lambda connection: _alterar(connection, produto_id, versao, alteracao))
        except IntegrityError as exc:
            raise _without_category(exc, alteracao.categoria_id) from exc

    async def excluir(self, produto_id: int) -> Produto:
        return await self._postgres.run(lambda connection: _excluir(connection, produto_id))

    async def criar_categoria(self, nova: NovaCategoria) -> Categoria:
        return await self._postgres.run(lambda connection: _criar_categoria(connection, nova))

    async def disponibilidade(self, produto_id: int) -> Disponibilidade:
        return await self._postgres.run(lambda connection: _disponibilidade(connection, produto_id))


def _criar(connection: Connection, novo: NovoProduto, chave: UUID | None, quem: str) -> Produto:
    impressao = None if chave is None else _fingerprint(novo)
    values = {**asdict(novo), "chave": chave and str(chave), "impressao": impressao, "quem": quem}
    produto_id = connection.execute(CRIAR, values).scalar()
    if produto_id is None:
        produto_id = _criado(connection, chave, impressao)
    return ler(connection, [produto_id])[produto_id]


def _criado(connection: Connection, chave: UUID | None, impressao: bytes | None) -> int:
    """What an earlier call with the same key made."""
    row = connection.execute(CRIADO, {"chave": str(chave)}).one_or_none()
    if row is None:  # deleted between the two statements, and its key with it
        raise Unavailable("O produto desta chave está sendo excluído.", 0.1)
    if chave is not None and bytes(row.criacao_impressao) != impressao:
        raise ChaveReutilizada(chave)
    return int(row.produto_id)


def _alterar(connection: Connection, produto_id: int, versao: int, alteracao: AlteracaoProduto) -> Produto:
    values = {**asdict(alteracao), "produto_id": produto_id, "versao": versao}
    if connection.execute(ALTERAR, values).scalar() is None:
        atual = connection.execute(VERSAO, {"produto_id": produto_id}).scalar()
        raise ProdutoNaoEncontrado(produto_id) if atual is None else VersaoDesatualizada(versao, atual)
    return ler(connection, [produto_id])[produto_id]


def _excluir(connection: Connection, produto_id: int) -> Produto:
    if connection.execute(EXCLUIR, {"produto_id": produto_id}).scalar() is None:
        raise ProdutoNaoEncontrado(produto_id)
    return ler(connection, [produto_id])[produto_id]


def _criar_categoria(connection: Connection, nova: NovaCategoria) -> Categoria:
    values = {"nome": nova.nome, "chave": unique_key(nova.nome), "descricao": nova.descricao}
    row = connection.execute(CRIAR_CATEGORIA, values).one_or_none()
    if row is None:
        raise CategoriaDuplicada(nova.nome)
    return categoria_of(row)


def _disponibilidade(connection: Connection, produto_id: int) -> Disponibilidade:
    row = connection.execute(SALDO, {"produto_id": produto_id}).one()
    if row.copia:
        raise Unavailable("Este processo só tem uma cópia do banco de dados.")
    if row.disponivel is None:
        raise ProdutoNaoEncontrado(produto_id)
    return Disponibilidade(row.disponivel, row.ativo)


def _fingerprint(novo: NovoProduto) -> bytes:
    return hashlib.sha256(json.dumps(astuple(novo)).encode()).digest()


def _without_category(exc: IntegrityError, categoria_id: int | None) -> Exception:
    """What a violated foreign key means; any other violation as it is."""
    constraint = getattr(getattr(exc.orig, "diag", None), "constraint_name", None)
    return CategoriaNaoEncontrada(categoria_id or 0) if constraint == "produtos_categoria" else exc
