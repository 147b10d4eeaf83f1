"""Settings fail early and name the key."""

import pytest

from catalogo.settings import CatalogoSettings
from chassis.settings import SettingsError, load

GOOD = {
    "CATALOGO_LISTEN": "127.0.0.1:0",
    "CATALOGO_INSTANCE": "catalogo-1",
    "CATALOGO_DATABASE_URL": "postgresql://app:segredo@127.0.0.1:1/catalogo",
    "CATALOGO_PAGE_TOKEN_KEY": "ab" * 32,
}


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for key, value in GOOD.items():
        monkeypatch.setenv(key, value)


def test_good_settings_load_and_keep_their_secrets_out_of_sight() -> None:
    settings = load(CatalogoSettings)
    assert settings.database_url.get_secret_value() == GOOD["CATALOGO_DATABASE_URL"]
    assert "segredo" not in repr(settings)
    assert "abab" not in repr(settings)


def test_a_rush_for_stock_leaves_calls_to_others() -> None:
    settings = load(CatalogoSettings)
    assert settings.stock_batch + settings.stock_queue < settings.max_concurrent_rpcs


def test_every_bad_key_is_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CATALOGO_DATABASE_URL", "mysql://segredo")
    monkeypatch.setenv("CATALOGO_PAGE_TOKEN_KEY", "ab" * 31)
    monkeypatch.setenv("CATALOGO_DATABASE_POOL", "0")
    monkeypatch.setenv("CATALOGO_STOCK_BATCH", "0")
    monkeypatch.setenv("CATALOGO_STOCK_QUEUE", "many")
    monkeypatch.delenv("CATALOGO_LISTEN")
    with pytest.raises(SettingsError) as caught:
        load(CatalogoSettings)
    assert {key for key, _ in caught.value.problems} == {
        "CATALOGO_LISTEN",
        "CATALOGO_DATABASE_URL",
        "CATALOGO_PAGE_TOKEN_KEY",
        "CATALOGO_DATABASE_POOL",
        "CATALOGO_STOCK_BATCH",
        "CATALOGO_STOCK_QUEUE",
    }
    assert "segredo" not in str(caught.value)
