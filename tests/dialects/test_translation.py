"""Translation sessions on the wire."""

from __future__ import annotations

import base64

import order
from interpreter import Interpreter
from vivavoce.core import events as ev
from vivavoce.core.settings import NoiseReduction, Settings, Transcription
from vivavoce.dialects.choose import choose


def test_a_session_is_shown_whole() -> None:
    settings = Settings(
        kind="translation",
        model="gpt-realtime-translate",
        transcription=Transcription("whisper-1"),
        noise_reduction=NoiseReduction("near_field"),
        output_language="es",
    )
    (created,) = Interpreter("", settings=settings).messages()
    assert created == {
        "type": "session.created",
        "event_id": "event_1",
        "session": {
            "id": "sess_1",
            "type": "translation",
            "expires_at": 1_000_003_600,
            "model": "gpt-realtime-translate",
            "audio": {
                "input": {"transcription": {"model": "whisper-1"}, "noise_reduction": {"type": "near_field"}},
                "output": {"language": "es"},
            },
        },
    }


def test_what_was_never_set_is_null_or_left_out() -> None:
    (created,) = Interpreter("").messages()
    assert created["session"]["audio"] == {"input": {"transcription": None, "noise_reduction": None}, "output": {}}


def test_deltas_and_the_end_are_as_the_protocol_has_them() -> None:
    play = Interpreter("es", transcribes=True)
    events = [{"type": "session.created", "event_id": "event_1", "session": {"type": "translation"}}, *play.messages()]
    play.speak()
    play.understood(1, "good morning")
    events += play.messages()
    play.said(1, "Buenos días.", b"\1\0\2\0")
    events += play.messages()
    play.answered(1)
    play.client("session.close")
    play.judge(0.0, 29)
    events += play.messages()
    order.check(events)
    for event in events:
        del event["event_id"]
    assert events[2:] == [
        {"type": "session.input_transcript.delta", "delta": "good morning", "elapsed_ms": 1600},
        {"type": "session.output_transcript.delta", "delta": "Buenos días.", "elapsed_ms": 1600},
        {
            "type": "session.output_audio.delta",
            "delta": base64.b64encode(b"\1\0\2\0").decode(),
            "format": "pcm16",
            "sample_rate": 24000,
            "channels": 1,
            "elapsed_ms": 1600,
        },
        {"type": "session.closed"},
    ]


def test_the_spelling_is_the_same_for_all_clients() -> None:
    for shape in ("ga", "beta", None):
        assert choose(shape, "translation").encode(ev.SessionClosed("event_1")) == [
            b'{"type":"session.closed","event_id":"event_1"}'
        ]


def test_events_of_other_sessions_are_not_told() -> None:
    assert choose(None, "translation").encode(ev.BufferCleared("event_1")) == []
