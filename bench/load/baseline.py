"""What the figures are set against: a plain WebSocket endpoint of FastAPI on uvicorn, with json and base64.

It does no more than take the audio out of each append and put other audio into deltas, which is the least that a server
of this protocol does: no session, no turns, no resampling.
"""

from __future__ import annotations

import asyncio
import base64
import functools
import itertools
import json
import socket

import uvicorn
from fastapi import FastAPI, WebSocket, WebSocketDisconnect
from ticker import Ticker, note_arrival

app = FastAPI()


@app.websocket("/v1/realtime")
async def realtime(client: WebSocket) -> None:
    await client.accept()
    speaking = asyncio.create_task(speak(client))
    try:
        while True:
            event = json.loads(await client.receive_text())
            if event["type"] == "input_audio_buffer.append":
                note_arrival(base64.b64decode(event["audio"]))
    except WebSocketDisconnect:
        speaking.cancel()


async def speak(client: WebSocket) -> None:
    frames: asyncio.Queue[bytes] = asyncio.Queue()
    leave = ticker().join(frames)
    try:
        for number in itertools.count():
            delta = {
                "type": "response.output_audio.delta",
                "event_id": f"event_0123456789abc{number:08d}",
                "response_id": "resp_0123456789abc00000001",
                "item_id": "item_0123456789abc00000002",
                "output_index": 0,
                "content_index": 0,
                "delta": base64.b64encode(await frames.get()).decode(),
            }
            await client.send_text(json.dumps(delta))
    finally:
        leave()


@functools.cache
def ticker() -> Ticker:
    return Ticker()


if __name__ == "__main__":
    listening = socket.create_server(("127.0.0.1", 0))
    print(f"ws://127.0.0.1:{listening.getsockname()[1]}/v1/realtime", flush=True)
    uvicorn.Server(uvicorn.Config(app, log_level="warning", access_log=False)).run([listening])
