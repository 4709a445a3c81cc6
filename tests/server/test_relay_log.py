"""What is written down of relay sessions."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest

from vivavoce.relay.effects import Noted, Used
from vivavoce.server.relay_log import RelayLog


def test_it_tells_what_became_of_links_and_what_was_paid_for(tmp_path: Path) -> None:
    log = RelayLog(tmp_path, "sess_1", {"model": "m"})
    log.note(Noted("lost", {"upstream": "a", "code": 1006}), 1.23456)
    log.use(Used("a", "m", "response", {"total_tokens": 3}), 2.0)
    log.close(3.0)
    lines = [json.loads(line) for line in (tmp_path / "sess_1.relay.jsonl").read_text().splitlines()]
    assert lines == [
        {"at": 0.0, "what": "began", "session_id": "sess_1", "model": "m"},
        {"at": 1.235, "what": "lost", "upstream": "a", "code": 1006},
        {"at": 2.0, "what": "used", "upstream": "a", "model": "m", "kind": "response", "usage": {"total_tokens": 3}},
        {"at": 3.0, "what": "ended"},
    ]


def test_without_a_folder_it_tells_the_log_alone(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        log = RelayLog(None, "sess_1", {})
        log.note(Noted("lost", {"upstream": "a"}), 1.0)
        log.close(2.0)
    assert [record.getMessage() for record in caplog.records] == ["session sess_1: lost upstream=a"]


def test_what_a_server_says_begins_no_line_of_its_own(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        RelayLog(None, "sess_1", {}).note(Noted("lost", {"reason": "bye\nERROR all is lost"}), 1.0)
    assert caplog.records[0].getMessage() == r"session sess_1: lost reason='bye\nERROR all is lost'"


def test_a_folder_that_is_gone_harms_nobody(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    log = RelayLog(tmp_path / "nowhere", "sess_1", {})
    log.note(Noted("lost", {}), 1.0)
    log.close(2.0)
    assert "is not written down" in caplog.text
