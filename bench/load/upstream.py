"""A quick Realtime server for the relay to stand in front of: audio for whoever asks for a response, and stamps.

    python bench/load/upstream.py [--frame-ms 20]

Speaks the GA shape, by the library that we use and without any session of ours: it tells `session.created`, echoes
settings, takes audio for nothing but its stamp, and answers `response.create` by a response that goes on for ever.
What the stamps in the audio mean stands in `load.c`.
"""

from __future__ import annotations

import argparse
import functools
import json
from base64 import b64decode, b64encode
from collections.abc import Callable
from typing import Any

import uvloop
from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_create_server
from ticker import Ticker, note_arrival

STAMP_CHARACTERS = 32
"""The stamp in base64."""
APPEND = b"input_audio_buffer.append"
MARK = b'"audio":'
SESSION = {
    "type": "realtime",
    "object": "realtime.session",
    "id": "sess_0123456789abc00000000",
    "model": "gpt-realtime",
    "output_modalities": ["audio"],
    "instructions": "",
    "tools": [],
    "tool_choice": "auto",
    "max_output_tokens": "inf",
    "tracing": None,
    "prompt": None,
    "truncation": "auto",
    "expires_at": 4102444800,
    "audio": {
        "input": {
            "format": {"type": "audio/pcm", "rate": 24000},
            "transcription": None,
            "noise_reduction": None,
            "turn_detection": None,
        },
        "output": {"format": {"type": "audio/pcm", "rate": 24000}, "voice": "marin", "speed": 1.0},
    },
}
RESPONSE = {
    "object": "realtime.response",
    "id": "resp_0123456789abc00000001",
    "conversation_id": "conv_0123456789abc00000001",
    "status": "in_progress",
    "status_details": None,
    "output": [],
    "output_modalities": ["audio"],
    "max_output_tokens": "inf",
    "metadata": None,
    "usage": None,
    "audio": SESSION["audio"],
}
ITEM = {
    "id": "item_0123456789abc00000002",
    "object": "realtime.item",
    "type": "message",
    "role": "assistant",
    "status": "in_progress",
    "content": [],
}
PLACE = {"response_id": RESPONSE["id"], "output_index": 0}
PART = {**PLACE, "item_id": ITEM["id"], "content_index": 0, "part": {"type": "audio", "transcript": ""}}
BEGINNING: tuple[dict[str, Any], ...] = (
    {"type": "response.created", "response": RESPONSE},
    {"type": "response.output_item.added", **PLACE, "item": ITEM},
    {"type": "conversation.item.added", "previous_item_id": None, "item": ITEM},
    {"type": "response.content_part.added", **PART},
)
HEAD = (
    b'{"type":"response.output_audio.delta","event_id":"event_0123456789abc00000001",'
    b'"response_id":"resp_0123456789abc00000001","item_id":"item_0123456789abc00000002",'
    b'"output_index":0,"content_index":0,"delta":"'
)


class Client(WSListener):  # type: ignore[misc]
    _leave: Callable[[], None] | None = None

    def on_ws_connected(self, transport: WSTransport) -> None:
        self._transport = transport
        self._events = 0
        self._tell({"type": "session.created", "session": SESSION})

    def put_nowait(self, frame: bytes) -> None:
        """Send a frame: the ticker takes this for a queue."""
        self._transport.send(WSMsgType.TEXT, HEAD + b64encode(frame) + b'"}')

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type == WSMsgType.CLOSE:
            transport.disconnect()
        elif frame.msg_type == WSMsgType.TEXT:
            data = frame.get_payload_as_bytes()
            at = data.find(b'"', data.find(MARK, 0, 300) + len(MARK)) + 1
            if APPEND in data[:100]:
                note_arrival(b64decode(data[at : at + STAMP_CHARACTERS]))
            else:
                self._answer(json.loads(data))

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        if self._leave is not None:
            self._leave()

    def _answer(self, event: dict[str, Any]) -> None:
        if event["type"] == "session.update":
            self._tell({"type": "session.updated", "session": SESSION | event["session"]})
        elif event["type"] == "response.create" and self._leave is None:
            for each in BEGINNING:
                self._tell(each)
            self._leave = ticker().join(self)

    def _tell(self, event: dict[str, Any]) -> None:
        self._events += 1
        text = json.dumps({**event, "event_id": f"event_{self._events:08d}"})
        self._transport.send(WSMsgType.TEXT, text.encode())


@functools.cache
def ticker() -> Ticker:
    return Ticker(arguments().frame_ms)


@functools.cache
def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="a quick Realtime server for a relay to stand in front of")
    parser.add_argument("--frame-ms", type=int, default=20, help="milliseconds of audio in each delta")
    return parser.parse_args()


async def main() -> None:
    arguments()
    server = await ws_create_server(lambda request: Client(), "127.0.0.1", 0, backlog=1024)
    print(f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main())
