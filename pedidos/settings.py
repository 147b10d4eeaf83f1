"""The environment of orders: PEDIDOS_* and what each key means."""

from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr
from pydantic_settings import SettingsConfigDict

from chassis.settings import Address, ServiceSettings

PAGE_TOKEN_KEY_BYTES = 32


def _postgres(url: SecretStr) -> SecretStr:
    if not url.get_secret_value().startswith(("postgresql://", "postgresql+psycopg2://")):
        raise ValueError("must be a postgresql:// address")
    return url


def _key(value: SecretStr) -> SecretStr:
    try:
        key = bytes.fromhex(value.get_secret_value())
    except ValueError:
        key = b""
    if len(key) != PAGE_TOKEN_KEY_BYTES:
        raise ValueError(f"must be {PAGE_TOKEN_KEY_BYTES} bytes in hexadecimal")
    return value


class PedidosSettings(ServiceSettings):
    model_config = SettingsConfigDict(env_prefix="PEDIDOS_")

    database_url: Annotated[SecretStr, AfterValidator(_postgres)]  # the role of the service, not the owner
    page_token_key: Annotated[SecretStr, AfterValidator(_key)]  # the same for all instances
    mesh: Address  # Envoy's mesh listener: the only way to a neighbour
    database_pool: int = Field(default=6, ge=1, le=64)  # connections, and threads: one a kind of grouped transaction
    max_followers: int = Field(default=400, ge=1)  # calls of AcompanharPedido at once
