"""What a relay of ours is set against: FastAPI, uvicorn and the websockets library, with every event through `json`.

    python bench/load/plain_relay.py --to ws://127.0.0.1:PORT/v1/realtime

It reads each event and writes it anew, as a relay does that looks into them; it has no rules, no memory and no second
attempt.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import socket

import uvicorn
from fastapi import FastAPI, WebSocket, WebSocketDisconnect
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed


def relaying_to(address: str) -> FastAPI:
    """Return the application that relays to an address."""
    app = FastAPI()

    @app.websocket("/v1/realtime")
    async def realtime(client: WebSocket) -> None:
        await client.accept()
        async with connect(address, compression=None, max_size=None) as upstream:
            back = asyncio.create_task(tell(client, upstream))
            try:
                while True:
                    event = json.loads(await client.receive_text())
                    await upstream.send(json.dumps(event))
            except (WebSocketDisconnect, ConnectionClosed):
                back.cancel()

    return app


async def tell(client: WebSocket, upstream: ClientConnection) -> None:
    async for message in upstream:
        await client.send_text(json.dumps(json.loads(message)))


def main() -> None:
    parser = argparse.ArgumentParser(description="a plain relay of FastAPI and json")
    parser.add_argument("--to", required=True, help="URL of the server behind")
    app = relaying_to(parser.parse_args().to)
    listening = socket.create_server(("127.0.0.1", 0), backlog=1024)
    print(f"ws://127.0.0.1:{listening.getsockname()[1]}/v1/realtime", flush=True)
    uvicorn.Server(uvicorn.Config(app, log_level="warning", access_log=False)).run([listening])


if __name__ == "__main__":
    main()
