"""Gives back the stock of reservations whose time is over, without anybody asking."""

import asyncio

import structlog

from catalogo.use_cases import Catalogo

log = structlog.get_logger()

INTERVAL = 1.0  # seconds: how long the stock of an expired reservation may stay aside
QUEM = "varredura"  # who, in the ledger


async def varrer(catalogo: Catalogo, interval: float = INTERVAL) -> None:
    """Sweeps until cancelled. Several processes may do it at once; what fails now is tried again."""
    trouble = ""
    while True:
        await asyncio.sleep(interval)
        try:
            expired = await catalogo.expirar_reservas(QUEM)
            trouble = ""
        except Exception as exc:  # noqa: BLE001  a database on its way back must not end the sweeping
            if trouble != repr(exc):
                trouble = repr(exc)
                log.warning("cannot sweep reservations", why=trouble)
            continue
        if expired:
            log.info("reservations expired", count=expired)
