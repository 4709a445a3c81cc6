"""Which shape a client speaks."""

from __future__ import annotations

import json
from typing import Any

import pytest

from playbook import Playbook
from vivavoce.core.errors import ProtocolError
from vivavoce.dialects.choose import Undecided, choose, shape_of


@pytest.mark.parametrize(
    ("headers", "subprotocols", "shape"),
    [
        ({}, (), None),
        ({"openai-beta": "realtime=v1"}, (), "beta"),
        ({"openai-beta": "assistants=v2, realtime=v1"}, (), "beta"),
        ({"openai-beta": "assistants=v2"}, (), None),
        ({"openai-beta": "realtime=v10"}, (), None),
        ({}, ("realtime", "openai-insecure-api-key.x", "openai-beta.realtime-v1"), "beta"),
        ({}, ("realtime", "openai-insecure-api-key.x"), None),
    ],
)
def test_headers_and_subprotocols_tell_the_shape(
    headers: dict[str, str], subprotocols: tuple[str, ...], shape: str | None
) -> None:
    assert shape_of(headers, subprotocols) == shape


def test_a_shape_that_was_asked_for_stays() -> None:
    assert choose("ga").name == "ga"
    beta = choose("beta")
    assert beta.name == "beta"
    beta.decode(b'{"type":"session.update","session":{"type":"realtime"}}')
    assert beta.name == "beta"


def update(session: Any) -> bytes:
    return json.dumps({"type": "session.update", "session": session}).encode()


@pytest.mark.parametrize(
    ("session", "shape"),
    [
        ({"type": "realtime", "instructions": "x"}, "ga"),
        ({"modalities": ["text"]}, "beta"),
        ({"instructions": "x", "voice": "ash"}, "beta"),
        ({"turn_detection": None}, "beta"),
        ({"output_modalities": ["text"]}, "ga"),
        ({"audio": {"input": {}}}, "ga"),
        ({}, "ga"),
    ],
)
@pytest.mark.parametrize("as_text", [False, True])
def test_the_first_update_decides(session: dict[str, Any], shape: str, as_text: bool) -> None:
    dialect = Undecided()
    assert dialect.name == "ga"
    try:
        dialect.decode(update(session).decode() if as_text else update(session))
    except ProtocolError:
        assert shape == "ga", "a beta update has all that it needs"
    assert dialect.name == shape


def test_later_updates_decide_nothing_any_more() -> None:
    dialect = Undecided()
    dialect.decode(update({"type": "realtime"}))
    with pytest.raises(ProtocolError, match=r"session\.type"):
        dialect.decode(update({"modalities": ["text"]}))
    assert dialect.name == "ga"


@pytest.mark.parametrize(
    "data",
    [
        b'{"type":"response.create","response":{"instructions":"session.update"}}',
        b'{"type":"session.update"}',
        b'{"type":"session.update","session":5}',
        b'{"type":"session.update","session":{',
        b'"session.update"',
    ],
)
def test_what_is_no_update_leaves_it_open(data: bytes) -> None:
    dialect = Undecided()
    try:
        dialect.decode(data)
    except ProtocolError:
        pass
    dialect.decode(update({"modalities": ["text"]}))
    assert dialect.name == "beta"


def test_a_client_that_proves_to_be_beta_is_answered_so_from_then_on() -> None:
    play = Playbook(shape=None)
    play.take(play.session.start(0.0))
    assert "audio" in play.messages()[0]["session"]
    play.client("session.update", session={"modalities": ["text"], "voice": "echo"})
    session = play.messages()[0]["session"]
    assert (session["modalities"], session["voice"]) == (["text"], "echo")
    play.add_text()
    assert [message["type"] for message in play.messages()] == ["conversation.item.created"]
