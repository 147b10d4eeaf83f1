"""The environment of orders: PEDIDOS_* and what each key means."""

from typing import Annotated

from pydantic import AfterValidator, Field
from pydantic_settings import SettingsConfigDict
from redis.asyncio.connection import parse_url

from chassis.settings import Address, PageTokenKey, PostgresUrl, ServiceSettings


def _redis(url: str) -> str:
    try:
        parse_url(url)
    except ValueError:
        raise ValueError("must be redis://host:port/database, rediss:// or unix://") from None
    return url


class PedidosSettings(ServiceSettings):
    model_config = SettingsConfigDict(env_prefix="PEDIDOS_")

    database_url: PostgresUrl  # the role of the service, not the owner
    page_token_key: PageTokenKey
    redis_url: Annotated[str, AfterValidator(_redis)]  # where the stream of events is
    mesh: Address  # Envoy's mesh listener: the only way to a neighbour
    database_pool: int = Field(default=6, ge=1, le=64)  # connections, and threads: one a kind of grouped transaction
    max_followers: int = Field(default=400, ge=1)  # calls of AcompanharPedido at once
    events_kept: int = Field(default=100_000, ge=1_000)  # in the stream, 50 MB: who reads it may be so many behind
    events_sent_seconds: float = Field(default=3600.0, ge=1)  # that an event which was sent stays in the outbox
