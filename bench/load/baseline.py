"""What the figures are set against: a plain WebSocket endpoint of FastAPI on uvicorn, with json and base64.

It does no more than take each append apart and send an audio delta of its own back, which is the least that a server
of this protocol does.
"""

from __future__ import annotations

import base64
import json
import socket
import struct
import time

import uvicorn
from fastapi import FastAPI, WebSocket, WebSocketDisconnect

STAMP = struct.Struct("<QQQ")

app = FastAPI()


@app.websocket("/v1/realtime")
async def realtime(client: WebSocket) -> None:
    await client.accept()
    number = 0
    try:
        while True:
            event = json.loads(await client.receive_text())
            if event["type"] != "input_audio_buffer.append":
                continue
            audio = base64.b64decode(event["audio"])
            number += 1
            now = time.monotonic_ns()
            made = STAMP.pack(now, now - int.from_bytes(audio[:8], "little"), 0) + audio[STAMP.size :]
            delta = {
                "type": "response.output_audio.delta",
                "event_id": f"event_0123456789abc{number:08d}",
                "response_id": "resp_0123456789abc00000001",
                "item_id": "item_0123456789abc00000002",
                "output_index": 0,
                "content_index": 0,
                "delta": base64.b64encode(made).decode(),
            }
            await client.send_text(json.dumps(delta))
    except WebSocketDisconnect:
        pass


if __name__ == "__main__":
    listening = socket.create_server(("127.0.0.1", 0))
    print(f"ws://127.0.0.1:{listening.getsockname()[1]}/v1/realtime", flush=True)
    uvicorn.Server(uvicorn.Config(app, log_level="warning", access_log=False)).run([listening])
