"""Journals without secrets that run again all the same."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from callers import Desk, settle
from vivavoce.core import reports as rp
from vivavoce.core.formats import PCMU
from vivavoce.core.limits import DEFAULT_LIMITS
from vivavoce.core.service import Abilities, Service, StoredPrompt
from vivavoce.core.session import Session
from vivavoce.core.settings import McpServer, Settings, Tool
from vivavoce.dialects.choose import choose
from vivavoce.server.ids import Ids
from vivavoce.server.journal import FORMAT, Head, Journal, Moment, replay, step
from vivavoce.server.redaction import UNREADABLE, Redaction, without_secrets


def update(**tool: Any) -> dict[str, Any]:
    server = {"type": "mcp", "server_label": "shop", "server_url": "https://shop.example", **tool}
    return {"type": "session.update", "session": {"type": "realtime", "tools": [server]}}


def redacted(value: Any) -> Any:
    return json.loads(Redaction().frame(json.dumps(value).encode()))


def test_what_lets_others_in_is_replaced_and_the_rest_stays() -> None:
    given = update(authorization="geheim", headers={"X-Key": "geheim", "X-Team": "", "X-Other": "anders"})
    tool = redacted(given)["session"]["tools"][0]
    assert tool["authorization"] == tool["headers"]["X-Key"] != tool["headers"]["X-Other"]
    assert tool["headers"]["X-Team"] == ""
    assert tool["server_url"] == "https://shop.example"
    assert "geheim" not in json.dumps(tool)


def test_words_stand_for_the_same_secret_in_one_journal_alone() -> None:
    frame = json.dumps(update(authorization="geheim")).encode()
    one, other = Redaction(), Redaction()
    assert one.frame(frame) == one.frame(frame) != other.frame(frame)


@pytest.mark.parametrize(
    "frame",
    [
        b'{"type":"input_audio_buffer.append","audio":"AAAA"}',
        b'{"type": "conversation.item.create",  "item": {"text": "my authorization"}}',
        b'{"type":"x","text":"caf\\u00e9"}',
        b"no json",
        b"\xff",
    ],
)
def test_frames_without_secrets_stay_as_they_were(frame: bytes) -> None:
    assert Redaction().frame(frame) == frame


@pytest.mark.parametrize("key", ["parameters", "variables", "metadata", "input_schema"])
def test_words_of_the_clients_own_are_no_secrets(key: str) -> None:
    given = {"type": "x", key: {"authorization": "a word", "headers": {"h": "another"}}}
    assert redacted(given) == given


@pytest.mark.parametrize(
    "frame",
    [
        rb'{"type":"session.update","session":{"tools":[{"type":"mcp","\u0061uthorization":"geheim"}]}}',
        b'{"authorization":"geheim","authorization":null}',
        b'{"tools":[{"authorization":"geheim"',
        b'{"tools":[{"headers":{"a":["geheim",{"b":"geheim"}]}}]}',
        b'{"authorization":["geheim"]}',
        b'[{"authorization":"geheim"}]',
    ],
)
def test_no_spelling_gets_a_secret_through(frame: bytes) -> None:
    assert b"geheim" not in Redaction().frame(frame)


def test_what_cannot_be_read_and_may_hold_a_secret_is_left_out() -> None:
    assert Redaction().frame(b'{"authorization":"geheim') == UNREADABLE


def test_values_of_other_types_stay_for_they_are_mistakes_and_no_secrets() -> None:
    given = update(authorization=5, headers={"a": None, "b": 1.5})
    assert redacted(given) == given


def test_what_cannot_be_sent_still_cannot() -> None:
    word = redacted(update(authorization="geheim\r\nx: y"))["session"]["tools"][0]["authorization"]
    assert word.endswith("\n")


def test_settings_and_stored_prompts_lose_their_secrets() -> None:
    server = McpServer("shop", "https://shop.example", authorization="geheim", headers={"x": "geheim"})
    redaction = Redaction()
    settings = redaction.settings(Settings(mcp_servers=(server,)))
    service = redaction.service(Service(prompts={"p": StoredPrompt("Hi.", settings={"mcp_servers": (server,)})}))
    assert settings.mcp_servers == service.prompts["p"].settings["mcp_servers"]
    assert "geheim" not in settings.mcp_servers[0].authorization + str(settings.mcp_servers[0].headers)
    assert redaction.service(Service(prompts={"p": StoredPrompt("Hi.", settings={"voice": "ash"})})).prompts["p"] == (
        StoredPrompt("Hi.", settings={"voice": "ash"})
    )
    assert without_secrets(server).authorization == without_secrets(server).headers["x"] == "(hidden)"


async def test_a_journal_of_a_call_with_secrets_has_none_and_replays(tmp_path: Path) -> None:
    async with Desk(journal=tmp_path).at_work() as desk:
        for token in ("geheim", "geheim", "geheimer"):
            desk.client("session.update", session=update(authorization=token)["session"])
            await settle()
        desk.client("session.update", session=update(authorization="geheim\n")["session"])
        desk.call.receive_frame(b'{"type":"session.update","authorization":"geheim"')
        response = await desk.ask()
        desk.brain.say(rp.Called(response, "look"))
        desk.brain.say(rp.Answered(response))
        desk.brain.queue(response).put_nowait(None)
        await settle()
    path = tmp_path / f"{desk.call.session_id}.jsonl"
    assert desk.toolbox.listed[0].authorization == "geheim"
    assert len(desk.toolbox.listed) == 2
    assert "geheim" not in path.read_text(encoding="utf-8")
    seen = replay(path)
    assert (seen.difference, seen.inputs) == (None, 12)


def test_a_session_with_stored_prompts_replays(tmp_path: Path) -> None:
    server = McpServer("shop", "https://shop.example", authorization="geheim")
    stored = {
        "output_format": PCMU,
        "tools": (Tool("sell"),),
        "mcp_servers": (server,),
        "turn_detection": {"type": "semantic_vad", "eagerness": "low"},
        "max_output_tokens": 9,
    }
    service = Service(Abilities(calls_mcp=True), prompts={"clerk": StoredPrompt("Sell {{what}}.", settings=stored)})
    ids, dialect = Ids("prompts000000"), choose("ga")
    session = Session(Settings(), new_id=ids, created_unix=1e9, service=service)
    head = Head("0", FORMAT, ids.seed, 1e9, "ga", Settings(), DEFAULT_LIMITS, service)
    journal = Journal(tmp_path, session.id, head)
    prompt = {"id": "clerk", "variables": {"what": "pens", "authorization": "a word"}}
    update = {"type": "session.update", "session": {"type": "realtime", "prompt": prompt}}
    for given in (Moment.START, json.dumps(update).encode()):
        journal.write(given, 0.0, step(session, dialect, given, 0.0))
    journal.close()
    assert session.settings.instructions == "Sell pens."
    assert session.settings.output_format == PCMU
    assert "geheim" not in journal.path.read_text(encoding="utf-8")
    assert replay(journal.path).difference is None
