"""A live call: a party whose audio the server plays, before a session at work."""

from __future__ import annotations

import asyncio
import functools
import gc
import json
import weakref
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest

from callers import StringBrain, StringEars, StringLeg, settle
from playbook import CountedIds
from vivavoce.audio.playout import Heard, Playout
from vivavoce.core import reports as rp
from vivavoce.core.formats import PCM_24K, PCMU
from vivavoce.core.settings import ServerVad, Settings
from vivavoce.dialects.choose import choose
from vivavoce.dialects.speaking import Speaking
from vivavoce.server import live as live_module
from vivavoce.server.call import Call, Terms
from vivavoce.server.live import LiveCall

FRAME_TICKS = 1536


class StringMedia:
    """A party's voice and ear that play when the test pulls, and the channel beside them."""

    def __init__(self, max_message_bytes: int = 65536) -> None:
        self.playout = Playout(24_000)
        self.channel = StringLeg()
        self.max_message_bytes = max_message_bytes
        self.volume: list[str] = []
        self.hung_up: str | None = None
        self.owner: LiveCall | None = None
        self._playing = ""
        self._ended: list[str] = []

    # Media

    def play(self, item_id: str, pcm: bytes) -> None:
        self.playout.push(item_id, pcm)

    def end_item(self, item_id: str) -> None:
        self.playout.end(item_id)
        self._ended.append(item_id)

    def clear(self) -> Sequence[Heard]:
        self._ended.clear()
        return self.playout.clear()

    def duck(self) -> None:
        self.volume.append("duck")

    def restore(self) -> None:
        self.volume.append("restore")

    @property
    def queued_ms(self) -> int:
        return self.playout.queued_ms

    def hang_up(self, reason: str) -> None:
        self.hung_up = self.hung_up or reason

    # Channel

    @property
    def queued_bytes(self) -> int:
        return self.channel.queued_bytes

    def send(self, data: bytes) -> None:
        self.channel.send(data)

    async def drain(self) -> None:
        await self.channel.drain()

    # What the test does

    def pull(self, ms: int) -> bytes:
        """Play for so long."""
        assert self.owner is not None
        heard = b""
        for _ in range(ms // 20):
            frame = self.playout.pull()
            if frame is not None and not self._playing:
                self._playing = "item"
                self.owner.item_started(self.item_id)
            heard += frame or bytes(960)
            if self.playout.is_idle and self._ended:
                self.owner.item_played(self._ended.pop(0))
                self._playing = ""
        return heard

    item_id = ""


class Line:
    """A party, its live call, and a session."""

    def __init__(self, settings: Settings | None = None, max_message_bytes: int = 65536) -> None:
        self.clock = 100.0
        self.media = StringMedia(max_message_bytes)
        self.brain = StringBrain()
        self.ears = StringEars()
        self.ended: list[str] = []
        self.settings = settings or Settings(turn_detection=ServerVad())
        self.live = LiveCall(
            "rtc_1", "a test", Speaking(CountedIds()), CountedIds(), self.begin, ended=self.ended.append
        )
        self.live.media = self.live.channel = self.media
        self.media.owner = self.live
        self.run: asyncio.Future[None] | None = None

    def begin(self, live: LiveCall) -> Call:
        call = Call(
            live,
            choose("ga"),
            self.ears,
            self.brain,
            Terms(self.settings),
            now=lambda: self.clock,
            unix_now=1e9,
            seed="T",
            audio=live,
        )
        self.run = asyncio.ensure_future(call.run())
        return call

    @property
    def told(self) -> list[dict[str, Any]]:
        return self.media.channel.sent

    def types(self) -> list[str]:
        return self.media.channel.types()

    def says(self, kind: str, **fields: Any) -> None:
        self.live.receive_frame(json.dumps({"type": kind, **fields}).encode())

    async def answer(self, ms: int = 1000, *, is_whole: bool = True) -> str:
        """Have the session answer with so much sound."""
        self.says("response.create")
        await settle()
        response_id = self.brain.prompts[-1].response_id
        self.brain.say(rp.Said(response_id, "A long story.", bytes(48 * ms)))
        if is_whole:
            self.brain.say(rp.Answered(response_id))
        await settle()
        added = [event for event in self.told if event["type"] == "response.output_item.added"]
        self.media.item_id = added[-1]["item"]["id"]
        return response_id

    async def interrupt(self) -> None:
        self.live.receive_audio(bytes(48_000))
        for number in range(12):
            self.ears.report(rp.Heard((number + 1) * FRAME_TICKS, 0.9))
        await settle()

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[Line]:
        self.live.media_connected()
        await settle()
        try:
            yield self
        finally:
            self.live.media_closed("the test is over")
            assert self.run is not None
            await asyncio.wait_for(self.run, 10)


async def test_the_session_begins_when_audio_can_pass_and_hears_what_the_party_says() -> None:
    line = Line()
    line.live.receive_audio(bytes(960))
    assert line.run is None
    async with line.connected():
        assert line.types() == ["session.created"]
        line.live.receive_audio(bytes(960))
        assert [told[1:3] for told in line.ears.told if told[0] == "listen"] == [(bytes(960), PCM_24K)]
    assert line.ended == ["the test is over"]


async def test_an_answer_is_heard_and_its_events_tell_when() -> None:
    async with Line().connected() as line:
        await line.answer(100)
        types = line.types()
        assert "response.output_audio.delta" not in types
        assert "response.output_audio_transcript.delta" in types
        assert "response.done" in types
        line.media.pull(120)
        assert line.types() == ["output_audio_buffer.started", "output_audio_buffer.stopped"]


async def test_the_user_silences_an_answer_that_was_made_already_and_it_is_cut_where_it_was_heard() -> None:
    settings = Settings(turn_detection=ServerVad(interruption_mode="vad"))
    async with Line(settings).connected() as line:
        response_id = await line.answer(2000)
        line.media.pull(600)
        line.types()
        await line.interrupt()
        assert line.media.playout.is_idle
        found = [
            event
            for event in line.told
            if event["type"] in ("output_audio_buffer.cleared", "conversation.item.truncated")
        ]
        assert [event.get("response_id") for event in found] == [response_id, None]
        assert (found[1]["item_id"], found[1]["audio_end_ms"]) == (line.media.item_id, 600)
        assert line.types()[0] == "input_audio_buffer.speech_started"


async def test_an_answer_that_is_being_made_ends_before_its_sound_is_said_to_be_cleared() -> None:
    settings = Settings(turn_detection=ServerVad(interruption_mode="vad"))
    async with Line(settings).connected() as line:
        await line.answer(200, is_whole=False)
        line.media.pull(400)
        assert line.media.playout.is_idle, "the voice has paused"
        line.types()
        seen = len(line.told)
        await line.interrupt()
        looked_at = ("speech_started", "response.done", "cleared", "truncated")
        found = [event for event in line.told[seen:] if event["type"].endswith(looked_at)]
        assert [event["type"] for event in found] == [
            "input_audio_buffer.speech_started",
            "response.done",
            "output_audio_buffer.cleared",
            "conversation.item.truncated",
        ]
        assert found[-1]["audio_end_ms"] == 200


async def test_the_party_clears_the_output_after_it_cancelled_the_answer() -> None:
    async with Line().connected() as line:
        await line.answer(2000, is_whole=False)
        line.media.pull(100)
        line.types()
        line.says("response.cancel")
        line.says("output_audio_buffer.clear")
        await settle()
        types = line.types()
        assert types.index("response.done") < types.index("conversation.item.truncated")
        assert types.index("response.done") < types.index("output_audio_buffer.cleared")
        assert "error" not in types


async def test_controllers_see_all_but_audio_and_may_say_anything() -> None:
    async with Line().connected() as line:
        first, second = StringLeg(), StringLeg()
        owner = line.live.attach(first)
        line.live.attach(second)
        assert owner is not None
        assert first.types() == ["session.created"]
        owner.receive_frame(b'{"type":"response.create"}')
        await settle()
        line.brain.say(rp.Said(line.brain.prompts[-1].response_id, "Yes.", bytes(960)))
        await settle()
        assert first.types() == second.types()[1:]
        owner.leg_closed(1000, "")
        line.says("response.cancel")
        await settle()
        assert first.sent == []
        assert "response.done" in second.types()
    assert second.closed == (1000, "the call has ended")


async def test_a_controller_that_comes_early_waits_for_the_session() -> None:
    line = Line()
    early = StringLeg()
    owner = line.live.attach(early)
    assert owner is not None
    item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hello"}]}
    owner.receive_frame(json.dumps({"type": "conversation.item.create", "item": item}).encode())
    assert early.sent == []
    async with line.connected():
        assert early.types() == ["session.created", "conversation.item.added", "conversation.item.done"]


async def test_who_says_too_much_before_there_is_a_session_is_hung_up_on() -> None:
    line = Line()
    for _ in range(3):
        line.live.receive_frame(b'{"type":"session.update","x":"' + bytes([97]) * 500_000 + b'"}')
    assert line.media.hung_up == "too much was said before the call was connected"


async def test_so_many_controllers_and_no_more() -> None:
    line = Line()
    legs = [line.live.attach(StringLeg()) for _ in range(live_module.MAX_SIDEBANDS + 1)]
    assert [leg is None for leg in legs] == [False] * live_module.MAX_SIDEBANDS + [True]


async def test_an_answer_waits_while_much_of_it_waits_to_be_heard() -> None:
    async with Line().connected() as line:
        await line.answer(live_module.AHEAD_MS + 5000, is_whole=False)
        waiting = asyncio.ensure_future(line.live.drain())
        await settle()
        assert not waiting.done()
        line.media.clear()
        line.says("output_audio_buffer.clear")
        await settle()
        assert waiting.done()


async def test_other_formats_are_converted_on_both_ways() -> None:
    async with Line().connected() as line:
        audio = {"input": {"format": {"type": "audio/pcmu"}}, "output": {"format": {"type": "audio/pcmu"}}}
        line.says("session.update", session={"type": "realtime", "audio": audio})
        await settle()
        line.live.receive_audio(bytes(9600))
        heard = [told for told in line.ears.told if told[0] == "listen"]
        assert heard[-1][2] == PCMU
        assert len(heard[-1][1]) == pytest.approx(1600, abs=30)
        line.says("response.create")
        await settle()
        response_id = line.brain.prompts[-1].response_id
        line.brain.say(rp.Said(response_id, "Yes.", b"\xff" * 8000))
        line.brain.say(rp.Answered(response_id))
        await settle()
        assert line.media.queued_ms == 1000


async def test_a_session_that_ends_hangs_up_and_tells_controllers_why() -> None:
    async with Line(Settings()).connected() as line:
        controller = StringLeg()
        line.live.attach(controller)
        line.clock += 10_000
        line.says("response.cancel")
        await settle()
        line.live.close(1001, "session_expired")
        assert line.media.hung_up == "session_expired"
        assert controller.closed == (1001, "session_expired")


async def test_what_waits_to_be_heard_is_heard_before_a_session_that_ended_hangs_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with Line().connected() as line:
        await line.answer(2000)
        line.media.pull(500)
        later: list[tuple[float, Any]] = []
        loop = asyncio.get_running_loop()

        def call_later(seconds: float, act: Any, *given: Any) -> asyncio.Handle:
            later.append((round(seconds, 3), functools.partial(act, *given)))
            return loop.call_soon(int)

        monkeypatch.setattr(loop, "call_later", call_later)
        line.live.close(1000, "the money is used up")
        assert (line.media.hung_up, [seconds for seconds, _ in later]) == (None, [1.5 + live_module.TAIL_SECONDS])
        line.media.pull(1000)
        later.pop()[1]()
        assert (line.media.hung_up, [seconds for seconds, _ in later]) == (None, [0.5 + live_module.TAIL_SECONDS])
        line.media.pull(500)
        later.pop()[1]()
        assert (line.media.hung_up, later) == ("the money is used up", [])
        monkeypatch.undo()


async def test_a_party_that_is_held_up_does_not_keep_a_session_that_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_module, "FAREWELL_SECONDS", 0.0)
    async with Line().connected() as line:
        await line.answer(2000)
        line.live.close(1000, "the money is used up")
        assert line.media.hung_up == "the money is used up"


async def test_what_does_not_fit_the_channel_is_told_in_pieces_and_controllers_get_it_whole() -> None:
    async with Line(max_message_bytes=2000).connected() as line:
        controller = StringLeg()
        line.live.attach(controller)
        line.types()
        line.says("response.create", response={"output_modalities": ["text"]})
        await settle()
        response_id = line.brain.prompts[-1].response_id
        line.brain.say(rp.Said(response_id, "word " * 800, b""))
        await settle()
        pieces = [event["delta"] for event in line.told if event["type"] == "response.output_text.delta"]
        whole = [event["delta"] for event in controller.sent if event["type"] == "response.output_text.delta"]
        assert len(pieces) > 5
        assert "".join(pieces) == "".join(whole)
        assert len(whole) == 1


async def test_an_ended_call_is_freed_at_once() -> None:
    line = Line()
    gc.disable()
    try:
        async with line.connected():
            await line.answer(100)
            line.media.pull(200)
        await settle()
        freed = weakref.ref(line.live)
        line.media.owner = line.run = None
        line.ears.report = lambda report: None
        del line
        await settle()
        assert freed() is None
    finally:
        gc.enable()
