"""Composition root: `python -m pedidos` serves; `python -m pedidos migrate` prepares the database first."""

import asyncio
import os
import sys
import uuid
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from pedidos.settings import PedidosSettings

# The imports stand inside the functions: a migration that finds nothing to do needs neither gRPC nor SQLAlchemy.

USAGE = "usage: python -m pedidos [migrate]"
OK, FAILED, MISUSED = 0, 1, 2


async def serve(settings: "PedidosSettings") -> None:
    """Serves until told to stop. Neither the database nor the neighbours need be there at the start."""
    from chassis import client
    from chassis.health import Health
    from chassis.paging import PageTokens
    from chassis.postgres import Postgres
    from chassis.server import Server
    from pedidos.clients import CarrinhosGrpc, CatalogoGrpc
    from pedidos.repository import ComprasPostgres, PedidosPostgres, transactions
    from pedidos.repository.eventos import SaidaPostgres, avisando
    from pedidos.repository.eventos_valkey import JornalValkey
    from pedidos.servicer import DOMAIN, ERRORS, SERVICE, PedidosServicer, pedido_em_bytes
    from pedidos.use_cases.acompanhamento import Acompanhamento
    from pedidos.use_cases.checkout import Checkout
    from pedidos.use_cases.completer import Completer
    from pedidos.use_cases.mudancas import Mudancas
    from pedidos.use_cases.relay import Relay

    url = settings.database_url.get_secret_value()
    work = Postgres(url, application_name=settings.instance, pool_size=settings.database_pool)
    # Connections of their own: the probe and the followers must not wait behind checkouts, nor these behind the relay.
    watch = Postgres(url, application_name=f"{settings.instance}-vigia", pool_size=1)
    outbox = Postgres(url, application_name=f"{settings.instance}-relay", pool_size=1)
    jornal = JornalValkey(settings.redis_url, nome=settings.instance, tamanho=settings.events_kept)
    relay = Relay(SaidaPostgres(transactions(outbox)), jornal, manter=settings.events_sent_seconds)
    dono = f"{settings.instance}-{uuid.uuid4().hex[:8]}"  # a process that was started again is another owner
    writing = avisando(transactions(work), relay.acordar)
    compras, mudaveis = ComprasPostgres(writing, pedido_em_bytes, dono=dono), PedidosPostgres(writing)
    pedidos, vigia = PedidosPostgres(transactions(work)), PedidosPostgres(transactions(watch))
    async with client.channel(settings.mesh) as mesh:
        catalogo = CatalogoGrpc(mesh)
        checkout = Checkout(compras, catalogo, CarrinhosGrpc(mesh))
        mudancas = Mudancas(mudaveis, catalogo, checkout)
        acompanhamento = Acompanhamento(vigia, jornal, limite=settings.max_followers)
        tokens = PageTokens(bytes.fromhex(settings.page_token_key.get_secret_value()))
        server = Server(settings, domain=DOMAIN)
        server.add(PedidosServicer(checkout, mudancas, pedidos, acompanhamento, tokens), SERVICE, ERRORS)
        # Only the database counts: with a neighbour away orders are still read and moved along, and CriarPedido says
        # UNAVAILABLE by itself; taking all instances out of the mesh for it would help nobody.
        health = Health({"pedidos": vigia.porque_nao_grava})
        completer = Completer(compras, pedidos, checkout, mudancas)
        background = [asyncio.create_task(each.run()) for each in (completer, relay)]
        try:
            await server.run(health)
        finally:
            for task in background:
                task.cancel()
            await asyncio.gather(acompanhamento.parar(), *background, return_exceptions=True)
            await asyncio.gather(work.close(), watch.close(), outbox.close())
            await jornal.close()


def migrate() -> int:
    """The exit code, after one line that says what was done or why not."""
    import psycopg2
    from psycopg2.extensions import parse_dsn

    from pedidos.migrate import migrate as run

    missing = [key for key in ("PEDIDOS_OWNER_URL", "PEDIDOS_DATABASE_URL") if not os.environ.get(key)]
    if missing:
        sys.stderr.write("".join(f"{key}: is missing\n" for key in missing))
        return MISUSED
    try:
        role = parse_dsn(os.environ["PEDIDOS_DATABASE_URL"]).get("user", "pedidos_app")
        done = run(os.environ["PEDIDOS_OWNER_URL"], role)
    except psycopg2.Error as exc:
        sys.stderr.write(f"pedidos: cannot migrate: {' '.join(str(exc).split())}\n")
        return FAILED
    sys.stdout.write(f"pedidos: {done}\n")
    return OK


def main(arguments: list[str]) -> NoReturn:
    match arguments:
        case []:
            from chassis.process import main as run
            from pedidos.settings import PedidosSettings

            run(serve, PedidosSettings)
        case ["migrate"]:
            sys.exit(migrate())
        case _:
            sys.stderr.write(USAGE + "\n")
            sys.exit(MISUSED)


if __name__ == "__main__":
    main(sys.argv[1:])
