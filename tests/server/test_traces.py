"""Traces of sessions that ask for one: when they did what."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import pytest

from playbook import Playbook
from vivavoce.core import reports as rp
from vivavoce.core.items import McpFault, McpTool
from vivavoce.core.service import Abilities, Service
from vivavoce.server.traces import Trace, Tracing

SHOP = {"type": "mcp", "server_label": "shop", "server_url": "https://shop.example", "require_approval": "never"}


class Traced(Playbook):
    """A session whose every effect its trace is shown."""

    def __init__(self, folder: Path, *, has_content: bool = False) -> None:
        super().__init__(service=Service(Abilities(calls_mcp=True)))
        self.trace = Tracing(folder, has_content).open("sess_1", 1e9)

    def take(self, effects: list[Any]) -> list[str]:
        lines = super().take(effects)
        if hasattr(self, "trace"):
            self.trace.see(effects, self.now, self.session.settings.tracing)
        return lines


def spans(folder: Path) -> list[dict[str, Any]]:
    (path,) = folder.rglob("*.jsonl")
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_a_spoken_turn_is_traced_with_its_times(tmp_path: Path) -> None:
    play = Traced(tmp_path)
    tracing = {"workflow_name": "front desk/1", "group_id": "g", "metadata": {"floor": "2"}}
    play.update(tracing=tracing, audio={"input": {"transcription": {"model": "whisper-1"}}})
    play.now = 1.0
    play.speak()
    play.now = 2.0
    play.stop_speaking()
    item_id = play.session.conversation.last_id
    assert item_id is not None
    play.now = 2.5
    play.report(rp.Transcribed(item_id, "a secret"))
    play.now = 3.0
    play.report(rp.Said("resp_1", "Well. "))
    play.now = 3.25
    play.report(rp.Said("resp_1", "", bytes(960)))
    play.now = 4.0
    play.report(rp.Answered("resp_1"))
    play.trace.close(5.0)
    head, turn, transcription, response, session = spans(tmp_path)
    assert head == {
        "trace": "sess_1", "workflow_name": "front desk/1", "group_id": "g", "metadata": {"floor": "2"}, "began": 1e9,
    }  # fmt: skip
    assert turn == {"span": "turn", "id": item_id, "began": 1e9 + 1, "ended": 1e9 + 2}
    assert (transcription["began"], transcription["ended"]) == (1e9 + 2, 1e9 + 2.5)
    assert response | {"usage": None} == {
        "span": "response", "id": "resp_1", "began": 1e9 + 2, "rounds": 1, "asked": 1e9 + 2.5, "first_text": 1e9 + 3,
        "first_audio": 1e9 + 3.25, "ended": 1e9 + 4, "status": "completed", "usage": None,
    }  # fmt: skip
    assert response["usage"]["output_audio_tokens"] == 1
    assert session == {"span": "session", "id": "sess_1", "began": 1e9, "ended": 1e9 + 5, "status": "closed"}
    (path,) = tmp_path.glob("front_desk_1/sess_1.jsonl")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert "secret" not in path.read_text(encoding="utf-8")


def test_tools_of_both_kinds_are_traced(tmp_path: Path) -> None:
    play = Traced(tmp_path)
    play.update(tracing="auto", tools=[SHOP, {"type": "function", "name": "cook"}])
    play.now = 1.0
    play.report(rp.ToolsListed("item_1", (McpTool("look"),)))
    play.client("response.create")
    for report in (rp.Called("resp_1", "look"), rp.Called("resp_1", "cook", "call_1"), rp.Answered("resp_1")):
        play.report(report)
    play.now = 2.0
    play.report(rp.ToolReturned("item_2", "a secret"))
    play.now = 3.0
    play.client("conversation.item.create", item={"type": "function_call_output", "call_id": "call_1", "output": "x"})
    play.client("response.create")
    play.client("response.create")
    play.trace.close(4.0)
    lines = [
        (line.get("span"), line.get("ended", 0) - 1e9, line.get("status") or line.get("function") or line.get("code"))
        for line in spans(tmp_path)[1:]
    ]
    assert lines == [
        ("list_tools", 1.0, "completed"),
        ("remote_tool", 2.0, "completed"),
        ("response", 2.0, "completed"),
        ("function", 3.0, "cook"),
        ("error", -1e9, "conversation_already_has_active_response"),
        ("session", 4.0, "closed"),
        ("response", 4.0, "unfinished"),
    ]


def told(folder: Path, *names: str) -> list[dict[str, Any]]:
    """The spans of these kinds without their times."""
    times = ("began", "ended", "asked", "first_text", "first_audio", "usage", "rounds", "audio_seconds")
    found = [line for line in spans(folder) if line.get("span") in names]
    return [{key: value for key, value in line.items() if key not in times} for line in found]


def test_what_was_said_is_traced_where_the_operator_wants_it(tmp_path: Path) -> None:
    play = Traced(tmp_path, has_content=True)
    play.update(tracing="auto", audio={"input": {"transcription": {"model": "whisper-1"}}})
    content = [{"type": "input_text", "text": "Look."}, {"type": "input_text", "text": "Well?"}]
    play.client("conversation.item.create", item={"type": "message", "role": "user", "content": content})
    play.speak()
    play.stop_speaking()
    item_id = play.session.conversation.last_id
    assert item_id is not None
    play.report(rp.Transcribed(item_id, "what is it"))
    play.report(rp.Said("resp_1", "A cat", bytes(960)))
    play.report(rp.Said("resp_1", " I think."))
    play.report(rp.Answered("resp_1"))
    play.trace.close(5.0)
    message, transcription, response = told(tmp_path, "message", "transcription", "response")
    assert message == {"span": "message", "id": "item_1", "role": "user", "text": "Look. Well?"}
    assert transcription == {"span": "transcription", "id": item_id, "text": "what is it"}
    assert response == {"span": "response", "id": "resp_1", "status": "completed", "text": ["A cat I think."]}


def test_what_was_asked_of_tools_is_traced_where_the_operator_wants_it(tmp_path: Path) -> None:
    play = Traced(tmp_path, has_content=True)
    play.update(tracing="auto", tools=[SHOP, {"type": "function", "name": "cook"}])
    play.report(rp.ToolsListed("item_1", (McpTool("look"),)))
    play.client("response.create")
    for report in (
        rp.Called("resp_1", "look"), rp.Argued("resp_1", '{"a":1}'), rp.Called("resp_1", "look"),
        rp.Called("resp_1", "cook", "call_1"), rp.Argued("resp_1", '{"b":2}'), rp.Answered("resp_1"),
        rp.ToolReturned("item_2", "seen"), rp.ToolFailed("item_3", McpFault("http_error", "It is gone.", 410)),
    ):  # fmt: skip
        play.report(report)
    play.client("conversation.item.create", item={"type": "function_call_output", "call_id": "call_1", "output": "x"})
    play.trace.close(4.0)
    shop = {"span": "remote_tool", "server": "shop", "tool": "look"}
    assert told(tmp_path, "remote_tool", "function") == [
        shop | {"id": "item_2", "status": "completed", "arguments": '{"a":1}', "output": "seen"},
        shop | {"id": "item_3", "status": "failed", "arguments": "{}", "error": "It is gone."},
        {"span": "function", "id": "call_1", "function": "cook", "arguments": '{"b":2}', "output": "x"},
    ]


def test_without_the_operators_wish_nothing_of_it_is_traced(tmp_path: Path) -> None:
    play = Traced(tmp_path)
    play.update(tracing="auto", tools=[SHOP, {"type": "function", "name": "cook"}])
    play.report(rp.ToolsListed("item_1", (McpTool("look"),)))
    content = [{"type": "input_text", "text": "a secret"}]
    play.client("conversation.item.create", item={"type": "message", "role": "user", "content": content})
    play.client("response.create")
    for report in (
        rp.Called("resp_1", "look"), rp.Argued("resp_1", '{"a":"a secret"}'),
        rp.Called("resp_1", "cook", "call_1"), rp.Argued("resp_1", '{"b":"a secret"}'), rp.Answered("resp_1"),
        rp.ToolReturned("item_3", "a secret"),
    ):  # fmt: skip
        play.report(report)
    output = {"type": "function_call_output", "call_id": "call_1", "output": "a secret"}
    play.client("conversation.item.create", item=output)
    play.trace.close(4.0)
    (path,) = tmp_path.rglob("*.jsonl")
    assert "secret" not in path.read_text(encoding="utf-8")
    assert [line["span"] for line in told(tmp_path, "remote_tool", "function")] == ["remote_tool", "function"]


def test_a_session_that_does_not_ask_leaves_no_trace(tmp_path: Path) -> None:
    play = Traced(tmp_path)
    play.update(instructions="Hi.")
    play.trace.close(1.0)
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_is_full_ends_the_trace_and_nothing_else(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    trace = Trace(tmp_path / "file", "sess_1", 1e9)
    trace.see([], 0.0, "auto")
    trace.see([], 1.0, "auto")
    trace.close(2.0)
    assert [record.levelname for record in caplog.records] == ["ERROR"]


def test_tracing_cannot_be_changed_once_it_is_on() -> None:
    play = Playbook()
    play.update(tracing="auto")
    assert play.update(tracing="auto")[0] == "session.updated"
    assert play.update(tracing={"workflow_name": "x"}) == ["error invalid_parameter session.tracing"]
