"""Composition root of the gateway: the only file that opens anything."""

import asyncio

from confeitaria.gateway.v1.gateway_pb2 import DESCRIPTOR

from chassis import client
from chassis.health import Health
from chassis.process import main
from chassis.server import Server
from gateway import contract, openapi, pages
from gateway.clients import VizinhosGrpc
from gateway.reflection import Reflection
from gateway.servicer import ERRORS, GatewayServicer
from gateway.settings import Settings
from gateway.use_cases import Painel


async def answers() -> None:
    """Its own health: it depends on nobody, else the page that says what is wrong would be gone with what is wrong."""


async def serve(settings: Settings) -> None:
    """Serves until told to stop. No neighbour need be there at the start."""
    described = contract.load()
    async with client.channel(settings.mesh) as mesh, asyncio.TaskGroup() as tasks:
        painel = Painel(VizinhosGrpc(mesh))
        server = Server(settings, domain="gateway.confeitaria")
        servicer = GatewayServicer(painel, openapi.page(described, settings.edge_url), pages.load())
        server.add(servicer, DESCRIPTOR.services_by_name["GatewayService"], ERRORS)
        for handler in Reflection(described).handlers():
            server.add_generic(handler)
        watch = tasks.create_task(painel.vigiar())
        await server.run(Health({"gateway": answers}))
        watch.cancel()


if __name__ == "__main__":
    main(serve, Settings)
