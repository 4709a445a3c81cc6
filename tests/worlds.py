"""A session with a world that says anything at any time, legal or not, for the property tests."""

from __future__ import annotations

import base64
import json
import random
from typing import Any

from vivavoce.core import effects as ef
from vivavoce.core import reports as rp
from vivavoce.core.items import McpFault, McpTool, WordMark
from vivavoce.core.limits import Limits
from vivavoce.core.service import Abilities, Service
from vivavoce.core.session import Session
from vivavoce.core.settings import McpServer, ServerVad, Settings, ToolFilter
from vivavoce.dialects.choose import Dialect, choose
from vivavoce.server.ids import Ids
from vivavoce.server.journal import receive_frame

TOOLS = [{"type": "function", "name": "look_up", "description": "Looks things up", "parameters": {"type": "object"}}]
SHOP = {"type": "mcp", "server_label": "shop", "server_url": "https://shop.example", "require_approval": "never"}
REMOTE = [SHOP, {"type": "mcp", "server_label": "bank", "server_url": "https://bank.example"}]
DETECTIONS: list[Any] = [
    None,
    {"type": "server_vad"},
    {"type": "server_vad", "silence_duration_ms": 64, "prefix_padding_ms": 0, "create_response": False},
    {"type": "server_vad", "interrupt_response": False, "silence_duration_ms": 100},
    {"type": "semantic_vad", "eagerness": "high"},
    {"type": "server_vad", "idle_timeout_ms": 5000, "silence_duration_ms": 100},
    {"type": "server_vad", "interruption_mode": "adaptive", "silence_duration_ms": 64},
]
GA_FORMATS = [{"type": "audio/pcm", "rate": r} for r in (8000, 16000, 24000)] + [{"type": "audio/pcmu"}]
BETA_FORMATS = ["pcm16", "g711_ulaw", "g711_alaw"]
VAD_FRAME_TICKS = 1536
SPOKEN = {"type": "message", "role": "user", "content": [{"type": "input_audio", "audio": "AAAAAAAA"}]}


class World:
    """Drives one session at random and keeps what was sent."""

    def __init__(self, seed: int, shape: str | None) -> None:
        self.random = random.Random(seed)
        self.shape = shape
        self.dialect: Dialect = choose(shape)
        limits = Limits(
            items=self.random.choice([6, 10_000]),
            buffer_bytes=self.random.choice([60_000, 400_000]),
            audio_bytes=100_000,
            parallel_responses=self.random.choice([2, 16]),
            session_seconds=1e6,
        )
        shop = McpServer("shop", "https://shop.example", never_ask=ToolFilter())
        settings = Settings(
            turn_detection=ServerVad(
                idle_timeout_ms=self.random.choice([None, 5000]),
                interruption_mode=self.random.choice([None, "adaptive"]),
            ),
            mcp_servers=self.random.choice([(), (shop,)]),
        )
        service = Service(Abilities(calls_mcp=True), interruption_mode=self.random.choice(["vad", "adaptive"]))
        self.session = Session(settings, new_id=Ids("T"), created_unix=1e9, limits=limits, service=service)
        self.now = 0.0
        self.sent: list[dict[str, Any]] = []
        self.effects: list[ef.Effect] = []
        self.asked: list[str] = []
        self.abandoned: set[str] = set()
        self.heard_to = 0
        self.written_to = 0
        self.utterances: dict[str, bool] = {}
        """Those whose words are awaited, and whether they have ended."""
        self.seeking: set[str] = set()
        """Items whose servers are asked for their tools."""
        self.fetching: set[str] = set()
        """Items whose tools are being called."""
        self.take(self.session.start(0.0))

    def take(self, effects: list[ef.Effect]) -> list[dict[str, Any]]:
        """Perform effects and return the messages sent."""
        out: list[dict[str, Any]] = []
        for effect in effects:
            self.effects.append(effect)
            match effect:
                case ef.Send():
                    out += [json.loads(frame) for frame in self.dialect.encode(effect.event)]
                case ef.Answer():
                    self.asked.append(effect.prompt.response_id)
                case ef.Abandon():
                    self.abandoned.add(effect.response_id)
                case ef.Listen():
                    assert effect.at == self.written_to, "the audio clock has no gaps"
                    self.written_to = effect.at + effect.format.ticks(len(effect.audio))
                case ef.Transcribe() | ef.Recognise():
                    assert effect.item_id not in self.utterances
                    self.utterances[effect.item_id] = isinstance(effect, ef.Recognise)
                case ef.Conclude():
                    assert self.utterances[effect.item_id] is False
                    assert effect.end <= self.written_to
                    self.utterances[effect.item_id] = True
                case ef.ListTools():
                    assert effect.item_id not in self.seeking
                    self.seeking.add(effect.item_id)
                case ef.CallTool():
                    assert effect.item_id not in self.fetching
                    self.fetching.add(effect.item_id)
                case ef.DropTool():
                    assert effect.item_id in self.seeking | self.fetching, "only what is under way is dropped"
                    self.seeking.discard(effect.item_id)
                    self.fetching.discard(effect.item_id)
                case ef.Discard():
                    self.utterances.pop(effect.item_id, None)
        self.sent += out
        return out

    def client(self, **message: Any) -> list[dict[str, Any]]:
        """Have the client send a message."""
        return self.frame(json.dumps(message).encode())

    def frame(self, data: bytes) -> list[dict[str, Any]]:
        """Have the client send these bytes."""
        return self.take(receive_frame(self.session, self.dialect, data, self.now))

    def report(self, report: rp.Report) -> list[dict[str, Any]]:
        """Have the world report."""
        return self.take(self.session.receive_report(report, self.now))

    def step(self) -> list[dict[str, Any]]:
        """Do one thing at random."""
        self.now += self.random.random()
        names = [name for name in dir(self) if name.startswith("do_")]
        weights = [getattr(self, name).weight for name in names]
        return getattr(self, self.random.choices(names, weights)[0])() or []

    # ------------------------------------------------------------------------------------------------- the client

    def any_id(self) -> str:
        """An id of an item that was there, is there, is promised, or may come."""
        recent = self.sent[-40:]
        known = [m["item"]["id"] for m in recent if "item" in m] + [m["item_id"] for m in recent if "item_id" in m]
        last = recent[-1]["event_id"].removeprefix("event_") if recent else "T00000000"
        coming = f"item_{last[:-8]}{int(last[-8:]) + self.random.randint(1, 9):08d}"
        return self.random.choice([*known, coming, "item_nowhere"])

    def do_append(self) -> Any:
        size = self.random.choice([0, 1, 2, 960, 959, 4800, 48_000])
        audio = base64.b64encode(bytes(size)).decode()
        return self.client(type="input_audio_buffer.append", audio=audio)

    def do_commit(self) -> Any:
        return self.client(type="input_audio_buffer.commit")

    def do_clear(self) -> Any:
        return self.client(type="input_audio_buffer.clear")

    def do_update(self) -> Any:
        pick = self.random.choice
        shape = self.shape or pick(["ga", "beta"])
        detection, transcription = pick(DETECTIONS), pick([None, {"model": "whisper-1"}, {"model": "vivavoce"}])
        both = {
            "tools": pick([[], TOOLS, REMOTE, [*TOOLS, SHOP]]),
            "tool_choice": pick(["auto", "auto", {"type": "function", "name": "look_up"}]),
            "instructions": pick(["Be brief.", ""]),
            "include": pick([None, ["input_audio_buffer.voice_probability"]]),
        }
        if shape == "ga":
            audio = {
                "input": {"format": pick(GA_FORMATS), "turn_detection": detection, "transcription": transcription},
                "output": {"voice": pick(["alloy", "alloy", "ash"]), "format": pick(GA_FORMATS)},
            }
            session: dict[str, Any] = {"type": "realtime", "audio": audio} | both
            session["output_modalities"] = [pick(["text", "audio"])]
        else:
            session = both | {
                "turn_detection": detection,
                "input_audio_format": pick(BETA_FORMATS),
                "input_audio_transcription": transcription,
                "voice": pick(["alloy", "alloy", "ash"]),
                "modalities": pick([["text"], ["text", "audio"]]),
            }
        for key in self.random.sample(list(session), self.random.randint(0, len(session))):
            if key != "type":
                del session[key]
        return self.client(type="session.update", session=session)

    def do_item(self) -> Any:
        pick = self.random.choice
        item = pick(
            [
                {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hello"}]},
                {"type": "message", "role": "user", "content": [{"type": "input_audio", "audio": "AAAAAA=="}]},
                {"type": "function_call", "name": "look_up", "arguments": "{}", "call_id": "call_1"},
                {"type": "function_call_output", "call_id": pick(["call_1", "call_2"]), "output": "42"},
                {"type": "mcp_approval_response", "approval_request_id": self.any_id(), "approve": pick([True, False])},
                {"type": "mcp_call", "server_label": "shop", "name": "look", "arguments": "{}", "output": "two"},
                {"type": "message", "role": "assistant", "id": "twice", "content": [{"type": "text", "text": "x"}]},
            ]
        )
        if self.random.random() < 0.2:
            item = {**item, "id": self.any_id()}
        return self.client(
            type="conversation.item.create", item=item, previous_item_id=pick([None, "root", self.any_id()])
        )

    def do_item_call(self) -> Any:
        kind = self.random.choice(["retrieve", "delete"])
        return self.client(type=f"conversation.item.{kind}", item_id=self.any_id())

    def do_truncate(self) -> Any:
        return self.client(
            type="conversation.item.truncate",
            item_id=self.any_id(),
            content_index=self.random.choice([0, 0, 0, 1]),
            audio_end_ms=self.random.choice([0, 10, 100, 100_000]),
        )

    def do_respond(self) -> Any:
        response = self.random.choice(
            [
                None,
                {},
                {"conversation": "none", "metadata": {"topic": "x"}},
                {"conversation": "none", "input": []},
                {"input": [{"type": "item_reference", "id": self.any_id()}]},
                {"conversation": "none", "input": [{"type": "item_reference", "id": self.any_id()}]},
                {"instructions": None, "tools": TOOLS, "tool_choice": "required"},
                {"conversation": self.random.choice(["auto", "none"]), "input": [SPOKEN]},
                {"max_output_tokens": 5},
                {"tools": REMOTE, "tool_choice": {"type": "mcp", "server_label": "shop"}},
                {"conversation": "none", "tools": [*TOOLS, SHOP], "parallel_tool_calls": False},
                {"tool_choice": {"type": "function", "name": "nobody"}},
            ]
        )
        return self.client(type="response.create", response=response)

    def do_cancel(self) -> Any:
        ids = [None, "resp_nowhere", *self.asked[-3:]]
        return self.client(type="response.cancel", response_id=self.random.choice(ids))

    def do_nonsense(self) -> Any:
        return self.client(type=self.random.choice(["no.such.event", "session.update", "response.cancel"]), extra=1)

    # ------------------------------------------------------------------------------------------------- the world

    def do_hear(self) -> Any:
        probability = self.random.choice([0.01, 0.4, 0.99, 0.99])
        out: list[dict[str, Any]] = []
        for _ in range(self.random.choice([1, 3, 8])):
            if self.heard_to + VAD_FRAME_TICKS <= self.written_to:
                self.heard_to += VAD_FRAME_TICKS
                echo, claim = self.random.choice([0.0, 0.0, 0.9]), self.random.choice([None, 0.1, 0.9])
                out += self.report(rp.Heard(self.heard_to, probability, echo, claim))
        return out

    def do_cough(self) -> Any:
        """Make a short sound while a long answer plays."""
        if not self.asked:
            return []
        out = self.report(rp.Said(self.asked[-1], "on and on ", bytes(96_000)))
        out += self.client(type="input_audio_buffer.append", audio=base64.b64encode(bytes(48_000)).decode())
        for probability in [0.99] * 4 + [0.01] * 21:
            if self.heard_to + VAD_FRAME_TICKS <= self.written_to:
                self.heard_to += VAD_FRAME_TICKS
                out += self.report(rp.Heard(self.heard_to, probability))
        return out

    def do_overhear(self) -> Any:
        if not self.utterances:
            return []
        item_id = self.random.choice(list(self.utterances))
        words = self.random.choice(["", "yeah", "mm", "one two three", "one two three one two three"])
        return self.report(rp.Overheard(item_id, words, words[: self.random.choice([0, 3, 7])], self.random.random()))

    def do_transcribe(self) -> Any:
        ended = [i for i, is_over in self.utterances.items() if is_over or self.random.random() < 0.05]
        if not ended:
            return []
        item_id = self.random.choice(ended)
        del self.utterances[item_id]
        if self.random.random() < 0.2:
            return self.report(rp.TranscriptionFailed(item_id, "engine_error", "broken"))
        return self.report(rp.Transcribed(item_id, "one two three"))

    def do_answer(self) -> Any:
        """Let a response go on, sometimes one that is long over."""
        if not self.asked:
            return []
        response_id = self.random.choice(self.asked[-4:])
        report = self.random.choice(
            [
                rp.Said(response_id, "some words ", bytes(960)),
                rp.Said(response_id, "", bytes(4800)),
                rp.Said(response_id, "a long one ", bytes(96_000), (WordMark(500, 1),)),
                rp.Said(response_id, "text"),
                rp.Called(response_id, "look_up"),
                rp.Called(response_id, "look"),
                rp.Called(response_id, self.random.choice(["pay", "bank_pay"])),
                rp.Argued(response_id, '{"a":'),
                rp.Answered(response_id),
                rp.Answered(response_id, "content_filter"),
                rp.Broke(response_id, "engine_error", "broken"),
            ]
        )
        return self.report(report)

    def do_wait(self) -> Any:
        """Let the deadline pass, or ask too early."""
        deadline = self.session.deadline
        if deadline is not None and deadline < self.session.limits.session_seconds and self.random.random() < 0.8:
            self.now = max(self.now, deadline)
        return self.take(self.session.receive_time(self.now))

    def do_approve(self) -> Any:
        """Decide on a request that is or was open."""
        shown = [m["item"] for m in self.sent[-200:] if m["type"] == "conversation.item.done"]
        wishes = [item["id"] for item in shown if item["type"] == "mcp_approval_request"]
        if not wishes:
            return []
        item = {"type": "mcp_approval_response", "approval_request_id": self.random.choice(wishes)}
        return self.client(type="conversation.item.create", item=item | {"approve": self.random.random() < 0.7})

    def do_list(self) -> Any:
        """Let a server tell its tools, or fail to."""
        if not self.seeking:
            return []
        item_id = self.random.choice(sorted(self.seeking))
        self.seeking.discard(item_id)
        if self.random.random() < 0.2:
            return self.report(rp.ToolsUnavailable(item_id, McpFault("http_error", "broken", 500)))
        return self.report(rp.ToolsListed(item_id, (McpTool("look"), McpTool("pay"))))

    def do_fetch(self) -> Any:
        """Let a remote tool return, or fail to."""
        if not self.fetching:
            return []
        item_id = self.random.choice(sorted(self.fetching))
        self.fetching.discard(item_id)
        if self.random.random() < 0.2:
            return self.report(rp.ToolFailed(item_id, McpFault("tool_execution_error", "sold out")))
        return self.report(rp.ToolReturned(item_id, "two"))

    def do_play(self) -> Any:
        return self.report(rp.Played(self.any_id(), self.random.choice([0, 15, 100_000])))


for _name, _weight in {
    "append": 8, "commit": 2, "clear": 1, "update": 2, "item": 3, "item_call": 2, "truncate": 2, "respond": 4,
    "cancel": 1, "nonsense": 1, "hear": 10, "overhear": 2, "transcribe": 5, "answer": 12, "play": 1,
    "approve": 1, "list": 3, "fetch": 4,
    "wait": 4, "cough": 1,
}.items():  # fmt: skip
    getattr(World, f"do_{_name}").weight = _weight
