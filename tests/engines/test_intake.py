"""Speech passes whole, with what lies close to it, and nothing else does."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vivavoce.core.reports import Word
from vivavoce.engines.canal import FRAME_BYTES, FRAME_SAMPLES
from vivavoce.engines.denoise import Denoising
from vivavoce.engines.intake import MARGIN_FRAMES, ONSET_FRAMES, PAUSE_FRAMES, RECENT_FRAMES, Intake

OFF = Denoising()
NEAR = Denoising("near_field")


class MarkVad:
    """Reads the probability off the first sample of a frame, in hundredths."""

    def probability(self, frame: bytes) -> float:
        assert len(frame) == FRAME_BYTES
        return int(np.frombuffer(frame, "<i2")[0]) / 100


def frames(count: int, probability: float) -> bytes:
    frame = np.full(FRAME_SAMPLES, 7, "<i2")
    frame[0] = round(100 * probability)
    return frame.tobytes() * count


QUIET, SPEECH, SOFT = 0.02, 0.9, 0.2


def passed(audio: bytes, *, is_speech: bool = False, denoising: Denoising = OFF, step: int = 640) -> bytes:
    intake = Intake(MarkVad(), denoising, is_speech=is_speech)
    return b"".join([*(intake.push(audio[i : i + step]) for i in range(0, len(audio), step)), intake.finish()])


def test_of_noise_nothing_passes() -> None:
    assert passed(frames(500, QUIET)) == b""


@pytest.mark.parametrize("probability", [0.29, SOFT])
def test_of_what_is_hardly_speech_nothing_passes(probability: float) -> None:
    assert passed(frames(500, probability)) == b""


def test_a_click_is_no_speech() -> None:
    assert passed((frames(20, QUIET) + frames(ONSET_FRAMES - 1, SPEECH)) * 5) == b""


def test_a_short_word_passes_with_its_margins() -> None:
    audio = frames(100, QUIET) + frames(ONSET_FRAMES, SPEECH) + frames(100, QUIET)
    expected = frames(MARGIN_FRAMES, QUIET) + frames(ONSET_FRAMES, SPEECH) + frames(MARGIN_FRAMES, QUIET)
    assert passed(audio) == expected


def test_a_word_without_silence_around_it_passes() -> None:
    assert passed(frames(4, SPEECH)) == frames(4, SPEECH)


def test_a_soft_end_belongs_to_the_word() -> None:
    audio = frames(5, SPEECH) + frames(10, SOFT) + frames(100, QUIET)
    assert passed(audio) == frames(5, SPEECH) + frames(10, SOFT) + frames(MARGIN_FRAMES, QUIET)


def test_a_pause_inside_of_speech_passes_whole() -> None:
    audio = frames(5, SPEECH) + frames(PAUSE_FRAMES - 1, QUIET) + frames(5, SPEECH)
    assert passed(audio) == audio


def test_a_long_pause_is_cut_to_its_margins() -> None:
    audio = frames(5, SPEECH) + frames(300, QUIET) + frames(5, SPEECH)
    assert passed(audio) == frames(5, SPEECH) + frames(2 * MARGIN_FRAMES, QUIET) + frames(5, SPEECH)


def test_what_is_said_to_be_speech_passes_until_some_was_heard() -> None:
    assert passed(frames(300, SOFT), is_speech=True) == frames(300, SOFT)
    audio = frames(100, SOFT) + frames(5, SPEECH) + frames(100, QUIET)
    assert passed(audio, is_speech=True) == frames(100, SOFT) + frames(5, SPEECH) + frames(MARGIN_FRAMES, QUIET)


def test_speech_passes_while_it_is_spoken() -> None:
    intake = Intake(MarkVad(), OFF, is_speech=False)
    assert intake.push(frames(50, QUIET) + frames(1, SPEECH)) == b""
    assert not intake.has_speech
    assert intake.push(frames(1, SPEECH)).endswith(frames(2, SPEECH))
    assert intake.has_speech
    assert intake.push(frames(1, SPEECH) + frames(1, SPEECH)[:400]) == frames(1, SPEECH)
    assert intake.finish() == frames(1, SPEECH)[:400]


def test_words_keep_their_times_where_a_pause_was_cut() -> None:
    intake = Intake(MarkVad(), OFF, is_speech=False)
    speech = 10
    intake.push(frames(100, QUIET) + frames(speech, SPEECH) + frames(300, QUIET) + frames(speech, SPEECH))
    intake.finish()
    margin_ms, frame_ms = 32 * MARGIN_FRAMES, 32
    second = 3 * margin_ms + speech * frame_ms
    heard = (Word("one", margin_ms, margin_ms + 100, 0.5), Word("two", second, second + 100, 0.5))
    at = (100 * frame_ms, (400 + speech) * frame_ms)
    assert intake.placed(heard) == tuple(
        Word(word.text, start, start + 100, 0.5) for word, start in zip(heard, at, strict=True)
    )


def test_silence_is_counted_for_the_turn_model_and_the_last_audio_is_kept() -> None:
    intake = Intake(MarkVad(), OFF, is_speech=True, keep_recent=True)
    intake.push(frames(RECENT_FRAMES, QUIET) + frames(5, SPEECH) + frames(3, QUIET))
    assert intake.silent_frames == 3
    assert intake.recent == frames(RECENT_FRAMES - 8, QUIET) + frames(5, SPEECH) + frames(3, QUIET)
    intake.push(frames(1, SPEECH))
    assert intake.silent_frames == 0


LEVELS = st.lists(st.tuples(st.integers(1, 80), st.sampled_from([QUIET, SOFT, SPEECH])), max_size=8)


@settings(deadline=None, max_examples=30)
@given(LEVELS, st.integers(1, 5000), st.booleans(), st.sampled_from([OFF, NEAR]))
def test_how_audio_arrives_changes_nothing(
    parts: list[tuple[int, float]], step: int, is_speech: bool, denoising: Denoising
) -> None:
    audio = b"".join(frames(*part) for part in parts) + frames(1, SPEECH)[:200]
    whole = passed(audio, is_speech=is_speech, denoising=denoising, step=len(audio))
    assert passed(audio, is_speech=is_speech, denoising=denoising, step=2 * step) == whole


@settings(deadline=None, max_examples=30)
@given(LEVELS, st.integers(0, 100))
def test_noise_reduction_moves_no_boundary(parts: list[tuple[int, float]], at: int) -> None:
    audio = b"".join(frames(*part) for part in parts)
    intake = Intake(MarkVad(), OFF, is_speech=False)
    cut = min(at * 640, len(audio))
    out = [intake.push(audio[:cut])]
    intake.denoise(NEAR)
    out += [intake.push(audio[cut : cut + 3200])]
    intake.denoise(OFF)
    out += [intake.push(audio[cut + 3200 :]), intake.finish()]
    assert len(b"".join(out)) == len(passed(audio))
