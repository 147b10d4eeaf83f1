"""Bugs that we know how to make, and the test that catches each."""

from __future__ import annotations

from dataclasses import dataclass

from tests.seeded.copies import Edit

ESTOQUE, LOTE = "catalogo/domain/estoque.py", "catalogo/repository/estoque.py"
CATALOGO = "catalogo/use_cases.py"
CATALOGO_SQL, PEDIDOS_SQL = (
    "catalogo/migrations/versions/0001_estrutura.py",
    "pedidos/migrations/versions/0002_passos_leves.py",
)
CHECKOUT, SAGA_SQL, CLIENTS = "pedidos/use_cases/checkout.py", "pedidos/repository/sql_compras.py", "pedidos/clients.py"
RELAY, JORNAL = "pedidos/repository/eventos.py", "pedidos/repository/eventos_valkey.py"
GROUP, LUA = "chassis/group_commit.py", "carrinho/repository/carrinho.lua"

UNIT_ESTOQUE = "tests/unit/catalogo/test_estoque.py"
LOCKS, RACES = "tests/integration/test_catalogo/test_locks.py", "tests/integration/test_catalogo/test_races.py"
FRESCOR, UNIT_FRESCOR = "tests/integration/test_catalogo/test_frescor.py", "tests/unit/catalogo/test_frescor.py"
SCHEMA, CLOCK = "tests/integration/test_catalogo/test_schema.py", "tests/integration/test_catalogo/test_clock.py"
UNIT_CHECKOUT, PORTS = "tests/unit/pedidos/test_checkout.py", "tests/integration/test_pedidos/test_ports.py"
ORDERS, CRASHES = "tests/integration/test_pedidos/test_service.py", "tests/model/test_checkout_crash_points.py"
CORREIO, LATE = "tests/integration/test_pedidos/test_correio.py", "tests/integration/test_pedidos/test_relay.py"
DURABILITY = "tests/integration/test_pedidos/test_durability.py"
UNIT_GROUP, CARTS = "tests/unit/chassis/test_group_commit.py", "tests/integration/test_carrinho/test_repository.py"


@dataclass(frozen=True)
class Bug:
    """`caught_by`: ids of tests each of which must fail with it, by an assertion; one without its parameters stands
    for all of its cases, of which one must fail.
    """

    name: str
    edits: tuple[Edit, ...]
    caught_by: tuple[str, ...]


BUGS = (
    Bug(
        "no stock guard",
        (Edit(ESTOQUE, "if saldo.disponivel < item.quantidade:", "if False:"),),
        (f"{UNIT_ESTOQUE}::test_a_reservation_is_all_or_none_and_blames_the_first_short_item_by_id",),
    ),
    Bug(
        "no stock guard in the database",
        (Edit(CATALOGO_SQL, "disponivel integer NOT NULL CHECK (disponivel >= 0)", "disponivel integer NOT NULL"),),
        (f"{SCHEMA}::test_no_statement_can_make_or_lose_a_unit",),
    ),
    Bug(
        "reads, decides, and writes what it no longer holds",
        (Edit(LOTE, "ORDER BY produto_id FOR NO KEY UPDATE", "ORDER BY produto_id"),),
        (f"{LOCKS}::test_who_decides_on_stock_holds_it_until_the_commit",),
    ),
    Bug(
        "locks in no order",
        (
            Edit(LOTE, "ORDER BY produto_id FOR NO KEY UPDATE", "ORDER BY random() FOR NO KEY UPDATE"),
            Edit(LOTE, "ORDER BY reserva_id FOR UPDATE\n)", "ORDER BY random() FOR UPDATE\n)"),
        ),
        (
            f"{LOCKS}::test_products_are_locked_in_the_order_of_their_ids",
            f"{LOCKS}::test_reservations_are_locked_in_the_order_of_their_ids",
        ),
    ),
    Bug(
        "answers before the commit",
        (
            Edit(
                GROUP,
                "list(zip(batch, self._work(connection, arguments), strict=True))",
                "[(w, w.answer.set_result(r) or r)"
                " for w, r in zip(batch, self._work(connection, arguments), strict=True)]",
            ),
        ),
        (f"{UNIT_GROUP}::test_nobody_is_answered_before_the_commit",),
    ),
    Bug(
        "does again what may have been done",
        (Edit(GROUP, "if len(batch) == 1 or isinstance(exc, self._uncertain):", "if len(batch) == 1:"),),
        (f"{UNIT_GROUP}::test_uncertain_outcome_is_everybodys_and_is_not_tried_again",),
    ),
    Bug(
        "release gives back twice",
        (
            Edit(
                ESTOQUE,
                "case StatusReserva.CONFIRMADA:\n                self._encerrar(comando, Operacao.ESTORNAR",
                "case StatusReserva.CONFIRMADA | StatusReserva.LIBERADA:\n"
                "                self._encerrar(comando, Operacao.ESTORNAR",
            ),
        ),
        (f"{UNIT_ESTOQUE}::test_every_step_of_a_reservation",),
    ),
    Bug(
        "expiry by the clock of the process",
        (Edit(LOTE, "(rows[-1].agora if rows else NO_LOCK)", "(datetime.now(UTC) if rows else NO_LOCK)"),),
        (f"{CLOCK}::test_a_reservation_expires_by_the_clock_of_the_database",),
    ),
    Bug(
        "confirmation resurrects an expired reservation",
        (
            Edit(
                ESTOQUE,
                "_confirmar(self, comando: Confirmar) -> None:\n        reserva = self._existente(comando)",
                "_confirmar(self, comando: Confirmar) -> None:\n"
                "        reserva = self.reservas.get(comando.reserva_id) or self._existente(comando)",
            ),
        ),
        (f"{UNIT_ESTOQUE}::test_every_step_of_a_reservation",),
    ),
    Bug(
        "a line of the ledger is missing",
        (Edit(LOTE, "FROM m ORDER BY chave\n", "FROM m WHERE operacao <> 'ESTORNAR' ORDER BY chave\n"),),
        (f"{RACES}::test_confirming_and_releasing_at_once_give_one_story",),
    ),
    Bug(
        "no unique key of an order",
        (
            Edit(
                PEDIDOS_SQL,
                "CREATE UNIQUE INDEX compras_chave ON compras (chave) WHERE com_chave",
                "CREATE INDEX compras_chave ON compras (chave)",
            ),
        ),
        (f"{PORTS}::test_first_who_registers_a_key_owns_the_attempt_and_the_second_finds_it[postgres]",),
    ),
    Bug(
        "a failure burns its key",
        (
            Edit(
                SAGA_SQL,
                "c.chave = ANY(%(chaves)s) AND c.com_chave",
                "c.chave = ANY(%(chaves)s)",
            ),
        ),
        (f"{PORTS}::test_failed_attempt_frees_its_key_and_keeps_its_reason[postgres]",),
    ),
    Bug(
        "another body under the same key is accepted",
        (
            Edit(
                CHECKOUT,
                "if compra.fingerprint != solicitacao.fingerprint:\n            raise ChaveReutilizada",
                "if False:\n            raise ChaveReutilizada",
            ),
        ),
        (f"{UNIT_CHECKOUT}::test_key_with_another_body_is_refused_and_with_another_key_it_is_another_purchase",),
    ),
    Bug(
        "a double click makes two orders",
        (
            Edit(
                "pedidos/domain.py",
                'return f"carrinho:{sessao_id}:{versao}"',
                "return f\"carrinho:{sessao_id}:{versao}:{__import__('uuid').uuid4()}\"",
            ),
        ),
        (f"{UNIT_CHECKOUT}::test_double_click_without_a_key_orders_a_version_of_a_cart_once",),
    ),
    Bug(
        "the order's price comes from the cart",
        (
            Edit(CLIENTS, 'T = TypeVar("T")\n', 'T = TypeVar("T")\nPRECOS: dict[int, int] = {}\n'),
            Edit(
                CLIENTS,
                "        return Carrinho(sessao_id, carrinho.versao, itens)",
                "        PRECOS.update({item.produto_id: item.preco_centavos for item in carrinho.itens})\n"
                "        return Carrinho(sessao_id, carrinho.versao, itens)",
            ),
            Edit(
                CLIENTS,
                "ItemPedido(item.produto_id, item.nome, item.preco_centavos, item.quantidade)",
                "ItemPedido(item.produto_id, item.nome, PRECOS[item.produto_id], item.quantidade)",
            ),
        ),
        (f"{ORDERS}::test_order_is_complete_confirmed_and_paid_for_by_stock",),
    ),
    Bug(
        "an order without its event",
        (
            Edit(
                SAGA_SQL,
                "'pedido_criado', CAST(corpo AS jsonb) FROM gravada",
                "'pedido_criado', NULL FROM gravada WHERE false",
            ),
        ),
        (f"{PORTS}::test_order_is_written_pending_with_its_items_and_its_event[postgres]",),
    ),
    Bug(
        "yes is said before the stock is sold",
        (Edit(CHECKOUT, "await self._catalogo.confirmar(compra.pedido_id)\n", "pass\n"),),
        (f"{CRASHES}::test_every_single_fault_leaves_a_shop_in_order[one call]",),
    ),
    Bug(
        "the cart is cleared blindly, by orders",
        (
            Edit(
                CHECKOUT,
                "await self._carrinhos.esvaziar(compra.carrinho.sessao_id, compra.carrinho.versao)",
                "agora = await self._carrinhos.obter(compra.carrinho.sessao_id)\n"
                "            await self._carrinhos.esvaziar(compra.carrinho.sessao_id, agora.versao)",
            ),
        ),
        (f"{CRASHES}::test_cart_that_went_on_is_not_cleared",),
    ),
    Bug(
        "the cart is cleared blindly, by carts",
        (Edit(LUA, "if wanted ~= 0 and wanted ~= version then", "if false then"),),
        (f"{CARTS}::test_only_the_cart_that_was_ordered_is_emptied[valkey]",),
    ),
    Bug(
        "the completer ignores leases",
        (
            Edit(
                SAGA_SQL,
                "WHERE pendente AND vence_em <= now()",
                "WHERE pendente",
            ),
        ),
        (f"{PORTS}::test_overdue_attempts_go_to_one_worker_each_and_no_more_than_asked_for[postgres]",),
    ),
    Bug(
        "an answer that the disk does not have",
        (
            Edit(
                "pedidos/repository/fila.py",
                "if all(passo.esquecivel for passo in lote):",
                "if any(passo.esquecivel for passo in lote):",
            ),
        ),
        (f"{DURABILITY}::test_what_is_answered_waits_for_the_disk_whatever_shares_its_commit",),
    ),
    Bug(
        "a cancellation forgets that it owes the stock",
        (
            Edit(
                "pedidos/repository/pedidos.py",
                "THEN clock_timestamp() + :arrendamento * interval '1 second' END",
                "THEN NULL::timestamptz + :arrendamento * interval '1 second' END",
            ),
        ),
        (f"{PORTS}::test_cancelled_order_owes_its_stock_until_it_is_given_back[postgres]",),
    ),
    Bug(
        "an event is marked before it is published",
        (
            Edit(
                RELAY,
                "                publicar([Evento(*linha[1:]) for linha in linhas])\n",
                '                query(connection, MARCAR, {"ids": [linha[0] for linha in linhas]})\n'
                "                connection.connection.commit()\n"
                "                publicar([Evento(*linha[1:]) for linha in linhas])\n",
            ),
        ),
        (f"{CORREIO}::test_death_before_publishing_loses_nothing[real]",),
    ),
    Bug(
        "events are read from the last number on",
        (
            Edit(
                RELAY,
                "FROM eventos_saida WHERE enviado_em IS NULL ORDER BY id",
                "FROM eventos_saida WHERE id > (SELECT coalesce(max(id), 0) FROM eventos_saida"
                " WHERE enviado_em IS NOT NULL) ORDER BY id",
            ),
        ),
        (f"{LATE}::test_commit_that_becomes_visible_late_is_not_skipped",),
    ),
    Bug(
        "relays work side by side",
        (Edit(RELAY, "SELECT pg_advisory_xact_lock(%(lock)s);", "SELECT %(lock)s;"),),
        (f"{CORREIO}::test_one_relay_at_a_time[real]",),
    ),
    Bug(
        "the stream grows without bound",
        (Edit(JORNAL, "return redis.call('XTRIM', KEYS[1], 'MAXLEN', '~', ARGV[1])", "return 0"),),
        (f"{CORREIO}::test_stream_keeps_so_many_events_and_the_newest[real]",),
    ),
    Bug(
        "a reader of the stream without dedup",
        (Edit("pedidos/use_cases/acompanhamento.py", "if situacao.seq <= self._seq:", "if situacao.seq < 0:"),),
        ("tests/unit/pedidos/test_acompanhamento.py::test_events_that_come_twice_are_told_once",),
    ),
    Bug(
        "what is in the log is taken for what is seen",
        (Edit(CATALOGO, "else transacao < self.fim and transacao not in self.abertas", "else transacao < self.fim"),),
        (
            f"{FRESCOR}::test_a_commit_that_waits_for_a_standby_is_not_taken_for_shown",
            f"{UNIT_FRESCOR}::test_a_snapshot_includes_what_it_sees",
        ),
    ),
    Bug(
        "a copy is believed to tell what is under way",
        (Edit(CATALOGO, "return transacao in self.vistas if self.copia else", "return"),),
        (f"{UNIT_FRESCOR}::test_a_copys_snapshot_includes_what_is_decided_or_was_asked_for",),
    ),
    Bug(
        "two histories are taken for one",
        (Edit(CATALOGO, "if linha > self.linha:", "if linha < 0:"),),
        (f"{UNIT_FRESCOR}::test_a_change_after_a_promotion_is_not_met_by_the_history_that_was_left",),
    ),
)
