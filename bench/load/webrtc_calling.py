"""Callers by WebRTC: our own path turned round, so that many of them leave the processor to the server they call.

A caller offers as a browser does, nominates, secures, opens a data channel, sends recorded speech that was encoded
once, and counts what comes.
"""

from __future__ import annotations

import asyncio
import secrets
from typing import Any

from vivavoce.legs.opus import Encoder
from vivavoce.legs.webrtc import offer as offers
from vivavoce.legs.webrtc import stun
from vivavoce.legs.webrtc.borrowed import Association
from vivavoce.legs.webrtc.dtls import Dtls, DtlsError
from vivavoce.legs.webrtc.ice import Ice
from vivavoce.legs.webrtc.port import Port, Route
from vivavoce.legs.webrtc.settings import WebrtcSettings
from vivavoce.rtp.packet import header, is_rtcp

FRAME_BYTES = 960
SPEECH_TYPE = 111
OFFER = """v=0
o=- 1 2 IN IP4 127.0.0.1
s=-
t=0 0
a=group:BUNDLE 0 1
m=audio 9 UDP/TLS/RTP/SAVPF 111
c=IN IP4 0.0.0.0
{transport}a=mid:0
a=sendrecv
a=rtcp-mux
a=rtpmap:111 opus/48000/2
a=ssrc:{ssrc} cname:caller
m=application 9 UDP/DTLS/SCTP webrtc-datachannel
c=IN IP4 0.0.0.0
{transport}a=mid:1
a=sctp-port:5000
a=max-message-size:262144
"""
TRANSPORT = """a=ice-ufrag:{ufrag}
a=ice-pwd:{password}
a=fingerprint:sha-256 {fingerprint}
a=setup:actpass
"""


def encoded(pcm: bytes) -> list[bytes]:
    """Return speech as Opus, as browsers encode it."""
    encoder = Encoder(24_000, "voip", bitrate_bps=32_000, complexity=5)
    return [encoder.encode(pcm[at : at + FRAME_BYTES]) for at in range(0, len(pcm) - FRAME_BYTES, FRAME_BYTES)]


async def ports(count: int, host: str) -> list[Port]:
    """Return as many UDP ports, ticked together."""
    found = [await Port.open(WebrtcSettings(hosts=(host,))) for _ in range(count)]
    for port in found:
        port.ticker = found[0].ticker
    return found


class Caller:
    """One caller."""

    def __init__(self, port: Port, payloads: list[bytes]) -> None:
        """Prepare to call from a port, which is this caller's alone: calls are told apart by where they come from."""
        self._port = port
        self._payloads = payloads
        self._tag = port.new_tag(self)
        self._ice = Ice(self._tag, port.now)
        self._ice.is_controlling = True
        self._dtls: Dtls | None = None
        self._association: Association | None = None
        self._is_shaking = False
        self._ssrc = secrets.randbits(31)
        self._sequence = secrets.randbits(15)
        self._timestamp = secrets.randbits(32)
        self._at = secrets.randbelow(len(payloads))
        self._began = 0.0
        self.connected = asyncio.get_running_loop().create_future()
        """Seconds from the offer to the first secured packet."""
        self.opened = asyncio.get_running_loop().create_future()
        """Seconds from the offer to an open data channel."""
        self.packets = self.messages = 0
        self.channel: Any = None
        """The data channel, as aiortc has it."""

    def offer(self) -> str:
        self._began = self._port.now
        transport = TRANSPORT.format(
            ufrag=self._ice.local.ufrag,
            password=self._ice.local.password,
            fingerprint=self._port.identity.fingerprint,
        )
        return OFFER.format(transport=transport, ssrc=self._ssrc)

    def accept(self, answer: str) -> None:
        said = offers.parse(answer)
        section = said.transport
        assert section.credentials is not None
        self._ice.remote = section.credentials
        self._port.claim(self._ice.local.ufrag, self)
        if self._dtls is None:
            is_server = section.setup == "active"
            self._dtls = Dtls(self._port.identity, section.fingerprints, self._send, is_server=is_server)
        for candidate in section.candidates:
            route = self._port.route_to(candidate.host, candidate.port)
            if route is not None:
                self._port.bind(route, self, is_proven=True)
                self._ice.call(route, self._port.now)
        self._port.ticker.join(self)

    def _send(self, data: bytes) -> None:
        if self._ice.selected is not None:
            self._ice.selected.send(data)

    def receive_check(self, message: stun.Message, route: Route, now: float) -> bool:
        is_ours = self._ice.receive(message, route, now)
        if is_ours:
            self._port.bind(route, self, is_proven=True)
            if self._ice.selected is not None and not self._is_shaking and self._dtls is not None:
                self._is_shaking = True
                self._dtls.start(now)
        return is_ours

    def receive(self, data: bytes, now: float) -> None:
        assert self._dtls is not None
        if data[0] >= 128:
            if self._dtls.srtp is not None and not is_rtcp(data):
                self.packets += self._dtls.srtp.unprotect(data) is not None
            return
        try:
            messages = self._dtls.receive(data, now)
        except DtlsError:
            self._port.ticker.leave(self)
            return
        if self._dtls.srtp is not None and not self.connected.done():
            self.connected.set_result(now - self._began)
            self._open_channel()
        for message in messages:
            if self._association is not None:
                self._association.receive(message)

    def _open_channel(self) -> None:
        from aiortc import RTCDataChannel, RTCDataChannelParameters

        assert self._dtls is not None
        self._association = Association(
            self._dtls.send, print, is_server=self._dtls.is_server, remote_port=5000, max_message_bytes=262_144
        )
        self.channel = RTCDataChannel(self._association._sctp, RTCDataChannelParameters(label="oai-events"))
        self.channel.on("message", self._told)
        self.channel.on("open", self._opened)

    def _told(self, message: object) -> None:
        self.messages += 1

    def _opened(self) -> None:
        self.opened.set_result(self._port.now - self._began)

    def tick(self, now: float) -> None:
        self._ice.receive_time(now)
        if self._dtls is None or self._dtls.srtp is None:
            if self._dtls is not None and self._is_shaking:
                self._dtls.receive_time(now)
            return
        payload = self._payloads[self._at]
        self._at = (self._at + 1) % len(self._payloads)
        packet = header(SPEECH_TYPE, False, self._sequence, self._timestamp, self._ssrc) + payload
        self._sequence += 1
        self._timestamp += 960
        self._send(self._dtls.srtp.protect(packet))

    def fail(self, error: Exception) -> None:
        raise error

    def close(self) -> None:
        self._port.ticker.leave(self)
        if self._association is not None:
            self._association.close()
        if self._dtls is not None:
            self._dtls.close()
        self._port.release(self, self._tag, [self._ice.local.ufrag], list(self._ice.paths))
        self._port.close()
