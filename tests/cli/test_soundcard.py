from __future__ import annotations

import asyncio
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from vivavoce.audio.wav import read_wav
from vivavoce.cli.failure import Failure
from vivavoce.cli.player import FRAME_BYTES, Recording
from vivavoce.cli.soundcard import CardPlayer, Microphone, device_list

FRAME = b"\1\0" * (FRAME_BYTES // 2)


class PortAudioError(Exception):
    pass


class Stream:
    """A stream of the fake sound system, whose callback the test calls."""

    opened: list[Stream] = []
    latency = 0.04

    def __init__(self, *, callback: Callable[..., None], device: object, **settings: Any) -> None:
        if device == 99:
            raise PortAudioError("Invalid device")
        self.callback = callback
        self.settings = settings
        self.is_running = False
        self.opened.append(self)

    def start(self) -> None:
        self.is_running = True

    def close(self) -> None:
        self.is_running = False

    def pull(self) -> bytes:
        data = bytearray(FRAME_BYTES)
        self.callback(memoryview(data), FRAME_BYTES // 2, None, None)
        return bytes(data)


@pytest.fixture
def streams(monkeypatch: pytest.MonkeyPatch) -> list[Stream]:
    library = types.ModuleType("sounddevice")
    names: dict[str, object] = {
        "RawInputStream": Stream,
        "RawOutputStream": Stream,
        "PortAudioError": PortAudioError,
        "query_devices": lambda: "0 card",
    }
    for name, value in names.items():
        setattr(library, name, value)
    monkeypatch.setitem(sys.modules, "sounddevice", library)
    Stream.opened = []
    return Stream.opened


async def test_the_microphone_yields_what_the_sound_system_hears(streams: list[Stream]) -> None:
    frames = Microphone(None).frames()
    (stream,) = streams
    assert stream.settings == {"samplerate": 24_000, "channels": 1, "dtype": "int16", "blocksize": 480}
    stream.callback(FRAME, 480, None, None)
    stream.callback(bytes(FRAME_BYTES), 480, None, None)
    assert [await anext(frames), await anext(frames)] == [FRAME, bytes(FRAME_BYTES)]
    await frames.aclose()  # type: ignore[attr-defined]
    assert not stream.is_running


async def test_what_cannot_be_sent_for_long_is_forgotten(streams: list[Stream]) -> None:
    frames = Microphone("1").frames()
    for number in range(300):
        streams[0].callback(number.to_bytes(2, "little"), 480, None, None)
    await asyncio.sleep(0)
    assert await anext(frames) == (50).to_bytes(2, "little")
    await frames.aclose()  # type: ignore[attr-defined]


async def test_the_loudspeakers_play_and_count_what_was_heard(streams: list[Stream], tmp_path: Path) -> None:
    recording = Recording(tmp_path / "a.wav")
    player = CardPlayer("hw", recording)
    running = asyncio.ensure_future(player.run())
    await asyncio.sleep(0)
    (stream,) = streams
    assert stream.is_running
    player.push("i", FRAME * 5)
    assert [stream.pull() for _ in range(3)] == [FRAME] * 3
    assert player.heard("i").heard_ms == 20  # 40 ms are still on their way to the ear
    assert not player.is_idle
    (cut,) = player.clear()
    assert (cut.heard_ms, cut.pushed_ms) == (20, 100)
    assert stream.pull() == bytes(FRAME_BYTES)
    player.push("j", FRAME[:10])
    player.end("j")
    assert stream.pull() == FRAME[:10].ljust(FRAME_BYTES, b"\0")
    await asyncio.sleep(0)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert not stream.is_running
    recording.close(finished=True)
    assert len(read_wav(tmp_path / "a.wav").pcm) == 4 * FRAME_BYTES


async def test_a_device_that_cannot_be_used_is_told(streams: list[Stream]) -> None:
    with pytest.raises(Failure, match="the microphone cannot be used: Invalid device"):
        Microphone("99")
    with pytest.raises(Failure, match="the loudspeakers cannot be used: Invalid device"):
        CardPlayer("99", Recording(None))


def test_devices_are_listed(streams: list[Stream]) -> None:
    assert device_list() == "0 card"


def test_a_missing_sound_library_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    with pytest.raises(Failure, match=r"pip install 'vivavoce\[talk\]'"):
        device_list()
