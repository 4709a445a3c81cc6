"""The least that a relay of ours can cost: both of its legs, and frames handed from one to the other unread.

python bench/load/forwarder.py --to ws://127.0.0.1:PORT/v1/realtime
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import socket

import uvicorn
import uvloop

from vivavoce.config import Access, Limits, OutboundLimits
from vivavoce.legs import Leg, LegOwner
from vivavoce.legs.line import LineError
from vivavoce.legs.outbound import OutboundLeg, open_outbound
from vivavoce.server.admission import Admission, Connection
from vivavoce.server.hybrid import Gate, HttpProtocol


class Way:
    """One direction: what comes from one leg goes to the other."""

    def __init__(self, far: Leg) -> None:
        self._far = far

    def receive_frame(self, data: bytes) -> None:
        self._far.send(data)

    def leg_closed(self, code: int, reason: str) -> None:
        self._far.close(1000, "")


class Session:
    """A client until its other leg is there."""

    def __init__(self, address: str, client: Leg) -> None:
        self._client = client
        self._early: list[bytes] = []
        self._upstream: OutboundLeg | None = None
        self._dialling = asyncio.create_task(self._dial(address))

    def receive_frame(self, data: bytes) -> None:
        if self._upstream is None:
            self._early.append(data)
        else:
            self._upstream.send(data)

    def leg_closed(self, code: int, reason: str) -> None:
        self._dialling.cancel()
        if self._upstream is not None:
            self._upstream.close(1000, "")

    async def _dial(self, address: str) -> None:
        try:
            upstream = await open_outbound(address, {}, tls=None, owner=None, limits=OutboundLimits())
        except LineError as error:
            self._client.close(1013, str(error))
            return
        self._upstream = upstream
        for data in self._early:
            upstream.send(data)
        upstream.attach(Way(self._client))


async def main() -> None:
    parser = argparse.ArgumentParser(description="both legs of a relay and nothing between")
    parser.add_argument("--to", required=True, help="URL of the server behind")
    address = parser.parse_args().to

    def accept(_connection: Connection, leg: Leg) -> LegOwner:
        return Session(address, leg)

    gate = Gate(Admission(Access(), 100_000), Limits(), accept, lambda: True)
    listening = socket.create_server(("127.0.0.1", 0), backlog=1024)
    config = uvicorn.Config(_no_application, lifespan="off", log_config=None)
    config.load()
    state = uvicorn.server.ServerState()
    server = await asyncio.get_running_loop().create_server(
        lambda: HttpProtocol(gate, config, state, {}), sock=listening, backlog=1024
    )
    print(f"ws://127.0.0.1:{listening.getsockname()[1]}/v1/realtime", flush=True)
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)
    await server.serve_forever()


async def _no_application(_scope: object, _receive: object, _send: object) -> None:
    raise NotImplementedError


if __name__ == "__main__":
    uvloop.run(main())
