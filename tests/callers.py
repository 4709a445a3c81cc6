"""A call without sockets and models: a leg, ears and a brain that tests pull the strings of."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from pathlib import Path
from typing import Any

from vivavoce.core.effects import Prompt, Vocabulary
from vivavoce.core.formats import AudioFormat
from vivavoce.core.items import McpFault, McpTool
from vivavoce.core.limits import DEFAULT_LIMITS, Limits
from vivavoce.core.reports import BrainReport, Report, ToolFailed, ToolReturned, ToolsListed, ToolsUnavailable
from vivavoce.core.service import Abilities, Service
from vivavoce.core.settings import McpServer, Settings
from vivavoce.dialects.choose import choose
from vivavoce.server.call import Call, Terms


async def settle() -> None:
    """Let everything that can happen happen."""
    for _ in range(12):
        await asyncio.sleep(0)


class StringLeg:
    """A leg that keeps what it is sent, and that can be made slow."""

    peer = "a test"
    queued_bytes = 0

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []
        self.closed: tuple[int, str] | None = None
        self.free = asyncio.Event()
        self.free.set()
        self.draining = 0

    def send(self, data: bytes) -> None:
        if self.closed is None:
            self.sent.append(json.loads(data))

    async def drain(self) -> None:
        self.draining += 1
        try:
            await self.free.wait()
        finally:
            self.draining -= 1

    def close(self, code: int, reason: str) -> None:
        self.closed = self.closed or (code, reason)

    def types(self) -> list[str]:
        """The types of what was sent since the last time."""
        types = [message["type"] for message in self.sent]
        self.sent.clear()
        return types


class StringEars:
    """Ears that note what they are told, and hear what the test says; also the hearing that opens them."""

    def __init__(self) -> None:
        self.told: list[tuple[Any, ...]] = []
        self.report: Callable[[Report], None] = lambda report: None
        self.is_closed = False

    languages: tuple[str, ...] = ()

    def open(self, report: Callable[[Report], None]) -> StringEars:
        self.report = report
        return self

    def expect(self, vocabulary: Vocabulary) -> None:
        self.told.append(("expect", vocabulary))

    def listen(self, audio: bytes, format: AudioFormat, at: int, detect: bool) -> None:  # noqa: A002
        self.told.append(("listen", audio, format, at, detect))

    def expect_echo(self, audio: bytes, format: AudioFormat, at: int) -> None:  # noqa: A002
        self.told.append(("expect_echo", audio, format, at))

    def denoise(self, mode: str | None, strength: float) -> None:
        self.told.append(("denoise", mode, strength))

    def transcribe(self, item_id: str, start: int, vocabulary: Vocabulary, delay: str = "", *_: bool) -> None:
        self.told.append(("transcribe", item_id, start, vocabulary, *filter(None, (delay,))))

    def conclude(self, item_id: str, end: int) -> None:
        self.told.append(("conclude", item_id, end))

    def discard(self, item_id: str) -> None:
        self.told.append(("discard", item_id))

    def recognise(self, item_id: str, audio: bytes, format: AudioFormat, vocabulary: Vocabulary) -> None:  # noqa: A002
        self.told.append(("recognise", item_id, audio, format, vocabulary))

    async def ready(self) -> None: ...

    def close(self) -> Any:
        self.is_closed = True


class StringBrain:
    """A brain that says what the test puts into its queues; an exception there is raised, None ends the answer."""

    def __init__(self) -> None:
        self.prompts: list[Prompt] = []
        self.queues: dict[str, asyncio.Queue[BrainReport | Exception | None]] = {}
        self.closed: list[str] = []

    @property
    def abilities(self) -> Abilities:
        return Abilities()

    async def answer(self, prompt: Prompt) -> AsyncGenerator[BrainReport, None]:
        self.prompts.append(prompt)
        queue = self.queue(prompt.response_id)
        try:
            while (report := await queue.get()) is not None:
                if isinstance(report, Exception):
                    raise report
                yield report
        finally:
            self.closed.append(prompt.response_id)

    def queue(self, response_id: str) -> asyncio.Queue[BrainReport | Exception | None]:
        return self.queues.setdefault(response_id, asyncio.Queue())

    def say(self, report: BrainReport) -> None:
        self.queue(report.response_id).put_nowait(report)

    async def ready(self) -> None: ...

    async def close(self) -> None: ...


class StringToolbox:
    """Remote servers that return what the test puts into their queues."""

    def __init__(self) -> None:
        self.listed: list[McpServer] = []
        self.called: list[tuple[str, str]] = []
        self.queues: dict[str, asyncio.Queue[str | McpFault | Exception]] = {}
        self.cancelled: list[str] = []
        self.is_closed = False

    async def list_tools(self, item_id: str, server: McpServer) -> ToolsListed | ToolsUnavailable:
        self.listed.append(server)
        return ToolsListed(item_id, (McpTool("look", {"type": "object"}), McpTool("buy", {"type": "object"})))

    async def call_tool(self, item_id: str, server: McpServer, name: str, arguments: str) -> ToolReturned | ToolFailed:
        self.called.append((name, arguments))
        try:
            outcome = await self.queues.setdefault(name, asyncio.Queue()).get()
        except asyncio.CancelledError:
            self.cancelled.append(name)
            raise
        if isinstance(outcome, Exception):
            raise outcome
        return ToolReturned(item_id, outcome) if isinstance(outcome, str) else ToolFailed(item_id, outcome)

    async def close(self) -> None:
        self.is_closed = True

    def give(self, name: str, outcome: str | McpFault | Exception) -> None:
        self.queues.setdefault(name, asyncio.Queue()).put_nowait(outcome)


class Desk:
    """One call and everything it is connected to."""

    def __init__(
        self, shape: str | None = "ga", limits: Limits = DEFAULT_LIMITS, journal: Path | None = None, seed: str = "T"
    ) -> None:
        self.clock = 100.0
        self.leg = StringLeg()
        self.ears = StringEars()
        self.brain = StringBrain()
        self.dialect = choose(shape)
        self.toolbox = StringToolbox()
        terms = Terms(Settings(), limits, shape, journal, Service(Abilities(calls_mcp=True)))
        self.call = Call(
            self.leg,
            self.dialect,
            self.ears,
            self.brain,
            terms,
            now=lambda: self.clock,
            unix_now=1e9,
            seed=seed,
            toolbox=self.toolbox,
        )

    def client(self, kind: str, **fields: Any) -> None:
        self.call.receive_frame(json.dumps({"type": kind, **fields}).encode())

    async def ask(self) -> str:
        """Have the client ask for an answer; returns its id once the brain was asked."""
        self.client("response.create")
        await settle()
        return self.brain.prompts[-1].response_id

    @contextlib.asynccontextmanager
    async def at_work(self) -> AsyncIterator[Desk]:
        """Hold the call while the block runs, and hang up after it."""
        run = asyncio.ensure_future(self.call.run())
        try:
            await settle()
            yield self
            self.call.leg_closed(1000, "")
            await asyncio.wait_for(run, 10)
        finally:
            run.cancel()
