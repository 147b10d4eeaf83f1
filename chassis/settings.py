"""Typed environment of a service: read once, before a port opens, naming every bad key at once."""

from pathlib import Path
from typing import Annotated, Literal, Self, TypeVar

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

PAGE_TOKEN_KEY_BYTES = 32


class SettingsError(Exception):
    """`problems`: (environment key, why) for each bad or missing key; no value is repeated, it may be a secret."""

    def __init__(self, problems: list[tuple[str, str]]) -> None:
        super().__init__("\n".join(f"{key}: {why}" for key, why in problems))
        self.problems = problems


def split_address(address: str) -> tuple[str, int]:
    """`host:port` in its two parts; ValueError when it is not that (port 0 lets the system choose)."""
    host, colon, port = address.rpartition(":")
    if not (colon and host and port.isascii() and port.isdigit() and int(port) <= 65535):  # noqa: PLR2004  the last TCP port
        raise ValueError("must be host:port with a port from 0 to 65535")
    return host, int(port)


def _address(value: str) -> str:
    split_address(value)
    return value


def _readable(path: Path | None) -> Path | None:
    if path is not None:
        try:
            path.open("rb").close()
        except OSError as exc:
            raise ValueError(f"cannot read the file: {exc.strerror}") from exc
    return path


def _postgres(url: SecretStr) -> SecretStr:
    if not url.get_secret_value().startswith(("postgresql://", "postgresql+psycopg2://")):
        raise ValueError("must be a postgresql:// address")
    return url


def _page_token_key(value: SecretStr) -> SecretStr:
    try:
        key = bytes.fromhex(value.get_secret_value())
    except ValueError:
        key = b""
    if len(key) != PAGE_TOKEN_KEY_BYTES:
        raise ValueError(f"must be {PAGE_TOKEN_KEY_BYTES} bytes in hexadecimal")
    return value


Address = Annotated[str, AfterValidator(_address)]
PostgresUrl = Annotated[SecretStr, AfterValidator(_postgres)]
PageTokenKey = Annotated[SecretStr, AfterValidator(_page_token_key)]  # for chassis.paging, the same for all instances
# An empty variable means "not set", so that a supervisor can always pass the key.
PemFile = Annotated[Path | None, BeforeValidator(lambda value: value or None), AfterValidator(_readable)]


class ServiceSettings(BaseSettings):
    """Base of every service's settings; the subclass says its prefix: `SettingsConfigDict(env_prefix="ECO_")`."""

    model_config = SettingsConfigDict(extra="ignore", frozen=True, hide_input_in_errors=True)

    listen: Address
    instance: str = Field(min_length=1)
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["json", "console"] = "json"
    drain_seconds: float = Field(default=0.8, ge=0, le=60)
    grace_seconds: float = Field(default=5.0, ge=0, le=300)
    default_deadline_seconds: float = Field(default=3.0, gt=0, le=300)
    max_concurrent_rpcs: int = Field(default=512, ge=1)
    max_message_bytes: int = Field(default=1_048_576, ge=1_024)
    tls_cert: PemFile = None
    tls_key: PemFile = None
    tls_client_ca: PemFile = None

    @model_validator(mode="after")
    def _tls_is_whole(self) -> Self:
        if (self.tls_cert is None) != (self.tls_key is None):
            raise ValueError("TLS_CERT and TLS_KEY go together")
        if self.tls_client_ca is not None and self.tls_cert is None:
            raise ValueError("TLS_CLIENT_CA needs TLS_CERT and TLS_KEY")
        return self


S = TypeVar("S", bound=ServiceSettings)


def load(cls: type[S]) -> S:
    """The settings from the environment; SettingsError names every bad or missing key."""
    try:
        return cls()  # type: ignore[call-arg]  # the environment gives the arguments
    except ValidationError as exc:
        prefix = cls.model_config.get("env_prefix", "")
        problems = [(_key(prefix, error["loc"]), _why(error["type"], error["msg"])) for error in exc.errors()]
        raise SettingsError(problems) from None


def _key(prefix: str, location: tuple[int | str, ...]) -> str:
    return (prefix + "_".join(str(part) for part in location)).upper().rstrip("_") + ("" if location else "_TLS_*")


def _why(kind: str, message: str) -> str:
    return "is missing" if kind == "missing" else message.removeprefix("Value error, ")
