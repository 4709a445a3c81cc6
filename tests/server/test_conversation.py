"""The small protocol before a call at work."""

from __future__ import annotations

import asyncio
import gc
import json
import weakref
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from callers import StringBrain, StringEars, StringLeg, settle
from pages import pcm
from vivavoce.core import reports as rp
from vivavoce.core.settings import Settings
from vivavoce.dialects import conversation
from vivavoce.dialects.choose import choose
from vivavoce.server import journal
from vivavoce.server.call import Call, Terms
from vivavoce.server.conversation import ConversationLeg


class Desk:
    """One client of the small protocol, and all that it is connected to."""

    def __init__(self, messages_per_second: int = 0, folder: Path | None = None) -> None:
        self.clock = 100.0
        self.leg = StringLeg()
        self.brain = StringBrain()
        self.between = ConversationLeg(
            self.leg, conversation.Bridge(), messages_per_second=messages_per_second, now=lambda: self.clock
        )
        settings = conversation.begun(Settings(), is_relayed=False)
        self.call = Call(
            self.between,
            choose(conversation.SHAPE),
            StringEars(),
            self.brain,
            Terms(settings, shape=conversation.SHAPE, journal=folder),
            now=lambda: self.clock,
            unix_now=1e9,
            seed="T",
        )

    def says(self, kind: str, **fields: Any) -> None:
        self.between.receive_frame(json.dumps({"type": kind, **fields}).encode())

    @asynccontextmanager
    async def at_work(self) -> AsyncIterator[Desk]:
        self.between.owner = self.call
        run = asyncio.ensure_future(self.call.run())
        try:
            await settle()
            yield self
            self.between.leg_closed(1000, "")
            await asyncio.wait_for(run, 10)
        finally:
            run.cancel()


async def test_a_text_is_answered_with_words_and_sound() -> None:
    desk = Desk()
    async with desk.at_work():
        desk.says("text", text="Hello?")
        await settle()
        asked = desk.brain.prompts[-1].response_id
        desk.brain.say(rp.Said(asked, "Yes.", bytes(1280)))
        desk.brain.say(rp.Answered(asked))
        await settle()
    assert [message["type"] for message in desk.leg.sent] == [
        "session_ready",
        "text_delta",
        "audio_delta",
        "response_done",
    ]
    assert desk.leg.sent[2]["audio"] == pcm(40)


async def test_what_comes_before_the_session_waits_for_it() -> None:
    desk = Desk()
    desk.between.owner = desk.call
    desk.says("text", text="Hello?")
    async with desk.at_work():
        assert desk.leg.types() == ["session_ready"]
        assert len(desk.brain.prompts) == 1


async def test_a_new_text_is_answered_after_the_end_of_the_last_answer_was_told() -> None:
    desk = Desk()
    async with desk.at_work():
        desk.says("text", text="Tell me a story.")
        await settle()
        desk.brain.say(rp.Said(desk.brain.prompts[-1].response_id, "Once", bytes(1280)))
        await settle()
        desk.leg.sent.clear()
        desk.says("text", text="No, sing!")
        assert [(message["type"], message["status"]) for message in desk.leg.sent] == [("response_done", "cancelled")]
        await settle()
        assert len(desk.brain.prompts) == 2


async def test_an_answer_that_ends_by_itself_is_followed_from_outside_of_its_effects() -> None:
    # The end is told by the brain, not by the client: the session is in the midst of it and must not be spoken to.
    desk = Desk()
    async with desk.at_work():
        desk.says("text", text="Hello?")
        await settle()
        desk.between._bridge._wants_answer = True
        desk.brain.say(rp.Answered(desk.brain.prompts[-1].response_id))
        await settle()
        assert len(desk.brain.prompts) == 2


async def test_mistakes_are_told_and_the_connection_stays() -> None:
    desk = Desk()
    async with desk.at_work():
        desk.says("shout")
        desk.says("config", config={"voice": "nobody"})
        assert desk.leg.types() == ["session_ready", "error", "error"]
        assert desk.leg.closed is None


async def test_too_many_messages_are_told_of_seldom_and_not_read() -> None:
    desk = Desk(messages_per_second=2)
    async with desk.at_work():
        for _ in range(20):
            desk.says("interrupt")
        assert desk.leg.types() == ["session_ready"]
        for _ in range(50):
            desk.says("text", text="Hello?")
        (error,) = desk.leg.sent
        assert (error["type"], error["code"]) == ("error", "rate_limit_exceeded")
        assert "2 messages a second" in error["message"]
        desk.clock += 1.0
        for _ in range(3):
            desk.says("text", text="Hello?")
        await settle()
        assert desk.leg.types().count("error") == 2


async def test_a_slow_client_slows_its_answer() -> None:
    desk = Desk()
    async with desk.at_work():
        desk.leg.free.clear()
        desk.says("text", text="Hello?")
        await settle()
        desk.brain.say(rp.Said(desk.brain.prompts[-1].response_id, "Once", bytes(1280)))
        await settle()
        assert desk.leg.draining == 1
        desk.leg.free.set()


async def test_the_end_of_a_session_is_that_of_the_connection() -> None:
    desk = Desk()
    async with desk.at_work():
        desk.says("text", text="Hello?")
        await settle()
        desk.call.exhaust("No money is left.")
        await settle()
        for prompt in desk.brain.prompts:
            desk.brain.say(rp.Answered(prompt.response_id))
        await settle()
        assert desk.leg.closed == (4000, "insufficient_quota.insufficient_quota")
        error = next(message for message in desk.leg.sent if message["type"] == "error")
        assert error == {"type": "error", "code": "insufficient_quota", "message": "No money is left."}


class Owner:
    """Holds the leg that holds it."""

    def __init__(self, leg: ConversationLeg) -> None:
        self.leg = leg
        self.endings: list[tuple[int, str]] = []

    def receive_frame(self, data: bytes) -> None: ...

    def leg_closed(self, code: int, reason: str) -> None:
        self.endings.append((code, reason))


def test_a_conversation_that_is_over_is_freed_without_the_garbage_collector() -> None:
    between = ConversationLeg(StringLeg(), conversation.Bridge(), messages_per_second=0, now=lambda: 0.0)
    owner = Owner(between)
    between.owner = owner
    gone = weakref.ref(between)
    gc.disable()
    try:
        between.leg_closed(1006, "lost")
        between.leg_closed(1006, "lost")
        assert owner.endings == [(1006, "lost")]
        del between, owner
        assert gone() is None
    finally:
        gc.enable()


def test_a_journal_of_a_conversation_is_replayed_without_a_difference(tmp_path: Path) -> None:
    asyncio.run(conversed(tmp_path))
    (path,) = tmp_path.iterdir()
    found = journal.replay(path)
    assert found.difference is None
    assert found.inputs > 5


async def conversed(folder: Path) -> None:
    desk = Desk(folder=folder)
    async with desk.at_work():
        desk.says("config", config={"temperature": 0.5, "voice": "cedar"})
        desk.says("audio", audio=pcm(100))
        desk.says("text", text="Hello?")
        await settle()
        desk.brain.say(rp.Said(desk.brain.prompts[-1].response_id, "Yes.", bytes(1280)))
        await settle()
        desk.says("interrupt", played_ms=10)
