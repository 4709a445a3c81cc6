"""What a party says, as packets bring it."""

from __future__ import annotations

from vivavoce.legs.webrtc.audio_in import AudioIn
from vivavoce.legs.webrtc.offer import Codec
from vivavoce.rtp.packet import header
from vivavoce.rtp.telephone_event import build, press


class Named:
    """A codec that says what it was asked for; a payload of `n` bytes lasts 20 ms."""

    can_recover = True

    def ticks(self, payload: bytes) -> int:
        return 960

    def decode(self, payload: bytes) -> bytes:
        return b"<" + payload + b">"

    def recover(self, next_payload: bytes, ticks: int) -> bytes:
        return b"(recovered from " + next_payload + b")"

    def conceal(self, ticks: int) -> bytes:
        return b"(%d lost)" % ticks

    def silence(self, ticks: int) -> bytes:
        return b"(%d silent)" % ticks


def made() -> AudioIn:
    return AudioIn(Codec(111, "opus", 48_000), (Codec(110, "telephone-event", 48_000),), Named())


def packet(number: int, payload: bytes, payload_type: int = 111) -> bytes:
    return header(payload_type, False, number, 960 * number, 7) + payload


def test_packets_in_their_order_are_heard_at_once() -> None:
    audio = made()
    heard = [audio.receive(packet(number, bytes([65 + number])), number / 50) for number in range(3)]
    assert heard == [b"<A>", b"<B>", b"<C>"]
    assert audio.bytes == 3


def test_a_lost_packet_is_recovered_from_the_one_behind_it() -> None:
    audio = made()
    heard = b"".join(
        audio.receive(packet(number, bytes([65 + number])), number / 50) for number in range(20) if number != 5
    )
    heard += audio.receive_time(1.0)
    assert b"<E>(recovered from G)<G>" in heard


def test_other_payload_types_and_nonsense_are_nothing() -> None:
    audio = made()
    assert audio.receive(packet(1, b"A", 96), 0.0) == b""
    assert audio.receive(b"\x80", 0.0) == b""
    assert audio.bytes == 0


def test_a_key_is_told_once() -> None:
    audio = made()
    audio.receive(packet(0, b"A"), 0.0)
    for number, event in enumerate(press("#", 48_000), 1):
        data = header(110, number == 1, number, 960, 7) + build(event)
        audio.receive(data, number / 50)
    assert audio.pressed == ["#"]


def test_time_goes_on_when_nothing_comes() -> None:
    audio = made()
    audio.receive(packet(0, b"A"), 0.0)
    assert audio.receive_time(0.1) == b""
    assert audio.receive_time(0.5).endswith(b"silent)")


def test_a_flood_is_dropped() -> None:
    audio = made()
    for number in range(5000):
        audio.receive(packet(number, b"A"), 10.0)
    assert audio.bytes == 400
