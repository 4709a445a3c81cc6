"""Pages that speak the small protocol, many at once: what goes wrong, how long they wait, what they cost.

    python bench/conversation.py --quick       50 pages for a minute; without it for five

Each page speaks, types and interrupts by turns, with pauses of its own, on a socket of its own.  Every question has one
right answer, and every one of them is counted that was not heard, not understood or not answered.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import random
import sys
import time
import wave
from collections import Counter
from pathlib import Path
from typing import Any

from load.processes import Server
from load.tables import median, percentile, shown, table
from websockets.asyncio.client import ClientConnection, connect

from vivavoce.audio.resample import resample

ROOT = Path(__file__).parents[1]
QUESTION = ROOT / "tests" / "interop" / "data" / "question.wav"
"""«What is six times seven», which is 42."""
SERVER = Path(sys.executable).with_name("vivavoce")
RATE_HZ = 16_000
CHUNK_BYTES = 2 * RATE_HZ // 25
PATIENCE_SECONDS = 30.0
STORY = "Count from one to thirty."
ANSWERS = ("42", "forty-two")


class Tally:
    """What all pages saw."""

    def __init__(self) -> None:
        self.turns: Counter[str] = Counter()
        self.faults: Counter[str] = Counter()
        self.spoken_ms: list[float] = []
        self.typed_ms: list[float] = []
        self.stopped_ms: list[float] = []


class Page:
    """One page."""

    def __init__(self, socket: ClientConnection, sound: bytes, tally: Tally, chance: random.Random) -> None:
        self._socket = socket
        self._sound = sound
        self._tally = tally
        self._chance = chance

    async def say(self, kind: str, **fields: Any) -> None:
        await self._socket.send(json.dumps({"type": kind, **fields}))

    async def hear(self, kind: str) -> dict[str, Any]:
        """Return the next message of a type."""
        while True:
            message = json.loads(await self._socket.recv())
            if message["type"] == "error":
                self._tally.faults[f"error {message['code']}"] += 1
            if message["type"] == kind:
                return dict(message)

    async def answer(self) -> tuple[str, dict[str, Any]]:
        """Return the words of the next answer, and how it ended."""
        words = ""
        while True:
            message = json.loads(await self._socket.recv())
            if message["type"] == "error":
                self._tally.faults[f"error {message['code']}"] += 1
            elif message["type"] == "text_delta":
                words += message["text"]
            elif message["type"] == "response_done":
                return words, message

    async def talk(self, until: float) -> None:
        """Take one turn after another."""
        await self.hear("session_ready")
        turns = (self.speak, self.write, self.interrupt)
        await asyncio.sleep(self._chance.uniform(0, 8))
        while time.monotonic() < until:
            turn = self._chance.choice(turns)
            self._tally.turns[turn.__name__] += 1
            try:
                async with asyncio.timeout(PATIENCE_SECONDS):
                    await turn()
            except TimeoutError:
                self._tally.faults[f"{turn.__name__}: nothing came"] += 1
            await asyncio.sleep(self._chance.uniform(3, 9))

    async def speak(self) -> None:
        """Ask aloud."""
        for at in range(0, len(self._sound), CHUNK_BYTES):
            chunk = self._sound[at : at + CHUNK_BYTES]
            await self.say("audio", audio=base64.b64encode(chunk).decode())
            await asyncio.sleep(len(chunk) / (2 * RATE_HZ))
        heard = await self.hear("user_transcript")
        while not heard["final"]:
            heard = await self.hear("user_transcript")
        if heard["text"] != "what is six times seven":
            self._tally.faults["misheard"] += 1
        words, done = await self.answer()
        self.judge(words, done, self._tally.spoken_ms)

    async def write(self) -> None:
        """Ask in writing."""
        await self.say("text", text="What is six times seven?")
        words, done = await self.answer()
        self.judge(words, done, self._tally.typed_ms)

    async def interrupt(self) -> None:
        """Ask for something long, interrupt it, and ask something else."""
        await self.say("text", text=STORY)
        await self.hear("audio_delta")
        began = time.monotonic()
        await self.say("text", text="What is six times seven?")
        done = await self.hear("response_done")
        if done["status"] == "cancelled":
            self._tally.stopped_ms.append((time.monotonic() - began) * 1000)
        words, done = await self.answer()
        self.judge(words, done, self._tally.typed_ms)
        await self.say("interrupt", played_ms=self._chance.randrange(1000))

    def judge(self, words: str, done: dict[str, Any], waits: list[float]) -> None:
        if done["status"] != "completed":
            self._tally.faults[f"answer {done['status']}"] += 1
        elif not any(answer in words.lower() for answer in ANSWERS):
            self._tally.faults["wrong answer"] += 1
        else:
            waits.append(done["latency_ms"])


def question() -> bytes:
    """The question at the protocol's rate, and a second of silence."""
    with wave.open(str(QUESTION)) as file:
        pcm = file.readframes(file.getnframes())
        return resample(pcm, file.getframerate(), RATE_HZ) + bytes(2 * RATE_HZ)


async def talk(url: str, pages: int, seconds: float, tally: Tally) -> None:
    sound, until = question(), time.monotonic() + seconds

    async def one(number: int) -> None:
        async with connect(url, max_size=None) as socket:
            await Page(socket, sound, tally, random.Random(number)).talk(until)

    async with asyncio.TaskGroup() as group:
        for number in range(pages):
            group.create_task(one(number))


def main() -> None:
    parser = argparse.ArgumentParser(description="pages that speak the small protocol, many at once")
    parser.add_argument("--pages", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=300.0)
    parser.add_argument("--quick", action="store_true", help="one minute")
    chosen = parser.parse_args()
    seconds = 60.0 if chosen.quick else chosen.seconds
    tally = Tally()
    with Server(SERVER, "serve", "--port", "0", "--conversations-per-minute", "0", "--log-level", "warning") as server:
        resident_kb, cpu_ms, began = server.resident_kb(), server.cpu_ms(), time.monotonic()
        asyncio.run(talk(f"ws://127.0.0.1:{server.port}/ws/conversation", chosen.pages, seconds, tally))
        took = time.monotonic() - began
        used = (server.cpu_ms() - cpu_ms) / took / 10
        grown = (server.resident_kb() - resident_kb) / 1024
    rows = [
        [name, str(len(waits)), shown(median(waits)), shown(percentile(waits, 0.95) if waits else None)]
        for name, waits in (
            ("spoken turn to first audio", tally.spoken_ms),
            ("text to first audio", tally.typed_ms),
            ("new text to the end of the old answer", tally.stopped_ms),
        )
    ]
    title = f"{chosen.pages} pages for {took:.0f} s, {sum(tally.turns.values())} turns; ms"
    print(table(title, ("", "n", "median", "p95"), rows))
    print(f"\nserver: {used:.0f} % of a core, {grown:+.0f} MB")
    for fault, count in tally.faults.most_common():
        print(f"fault: {fault}: {count}")
    print("no faults" if not tally.faults else "")


if __name__ == "__main__":
    main()
