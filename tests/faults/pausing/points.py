"""The named points at which a service may be made to stop: before, inside and after every method of its ports.

Found from the ports' own methods. Inside means: the transaction's work is done and not committed.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any, NamedTuple, get_args, get_type_hints

from catalogo import use_cases as catalogo
from pedidos.use_cases import ports as pedidos

BEFORE, UNCOMMITTED, AFTER = "before", "uncommitted", "after"


class Implementation(NamedTuple):
    """Where a service's composition root finds the class behind some ports; `transactions`: it is given them first."""

    module: str
    name: str
    ports: tuple[type[Any], ...]
    transactions: bool = True


IMPLEMENTATIONS = {
    "pedidos": (
        Implementation("pedidos.repository", "ComprasPostgres", (pedidos.Compras,)),
        Implementation("pedidos.repository", "PedidosPostgres", (pedidos.Pedidos,)),
        Implementation("pedidos.repository.eventos", "SaidaPostgres", (pedidos.Saida,)),
        Implementation(
            "pedidos.repository.eventos_valkey", "JornalValkey", (pedidos.Jornal, pedidos.Novidades), transactions=False
        ),
        Implementation("pedidos.clients", "CatalogoGrpc", (pedidos.Catalogo,), transactions=False),
        Implementation("pedidos.clients", "CarrinhosGrpc", (pedidos.Carrinhos,), transactions=False),
    ),
    "catalogo": (
        Implementation("catalogo.repository.estoque", "EstoqueRepository", (catalogo.Estoque,)),
        Implementation("catalogo.repository.produtos", "ProdutoRepository", (catalogo.Produtos,)),
    ),
}
# The shop window lives in memory and is read anew at each start: its death loses nothing that could be found again.
WITHOUT_POINTS = {catalogo.Vitrine, catalogo.Alteracoes}


class Point(NamedTuple):
    service: str
    call: str  # Port.method, with the kind of command where a method takes several
    where: str

    def __str__(self) -> str:
        return f"{self.service}: {self.where} {self.call}"


def points(service: str) -> Iterator[Point]:
    for implementation in IMPLEMENTATIONS[service]:
        wheres = (BEFORE, UNCOMMITTED, AFTER) if implementation.transactions else (BEFORE, AFTER)
        for port in implementation.ports:
            for method in methods(port):
                for call in calls(port, method):
                    yield from (Point(service, call, where) for where in wheres)


def methods(port: type[Any]) -> list[str]:
    return [name for name, found in vars(port).items() if inspect.isfunction(found) and not name.startswith("_")]


def ports(module: Any) -> set[type[Any]]:
    """The Protocols that it declares."""
    found = {each for each in vars(module).values() if isinstance(each, type) and getattr(each, "_is_protocol", False)}
    return {port for port in found if port.__module__ == module.__name__}


def calls(port: type[Any], method: str) -> list[str]:
    """Port.method; for a command that may be of several kinds, one for each."""
    hints = get_type_hints(getattr(port, method))
    kinds = get_args(hints.get("comando"))
    return [f"{port.__name__}.{method}({kind.__name__})" for kind in kinds] or [f"{port.__name__}.{method}"]


def call_of(port: type[Any], method: str, arguments: tuple[Any, ...]) -> str:
    """As calls() names it."""
    kind = f"({type(arguments[0]).__name__})" if get_args(get_type_hints(getattr(port, method)).get("comando")) else ""
    return f"{port.__name__}.{method}{kind}"
