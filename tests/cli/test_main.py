from __future__ import annotations

import argparse
import sys
import types
from collections.abc import Callable

import pytest

from vivavoce import __version__
from vivavoce.cli import COMMANDS, main
from vivavoce.core.errors import ConfigError, EngineError


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], int]], None]:
    """Put a made-up module in the place of `vivavoce replay`."""

    def install(run: Callable[[], int]) -> None:
        module = types.ModuleType("vivavoce.cli.replay")
        module.add_arguments = lambda parser: parser.add_argument("--flag")  # type: ignore[attr-defined]
        module.run = lambda _arguments: run()  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "vivavoce.cli.replay", module)

    return install


def raising(error: BaseException) -> Callable[[], int]:
    def run() -> int:
        raise error

    return run


@pytest.mark.parametrize("arguments", [[], ["--help"], ["-h"]])
def test_help_names_every_command(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 0
    shown = capsys.readouterr().out
    assert all(f"    {name}" in shown and COMMANDS[name] in shown for name in COMMANDS)


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"vivavoce {__version__}\n"


@pytest.mark.parametrize("arguments", [["serv"], ["--port", "1"], ["replay", "--nonsense"], ["replay", "--fla", "x"]])
def test_mistakes_in_the_arguments_are_misuse(
    arguments: list[str], command: Callable[[Callable[[], int]], None], capsys: pytest.CaptureFixture[str]
) -> None:
    command(lambda: 0)
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert "usage: vivavoce" in capsys.readouterr().err


def test_a_command_returns_its_own_status(command: Callable[[Callable[[], int]], None]) -> None:
    command(lambda: 7)
    assert main(["replay"]) == 7


@pytest.mark.parametrize(
    ("error", "status", "said"),
    [
        (EngineError("no voice"), 1, "vivavoce replay: no voice\n"),
        (ConfigError("no port"), 2, "vivavoce replay: no port\n"),
        (KeyboardInterrupt(), 130, ""),
    ],
)
def test_failures_are_one_line_and_a_status(
    error: BaseException,
    status: int,
    said: str,
    command: Callable[[Callable[[], int]], None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    command(raising(error))
    assert main(["replay"]) == status
    assert capsys.readouterr().err == said


def test_bugs_are_not_hidden(command: Callable[[Callable[[], int]], None]) -> None:
    command(raising(ZeroDivisionError()))
    with pytest.raises(ZeroDivisionError):
        main(["replay"])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--port", "99999"], "--port has to be a whole number from 0 to 65535, not '99999'"),
        (["--tls-key", "key.pem"], "--tls-key (VIVAVOCE_TLS_KEY) needs --tls-cert"),
        (["--log-level", "loud"], "--log-level has to be debug, info, warning or error, not 'loud'"),
    ],
)
def test_serve_names_the_setting_that_is_wrong(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["serve", *arguments]) == 2
    assert said in capsys.readouterr().err


def test_every_flag_of_serve_is_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    from vivavoce.cli import serve
    from vivavoce.config import OPTIONS

    parser = argparse.ArgumentParser()
    serve.add_arguments(parser)
    for option in OPTIONS:
        if option.flag:
            given = [option.flag] if option.is_switch else [option.flag, "text"]
            assert vars(parser.parse_args(given))[option.flag] in ("1", "text")
