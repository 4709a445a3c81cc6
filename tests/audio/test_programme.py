"""What a party is played: items, clips between them, and what is told of both."""

from __future__ import annotations

import numpy as np
import pytest

from vivavoce.audio.playout import Heard
from vivavoce.audio.programme import ClipEnded, ItemPlayed, ItemStarted, News, Programme


def level(value: int, ms: int) -> bytes:
    return np.full(24 * ms, value, "<i2").tobytes()


def heard(programme: Programme, ms: int) -> tuple[list[int], list[News]]:
    """The level of each frame, 0 for silence, and what was told."""
    levels, told = [], []
    for _ in range(ms // 20):
        frame, news = programme.pull()
        levels.append(0 if frame is None else int(np.frombuffer(frame, "<i2")[-1]))
        told += news
    return levels, told


def test_items_are_played_in_their_order_and_their_beginnings_and_ends_are_told() -> None:
    programme = Programme(24_000)
    programme.play("a", level(1, 40))
    programme.play("b", level(2, 20))
    programme.end_item("a")
    programme.end_item("b")
    levels, told = heard(programme, 80)
    assert levels == [1, 1, 2, 0]
    assert told == [ItemStarted("a"), ItemPlayed("a"), ItemStarted("b"), ItemPlayed("b")]
    assert programme.is_idle


def test_an_item_that_is_ended_after_it_was_played_ends_then() -> None:
    programme = Programme(24_000)
    programme.play("a", level(1, 20))
    assert heard(programme, 40) == ([1, 0], [ItemStarted("a")])
    programme.end_item("a")
    assert heard(programme, 20) == ([0], [ItemPlayed("a")])


def test_a_clip_that_is_played_once_holds_back_what_waits() -> None:
    programme = Programme(24_000)
    programme.play_clip("greeting", level(9, 50))
    programme.play("a", level(1, 20))
    levels, told = heard(programme, 100)
    assert levels == [9, 9, 0, 1, 0], "the clip's last frame is filled up with silence"
    assert told == [ClipEnded("greeting"), ItemStarted("a")]


def test_music_goes_on_and_on_and_gives_way() -> None:
    programme = Programme(24_000)
    programme.play_clip("hold", level(9, 30), is_looped=True)
    assert heard(programme, 200) == ([9] * 10, [])
    programme.play("a", level(1, 40))
    assert heard(programme, 40) == ([1, 1], [ClipEnded("hold"), ItemStarted("a")])


def test_a_clip_shorter_than_a_frame_is_played_over_and_over_too() -> None:
    programme = Programme(24_000)
    programme.play_clip("hold", level(9, 7), is_looped=True)
    frame, _ = programme.pull()
    assert frame == level(9, 20)


def test_a_clip_that_is_stopped_or_has_no_sound_is_not_told_of() -> None:
    programme = Programme(24_000)
    programme.play_clip("greeting", level(9, 100))
    heard(programme, 20)
    programme.stop_clip()
    assert heard(programme, 40) == ([0, 0], [])
    programme.play_clip("empty", b"")
    assert programme.is_idle


def test_what_is_cleared_tells_what_was_heard_and_leaves_clips_alone() -> None:
    programme = Programme(24_000)
    programme.play("a", level(1, 100))
    heard(programme, 40)
    programme.play_clip("filler", level(9, 40))
    assert list(programme.clear()) == [Heard("a", 40, 100)]
    assert programme.queued_ms == 0
    assert heard(programme, 60) == ([9, 9, 0], [ClipEnded("filler")])


def test_it_is_ducked_and_restored_without_a_step() -> None:
    programme = Programme(24_000)
    programme.play("a", level(1000, 100))
    heard(programme, 20)
    programme.duck()
    frame, _ = programme.pull()
    assert frame is not None
    samples = np.frombuffer(frame, "<i2").astype(int)
    assert (samples[0], samples[-1]) == (1000, 250)
    assert np.abs(np.diff(samples)).max() <= 3
    assert heard(programme, 20)[0] == [250]
    programme.restore()
    assert heard(programme, 40)[0] == [1000, 1000]


@pytest.mark.parametrize("call", ["play", "play_clip"])
def test_half_a_sample_is_refused(call: str) -> None:
    with pytest.raises(ValueError, match="odd number of bytes"):
        getattr(Programme(24_000), call)("a", b"\0")
