"""What is recognised of an utterance: nothing of silence, clean audio from the sample it was asked for, and pauses."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from hearings import NO_WORDS, CountingAsr, CountingDecoder, LevelVad, Listener, hearing, silence, speak, tone
from vivavoce.core.errors import EngineError
from vivavoce.core.formats import PCM_16K, PCMU, AudioFormat
from vivavoce.core.reports import Heard, Overheard, Report, Transcribed, TranscriptionFailed, Word
from vivavoce.engines.api import Transcript

MARGIN_MS = 15 * 32


class TimingAsr(CountingAsr):
    """Recognises one word at the end of what it was given."""

    def open(self) -> TimingDecoder:
        return TimingDecoder(self)


class TimingDecoder(CountingDecoder):
    def finish(self) -> Transcript:
        end = len(self.pcm) // 32
        return Transcript("word", (Word("word", end - 10, end, 0.5),), 0.5)


async def committed(audio: bytes, *, is_speech: bool = False, asr: CountingAsr | None = None) -> tuple[Report, ...]:
    """The reports of an utterance that a client decides on."""
    listener = Listener()
    async with hearing(asr or CountingAsr()) as shared:
        ears = shared.open(listener)
        ears.transcribe("a", 0, NO_WORDS, is_speech=is_speech)
        ears.conclude("a", speak(ears, audio, 0, PCM_16K, step=640, detect=False))
        await listener.result("a")
    return tuple(listener.reports)


async def test_silence_that_is_committed_becomes_an_empty_text_without_any_delta() -> None:
    assert await committed(silence(5000, PCM_16K)) == (Transcribed("a", "0 samples"),)


async def test_speech_that_is_committed_is_recognised_with_what_lies_close_to_it() -> None:
    audio = silence(3200, PCM_16K) + tone(320, PCM_16K) + silence(3200, PCM_16K)
    assert (await committed(audio))[-1] == Transcribed("a", f"{16 * (320 + 2 * MARGIN_MS)} samples")


async def test_what_voice_activity_began_is_recognised_whole_where_nobody_is_heard() -> None:
    assert (await committed(silence(960, PCM_16K), is_speech=True))[-1] == Transcribed("a", "15360 samples")


async def test_words_have_their_times_in_the_utterance() -> None:
    audio = silence(3200, PCM_16K) + tone(320, PCM_16K) + silence(3200, PCM_16K)
    found = (await committed(audio, asr=TimingAsr()))[-1]
    end = 3520 + MARGIN_MS
    assert found == Transcribed("a", "word", (Word("word", end - 10, end, 0.5),), 0.5)


@pytest.mark.parametrize("format", [PCM_16K, PCMU])
async def test_recordings_without_speech_are_empty(format: AudioFormat) -> None:  # noqa: A002
    listener = Listener()
    async with hearing(CountingAsr()) as shared:
        ears = shared.open(listener)
        ears.recognise("quiet", silence(3000, format), format, NO_WORDS)
        ears.recognise("loud", tone(960, format), format, NO_WORDS)
        assert await listener.result("quiet") == Transcribed("quiet", "0 samples")
        assert await listener.result("loud") == Transcribed("loud", "15360 samples")


async def test_an_utterance_whose_voice_activity_fails_is_failed() -> None:
    class BrokenVad(LevelVad):
        def probability(self, frame: bytes) -> float:
            raise EngineError("no voice activity")

    listener = Listener()
    async with hearing(CountingAsr(), vad=BrokenVad()) as shared:
        ears = shared.open(listener)
        ears.recognise("a", tone(100, PCM_16K), PCM_16K, NO_WORDS)
        failed = TranscriptionFailed("a", "engine_error", "The recogniser failed: no voice activity")
        assert await listener.result("a") == failed


def mixed(ms: int) -> bytes:
    """A loud tone that comes and goes, in noise."""
    t = np.arange(16 * ms) / 16_000
    sound = 9_000 * np.sin(2 * np.pi * 300 * t) * (np.sin(2 * np.pi * 2 * t) > -0.5)
    return (sound + np.random.default_rng(1).normal(0, 1_500, len(t))).astype("<i2").tobytes()


async def cleaned(step: int, changes: dict[int, tuple[str | None, float]]) -> bytes:
    """What the recogniser hears of two seconds when noise reduction changes before some of the samples."""
    asr, listener, audio = CountingAsr(), Listener(), mixed(2000)
    async with hearing(asr) as shared:
        ears = shared.open(listener)
        at = 0
        for sample in (*sorted(changes), len(audio) // 2):
            if at == 0:
                ears.transcribe("a", 0, NO_WORDS)
            piece = audio[at // 3 * 2 : 2 * sample]
            at = speak(ears, piece, at, PCM_16K, step=step, detect=True)
            if sample in changes:
                ears.denoise(*changes[sample])
        ears.conclude("a", at)
        await listener.result("a")
    (heard,) = asr.heard
    return heard


async def test_noise_reduction_begins_and_ends_inside_of_an_utterance_without_losing_a_sample() -> None:
    plain, audio = await cleaned(640, {}), mixed(2000)
    assert plain == audio
    changed = await cleaned(640, {8_000: ("near_field", 1.0), 20_000: (None, 1.0)})
    assert len(changed) == len(audio)
    # Whole frames are cleaned, so the changes take effect within one.
    same = np.frombuffer(changed, "<i2") == np.frombuffer(audio, "<i2")
    assert same[: 8_000 - 512].all()
    assert same[20_000:].all()
    assert not same[8_500:19_000].all()


async def test_where_noise_reduction_changes_depends_on_the_audio_and_not_on_its_arrival() -> None:
    changes = {8_000: ("near_field", 1.0), 20_000: ("far_field", 0.5)}
    assert await cleaned(640, changes) == await cleaned(64_000, changes)


async def test_noise_is_learnt_from_before_the_utterance_and_voice_is_judged_on_the_audio_as_it_came() -> None:
    heard: list[tuple[bytes, list[Report]]] = []
    for mode in (None, "near_field"):
        asr, listener, audio = CountingAsr(), Listener(), mixed(3000)
        async with hearing(asr) as shared:
            ears = shared.open(listener)
            ears.denoise(mode, 1.0)
            at = speak(ears, audio, 0, PCM_16K, step=640, detect=True)
            await listener.wait(lambda r: isinstance(r, Heard) and r.at >= 48 * 2900)
            ears.transcribe("a", 48 * 1500, NO_WORDS)
            ears.conclude("a", at)
            await listener.result("a")
        heard.append((asr.heard[0], [r for r in listener.reports if isinstance(r, Heard)]))
    (plain, judged), (clean, judged_again) = heard
    assert judged == judged_again
    assert len(plain) == len(clean)
    quiet = slice(0, 512)
    left = [np.abs(np.frombuffer(pcm, "<i2")[quiet].astype(float)).mean() for pcm in (plain, clean)]
    assert left[1] < left[0] / 2


FIRST_MS = 640 + 192
SECOND_MS = 640 + 256 + 640 + 192
"""How much was said when the two pauses are judged."""


class Listening:
    """A turn model that answers by how much was said, and keeps what it was asked."""

    def __init__(self) -> None:
        self.answers = {FIRST_MS: 0.2, SECOND_MS: 0.7}
        self.asked: list[int] = []
        self.gate = threading.Event()
        self.gate.set()

    def turn_over(self, pcm: bytes) -> float:
        self.gate.wait(10)
        self.asked.append(len(pcm) // 32)
        return self.answers[len(pcm) // 32]


async def turns_over(model: Listening, *, asks_turn: bool) -> list[float]:
    """What is told of a sentence with a pause in it and one after it."""
    listener = Listener()
    async with hearing(CountingAsr(), sound=model) as shared:
        ears = shared.open(listener)
        ears.transcribe("a", 0, NO_WORDS, asks_turn=asks_turn)
        at = 0
        for answer in model.answers.values():
            at = speak(ears, tone(640, PCM_16K) + silence(256, PCM_16K), at, PCM_16K, step=640, detect=True)
            over = answer if asks_turn else 1.0
            await listener.wait(lambda r, over=over: isinstance(r, Overheard) and r.turn_over == over)
        ears.conclude("a", at)
        await listener.result("a")
    return [report.turn_over for report in listener.reports if isinstance(report, Overheard)]


async def test_a_turn_is_over_where_words_and_sound_agree() -> None:
    model = Listening()
    told = await turns_over(model, asks_turn=True)
    assert [over for over in dict.fromkeys(told) if over] == [0.2, 0.7]
    assert model.asked == [FIRST_MS, SECOND_MS]


async def test_the_turn_model_is_not_asked_where_silence_alone_ends_a_turn() -> None:
    model = Listening()
    assert set(await turns_over(model, asks_turn=False)) == {1.0}
    assert model.asked == []


async def test_a_pause_that_is_over_before_it_was_judged_is_not_told() -> None:
    model, listener = Listening(), Listener()
    model.gate.clear()
    async with hearing(CountingAsr(), sound=model) as shared:
        ears = shared.open(listener)
        ears.transcribe("a", 0, NO_WORDS, asks_turn=True)
        audio = tone(640, PCM_16K) + silence(256, PCM_16K)
        at = speak(ears, audio + tone(640, PCM_16K), 0, PCM_16K, step=640, detect=True)
        await listener.wait(lambda r: isinstance(r, Overheard) and len(r.text.split()) >= 7)
        model.gate.set()
        at = speak(ears, silence(256, PCM_16K), at, PCM_16K, step=640, detect=True)
        await listener.wait(lambda r: isinstance(r, Overheard) and r.turn_over == 0.7)
        ears.conclude("a", at)
        await listener.result("a")
    assert {r.turn_over for r in listener.reports if isinstance(r, Overheard)} == {0.0, 0.7}


@pytest.mark.parametrize(
    ("delay", "behind"), [("minimal", 0), ("low", 1), ("", 2), ("medium", 2), ("high", 3), ("xhigh", 6)]
)
async def test_words_count_as_stable_as_late_as_the_client_has_patience_for(delay: str, behind: int) -> None:
    listener = Listener()
    async with hearing(CountingAsr()) as shared:
        ears = shared.open(listener)
        ears.transcribe("a", 0, NO_WORDS, delay)
        end = speak(ears, tone(2400, PCM_16K), 0, PCM_16K, step=3200, detect=False)
        await listener.wait(lambda report: isinstance(report, Overheard) and len(report.stable.split()) > 5)
        ears.conclude("a", end)
        await listener.result("a")
    # The decoder has a word more for every 200 ms, and is looked at about every 128 ms here.
    told = [(len(r.text.split()), len(r.stable.split())) for r in listener.reports if isinstance(r, Overheard)]
    assert max(text - stable for text, stable in told if stable > 1) == behind
