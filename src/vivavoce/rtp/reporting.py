"""Reporting: the reports that two parties of a call exchange, and what can be told of the call from them.

One stream in each direction.  The times in reports are this process's own, as RFC 3550 section 4 allows: only their
differences matter.  Called by legs, beside `reception`.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from .packet import signed_32
from .reception import Reception
from .rtcp import Block, Description, Goodbye, ReceiverReport, Report, SenderReport, build

__all__ = ["Quality", "Reporting", "opinion_score"]

_INTERVAL_SECONDS = 5.0
"""Between two reports on average (RFC 3550 section 6.2); half to one and a half of it, so that calls do not chime."""
_LONGEST_ROUND_TRIP_SECONDS = 20.0


class Quality(msgspec.Struct, frozen=True):
    """How well the other party hears this one; None where it has not said so yet."""

    loss: float | None = None
    """Share of the packets lost on the way to it, between its last two reports."""
    jitter_ms: float | None = None
    """Jitter that it sees."""
    round_trip_ms: float | None = None
    """Time to it and back, smoothed."""


class Reporting:
    """The reports about one stream out and one in."""

    def __init__(self, ssrc: int, clock_hz: int, cname: str, chance: Callable[[], float]) -> None:
        """Begin; `ssrc` is the stream that is sent, and `chance` returns random numbers from 0 to 1."""
        self._ssrc = ssrc
        self._clock_hz = clock_hz
        self._cname = cname
        self._chance = chance
        self._deadline: float | None = None
        self._sent: tuple[int, int, int, float] | None = None
        """Packets, octets, the last timestamp and when it was sent."""
        self._told_packets = 0
        self._before = (0, 0)
        """Packets expected and received by the last report."""
        self._last_report = 0
        self._last_report_at = 0.0
        self._quality = Quality()
        self.peer_name: str | None = None
        """The other party's lasting name."""
        self.peer_left = False
        """The other party has said that its stream ends."""

    @property
    def quality(self) -> Quality:
        """How well the other party hears this one."""
        return self._quality

    def sent(self, packets: int, octets: int, timestamp: int, now: float) -> None:
        """Learn how much was sent in all, and that `timestamp` was sent just now."""
        self._sent = (packets, octets, timestamp, now)

    def is_due(self, now: float) -> bool:
        """Return whether it is time for a report; the first comes soon, so that the round trip is known soon."""
        if self._deadline is None:
            self._deadline = now + _INTERVAL_SECONDS * 0.5 * self._chance()
        return now >= self._deadline

    def report(self, reception: Reception, now: float, *, leaves: bool = False) -> bytes:
        """Return the next report, with a goodbye if this party `leaves`."""
        self._deadline = now + _INTERVAL_SECONDS * (0.5 + self._chance())
        block = self._block(reception, now)
        blocks = () if block is None else (block,)
        first: Report
        if self._sent is not None and self._sent[0] > self._told_packets:
            packets, octets, timestamp, at = self._sent
            self._told_packets = packets
            moment = timestamp + int((now - at) * self._clock_hz) & 0xFFFF_FFFF
            first = SenderReport(self._ssrc, _ntp(now), moment, packets, octets, blocks)
        else:
            first = ReceiverReport(self._ssrc, blocks)
        reports: list[Report] = [first, Description(self._ssrc, self._cname)]
        if leaves:
            reports.append(Goodbye((self._ssrc,)))
        return build(reports)

    def _block(self, reception: Reception, now: float) -> Block | None:
        """Return what is to be said of the stream that comes in, once it does."""
        if reception.ssrc is None:
            return None
        statistics = reception.statistics
        received = statistics.received - statistics.duplicates
        expected = statistics.expected
        expected_since, received_since = expected - self._before[0], received - self._before[1]
        self._before = (expected, received)
        lost_since = max(0, expected_since - received_since)
        fraction = min(255, 256 * lost_since // expected_since) if expected_since > 0 else 0
        delay = int((now - self._last_report_at) * 65_536) if self._last_report else 0
        return Block(
            reception.ssrc,
            fraction,
            expected - received,
            reception.extended_sequence,
            int(statistics.jitter_ms * self._clock_hz / 1000) & 0xFFFF_FFFF,
            self._last_report,
            min(0xFFFF_FFFF, delay),
        )

    def receive(self, reports: tuple[Report, ...], now: float) -> None:
        """Learn what the other party says."""
        for report in reports:
            match report:
                case SenderReport() | ReceiverReport():
                    if isinstance(report, SenderReport):
                        self._last_report, self._last_report_at = report.ntp >> 16 & 0xFFFF_FFFF, now
                    for block in report.blocks:
                        if block.ssrc == self._ssrc:
                            self._learn(block, now)
                case Description():
                    self.peer_name = report.cname
                case Goodbye():
                    self.peer_left = True
                case _:
                    pass  # nothing is sent again, and there are no pictures

    def _learn(self, block: Block, now: float) -> None:
        round_trip = self._quality.round_trip_ms
        if block.last_report:
            seconds = signed_32((_ntp(now) >> 16 & 0xFFFF_FFFF) - block.last_report - block.delay) / 65_536
            if -0.01 < seconds < _LONGEST_ROUND_TRIP_SECONDS:  # a clock of the other side may be a little fast
                measured = 1000 * max(0.0, seconds)
                round_trip = measured if round_trip is None else round_trip + (measured - round_trip) / 4
        self._quality = Quality(block.fraction_lost / 256, 1000 * block.jitter_ticks / self._clock_hz, round_trip)


def _ntp(now: float) -> int:
    """Return a time as reports tell it; of the clock, whose beginning means nothing, 32 bits of seconds are enough."""
    return int(now * (1 << 32)) & 0xFFFF_FFFF_FFFF_FFFF


def opinion_score(loss: float, delay_ms: float, *, codec_impairment: float = 0.0, robustness: float = 25.1) -> float:
    """Return the mean opinion score, 1 to 4.5, that the E-model of ITU-T G.107 expects, in its short form.

    Args:
        loss: share of the packets that were lost.
        delay_ms: from mouth to ear, in one direction.
        codec_impairment: what the codec costs without loss (`Ie`): 0 for G.711 and Opus.
        robustness: how well the codec bears loss (`Bpl`): 25.1 for G.711 with concealment (ITU-T G.113 appendix I).
    """
    percent = 100 * loss
    impairment = codec_impairment + (95 - codec_impairment) * percent / (percent + robustness)
    delay = 0.024 * delay_ms + 0.11 * max(0.0, delay_ms - 177.3)
    rating = max(0.0, 93.2 - delay - impairment)
    return max(1.0, 1 + 0.035 * rating + rating * (rating - 60) * (100 - rating) * 7e-6)
