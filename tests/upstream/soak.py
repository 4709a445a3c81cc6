"""Talkers who hold long scripted conversations, and judge whether anything of them was lost.

Each talker is one client: it writes, speaks, interrupts, has functions called and deletes, at times of its choosing.
What the server says is judged as it comes, by the order that the protocol allows, by whether each answer was asked for,
and in the end by asking the model what it knows.
"""

from __future__ import annotations

import asyncio
import base64
import collections
import dataclasses
import json
import random
import statistics
import time
from collections.abc import Awaitable, Callable
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from upstream import sounds
from vivavoce.check.order import Order, OrderError

Json = dict[str, Any]
FRAME_MS = 100
SILENCE = base64.b64encode(bytes(48 * FRAME_MS)).decode()
LOUD = base64.b64encode(sounds.word(5, FRAME_MS, "audio/pcm")).decode()
PATIENCE_SECONDS = 25.0
"""How long an answer may take: longer than any server is given up for."""
TOOL: Json = {
    "type": "function",
    "name": "look_up",
    "description": "Look up a number",
    "parameters": {"type": "object", "properties": {"n": {"type": "integer"}}},
}
DETECTION: Json = {"type": "server_vad", "silence_duration_ms": 300}
SETTINGS: Json = {
    "type": "realtime",
    "instructions": "Answer what is asked.",
    "tools": [TOOL],
    "audio": {"input": {"turn_detection": DETECTION, "transcription": {"model": "gpt-4o-mini-transcribe"}}},
}


@dataclasses.dataclass
class Outcome:
    """What became of one conversation."""

    faults: list[str] = dataclasses.field(default_factory=list)
    """What must not happen, in words."""
    failed: int = 0
    """Responses that failed in protocol, and were asked for again."""
    asked: int = 0
    """Responses that were asked for, by event or by voice."""
    completed: int = 0
    """Responses that were said to their end."""
    cancelled: int = 0
    """Responses that were interrupted."""
    items: int = 0
    """Items that were there in the end."""
    seconds: float = 0.0
    """How long it was."""
    gaps: list[float] = dataclasses.field(default_factory=list)
    """Seconds without an upstream, as the relay tells them."""
    begins: list[float] = dataclasses.field(default_factory=list)
    """Seconds from a written question to the beginning of its answer."""
    notes: dict[str, int] = dataclasses.field(default_factory=dict)
    """What the relay told of its own affairs, by kind."""
    last: list[Json] = dataclasses.field(default_factory=list)
    """The last events, without audio, where something was at fault."""


class Broken(Exception):
    """The conversation cannot go on."""


class Talker:
    """One client."""

    def __init__(self, name: str, url: str, key: str, seconds: float, seed: int) -> None:
        self.outcome = Outcome()
        """What became of it."""
        self._name = name
        self._url = f"{url}/realtime?model=gpt-realtime&relay_events=1"
        self._key = key
        self._seconds = seconds
        self._random = random.Random(seed)
        self._order = Order("ga")
        self._socket: ClientConnection | None = None
        self._waiting: list[tuple[Callable[[Json], bool], asyncio.Future[Json]]] = []
        self._items: list[Json] = []
        self._loose: set[str] = set()
        """Ids of items whose words need not be known: they were interrupted."""
        self._cut: set[str] = set()
        """Those that were truncated to less than a word."""
        self._allowed = 0
        """Answers that were asked for and have not begun."""
        self._active: str | None = None
        self._voice: list[str] = []
        """Audio to be sent, frame by frame; silence when there is none."""
        self._numbers = 0
        self._last: collections.deque[Json] = collections.deque(maxlen=60)

    async def run(self) -> Outcome:
        """Talk, ask what is known, and return what became of it."""
        began = time.monotonic()
        try:
            await self._talk(began + self._seconds)
        except Broken as broken:
            self._fault(str(broken))
        except ConnectionClosed as closed:
            self._fault(f"the connection ended: {closed}")
        except TimeoutError:
            self._fault(f"nothing came for {PATIENCE_SECONDS:g} s")
        self.outcome.seconds = time.monotonic() - began
        self.outcome.items = len(self._items)
        return self.outcome

    async def _talk(self, until: float) -> None:
        headers = {"Authorization": f"Bearer {self._key}"}
        async with connect(self._url, additional_headers=headers, max_size=None, compression=None) as socket:
            self._socket = socket
            reading = asyncio.create_task(self._read())
            speaking = asyncio.create_task(self._breathe())
            try:
                await self._await(lambda event: event["type"] == "session.created")
                await self._ask_for("session.updated", "session.update", session=SETTINGS)
                await self._hold(until)
                await self._remember()
            finally:
                for task in (reading, speaking):
                    task.cancel()
                await asyncio.gather(reading, speaking, return_exceptions=True)

    async def _hold(self, until: float) -> None:
        acts: list[Callable[[], Awaitable[None]]] = [
            self._write, self._write, self._speak, self._speak, self._interrupt, self._call, self._aside, self._delete,
        ]  # fmt: skip
        while time.monotonic() < until:
            await self._random.choice(acts)()
            await asyncio.sleep(self._random.uniform(0.1, 2.0))

    # ------------------------------------------------------------------------------------------------ acts

    async def _write(self) -> None:
        await self._answered(lambda: self._question(f"This is remark {self._next()} of {self._name}"), "You said")

    async def _question(self, text: str) -> None:
        content = [{"type": "input_text", "text": text}]
        item = {"id": f"{self._name}_{self._next()}", "type": "message", "role": "user", "content": content}
        await self._send("conversation.item.create", item=item)
        await self._respond()

    async def _respond(self) -> None:
        self._allowed += 1
        self.outcome.asked += 1
        asked_at = time.monotonic()
        begun = self._await(lambda event: event["type"] == "response.created")
        await self._send("response.create")
        await begun
        self.outcome.begins.append(time.monotonic() - asked_at)

    async def _answered(self, ask: Callable[[], Awaitable[None]], expected: str) -> Json:
        """Ask, and return the answer; one that fails is asked for again."""
        done = self._await(self._is_end)
        await ask()
        while True:
            response = (await done)["response"]
            if response["status"] == "completed":
                break
            if response["status"] != "failed":
                raise Broken(f"an answer ended as {response['status']}: {response['status_details']}")
            done = self._await(self._is_end)
            await self._respond()
        told = _words(response)
        if expected not in told:
            self._fault(f"the answer was {told[:80]!r}, not {expected!r}")
        return dict(response)

    async def _speak(self) -> None:
        # Transcripts tell lengths: turns differ by them.
        length = self._random.randint(4, 16)
        heard = self._await(_is_heard)
        done = self._await(self._is_end)
        self._voice += length * [LOUD]
        await heard
        response = (await done)["response"]
        if response["status"] == "failed":
            await self._answered(self._respond, "You said")
        elif response["status"] != "completed":
            raise Broken(f"an answer to speech ended as {response['status']}")

    async def _interrupt(self) -> None:
        first = self._await(lambda event: event["type"] == "response.output_audio.delta" or self._is_end(event))
        done = self._await(self._is_end)
        await self._question("Please count to 40")
        began = await first
        if self._is_end(began):
            await self._answered(self._respond, "1 2 3")
            return
        await asyncio.sleep(self._random.uniform(0.3, 1.5))
        started = self._await(lambda event: event["type"] == "input_audio_buffer.speech_started")
        heard = self._await(_is_heard)
        self._voice += self._random.randint(4, 16) * [LOUD]
        await started
        self._loose.add(began["item_id"])
        self._cut.add(began["item_id"])
        # Most of an answer has been played when it is interrupted: nothing shorter than this was sent.
        cut = {"item_id": began["item_id"], "content_index": 0, "audio_end_ms": 200}
        await self._ask_for("conversation.item.truncated", "conversation.item.truncate", **cut)
        if (await done)["response"]["status"] not in ("cancelled", "failed", "completed"):
            raise Broken("an interrupted answer did not end")
        await heard
        if self._active is not None or self._allowed:
            last = (await self._await(self._is_end))["response"]
            if last["status"] == "failed":
                await self._answered(self._respond, "You said")

    async def _call(self) -> None:
        number = self._next()
        question = f'call look_up {{"n": {number}}}'
        response = await self._answered(lambda: self._question(question), "")
        (call,) = [item for item in response["output"] if item["type"] == "function_call"]
        output = {"type": "function_call_output", "call_id": call["call_id"], "output": f"number {number}"}

        async def tell() -> None:
            await self._send("conversation.item.create", item=output)
            await self._respond()

        await self._answered(tell, f"The result is number {number}.")

    async def _aside(self) -> None:
        given = [{"type": "message", "role": "user", "content": [{"type": "input_text", "text": "aside"}]}]
        apart = {"conversation": "none", "input": given, "output_modalities": ["text"], "metadata": {"for": self._name}}
        for _ in range(5):
            self._allowed += 1
            self.outcome.asked += 1
            done = self._await(self._is_end)
            await self._send("response.create", response=apart)
            response = (await done)["response"]
            if response["metadata"] != {"for": self._name}:
                self._fault(f"the metadata of an answer out of band became {response['metadata']}")
            if response["status"] == "completed":
                return
        raise Broken("five answers out of band failed")

    async def _delete(self) -> None:
        own = [item["id"] for item in self._items if item.get("role") == "user"]
        if len(own) > 3:
            gone = self._random.choice(own[:-1])
            await self._ask_for("conversation.item.deleted", "conversation.item.delete", item_id=gone)

    async def _remember(self) -> None:
        """Ask what is known, and compare it with what was said."""
        await asyncio.sleep(1.0)
        content = [{"type": "input_text", "text": "What do you know?"}]
        item = {"id": f"{self._name}_last", "type": "message", "role": "user", "content": content}
        await self._ask_for("conversation.item.done", "conversation.item.create", item=item)
        expected: list[tuple[str, str]] = []
        known: list[list[str]] = []
        for _ in range(5):
            self._allowed += 1
            self.outcome.asked += 1
            done = self._await(self._is_end)
            expected = [(one["id"], _text(one)) for one in self._items]
            await self._send("response.create", response={"output_modalities": ["text"]})
            response = (await done)["response"]
            if response["status"] == "completed":
                known = json.loads(_words(response).partition(": ")[2])
                break
        else:
            raise Broken("nobody could tell what is known")
        self._compare(expected, [(one, words) for one, _, words in known])
        if self._allowed:
            self._fault(f"{self._allowed} answers that were asked for never came")
        try:
            self._order.finish()
        except OrderError as wrong:
            self._fault(str(wrong))

    def _compare(self, expected: list[tuple[str, str]], known: list[tuple[str, str]]) -> None:
        ids, known_ids = [one for one, _ in expected], [one for one, _ in known]
        # Nothing is left of an answer that was cut before its first word had ended, nor of a call that was broken off.
        calls = {item["id"] for item in self._items if item["type"] == "function_call"}
        gone = {one for one, text in expected if one in self._loose and (not text or one in self._cut | calls)}
        ids = [one for one in ids if one in known_ids or one not in gone]
        if len(ids) == len(known_ids):
            # A turn that went on at another upstream has another id there, of which the client never hears.
            spoken = {item["id"] for item in self._items if _is_spoken(item)}
            known_ids = [
                ours if theirs not in ids and ours in spoken else theirs
                for ours, theirs in zip(ids, known_ids, strict=True)
            ]
        if lost := [one for one in ids if one not in known_ids]:
            self._fault(f"{len(lost)} items of {len(ids)} were lost: {lost[:5]}")
        if foreign := [one for one in known_ids if one not in ids]:
            self._fault(f"{len(foreign)} items were known that nobody told of: {foreign[:5]}")
        if not lost and not foreign and ids != known_ids:
            self._fault("the items are known in another order")
        words = dict(known)
        for one, text in expected:
            if one in words and one not in self._loose and words[one] != text:
                self._fault(f"item {one} is known as {words[one][:60]!r}, not as {text[:60]!r}")

    # ------------------------------------------------------------------------------------------------ the wire

    async def _send(self, kind: str, **fields: Any) -> None:
        assert self._socket is not None
        await self._socket.send(json.dumps({"type": kind, **fields}))

    async def _ask_for(self, answer: str, kind: str, **fields: Any) -> Json:
        answered = self._await(lambda event: event["type"] == answer)
        await self._send(kind, **fields)
        return await answered

    def _await(self, wanted: Callable[[Json], bool]) -> asyncio.Future[Json]:
        """Return what becomes the next event that is wanted; the reader sees to it that this ends."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Json] = loop.create_future()
        self._waiting.append((wanted, future))

        def give_up() -> None:
            if not future.done():
                future.set_exception(Broken(f"what was waited for did not come within {PATIENCE_SECONDS:g} s"))

        timer = loop.call_later(PATIENCE_SECONDS, give_up)
        future.add_done_callback(lambda _: timer.cancel())
        return future

    def _is_end(self, event: Json) -> bool:
        return bool(event["type"] == "response.done")

    async def _breathe(self) -> None:
        """Send audio in real time, whatever else is done."""
        clock = asyncio.get_running_loop().time
        due = clock()
        while True:
            audio = self._voice.pop(0) if self._voice else SILENCE
            await self._send("input_audio_buffer.append", audio=audio)
            due += FRAME_MS / 1000
            await asyncio.sleep(max(0.0, due - clock()))

    async def _read(self) -> None:
        assert self._socket is not None
        error: Exception
        try:
            while True:
                async with asyncio.timeout(PATIENCE_SECONDS):
                    event = json.loads(await self._socket.recv())
                self._take(event)
        except (ConnectionClosed, TimeoutError, Broken) as ended:
            error = ended
        for _, future in self._waiting:
            if not future.done():
                future.set_exception(error)
        raise error

    def _take(self, event: Json) -> None:
        kind = event["type"]
        if "audio.delta" not in kind:
            self._last.append(event)
        if kind == "vivavoce.relay":
            self._note(event)
            return
        try:
            self._order.see(event)
        except OrderError as wrong:
            self._fault(f"{wrong.rule}: {wrong}"[:400])
            raise Broken("the order is broken") from wrong
        match kind:
            case "error":
                self._fault(f"an error came: {event['error']}")
            case "response.created":
                self._begin(event["response"])
            case "response.done":
                self._end(event["response"])
            case "input_audio_buffer.committed":
                self._allowed += 1  # the server answers by itself
                self.outcome.asked += 1
            case _:
                self._take_item(kind, event)
        waiting, self._waiting = self._waiting, []
        for wanted, future in waiting:
            if not future.done() and wanted(event):
                future.set_result(event)
            elif not future.done():
                self._waiting.append((wanted, future))

    def _begin(self, response: Json) -> None:
        if self._allowed <= 0:
            self._fault("an answer came that nobody asked for")
        self._allowed -= 1
        if response.get("conversation_id") is not None:
            self._active = response["id"]

    def _end(self, response: Json) -> None:
        if response["id"] == self._active:
            self._active = None
        if response["status"] == "completed":
            self.outcome.completed += 1
        elif response["status"] == "failed":
            self.outcome.failed += 1
        else:
            self.outcome.cancelled += 1
        if response["status"] != "completed":
            self._loose |= {item["id"] for item in response["output"]}

    def _take_item(self, kind: str, event: Json) -> None:
        if kind == "conversation.item.added":
            ids = [item["id"] for item in self._items]
            previous = event.get("previous_item_id")
            place = ids.index(previous) + 1 if previous in ids else 0
            self._items.insert(place, event["item"])
        elif kind == "conversation.item.done":
            self._items = [event["item"] if one["id"] == event["item"]["id"] else one for one in self._items]
        elif kind == "conversation.item.deleted":
            self._items = [one for one in self._items if one["id"] != event["item_id"]]
        elif kind.endswith("input_audio_transcription.failed"):
            self._loose.add(event["item_id"])
        elif kind.endswith("input_audio_transcription.completed"):
            for item in self._items:
                if item["id"] == event["item_id"]:
                    item["content"][0]["transcript"] = event["transcript"]

    def _note(self, event: Json) -> None:
        what = event["what"]
        self.outcome.notes[what] = self.outcome.notes.get(what, 0) + 1
        if what == "recovered":
            self.outcome.gaps.append(float(event["seconds"]))

    def _fault(self, words: str) -> None:
        self.outcome.last = self.outcome.last or list(self._last)
        self.outcome.faults.append(f"{self._name}: {words}")

    def _next(self) -> int:
        self._numbers += 1
        return self._numbers


def _is_heard(event: Json) -> bool:
    return bool(event["type"].endswith(("input_audio_transcription.completed", "input_audio_transcription.failed")))


def _words(response: Json) -> str:
    return " ".join(_text(item) for item in response["output"])


def _is_spoken(item: Json) -> bool:
    """Return whether an item is what a user said."""
    content = item.get("content") or [{}]
    return item.get("role") == "user" and content[0].get("type") == "input_audio"


def _text(item: Json) -> str:
    if item["type"] == "function_call":
        return f"{item['name']}({item['arguments']})"
    if item["type"] == "function_call_output":
        return str(item["output"])
    return " ".join(filter(None, (part.get("text") or part.get("transcript") for part in item["content"])))


async def soak(url: str, key: str, *, sessions: int, seconds: float, seed: int = 1, ramp: float = 3.0) -> list[Outcome]:
    """Let so many talkers talk for so long, and return what became of them."""

    async def talk(number: int) -> Outcome:
        await asyncio.sleep(ramp * number / sessions)
        return await Talker(f"t{seed}_{number}", url, key, seconds, seed * 1000 + number).run()

    return list(await asyncio.gather(*(talk(number) for number in range(sessions))))


def percentile(values: list[float], share: float) -> float:
    """Return the value below which a share of the values lies; NaN where there are none."""
    if not values:
        return float("nan")
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def summary(outcomes: list[Outcome]) -> Json:
    """Return the figures of all conversations together."""
    gaps = [gap for outcome in outcomes for gap in outcome.gaps]
    begins = [begin for outcome in outcomes for begin in outcome.begins]
    notes: dict[str, int] = {}
    for outcome in outcomes:
        for what, count in outcome.notes.items():
            notes[what] = notes.get(what, 0) + count
    return {
        "conversations": len(outcomes),
        "faults": [fault for outcome in outcomes for fault in outcome.faults],
        "items": sum(outcome.items for outcome in outcomes),
        "asked": sum(outcome.asked for outcome in outcomes),
        "completed": sum(outcome.completed for outcome in outcomes),
        "cancelled": sum(outcome.cancelled for outcome in outcomes),
        "failed": sum(outcome.failed for outcome in outcomes),
        "gaps": len(gaps),
        "gap_median_s": statistics.median(gaps) if gaps else 0.0,
        "gap_p95_s": percentile(gaps, 0.95),
        "gap_max_s": max(gaps, default=0.0),
        "begin_median_s": statistics.median(begins) if begins else 0.0,
        "begin_p95_s": percentile(begins, 0.95),
        "begin_max_s": max(begins, default=0.0),
        "notes": notes,
    }
