"""The environment of orders: PEDIDOS_* and what each key means."""

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from chassis.settings import Address, PageTokenKey, PostgresUrl, ServiceSettings


class PedidosSettings(ServiceSettings):
    model_config = SettingsConfigDict(env_prefix="PEDIDOS_")

    database_url: PostgresUrl  # the role of the service, not the owner
    page_token_key: PageTokenKey
    mesh: Address  # Envoy's mesh listener: the only way to a neighbour
    database_pool: int = Field(default=6, ge=1, le=64)  # connections, and threads: one a kind of grouped transaction
    max_followers: int = Field(default=400, ge=1)  # calls of AcompanharPedido at once
