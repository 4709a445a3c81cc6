"""The recogniser hears what was said, and nothing of who spoke before."""

from __future__ import annotations

import os
import threading
import wave
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from vivavoce.audio.resample import resample
from vivavoce.core.effects import Vocabulary
from vivavoce.engines.api import Decoder, Transcript
from vivavoce.engines.sphinx import SphinxAsr, engine
from vivavoce.engines.sphinx import decoder as module

DATA = Path(__file__).parents[2] / "data"
PLAIN = Vocabulary()
ZORBLAX = Vocabulary(texts=("The menu is called Zorblax.",), phrases=("open the zorblax menu",))
SPOKEN = {
    "timer-slt": "set a timer for ten minutes",
    "lights-rms": "turn on the lights in the kitchen",
}


def speech(name: str) -> bytes:
    with wave.open(str(DATA / f"{name}.wav")) as file:
        return bytes(9600) + file.readframes(file.getnframes()) + bytes(16000)


def heard(decoder: Decoder, pcm: bytes, vocabulary: Vocabulary = PLAIN, chunk: int = 640) -> Transcript:
    decoder.start(vocabulary)
    for i in range(0, len(pcm), chunk):
        decoder.feed(pcm[i : i + chunk])
    return decoder.finish()


@pytest.fixture(scope="module")
def asr(tmp_path_factory: pytest.TempPathFactory) -> SphinxAsr:
    return SphinxAsr(tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="module")
def decoder(asr: SphinxAsr) -> Iterator[Decoder]:
    decoder = asr.open()
    yield decoder
    decoder.close()


@pytest.mark.parametrize("name", SPOKEN)
def test_a_command_is_understood(decoder: Decoder, name: str) -> None:
    assert heard(decoder, speech(name)).text == SPOKEN[name]


def test_words_have_times_in_order_and_confidences(decoder: Decoder) -> None:
    pcm = speech("timer-slt")
    found = heard(decoder, pcm)
    assert " ".join(word.text for word in found.words) == found.text
    times = [time for word in found.words for time in (word.start_ms, word.end_ms)]
    assert times == sorted(times)
    assert 250 <= times[0] < times[-1] <= len(pcm) // 32
    assert all(0.0 <= word.confidence <= 1.0 for word in found.words)
    assert found.confidence == pytest.approx(sum(w.confidence for w in found.words) / len(found.words))


def test_partial_text_grows_into_the_final_one(decoder: Decoder) -> None:
    pcm = speech("timer-slt")
    decoder.start(PLAIN)
    seen = []
    for i in range(0, len(pcm), 3200):
        decoder.feed(pcm[i : i + 3200])
        seen.append(decoder.partial())
    assert seen[0] == ""
    assert "set a timer" in seen
    assert decoder.finish().text == seen[-1] == SPOKEN["timer-slt"]


def test_the_text_does_not_depend_on_how_the_audio_was_cut(decoder: Decoder) -> None:
    pcm = speech("lights-rms")
    expected = heard(decoder, pcm)
    assert heard(decoder, pcm, chunk=len(pcm)) == expected
    assert heard(decoder, pcm, chunk=322) == expected
    assert heard(decoder, pcm, chunk=4098) == expected


def test_the_text_does_not_depend_on_what_was_heard_before(asr: SphinxAsr, decoder: Decoder) -> None:
    pcm, loud_noise = speech("time-awb"), np.random.default_rng(1).normal(0, 9000, 32000).astype("<i2").tobytes()
    fresh = asr.open()
    try:
        expected = heard(fresh, pcm)
    finally:
        fresh.close()
    heard(decoder, loud_noise, ZORBLAX)
    heard(decoder, speech("timer-slt"))
    decoder.start(ZORBLAX)
    decoder.feed(loud_noise)  # never finished
    assert heard(decoder, pcm) == expected


def test_a_word_of_the_session_is_heard_in_that_session_alone(decoder: Decoder) -> None:
    pcm = speech("zorblax-slt")
    before = heard(decoder, pcm)
    assert "zorblax" not in before.text
    assert heard(decoder, pcm, ZORBLAX).text.split()[:5] == ["please", "open", "the", "zorblax", "menu"]
    assert heard(decoder, pcm) == before


def test_more_vocabularies_than_are_kept_all_work(decoder: Decoder) -> None:
    pcm = speech("timer-slt")
    for i in range(engine.KEPT_SEARCHES + 2):
        assert heard(decoder, pcm, Vocabulary(phrases=(f"gadget {i} quuxor",))).text == SPOKEN["timer-slt"]
    assert heard(decoder, speech("zorblax-slt"), ZORBLAX).text.split()[3] == "zorblax"


def test_a_dictionary_grown_too_large_is_loaded_anew(decoder: Decoder, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = heard(decoder, speech("zorblax-slt"), ZORBLAX)
    monkeypatch.setattr(engine, "MAX_ADDED_WORDS", 0)
    decoder.prepare(Vocabulary(phrases=("frobnitzer",)))
    assert heard(decoder, speech("zorblax-slt"), ZORBLAX) == expected


@pytest.mark.parametrize("pcm", [b"", bytes(2), bytes(640), bytes(64_000)], ids=["none", "sample", "20ms", "silence"])
def test_audio_without_words_has_no_text(decoder: Decoder, pcm: bytes) -> None:
    assert heard(decoder, pcm) == Transcript("")


@pytest.mark.parametrize("level", [1, 3000, 32767])
def test_noise_of_any_level_ends(decoder: Decoder, level: int) -> None:
    noise = np.random.default_rng(3).uniform(-level, level, 24000).astype("<i2").tobytes()
    found = heard(decoder, noise)
    assert found.text == " ".join(word.text for word in found.words)


def test_a_long_utterance_is_heard_to_its_end(decoder: Decoder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_SPLIT_AFTER", 4 * module.RATE_HZ)
    monkeypatch.setattr(module, "_SPLIT_AT_LAST", 7 * module.RATE_HZ)
    pcm = speech("timer-slt")
    found = heard(decoder, pcm * 5)
    assert found.text == " ".join([SPOKEN["timer-slt"]] * 5)
    starts = [word.start_ms for word in found.words if word.text == "set"]
    gaps = np.diff(starts)
    assert np.all(np.abs(gaps - len(pcm) / 32) < 150)


def test_quiet_speech_is_understood_like_loud(decoder: Decoder) -> None:
    pcm = np.frombuffer(speech("timer-slt"), "<i2")
    for gain in (0.05, 0.3):
        assert heard(decoder, (pcm * gain).astype("<i2").tobytes()).text == SPOKEN["timer-slt"]


def test_speech_by_telephone_is_understood(decoder: Decoder) -> None:
    narrow = resample(resample(speech("lights-rms"), 16_000, 8_000), 8_000, 16_000)
    expected = heard(decoder, narrow)
    assert expected.text == SPOKEN["lights-rms"]
    assert heard(decoder, narrow, chunk=322) == expected


HOSTILE = {
    "megabyte": Vocabulary(texts=("Zyx wvut " * 120_000,)),
    "binary": Vocabulary(texts=(bytes(range(256)).decode("latin-1") * 50,), phrases=("\0\1\2", "\ud800", "\n<s> </s>")),
    "chinese": Vocabulary(texts=("\u4f60\u597d\uff0c\u4e16\u754c" * 500,), phrases=("\u518d\u89c1",)),
    "german": Vocabulary(texts=("Größe über alles Schön",), language="de"),
    "marks": Vocabulary(phrases=("</s>", "<s>", "a~ b~", "(2)", "\\data\\", "word(2)", "--", "'''", "'tis o'clock")),
    "numbers": Vocabulary(
        texts=("9" * 50_000, "3.14 2024 007 1,000,000 0"),
    ),
    "one word": Vocabulary(phrases=("x" * 5000, "q", "zzzz", "'")),
    "many names": Vocabulary(phrases=tuple(f"brk{chr(97 + i % 26)}{chr(97 + i // 26 % 26)}oval" for i in range(5000))),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_strange_vocabulary_does_no_harm(decoder: Decoder, kind: str) -> None:
    decoder.prepare(HOSTILE[kind])
    assert heard(decoder, speech("timer-slt"), HOSTILE[kind]).text == SPOKEN["timer-slt"]


def test_decoders_work_at_the_same_time(asr: SphinxAsr) -> None:
    texts: dict[str, list[str]] = {name: [] for name in SPOKEN}

    def work(name: str) -> None:
        own = asr.open()
        texts[name] = [heard(own, speech(name), v).text for v in (PLAIN, ZORBLAX, PLAIN)]
        own.close()

    threads = [threading.Thread(target=work, args=(name,)) for name in SPOKEN]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert texts == {name: [text] * 3 for name, text in SPOKEN.items()}


def test_files_are_prepared_once_and_completely(asr: SphinxAsr, decoder: Decoder) -> None:
    folders = list(asr._cache.iterdir()) if asr._cache else []
    assert len(folders) == 1
    assert sorted(path.name for path in folders[0].iterdir()) == ["common.dict", "complete", "domain.arpa", "rare.dict"]


def test_without_a_writable_cache_temporary_files_serve(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    asr = SphinxAsr(blocked / "cache")
    own = asr.open()
    assert heard(own, speech("timer-slt")).text == SPOKEN["timer-slt"]
    assert asr._shared is not None
    folder = asr._shared[0].folder
    own.close()
    del own, asr
    assert not folder.exists()
    assert os.listdir(tmp_path) == ["file"]
