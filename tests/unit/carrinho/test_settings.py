"""The environment of a cart process."""

import pytest

from carrinho.settings import Settings
from chassis.settings import SettingsError, load

GOOD = {
    "CARRINHO_LISTEN": "127.0.0.1:50061",
    "CARRINHO_INSTANCE": "carrinho-1",
    "CARRINHO_REDIS_URL": "redis://127.0.0.1:63791/0",
    "CARRINHO_MESH": "127.0.0.1:8081",
}


def read(monkeypatch: pytest.MonkeyPatch, environment: dict[str, str]) -> Settings:
    for key in GOOD:
        monkeypatch.delenv(key, raising=False)
    for key, value in environment.items():
        monkeypatch.setenv(key, value)
    return load(Settings)


def test_the_keys_of_the_working_agreement_are_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = read(monkeypatch, GOOD)
    assert (settings.redis_url, settings.mesh) == ("redis://127.0.0.1:63791/0", "127.0.0.1:8081")


def test_every_bad_key_is_named_at_once_and_no_value_is_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SettingsError) as caught:
        read(monkeypatch, {"CARRINHO_REDIS_URL": "http://:segredo@x", "CARRINHO_MESH": "nowhere"})
    assert {key for key, _ in caught.value.problems} == set(GOOD)
    assert "segredo" not in str(caught.value)


@pytest.mark.parametrize("url", ["redis://h:99999/0", "redis://h:port/0", "h:6379", ""])
def test_an_address_that_cannot_work_is_refused_before_the_start(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    with pytest.raises(SettingsError) as caught:
        read(monkeypatch, GOOD | {"CARRINHO_REDIS_URL": url})
    assert [key for key, _ in caught.value.problems] == ["CARRINHO_REDIS_URL"]
