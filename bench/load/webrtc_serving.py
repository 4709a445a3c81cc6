"""The WebRTC server under test, ours or stock aiortc: answers offers, hears, talks or echoes, tells events.

    python bench/load/webrtc_serving.py --path ours|stock --talk 0.4 --events 4 [--echo]

Offers come as lines of JSON over TCP on the address that it prints, and go back answered.  Both paths run on uvloop,
take 24 kHz mono in and out, and say the same recorded speech for a share of each five seconds.
"""

from __future__ import annotations

import argparse
import asyncio
import fractions
import json
from collections.abc import Sequence
from typing import Any, Protocol

import uvloop

from vivavoce.check.recordings import utterance
from vivavoce.legs.webrtc.peer import Peer
from vivavoce.legs.webrtc.port import Port
from vivavoce.legs.webrtc.settings import WebrtcSettings

ROUND_SECONDS = 5.0
FRAME_BYTES = 960
ECHO_MS = 20
"""An echo that waits longer has been held up by the machine, and is dropped: it would stay late for good."""
EVENT = json.dumps(
    {"type": "response.output_audio_transcript.delta", "event_id": "event_" + "0" * 21, "delta": "word "}
)


def speech() -> bytes:
    """Return recorded speech without its pauses, at 24 kHz."""
    pcm = b"".join(utterance(name).audio for name in ("time", "timer", "lights"))
    frames = [pcm[at : at + FRAME_BYTES] for at in range(0, len(pcm) - FRAME_BYTES, FRAME_BYTES)]
    return b"".join(frame for frame in frames if max(frame) - min(frame) and len(set(frame)) > 60)


class Call(Protocol):
    """One call, as the programme below drives it."""

    async def answer(self, offer: str) -> str: ...

    def talk(self, pcm: bytes) -> None: ...

    def tell(self, event: str) -> None: ...


class OurCall:
    """A call by our path."""

    def __init__(self, port: Port, echoes: bool) -> None:
        self._echoes = echoes
        self.heard = 0
        self.peer = Peer(port, self, port.settings)
        self._items = 0

    async def answer(self, offer: str) -> str:
        return await self.peer.answer(offer)

    def talk(self, pcm: bytes) -> None:
        self._items += 1
        self.peer.play(f"item_{self._items}", pcm)
        self.peer.end_item(f"item_{self._items}")

    def tell(self, event: str) -> None:
        self.peer.send(event.encode())

    def receive_audio(self, pcm: bytes) -> None:
        self.heard += len(pcm)
        if self._echoes:
            if self.peer.queued_ms > ECHO_MS:
                self.peer.clear()
            self.peer.play("echo", pcm)

    def item_started(self, item_id: str) -> None: ...

    def item_played(self, item_id: str) -> None: ...

    def receive_digit(self, digit: str) -> None: ...

    def media_connected(self) -> None: ...

    def media_closed(self, reason: str) -> None:
        CALLS.discard(self)

    def receive_frame(self, data: bytes) -> None: ...

    def channel_opened(self) -> None: ...


class StockCall:
    """A call by aiortc alone, as Python servers have it: a track each way, a resampler, a data channel."""

    def __init__(self, echoes: bool) -> None:
        import aiortc
        import av

        self._aiortc = aiortc
        self._echoes = echoes
        self.heard = 0
        self.queue: list[bytes] = []
        self._resampler = av.AudioResampler(format="s16", layout="mono", rate=24_000)
        bundle = aiortc.RTCBundlePolicy.MAX_BUNDLE
        self.connection = aiortc.RTCPeerConnection(aiortc.RTCConfiguration(iceServers=[], bundlePolicy=bundle))
        self.channel: Any = None
        self._tasks: set[asyncio.Task[None]] = set()
        self.connection.on("datachannel", self._opened)
        self.connection.on("track", self._listen)
        self.connection.on("connectionstatechange", self._changed)

    def _opened(self, channel: Any) -> None:
        self.channel = channel

    async def _changed(self) -> None:
        if self.connection.connectionState in ("failed", "closed"):
            await self.connection.close()
            CALLS.discard(self)

    def _listen(self, track: Any) -> None:
        task = asyncio.ensure_future(self._hear(track))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _hear(self, track: Any) -> None:
        from aiortc.mediastreams import MediaStreamError

        try:
            while True:
                for frame in self._resampler.resample(await track.recv()):
                    pcm = bytes(frame.planes[0])[: frame.samples * 2]
                    self.heard += len(pcm)
                    if self._echoes:
                        if 20 * len(self.queue) > ECHO_MS:
                            self.queue.clear()
                        self.talk(pcm)
        except MediaStreamError:
            return

    async def answer(self, offer: str) -> str:
        await self.connection.setRemoteDescription(self._aiortc.RTCSessionDescription(offer, "offer"))
        self.connection.addTrack(_voice(self.queue))
        await self.connection.setLocalDescription(await self.connection.createAnswer())
        return str(self.connection.localDescription.sdp)

    def talk(self, pcm: bytes) -> None:
        self.queue += [pcm[at : at + FRAME_BYTES].ljust(FRAME_BYTES, b"\0") for at in range(0, len(pcm), FRAME_BYTES)]

    def tell(self, event: str) -> None:
        if self.channel is not None and self.channel.readyState == "open":
            self.channel.send(event)


def _voice(queue: list[bytes]) -> Any:
    """Return the track that a stock call plays: what is queued, or silence, a frame each 20 ms."""
    import aiortc
    import av

    class Voice(aiortc.MediaStreamTrack):
        kind = "audio"

        def __init__(self) -> None:
            super().__init__()
            self._at = 0
            self._began: float | None = None

        async def recv(self) -> av.AudioFrame:
            loop = asyncio.get_running_loop()
            self._began = loop.time() if self._began is None else self._began
            await asyncio.sleep(max(0.0, self._began + self._at / 24_000 - loop.time()))
            frame = av.AudioFrame(format="s16", layout="mono", samples=480)
            frame.planes[0].update(queue.pop(0) if queue else bytes(FRAME_BYTES))
            frame.sample_rate, frame.pts, frame.time_base = 24_000, self._at, fractions.Fraction(1, 24_000)
            self._at += 480
            return frame

    return Voice()


CALLS: set[Any] = set()


async def perform(talk: float, events: float) -> None:
    """Have all calls talk and tell."""
    said, loop = speech(), asyncio.get_running_loop()
    piece = (said * (1 + int(48_000 * ROUND_SECONDS) // len(said)))[: int(48_000 * ROUND_SECONDS * talk) // 2 * 2]
    last: dict[Any, float] = {}
    step = 0.1
    due = loop.time()
    owed = 0.0
    while True:
        due += step
        await asyncio.sleep(max(0.0, due - loop.time()))
        owed += events * step
        tells, owed = int(owed), owed - int(owed)
        for call in tuple(CALLS):
            if piece and due - last.get(call, -ROUND_SECONDS) >= ROUND_SECONDS:
                last[call] = due
                call.talk(piece)
            for _ in range(tells):
                call.tell(EVENT)


async def main(options: argparse.Namespace) -> None:
    port = await Port.open(WebrtcSettings(hosts=("127.0.0.1",))) if options.path == "ours" else None

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            call: Call = StockCall(options.echo) if port is None else OurCall(port, options.echo)
            CALLS.add(call)
            answer = await call.answer(json.loads(line)["sdp"])
            writer.write(json.dumps({"sdp": answer}).encode() + b"\n")
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, limit=1 << 20)
    print(f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await perform(options.talk, options.events)


def parsed(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--path", choices=["ours", "stock"], required=True)
    parser.add_argument("--talk", type=float, default=0.4)
    parser.add_argument("--events", type=float, default=4.0)
    parser.add_argument("--echo", action="store_true")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    uvloop.run(main(parsed()))
