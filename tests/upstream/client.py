"""A plain client of a Realtime server, for tests: it sends what it is told and keeps whatever comes."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Callable
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

Json = dict[str, Any]
PATIENCE_SECONDS = 10.0


class Talk:
    """One connection, and everything that came on it: `async with Talk(url, key) as talk`."""

    def __init__(
        self, url: str, key: str | None = "sk-upstream", *, query: str = "model=gpt-realtime", **options: Any
    ) -> None:
        self._url = f"{url}/realtime?{query}"
        headers = dict(options.pop("headers", {}))
        if key is not None:
            headers["Authorization"] = f"Bearer {key}"
        self._options = {"additional_headers": headers, "max_size": None, "compression": None, **options}
        self.events: list[Json] = []
        """What came, in order."""
        self.closed: tuple[int, str] | None = None
        """How the connection ended; 1006 where it was cut."""
        self._socket: ClientConnection | None = None
        self._read = 0

    async def __aenter__(self) -> Talk:
        self._socket = await connect(self._url, **self._options)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._socket is not None
        await self._socket.close()

    @property
    def socket(self) -> ClientConnection:
        """The connection."""
        assert self._socket is not None
        return self._socket

    async def send(self, kind: str, **fields: Any) -> None:
        """Send an event."""
        await self.socket.send(json.dumps({"type": kind, **fields}))

    async def say(self, text: str, **fields: Any) -> None:
        """Write a message."""
        content = [{"type": "input_text", "text": text}]
        item = {"type": "message", "role": "user", "content": content, **fields}
        await self.send("conversation.item.create", item=item)

    async def ask(self, text: str, **response: Any) -> Json:
        """Write a message, and return the response that answers it."""
        await self.say(text)
        await self.send("response.create", **({"response": response} if response else {}))
        done: Json = (await self.until("response.done"))["response"]
        return done

    async def speak(self, audio: bytes, chunk_bytes: int = 4800) -> None:
        """Write audio."""
        for start in range(0, len(audio), chunk_bytes):
            chunk = base64.b64encode(audio[start : start + chunk_bytes]).decode()
            await self.send("input_audio_buffer.append", audio=chunk)

    async def next(self) -> Json | None:
        """Return the next event; None when the connection has ended."""
        if self.closed is not None:
            return None
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                event: Json = json.loads(await self.socket.recv())
        except ConnectionClosed as ended:
            self.closed = (ended.rcvd.code, ended.rcvd.reason) if ended.rcvd else (1006, "")
            return None
        self.events.append(event)
        return event

    async def until(self, wanted: str | Callable[[Json], bool]) -> Json:
        """Return the next event of a type, or that is wanted.

        Raises:
            EOFError: the connection ended before.

        """
        while (event := await self.next()) is not None:
            if event["type"] == wanted if isinstance(wanted, str) else wanted(event):
                return event
        raise EOFError(f"the connection ended with {self.closed}, without {wanted}")

    async def until_closed(self) -> tuple[int, str]:
        """Return the code and the reason that the connection ends with."""
        while await self.next() is not None:
            pass
        assert self.closed is not None
        return self.closed

    async def error(self) -> Json:
        """Return the next error."""
        error: Json = (await self.until("error"))["error"]
        return error

    def types(self) -> list[str]:
        """Return the types of what came."""
        return [event["type"] for event in self.events]


def words(response: Json) -> str:
    """Return what a response says."""
    parts = [part for item in response["output"] for part in item.get("content", ())]
    return " ".join(part.get("transcript") or part.get("text") or "" for part in parts)
