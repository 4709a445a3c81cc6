"""One connection to a server under test, as cases use it: what is said, what is awaited, and what must not come.

Everything that is heard is kept and judged by `check.standing`; what a case claims itself it raises as `Broken`.
"""

from __future__ import annotations

import asyncio
import itertools
from base64 import b64decode
from typing import Any

import msgspec

from .order import Event, Shape
from .recordings import base64
from .spelling import BYTES_PER_MS, Spelling
from .standing import Ledger, Watch
from .target import Wire
from .verdict import Broken, HungUp, need, shown

_CHUNK_MS = 200
_LATE = 1 / 6
"""How much later than the next answer an error may come, as a share of the patience: OpenAI takes a second over an
empty commit."""

_DRAIN_SECONDS = 0.01
"""How long to wait for a message that came with others that were heard already."""

ASIDE = ("conversation.item.input_audio_transcription.", "rate_limits.")
"""Events that may stand anywhere between others."""


class Reply(msgspec.Struct):
    """A response and everything that was told of it."""

    created: dict[str, Any]
    """The response as `response.created` shows it."""
    done: dict[str, Any]
    """The response as `response.done` shows it."""
    events: list[dict[str, Any]]
    """All events heard from the first to the second."""
    kinds: list[str]
    """Their GA names."""

    @property
    def id(self) -> str:
        """The response's id."""
        return str(self.created["id"])

    @property
    def status(self) -> str:
        """How it ended."""
        return str(self.done["status"])

    @property
    def ending(self) -> str:
        """How it ended, for people, with the reason where it tells one."""
        details = self.done.get("status_details") or {}
        error = details.get("error") or {}
        reason = details.get("reason") or shown(f"{error.get('code')}: {error.get('message')}") if details else ""
        return f"{self.status} ({reason})" if reason else self.status

    @property
    def calls(self) -> list[dict[str, Any]]:
        """The function calls in it."""
        return [item for item in self.done["output"] if item["type"] == "function_call"]

    @property
    def messages(self) -> list[dict[str, Any]]:
        """The messages in it."""
        return [item for item in self.done["output"] if item["type"] == "message"]

    def of(self, kind: str) -> list[dict[str, Any]]:
        """Return its events of a GA name."""
        return [
            event
            for event, name in zip(self.events, self.kinds, strict=True)
            if name == kind and event.get("response_id") == self.id
        ]

    def said(self, stream: str) -> str:
        """Return the deltas of a stream, such as `output_text`, one after another."""
        return "".join(event["delta"] for event in self.of(f"response.{stream}.delta"))

    @property
    def audio(self) -> bytes:
        """The audio of all its deltas."""
        return b"".join(b64decode(event["delta"]) for event in self.of("response.output_audio.delta"))


class Talk:
    """One connection."""

    def __init__(self, wire: Wire, shape: Shape, ledger: Ledger, who: str, patience: float) -> None:
        self.wire = wire
        """The connection itself."""
        self.spelling = Spelling(shape)
        """How the shape is written."""
        self.session: dict[str, Any] = {}
        """The session as it was told last."""
        self.heard: list[dict[str, Any]] = []
        """Every event so far."""
        self.endings: dict[str, str] = {}
        """How responses ended that are done, by their ids."""
        self.patience = patience
        """Seconds after which what is awaited will not come."""
        self._watch = Watch(shape, ledger, who)
        self._numbers = itertools.count(1)

    # ------------------------------------------------------------------------------------------------ hearing

    def kind(self, event: Event) -> str:
        """Return the GA name of an event."""
        return self.spelling.kind(str(event["type"]))

    def kinds(self, mark: int = 0) -> list[str]:
        """Return the GA names of what was heard since a mark, without what may stand anywhere."""
        return [kind for kind in map(self.kind, self.heard[mark:]) if not kind.startswith(ASIDE)]

    @property
    def mark(self) -> int:
        """How much was heard so far."""
        return len(self.heard)

    async def hear(self, seconds: float | None = None) -> dict[str, Any]:
        """Return the next event.

        Raises:
            Broken: none came in time.
            HungUp: the connection was closed.
        """
        seconds = self.patience if seconds is None else seconds
        try:
            async with asyncio.timeout(seconds):
                while True:
                    event = self._watch.see(await self.wire.receive())
                    if event is not None:
                        break
        except TimeoutError:
            raise Broken(f"nothing came for {seconds:g} s after {self._latest()}") from None
        heard = dict(event)
        self.heard.append(heard)
        if isinstance(heard.get("session"), dict):
            self.session = heard["session"]
        if heard["type"] == "response.done":
            self.endings[heard["response"]["id"]] = heard["response"]["status"]
        return heard

    async def until(self, kind: str, **fields: Any) -> dict[str, Any]:
        """Return the next event of a GA name, with these fields, passing over others.

        Raises:
            Broken: an error came that was not awaited, or nothing in time.
            HungUp: the connection was closed.
        """
        while True:
            event = await self.hear()
            if self.kind(event) == kind and all(event.get(name) == value for name, value in fields.items()):
                return event
            if event["type"] == "error":
                raise Broken(f"awaiting {kind}, the server sent an error: {_told(event)}")

    async def quiet(self, seconds: float) -> list[str]:
        """Listen for a while and return the GA names of what came, without what may stand anywhere."""
        mark = self.mark
        try:
            async with asyncio.timeout(seconds):
                while True:
                    await self.hear(seconds + 1)
        except TimeoutError:
            return self.kinds(mark)

    def _latest(self) -> str:
        return str(self.heard[-1]["type"]) if self.heard else "the connection"

    # ------------------------------------------------------------------------------------------------ saying

    async def send(self, kind: str, **fields: Any) -> str:
        """Send a client event and return the event_id that it was given."""
        event_id = str(fields.pop("event_id", f"check_{next(self._numbers)}"))
        await self.say({"type": kind, "event_id": event_id, **fields})
        return event_id

    async def say(self, message: Any) -> None:
        """Send any JSON value as a text frame."""
        await self.wire.send(msgspec.json.encode(message).decode())

    async def append(self, audio: bytes, format: str = "pcm") -> None:  # noqa: A002
        """Append audio, in pieces as clients send it."""
        step = _CHUNK_MS * BYTES_PER_MS[format]
        for at in range(0, len(audio), step):
            await self.send("input_audio_buffer.append", audio=base64(audio[at : at + step]))

    # ------------------------------------------------------------------------------------------------ asking

    async def begin(self) -> dict[str, Any]:
        """Await what a server says first, and return the session.

        Raises:
            Broken: it says something else.
        """
        first = await self.hear()
        if first["type"] == "error":
            raise Broken(f"the session was refused: {_told(first)}")
        need(self.kind(first) == "session.created", f"the first event is {first['type']}, not session.created")
        if self.spelling.is_beta and not first["type"].startswith("transcription"):
            second = await self.hear()
            need(second["type"] == "conversation.created", f"the second event is {second['type']}")
        return self.session

    async def update(self, **settings: Any) -> dict[str, Any]:
        """Change settings, by their neutral names, and return the session as it is then."""
        await self.send("session.update", session=self.spelling.session(settings))
        await self.until("session.updated")
        return self.session

    def setting(self, name: str) -> Any:
        """Return a setting of the session as it was told last, by its neutral name."""
        return self.spelling.read(self.session, name)

    async def create(self, item: dict[str, Any], **fields: Any) -> dict[str, Any]:
        """Create an item and return the event that told of its entry, once it is done."""
        await self.send("conversation.item.create", item=item, **fields)
        added = await self.until("conversation.item.added")
        if not self.spelling.is_beta:
            done = await self.until("conversation.item.done")
            need(done["item"] == added["item"], f"the done item {shown(done['item'])} is not the added one")
        return added

    async def retrieve(self, item_id: str) -> dict[str, Any]:
        """Return an item as the server has it."""
        await self.send("conversation.item.retrieve", item_id=item_id)
        event = await self.until("conversation.item.retrieved")
        need(event["item"]["id"] == item_id, f"the retrieved item has the id {event['item']['id']}")
        return dict(event["item"])

    async def holds(self, item_id: str) -> bool:
        """Return whether the conversation has an item of that id."""
        event_id = await self.send("conversation.item.retrieve", item_id=item_id)
        while True:
            event = await self.hear()
            if event["type"] == "conversation.item.retrieved" and event["item"]["id"] == item_id:
                return True
            if event["type"] == "error" and _is_about(event, event_id, item_id):
                return False

    async def refused(
        self, kind: str, *, code: str | tuple[str, ...] = (), param: str | None = "", says: str = "", **fields: Any
    ) -> dict[str, Any]:
        """Send an event that must be answered by an error, and by nothing else, and return the error.

        `code` is the error's code or several that will do, `param` the path that it names (an empty one is not looked
        at), and `says` how its message begins.
        """
        mark = self.mark
        event_id = await self.send(kind, **fields)
        marker = await self._mark()
        error = await self._error_before(marker)
        named = error.get("event_id")
        need(named == event_id, f"the error names the event {named!r}, not {event_id!r}")
        came = [name for name in self.kinds(mark) if name != "error"]
        need(not came, f"besides the error came {', '.join(came)}")
        codes = (code,) if isinstance(code, str) else code
        need(not codes or error["code"] in codes, f"the code is {error['code']!r}: {error['message']}")
        need(param == "" or error["param"] == param, f"the param is {error['param']!r}, not {param!r}")
        need(error["message"].startswith(says), f"the message is {error['message']!r}")
        return error

    async def error(self, event_id: str) -> dict[str, Any]:
        """Return the error that answers an event after which the connection may end.

        Raises:
            Broken: none came, or one that answers another event.
        """
        try:
            async with asyncio.timeout(self.patience):
                event = await self.hear()
                while event["type"] != "error":
                    event = await self.hear()
        except TimeoutError:
            raise Broken("no error came") from None
        named = event["error"].get("event_id")
        need(named == event_id, f"the error names the event {named!r}, not {event_id!r}")
        return dict(event["error"])

    async def settle(self) -> list[str]:
        """Return the GA names of what else comes before the server has taken in everything that was sent."""
        mark, marker = self.mark, await self._mark()
        while True:
            event = await self.hear()
            if event["type"] == "error" and _is_about(event, *marker):
                self.heard.pop()
                return self.kinds(mark)

    async def _mark(self) -> tuple[str, str]:
        """Ask for what must be refused, so that its error tells that everything before it was taken in."""
        item_id = f"item_nowhere_{next(self._numbers)}"
        return await self.send("conversation.item.retrieve", item_id=item_id), item_id

    async def _error_before(self, marker: tuple[str, str]) -> dict[str, Any]:
        """Return the error that comes before that of a marker, or soon after it, and take in the marker's.

        Raises:
            Broken: none comes.
        """
        mark, found, is_past = self.mark, None, False
        while found is None or not is_past:
            try:
                event = await self.hear(self.patience * _LATE if is_past else None)
            except Broken:
                if not is_past:
                    raise
                break
            if event["type"] == "error" and _is_about(event, *marker):
                is_past = True
                self.heard.pop()
            elif event["type"] == "error" and found is None:
                found = dict(event["error"])
        if found is None:
            came = ", ".join(self.kinds(mark)) or "nothing"
            raise Broken(f"no error came, but {came}")
        return found

    async def respond(self, **settings: Any) -> Reply:
        """Ask for a response with these settings, by their neutral names, and return it whole."""
        await self.ask(**settings)
        return await self.reply()

    async def ask(self, **settings: Any) -> str:
        """Ask for a response with these settings, by their neutral names; returns the event's id."""
        if not settings:
            return await self.send("response.create")
        return await self.send("response.create", response=self.spelling.response(settings))

    async def reply(self, created: dict[str, Any] | None = None) -> Reply:
        """Await a response from its creation, or from the event that created it, to its end."""
        event = created if created is not None else await self.until("response.created")
        first, response = self.heard.index(event), event["response"]
        while True:
            event = await self.until("response.done")
            if event["response"]["id"] == response["id"]:
                break
        events = self.heard[first:]
        return Reply(response, dict(event["response"]), events, [self.kind(each) for each in events])

    async def close(self) -> None:
        """Take in what was sent by now, so that it is judged too, and hang up."""
        try:
            async with asyncio.timeout(self.patience * _LATE):
                await self.wire.ping()
            while True:
                await self.hear(_DRAIN_SECONDS)
        except (Broken, HungUp, TimeoutError):
            await self.wire.close()


def _is_about(event: Event, event_id: str, item_id: str) -> bool:
    """Return whether an error answers the retrieval of an item, even where it does not repeat the event's id."""
    error = event["error"]
    return error.get("event_id") == event_id or (not error.get("event_id") and item_id in str(error.get("message")))


def _told(event: Event) -> str:
    error = event.get("error") or {}
    return shown(f"{error.get('code')}: {error.get('message')}")
