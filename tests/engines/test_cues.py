from __future__ import annotations

from itertools import pairwise

from vivavoce.cli.segments import Segment
from vivavoce.engines.cues import cues_of, srt, vtt


def segment(text: str, start_ms: int | None, end_ms: int | None) -> Segment:
    return Segment(item_id="i", text=text, start_ms=start_ms, end_ms=end_ms, is_final=True)


SEGMENTS = [segment("Good morning.", 300, 1500), segment("", 1600, 1700), segment("a < b & c", 3_599_900, 3_601_234)]


def test_srt_counts_its_blocks_and_writes_milliseconds_behind_a_comma() -> None:
    assert srt(SEGMENTS) == (
        "1\n00:00:00,300 --> 00:00:01,500\nGood morning.\n\n2\n00:59:59,900 --> 01:00:01,234\na < b & c\n"
    )


def test_vtt_has_a_head_and_escapes_what_would_be_markup() -> None:
    assert vtt(SEGMENTS) == (
        "WEBVTT\n\n00:00:00.300 --> 00:00:01.500\nGood morning.\n\n00:59:59.900 --> 01:00:01.234\na &lt; b &amp; c\n"
    )


def test_a_recording_without_words_has_no_cues() -> None:
    assert srt([]) == ""
    assert vtt([]) == "WEBVTT\n"


def test_a_long_segment_is_shown_piece_by_piece_without_gap_or_overlap() -> None:
    text = "This is a rather long stretch of speech that goes on without any pause at all, as some speakers do. " * 2
    cues = list(cues_of([segment(text.strip(), 1000, 11_000)]))
    assert len(cues) == 3
    assert (cues[0].start_ms, cues[-1].end_ms) == (1000, 11_000)
    assert all(one.end_ms == other.start_ms for one, other in pairwise(cues))
    assert " ".join(cue.text for cue in cues) == text.strip()
    assert max(len(cue.text) for cue in cues) - min(len(cue.text) for cue in cues) < 20
    assert all(len(line) <= 42 for cue in cues for line in srt([segment(cue.text, 0, 1)]).splitlines()[2:])


def test_segments_without_times_follow_one_another() -> None:
    cues = list(cues_of([segment("one", None, 900), segment("two", 400, 1200), segment("three", None, None)]))
    assert [(cue.start_ms, cue.end_ms) for cue in cues] == [(0, 900), (900, 1200), (1200, 1500)]


def test_a_word_too_long_for_a_line_is_broken() -> None:
    (cue,) = cues_of([segment("x" * 60, 0, 1000)])
    assert srt([segment("x" * 60, 0, 1000)]).splitlines()[2:] == ["x" * 42, "x" * 18]
    assert cue.text == "x" * 60
    assert len(list(cues_of([segment("x" * 200, 0, 1000)]))) == 3
