"""The environment: every bad key is named at once, and no secret is repeated."""

import pytest

from chassis.settings import SettingsError, load
from pedidos.settings import PedidosSettings

GOOD = {
    "PEDIDOS_LISTEN": "127.0.0.1:50071",
    "PEDIDOS_INSTANCE": "pedidos-1",
    "PEDIDOS_DATABASE_URL": "postgresql://pedidos_app:segredo@127.0.0.1:54331/pedidos",
    "PEDIDOS_PAGE_TOKEN_KEY": "ab" * 32,
    "PEDIDOS_REDIS_URL": "redis://127.0.0.1:63791/0",
    "PEDIDOS_MESH": "127.0.0.1:8081",
}


def test_good_environment_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    for key, value in GOOD.items():
        monkeypatch.setenv(key, value)
    settings = load(PedidosSettings)
    assert settings.mesh == "127.0.0.1:8081"
    assert "segredo" not in repr(settings)


def test_every_bad_key_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    bad = {
        "PEDIDOS_DATABASE_URL": "mysql://root:segredo@nowhere/x",
        "PEDIDOS_PAGE_TOKEN_KEY": "abc",
        "PEDIDOS_MESH": "nowhere",
        "PEDIDOS_REDIS_URL": "http://nowhere",
        "PEDIDOS_EVENTS_KEPT": "0",
        "PEDIDOS_EVENTS_SENT_SECONDS": "-1",
        "PEDIDOS_MAX_FOLLOWERS": "0",
    }
    for key, value in (GOOD | bad).items():
        monkeypatch.setenv(key, value)
    monkeypatch.delenv("PEDIDOS_INSTANCE")
    with pytest.raises(SettingsError) as told:
        load(PedidosSettings)
    assert {key for key, _ in told.value.problems} == {*bad, "PEDIDOS_INSTANCE"}
    assert "segredo" not in str(told.value)
