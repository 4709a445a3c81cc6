import asyncio

import pytest

from vivavoce.audio.playout import Heard
from vivavoce.legs.phone import wire
from vivavoce.legs.phone.media import PhoneMedia

FRAME = wire.FRAME_BYTES


class Owner:
    def __init__(self):
        self.told = []
        self.played = b""

    def receive_audio(self, pcm):
        self.told.append(("audio", len(pcm)))

    def item_started(self, item_id):
        self.told.append(("started", item_id))

    def item_played(self, item_id):
        self.told.append(("played", item_id))

    def receive_digit(self, digit):
        self.told.append(("digit", digit))

    def media_connected(self):
        self.told.append("connected")

    def media_closed(self, reason):
        self.told.append(("closed", reason))

    def receive_playback(self, pcm):
        self.played += pcm

    def clip_ended(self, name):
        self.told.append(("clip", name))


class Process:
    """Notes orders, and plays frames when it is told to."""

    def __init__(self):
        self.orders = []
        self.forgotten = []

    def send(self, order):
        self.orders.append(order)

    def forget(self, media):
        self.forgotten.append(media.call)

    @property
    def frames(self):
        return sum(len(order.pcm) // FRAME for order in self.orders if isinstance(order, wire.PlayFrames))


@pytest.fixture
def call():
    owner, process = Owner(), Process()
    return PhoneMedia(5, owner, process), owner, process


def test_speech_goes_over_in_whole_frames_and_its_end_is_filled_up(call):
    media, _, process = call
    media.play("a", bytes(FRAME + 100))
    assert process.orders == [wire.PlayFrames(5, bytes(FRAME))]
    assert media.queued_ms == 20 + 2
    media.end_item("a")
    assert process.orders[1:] == [wire.PlayFrames(5, bytes(FRAME))]


def test_at_most_two_seconds_go_ahead_and_more_follows_what_is_played(call):
    media, _, process = call
    media.play("a", bytes(FRAME * 300))
    assert process.frames == wire.MOST_AHEAD
    assert media.queued_ms == 6000
    media.receive_played(0, 1)
    assert process.frames == wire.MOST_AHEAD + 1
    media.receive_played(0, 50)
    assert process.frames == wire.MOST_AHEAD + 50
    assert media.queued_ms == 5000


def test_items_are_told_when_they_begin_and_when_they_were_played(call):
    media, owner, _ = call
    media.play("a", bytes(FRAME * 2))
    media.end_item("a")
    media.play("b", bytes(FRAME + 10))
    media.end_item("b")
    for frames in range(1, 5):
        owner.told.append(frames)
        media.receive_played(0, frames)
    assert owner.told == [1, ("started", "a"), 2, ("played", "a"), 3, ("started", "b"), 4, ("played", "b")]


async def test_an_item_that_ends_after_it_was_played_is_told_too(call):
    media, owner, _ = call
    media.play("a", bytes(FRAME))
    media.receive_played(0, 1)
    media.end_item("a")
    assert owner.told == [("started", "a")]
    await asyncio.sleep(0)
    assert owner.told == [("started", "a"), ("played", "a")]


def test_clearing_tells_to_the_frame_what_was_heard(call):
    media, owner, process = call
    media.play("a", bytes(FRAME * 10))
    media.end_item("a")
    media.play("b", bytes(FRAME * 10))
    media.receive_played(0, 4)
    assert media.clear() == (Heard("a", 80, 200), Heard("b", 0, 200))
    assert process.orders[-1] == wire.Clear(5, 1)
    assert media.queued_ms == 0
    media.receive_played(0, 6)  # of before the clearing
    media.play("c", bytes(FRAME))
    media.end_item("c")
    media.receive_played(1, 1)
    assert owner.told == [("started", "a"), ("started", "c"), ("played", "c")]


def test_after_a_clearing_the_same_item_may_go_on(call):
    media, _, process = call
    media.play("a", bytes(FRAME * 150))
    media.receive_played(0, 30)
    media.clear()
    before = process.frames
    media.play("a", bytes(FRAME * 150))
    assert process.frames - before == wire.MOST_AHEAD
    media.receive_played(1, 10)
    assert media.clear() == (Heard("a", 800, 600 + 3000),)


def test_other_orders_go_over_as_they_are(call):
    media, _, process = call
    media.duck()
    media.restore()
    media.play_clip("hold", is_looped=True)
    media.stop_clip()
    media.press("1#")
    media.tell_playback(print)
    assert process.orders == [
        wire.Duck(5, 0.25),
        wire.Duck(5, 1.0),
        wire.PlayClip(5, "hold", True),
        wire.StopClip(5),
        wire.Press(5, "1#", 160),
        wire.Monitor(5, True),
    ]
    with pytest.raises(ValueError, match="no key 'x'"):
        media.press("1x")


async def test_what_happens_is_told_and_the_end_once(call):
    media, owner, process = call
    media.receive_audio(b"ab")
    media.receive_left(b"nobody asked")
    media.tell_playback(owner.receive_playback)
    process.orders.clear()
    media.receive_left(b"cd")
    for happening in (
        wire.Connected(5),
        wire.Connected(5),
        wire.Pressed(5, "7"),
        wire.ClipEnded(5, "greeting"),
        wire.Measured(5, 1, 2, 3, 4.0, 5.0, 6, None, None, None, 4.4),
        wire.Closed(5, "no sound came"),
        wire.Closed(5, "no sound came"),
    ):
        media.receive(happening)
    media.hang_up("again")
    media.play("a", bytes(FRAME))
    assert owner.told == [("audio", 2), "connected", ("digit", "7"), ("clip", "greeting")]
    await asyncio.sleep(0)
    assert owner.told[4:] == [("closed", "no sound came")]
    assert process.orders == []
    assert process.forgotten == [5]
    assert media.measured.opinion == 4.4
    assert owner.played == b"cd"


async def test_hanging_up_ends_the_sound_and_is_told_as_well(call):
    media, owner, process = call
    media.hang_up("done")
    assert owner.told == []
    await asyncio.sleep(0)
    assert owner.told == [("closed", "done")]
    assert process.orders == [wire.Close(5)]
