"""Misuse gets one line and exit code 2; every command explains itself."""

import sys

import click
import pytest

from stack.cli.main import cli, main


def _run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["confeitaria", *arguments])
    return main()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["upp"], "No such command 'upp'"),
        (["up", "--fast"], "No such option '--fast'"),
        (["up", "--port-offset", "sete"], "'sete' is not a valid integer"),
        (["up", "--port-offset", "-1"], "-1 is not in the range"),
        (["status", "--port-offset", "64512"], "64512 is not in the range"),
        (["scale"], "Missing argument"),
        (["scale", "bolo=2"], "'bolo' cannot be scaled: one of catalogo, carrinho, pedidos, gateway"),
        (["scale", "valkey=2"], "'valkey' cannot be scaled"),
        (["scale", "carrinho"], "'carrinho' is no number of instances: 1 to 10"),
        (["scale", "carrinho=0"], "'carrinho=0' is no number of instances"),
        (["scale", "carrinho=11"], "'carrinho=11' is no number of instances"),
        (["scale", "carrinho=-1"], "'carrinho=-1' is no number of instances"),
        (["scale", "carrinho=dois"], "'carrinho=dois' is no number of instances"),
        (["logs"], "Missing argument 'NAME'"),
        (["logs", "forno", "--port-offset", "64000"], "there is no log of 'forno'"),
        (["reset"], "say --yes"),
        (["down", "agora"], "unexpected extra argument"),
    ],
)
def test_misuse_gets_one_line_and_exit_code_2(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: list[str], told: str
) -> None:
    monkeypatch.setattr(sys.stdin, "isatty", lambda: False, raising=False)
    assert _run(monkeypatch, *arguments) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert told in said.err
    assert len(said.err.splitlines()) == 1
    assert said.err.startswith("confeitaria: ")


def test_a_bad_offset_in_the_environment_is_misuse_too(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CONFEITARIA_PORT_OFFSET", "muito")
    assert _run(monkeypatch, "status") == 2
    assert "'muito' is not a valid integer" in capsys.readouterr().err


def test_nothing_asked_is_answered_with_help(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _run(monkeypatch) == 0
    assert "Commands:" in capsys.readouterr().out


@pytest.mark.parametrize("name", sorted(cli.commands))
def test_every_command_and_option_says_what_it_does(name: str) -> None:
    command = cli.commands[name]
    assert command.help
    assert all(option.help for option in command.params if isinstance(option, click.Option))


@pytest.mark.parametrize("name", sorted(set(cli.commands) - {"check", "protos", "tool"}))
def test_every_command_that_touches_a_mesh_takes_a_port_offset(name: str) -> None:
    assert any("--port-offset" in parameter.opts for parameter in cli.commands[name].params)
