"""Rows and what they mean; JSON columns are lists in a fixed order, short and quick to read."""

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row

from pedidos.domain import (
    Carrinho,
    Cliente,
    Compra,
    Etapa,
    ItemCarrinho,
    ItemPedido,
    Pedido,
    Solicitacao,
    StatusPedido,
    falha_de_dados,
)

PEDIDO = """CAST(p.pedido_id AS text) AS pedido_id, p.sessao_id, p.status, p.total_centavos,
  p.cliente_nome, p.cliente_email, p.cliente_telefone, p.observacao, p.criado_em, p.atualizado_em,
  (SELECT json_agg(json_build_array(i.produto_id, i.nome, i.preco_centavos, i.quantidade) ORDER BY i.produto_id)
     FROM itens_pedido i WHERE i.pedido_id = p.pedido_id) AS itens"""

COMPRA = """CAST(c.pedido_id AS text) AS pedido_id, c.chave, c.fingerprint, c.sessao_id, c.carrinho_versao,
  c.solicitacao, c.etapa, c.criado_em, c.resposta, c.falha,
  extract(epoch FROM clock_timestamp() - c.criado_em)::float8 AS idade"""


def pedido(row: Row[Any]) -> Pedido:
    return Pedido(
        pedido_id=row.pedido_id,
        sessao_id=row.sessao_id,
        status=StatusPedido(row.status),
        itens=tuple(ItemPedido(*item) for item in row.itens),
        total_centavos=row.total_centavos,
        cliente=Cliente(row.cliente_nome, row.cliente_email, row.cliente_telefone),
        observacao=row.observacao,
        criado_em=row.criado_em,
        atualizado_em=row.atualizado_em,
    )


def compra(row: Row[Any], *, minha: bool) -> Compra:
    nome, email, telefone, observacao, request_id, itens = row.solicitacao
    return Compra(
        pedido_id=row.pedido_id,
        chave=row.chave,
        fingerprint=bytes(row.fingerprint),
        solicitacao=Solicitacao(row.sessao_id, Cliente(nome, email, telefone), observacao, request_id),
        carrinho=Carrinho(row.sessao_id, row.carrinho_versao, tuple(ItemCarrinho(*item) for item in itens)),
        etapa=Etapa(row.etapa),
        criado_em=row.criado_em,
        idade=row.idade,
        minha=minha,
        resposta=None if row.resposta is None else bytes(row.resposta),
        falha=None if row.falha is None else falha_de_dados(row.falha),
    )


def solicitacao_json(solicitacao: Solicitacao, carrinho: Carrinho) -> str:
    """The rest of an intent, as compra() reads it."""
    cliente = solicitacao.cliente
    itens = [(item.produto_id, item.quantidade) for item in carrinho.itens]
    corpo = [cliente.nome, cliente.email, cliente.telefone, solicitacao.observacao, solicitacao.request_id, itens]
    return json.dumps(corpo, ensure_ascii=False)


def criado_json(compra: Compra, itens: Sequence[ItemPedido], total_centavos: int) -> str:
    """The event pedido_criado. Who ordered stays out of it: the stream is read by many."""
    corpo = {
        "pedido_id": compra.pedido_id,
        "sessao_id": compra.carrinho.sessao_id,
        "status": StatusPedido.PENDENTE,
        "total_centavos": total_centavos,
        "itens": [
            {
                "produto_id": item.produto_id,
                "nome": item.nome,
                "preco_centavos": item.preco_centavos,
                "quantidade": item.quantidade,
            }
            for item in itens
        ],
        "criado_em": compra.criado_em.isoformat(),
    }
    return json.dumps(corpo, ensure_ascii=False)
