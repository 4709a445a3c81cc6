"""One browser: its offer and our answer, its way here, its secured connection, its voice and its data channel.

It has no task and no timer of its own: datagrams and the port's ticker drive it.  To a live call it is the media and
the channel.  Everything it holds is let go of when it ends, so that nothing waits for the garbage collector.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Sequence
from typing import Protocol

import msgspec

from ...audio.playout import Heard
from ...core.errors import VivavoceError
from ..media import MediaOwner
from . import offer as offers
from . import stun
from .answer import Answer, answered_direction
from .answer import build as build_answer
from .channel import ChannelError, DataChannel
from .dtls import Dtls, DtlsError
from .ice import Ice
from .offer import Direction, Offer, OfferError
from .port import Port, Route
from .quality import Quality
from .settings import WebrtcSettings
from .voice import Voice

__all__ = ["OfferError", "Peer", "PeerOwner", "TooManyCalls"]

_log = logging.getLogger("vivavoce.webrtc")

_FIRST_DTLS, _LAST_DTLS = 20, 63
_FIRST_RTP, _LAST_RTP = 128, 191
_FIRST_RTCP, _LAST_RTCP = 192, 223
_TIMERS_EVERY = 5
"""Ticks between two looks at the timers: a tenth of a second."""
_DIGEST = "sha-256"
_MOST_EARLY = 4
"""Datagrams of a handshake that are kept until there is a path."""
_MOST_ROUTES = 32
"""Addresses that lead to a call; a browser has one for each of its networks and relays."""


class TooManyCalls(VivavoceError):
    """More calls are being connected than may be at a time."""


class PeerOwner(MediaOwner, Protocol):
    """Whoever a browser talks to."""

    def receive_frame(self, data: bytes) -> None:
        """Take one whole message of its data channel, valid UTF-8."""
        ...

    def channel_opened(self) -> None:
        """Learn that its data channel is open."""
        ...


class _Negotiated(msgspec.Struct, frozen=True):
    """What an offer and its answer have settled."""

    offer: Offer
    version: int
    setup: str

    @property
    def direction(self) -> Direction:
        """Which way audio goes, as this side sees it."""
        audio = self.offer.audio
        return "inactive" if audio is None else answered_direction(self.offer.sections[audio].direction)


class Peer:
    """One browser: `legs.media.Media`, and the channel of a live call."""

    def __init__(self, port: Port, owner: PeerOwner, settings: WebrtcSettings) -> None:
        """Wait for an offer."""
        now = port.now
        self._port = port
        self._owner: PeerOwner | None = owner
        self._settings = settings
        self._tag = port.new_tag(self)
        self._ice = Ice(self._tag, now)
        self._dtls: Dtls | None = None
        self._channel: DataChannel | None = DataChannel(owner, settings.max_message_bytes, settings.max_queued_bytes)
        self._voice: Voice | None = None
        self._negotiated: _Negotiated | None = None
        self._ufrags: list[str] = []
        self._routes: dict[Route, None] = {}
        self._name = secrets.token_hex(8)
        self._session_id = secrets.randbits(62)
        self._ssrc = secrets.randbits(31) | 1
        self._began = now
        self._shaking_since: float | None = None
        self._early: list[bytes] = []
        self._is_setting_up = False
        self._is_connected = False
        self._ticks = 0
        self._peer = ""

    # ------------------------------------------------------------------------------------------------------ signalling

    async def answer(self, offer_sdp: str) -> str:
        """Return the answer to an offer, after which the browser has some seconds to connect.

        Raises:
            OfferError: the offer cannot be answered.
            TooManyCalls: it may be tried again later.
        """
        if self._owner is None:
            raise OfferError("the call has ended")
        if self._negotiated is not None:
            return await self.renegotiate(offer_sdp)
        offer = offers.parse(offer_sdp)
        port, settings = self._port, self._settings
        if port.setups >= settings.most_setups:
            raise TooManyCalls(f"{port.setups} calls are being connected already; try again in a moment")
        port.setups += 1
        self._is_setting_up = True
        transport = offer.transport
        setup = "passive" if transport.setup == "active" else "active"
        self._negotiated = _Negotiated(offer, 1, setup)
        self._ice.is_controlling = offer.is_lite
        self._dtls = Dtls(port.identity, transport.fingerprints, self._send, is_server=setup == "passive")
        if offer.audio is not None:
            self._voice = Voice(offer, settings, self._ssrc, self._name)
            self._voice.direction = self._negotiated.direction
        self._began = port.now
        self._begin_paths(offer)
        port.ticker.join(self)
        return self._answer_text()

    async def renegotiate(self, offer_sdp: str) -> str:
        """Return the answer to a later offer: another way here (ICE restart), another direction, a data channel added.

        Raises:
            OfferError: it wants what cannot be changed during a call.
        """
        before = self._negotiated
        if before is None or self._owner is None or self._dtls is None:
            raise OfferError("there is no call whose offer could be renewed")
        offer = offers.parse(offer_sdp)
        if offer.transport.fingerprints != before.offer.transport.fingerprints:
            raise OfferError("the certificate of a call cannot change")
        if (offer.audio is None) != (before.offer.audio is None) or offer.codec != before.offer.codec:
            raise OfferError("the codec of a call cannot change")
        self._negotiated = _Negotiated(offer, before.version + 1, before.setup)
        if self._voice is not None:
            self._voice.direction = self._negotiated.direction
        if offer.transport.credentials != before.offer.transport.credentials:
            self._begin_paths(offer)
        if self._is_connected and before.offer.application is None:
            self._begin_channel()
        return self._answer_text()

    def add_candidate(self, candidate: str) -> None:
        """Learn of an address of the browser; used only for one that does not check on its own."""
        found = offers.parse_candidate(candidate)
        if found is not None and self._negotiated is not None and self._negotiated.offer.is_lite:
            self._call_candidate(found)

    def _begin_paths(self, offer: Offer) -> None:
        credentials = offer.transport.credentials
        assert credentials is not None, "an accepted section has credentials"
        self._ice.restart(credentials)
        self._port.claim(self._ice.local.ufrag, self)
        self._ufrags = self._port.latest([*self._ufrags, self._ice.local.ufrag])
        if offer.is_lite:
            for candidate in offer.transport.candidates:
                self._call_candidate(candidate)

    def _call_candidate(self, candidate: offers.Candidate) -> None:
        route = self._port.route_to(candidate.host, candidate.port)
        if route is not None:
            self._ice.call(route, self._port.now)

    def _answer_text(self) -> str:
        negotiated = self._negotiated
        assert negotiated is not None, "there is an offer"
        answer = Answer(
            session_id=self._session_id,
            version=negotiated.version,
            addresses=tuple((each.host, each.port) for each in self._port.advertised),
            credentials=self._ice.local,
            fingerprint=offers.Fingerprint(_DIGEST, self._port.identity.fingerprint),
            setup=negotiated.setup,
            ssrc=self._ssrc,
            cname=self._name,
            max_message_bytes=self._settings.max_message_bytes,
        )
        return build_answer(negotiated.offer, answer)

    # ----------------------------------------------------------------------------------------------- what comes by UDP

    def receive_check(self, message: stun.Message, route: Route, now: float) -> bool:
        """Take a connectivity check or its answer."""
        if not self._ice.receive(message, route, now):
            return False
        if route not in self._routes or self._ice.is_valid(route):
            self._routes[route] = None
            self._port.bind(route, self, is_proven=self._ice.is_valid(route))
            if len(self._routes) > _MOST_ROUTES:
                oldest = next(other for other in self._routes if other != self._ice.selected)
                del self._routes[oldest]
                self._port.unbind(oldest, self)
        if self._ice.selected is not None and self._shaking_since is None:
            self._shaking_since = now
            if self._dtls is not None:
                self._guarded(self._dtls.start, now)
            while self._early:
                self._guarded(self._receive_dtls, self._early.pop(0), now)
        return True

    def receive(self, data: bytes, now: float) -> None:
        """Take any other datagram of the browser."""
        dtls = self._dtls
        if dtls is None:
            return
        first = data[0]
        if _FIRST_RTP <= first <= _LAST_RTP:
            srtp = dtls.srtp
            if srtp is None or len(data) < 12:
                return
            is_report = _FIRST_RTCP <= data[1] <= _LAST_RTCP
            clear = srtp.unprotect_rtcp(data) if is_report else srtp.unprotect(data)
            if clear is None:
                return
            self._ice.heard_at = now
            voice, owner = self._voice, self._owner
            if voice is None or owner is None:
                return
            if is_report:
                voice.receive_reports(clear, now)
            else:
                voice.receive(clear, owner, now)
        elif _FIRST_DTLS <= first <= _LAST_DTLS and self._ice.selected is None:
            # A party may begin before it has answered our check; taken now, the reply would have no way to go.
            if len(self._early) < _MOST_EARLY:
                self._early.append(data)
        elif _FIRST_DTLS <= first <= _LAST_DTLS:
            self._guarded(self._receive_dtls, data, now)

    def _receive_dtls(self, data: bytes, now: float) -> None:
        if self._dtls is None:
            return
        messages = self._dtls.receive(data, now)
        if not self._is_connected and self._dtls.srtp is not None:
            self._connect()
        for message in messages:
            self._ice.heard_at = now
            if self._channel is not None:
                self._channel.receive(message)

    def _connect(self) -> None:
        self._is_connected = True
        self._set_up()
        self._begin_channel()
        if self._owner is not None:
            self._owner.media_connected()

    def _begin_channel(self) -> None:
        negotiated, dtls, channel = self._negotiated, self._dtls, self._channel
        if negotiated is None or dtls is None or channel is None or negotiated.offer.application is None:
            return
        section = negotiated.offer.sections[negotiated.offer.application]
        channel.connect(
            dtls.send,
            is_server=dtls.is_server,
            remote_port=section.sctp_port,
            remote_max_message_bytes=section.max_message_bytes,
        )

    def _guarded(self, act: Callable[..., None], *arguments: object) -> None:
        """Do what may find that the connection cannot go on."""
        try:
            act(*arguments)
        except (DtlsError, ChannelError) as error:
            self._close(str(error))

    def _send(self, data: bytes) -> None:
        selected = self._ice.selected
        if selected is not None:
            selected.send(data)

    # ----------------------------------------------------------------------------------------------------------- ticks

    def tick(self, now: float) -> None:
        """Send the frame of these 20 ms, and look after the timers."""
        self._ticks += 1
        if self._is_connected:
            self._tick_audio(now)
            if self._ticks % _TIMERS_EVERY:
                return
        self._ice.receive_time(now)
        reason = self._why_over(now)
        if reason:
            self._close(reason)
        elif self._dtls is not None and self._shaking_since is not None and not self._is_connected:
            self._guarded(self._dtls.receive_time, now)
        elif self._is_connected and self._voice is not None and self._voice.is_report_due(now):
            self._report(now)

    def _tick_audio(self, now: float) -> None:
        voice, dtls, owner = self._voice, self._dtls, self._owner
        if voice is None or dtls is None or dtls.srtp is None or owner is None:
            return
        packet = voice.next_packet(owner)
        selected = self._ice.selected
        if selected is not None and voice.is_sending:
            selected.send(dtls.srtp.protect(packet))
        voice.receive_time(owner, now)

    def _report(self, now: float, *, leaves: bool = False) -> None:
        """Tell the browser how well it is heard, and how much was sent."""
        voice, dtls = self._voice, self._dtls
        if voice is not None and dtls is not None and dtls.srtp is not None:
            self._send(dtls.srtp.protect_rtcp(voice.report(now, leaves=leaves)))

    def _why_over(self, now: float) -> str:
        """Return why the call cannot go on, or nothing if it can."""
        settings = self._settings
        if not self._is_connected:
            if now - self._began > settings.setup_timeout_s:
                return f"no connection was made in {settings.setup_timeout_s:g} seconds"
            if self._shaking_since is not None and now - self._shaking_since > settings.handshake_timeout_s:
                return f"the connection was not secured in {settings.handshake_timeout_s:g} seconds"
            return ""
        if now - self._ice.heard_at > settings.idle_timeout_s:
            return f"nothing came for {settings.idle_timeout_s:g} seconds"
        return "the party has not renewed its consent to be sent to" if now > self._ice.consent_until else ""

    def fail(self, error: Exception) -> None:
        """End because of a fault of ours or of the owner's."""
        _log.error("a call by WebRTC ends because of an error", exc_info=error)
        self._close("internal error")

    # ------------------------------------------------------------------------------------------------------- the media

    def play(self, item_id: str, pcm: bytes) -> None:
        """Play more of an item, after everything that waits already."""
        if self._voice is not None:
            self._voice.out.play(item_id, pcm)

    def end_item(self, item_id: str) -> None:
        """Learn that an item is complete."""
        if self._voice is not None:
            self._voice.out.end_item(item_id)

    def clear(self) -> Sequence[Heard]:
        """Stop playing at once; what was sent counts as heard."""
        return () if self._voice is None else self._voice.out.clear()

    def duck(self) -> None:
        """Play on at a low volume."""
        if self._voice is not None:
            self._voice.out.duck()

    def restore(self) -> None:
        """Play at full volume again."""
        if self._voice is not None:
            self._voice.out.restore()

    @property
    def queued_ms(self) -> int:
        """How long what waits will play."""
        return 0 if self._voice is None else self._voice.out.queued_ms

    def hang_up(self, reason: str) -> None:
        """End the connection."""
        self._close(reason)

    # ----------------------------------------------------------------------------------------------------- the channel

    @property
    def max_message_bytes(self) -> int:
        """The longest message that the browser takes."""
        negotiated = self._negotiated
        if negotiated is None or negotiated.offer.application is None:
            return self._settings.max_message_bytes
        return (
            negotiated.offer.sections[negotiated.offer.application].max_message_bytes
            or self._settings.max_message_bytes
        )

    @property
    def queued_bytes(self) -> int:
        """How much was sent but not taken by the network yet."""
        return 0 if self._channel is None else self._channel.queued_bytes

    def send(self, data: bytes) -> None:
        """Send a frame; it waits until the channel is open."""
        if self._channel is None:
            return
        try:
            self._channel.send(data)
        except ChannelError as error:
            self._close(str(error))

    async def drain(self) -> None:
        """Return when little enough waits, or when the call has ended."""
        if self._channel is not None:
            await self._channel.drain()

    @property
    def peer(self) -> str:
        """Where the browser is: an address and a port, empty until it is known."""
        selected = self._ice.selected
        return self._peer if selected is None else f"{selected.host}:{selected.port}"

    def quality(self) -> Quality:
        """Return how well audio has passed by now."""
        return Quality() if self._voice is None else self._voice.quality(self._ice.round_trip_s)

    # --------------------------------------------------------------------------------------------------------- the end

    def _set_up(self) -> None:
        if self._is_setting_up:
            self._is_setting_up = False
            self._port.setups -= 1

    def _close(self, reason: str) -> None:
        owner, self._owner = self._owner, None
        if owner is None:
            return
        self._set_up()
        try:
            self._say_goodbye()
        except Exception as error:  # noqa: BLE001 - the call has to end all the same, and the others must not notice
            _log.error("the end of a call by WebRTC could not be told to its browser", exc_info=error)
        self._channel = self._dtls = None
        self._early.clear()
        self._peer, self._ice.selected = self.peer, None
        self._port.release(self, self._tag, self._ufrags, list(self._routes))
        self._routes.clear()
        # Not at once: whoever hangs up may be in the middle of a step, and hears of other ends later too.
        self._port.call_soon(owner.media_closed, reason)

    def _say_goodbye(self) -> None:
        if self._is_connected:
            self._report(self._port.now, leaves=True)
        if self._channel is not None:
            self._channel.close()
        if self._dtls is not None:
            self._dtls.close()
