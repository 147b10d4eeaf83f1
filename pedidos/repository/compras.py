"""Attempts to order, on PostgreSQL: each step is one guarded change of a batch of rows, and one commit.

Who moves an order and its attempt locks the order first, so that no two of them wait for each other.
"""

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection

from chassis.errors import DeadlineExceeded
from chassis.group_commit import Run
from chassis.postgres import query
from pedidos.domain import (
    Carrinho,
    Compra,
    ErroPedido,
    Etapa,
    ItemPedido,
    Pedido,
    ServicoIndisponivel,
    Solicitacao,
    falha_em_dados,
)
from pedidos.repository import rows
from pedidos.repository import sql_compras as sql
from pedidos.repository.fila import Fila

# A worker's lease: longer than any single step with its remote call, so that only a death leaves one to run out.
ARRENDAMENTO = 4.0  # seconds, by the database's clock

Registro = tuple[str, Solicitacao, Carrinho]
Gravacao = tuple[Compra, Sequence[ItemPedido], int]
Abandono = tuple[Compra, ErroPedido]


class ComprasPostgres:
    """`run` does a transaction; `resposta` turns an order into its answer's bytes; `dono` names this process."""

    def __init__(self, run: Run, resposta: Callable[[Pedido], bytes], *, dono: str) -> None:
        self._run = run
        self._resposta = resposta
        self._arrendar = {"dono": dono, "arrendamento": ARRENDAMENTO}
        fila = Fila(run)
        self._buscar = fila.passo(_buscar, comeca=True)
        self._registrar = fila.passo(self._registrar_lote, comeca=True)
        self._gravar = fila.passo(self._gravar_lote)
        self._responder = fila.passo(self._responder_lote)
        self._abandonar = fila.passo(self._abandonar_lote)
        self._concluir = fila.passo(_concluir_lote, esquecivel=True)

    async def buscar(self, chave: str) -> Compra | None:
        return await self._buscar(chave)

    async def buscar_por_carrinho(self, sessao_id: str, versao: int) -> Compra | None:
        def work(connection: Connection) -> Compra | None:
            found = query(connection, sql.BUSCAR_POR_CARRINHO, {"sessao_id": sessao_id, "versao": versao})
            return rows.compra(found[0], minha=False) if found else None

        return await self._run(work)

    async def registrar(self, chave: str, solicitacao: Solicitacao, carrinho: Carrinho) -> Compra:
        while True:
            compra = await self._registrar((chave, solicitacao, carrinho))
            if compra is not None:
                return compra
            # The key was taken when we wrote, and free again when we looked: an attempt failed in between.

    async def assumir(self, pedido_id: str) -> Compra | None:
        def work(connection: Connection) -> Compra | None:
            found = query(connection, sql.ASSUMIR, {"pedido_id": pedido_id, **self._arrendar})
            if found:
                return rows.compra(found[0], minha=True)
            return _reler(connection, [pedido_id]).get(pedido_id)

        return await self._run(work)

    async def gravar(self, compra: Compra, itens: Sequence[ItemPedido], total_centavos: int) -> Compra:
        return await self._gravar((compra, itens, total_centavos))

    async def responder(self, compra: Compra) -> Compra:
        return await self._responder(compra)

    async def desistir(self, compra: Compra, falha: ErroPedido) -> Compra:
        if compra.etapa is Etapa.INICIADA:
            return await self._abandonar((compra, falha))

        def work(connection: Connection) -> Compra:
            if not query(connection, sql.CANCELAR_PENDENTE, {"pedido_id": compra.pedido_id}):
                return _reler(connection, [compra.pedido_id])[compra.pedido_id]
            return self._abandonar_lote(connection, [(compra, falha)])[0]

        return await self._run(work)

    async def concluir(self, compra: Compra) -> None:
        try:
            await self._concluir(compra.pedido_id)
        except DeadlineExceeded as exc:  # no reason to take back an answer that is durable
            raise ServicoIndisponivel("banco de dados") from exc

    async def soltar(self, compra: Compra, segundos: float = 0.0) -> None:
        dados = {**self._arrendar, "pedido_id": compra.pedido_id, "segundos": segundos}
        await self._run(lambda connection: query(connection, sql.SOLTAR, dados))

    async def vencidas(self, limite: int) -> list[Compra]:
        def work(connection: Connection) -> list[Compra]:
            found = query(connection, sql.VENCIDAS, {"limite": limite, **self._arrendar})
            return [rows.compra(row, minha=True) for row in found]

        return sorted(await self._run(work), key=lambda compra: compra.pedido_id)

    async def limpar(self) -> int:
        return await self._run(lambda connection: len(query(connection, sql.LIMPAR)))

    def _registrar_lote(self, connection: Connection, lote: Sequence[Registro]) -> list[Compra | None]:
        lista = [
            (chave, pedido.fingerprint, pedido.sessao_id, carrinho.versao, rows.solicitacao_json(pedido, carrinho))
            for chave, pedido, carrinho in lote
        ]
        colunas = dict(
            zip(("chaves", "fingerprints", "sessoes", "versoes", "solicitacoes"), _colunas(lista), strict=True)
        )
        novas = {row.chave: row for row in query(connection, sql.REGISTRAR, {**colunas, **self._arrendar})}
        # Of two with one key in this batch the first made the row, so a row is given out once.
        feitas = [_nova(registro, row) if (row := novas.pop(registro[0], None)) else None for registro in lote]
        tomadas = [chave for (chave, *_), feita in zip(lote, feitas, strict=True) if feita is None]
        outras = dict(zip(tomadas, _buscar(connection, tomadas), strict=True)) if tomadas else {}
        return [feita or outras[chave] for (chave, *_), feita in zip(lote, feitas, strict=True)]

    def _gravar_lote(self, connection: Connection, lote: Sequence[Gravacao]) -> list[Compra]:
        pedidos = [(compra.pedido_id, total, rows.criado_json(compra, itens, total)) for compra, itens, total in lote]
        itens_lote = [
            (compra.pedido_id, item.produto_id, item.nome, item.preco_centavos, item.quantidade)
            for compra, itens, _ in lote
            for item in itens
        ]
        colunas = (*_colunas(pedidos), *_colunas(itens_lote))
        nomes = ("pedido_ids", "totais", "corpos", "donos", "produtos", "nomes", "precos", "quantidades")
        found = query(connection, sql.GRAVAR, {**dict(zip(nomes, colunas, strict=True)), **self._arrendar})
        return _movidas(connection, [compra for compra, *_ in lote], {row.pedido_id for row in found}, Etapa.GRAVADA)

    def _responder_lote(self, connection: Connection, lote: Sequence[Compra]) -> list[Compra]:
        pedido_ids = [compra.pedido_id for compra in lote]
        found = query(connection, sql.CONFIRMAR, {"pedido_ids": pedido_ids})
        seqs = {row.pedido_id: row.eventos for row in found}
        if len(found) < len(lote):
            found += query(connection, sql.CANCELADOS, {"pedido_ids": pedido_ids})
        respostas = {row.pedido_id: self._resposta(rows.pedido(row)) for row in found}
        dados: dict[str, Any] = {"pedido_ids": list(respostas), "respostas": list(respostas.values())}
        dados["seqs"] = [seqs.get(pedido_id) for pedido_id in respostas]  # None: cancelled, its event is written
        moved = {row.pedido_id for row in query(connection, sql.RESPONDER, {**dados, **self._arrendar})}
        assert moved >= seqs.keys(), "an order was confirmed without its answer"  # rolls both back
        movidas = _movidas(connection, lote, moved, Etapa.RESPONDIDA)
        return [replace(c, resposta=respostas[c.pedido_id]) if c.pedido_id in moved else c for c in movidas]

    def _abandonar_lote(self, connection: Connection, lote: Sequence[Abandono]) -> list[Compra]:
        lista = [(compra.pedido_id, compra.etapa.value, json.dumps(falha_em_dados(falha))) for compra, falha in lote]
        colunas = dict(zip(("pedido_ids", "etapas", "falhas"), _colunas(lista), strict=True))
        moved = {row.pedido_id for row in query(connection, sql.ABANDONAR, {**colunas, **self._arrendar})}
        movidas = _movidas(connection, [compra for compra, _ in lote], moved, Etapa.FALHANDO)
        falhas = {compra.pedido_id: falha for compra, falha in lote}
        return [replace(c, falha=falhas[c.pedido_id]) if c.pedido_id in moved else c for c in movidas]


def _buscar(connection: Connection, chaves: Sequence[str]) -> list[Compra | None]:
    found = {row.chave: row for row in query(connection, sql.BUSCAR, {"chaves": list(chaves)})}
    return [rows.compra(found[chave], minha=False) if chave in found else None for chave in chaves]


def _reler(connection: Connection, pedido_ids: Sequence[str]) -> dict[str, Compra]:
    found = query(connection, sql.RELER, {"pedido_ids": list(pedido_ids)})
    return {row.pedido_id: rows.compra(row, minha=False) for row in found}


def _movidas(connection: Connection, lote: Sequence[Compra], moved: set[str], etapa: Etapa) -> list[Compra]:
    """The batch as it stands now: those that were moved, and those that somebody else had moved before."""
    parados = [compra.pedido_id for compra in lote if compra.pedido_id not in moved]
    outras = _reler(connection, parados) if parados else {}
    return [outras.get(compra.pedido_id) or replace(compra, etapa=etapa) for compra in lote]


def _concluir_lote(connection: Connection, pedido_ids: Sequence[str]) -> list[None]:
    query(connection, sql.CONCLUIR, {"pedido_ids": list(pedido_ids)})
    return [None] * len(pedido_ids)


def _nova(registro: Registro, row: Any) -> Compra:  # noqa: ANN401  a named tuple of a query
    chave, solicitacao, carrinho = registro
    return Compra(
        pedido_id=row.pedido_id,
        chave=chave,
        fingerprint=solicitacao.fingerprint,
        solicitacao=solicitacao,
        carrinho=carrinho,
        etapa=Etapa.INICIADA,
        criado_em=row.criado_em,
        minha=True,
    )


def _colunas(linhas: Sequence[tuple[Any, ...]]) -> Iterable[list[Any]]:
    return (list(coluna) for coluna in zip(*linhas, strict=True))
