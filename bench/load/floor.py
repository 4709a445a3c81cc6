"""The least that these frames can cost on a machine: sockets and WebSocket frames alone, by the library that we use.

What comes is looked at no further than its stamp, and what goes was assembled beforehand but for its stamp.
"""

from __future__ import annotations

import functools
from base64 import b64decode, b64encode
from collections.abc import Callable

import uvloop
from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_create_server
from ticker import Ticker, note_arrival

STAMP_CHARACTERS = 32
"""The stamp in base64."""
MARK = b'"audio":"'
HEAD = (
    b'{"type":"response.output_audio.delta","event_id":"event_0123456789abc00000001",'
    b'"response_id":"resp_0123456789abc00000001","item_id":"item_0123456789abc00000002",'
    b'"output_index":0,"content_index":0,"delta":"'
)


class Client(WSListener):  # type: ignore[misc]
    _leave: Callable[[], None]

    def on_ws_connected(self, transport: WSTransport) -> None:
        self._transport = transport
        self._leave = ticker().join(self)

    def put_nowait(self, frame: bytes) -> None:
        """Send a frame: the ticker takes this for a queue."""
        self._transport.send(WSMsgType.TEXT, HEAD + b64encode(frame) + b'"}')

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        data = frame.get_payload_as_bytes()
        at = data.find(MARK) + len(MARK)
        if at >= len(MARK):
            note_arrival(b64decode(data[at : at + STAMP_CHARACTERS]))

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        self._leave()


@functools.cache
def ticker() -> Ticker:
    return Ticker()


async def main() -> None:
    server = await ws_create_server(lambda request: Client(), "127.0.0.1", 0)
    print(f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main())
