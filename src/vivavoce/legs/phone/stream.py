"""One call's packets in both directions: who they come from, what they hold, and how they are numbered.

It knows one party, one codec at a time and no other call.  Sound leaves it at the codec's own rate.  Packets that are
not authenticated are taken from wherever the first one came, and from nowhere else while that goes on: neither a router
that rewrites addresses nor somebody who guesses a port gets in the way.  Called by `engine`, in the media process.
"""

from __future__ import annotations

import socket
from collections import deque
from collections.abc import Callable
from contextlib import suppress

from ...rtp import rtcp
from ...rtp.packet import header, is_rtcp, parse
from ...rtp.reception import Reception
from ...rtp.reporting import Reporting, opinion_score
from ...rtp.telephone_event import Event, Keys, build, press
from .coding import CODECS, Decoding, Encoding, decoding, encoding
from .secrecy import Secrecy
from .wire import Closed, Connected, Direct, Happening, Measured, Pressed

__all__ = ["Stream"]

_Address = tuple[str, int]

_REBOUND_SECONDS = 2.0
"""A party that is heard from no more may go on from another port of its address after so long."""
_LONGEST_DATAGRAM = 4096
_PAUSE_TICKS = 4
"""20 ms each, between two keys: at least 40 ms are asked for (ITU-T Q.24)."""
_MOST_KEYS = 64


class Stream:
    """The packets of one call."""

    def __init__(
        self, call: int, row: int, sockets: tuple[socket.socket, socket.socket], chance: Callable[[], float]
    ) -> None:
        """Take a call's sockets; packets begin with the first `direct`."""
        self.call = call
        """Its number."""
        self.row = row
        """Its place in the engine's arrays."""
        self.sound, self.reports = sockets
        self.heard = bytearray()
        """PCM at the codec's rate that nobody took yet."""
        self.happenings: list[Happening] = []
        """What nobody was told of yet."""
        self.agreed: Direct | None = None
        """What was agreed on; None before that."""
        self.encoder: Encoding | None = None
        """What codes its speech; None for a codec without a state."""
        self.place = 0
        """Where the engine keeps its frame during a tick."""
        self.is_over = False
        """The party is gone."""
        self._chance = chance
        self._told: _Address = ("", 0)
        self._from: _Address | None = None
        self._came_at = 0.0
        self._ssrc = int(chance() * 0xFFFF_FFFF)
        self._sequence = int(chance() * 0x7FFF)
        self._timestamp = int(chance() * 0x7FFF_FFFF)
        self._packets = self._octets = 0
        self._paused = True
        self._pressing: deque[Event | None] = deque()
        self._pressed_at = 0
        self._is_connected = False

    # -- agreement

    def direct(self, order: Direct, now: float) -> bool:
        """Exchange sound as agreed from now on; return whether the codec is another one.

        Raises:
            EngineError: the codec or the encryption cannot be had; nothing has changed.
        """
        before = self.agreed
        sending = Secrecy(order.sending, sends=True) if order.sending else None
        receiving = Secrecy(order.receiving, sends=False) if order.receiving else None
        is_new = before is None or before.codec != order.codec
        codec = CODECS[order.codec]
        if is_new:
            decoder = decoding(order.codec)
            self.encoder = encoding(order.codec)
            self._decoder: Decoding = decoder
            if before is not None:  # one source has one clock (RFC 7160)
                self._ssrc = int(self._chance() * 0xFFFF_FFFF)
            self._step = codec.clock_hz // 50
            name = f"{self._ssrc:08x}{int(self._chance() * 0xFFFF_FFFF):08x}"
            self._reporting = Reporting(self._ssrc, codec.clock_hz, name, self._chance)
            self.heard.clear()
        is_other = before is None or _silences(before) != _silences(order)
        if is_new or is_other:
            silent = tuple(_keys_types(order))
            self._reception = Reception(
                codec.clock_hz, codec.ticks, recovers=codec.recovers, silent_types=silent, noise_type=order.noise_type
            )
            self._keys = Keys(order.keys_clock_hz)
        # A repeated agreement keeps the state of its encryption, or else packets could be played to us again.
        if before is None or before.sending != order.sending:
            self._sending = sending
        if before is None or before.receiving != order.receiving:
            self._receiving = receiving
        if self._told != (order.host, order.port):
            self._told = (order.host, order.port)
            self._from = None
        self._keys_types = _keys_types(order)
        noise = () if order.noise_type is None else (order.noise_type,)
        self._types = frozenset((order.payload_type, *order.also_types, *self._keys_types, *noise))
        self.agreed = order
        self._came_at = now
        return is_new

    # -- what comes

    def take_sound(self, now: float) -> None:
        """Read one datagram of sound, which is there."""
        try:
            data, source = self.sound.recvfrom(_LONGEST_DATAGRAM)
        except OSError:  # the party's machine says that nobody listens there, which the timeout is for
            return
        if self.agreed is None:
            return
        if is_rtcp(data):
            self._receive_report(data, now)
        else:
            self._receive(data, source[:2], now)

    def take_reports(self, now: float) -> None:
        """Read one datagram of reports, which is there."""
        try:
            data = self.reports.recv(_LONGEST_DATAGRAM)
        except OSError:
            return
        if self.agreed is not None and is_rtcp(data):
            self._receive_report(data, now)

    def _receive(self, data: bytes, source: _Address, now: float) -> None:
        assert self.agreed is not None
        if self._receiving is not None:
            revealed = self._receiving.reveal(data)
            if revealed is None:
                return
            data = revealed
        packet = parse(data)
        if packet is None or packet.payload_type not in self._types or not self._is_from(source, now):
            return
        self._came_at = now
        if not self._is_connected:
            self._is_connected = True
            self.happenings.append(Connected(self.call))
        if not self.agreed.receives:
            return
        if packet.payload_type in self._keys_types:
            key = self._keys.receive(packet)
            if key is not None:
                self.happenings.append(Pressed(self.call, key))
        for step in self._reception.receive(packet, now):
            self.heard += self._decoder.perform(step)

    def _is_from(self, source: _Address, now: float) -> bool:
        """Return whether a packet that makes sense is to be taken, and answer to where it came from."""
        if source == self._from:
            return True
        is_away = now - self._came_at > _REBOUND_SECONDS
        may_move = source == self._told or (self._from is not None and source[0] == self._from[0])
        if self._from is None or self._receiving is not None or (is_away and may_move):
            self._from = source
            return True
        return False

    def _receive_report(self, data: bytes, now: float) -> None:
        if self._receiving is not None:
            revealed = self._receiving.reveal_report(data)
            if revealed is None:
                return
            data = revealed
        reports = rtcp.parse(data)
        if reports is not None:
            self._reporting.receive(reports, now)

    def pass_time(self, now: float) -> None:
        """Let time go on where nothing came, report, and notice that the party is gone."""
        agreed = self.agreed
        if agreed is None:
            return
        # On hold, too, silence goes on: a turn that the hold cut off has to end.
        for step in self._reception.receive_time(now):
            self.heard += self._decoder.perform(step)
        if self._reporting.is_due(now):
            self.report(now)
        # Who has us on hold, or is on hold with us, need not send anything.
        is_talk = agreed.sends and agreed.receives and agreed.timeout_seconds
        if is_talk and now - self._came_at > agreed.timeout_seconds and not self.is_over:
            self.is_over = True
            self.happenings.append(Closed(self.call, f"no sound came for {agreed.timeout_seconds:g} seconds"))

    # -- what goes

    @property
    def is_pressing(self) -> bool:
        """Whether keys are being pressed, during which speech waits."""
        return bool(self._pressing)

    def press(self, keys: str, duration_ms: int) -> None:
        """Press keys after those that are being pressed; without events agreed on, nothing happens.

        Raises:
            ValueError: there is no such key, or it cannot be pressed so long.
        """
        if self.agreed is None or self.agreed.keys_type is None:
            return
        for key in keys[:_MOST_KEYS]:
            self._pressing += press(key, self.agreed.keys_clock_hz, duration_ms=duration_ms)
            self._pressing += [None] * _PAUSE_TICKS

    def send(self, payload: bytes, ticks_passed: int) -> None:
        """Send 20 ms of sound; `ticks_passed` of 20 ms have gone by since the last time."""
        assert self.agreed is not None
        self._timestamp = self._timestamp + ticks_passed * self._step & 0xFFFF_FFFF
        self._send(self.agreed.payload_type, self._paused, self._timestamp, payload)
        self._paused = False

    def send_key(self, ticks_passed: int) -> bool:
        """Send the next packet of the keys that are pressed; return whether there was one, not a pause between two."""
        assert self.agreed is not None
        event = self._pressing.popleft()
        if event is None:
            self._pressed_at = 0
            return False
        self._pass(ticks_passed)
        begins = not self._pressed_at
        if begins:
            self._pressed_at = self._timestamp
        assert self.agreed.keys_type is not None
        self._send(self.agreed.keys_type, begins, self._pressed_at, build(event))
        self._paused = True
        return True

    def skip(self, ticks_passed: int) -> None:
        """Send nothing for this time: the party does not want to hear us."""
        self._pass(ticks_passed)
        self._paused = True

    def _pass(self, ticks: int) -> None:
        self._timestamp = self._timestamp + ticks * self._step & 0xFFFF_FFFF

    def _send(self, payload_type: int, marker: bool, timestamp: int, payload: bytes) -> None:
        self._sequence = self._sequence + 1 & 0xFFFF
        data = header(payload_type, marker, self._sequence, timestamp, self._ssrc) + payload
        if self._sending is not None:
            data = self._sending.protect(data)
        self._packets += 1
        self._octets += len(payload)
        try:
            self.sound.sendto(data, self._from or self._told)
        except OSError:  # what the network does not take is lost, as what it loses later
            pass

    def report(self, now: float, *, leaves: bool = False) -> None:
        """Send a report."""
        agreed = self.agreed
        if agreed is None:
            return
        if self._packets:
            self._reporting.sent(self._packets, self._octets, self._timestamp, now)
        data = self._reporting.report(self._reception, now, leaves=leaves)
        if self._sending is not None:
            data = self._sending.protect_report(data)
        is_shared = agreed.rtcp_port == agreed.port
        host, port = self._from or self._told
        if not is_shared:
            port = port + 1 if self._from is not None and self._from != self._told else agreed.rtcp_port
        with suppress(OSError):
            (self.sound if is_shared else self.reports).sendto(data, (host, port))
        self.happenings.append(self._measured())

    def _measured(self) -> Measured:
        statistics, quality = self._reception.statistics, self._reporting.quality
        lost = max(0, statistics.lost_for_good)
        share = (statistics.lost - statistics.recovered) / statistics.expected if statistics.expected else 0.0
        delay_ms = (quality.round_trip_ms or 0.0) / 2 + 20 + statistics.wait_ms / 2
        return Measured(
            self.call,
            statistics.received,
            lost,
            statistics.late,
            statistics.concealed_ms,
            statistics.jitter_ms,
            self._packets,
            quality.loss,
            quality.jitter_ms,
            quality.round_trip_ms,
            opinion_score(max(0.0, share), delay_ms),
        )

    def close(self, now: float) -> None:
        """Say goodbye and give back the ports."""
        self.report(now, leaves=True)
        self.sound.close()
        self.reports.close()


def _keys_types(order: Direct) -> frozenset[int]:
    """Return the payload types under which telephone events may come."""
    return frozenset(type_ for type_ in (order.keys_type, order.also_keys_type) if type_ is not None)


def _silences(order: Direct) -> tuple[frozenset[int], int | None]:
    """Return what comes in place of sound."""
    return _keys_types(order), order.noise_type
