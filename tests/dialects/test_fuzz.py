"""Mutated frames: whatever comes over the wire, a session answers in valid frames and goes on."""

from __future__ import annotations

import base64
import json
import random
import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest

from playbook import FRAME_TICKS, b64
from vivavoce.core import effects as ef
from vivavoce.core import reports as rp
from vivavoce.core.errors import ProtocolError
from vivavoce.core.limits import Limits
from vivavoce.core.service import Abilities, Service
from vivavoce.core.sessions import session_of
from vivavoce.core.settings import Settings
from vivavoce.dialects import codec
from vivavoce.dialects.choose import Dialect, choose
from vivavoce.server.ids import Ids
from vivavoce.server.journal import summary

SHAPES = ["ga", "beta", None]
LIMITS = Limits(buffer_bytes=1_000_000, items=100, audio_bytes=200_000, session_seconds=1e9)
PCM = base64.b64encode(bytes(9600)).decode()
TOOL = {"type": "function", "name": "f", "description": "d", "parameters": {"type": "object", "enum": ["a"]}}
TEXT = {"type": "message", "role": "user", "id": "mine", "content": [{"type": "input_text", "text": "hello"}]}
SPOKEN = {"type": "message", "role": "user", "content": [{"type": "input_audio", "audio": PCM, "transcript": "x"}]}
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
IMAGE = {"type": "input_image", "image_url": f"data:image/png;base64,{PIXEL}", "detail": "low"}
BOTH: list[dict[str, Any]] = [
    {"type": "input_audio_buffer.append", "audio": PCM, "event_id": "e"},
    {"type": "input_audio_buffer.commit"},
    {"type": "input_audio_buffer.clear"},
    {"type": "output_audio_buffer.clear"},
    {"type": "conversation.item.create", "item": TEXT, "previous_item_id": "root"},
    {"type": "conversation.item.create", "item": SPOKEN},
    {"type": "conversation.item.create", "item": {"type": "message", "role": "user", "content": [IMAGE]}},
    {"type": "conversation.item.create", "item": {"type": "function_call", "name": "f", "arguments": "{}",
                                                  "call_id": "c"}},
    {"type": "conversation.item.create", "item": {"type": "function_call_output", "call_id": "c", "output": "1"}},
    {"type": "conversation.item.retrieve", "item_id": "mine"},
    {"type": "conversation.item.delete", "item_id": "mine"},
    {"type": "conversation.item.truncate", "item_id": "mine", "content_index": 0, "audio_end_ms": 100},
    {"type": "response.cancel", "response_id": None},
]  # fmt: skip
RESPONSE = {"instructions": "x", "tools": [TOOL], "tool_choice": "auto", "conversation": "none", "metadata": {"k": "v"},
            "max_output_tokens": 20, "input": [TEXT, {"type": "item_reference", "id": "mine"}]}  # fmt: skip
GA: list[dict[str, Any]] = [
    {"type": "response.create", "response": RESPONSE | {"output_modalities": ["text"], "reasoning": {"effort": "low"},
                                                        "audio": {"output": {"voice": "ash"}}}},
    {"type": "session.update", "session": {
        "type": "realtime", "output_modalities": ["audio"], "instructions": "x", "tools": [TOOL],
        "tool_choice": {"type": "function", "name": "f"}, "max_output_tokens": 4096, "tracing": {"workflow_name": "w"},
        "truncation": {"type": "retention_ratio", "retention_ratio": 0.5, "token_limits": {"post_instructions": 9}},
        "include": ["item.input_audio_transcription.logprobs"], "prompt": {"id": "p"}, "parallel_tool_calls": True,
        "audio": {"input": {"format": {"type": "audio/pcm", "rate": 24000}, "noise_reduction": {"type": "near_field"},
                            "transcription": {"model": "vivavoce", "languages": ["de"], "keywords": ["k"]},
                            "turn_detection": {"type": "server_vad", "threshold": 0.5, "idle_timeout_ms": 6000}},
                  "output": {"format": {"type": "audio/pcma"}, "voice": {"id": "v"}, "speed": 1.1}}}},
]  # fmt: skip
BETA: list[dict[str, Any]] = [
    {"type": "response.create", "response": RESPONSE | {"modalities": ["text"], "temperature": 0.7, "voice": "ash",
                                                        "output_audio_format": "pcm16"}},
    {"type": "session.update", "session": {
        "modalities": ["audio", "text"], "instructions": "x", "voice": "ash", "input_audio_format": "g711_ulaw",
        "output_audio_format": "pcm16", "input_audio_transcription": {"model": "whisper-1"}, "tools": [TOOL],
        "input_audio_noise_reduction": {"type": "far_field"}, "temperature": 0.8, "speed": 1.0, "tracing": "auto",
        "turn_detection": {"type": "semantic_vad", "eagerness": "low", "threshold": 0.5}, "tool_choice": "auto",
        "max_response_output_tokens": "inf", "client_secret": {"expires_after": 1}}},
    {"type": "transcription_session.update", "session": {}},
]  # fmt: skip
SCALARS: list[Any] = [
    None, True, False, 0, -1, 1, 2**31, 2**63, 2**64, -(2**70), 10**300, 1e308, -0.0, 1.5, 5e-324, "", "x", "\0",
    "\n", "é", "😀", "x" * 600, "null", "inf", "auto", "none", "root", "mine", "audio/pcm", "server_vad", [], {}, [[]],
    {"type": "message"}, {"": ""}, ["audio", "text"], "A" * 5, "====", "data:image/png;base64,",
]  # fmt: skip
LITERALS = [b"NaN", b"Infinity", b"-Infinity", b"1e999", b"9" * 400, b"9" * 5000, b"-0", b"01", b"0x1", b"+1", b"1.",
            b'"\\ud800"', b'"\\ud800\\udc00"', b'"\\udc00\\ud800"', b'"\\u0000"', b'"\\x"', b'"\xff"',
            b'"\xed\xa0\x80"', b'"\xf4\x90\x80\x80"', b"undefined", b"'x'", b"[1,]", b"{,}", b"/**/1",
            b"[" * 70 + b"]" * 70, b"[" * 900 + b"]" * 900, b"[" * 5000, b'{"a":' * 70 + b"1" + b"}" * 70,
            b'{"audio":' * 60 + b"1" + b"}" * 60, b'{"audio":' * 900 + b"1" + b"}" * 900,
            b'{"enum":[' * 30 + b"1" + b"]}" * 30, b"{}{}",
            b'"' + b"y" * 70_000 + b'"']  # fmt: skip

_LISTENING = {
    "transcription": {
        "model": "gpt-live-transcribe",
        "language": "en",
        "languages": ["en"],
        "prompt": "x",
        "delay": "low",
    },
    "noise_reduction": {"type": "near_field", "strength": 0.5},
}
KINDS: dict[str, list[dict[str, Any]]] = {
    "transcription": [
        {"type": "session.update", "session": {"type": "transcription", "audio": {"input": _LISTENING}}},
        {
            "type": "transcription_session.update",
            "session": {"input_audio_transcription": _LISTENING["transcription"], "turn_detection": None},
        },
        {"type": "response.create"},
    ],
    "translation": [
        {
            "type": "session.update",
            "session": {
                "audio": {"input": {"transcription": {"model": "x"}}, "output": {"language": "es"}},
            },
        },
        {"type": "session.input_audio_buffer.append", "audio": b64(bytes(9600))},
        {"type": "session.input_audio_buffer.append", "audio": b64(bytes(48_000))},
        {"type": "session.close"},
    ],
}
"""What clients of other kinds of sessions say."""
Mutation = Callable[[random.Random, dict[str, Any]], bytes]


def places(value: Any) -> list[tuple[Any, Any]]:
    """Every (container, key) inside a message."""
    found: list[tuple[Any, Any]] = []
    stack = [value]
    while stack:
        node = stack.pop()
        keys = node.keys() if isinstance(node, dict) else range(len(node)) if isinstance(node, list) else ()
        for key in list(keys):
            found.append((node, key))
            stack.append(node[key])
    return found


def encode(message: Any) -> bytes:
    return json.dumps(message).encode()


def swap_value(rng: random.Random, message: dict[str, Any]) -> bytes:
    container, key = rng.choice(places(message))
    container[key] = rng.choice(SCALARS)
    return encode(message)


def drop_field(rng: random.Random, message: dict[str, Any]) -> bytes:
    container, key = rng.choice(places(message))
    del container[key]
    return encode(message)


def add_field(rng: random.Random, message: dict[str, Any]) -> bytes:
    objects = [message] + [c[k] for c, k in places(message) if isinstance(c[k], dict)]
    names = ["type", "id", "audio", "x", "", "é" * 300, "event_id", "item", "output", "\ud800"]
    rng.choice(objects)[rng.choice(names)] = rng.choice(SCALARS)
    return encode(message)


def move_value(rng: random.Random, message: dict[str, Any]) -> bytes:
    (a, x), (b, y) = rng.choice(places(message)), rng.choice(places(message))
    a[x] = json.loads(json.dumps(b[y]))
    return encode(message)


def write_literal(rng: random.Random, message: dict[str, Any]) -> bytes:
    container, key = rng.choice(places(message))
    container[key] = "@@here@@"
    return encode(message).replace(b'"@@here@@"', rng.choice(LITERALS))


def double_key(rng: random.Random, message: dict[str, Any]) -> bytes:
    text = encode(message)
    key = rng.choice(list(message))
    again = json.dumps({key: rng.choice(SCALARS)}).encode()[1:-1]
    return text[:-1] + b"," + again + b"}"


def flip_bytes(rng: random.Random, message: dict[str, Any]) -> bytes:
    text = bytearray(encode(message))
    for _ in range(rng.choice([1, 1, 2, 8])):
        text[rng.randrange(len(text))] = rng.randrange(256)
    return bytes(text)


def cut(rng: random.Random, message: dict[str, Any]) -> bytes:
    text = encode(message)
    at, to = sorted((rng.randrange(len(text) + 1), rng.randrange(len(text) + 1)))
    return rng.choice([text[:at], text[at:], text[:at] + text[to:], text + text[at:to]])


def leave(rng: random.Random, message: dict[str, Any]) -> bytes:
    return encode(message)


MUTATIONS: list[Mutation] = [
    swap_value, swap_value, drop_field, add_field, move_value, write_literal, double_key, flip_bytes, cut, leave,
]  # fmt: skip


class Fuzzed:
    """A connection that is sent mutated frames, and a world that goes on around it."""

    def __init__(self, seed: int, shape: str | None, kind: str = "realtime") -> None:
        self.rng = random.Random(f"{seed} {shape}" if kind == "realtime" else f"{seed} {shape} {kind}")
        self.shape = shape
        self.kind = kind
        self.refused = self.sessions = 0
        self.open()

    def open(self) -> None:
        self.sessions += 1
        self.dialect: Dialect = choose(self.shape, self.kind)
        settings, service = Settings(kind=self.kind), Service(abilities=Abilities(translates=True))
        self.session = session_of(settings, new_id=Ids("F"), created_unix=1e9, limits=LIMITS, service=service)
        self.heard_to = self.written_to = 0
        self.take(self.session.start(0.0))

    def send(self) -> None:
        """Send one frame and let something happen."""
        rng = self.rng
        specific = (
            {"ga": GA, "beta": BETA, None: GA + BETA}[self.shape] if self.kind == "realtime" else KINDS[self.kind]
        )
        message = json.loads(json.dumps(rng.choice(rng.choice([BOTH, specific]))))
        data = rng.choice(MUTATIONS)(rng, message)
        if rng.random() < 0.1:
            data = rng.choice(MUTATIONS)(rng, {"type": "session.update", "session": json.loads(json.dumps(message))})
        try:
            event = self.dialect.decode(data)
        except ProtocolError as mistake:
            self.refused += 1
            self.take(self.session.receive_mistake(mistake, 0.0))
        else:
            self.take(self.session.receive_event(event, 0.0))
        while self.heard_to + FRAME_TICKS <= self.written_to and rng.random() < 0.9:
            self.heard_to += FRAME_TICKS
            self.take(self.session.receive_report(rp.Heard(self.heard_to, rng.choice([0.0, 0.9, 0.9])), 0.0))
        if self.session.is_closed:
            self.open()

    def take(self, effects: list[ef.Effect]) -> None:
        for effect in effects:
            assert codec.encode(summary(effect)), "it can be written down"
            match effect:
                case ef.Send(event):
                    for frame in self.dialect.encode(event):
                        assert isinstance(json.loads(frame), dict)
                        assert len(frame) < 1 << 20
                case ef.Listen():
                    self.written_to = effect.at + effect.format.ticks(len(effect.audio))
                case ef.Conclude() | ef.Recognise():
                    self.take(self.session.receive_report(rp.Transcribed(effect.item_id, "some words"), 0.0))
                case ef.Answer(prompt):
                    id_ = prompt.response_id
                    for report in (rp.Said(id_, "Hi \ud83d", bytes(960)), rp.Called(id_, "f"), rp.Answered(id_)):
                        self.take(self.session.receive_report(report, 0.0))


def run(count: int, seed: int, shape: str | None, kind: str = "realtime") -> Fuzzed:
    fuzzed = Fuzzed(seed, shape, kind)
    for number in range(count):
        try:
            fuzzed.send()
        except Exception as failure:
            raise AssertionError(f"frame {number} of seed {seed}, shape {shape}, {kind}: {failure!r}") from failure
    return fuzzed


@pytest.mark.parametrize("shape", SHAPES)
def test_ten_thousand_mutated_frames_are_refused_or_taken_and_the_session_goes_on(shape: str | None) -> None:
    fuzzed = run(3400, 1, shape)
    assert 700 < fuzzed.refused < 3200, "some must be refused, some must get through"
    assert fuzzed.sessions < 60


@pytest.mark.parametrize(("kind", "shape"), [*(("transcription", shape) for shape in SHAPES), ("translation", None)])
def test_sessions_that_only_listen_take_mutated_frames_as_well(kind: str, shape: str | None) -> None:
    fuzzed = run(1500, 4, shape, kind)
    assert 300 < fuzzed.refused < 1450, "some must be refused, some must get through"
    assert fuzzed.sessions < 150


@pytest.mark.slow
@pytest.mark.parametrize("shape", ["ga", "beta"])
def test_mutated_frames_leave_nothing_behind(shape: str | None) -> None:
    run(500, 2, shape)
    tracemalloc.start()
    try:
        fuzzed = run(10_000, 3, shape)
        held, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert fuzzed.refused > 2000
    assert held < 20_000_000
    assert peak < 60_000_000
