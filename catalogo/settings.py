"""The environment of the catalog: CATALOGO_*."""

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from chassis.settings import PageTokenKey, PostgresUrl, ServiceSettings


class CatalogoSettings(ServiceSettings):
    model_config = SettingsConfigDict(env_prefix="CATALOGO_")

    database_url: PostgresUrl  # this instance's own node, application role
    page_token_key: PageTokenKey
    database_pool: int = Field(default=4, ge=1, le=64)  # connections, and threads, for writes and exact reads
    # Stock commands that share a transaction, and those that may wait for the next one. Together they stay below
    # max_concurrent_rpcs, so that a rush for one cake leaves room for reads.
    stock_batch: int = Field(default=192, ge=1, le=1024)
    stock_queue: int = Field(default=256, ge=1, le=16_384)
    # Seconds that a read which asks for freshness may wait for it; less than Envoy's patience with a try (0.3 s), which
    # then asks the other instance.
    freshness_seconds: float = Field(default=0.2, ge=0, le=10)
