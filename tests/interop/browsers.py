"""A browser as far as a call goes: aiortc's peer, which knows nothing of ours, with a voice and an ear."""

from __future__ import annotations

import asyncio
import fractions
import json
import wave
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import httpx
import numpy as np
from aiortc import MediaStreamTrack, RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError

Json = dict[str, Any]
RATE_HZ = 48_000
FRAME_SAMPLES = RATE_HZ // 50
PATIENCE_SECONDS = 30.0


class Voice(MediaStreamTrack):
    """Says what it is given, and is silent otherwise."""

    kind = "audio"

    def __init__(self) -> None:
        super().__init__()
        self._pcm = np.zeros(0, np.int16)
        self._sent = 0
        self._began = 0.0

    def say(self, file: Path) -> None:
        """Say a recording next."""
        with wave.open(str(file)) as wav:
            assert wav.getsampwidth() == 2
            assert wav.getnchannels() == 1
            pcm = np.frombuffer(wav.readframes(wav.getnframes()), np.int16)
            rate_hz = wav.getframerate()
        places = np.arange(len(pcm) * RATE_HZ // rate_hz) * rate_hz / RATE_HZ
        self._pcm = np.concatenate([self._pcm, np.interp(places, np.arange(len(pcm)), pcm).astype(np.int16)])

    async def recv(self) -> av.AudioFrame:
        """Return the next 20 ms when it is time for them."""
        now = asyncio.get_running_loop().time()
        if not self._began:
            self._began = now
        await asyncio.sleep(self._began + self._sent / RATE_HZ - now)
        said, self._pcm = self._pcm[:FRAME_SAMPLES], self._pcm[FRAME_SAMPLES:]
        samples = np.zeros((1, FRAME_SAMPLES), np.int16)
        samples[0, : len(said)] = said
        frame = av.AudioFrame.from_ndarray(samples, format="s16", layout="mono")
        frame.sample_rate, frame.pts = RATE_HZ, self._sent
        frame.time_base = fractions.Fraction(1, RATE_HZ)
        self._sent += FRAME_SAMPLES
        return frame


class Browser:
    """One page that calls."""

    def __init__(self, url: str, key: str, configuration: RTCConfiguration | None = None) -> None:
        """Prepare a call.

        Args:
            url: the server's base URL, with `/v1`.
            key: what it calls with.
            configuration: the servers that it uses around it; None for none.
        """
        self.url = url
        self.key = key
        self.voice = Voice()
        self.events: list[Json] = []
        self.heard = bytearray()
        """What the answers sounded like, at 48 kHz."""
        self.call_id = ""
        self.offered = ""
        """The latest offer."""
        self.closed = asyncio.Event()
        self._news = asyncio.Event()
        self._connection = RTCPeerConnection(configuration or RTCConfiguration(iceServers=[]))
        self._channel = self._connection.createDataChannel("oai-events")
        self._channel.on("message", self._take)
        self._connection.on("track", self._listen)
        self._connection.on("connectionstatechange", self._changed)
        self._connection.addTrack(self.voice)
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Browser:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._connection.close()
        for task in self._tasks:
            task.cancel()

    async def offer(self) -> str:
        """Return the SDP of the offer."""
        await self._connection.setLocalDescription(await self._connection.createOffer())
        self.offered = str(self._connection.localDescription.sdp)
        return self.offered

    async def post(self, path: str = "/realtime/calls", **request: Any) -> httpx.Response:
        """Send something to the server, by default this page's key with it."""
        headers = {"Authorization": f"Bearer {self.key}"} | request.pop("headers", {})
        async with httpx.AsyncClient(timeout=PATIENCE_SECONDS) as client:
            return await client.post(self.url + path, headers=headers, **request)

    async def call(self, path: str = "/realtime/calls", session: Json | None = None) -> httpx.Response:
        """Call, and return what the server answered."""
        offer = await self.offer()
        if session is None:
            answer = await self.post(path, content=offer, headers={"Content-Type": "application/sdp"})
        else:
            parts = {"sdp": (None, offer), "session": (None, json.dumps(session))}
            answer = await self.post(path, files=parts)
        assert answer.status_code == 201, answer.text
        self.call_id = answer.headers["location"].rsplit("/", 1)[1]
        await self.accept(answer.text)
        return answer

    async def accept(self, sdp: str) -> None:
        """Take the server's answer."""
        await self._connection.setRemoteDescription(RTCSessionDescription(sdp, "answer"))

    def send(self, event: Json) -> None:
        """Send an event."""
        self._channel.send(json.dumps(event))

    async def until(self, what: str | Callable[[Json], bool], *, count: int = 1) -> Json:
        """Return the first event of a type, or of which something is true; or a later one by `count`."""
        is_it = (lambda event: event["type"] == what) if isinstance(what, str) else what
        async with asyncio.timeout(PATIENCE_SECONDS):
            while len(found := [event for event in self.events if is_it(event)]) < count:
                self._news.clear()
                await self._news.wait()
        return found[count - 1]

    def types(self) -> list[str]:
        """The types of all events so far."""
        return [event["type"] for event in self.events]

    def _take(self, message: str) -> None:
        self.events.append(json.loads(message))
        self._news.set()

    def _changed(self) -> None:
        if self._connection.connectionState in ("closed", "failed"):
            self.closed.set()

    def _listen(self, track: MediaStreamTrack) -> None:
        async def listen() -> None:
            resampler = av.AudioResampler("s16", "mono", RATE_HZ)
            while True:
                try:
                    frame = await track.recv()
                except MediaStreamError:
                    return
                for each in resampler.resample(frame):
                    self.heard += each.to_ndarray().tobytes()

        self._tasks.add(asyncio.ensure_future(listen()))
