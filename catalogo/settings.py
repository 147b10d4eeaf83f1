"""The environment of the catalog: CATALOGO_*."""

from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr
from pydantic_settings import SettingsConfigDict

from chassis.settings import ServiceSettings

PAGE_TOKEN_KEY_BYTES = 32


def _postgres(url: SecretStr) -> SecretStr:
    if not url.get_secret_value().startswith(("postgresql://", "postgresql+psycopg2://")):
        raise ValueError("must be a postgresql:// address")
    return url


def _key(value: SecretStr) -> SecretStr:
    try:
        size = len(bytes.fromhex(value.get_secret_value()))
    except ValueError:
        size = 0
    if size != PAGE_TOKEN_KEY_BYTES:
        raise ValueError(f"must be {PAGE_TOKEN_KEY_BYTES} bytes in hexadecimal")
    return value


class CatalogoSettings(ServiceSettings):
    model_config = SettingsConfigDict(env_prefix="CATALOGO_")

    database_url: Annotated[SecretStr, AfterValidator(_postgres)]  # this instance's own node, application role
    page_token_key: Annotated[SecretStr, AfterValidator(_key)]  # the same for all instances
    database_pool: int = Field(default=4, ge=1, le=64)  # connections, and threads, for writes and exact reads
    # Stock commands that share a transaction, and those that may wait for the next one. Together they stay below
    # max_concurrent_rpcs, so that a rush for one cake leaves room for reads.
    stock_batch: int = Field(default=128, ge=1, le=1024)
    stock_queue: int = Field(default=256, ge=1, le=16_384)
