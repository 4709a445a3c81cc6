"""A call at work: order, cancellation, slow clients, engines that fail, and bugs."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from callers import Desk, settle
from playbook import b64, user
from vivavoce.core import reports as rp
from vivavoce.core.effects import Vocabulary
from vivavoce.core.errors import EngineError
from vivavoce.core.formats import PCM_24K
from vivavoce.core.limits import Limits
from vivavoce.server.journal import replay

FRAME = 1536


async def test_a_call_opens_its_session_and_tells_its_id() -> None:
    async with Desk().at_work() as desk:
        assert [message["type"] for message in desk.leg.sent] == ["session.created"]
        assert desk.leg.sent[0]["session"]["id"] == desk.call.session_id
        assert desk.ears.told == [("expect", Vocabulary())]
    assert desk.ears.is_closed
    assert desk.leg.closed is None, "the leg was gone already"


async def test_messages_from_before_the_start_are_answered_after_it_in_their_order() -> None:
    desk = Desk()
    for number in range(3):
        desk.client("response.cancel", event_id=f"e{number}")
    assert desk.leg.sent == []
    async with desk.at_work():
        desk.client("response.cancel", event_id="e3")
        answered = [message.get("error", {}).get("event_id") for message in desk.leg.sent]
        assert answered == [None, "e0", "e1", "e2", "e3"]


async def test_ears_are_told_what_the_session_wants_heard() -> None:
    async with Desk().at_work() as desk:
        desk.client("session.update", session={"type": "realtime", "audio": {"input": {"turn_detection": None}}})
        del desk.ears.told[:]
        desk.client("input_audio_buffer.append", audio=b64(bytes(4800)))
        desk.client("input_audio_buffer.commit")
        desk.client("input_audio_buffer.append", audio=b64(bytes(96)))
        desk.client("input_audio_buffer.clear")
        item = {"type": "message", "role": "user", "content": [{"type": "input_audio", "audio": b64(bytes(96))}]}
        desk.client("conversation.item.create", item=item)
        names = [told[0] for told in desk.ears.told]
        assert names == ["transcribe", "listen", "conclude", "transcribe", "listen", "discard", "recognise"]
        assert desk.ears.told[1] == ("listen", bytes(4800), PCM_24K, 0, False)
        assert desk.ears.told[2] == ("conclude", desk.ears.told[0][1], 4800)


async def speak(desk: Desk, frames: int = 10, start: int = 0) -> None:
    desk.client("input_audio_buffer.append", audio=b64(bytes(96_000)))
    for number in range(frames):
        desk.ears.report(rp.Heard((start + number + 1) * FRAME, 0.9))
    await settle()


async def test_barge_in_stops_the_brain_at_once_and_nothing_of_the_answer_follows() -> None:
    async with Desk().at_work() as desk:
        response = await desk.ask()
        desk.brain.say(rp.Said(response, "A long", bytes(960)))
        await settle()
        desk.leg.types()
        desk.brain.say(rp.Said(response, " story", bytes(960)))
        await speak(desk, 3)
        assert desk.leg.types() == [
            "input_audio_buffer.speech_started",
            "response.output_audio.done",
            "response.output_audio_transcript.done",
            "response.content_part.done",
            "response.output_item.done",
            "conversation.item.done",
            "response.done",
            "rate_limits.updated",
        ]
        assert desk.brain.closed == [response]
        desk.brain.say(rp.Said(response, " goes on", bytes(960)))
        await settle()
        assert desk.leg.types() == []


async def test_an_answer_that_is_abandoned_before_it_began_never_begins() -> None:
    async with Desk().at_work() as desk:
        desk.client("response.create")
        desk.client("response.cancel")
        await settle()
        assert desk.brain.prompts == []
        assert desk.leg.types()[-2:] == ["response.done", "rate_limits.updated"]


async def test_a_slow_client_slows_its_own_answer_and_a_cancel_gets_through() -> None:
    async with Desk().at_work() as desk:
        response = await desk.ask()
        desk.leg.types()
        desk.leg.free.clear()
        for _ in range(5):
            desk.brain.say(rp.Said(response, "x", bytes(960)))
        await settle()
        assert desk.leg.types().count("response.output_audio.delta") == 1, "the rest waits for the client"
        desk.client("response.create", response={"conversation": "none"})
        desk.client("conversation.item.create", item=user("still here"))
        assert "conversation.item.done" in desk.leg.types()
        desk.client("response.cancel")
        assert "response.done" in desk.leg.types()
        await settle()
        assert desk.brain.closed == [response]
        assert desk.leg.draining == 0


async def test_two_answers_wait_for_the_client_each_for_itself() -> None:
    async with Desk().at_work() as desk:
        first = await desk.ask()
        desk.client("response.create", response={"conversation": "none"})
        await settle()
        second = desk.brain.prompts[-1].response_id
        desk.leg.free.clear()
        for response in (first, second):
            desk.brain.say(rp.Said(response, "x", bytes(960)))
            desk.brain.say(rp.Answered(response))
        await settle()
        assert desk.leg.draining == 2
        desk.leg.free.set()
        await settle()
        assert desk.leg.types().count("response.done") == 2


async def test_an_engine_that_fails_fails_its_response_alone() -> None:
    async with Desk().at_work() as desk:
        response = await desk.ask()
        desk.brain.queue(response).put_nowait(EngineError("No memory left.", "out_of_memory"))
        await settle()
        done = next(message for message in desk.leg.sent if message["type"] == "response.done")["response"]
        assert done["status_details"] == {
            "type": "failed",
            "error": {"type": "server_error", "code": "out_of_memory", "message": "No memory left."},
        }
        assert await desk.ask() != response
        assert desk.leg.closed is None


async def test_an_answer_that_breaks_off_fails_and_does_not_block_the_conversation() -> None:
    async with Desk().at_work() as desk:
        response = await desk.ask()
        desk.brain.say(rp.Said(response, "Well,", bytes(960)))
        desk.brain.queue(response).put_nowait(None)
        await settle()
        done = next(message for message in desk.leg.sent if message["type"] == "response.done")["response"]
        assert (done["status"], done["status_details"]["error"]["message"]) == ("failed", "The answer broke off.")
        assert await desk.ask() != response


async def test_an_answer_that_uses_up_its_tokens_stops_the_brain() -> None:
    async with Desk().at_work() as desk:
        desk.client("response.create", response={"max_output_tokens": 1})
        await settle()
        response = desk.brain.prompts[-1].response_id
        desk.brain.say(rp.Said(response, "one two three", bytes(960)))
        desk.brain.say(rp.Said(response, "four", bytes(960)))
        await settle()
        assert desk.brain.closed == [response]
        assert desk.leg.types().count("response.done") == 1
        assert desk.leg.closed is None


class Broken(Exception):
    """A bug."""


async def ended(desk: Desk, run: asyncio.Future[None]) -> None:
    await asyncio.wait_for(run, 10)
    assert desk.leg.closed == (1011, "internal error")
    assert desk.ears.is_closed


async def test_a_bug_in_a_brain_ends_its_call_with_1011_and_no_other() -> None:
    desk, other = Desk(), Desk()
    async with other.at_work():
        run = asyncio.ensure_future(desk.call.run())
        await settle()
        response = await desk.ask()
        bystander = await other.ask()
        desk.brain.queue(response).put_nowait(Broken())
        await ended(desk, run)
        other.brain.say(rp.Answered(bystander))
        await settle()
        assert other.leg.types()[-2:] == ["response.done", "rate_limits.updated"]


async def test_a_bug_in_the_session_ends_the_call_and_the_leg_that_brought_it_learns_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    desk = Desk()
    run = asyncio.ensure_future(desk.call.run())
    await settle()
    desk.leg.types()

    def fail(*_: Any) -> Any:
        raise Broken

    monkeypatch.setattr(desk.call._session, "receive_event", fail)
    desk.client("response.create")
    desk.client("response.create")
    assert desk.leg.types() == []
    await ended(desk, run)


async def test_a_bug_behind_a_report_of_the_ears_ends_the_call_and_not_the_ears(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    desk = Desk()
    run = asyncio.ensure_future(desk.call.run())
    await settle()

    def fail(*_: Any) -> Any:
        raise Broken

    monkeypatch.setattr(desk.call._session, "receive_report", fail)
    desk.ears.report(rp.Heard(FRAME, 0.1))
    await ended(desk, run)


async def test_a_leg_that_goes_in_the_middle_of_answers_ends_everything() -> None:
    desk = Desk()
    run = asyncio.ensure_future(desk.call.run())
    await settle()
    first = await desk.ask()
    desk.client("response.create", response={"conversation": "none"})
    await settle()
    desk.leg.free.clear()
    desk.brain.say(rp.Said(first, "x", bytes(960)))
    await settle()
    tasks = len(asyncio.all_tasks())
    assert tasks >= 4
    desk.call.leg_closed(1006, "")
    await asyncio.wait_for(run, 10)
    assert sorted(desk.brain.closed) == sorted(prompt.response_id for prompt in desk.brain.prompts)
    assert len(asyncio.all_tasks()) == 1
    assert desk.leg.closed is None
    before = len(desk.leg.sent)
    desk.client("response.cancel")
    desk.ears.report(rp.Heard(FRAME, 0.9))
    assert len(desk.leg.sent) == before


async def test_a_call_that_is_cancelled_ends_its_answers() -> None:
    desk = Desk()
    run = asyncio.ensure_future(desk.call.run())
    await settle()
    response = await desk.ask()
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run
    assert desk.brain.closed == [response]
    assert desk.ears.is_closed


def waits(desk: Desk, monkeypatch: pytest.MonkeyPatch, meanwhile: dict[int, Callable[[], None]]) -> list[float]:
    """Have time pass when the call waits for it, and something happen 20 s into a wait; returns the waits."""
    waited: list[float] = []

    async def pass_time(seconds: float) -> None:
        waited.append(seconds)
        desk.clock += 20.0
        meanwhile.get(len(waited), lambda: None)()
        desk.clock += seconds - 20.0
        await asyncio.sleep(0)

    monkeypatch.setattr(desk.call._alarm, "wait", pass_time)
    return waited


async def test_a_session_that_has_reached_its_age_is_told_and_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk(limits=Limits(session_seconds=60.0))
    waited = waits(desk, monkeypatch, {})
    await asyncio.wait_for(desk.call.run(), 10)
    assert waited == [60.0]
    assert desk.leg.types() == ["session.created", "error"]
    assert desk.leg.closed == (1001, "Your session hit the maximum duration of 1 minutes.")


async def test_a_client_that_says_something_is_given_more_time(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk(limits=Limits(idle_seconds=30.0))
    waited = waits(desk, monkeypatch, {1: lambda: desk.client("response.cancel")})
    await asyncio.wait_for(desk.call.run(), 10)
    assert waited == [30.0, 20.0]
    assert desk.leg.closed == (1001, "Nothing was received for 30 seconds.")


async def test_a_deadline_that_moves_to_before_what_is_waited_for_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk(limits=Limits(session_seconds=60.0))
    waited: list[float] = []

    async def doze(seconds: float) -> None:
        waited.append(round(seconds, 3))
        await desk.call._alarm._sooner.wait()

    monkeypatch.setattr(desk.call._alarm, "wait", doze)
    async with desk.at_work():
        detection = {"type": "server_vad", "idle_timeout_ms": 5000}
        desk.client("session.update", session={"type": "realtime", "audio": {"input": {"turn_detection": detection}}})
        response = await desk.ask()
        desk.clock += 10.0
        desk.brain.say(rp.Said(response, "Hello", bytes(960)))
        desk.brain.say(rp.Answered(response))
        await settle()
        assert waited == [60.0, 5.02]


async def test_what_a_client_must_not_do_ends_the_call_with_its_reason() -> None:
    desk = Desk(limits=Limits(items=1))
    run = asyncio.ensure_future(desk.call.run())
    await settle()
    for _ in range(3):
        desk.client("conversation.item.create", item=user("x"))
    await asyncio.wait_for(run, 10)
    assert desk.leg.closed == (4000, "invalid_request_error.conversation_full")
    assert desk.leg.types().count("error") == 1


# ------------------------------------------------------------------------------------------------- its journal


def lines(path: Path) -> list[bytes]:
    return path.read_bytes().splitlines()


async def test_a_call_writes_its_journal_and_the_journal_replays(tmp_path: Path) -> None:
    desk = Desk(journal=tmp_path)
    async with desk.at_work():
        response = await desk.ask()
        desk.brain.say(rp.Said(response, "Hi", bytes(960)))
        await settle()
        await speak(desk)
        desk.call.receive_frame(b"\xff\xfe")
    seen = replay(tmp_path / f"{desk.call.session_id}.jsonl")
    assert seen.difference is None
    assert seen.inputs == 1 + 1 + 1 + 1 + 10 + 1 + 1, "and that the client was gone"


async def test_a_bug_is_in_the_journal_with_the_input_that_met_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = Desk(journal=tmp_path)
    run = asyncio.ensure_future(desk.call.run())
    await settle()

    def fail(*_: Any) -> Any:
        raise Broken("so it is")

    monkeypatch.setattr(desk.call._session, "receive_event", fail)
    desk.client("response.create", event_id="culprit")
    await ended(desk, run)
    path = tmp_path / f"{desk.call.session_id}.jsonl"
    last = json.loads(lines(path)[-1])
    assert "culprit" in last["frame"]
    assert last["effects"] == [{"effect": "raised", "error": "Broken('so it is')"}]
    difference = replay(path).difference
    assert difference is not None, "this bug is gone"
    assert difference.expected == last["effects"]


async def test_a_disk_that_is_full_ends_the_journal_and_not_the_call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = Desk(journal=tmp_path)
    journal = desk.call._journal
    assert journal is not None

    class Full:
        def write(self, data: bytes) -> int:
            raise OSError(28, "No space left on device")

        def close(self) -> None:
            raise OSError(28, "No space left on device")

    journal._file.close()
    monkeypatch.setattr(journal, "_file", Full())
    async with desk.at_work():
        response = await desk.ask()
        desk.brain.say(rp.Answered(response))
        await settle()
        assert desk.leg.types()[-2:] == ["response.done", "rate_limits.updated"]
    assert desk.leg.closed is None


async def test_a_journal_that_cannot_be_begun_turns_nobody_away(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    desk = Desk(journal=tmp_path / "file")
    async with desk.at_work():
        assert desk.leg.types() == ["session.created"]
    assert desk.leg.closed is None
