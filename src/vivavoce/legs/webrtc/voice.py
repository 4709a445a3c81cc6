"""The voices of one call, in both directions, with the reports about them.

What it takes and gives is in the clear: `peer`, which calls it, secures it and carries it.
"""

from __future__ import annotations

import random

from ...audio.programme import ItemPlayed, ItemStarted
from ...rtp import rtcp
from ...rtp.reporting import Reporting
from ..media import MediaOwner
from .audio_in import AudioIn
from .audio_out import AudioOut
from .coding import decoding, encoding
from .offer import Direction, Offer
from .quality import Quality
from .settings import WebrtcSettings

__all__ = ["Voice"]


class Voice:
    """A stream out, a stream in, and what is told of them."""

    def __init__(self, offer: Offer, settings: WebrtcSettings, ssrc: int, name: str) -> None:
        """Begin silent; `ssrc` and `name` are those of the stream out."""
        codec = offer.codec
        self.out = AudioOut(encoding(codec, settings), codec.payload_type, ssrc)
        """What the party is to hear."""
        self.direction: Direction = "sendrecv"
        """Which way audio goes, as this side sees it."""
        self._in = AudioIn(codec, offer.digits, decoding(codec))
        self._reporting = Reporting(ssrc, codec.clock_hz, name, random.random)

    @property
    def is_sending(self) -> bool:
        """Whether the party wants to hear."""
        return self.direction in ("sendrecv", "sendonly")

    def receive(self, packet: bytes, owner: MediaOwner, now: float) -> None:
        """Give an owner what a packet brings."""
        pcm = self._in.receive(packet, now)
        if pcm:
            owner.receive_audio(pcm)
        while self._in.pressed:
            owner.receive_digit(self._in.pressed.pop(0))

    def receive_reports(self, data: bytes, now: float) -> None:
        """Learn what the party says of the streams."""
        reports = rtcp.parse(data)
        if reports:
            self._reporting.receive(reports, now)

    def receive_time(self, owner: MediaOwner, now: float) -> None:
        """Give an owner what is heard although nothing has come."""
        pcm = self._in.receive_time(now)
        if pcm:
            owner.receive_audio(pcm)

    def next_packet(self, owner: MediaOwner) -> bytes:
        """Return the packet of the next 20 ms, and tell an owner which items begin or end with it."""
        packet, news = self.out.next_packet()
        for told in news:
            match told:
                case ItemStarted():
                    owner.item_started(told.item_id)
                case ItemPlayed():
                    owner.item_played(told.item_id)
        return packet

    def is_report_due(self, now: float) -> bool:
        """Return whether the party is to be told again."""
        return self._reporting.is_due(now)

    def report(self, now: float, *, leaves: bool = False) -> bytes:
        """Return what the party is told of the streams, with a goodbye if this side `leaves`."""
        if self.is_sending:
            self._reporting.sent(self.out.packets, self.out.payload_bytes, self.out.timestamp, now)
        return self._reporting.report(self._in.reception, now, leaves=leaves)

    def quality(self, round_trip_s: float | None) -> Quality:
        """Return how well audio has passed; `round_trip_s` is that of ICE, for parties that report none."""
        told, came = self._reporting.quality, self._in.reception.statistics
        trip = told.round_trip_ms
        if trip is None and round_trip_s is not None:
            trip = 1000 * round_trip_s
        return Quality(
            loss_ratio=max(0, came.lost_for_good) / came.expected if came.expected else None,
            jitter_ms=came.jitter_ms if came.received else None,
            round_trip_ms=trip,
            remote_loss_ratio=told.loss,
            remote_jitter_ms=told.jitter_ms,
            concealed_ms=came.concealed_ms,
            recovered=came.recovered,
            silence_ms=came.silence_ms,
            packets_received=came.received,
            bytes_received=self._in.bytes,
            packets_sent=self.out.packets,
            bytes_sent=self.out.payload_bytes,
        )
