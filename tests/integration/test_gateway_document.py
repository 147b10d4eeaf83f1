"""The OpenAPI document against the running shop: what is answered, good or bad, fits what is described."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import jsonschema  # type: ignore[import-untyped]
import pytest

from tests.conftest import Mesh

Json = dict[str, Any]
CUSTOMER = {"nome": "Ana Conferente", "email": "ana@example.org"}
NOBODY = "0193d0c4-7b7e-7d3a-8b1f-1c2d3e4f5a6b"


class Reader:
    """Calls a route of the document and holds the answer to it."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client
        self.document: Json = client.get("/openapi.json").json()
        self.used: set[str] = set()

    def call(self, name: str, *, wanted: int = 200, body: Json | None = None, **parameters: object) -> Json:
        """`parameters` fill the path, the others go into the query."""
        verb, path, operation = self._find(name)
        filled = path.format(**parameters)
        query = {key: str(value) for key, value in parameters.items() if f"{{{key}}}" not in path}
        answer = self._client.request(verb, filled, json=body, params=query)
        assert answer.status_code == wanted, answer.text
        said = operation["responses"][str(wanted)]["content"]["application/json"]
        schema = {"components": self.document["components"], **said["schema"]}
        found: Json = answer.json()
        jsonschema.Draft202012Validator(schema).validate(found)
        if wanted != 200:
            reason = next(each["reason"] for each in found["details"] if "reason" in each)
            assert reason in said["examples"], f"{name} does not tell of {reason}"
        self.used.add(name)
        return found

    def _find(self, name: str) -> tuple[str, str, Json]:
        return next(
            (verb, path, operation)
            for path, item in self.document["paths"].items()
            for verb, operation in item.items()
            if operation["operationId"] == name
        )


@pytest.fixture(scope="module")
def shop(mesh: Mesh) -> Iterator[Reader]:
    with httpx.Client(base_url=mesh.edge, timeout=10) as client:
        yield Reader(client)


def test_a_purchase_is_as_the_document_says(shop: Reader) -> None:
    shop.call("VerificarSaude")
    category = shop.call("CriarCategoria", body={"nome": f"Do documento {id(shop)}"})
    product = {"nome": "Bem-casado", "preco_centavos": 450, "categoria_id": category["categoria_id"], "estoque": 20}
    made = shop.call("CriarProduto", body=product)["produto_id"]
    shop.call("AtualizarProduto", produto_id=made, update_mask="nome", body={"nome": "Bem-casado de nozes"})
    shop.call("AtualizarEstoque", produto_id=made, body={"operacao": "remover", "quantidade": 1})
    assert shop.call("VerificarEstoque", produto_id=made, quantidade=19)["disponivel"]
    shop.call("ListarCategorias")
    cart = shop.call("CriarCarrinho", body={})["sessao_id"]
    shop.call("AdicionarItem", sessao_id=cart, body={"produto_id": made, "quantidade": 2})
    shop.call("AtualizarItem", sessao_id=cart, produto_id=made, body={"quantidade": 3})
    shop.call("ObterCarrinho", sessao_id=cart)
    order = shop.call("CriarPedido", body={"sessao_id": cart, "cliente": CUSTOMER})["pedido_id"]
    shop.call("ObterPedido", pedido_id=order)
    assert shop.call("ListarPedidos", sessao_id=cart)["pedidos"]
    shop.call("AtualizarStatusPedido", pedido_id=order, body={"status": "EM_PREPARO"})
    shop.call("CancelarPedido", pedido_id=order, body={})
    shop.call("AdicionarItem", sessao_id=cart, body={"produto_id": made, "quantidade": 1})
    shop.call("RemoverItem", sessao_id=cart, produto_id=made)
    shop.call("EsvaziarCarrinho", sessao_id=cart)
    shop.call("ObterProduto", produto_id=made)
    shop.call("ListarProdutos", page_size=5)
    shop.call("ExcluirProduto", produto_id=made)
    others = {
        "ObterOpenApi",
        "ObterDocumentacao",
        "ObterArquivoDocumentacao",
        "AcompanharPedido",
    }  # no JSON of a message
    every = {each["operationId"] for item in shop.document["paths"].values() for each in item.values()}
    assert shop.used == every - others


def test_refusals_are_as_the_document_says(shop: Reader) -> None:
    cart = shop.call("CriarCarrinho", body={})["sessao_id"]
    add = {"produto_id": 1, "quantidade": 1}
    shop.call("ObterProduto", wanted=404, produto_id=999_999)
    shop.call("AtualizarProduto", wanted=404, produto_id=999_999, body={"nome": "x"})
    shop.call("VerificarEstoque", wanted=404, produto_id=999_999)
    shop.call("AtualizarEstoque", wanted=404, produto_id=999_999, body={"operacao": "ADICIONAR", "quantidade": 1})
    shop.call("CriarProduto", wanted=404, body={"nome": "x", "preco_centavos": 1, "categoria_id": 999_999})
    shop.call("AtualizarEstoque", wanted=400, produto_id=1, body={"operacao": "REMOVER", "quantidade": 999_999})
    shop.call("AtualizarProduto", wanted=409, produto_id=1, body={"nome": "x", "versao": 999_999})
    shop.call("ObterCarrinho", wanted=404, sessao_id="nada")
    shop.call("AdicionarItem", wanted=404, sessao_id="nada", body=add)
    shop.call("AdicionarItem", wanted=404, sessao_id=cart, body=add | {"produto_id": 999_999})
    shop.call("AdicionarItem", wanted=400, sessao_id=cart, body=add | {"quantidade": 0})
    shop.call("AtualizarItem", wanted=404, sessao_id=cart, produto_id=1, body={"quantidade": 3})
    shop.call("RemoverItem", wanted=404, sessao_id="nada", produto_id=1)
    shop.call("EsvaziarCarrinho", wanted=409, sessao_id=cart, versao=999)
    shop.call("CriarPedido", wanted=404, body={"sessao_id": "nada", "cliente": CUSTOMER})
    shop.call("CriarPedido", wanted=400, body={"sessao_id": cart, "cliente": CUSTOMER})
    shop.call("ObterPedido", wanted=404, pedido_id=NOBODY)
    shop.call("CancelarPedido", wanted=404, pedido_id=NOBODY, body={})
    shop.call("AtualizarStatusPedido", wanted=404, pedido_id=NOBODY, body={"status": "PRONTO"})
    shop.call("ListarPedidos", wanted=400, page_size=-1)
