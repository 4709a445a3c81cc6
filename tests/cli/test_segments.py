from __future__ import annotations

from math import log

import pytest

from fakes import Json
from vivavoce.cli.segments import Segment, Segments, words_of


def told(kind: str, item_id: str = "i", **more: object) -> Json:
    return {"type": kind, "item_id": item_id, **more}


def completed(text: str, item_id: str = "i", **more: object) -> Json:
    return told("conversation.item.input_audio_transcription.completed", item_id, transcript=text, **more)


def test_a_stretch_of_speech_becomes_a_segment_with_its_times() -> None:
    segments = Segments(60_000)
    segments.take(told("input_audio_buffer.speech_started", audio_start_ms=300))
    assert not segments.is_settled
    segments.take(told("input_audio_buffer.speech_stopped", audio_end_ms=2100))
    segments.take(told("input_audio_buffer.committed"))
    assert not segments.is_settled
    segments.take(told("conversation.item.input_audio_transcription.delta", delta="What "))
    segments.take(told("conversation.item.input_audio_transcription.delta", delta="time"))
    assert [(segment.text, segment.is_final) for segment in segments.all] == [("What time", False)]
    segments.take(completed(" What time is it? "))
    assert segments.is_settled
    assert segments.all == [
        Segment(item_id="i", start_ms=300, end_ms=2100, text="What time is it?", is_final=True),
    ]


def test_a_segment_ends_with_its_recording() -> None:
    segments = Segments(1000)
    segments.take(told("input_audio_buffer.speech_stopped", audio_end_ms=1500))
    assert segments.all[0].end_ms == 1000


def test_segments_keep_the_order_of_speech_when_their_texts_do_not() -> None:
    segments = Segments(60_000)
    for item_id in ("a", "b"):
        segments.take(told("input_audio_buffer.speech_started", item_id))
        segments.take(told("input_audio_buffer.committed", item_id))
    segments.take(completed("second", "b"))
    assert not segments.is_settled
    segments.take(completed("first", "a"))
    assert [segment.text for segment in segments.all] == ["first", "second"]


def test_words_that_come_before_the_commit_are_not_awaited_after_it() -> None:
    segments = Segments(60_000)
    segments.take(completed("early"))
    segments.take(told("input_audio_buffer.committed"))
    assert segments.is_settled


def test_speech_that_was_not_understood_is_told() -> None:
    segments = Segments(60_000)
    segments.take(told("input_audio_buffer.committed"))
    error = {"code": "c", "message": "too noisy"}
    segments.take(told("conversation.item.input_audio_transcription.failed", error=error))
    assert segments.is_settled
    assert (segments.all[0].text, segments.all[0].problem) == ("", "too noisy")


def test_other_events_change_nothing() -> None:
    segments = Segments(60_000)
    assert segments.take(told("conversation.item.added")) is None
    assert segments.all == []


def test_the_confidence_of_a_segment_is_the_mean_of_its_words() -> None:
    segments = Segments(60_000)
    tokens = [{"token": "turn", "logprob": log(0.9)}, {"token": " left", "logprob": log(0.7)}]
    segments.take(completed("turn left", logprobs=tokens))
    assert segments.all[0].confidence == pytest.approx(0.8)


@pytest.mark.parametrize(
    ("text", "tokens", "words"),
    [
        ("turn left", ["turn", " left"], [("turn", 0.5), ("left", 0.5)]),
        ("turn left", ["turn", "left"], [("turn", 0.5), ("left", 0.5)]),
        ("Unbelievable!", ["Un", "belie", "vable", "!"], [("Unbelievable!", 0.0625)]),
        ("a a b", ["a", " a", " b"], [("a", 0.5), ("a", 0.5), ("b", 0.5)]),
        ("yes no", ["<start>", "yes", " ", " no"], [("yes", 0.5), ("no", 0.5)]),
        ("three words here", ["three", " here"], [("three", 0.5), ("here", 0.5)]),
        ("none", [], []),
        ("", ["a"], []),
    ],
)
def test_a_word_is_as_likely_as_its_tokens_together(
    text: str, tokens: list[str], words: list[tuple[str, float]]
) -> None:
    found = words_of(text, [{"token": token, "logprob": log(0.5)} for token in tokens])
    assert [(word.text, pytest.approx(word.confidence)) for word in found] == words


def test_tokens_that_are_not_as_the_protocol_says_are_passed_over() -> None:
    assert words_of("yes", [None, {"token": "yes"}, {"token": None, "logprob": -1}, {"token": "yes", "logprob": 0.1}])[
        0
    ].confidence == pytest.approx(1.0)
