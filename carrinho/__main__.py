"""Composition root of the cart: the only file that opens anything."""

from confeitaria.carrinho.v1.carrinho_pb2 import DESCRIPTOR

from carrinho.clients import CatalogoGrpc
from carrinho.conhecimento import Conhecimento
from carrinho.repository import CarrinhosValkey
from carrinho.repository.valkey import Valkey
from carrinho.servicer import ERRORS, CarrinhoServicer
from carrinho.settings import Settings
from carrinho.use_cases import Compras
from chassis import client, context
from chassis.health import Health
from chassis.process import main
from chassis.server import Server


async def serve(settings: Settings) -> None:
    """Serves until told to stop. Neither Valkey nor the catalog need be there at the start."""
    valkey = Valkey(settings.redis_url, name=settings.instance)
    carrinhos = CarrinhosValkey(valkey)
    async with client.channel(settings.mesh) as mesh:
        produtos = Conhecimento(CatalogoGrpc(mesh), restante=context.remaining)
        server = Server(settings, domain="carrinho.confeitaria")
        servicer = CarrinhoServicer(carrinhos, Compras(carrinhos, produtos))
        server.add(servicer, DESCRIPTOR.services_by_name["CarrinhoService"], ERRORS)
        try:
            await server.run(Health({"carrinho": carrinhos.saude}))
        finally:
            await valkey.close()


if __name__ == "__main__":
    main(serve, Settings)
