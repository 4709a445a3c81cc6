"""What a party hears, packet by packet."""

from __future__ import annotations

import numpy as np

from vivavoce.audio.playout import Heard
from vivavoce.audio.programme import ItemPlayed, ItemStarted, News
from vivavoce.legs.webrtc.audio_out import AudioOut
from vivavoce.rtp.packet import Packet, parse

FRAME = bytes([1, 0]) * 480


class Plain:
    """A codec that changes nothing."""

    clock_ticks = 960
    quiet = b"quiet"

    def encode(self, frame: bytes) -> bytes:
        return frame


def made() -> AudioOut:
    return AudioOut(Plain(), 111, 7)


def sent(out: AudioOut, count: int) -> tuple[list[Packet], list[News]]:
    packets, news = [], []
    for _ in range(count):
        data, new = out.next_packet()
        packet = parse(data)
        assert packet is not None
        packets.append(packet)
        news += new
    return packets, news


def test_silence_is_sent_as_it_was_encoded_once_and_time_goes_on() -> None:
    packets, news = sent(made(), 3)
    assert [packet.payload for packet in packets] == [b"quiet"] * 3
    assert [(packet.timestamp - packets[0].timestamp) % 2**32 for packet in packets] == [0, 960, 1920]
    assert [(packet.sequence - packets[0].sequence) % 2**16 for packet in packets] == [0, 1, 2]
    assert {(packet.payload_type, packet.ssrc, packet.marker) for packet in packets} == {(111, 7, False)}
    assert news == []


def test_an_item_is_announced_with_its_first_sound_and_again_with_its_last() -> None:
    out = made()
    out.play("a", FRAME + FRAME[:480])
    out.end_item("a")
    packets, news = sent(out, 1)
    assert (packets[0].marker, packets[0].payload, news) == (True, FRAME, [ItemStarted("a")])
    packets, news = sent(out, 1)
    assert (packets[0].marker, packets[0].payload) == (False, FRAME[:480] + bytes(480))
    assert news == [ItemPlayed("a")]


def test_the_part_of_a_frame_waits_for_more_and_is_not_told() -> None:
    out = made()
    out.play("a", FRAME[:100])
    packets, news = sent(out, 1)
    assert (packets[0].payload, news) == (b"quiet", [])
    out.play("a", FRAME[100:])
    packets, news = sent(out, 1)
    assert (packets[0].payload, news) == (FRAME, [ItemStarted("a")])


def test_an_item_that_ends_after_its_last_sound_was_sent_is_told_with_the_next_packet() -> None:
    out = made()
    out.play("a", FRAME)
    assert sent(out, 1)[1] == [ItemStarted("a")]
    out.end_item("a")
    assert sent(out, 2)[1] == [ItemPlayed("a")]


def test_items_follow_each_other_within_a_frame() -> None:
    out = made()
    out.play("a", FRAME[:480])
    out.end_item("a")
    out.play("b", FRAME[480:])
    out.end_item("b")
    out.end_item("unknown")
    assert sent(out, 1)[1] == [ItemStarted("a"), ItemStarted("b"), ItemPlayed("a"), ItemPlayed("b")]


def test_after_speech_silence_is_encoded_until_the_encoder_is_quiet() -> None:
    out = made()
    out.play("a", FRAME)
    packets, _ = sent(out, 8)
    assert [packet.payload for packet in packets] == [FRAME, *[bytes(960)] * 5, b"quiet", b"quiet"]


def test_clearing_counts_what_was_sent_as_heard_and_nothing_is_told_afterwards() -> None:
    out = made()
    out.play("a", FRAME * 10)
    out.play("b", FRAME)
    out.end_item("b")
    sent(out, 3)
    assert out.queued_ms == 160
    assert out.clear() == (Heard("a", 60, 200), Heard("b", 0, 20))
    assert (out.queued_ms, sent(out, 3)[1]) == (0, [])


def test_an_item_that_was_cleared_may_go_on() -> None:
    out = made()
    out.play("a", FRAME * 2)
    sent(out, 1)
    out.clear()
    out.play("a", FRAME)
    out.end_item("a")
    assert sent(out, 1)[1] == [ItemStarted("a"), ItemPlayed("a")]


def test_ducking_lowers_and_restores_without_a_step() -> None:
    out = made()
    loud = np.full(480, 8000, "<i2").tobytes()
    out.play("a", loud * 4)
    out.duck()
    first, second = (np.frombuffer(packet.payload, "<i2") for packet in sent(out, 2)[0])
    assert (first[0], first[-1]) == (8000, 2000)
    assert set(second) == {2000}
    out.restore()
    third, fourth = (np.frombuffer(packet.payload, "<i2") for packet in sent(out, 2)[0])
    assert (third[0], third[-1]) == (2000, 8000)
    assert set(fourth) == {8000}
    assert np.abs(np.diff(first.astype(int))).max() < 20


def test_what_was_sent_is_counted() -> None:
    out = made()
    sent(out, 4)
    assert (out.packets, out.payload_bytes) == (4, 20)
