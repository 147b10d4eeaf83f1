"""The data folder: which one, whose, and what may be deleted from it."""

import json
import os
from pathlib import Path

import pytest

from stack import credentials, home, state
from stack.home import Home, HomeError, find
from stack.processes import Identity
from stack.topology import ROOT


def test_without_an_offset_data_lies_in_the_repository() -> None:
    assert find(0, {}).path == ROOT / ".confeitaria"


def test_every_offset_has_a_folder_of_its_own() -> None:
    assert find(7, {}).path == ROOT / ".confeitaria" / "offset-7"
    assert find(7, {"CONFEITARIA_HOME": "/var/bolos"}).path == Path("/var/bolos/offset-7")
    assert find(0, {"CONFEITARIA_HOME": "/var/bolos"}).path == Path("/var/bolos")


def test_a_relative_folder_means_the_one_below_where_one_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert find(0, {"CONFEITARIA_HOME": "bolos"}).path == tmp_path / "bolos"


def test_the_first_folder_may_already_hold_those_of_other_offsets(tmp_path: Path) -> None:
    Home(tmp_path / "offset-7", 7).prepare()
    Home(tmp_path).prepare()


def test_a_folder_with_other_files_is_not_taken_over(tmp_path: Path) -> None:
    (tmp_path / "tese.txt").touch()
    with pytest.raises(HomeError, match="holds files that are not ours"):
        Home(tmp_path).prepare()


def test_a_folder_of_another_format_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / home.MARKER).write_text(json.dumps({"format": 99}))
    with pytest.raises(HomeError, match="another version"):
        Home(tmp_path).prepare()


def test_a_folder_of_somebody_else_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: tmp_path.stat().st_uid + 1)
    with pytest.raises(HomeError, match=r"belongs to .*: run as"):
        home.check_owner(tmp_path)


def test_erasing_leaves_other_offsets_tools_and_strangers(tmp_path: Path) -> None:
    mine = Home(tmp_path)
    mine.prepare()
    for name in ("postgres-pedidos", "valkey", "envoy", "offset-7", "tools"):
        (tmp_path / name).mkdir()
    (tmp_path / "tese.txt").touch()
    mine.erase()
    assert {path.name for path in tmp_path.iterdir()} == {"offset-7", "tools", "tese.txt"}


def test_a_folder_that_is_empty_after_erasing_goes_too(tmp_path: Path) -> None:
    mine = Home(tmp_path / "dados")
    mine.prepare()
    mine.erase()
    assert not mine.path.exists()


def test_one_supervisor_at_a_time(tmp_path: Path) -> None:
    mine = Home(tmp_path)
    with mine.lock(), pytest.raises(HomeError, match="another confeitaria"), mine.lock():
        pass
    with mine.lock():
        pass


def test_secrets_are_made_once_and_only_their_owner_reads_them(tmp_path: Path) -> None:
    mine = Home(tmp_path)
    made = credentials.load(mine, has_data=False)
    assert len(set(made.values())) == len(made)
    assert len(bytes.fromhex(made["catalogo_page_token_key"])) == 32
    assert mine.secrets.stat().st_mode & 0o777 == 0o600
    assert credentials.load(mine, has_data=True) == made


def test_secrets_that_data_needs_are_not_made_anew(tmp_path: Path) -> None:
    with pytest.raises(HomeError, match="missing or damaged"):
        credentials.load(Home(tmp_path), has_data=True)


def test_a_secret_that_a_newer_version_needs_is_added(tmp_path: Path) -> None:
    mine = Home(tmp_path)
    made = dict(credentials.load(mine, has_data=False))
    del made["replicator"]
    mine.secrets.write_text(json.dumps(made))
    assert made.items() < credentials.load(mine, has_data=True).items()


def test_counts_are_kept_and_start_at_one(tmp_path: Path) -> None:
    mine = Home(tmp_path)
    assert mine.counts() == {"catalogo": 1, "carrinho": 1, "pedidos": 1, "gateway": 1}
    mine.keep_counts({"carrinho": 3})
    assert mine.counts()["carrinho"] == 3


def test_a_state_is_read_as_it_was_written(tmp_path: Path) -> None:
    written = state.State(Identity(7, "ontem:1"), tmp_path / "s", {"valkey": Identity(8, "ontem:2")})
    state.save(Home(tmp_path), written)
    assert state.load(Home(tmp_path)) == written


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"supervisor": 7}', '{"supervisor": [7], "socket": "", "children": {}}']
)
def test_half_a_state_proves_nothing(tmp_path: Path, text: str) -> None:
    Home(tmp_path).state.write_text(text)
    assert state.load(Home(tmp_path)) is None
