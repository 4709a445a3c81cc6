from __future__ import annotations

from vivavoce.core import events as ev
from vivavoce.core.effects import Abandon, Send
from vivavoce.core.playing import Playing


def test_nothing_plays_before_anything_was_sent() -> None:
    playing = Playing()
    assert (playing.item_at(0.0), playing.remaining_ms(0.0), playing.heard_ms("a", 0.0)) == (None, 0, 0)


def test_audio_plays_from_when_it_was_sent() -> None:
    playing = Playing()
    playing.add("a", 1000, 5.0)
    assert playing.ends_at == 6.0
    assert (playing.item_at(4.9), playing.item_at(5.5), playing.item_at(6.0)) == (None, "a", None)
    assert (playing.heard_ms("a", 5.25), playing.heard_ms("a", 9.0)) == (250, 1000)
    assert playing.remaining_ms(5.25) == 750


def test_audio_that_comes_early_waits_its_turn() -> None:
    playing = Playing()
    playing.add("a", 1000, 0.0)
    playing.add("a", 1000, 0.1)
    playing.add("b", 500, 0.2)
    assert playing.ends_at == 2.5
    assert (playing.heard_ms("a", 1.5), playing.heard_ms("b", 1.5), playing.heard_ms("b", 2.25)) == (1500, 0, 250)


def test_audio_that_comes_late_leaves_a_gap() -> None:
    playing = Playing()
    playing.add("a", 100, 0.0)
    playing.add("a", 100, 1.0)
    assert playing.item_at(0.5) is None
    assert (playing.heard_ms("a", 0.5), playing.heard_ms("a", 1.05), playing.heard_ms("a", 2.0)) == (100, 150, 200)


def test_what_is_stopped_was_heard_no_further() -> None:
    playing = Playing()
    playing.add("a", 1000, 0.0)
    playing.add("b", 1000, 0.0)
    playing.stop(0.4)
    assert (playing.heard_ms("a", 9.0), playing.heard_ms("b", 9.0), playing.ends_at) == (400, 0, 0.4)
    playing.add("c", 100, 0.5)
    assert playing.item_at(0.55) == "c"


def test_a_slow_voice_is_remembered_from_the_beginning_of_its_item() -> None:
    playing = Playing()
    for second in range(200):
        playing.add("a", 400, float(second))
    assert (playing.heard_ms("a", 199.1), playing.heard_ms("a", 300.0)) == (199 * 400 + 100, 200 * 400)
    playing.stop(199.0)
    assert playing.heard_ms("a", 300.0) == 199 * 400


def test_pieces_of_less_than_a_millisecond_add_up() -> None:
    playing = Playing()
    for _ in range(1000):
        playing.add("a", 4.2, 0.0)
    assert (playing.heard_ms("a", 9.0), playing.remaining_ms(0.0)) == (4200, 4200)


def test_what_was_not_played_to_its_end_is_unfinished() -> None:
    playing = Playing()
    playing.add("a", 1000, 0.0)
    playing.add("b", 1000, 0.0)
    playing.add("c", 1000, 0.0)
    assert playing.unfinished(1.25) == {"b": 250, "c": 0}
    assert playing.unfinished(3.0) == {}


def test_only_the_audio_among_effects_plays() -> None:
    playing = Playing()
    delta = ev.AudioDelta("event_1", "resp_1", "item_1", 0, 0, bytes(4800))
    words = ev.TranscriptDelta("event_2", "resp_1", "item_1", 0, 0, "Hello")
    playing.send([Send(words), Send(delta), Abandon("resp_1"), Send(delta)], 48, 2.0)
    assert (playing.ends_at, playing.item_at(2.1)) == (2.2, "item_1")


def test_what_was_stopped_before_it_began_leaves_no_end() -> None:
    playing = Playing()
    playing.add("a", 100, 1.0)
    playing.stop(1.0)
    assert playing.ends_at == 0.0
