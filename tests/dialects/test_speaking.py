"""A party whose audio the server plays: what becomes sound, what it is told of it, and what is cut by itself."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from playbook import CountedIds, b64
from vivavoce.core.formats import PCM_8K, PCM_16K, PCM_24K, PCMA, PCMU, AudioFormat
from vivavoce.dialects.speaking import EndItem, Play, Press, Speaking, Step, Stop, ToParty, ToSession, appending

DELTAS = ("response.output_audio.delta", "response.audio.delta")


def made() -> Speaking:
    return Speaking(CountedIds())


def frame(kind: str, **fields: Any) -> bytes:
    return json.dumps({"type": kind, "event_id": "event_s", **fields}).encode()


def told(steps: list[Step]) -> list[Any]:
    """Steps, frames as what they say without their ids."""
    out: list[Any] = []
    for step in steps:
        if isinstance(step, ToParty | ToSession):
            said = json.loads(step.frame)
            said.pop("event_id", None)
            out.append(("party" if isinstance(step, ToParty) else "session", said))
        else:
            out.append(step)
    return out


def says(speaking: Speaking, item_id: str = "item_1", response_id: str = "resp_1", audio: bytes = bytes(960)) -> None:
    ids = {"response_id": response_id, "item_id": item_id, "output_index": 0, "content_index": 0}
    assert speaking.receive_session(frame(DELTAS[0], **ids, delta=b64(audio))) == [Play(item_id, audio)]


def done(speaking: Speaking, item_id: str = "item_1", response_id: str = "resp_1") -> list[Step]:
    steps = speaking.receive_session(frame("response.output_audio.done", response_id=response_id, item_id=item_id))
    return steps + speaking.receive_session(frame("response.done", response={"id": response_id, "status": "completed"}))


@pytest.mark.parametrize("kind", DELTAS)
def test_audio_is_played_and_not_told(kind: str) -> None:
    ids = {"response_id": "resp_1", "item_id": "item_1", "output_index": 0, "content_index": 0}
    assert made().receive_session(frame(kind, **ids, delta=b64(b"\1\0\2\0"))) == [Play("item_1", b"\1\0\2\0")]


def test_everything_else_goes_to_the_party_byte_for_byte() -> None:
    for text in (
        b'{"type":"a.b" , "x":1.00}',
        b"not json",
        b"[1]",
        b'{"type":7}',
        b'{"type":"response.done","response":7}',
    ):
        assert made().receive_session(text) == [ToParty(text)]


def test_a_response_starts_when_its_first_sound_goes_out_and_stops_when_all_of_it_was_played() -> None:
    speaking = made()
    says(speaking)
    assert told(speaking.item_started("item_1")) == [
        ("party", {"type": "output_audio_buffer.started", "response_id": "resp_1"})
    ]
    says(speaking, "item_2")
    assert EndItem("item_1") in speaking.receive_session(
        frame("response.output_audio.done", response_id="resp_1", item_id="item_1")
    )
    assert speaking.item_played("item_1") == []
    assert speaking.item_started("item_2") == [], "one response starts once"
    done(speaking, "item_2")
    assert told(speaking.item_played("item_2")) == [
        ("party", {"type": "output_audio_buffer.stopped", "response_id": "resp_1"})
    ]


def test_a_response_that_was_heard_before_it_was_done_stops_after_its_end() -> None:
    speaking = made()
    says(speaking)
    speaking.item_started("item_1")
    speaking.receive_session(frame("response.output_audio.done", response_id="resp_1", item_id="item_1"))
    assert speaking.item_played("item_1") == []
    steps = speaking.receive_session(frame("response.done", response={"id": "resp_1"}))
    assert [said["type"] for _, said in told(steps)] == ["response.done", "output_audio_buffer.stopped"]


def test_a_response_that_broke_off_is_played_as_far_as_it_came() -> None:
    speaking = made()
    says(speaking)
    broken = frame("response.done", response={"id": "resp_1", "status": "failed"})
    assert speaking.receive_session(broken) == [ToParty(broken), EndItem("item_1")]


def test_the_user_who_takes_the_turn_silences_the_answer_and_the_conversation_keeps_what_was_heard() -> None:
    speaking = made()
    says(speaking)
    speaking.item_started("item_1")
    says(speaking, "item_2")
    done(speaking, "item_2")
    started = frame("input_audio_buffer.speech_started", item_id="item_u", audio_start_ms=0)
    assert speaking.receive_session(started) == [ToParty(started), Stop()]
    assert told(speaking.stopped([("item_1", 340), ("item_2", 0)])) == [
        ("party", {"type": "output_audio_buffer.cleared", "response_id": "resp_1"}),
        (
            "session",
            {"type": "conversation.item.truncate", "item_id": "item_1", "content_index": 0, "audio_end_ms": 340},
        ),
        ("session", {"type": "conversation.item.truncate", "item_id": "item_2", "content_index": 0, "audio_end_ms": 0}),
    ]
    assert speaking.receive_session(started) == [ToParty(started)], "nothing plays any more"


def test_audio_of_an_answer_that_was_cut_is_not_played() -> None:
    speaking = made()
    says(speaking)
    speaking.stopped([("item_1", 10)])
    late = frame(DELTAS[0], response_id="resp_1", item_id="item_1", content_index=0, delta=b64(bytes(960)))
    assert speaking.receive_session(late) == []
    assert done(speaking)[1:] != [EndItem("item_1")]


@pytest.mark.parametrize(
    "session",
    [
        {"audio": {"input": {"turn_detection": {"type": "server_vad", "interrupt_response": False}}}},
        {"turn_detection": {"type": "server_vad", "interrupt_response": False}},
    ],
)
def test_who_does_not_want_interruptions_gets_none(session: dict[str, Any]) -> None:
    speaking = made()
    speaking.receive_session(frame("session.updated", session=session))
    says(speaking)
    started = frame("input_audio_buffer.speech_started", item_id="item_u")
    assert speaking.receive_session(started) == [ToParty(started)]
    speaking.receive_session(frame("session.updated", session={"turn_detection": None}))
    assert Stop() in speaking.receive_session(started)


def test_the_party_clears_the_output_itself() -> None:
    speaking = made()
    says(speaking)
    speaking.item_started("item_1")
    assert speaking.receive_client(frame("output_audio_buffer.clear")) == [Stop()]
    assert [said["type"] for _, said in told(speaking.stopped([("item_1", 20)]))] == [
        "output_audio_buffer.cleared",
        "conversation.item.truncate",
    ]
    assert speaking.receive_client(frame("output_audio_buffer.clear")) == [Stop()]
    assert speaking.stopped([]) == [], "there is nothing to clear, and nothing wrong with asking"


@pytest.mark.parametrize("which", [{}, {"response_id": "resp_1"}])
def test_what_still_comes_of_an_answer_that_was_cancelled_and_cleared_is_not_played(which: dict[str, str]) -> None:
    speaking = made()
    speaking.receive_session(frame("response.created", response={"id": "resp_1"}))
    cancel = frame("response.cancel", **which)
    assert speaking.receive_client(cancel) == [ToSession(cancel)]
    assert speaking.receive_client(frame("output_audio_buffer.clear")) == [Stop()]
    assert speaking.stopped([]) == []
    late = frame(DELTAS[0], response_id="resp_1", item_id="item_1", content_index=0, delta=b64(bytes(960)))
    assert told(speaking.receive_session(late)) == [
        ("session", {"type": "conversation.item.truncate", "item_id": "item_1", "content_index": 0, "audio_end_ms": 0})
    ]
    assert speaking.receive_session(late) == []
    assert [said["type"] for _, said in told(done(speaking))] == ["response.output_audio.done", "response.done"]
    speaking.receive_session(frame("response.created", response={"id": "resp_2"}))
    speaking.receive_client(frame("output_audio_buffer.clear"))
    says(speaking, "item_2", "resp_2")


def test_a_cut_that_comes_too_late_is_nobodys_mistake() -> None:
    speaking = made()
    says(speaking)
    (cut,) = speaking.stopped([("item_1", 20)])
    assert isinstance(cut, ToSession)
    own = json.loads(cut.frame)["event_id"]
    assert speaking.receive_session(frame("error", error={"code": "x", "event_id": own})) == []
    other = frame("error", error={"code": "x", "event_id": "event_other"})
    assert speaking.receive_session(other) == [ToParty(other)]
    unknown = frame("error", error={"code": "x", "event_id": None})
    assert speaking.receive_session(unknown) == [ToParty(unknown)]


def test_older_pages_finalize_what_the_user_said() -> None:
    assert told(made().receive_client(frame("conversation.item.finalize", item_id="i"))) == [
        ("session", {"type": "input_audio_buffer.commit"}),
        ("session", {"type": "response.create"}),
    ]


@given(st.binary(max_size=60))
def test_whatever_a_party_says_is_the_sessions_to_judge(data: bytes) -> None:
    assert made().receive_client(data) == [ToSession(data)]


@pytest.mark.parametrize(
    ("session", "heard", "said"),
    [
        ({}, PCM_24K, PCM_24K),
        ({"audio": {"input": {"format": {"type": "audio/pcm", "rate": 16000}}}}, PCM_16K, PCM_24K),
        ({"audio": {"output": {"format": {"type": "audio/pcma"}}, "input": None}}, PCM_24K, PCMA),
        ({"input_audio_format": "g711_ulaw", "output_audio_format": "pcm16"}, PCMU, PCM_24K),
        ({"audio": {"input": {"format": {"type": "audio/pcm", "rate": 8000}}}}, PCM_8K, PCM_24K),
        ({"audio": 7, "input_audio_format": "unheard of"}, PCM_24K, PCM_24K),
        (
            {"audio": {"output": {"format": {"type": "audio/pcm", "rate": 48000}}}},
            PCM_24K,
            AudioFormat("audio/pcm", 48_000),
        ),
    ],
)
def test_formats_are_those_that_the_session_tells(session: dict[str, Any], heard: Any, said: Any) -> None:
    speaking = made()
    speaking.receive_session(frame("session.created", session=session))
    assert (speaking.input_format, speaking.output_format) == (heard, said)


@pytest.mark.parametrize(
    "says_so", [{"audio": {"output": {"format": {"type": "audio/pcmu"}}}}, {"output_audio_format": "g711_ulaw"}]
)
def test_an_answer_has_the_format_it_began_with(says_so: dict[str, Any]) -> None:
    speaking = made()
    pcmu = frame("session.updated", session={"output_audio_format": "g711_ulaw"})

    def delta(response_id: str, item_id: str) -> list[Step]:
        ids = {"response_id": response_id, "item_id": item_id, "output_index": 0, "content_index": 0}
        return speaking.receive_session(frame(DELTAS[0], **ids, delta=b64(bytes(4))))

    speaking.receive_session(frame("response.created", response={"id": "resp_1"} | says_so))
    assert delta("resp_1", "item_1") == [Play("item_1", bytes(4), PCMU)], "as the response says"
    speaking.receive_session(frame("response.created", response={"id": "resp_2"}))
    speaking.receive_session(pcmu)
    assert delta("resp_2", "item_2") == [Play("item_2", bytes(4), PCM_24K)], "as the session said then"
    speaking.receive_session(frame("response.done", response={"id": "resp_2"}))
    speaking.receive_session(frame("response.created", response={"id": "resp_3"}))
    assert delta("resp_3", "item_3") == [Play("item_3", bytes(4), PCMU)]


def test_who_joins_is_told_of_the_session_as_it_is_by_now() -> None:
    speaking = made()
    assert speaking.session_created is None
    speaking.receive_session(frame("session.created", session={"id": "sess_1", "voice": "alloy"}))
    speaking.receive_session(frame("session.updated", session={"id": "sess_1", "voice": "cedar"}))
    assert speaking.session_created is not None
    found = json.loads(speaking.session_created)
    assert (found["type"], found["session"]) == ("session.created", {"id": "sess_1", "voice": "cedar"})
    assert found["event_id"] != "event_s"


def test_a_key_that_is_pressed_is_told_with_its_time() -> None:
    assert told(made().pressed("#", 1700000000)) == [
        (
            "party",
            {"type": "input_audio_buffer.dtmf_event_received", "event": "#", "received_at": 1700000000},
        )
    ]


def test_a_translation_is_played_and_never_interrupted() -> None:
    speaking = made()
    told_audio = frame("session.output_audio.delta", format="pcm16", delta=b64(bytes(960)))
    assert speaking.receive_session(told_audio) == [Play("translation", bytes(960))]
    assert speaking.item_started("translation") == []
    started = frame("input_audio_buffer.speech_started")
    assert speaking.receive_session(started) == [ToParty(started)]


def test_a_translation_goes_on_after_its_output_was_cleared() -> None:
    speaking = made()
    told_audio = frame("session.output_audio.delta", format="pcm16", delta=b64(bytes(960)))
    speaking.receive_session(told_audio)
    assert speaking.receive_client(frame("output_audio_buffer.clear")) == [Stop()]
    assert speaking.stopped([("translation", 20)]) == []
    assert speaking.receive_session(told_audio) == [Play("translation", bytes(960))]


def test_audio_without_a_sample_is_nothing_that_waits_to_be_played() -> None:
    speaking = made()
    ids = {"response_id": "resp_1", "item_id": "item_1", "output_index": 0, "content_index": 0}
    assert speaking.receive_session(frame(DELTAS[0], **ids, delta="")) == []
    assert EndItem("item_1") not in done(speaking)
    started = frame("input_audio_buffer.speech_started", item_id="item_u")
    assert speaking.receive_session(started) == [ToParty(started)]


@pytest.mark.parametrize("rate", [[24_000], {}, None, "24000"])
def test_a_rate_that_is_none_harms_nobody(rate: Any) -> None:
    speaking = made()
    told_session = frame(
        "session.updated", session={"audio": {"input": {"format": {"type": "audio/pcm", "rate": rate}}}}
    )
    assert speaking.receive_session(told_session) == [ToParty(told_session)]
    assert speaking.input_format == PCM_24K


def test_what_an_interrupted_answer_played_is_cleared_after_the_end_of_the_answer() -> None:
    speaking = made()
    says(speaking)
    speaking.item_started("item_1")
    started = frame("input_audio_buffer.speech_started", item_id="item_u", audio_start_ms=0)
    assert speaking.receive_session(started) == [ToParty(started), Stop()]
    cut = speaking.stopped([("item_1", 20)])
    assert [said["type"] for _, said in told(cut)] == ["conversation.item.truncate"]
    steps = told(done(speaking))
    assert [said["type"] for _, said in steps] == [
        "response.output_audio.done",
        "response.done",
        "output_audio_buffer.cleared",
    ]
    assert steps[-1][1]["response_id"] == "resp_1"
    assert [said["type"] for _, said in told(done(speaking))][-1] == "response.done", "it is told once"


@pytest.mark.parametrize("is_translation", [False, True])
def test_an_append_is_spelt_as_a_client_would(is_translation: bool) -> None:
    kind = "session.input_audio_buffer.append" if is_translation else "input_audio_buffer.append"
    found = json.loads(appending(b"\1\0", is_translation=is_translation))
    assert found == {"type": kind, "audio": b64(b"\1\0")}


# --------------------------------------------------------------------------------------------------------- keys


def test_keys_are_pressed_where_the_road_has_them() -> None:
    speaking = made()
    speaking.can_press = True
    assert speaking.receive_client(frame("output_audio_buffer.dtmf_send", digits="12#a")) == [Press("12#A")]


@pytest.mark.parametrize(
    ("fields", "can_press", "code", "param"),
    [
        ({}, True, "missing_required_parameter", "digits"),
        ({"digits": ""}, True, "invalid_value", "digits"),
        ({"digits": "5" * 65}, True, "invalid_value", "digits"),
        ({"digits": "1 2"}, True, "invalid_value", "digits"),
        ({"digits": 12}, True, "invalid_value", "digits"),
        ({"digits": "1"}, False, "invalid_value", "type"),
    ],
)
def test_keys_that_cannot_be_pressed_are_the_clients_mistake(
    fields: dict[str, Any], can_press: bool, code: str, param: str
) -> None:
    speaking = made()
    speaking.can_press = can_press
    (told_error,) = speaking.receive_client(frame("output_audio_buffer.dtmf_send", **fields))
    assert isinstance(told_error, ToParty)
    error = json.loads(told_error.frame)["error"]
    assert (error["code"], error["param"], error["event_id"]) == (code, param, "event_s")
