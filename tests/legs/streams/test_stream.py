"""The sound of one call on a media stream: paced, ahead by a little, and cut at once."""

from __future__ import annotations

import asyncio
import struct
from typing import Any

import numpy as np
import pytest

from vivavoce.legs.streams.asterisk import AsteriskWebSocket, AudioSocket
from vivavoce.legs.streams.spelling import Began, Ended, Heard, Pressed, Sound
from vivavoce.legs.streams.stream import MAX_QUEUED_BYTES, Stream
from vivavoce.legs.ticker import Ticker

SLIN = Sound("linear", 24_000)


class Owner:
    """Whoever the call is for."""

    def __init__(self) -> None:
        self.told: list[tuple[Any, ...]] = []
        self.heard = b""
        self.played = b""

    def receive_audio(self, pcm: bytes) -> None:
        self.heard += pcm

    def receive_playback(self, pcm: bytes) -> None:
        self.played += pcm

    def __getattr__(self, name: str) -> Any:
        return lambda *values: self.told.append((name, *values))


class Line:
    """A stream whose time the test makes."""

    def __init__(self, spelling: Any = None, sound: Sound = SLIN) -> None:
        self.owner = Owner()
        self.sent: list[Any] = []
        self.waiting = 0
        self.closed = 0
        self.ticker = Ticker(asyncio.get_running_loop())
        self.stream = Stream(
            spelling or AsteriskWebSocket(),
            Began("c", hears=sound, says=sound),
            self.owner,  # type: ignore[arg-type]
            {"greeting": b"\x09\x00" * 24 * 40},
            self.ticker,
            self.send,
            self.close,
        )

    def send(self, message: Any) -> int:
        self.sent.append(message)
        return self.waiting

    def close(self) -> None:
        self.closed += 1

    def tick(self, count: int = 1) -> list[int]:
        """The level of each frame that was sent."""
        self.sent.clear()
        for _ in range(count):
            self.stream.tick(0.0)
        return [int(np.frombuffer(one, "<i2")[-1]) for one in self.sent if isinstance(one, bytes)]


def level(value: int, ms: int) -> bytes:
    return np.full(24 * ms, value, "<i2").tobytes()


async def test_a_call_is_answered_and_played_silence_a_little_ahead() -> None:
    line = Line()
    assert line.sent == ["ANSWER"]
    assert len(line.tick()) == 6
    assert len(line.tick()) == 1
    assert len(line.ticker) == 1


async def test_nothing_is_ahead_where_the_other_side_has_no_buffer() -> None:
    line = Line(AudioSocket())
    line.sent.clear()
    line.stream.tick(0.0)
    assert [struct.unpack_from(">BH", message) for message in line.sent] == [(0x10, 960)]


async def test_items_and_clips_are_played_and_told() -> None:
    line = Line()
    line.tick()
    line.stream.play_clip("greeting")
    line.stream.play("a", level(1, 40))
    line.stream.end_item("a")
    assert line.tick(5) == [9, 9, 1, 1, 0]
    assert line.owner.told == [("clip_ended", "greeting"), ("item_started", "a"), ("item_played", "a")]
    assert len(line.owner.played) == 4 * 960


async def test_a_barge_in_takes_back_what_waits_on_the_other_side_and_does_not_count_it_as_heard() -> None:
    line = Line()
    line.tick()
    line.stream.play("a", level(1, 1000))
    line.tick(20)
    (heard,) = line.stream.clear()
    assert "FLUSH_MEDIA" in line.sent
    assert heard.heard_ms == 400 - 100, "five frames were still on the other side"
    assert len(line.tick()) == 6


async def test_what_the_caller_says_and_presses_is_passed_on() -> None:
    line = Line(sound=Sound("ulaw", 8_000))
    line.stream.receive(Heard(b"\xff" * 160))
    line.stream.receive(Pressed("7"))
    assert len(line.owner.heard) == 960
    assert line.owner.told == [("receive_digit", "7")]
    line.stream.tick(0.0)
    assert {len(one) for one in line.sent if isinstance(one, bytes)} == {160}


async def test_the_end_is_told_once_and_nothing_follows() -> None:
    line = Line()
    line.stream.receive(Ended("the caller hung up"))
    line.stream.lose("again")
    line.stream.hang_up("and again")
    line.stream.receive(Pressed("1"))
    assert line.tick(3) == []
    await asyncio.sleep(0)
    assert (line.owner.told, line.closed, len(line.ticker)) == ([("media_closed", "the caller hung up")], 1, 0)


async def test_the_owner_hangs_up_and_is_not_told_in_the_midst_of_it() -> None:
    line = Line()
    line.stream.hang_up("goodbye")
    assert line.sent[-1] == "HANGUP"
    assert line.owner.told == []
    await asyncio.sleep(0)
    assert line.owner.told == [("media_closed", "goodbye")]


async def test_who_takes_no_sound_any_more_is_hung_up_on() -> None:
    line = Line()
    line.waiting = MAX_QUEUED_BYTES + 1
    line.stream.tick(0.0)
    await asyncio.sleep(0)
    assert line.owner.told == [("media_closed", "the connection does not take the sound any more")]


@pytest.mark.parametrize("rate_hz", [8_000, 16_000, 24_000])
async def test_sound_is_the_same_at_every_rate(rate_hz: int) -> None:
    line = Line(sound=Sound("linear", rate_hz))
    tone = (8000 * np.sin(2 * np.pi * 440 * np.arange(24_000) / 24_000)).astype("<i2").tobytes()
    line.stream.play("a", tone)
    line.stream.end_item("a")
    line.sent.clear()
    for _ in range(52):
        line.stream.tick(0.0)
    sent = np.frombuffer(b"".join(one for one in line.sent if isinstance(one, bytes)), "<i2")
    assert len(sent) == 57 * rate_hz // 50
    crossings = np.count_nonzero(np.diff(np.signbit(sent[rate_hz // 10 : rate_hz * 9 // 10])))
    assert crossings == pytest.approx(704, abs=2)
