import wave
from pathlib import Path

import pytest

from vivavoce.engines.silero import FRAME_BYTES, SileroVad

DATA = Path(__file__).parents[1] / "data"


def frames(name: str) -> list[bytes]:
    with wave.open(str(DATA / name)) as file:
        pcm = file.readframes(file.getnframes())
    return [pcm[i : i + FRAME_BYTES] for i in range(0, len(pcm) - FRAME_BYTES + 1, FRAME_BYTES)]


@pytest.fixture(scope="module")
def vad() -> SileroVad:
    return SileroVad()


def test_speech_is_likely_and_silence_is_not(vad: SileroVad) -> None:
    stream = vad.open()
    silence = [stream.probability(bytes(FRAME_BYTES)) for _ in range(20)]
    speech = [stream.probability(frame) for frame in frames("timer-slt.wav")]
    assert max(silence) < 0.2
    assert sum(p > 0.5 for p in speech) > len(speech) / 2


def test_streams_do_not_hear_each_other(vad: SileroVad) -> None:
    speech = frames("timer-slt.wav")[:30]
    alone = vad.open()
    expected = [alone.probability(frame) for frame in speech]
    one, other = vad.open(), vad.open()
    heard = []
    for frame in speech:
        heard.append(one.probability(frame))
        other.probability(bytes(FRAME_BYTES))
    assert heard == expected


def test_direct_and_python_routes_agree(vad: SileroVad) -> None:
    if not vad.is_direct:
        pytest.skip("the extension module exports no functions here")
    fallback = SileroVad()
    fallback._library = None
    direct, through_python = vad.open(), fallback.open()
    for frame in frames("timer-slt.wav")[:25]:
        # The wheel divides by 32767 and the direct route by 32768.
        assert direct.probability(frame) == pytest.approx(through_python.probability(frame), abs=2e-3)


def test_a_frame_of_another_length_is_refused(vad: SileroVad) -> None:
    with pytest.raises(ValueError, match="1024 bytes"):
        vad.open().probability(bytes(10))
