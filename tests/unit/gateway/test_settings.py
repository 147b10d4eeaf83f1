"""The gateway's environment."""

import pytest

from chassis.settings import SettingsError, load
from gateway.settings import Settings

GOOD = {
    "GATEWAY_LISTEN": "127.0.0.1:50081",
    "GATEWAY_INSTANCE": "gateway-1",
    "GATEWAY_MESH": "127.0.0.1:8081",
    "GATEWAY_EDGE_URL": "http://127.0.0.1:8080/",
}


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for key, value in GOOD.items():
        monkeypatch.setenv(key, value)


def test_the_edge_is_an_origin() -> None:
    assert load(Settings).edge_url == "http://127.0.0.1:8080"


@pytest.mark.parametrize("url", ["", "127.0.0.1:8080", "ftp://a", "http://", "http://a/api", "http://a?b"])
def test_anything_else_is_refused_by_name(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("GATEWAY_EDGE_URL", url)
    monkeypatch.setenv("GATEWAY_MESH", "nowhere")
    with pytest.raises(SettingsError) as refused:
        load(Settings)
    assert [key for key, _ in refused.value.problems] == ["GATEWAY_MESH", "GATEWAY_EDGE_URL"]
