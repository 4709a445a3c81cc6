"""The ears hear every sample once, in its place, and give each utterance exactly its own."""

from __future__ import annotations

import asyncio
import gc
import itertools
import threading
import weakref

import numpy as np
import pytest

from hearings import NO_WORDS, AlwaysOver, CountingAsr, LevelVad, Listener, hearing, silence, speak, tone
from vivavoce.core.effects import Vocabulary
from vivavoce.core.errors import EngineError
from vivavoce.core.formats import PCM_8K, PCM_16K, PCM_24K, PCMU, AudioFormat
from vivavoce.core.reports import Deafened, Heard, Overheard, Report, Transcribed, TranscriptionFailed
from vivavoce.engines.ears import SharedHearing

FRAME_TICKS = 1536


@pytest.mark.parametrize("format", [PCM_24K, PCM_16K, PCM_8K, PCMU])
async def test_frames_are_judged_where_they_stand(format: AudioFormat) -> None:  # noqa: A002
    listener = Listener()
    async with hearing(CountingAsr()) as shared:
        ears = shared.open(listener)
        audio = silence(320, format) + tone(320, format) + silence(330, format)
        speak(ears, audio, 0, format, step=37 * format.bytes_per_sample, detect=True)
        await listener.wait(lambda r: isinstance(r, Heard) and r.at == 30 * FRAME_TICKS)
    frames = [r for r in listener.reports if isinstance(r, Heard)]
    assert [f.at for f in frames] == [FRAME_TICKS * (i + 1) for i in range(30)]
    assert [f.probability for f in frames] == [0.0] * 10 + [1.0] * 10 + [0.0] * 10


async def test_an_utterance_is_given_exactly_its_own_audio() -> None:
    asr, listener = CountingAsr(), Listener()
    async with hearing(asr) as shared:
        ears = shared.open(listener)
        speak(ears, tone(2000, PCM_16K), 0, PCM_16K, step=640, detect=True)
        await listener.wait(lambda r: isinstance(r, Heard) and r.at >= 60 * FRAME_TICKS)
        ears.transcribe("a", 48 * 100, NO_WORDS)
        ears.conclude("a", 48 * 700)
        ears.transcribe("b", 48 * 700, NO_WORDS)
        ears.conclude("b", 48 * 1500)
        assert await listener.result("a") == Transcribed("a", "9600 samples")
        assert await listener.result("b") == Transcribed("b", "12800 samples")


async def test_an_utterance_does_not_hear_what_was_said_after_its_end_however_fast_it_comes() -> None:
    asr, listener = CountingAsr(), Listener()
    ended: list[int] = []

    async with hearing(asr) as shared:

        def session(report: Report) -> None:
            listener(report)
            if isinstance(report, Heard) and report.at == 10 * FRAME_TICKS:
                ears.transcribe("a", 0, NO_WORDS)
            if isinstance(report, Heard) and report.at == 20 * FRAME_TICKS:
                ended.append(report.at)
                ears.conclude("a", report.at)

        ears = shared.open(session)
        ears.listen(tone(60_000, PCM_16K), PCM_16K, 0, True)
        assert await listener.result("a") == Transcribed("a", f"{20 * 512} samples")
    assert ended == [20 * FRAME_TICKS]


async def test_without_turn_detection_all_audio_before_the_commit_is_recognised() -> None:
    asr, listener = CountingAsr(), Listener()
    async with hearing(asr) as shared:
        ears = shared.open(listener)
        ears.transcribe("a", 0, NO_WORDS)
        end = speak(ears, tone(1000, PCM_16K), 0, PCM_16K, step=333 * 2, detect=False)
        ears.conclude("a", end)
        assert await listener.result("a") == Transcribed("a", "16000 samples")
        assert not [r for r in listener.reports if isinstance(r, Heard)]


async def test_a_commit_inside_a_frame_waits_for_no_further_audio() -> None:
    asr, listener = CountingAsr(), Listener()
    async with hearing(asr) as shared:
        ears = shared.open(listener)
        ears.transcribe("a", 0, NO_WORDS)
        end = speak(ears, tone(250), 0, step=480, detect=True)
        ears.conclude("a", end)
        found = await listener.result("a")
        # The filter of 24 to 16 kHz holds its last 24 samples back until more audio comes.
        assert isinstance(found, Transcribed)
        assert 4000 - 26 <= int(found.text.split()[0]) <= 4000


async def test_a_change_of_format_moves_nothing() -> None:
    asr, listener = CountingAsr(), Listener()
    async with hearing(asr) as shared:
        ears = shared.open(listener)
        ears.transcribe("a", 0, NO_WORDS)
        at = speak(ears, tone(320), 0, step=960, detect=True)
        at = speak(ears, silence(320, PCMU), at, PCMU, step=160, detect=True)
        at = speak(ears, tone(352, PCM_16K), at, PCM_16K, step=640, detect=True)
        ears.conclude("a", at)
        found = await listener.result("a")
        assert isinstance(found, Transcribed)
        assert abs(int(found.text.split()[0]) - 992 * 16) <= 4
    samples = np.frombuffer(asr.heard[0], "<i2")
    assert np.abs(samples[320 * 16 + 100 : 640 * 16 - 100]).max() < 200
    assert np.abs(samples[640 * 16 + 100 :]).min() > 7000


async def test_words_are_stable_once_some_looks_agree() -> None:
    asr, listener = CountingAsr(), Listener()
    async with hearing(asr) as shared:
        ears = shared.open(listener)
        ears.transcribe("a", 0, NO_WORDS)
        speak(ears, tone(900, PCM_16K), 0, PCM_16K, step=3200, detect=False)
        await listener.wait(lambda r: isinstance(r, Overheard) and bool(r.stable))
        ears.conclude("a", 48 * 900)
        await listener.result("a")
    looks = [r for r in listener.reports if isinstance(r, Overheard)]
    assert [look.turn_over for look in looks] == [1.0] * len(looks)
    assert [look.text for look in looks] == sorted((look.text for look in looks), key=len)
    assert looks[-1].stable
    for before, look in itertools.pairwise(looks):
        assert before.text.startswith(look.stable)


async def test_utterances_wait_for_a_decoder_and_lose_nothing() -> None:
    asr, listener = CountingAsr(), Listener()
    asr.gate.clear()
    async with hearing(asr, decoders=2) as shared:
        sessions = [shared.open(listener) for _ in range(6)]
        for i, ears in enumerate(sessions):
            ears.transcribe(f"u{i}", 0, NO_WORDS)
            end = speak(ears, tone(100 * (i + 1), PCM_16K), 0, PCM_16K, step=640, detect=False)
            ears.conclude(f"u{i}", end)
        asr.gate.set()
        for i in range(6):
            assert await listener.result(f"u{i}") == Transcribed(f"u{i}", f"{1600 * (i + 1)} samples")
    assert asr.opened == 2


async def test_a_discarded_utterance_is_never_reported_and_frees_its_decoder() -> None:
    asr, listener = CountingAsr(), Listener()
    async with hearing(asr) as shared:
        ears = shared.open(listener)
        ears.transcribe("gone", 0, NO_WORDS)
        speak(ears, tone(500, PCM_16K), 0, PCM_16K, step=640, detect=False)
        ears.discard("gone")
        ears.recognise("whole", tone(200, PCM_8K), PCM_8K, NO_WORDS)
        assert await listener.result("whole") == Transcribed("whole", "3200 samples")
    assert {r.item_id for r in listener.reports if not isinstance(r, Heard)} <= {"whole", "gone"}
    assert not [r for r in listener.reports if isinstance(r, Transcribed) and r.item_id == "gone"]


async def test_a_closed_session_leaves_the_decoder_to_others() -> None:
    asr, first, second = CountingAsr(), Listener(), Listener()
    async with hearing(asr) as shared:
        ears = shared.open(first)
        ears.transcribe("a", 0, NO_WORDS)
        ears.close()
        other = shared.open(second)
        other.recognise("b", tone(100, PCM_16K), PCM_16K, NO_WORDS)
        assert await second.result("b") == Transcribed("b", "1600 samples")
    assert not first.reports


async def test_a_broken_decoder_fails_its_utterance_and_is_replaced() -> None:
    asr, listener = CountingAsr(), Listener()
    async with hearing(asr) as shared:
        ears = shared.open(listener)
        asr.fail_on = lambda step: step == "feed"
        ears.recognise("a", tone(100, PCM_16K), PCM_16K, NO_WORDS)
        failed = await listener.result("a")
        assert failed == TranscriptionFailed("a", "engine_error", "The recogniser failed: broken")
        asr.fail_on = lambda step: False
        ears.recognise("b", tone(100, PCM_16K), PCM_16K, NO_WORDS)
        assert await listener.result("b") == Transcribed("b", "1600 samples")
    assert asr.opened == 2


async def test_ears_that_cannot_load_say_so() -> None:
    asr = CountingAsr()
    asr.fail_on = lambda step: step == "open"
    async with hearing(asr) as shared:
        with pytest.raises(EngineError, match="no model"):
            await shared.ready()


async def test_a_session_whose_voice_activity_fails_is_told_that_it_is_deaf() -> None:
    class BrokenVad(LevelVad):
        def probability(self, frame: bytes) -> float:
            raise EngineError("no voice activity")

    listener = Listener()
    shared = SharedHearing(BrokenVad(), CountingAsr(), AlwaysOver(), decoders=1)
    ears = shared.open(listener)
    ears.listen(tone(100, PCM_16K), PCM_16K, 0, True)
    assert await listener.wait(lambda r: isinstance(r, Deafened)) == Deafened("no voice activity")
    await shared.close()


async def test_an_expected_vocabulary_is_prepared_once() -> None:
    asr, listener = CountingAsr(), Listener()
    words = Vocabulary(phrases=("kitchen",))
    async with hearing(asr) as shared:
        await shared.ready()
        ears = shared.open(listener)
        ears.expect(words)
        ears.expect(words)
        ears.recognise("a", tone(100, PCM_16K), PCM_16K, words)
        await listener.result("a")
    assert asr.prepared == [words]


async def test_sessions_take_turns_however_much_one_of_them_sends() -> None:
    order: list[str] = []
    both_sent = threading.Event()

    class WaitingVad(LevelVad):
        def probability(self, frame: bytes) -> float:
            both_sent.wait(10)
            return super().probability(frame)

    async with hearing(CountingAsr(), vad=WaitingVad()) as shared:
        greedy, modest = Listener(), Listener()
        first = shared.open(lambda report: (order.append("greedy"), greedy(report))[1])
        second = shared.open(lambda report: (order.append("modest"), modest(report))[1])
        first.listen(tone(60_000, PCM_16K), PCM_16K, 0, True)
        second.listen(tone(200, PCM_16K), PCM_16K, 0, True)
        both_sent.set()
        await modest.wait(lambda r: isinstance(r, Heard) and r.at == 6 * FRAME_TICKS)
        await greedy.wait(lambda r: isinstance(r, Heard) and r.at == 1875 * FRAME_TICKS)
    assert order.count("greedy") == 1875
    assert order.index("modest") < 200


async def test_a_session_that_fails_at_its_reports_costs_others_nothing() -> None:
    failures: list[dict[str, object]] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: failures.append(context))

    def broken(report: Report) -> None:
        raise RuntimeError("bug")

    listener = Listener()
    async with hearing(CountingAsr()) as shared:
        all_ears = [shared.open(report) for report in (broken, listener, broken)]
        for ears in all_ears:
            ears.listen(tone(32, PCM_16K), PCM_16K, 0, True)
        await listener.wait(lambda r: isinstance(r, Heard))
    assert failures


async def test_whoever_speaks_goes_before_recordings() -> None:
    asr, listener = CountingAsr(), Listener()
    asr.gate.clear()
    async with hearing(asr, decoders=1) as shared:
        ears = shared.open(listener)
        for name in ("first", "second"):
            ears.recognise(name, tone(100, PCM_16K), PCM_16K, NO_WORDS)
        ears.transcribe("speaker", 0, NO_WORDS)
        end = speak(ears, tone(100, PCM_16K), 0, PCM_16K, step=640, detect=False)
        ears.conclude("speaker", end)
        asr.gate.set()
        await listener.result("second")
    assert [r.item_id for r in listener.reports if isinstance(r, Transcribed)] == ["first", "speaker", "second"]


async def test_recordings_leave_a_decoder_to_speakers() -> None:
    asr, listener = CountingAsr(), Listener()
    asr.gate.clear()
    speakers_words = Vocabulary(phrases=("speaker",))
    async with hearing(asr, decoders=2) as shared:
        ears = shared.open(listener)
        for name in ("a", "b", "c"):
            ears.recognise(name, tone(100, PCM_16K), PCM_16K, NO_WORDS)
        ears.transcribe("speaker", 0, speakers_words)
        assert await asyncio.to_thread(asr.two_started.wait, 10)
        assert sorted(asr.started, key=len_of_phrases) == [NO_WORDS, speakers_words]
        ears.conclude("speaker", 0)
        asr.gate.set()
        for name in ("a", "b", "c", "speaker"):
            await listener.result(name)


def len_of_phrases(vocabulary: Vocabulary) -> int:
    return len(vocabulary.phrases)


async def test_a_recording_that_nobody_wants_is_heard_no_further() -> None:
    asr, listener = CountingAsr(), Listener()
    async with hearing(asr) as shared:
        ears = shared.open(listener)
        asr.gate.clear()
        ears.recognise("long", tone(300_000, PCM_8K), PCM_8K, NO_WORDS)
        ears.discard("long")
        asr.gate.set()
        ears.recognise("next", tone(100, PCM_16K), PCM_16K, NO_WORDS)
        await listener.result("next")
    assert len(asr.heard[0]) < 32_000


async def test_an_unchanged_text_is_told_once() -> None:
    asr, listener = CountingAsr(), Listener()
    async with hearing(asr) as shared:
        ears = shared.open(listener)
        ears.recognise("a", tone(3000, PCM_16K), PCM_16K, NO_WORDS)
        ears.transcribe("b", 0, NO_WORDS)
        end = speak(ears, tone(3000, PCM_16K), 0, PCM_16K, step=640, detect=False)
        ears.conclude("b", end)
        await listener.result("b")
    told = [(r.text, r.stable) for r in listener.reports if isinstance(r, Overheard) and r.item_id == "b"]
    assert len(told) == len(set(told))


class Owner:
    """Has ears and is reported to by them, as a call is."""

    def __init__(self, shared: SharedHearing) -> None:
        self.listener = Listener()
        self.ears = shared.open(self.take)

    def take(self, report: Report) -> None:
        self.listener(report)


async def test_closed_ears_and_their_owner_are_freed_without_the_garbage_collector() -> None:
    async with hearing(CountingAsr()) as shared:
        owner = Owner(shared)
        owner.ears.transcribe("a", 0, NO_WORDS)
        at = speak(owner.ears, tone(200), 0, step=960, detect=True)
        owner.ears.conclude("a", at)
        await owner.listener.result("a")
        owner.ears.close()
        left = [weakref.ref(owner), weakref.ref(owner.ears)]
        gc.collect()
        gc.disable()
        try:
            del owner
            # The threads may still hold what they did last.
            other = Listener()
            ears = shared.open(other)
            ears.recognise("b", tone(200), PCM_24K, NO_WORDS)
            speak(ears, tone(200), 0, step=960, detect=True)
            await other.result("b")
            await other.wait(lambda report: isinstance(report, Heard))
            assert [ref() for ref in left] == [None, None]
        finally:
            gc.enable()


async def test_recordings_beyond_what_may_wait_are_refused_and_earlier_ones_are_kept() -> None:
    asr = CountingAsr()
    asr.gate.clear()
    second, minute = tone(1000), bytes(60 * 48_000)
    async with hearing(asr) as shared:
        listener = Listener()
        ears = shared.open(listener)
        for number in range(14):
            ears.recognise(f"{number}", minute if number else second, PCM_24K, NO_WORDS)
            assert not listener.reports, "told in the middle of a step"
        refused = [await listener.result(name) for name in ("12", "13")]
        assert [report.code for report in refused if isinstance(report, TranscriptionFailed)] == ["recogniser_busy"] * 2
        assert len(listener.reports) == 2
        for number in range(1, 12):
            ears.discard(f"{number}")
        asr.gate.set()
        assert await listener.result("0") == Transcribed("0", "16000 samples")
