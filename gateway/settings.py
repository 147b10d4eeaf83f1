"""The gateway's environment: GATEWAY_* and what each key means."""

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator
from pydantic_settings import SettingsConfigDict

from chassis.settings import Address, ServiceSettings


def _origin(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.netloc or parts.path.strip("/") or parts.query:
        raise ValueError("must be http(s)://host[:port]")
    return f"{parts.scheme}://{parts.netloc}"


class Settings(ServiceSettings):
    model_config = SettingsConfigDict(env_prefix="GATEWAY_")

    mesh: Address  # Envoy's mesh listener: the only way to a neighbour
    edge_url: Annotated[str, AfterValidator(_origin)]  # where customers find us: `servers` of the OpenAPI document
