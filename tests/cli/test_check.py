from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from check.strings import StringTarget, error, polite
from vivavoce.check import network
from vivavoce.check.verdict import Unreachable
from vivavoce.cli import main
from vivavoce.legs.upstream import Upstream

ONLY = ["--only", "ga.session.instructions-cleared", "--only", "ga.event.server-type"]
URL = "ws://127.0.0.1:1/v1"


@pytest.fixture
def reached(monkeypatch: pytest.MonkeyPatch) -> Callable[[StringTarget], list[Upstream]]:
    """Put a server of strings where the network would be, and note how it was asked for."""
    monkeypatch.setattr("os.environ", {"SOME_KEY": "sk-secret_1", "OPENAI_API_KEY": "sk-other_1"})

    def install(target: StringTarget) -> list[Upstream]:
        asked: list[Upstream] = []

        def network_of(upstream: Upstream, *, ca_file: str = "") -> StringTarget:
            if ca_file:
                raise FileNotFoundError(2, "No such file or directory", ca_file)
            asked.append(upstream)
            return target

        monkeypatch.setattr(network, "Network", network_of)
        return asked

    return install


def updating(event: dict[str, Any]) -> Any:
    """Answer as a server does that knows updates, and refuses all else as it should."""
    if event["type"] == "session.created":
        return [error(event["event_id"], message="Invalid value.", param="type")]
    return polite(event)


def test_the_list_names_cases_and_rules(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "--list", "--only", "item.own-id", "--only", "always.json"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "ga.item.own-id    An item keeps the id that the client gave it."
    assert [line.split()[0] for line in lines] == [
        "ga.item.own-id", "beta.item.own-id", "ga.always.json", "beta.always.json",
    ]  # fmt: skip
    assert main(["check", "--list", "--shape", "ga"]) == 0
    assert "beta." not in capsys.readouterr().out


def test_the_results_are_told_and_written(reached: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked = reached(StringTarget(updating))
    report, junit = tmp_path / "report.json", tmp_path / "report.xml"
    files = ["--json", str(report), "--junit", str(junit)]
    assert main(["check", URL, "--key-env", "SOME_KEY", "--shape", "ga", *ONLY, *files]) == 0
    out = capsys.readouterr().out
    assert out.splitlines()[0].startswith("ok    ga.session.instructions-cleared  ")
    assert out.splitlines()[-1].startswith("2 cases of 2 rules: 2 passed, 0 failed, 0 skipped, in ")
    assert "\x1b" not in out
    told = json.loads(report.read_text())
    assert told["url"] == f"{URL}/realtime"
    assert [result["outcome"] for result in told["results"]] == ["passed", "passed"]
    assert len(ElementTree.fromstring(junit.read_text())[0]) == 2
    assert asked[0].key == "sk-secret_1"
    assert "sk-secret_1" not in out + report.read_text() + junit.read_text()


def test_a_broken_rule_is_status_1(reached: Any, capsys: pytest.CaptureFixture[str]) -> None:
    reached(StringTarget(polite))
    assert main(["check", URL, "--shape", "ga", "--timeout", "0.05", "-q", *ONLY]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("FAIL  ga.event.server-type")
    assert lines[1].strip() == "the param is None, not 'type'"
    assert lines[2].startswith("2 cases of 2 rules: 1 passed, 1 failed")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], "the URL of a server is missing"),
        ([URL, "--only", "nonsense"], "no case has a name like nonsense; --list names them all"),
        ([URL, "--key-env", "NO_KEY"], "--key-env: the environment has no NO_KEY"),
        ([URL, "--key-file", "none.txt"], "--key-file: none.txt cannot be read (FileNotFoundError)"),
        ([URL, "--key-file", "x", "--key-env", "SOME_KEY"], "--key-env and --key-file name two keys"),
        (["ftp://x"], "'ftp://x' must begin with ws://, wss://, http:// or https://"),
        ([URL, "--ca", "none.pem"], "--ca: none.pem is no PEM file"),
    ],
)
def test_mistakes_in_the_arguments_are_status_2(
    arguments: list[str], told: str, reached: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    reached(StringTarget(polite))
    monkeypatch.chdir(tmp_path)
    assert main(["check", *arguments]) == 2
    captured = capsys.readouterr()
    assert captured.err.startswith("vivavoce check: ")
    assert told in captured.err
    assert captured.out == ""


@pytest.mark.parametrize("arguments", [["--timeout", "0"], ["--timeout", "x"], ["--parallel", "0"], ["--shape", "x"]])
def test_numbers_have_ranges(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["check", URL, *arguments])
    assert ended.value.code == 2


def test_a_key_may_stand_in_a_file(reached: Any, tmp_path: Path) -> None:
    asked = reached(StringTarget(updating))
    (tmp_path / "key.txt").write_text("sk-filed_1\n")
    assert main(["check", URL, "--shape", "ga", *ONLY, "--key-file", str(tmp_path / "key.txt"), "--model", "m"]) == 0
    assert (asked[0].key, asked[0].model) == ("sk-filed_1", "m")


def test_no_server_is_one_line_and_status_1(reached: Any, capsys: pytest.CaptureFixture[str]) -> None:
    target = StringTarget()
    target.refusal = Unreachable("cannot reach 127.0.0.1:1: connection refused; is the server running?")
    reached(target)
    assert main(["check", URL]) == 1
    captured = capsys.readouterr()
    assert captured.err == f"vivavoce check: {target.refusal}\n"
    assert captured.out == ""
