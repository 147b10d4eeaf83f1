"""Settings: typed, checked before a port opens, every bad key named at once, no secret repeated."""

from pathlib import Path

import pytest
from pydantic import SecretStr
from pydantic_settings import SettingsConfigDict

from chassis.settings import ServiceSettings, SettingsError, load, split_address


class Settings(ServiceSettings):
    model_config = SettingsConfigDict(env_prefix="LOJA_")

    database_url: SecretStr
    batch: int = 10


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOJA_LISTEN", "127.0.0.1:50051")
    monkeypatch.setenv("LOJA_INSTANCE", "loja-1")
    monkeypatch.setenv("LOJA_DATABASE_URL", "postgresql://app:segredo@127.0.0.1/loja")


def problems() -> dict[str, str]:
    with pytest.raises(SettingsError) as refused:
        load(Settings)
    return dict(refused.value.problems)


def test_defaults_are_the_documented_ones() -> None:
    settings = load(Settings)
    assert (settings.log_level, settings.log_format) == ("info", "json")
    assert (settings.drain_seconds, settings.grace_seconds, settings.default_deadline_seconds) == (0.8, 5.0, 3.0)
    assert (settings.max_concurrent_rpcs, settings.max_message_bytes) == (512, 1_048_576)
    assert settings.tls_cert is settings.tls_key is settings.tls_client_ca is None


def test_every_missing_and_every_bad_key_is_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LOJA_LISTEN")
    monkeypatch.delenv("LOJA_DATABASE_URL")
    monkeypatch.setenv("LOJA_BATCH", "muitos")
    monkeypatch.setenv("LOJA_MAX_CONCURRENT_RPCS", "0")
    found = problems()
    assert set(found) == {"LOJA_LISTEN", "LOJA_DATABASE_URL", "LOJA_BATCH", "LOJA_MAX_CONCURRENT_RPCS"}
    assert found["LOJA_LISTEN"] == found["LOJA_DATABASE_URL"] == "is missing"


def test_the_error_reads_as_one_line_a_key_and_repeats_no_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOJA_LISTEN", "segredo")
    monkeypatch.setenv("LOJA_BATCH", "segredo")
    with pytest.raises(SettingsError) as refused:
        load(Settings)
    lines = str(refused.value).splitlines()
    assert [line.partition(": ")[0] for line in lines] == ["LOJA_LISTEN", "LOJA_BATCH"]
    assert "segredo" not in str(refused.value)


@pytest.mark.parametrize("address", ["", "50051", "127.0.0.1", "127.0.0.1:", ":50051", "a:-1", "a:65536", "a:x", "a:²"])
def test_an_address_is_host_and_port(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    monkeypatch.setenv("LOJA_LISTEN", address)
    assert problems() == {"LOJA_LISTEN": "must be host:port with a port from 0 to 65535"}


def test_an_ipv6_address_is_split_at_its_last_colon() -> None:
    assert split_address("[::1]:0") == ("[::1]", 0)


def test_an_empty_tls_key_is_none_and_a_whole_pair_is_needed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LOJA_TLS_CERT", "")
    assert load(Settings).tls_cert is None
    pem = tmp_path / "cert.pem"
    pem.touch()
    monkeypatch.setenv("LOJA_TLS_CERT", str(pem))
    assert problems() == {"LOJA_TLS_*": "TLS_CERT and TLS_KEY go together"}
    monkeypatch.setenv("LOJA_TLS_CERT", "")
    monkeypatch.setenv("LOJA_TLS_CLIENT_CA", str(pem))
    assert problems() == {"LOJA_TLS_*": "TLS_CLIENT_CA needs TLS_CERT and TLS_KEY"}


def test_a_file_that_cannot_be_read_is_named_early(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LOJA_TLS_CERT", str(tmp_path / "none.pem"))
    monkeypatch.setenv("LOJA_TLS_KEY", str(tmp_path))
    found = problems()
    assert found["LOJA_TLS_CERT"] == "cannot read the file: No such file or directory"
    assert found["LOJA_TLS_KEY"] == "cannot read the file: Is a directory"
