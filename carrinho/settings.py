"""The cart's environment: CARRINHO_* and what each key means."""

from typing import Annotated

from pydantic import AfterValidator
from pydantic_settings import SettingsConfigDict
from redis.asyncio.connection import parse_url

from chassis.settings import Address, ServiceSettings


def _redis(url: str) -> str:
    try:
        parse_url(url)
    except ValueError:
        raise ValueError("must be redis://host:port/database, rediss:// or unix://") from None
    return url


class Settings(ServiceSettings):
    model_config = SettingsConfigDict(env_prefix="CARRINHO_")

    redis_url: Annotated[str, AfterValidator(_redis)]  # where the carts are
    mesh: Address  # Envoy's mesh listener: the only way to a neighbour
