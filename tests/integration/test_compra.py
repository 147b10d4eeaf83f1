"""A customer's day at the shop, over REST through the edge: browse, fill a cart, order, follow, cancel."""

from __future__ import annotations

import json
import threading
import time
import uuid
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

CLIENTE = {"nome": "João Araújo", "email": "joao@example.com", "telefone": "(11) 91234-5678"}


@pytest.fixture(scope="module")
def loja(mesh: Any) -> Iterator[httpx.Client]:
    """An HTTP client of the edge."""
    with httpx.Client(base_url=mesh.edge, timeout=10) as client:
        yield client


def done(response: httpx.Response) -> dict[str, Any]:
    """The JSON of a call that must have succeeded."""
    assert response.status_code == 200, response.text
    body: dict[str, Any] = response.json()
    return body


def refused(response: httpx.Response) -> str:
    """The reason of a call that must have failed."""
    assert 400 <= response.status_code < 500, response.text
    reason: str = response.json()["details"][0]["reason"]
    return reason


def novo_produto(loja: httpx.Client, estoque: int, preco_centavos: int = 1990) -> dict[str, Any]:
    produto = {
        "nome": f"Bolo de rolo {uuid.uuid4().hex[:8]}",
        "categoria_id": 1,
        "preco_centavos": preco_centavos,
        "estoque": estoque,
    }
    return done(loja.post("/api/produtos", json=produto))


def novo_carrinho(loja: httpx.Client) -> str:
    sessao_id: str = done(loja.post("/api/carrinhos", json={}))["sessao_id"]
    return sessao_id


def adicionar(loja: httpx.Client, sessao_id: str, produto_id: int, quantidade: int) -> dict[str, Any]:
    item = {"produto_id": produto_id, "quantidade": quantidade}
    return done(loja.post(f"/api/carrinhos/{sessao_id}/itens", json=item))


def comprar(loja: httpx.Client, sessao_id: str, **fields: str) -> dict[str, Any]:
    pedido = {"sessao_id": sessao_id, "cliente": CLIENTE} | fields
    return done(loja.post("/api/pedidos", json=pedido))


def estoque(loja: httpx.Client, produto_id: int) -> int:
    """Units available, by the writable database."""
    units: int = done(loja.get(f"/api/produtos/{produto_id}/estoque"))["estoque"]
    return units


def test_cenario_de_quatro_passos(loja: httpx.Client) -> None:
    """The seed's own scenario: list the products, put one into a cart, order it, see the stock go down."""
    produtos = done(loja.get("/api/produtos", params={"apenas_disponiveis": "true"}))["produtos"]
    produto = produtos[0]
    antes = estoque(loja, produto["produto_id"])

    sessao_id = novo_carrinho(loja)
    carrinho = adicionar(loja, sessao_id, produto["produto_id"], 2)
    assert carrinho["total_centavos"] == 2 * produto["preco_centavos"]

    pedido = comprar(loja, sessao_id)
    assert pedido["status"] == "CONFIRMADO"
    assert pedido["total_centavos"] == carrinho["total_centavos"]

    assert estoque(loja, produto["produto_id"]) == antes - 2


def test_browsing_finds_what_is_there(loja: httpx.Client) -> None:
    pagina = done(loja.get("/api/produtos", params={"page_size": 15}))
    assert len(pagina["produtos"]) == 15
    seguinte = done(loja.get("/api/produtos", params={"page_size": 15, "page_token": pagina["next_page_token"]}))
    ids = [produto["produto_id"] for produto in pagina["produtos"] + seguinte["produtos"]]
    assert len(set(ids)) == len(ids)

    categorias = done(loja.get("/api/categorias"))["categorias"]
    assert len(categorias) >= 6
    bolos = next(categoria for categoria in categorias if "bolo" in categoria["nome"].lower())
    da_categoria = done(loja.get("/api/produtos", params={"categoria": bolos["nome"].upper()}))["produtos"]
    assert da_categoria
    assert {produto["categoria_id"] for produto in da_categoria} == {bolos["categoria_id"]}

    encontrados = done(loja.get("/api/produtos", params={"busca": "pao de queijo"}))["produtos"]
    assert any("Pão de queijo" in produto["nome"] for produto in encontrados)

    baratos = done(loja.get("/api/produtos", params={"ordenar_por": "preco_crescente", "preco_maximo_centavos": 1500}))
    precos = [produto["preco_centavos"] for produto in baratos["produtos"]]
    assert precos == sorted(precos)
    assert precos[-1] <= 1500

    detalhe = done(loja.get(f"/api/produtos/{ids[0]}"))
    assert detalhe == pagina["produtos"][0]


def test_two_tabs_share_one_cart(loja: httpx.Client) -> None:
    um, outro = novo_produto(loja, 50), novo_produto(loja, 50)
    sessao_id = novo_carrinho(loja)
    tabs = [
        threading.Thread(target=lambda produto=produto: [adicionar(loja, sessao_id, produto, 1) for _ in range(10)])
        for produto in (um["produto_id"], outro["produto_id"])
    ]
    for tab in tabs:
        tab.start()
    for tab in tabs:
        tab.join(timeout=30)
    carrinho = done(loja.get(f"/api/carrinhos/{sessao_id}"))
    assert sorted(item["quantidade"] for item in carrinho["itens"]) == [10, 10]
    assert carrinho["versao"] == 21


def test_a_purchase_from_cart_to_door(loja: httpx.Client) -> None:
    produto = novo_produto(loja, 10)
    produto_id = produto["produto_id"]
    sessao_id = novo_carrinho(loja)
    adicionar(loja, sessao_id, produto_id, 1)
    carrinho = done(loja.put(f"/api/carrinhos/{sessao_id}/itens/{produto_id}", json={"quantidade": 3}))
    assert carrinho["itens"][0]["subtotal_centavos"] == carrinho["total_centavos"] == 3 * 1990

    request_id = str(uuid.uuid4())
    pedido = comprar(loja, sessao_id, observacao="Sem glúten", request_id=request_id)
    assert comprar(loja, sessao_id, observacao="Sem glúten", request_id=request_id) == pedido
    assert pedido["itens"] == carrinho_itens(carrinho)
    assert done(loja.get(f"/api/carrinhos/{sessao_id}"))["itens"] == []
    assert estoque(loja, produto_id) == 7

    historico = done(loja.get("/api/pedidos", params={"sessao_id": sessao_id}))["pedidos"]
    assert historico == [pedido]

    for status in ("EM_PREPARO", "PRONTO", "ENTREGUE"):
        adiante = done(loja.put(f"/api/pedidos/{pedido['pedido_id']}/status", json={"status": status}))
        assert adiante["status"] == status
    assert refused(loja.post(f"/api/pedidos/{pedido['pedido_id']}:cancelar", json={})) == "TRANSICAO_INVALIDA"
    assert estoque(loja, produto_id) == 7


def carrinho_itens(carrinho: dict[str, Any]) -> list[dict[str, Any]]:
    """The cart's items as an order shows them."""
    return [{key: value for key, value in item.items() if key != "conferido"} for item in carrinho["itens"]]


def test_a_cancelled_order_gives_its_stock_back_once(loja: httpx.Client) -> None:
    produto_id = novo_produto(loja, 5)["produto_id"]
    sessao_id = novo_carrinho(loja)
    adicionar(loja, sessao_id, produto_id, 4)
    pedido_id = comprar(loja, sessao_id)["pedido_id"]
    assert estoque(loja, produto_id) == 1
    for _ in range(3):
        assert done(loja.post(f"/api/pedidos/{pedido_id}:cancelar", json={}))["status"] == "CANCELADO"
    assert estoque(loja, produto_id) == 5


def test_the_last_cake_goes_to_one(loja: httpx.Client) -> None:
    produto_id = novo_produto(loja, 1)["produto_id"]
    carts = [novo_carrinho(loja) for _ in range(2)]
    for sessao_id in carts:
        adicionar(loja, sessao_id, produto_id, 1)
    comprar(loja, carts[0])
    segundo = loja.post("/api/pedidos", json={"sessao_id": carts[1], "cliente": CLIENTE})
    assert refused(segundo) == "ESTOQUE_INSUFICIENTE"
    assert len(done(loja.get(f"/api/carrinhos/{carts[1]}"))["itens"]) == 1


def test_following_an_order_shows_each_step(loja: httpx.Client) -> None:
    produto_id = novo_produto(loja, 5)["produto_id"]
    sessao_id = novo_carrinho(loja)
    adicionar(loja, sessao_id, produto_id, 1)
    pedido_id = comprar(loja, sessao_id)["pedido_id"]
    seen: list[str] = []
    with loja.stream("GET", f"/api/pedidos/{pedido_id}:acompanhar") as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        steps = iter(("EM_PREPARO", "PRONTO", "ENTREGUE"))
        for line in response.iter_lines():
            if line.startswith("data:"):
                seen.append(json.loads(line.removeprefix("data:"))["status"])
                status = next(steps, None)
                if status:
                    done(loja.put(f"/api/pedidos/{pedido_id}/status", json={"status": status}))
    assert seen == ["CONFIRMADO", "EM_PREPARO", "PRONTO", "ENTREGUE"]


def test_a_changed_price_is_shown_within_a_second(loja: httpx.Client) -> None:
    produto_id = novo_produto(loja, 5)["produto_id"]
    done(
        loja.patch(
            f"/api/produtos/{produto_id}", params={"update_mask": "preco_centavos"}, json={"preco_centavos": 2500}
        )
    )
    deadline = time.monotonic() + 1
    while done(loja.get(f"/api/produtos/{produto_id}"))["preco_centavos"] != 2500:
        assert time.monotonic() < deadline, "the read model fell behind"
