"""`python -m catalogo` serves; `python -m catalogo migrate [--seed]` prepares the database first."""

import os
import sys
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from catalogo.settings import CatalogoSettings

# The imports stand inside the functions: a migration that finds nothing to do takes 0.1 s, not the second that gRPC,
# protovalidate and SQLAlchemy need.

USAGE = "usage: python -m catalogo [migrate [--seed]]"
OK, FAILED, MISUSED = 0, 1, 2
FIRST_READING = 60.0  # seconds, for a reading of everything: 100,000 products take some five


async def serve(settings: "CatalogoSettings") -> None:
    """Until SIGTERM: the server, what follows the database for the window, and the sweeper of reservations."""
    import asyncio

    from catalogo.repository.alteracoes import AlteracoesRepository
    from catalogo.repository.estoque import EstoqueRepository
    from catalogo.repository.produtos import ProdutoRepository
    from catalogo.repository.writable import Writable
    from catalogo.servicer import DOMAIN, ERRORS, SERVICE, CatalogoServicer
    from catalogo.sweeper import varrer
    from catalogo.use_cases import Catalogo
    from catalogo.vitrine.window import VitrineEmMemoria
    from chassis.health import Health
    from chassis.paging import PageTokens
    from chassis.postgres import Postgres
    from chassis.server import Server

    url = settings.database_url.get_secret_value()
    writes = Postgres(url, application_name=settings.instance, pool_size=settings.database_pool)
    reads = Postgres(url, application_name=f"{settings.instance}-vitrine", pool_size=1, statement_timeout=FIRST_READING)
    probes = Postgres(url, application_name=f"{settings.instance}-saude", pool_size=1)
    vitrine = VitrineEmMemoria(AlteracoesRepository(reads), patience=settings.freshness_seconds)
    estoque = EstoqueRepository(writes, largest=settings.stock_batch, queue=settings.stock_queue)
    catalogo = Catalogo(ProdutoRepository(writes), estoque, vitrine)
    tokens = PageTokens(bytes.fromhex(settings.page_token_key.get_secret_value()))
    server = Server(settings, domain=DOMAIN)
    server.add(CatalogoServicer(catalogo, vitrine, tokens), SERVICE, ERRORS)
    health = Health({"catalogo.leitura": vitrine.probe, "catalogo.escrita": Writable(probes).probe})
    background = [asyncio.create_task(vitrine.seguir()), asyncio.create_task(varrer(catalogo))]
    try:
        await server.run(health)
    finally:
        for task in background:
            task.cancel()
        await asyncio.gather(*background, return_exceptions=True)
        await asyncio.gather(writes.close(), reads.close(), probes.close())


def migrate(*, seed: bool) -> int:
    """The exit code, after one line that says what was done or why not."""
    import psycopg2
    from psycopg2.extensions import parse_dsn

    from catalogo.migrate import migrate as run

    owner_url = os.environ.get("CATALOGO_OWNER_URL", "")
    if not owner_url:
        sys.stderr.write("CATALOGO_OWNER_URL: is missing\n")
        return MISUSED
    try:
        role = parse_dsn(os.environ.get("CATALOGO_DATABASE_URL", "")).get("user", "catalogo_app")
        done = run(owner_url, role, seed=seed)
    except psycopg2.Error as exc:
        sys.stderr.write(f"catalogo: cannot migrate: {' '.join(str(exc).split())}\n")
        return FAILED
    sys.stdout.write(f"catalogo: {done}\n")
    return OK


def main(arguments: list[str]) -> NoReturn:
    match arguments:
        case []:
            from catalogo.settings import CatalogoSettings
            from chassis.process import main as run

            run(serve, CatalogoSettings)
        case ["migrate"]:
            sys.exit(migrate(seed=False))
        case ["migrate", "--seed"]:
            sys.exit(migrate(seed=True))
        case _:
            sys.stderr.write(USAGE + "\n")
            sys.exit(MISUSED)


if __name__ == "__main__":
    main(sys.argv[1:])
