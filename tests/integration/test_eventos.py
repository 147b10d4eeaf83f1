"""What the rest of the world hears of a purchase: the stream that docs/eventos.md describes, of a whole mesh."""

from __future__ import annotations

import json
import re
from typing import Any

import httpx
import redis

from tests.conftest import Mesh, wait_until
from tests.integration.test_compra import adicionar, comprar, done, novo_carrinho, novo_produto

SECONDS = 10.0  # the promise: nothing is stuck for longer


def told_of(mesh: Mesh, pedido_id: str) -> list[dict[str, str]]:
    """The entries of the stream about one order, without repetitions."""
    with redis.Redis.from_url(f"redis://{mesh.ports.valkey}/0", decode_responses=True, protocol=2) as client:
        entries: Any = client.xrange("pedidos.eventos")
    mine = [fields for _, fields in entries if fields["evento_id"].startswith(f"{pedido_id}:")]
    return list({fields["evento_id"]: fields for fields in reversed(mine)}.values())[::-1]


def test_a_purchase_is_told_step_by_step_in_the_words_of_the_contract(mesh: Mesh) -> None:
    with httpx.Client(base_url=mesh.edge, timeout=10) as loja:
        sessao_id = novo_carrinho(loja)
        adicionar(loja, sessao_id, novo_produto(loja, estoque=5)["produto_id"], 2)
        pedido = comprar(loja, sessao_id)
        for status in ("EM_PREPARO", "CANCELADO"):
            pedido = done(loja.put(f"/api/pedidos/{pedido['pedido_id']}/status", json={"status": status}))
    wait_until(lambda: len(told_of(mesh, pedido["pedido_id"])) == 4, SECONDS, "all events are in the stream")
    told = told_of(mesh, pedido["pedido_id"])
    assert [fields["evento_id"] for fields in told] == [f"{pedido['pedido_id']}:{seq}" for seq in (1, 2, 3, 4)]
    assert [fields["tipo"] for fields in told] == [
        "pedido_criado",
        "pedido_confirmado",
        "status_alterado",
        "pedido_cancelado",
    ]
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", fields["ocorrido_em"]) for fields in told)
    bodies = [json.loads(fields["corpo"]) for fields in told]
    assert {body["pedido_id"] for body in bodies} == {pedido["pedido_id"]}
    assert [body["status"] for body in bodies] == ["PENDENTE", "CONFIRMADO", "EM_PREPARO", "CANCELADO"]
    assert [body["status_anterior"] for body in bodies[1:]] == ["PENDENTE", "CONFIRMADO", "EM_PREPARO"]
    criado = bodies[0]
    assert (criado["sessao_id"], criado["total_centavos"]) == (sessao_id, pedido["total_centavos"])
    assert criado["itens"] == [
        {key: item[key] for key in ("produto_id", "nome", "preco_centavos", "quantidade")} for item in pedido["itens"]
    ]
    assert not re.search(r"email|telefone|cliente|example\.com", json.dumps(bodies)), "who ordered is nobody's business"
