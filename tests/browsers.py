"""Stand-ins for browsers: a stock aiortc peer that talks and listens, and an owner that keeps what it is told."""

from __future__ import annotations

import asyncio
import fractions
import sys
from collections.abc import Callable
from pathlib import Path

import aiortc
import av
import numpy as np

from vivavoce.legs.webrtc.peer import Peer
from vivavoce.legs.webrtc.port import Port
from vivavoce.legs.webrtc.settings import WebrtcSettings

sys.path.append(str(Path(__file__).parents[1] / "bench" / "load"))
from webrtc_calling import Caller

LOOPBACK = WebrtcSettings(hosts=("127.0.0.1",))
SILENCE = [b"\xf8\xff\xfe"]


async def caller(payloads: list[bytes] = SILENCE) -> Caller:
    """Return a light caller on a port of its own."""
    return Caller(await Port.open(LOOPBACK), payloads)


async def called(peer: Peer, payloads: list[bytes] = SILENCE) -> Caller:
    """Return a light caller whose data channel to a peer is open."""
    found = await caller(payloads)
    found.accept(await peer.answer(found.offer()))
    await asyncio.wait_for(found.opened, 5)
    return found


class Owner:
    """A peer's owner: keeps everything, and lets tests wait for it."""

    def __init__(self) -> None:
        self.heard = bytearray()
        self.frames: list[bytes] = []
        self.told: list[tuple[str, str]] = []
        self.connected = asyncio.Event()
        self.closed = asyncio.Event()
        self.reason = ""
        self.on_audio: Callable[[bytes], None] | None = None

    def receive_audio(self, pcm: bytes) -> None:
        self.heard += pcm
        if self.on_audio is not None:
            self.on_audio(pcm)

    def item_started(self, item_id: str) -> None:
        self.told.append(("started", item_id))

    def item_played(self, item_id: str) -> None:
        self.told.append(("played", item_id))

    def receive_digit(self, digit: str) -> None:
        self.told.append(("digit", digit))

    def media_connected(self) -> None:
        self.told.append(("connected", ""))
        self.connected.set()

    def media_closed(self, reason: str) -> None:
        assert not self.closed.is_set(), "told twice"
        self.reason = reason
        self.closed.set()

    def receive_frame(self, data: bytes) -> None:
        self.frames.append(data)

    def channel_opened(self) -> None:
        self.told.append(("opened", ""))


class Tone(aiortc.MediaStreamTrack):
    """A microphone that hears a tone."""

    kind = "audio"

    def __init__(self, hz: float = 440.0, rate: int = 48_000) -> None:
        super().__init__()
        self._hz, self._rate, self._at = hz, rate, 0
        self._began: float | None = None

    async def recv(self) -> av.AudioFrame:
        loop = asyncio.get_running_loop()
        count = self._rate // 50
        self._began = loop.time() if self._began is None else self._began
        await asyncio.sleep(max(0.0, self._began + self._at / self._rate - loop.time()))
        at = np.arange(self._at, self._at + count)
        pcm = (8000 * np.sin(2 * np.pi * self._hz * at / self._rate)).astype("<i2")
        frame = av.AudioFrame.from_ndarray(pcm.reshape(1, -1), format="s16", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = self._rate, self._at, fractions.Fraction(1, self._rate)
        self._at += count
        return frame


class Browser:
    """A stock aiortc peer that offers audio and a data channel, as pages do."""

    def __init__(self, *, hz: float = 440.0, label: str | None = "oai-events", direction: str = "sendrecv") -> None:
        self.connection = aiortc.RTCPeerConnection(
            aiortc.RTCConfiguration(iceServers=[], bundlePolicy=aiortc.RTCBundlePolicy.MAX_BUNDLE)
        )
        if direction == "recvonly":
            self.connection.addTransceiver("audio", direction="recvonly")
        else:
            self.connection.addTrack(Tone(hz))
            self.connection.getTransceivers()[0].direction = direction
        self.messages: list[str] = []
        self.opened = asyncio.Event()
        self.channel = None if label is None else self.open_channel(label)
        self.track: aiortc.MediaStreamTrack | None = None
        self.connection.on("track", self._on_track)

    def _on_track(self, track: aiortc.MediaStreamTrack) -> None:
        self.track = track

    def open_channel(self, label: str) -> aiortc.RTCDataChannel:
        channel = self.connection.createDataChannel(label)
        channel.on("message", self.messages.append)
        channel.on("open", self.opened.set)
        return channel

    async def offer(self) -> str:
        await self.connection.setLocalDescription(await self.connection.createOffer())
        return self.connection.localDescription.sdp

    async def accept(self, answer: str) -> None:
        await self.connection.setRemoteDescription(aiortc.RTCSessionDescription(answer, "answer"))

    async def call(self, peer: Peer) -> str:
        """Have a peer answer, and return what it said."""
        answer = await peer.answer(await self.offer())
        await self.accept(answer)
        return answer

    async def hear(self, frames: int) -> np.ndarray:
        """Return so much of what is played, as 48 kHz mono."""
        assert self.track is not None
        heard = []
        for _ in range(frames):
            frame = await self.track.recv()
            assert isinstance(frame, av.AudioFrame)
            heard.append(frame.to_ndarray().reshape(-1, len(frame.layout.channels))[:, 0])
        return np.concatenate(heard)

    async def close(self) -> None:
        await self.connection.close()


async def until(condition: Callable[[], object], timeout_s: float = 5.0) -> None:
    """Return as soon as a condition holds.

    Raises:
        TimeoutError: it does not come to hold.
    """
    async with asyncio.timeout(timeout_s):
        while not condition():  # noqa: ASYNC110 - what is waited for tells nobody
            await asyncio.sleep(0.005)


def pitch(samples: np.ndarray, rate_hz: int) -> float:
    """Return the frequency in which most of a sound lies."""
    spectrum = np.abs(np.fft.rfft(samples.astype(np.float64) * np.hanning(samples.size)))
    return float(np.argmax(spectrum) * rate_hz / samples.size)
