"""One telephone call: its session, its manners, its recording and its record."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from callers import StringBrain, StringEars, settle
from playbook import CountedIds
from vivavoce.audio.playout import Heard
from vivavoce.audio.programme import ClipEnded, ItemPlayed, ItemStarted, Programme
from vivavoce.core import reports as rp
from vivavoce.core.settings import ServerVad, Transcription
from vivavoce.dialects.choose import choose
from vivavoce.dialects.speaking import Speaking
from vivavoce.server.call import Call, Terms
from vivavoce.server.live import LiveCall
from vivavoce.server.phone.party import Facts, PhoneCall, settings_of
from vivavoce.server.phone.records import CallRecord, Records
from vivavoce.telephony import Manner, Number, Recording

FRAME_TICKS = 1536
CLIP = b"\x00\x10" * 24 * 100
"""A tenth of a second."""


class Phone:
    """A caller's telephone and its line: the media and the control of a call."""

    def __init__(self, folder: Path | None = None, *, can_transfer: bool = True, number: Number | None = None) -> None:
        self.programme = Programme(24_000)
        self.brain, self.ears = StringBrain(), StringEars()
        self.hung_up: list[str] = []
        self.transferred: list[str] = []
        self.can_transfer = can_transfer
        self.record: CallRecord | None = None
        self.number = number or Number(name="bakery", manner=Manner(greeting="Hello."))
        self.records = Records(folder)
        facts = Facts(call_id="rtc_1", direction="in", road="test", caller="alice", called="bakery", began_unix=999.0)
        clips = ("greeting", "filler", "hold", "presence", "farewell", "apology", "notice")
        self.call = PhoneCall(facts, self.number, clips, self, self.records, unix_now=lambda: 1000.0, ended=self._ended)
        live = LiveCall("rtc_1", "alice", Speaking(CountedIds()), CountedIds(), self._begin, sees_off=self.call.failed)
        self.call.connect(self, live)
        self.live = live
        self.run: asyncio.Future[None] | None = None
        self.levels: list[bool] = []
        self.clip_began = asyncio.Event()

    def _ended(self, record: CallRecord) -> None:
        self.record = record

    def _begin(self, live: LiveCall) -> Call:
        loop = asyncio.get_running_loop()
        settings = settings_of(self.number)
        terms = Terms(settings)
        call = Call(live, choose("ga"), self.ears, self.brain, terms, now=loop.time, unix_now=1e9, seed="T", audio=live)
        self.run = asyncio.ensure_future(call.run())
        return call

    # The line

    def hang_up(self, reason: str) -> None:
        self.hung_up.append(reason)

    def transfer(self, target: str) -> bool:
        self.transferred.append(target)
        return self.can_transfer

    # The telephone

    def play(self, item_id: str, pcm: bytes) -> None:
        self.programme.play(item_id, pcm)

    def end_item(self, item_id: str) -> None:
        self.programme.end_item(item_id)

    def clear(self) -> Sequence[Heard]:
        return self.programme.clear()

    def duck(self) -> None:
        self.programme.duck()

    def restore(self) -> None:
        self.programme.restore()

    queued_ms = 0

    def play_clip(self, clip: str, *, is_looped: bool = False) -> None:
        self.played.append(clip)
        self.clip_began.set()
        self.programme.play_clip(clip, CLIP, is_looped=is_looped)

    def stop_clip(self) -> None:
        self.played.append("stop")
        self.programme.stop_clip()

    played: list[str]

    async def listen(self, ms: int, pcm: bytes = bytes(960)) -> None:
        """Let a call go on for so long."""
        for _ in range(ms // 20):
            self.call.receive_audio(pcm)
            frame, news = self.programme.pull()
            self.levels.append(frame is not None)
            if frame is not None:
                self.call.receive_playback(frame)
            for told in news:
                match told:
                    case ItemStarted():
                        self.call.item_started(told.item_id)
                    case ItemPlayed():
                        self.call.item_played(told.item_id)
                    case ClipEnded():
                        self.call.clip_ended(told.clip)
            await asyncio.sleep(0)

    async def speak(self) -> None:
        start = len([told for told in self.ears.told if told[0] == "listen"])
        await self.listen(400)
        for number in range(12):
            self.ears.report(rp.Heard((start * 960 + (number + 1) * FRAME_TICKS), 0.95))
        await settle()

    @asynccontextmanager
    async def answered(self) -> AsyncIterator[Phone]:
        self.played = []
        self.call.answered()
        await settle()
        try:
            yield self
        finally:
            self.call.hung_up("the caller hung up")
            assert self.run is not None
            await asyncio.wait_for(self.run, 10)
            self.records.close()


def said(phone: Phone) -> list[Any]:
    """What the session's conversation holds."""
    prompt = phone.brain.prompts[-1]
    return [part.text for item in prompt.items for part in item.content if hasattr(part, "text")]  # type: ignore[union-attr]


async def test_a_caller_is_greeted_while_the_session_begins_and_it_knows_the_words() -> None:
    async with Phone().answered() as phone:
        assert phone.played == ["greeting"]
        await phone.listen(120)
        assert phone.levels == [True] * 5 + [False]
        phone.live.receive_frame(json.dumps({"type": "response.create"}).encode())
        await settle()
        assert said(phone) == ["Hello."]
    assert phone.record is not None
    assert (phone.record.reason, phone.record.number) == ("the caller hung up", "bakery")


async def test_an_answer_waits_for_the_greeting_and_is_cut_where_it_was_heard() -> None:
    number = Number(name="n", manner=Manner(greeting="Hello."))
    async with Phone(number=number).answered() as phone:
        phone.live.receive_frame(json.dumps({"type": "response.create"}).encode())
        await settle()
        asked = phone.brain.prompts[-1].response_id
        phone.brain.say(rp.Said(asked, "A story.", bytes(48_000)))
        phone.brain.say(rp.Answered(asked))
        await settle()
        await phone.listen(400)
        watcher: list[dict[str, Any]] = []
        phone.call.send = lambda data: watcher.append(json.loads(data))  # type: ignore[method-assign]
        phone.live.receive_frame(json.dumps({"type": "output_audio_buffer.clear"}).encode())
        await settle()
        cut = [event for event in watcher if event["type"] == "conversation.item.truncated"]
        assert [event["audio_end_ms"] for event in cut] == [300]


async def test_a_session_that_ends_is_apologised_for_and_the_call_is_transferred() -> None:
    manner = Manner(on_failure="transfer", transfer_to="+39061")
    async with Phone(number=Number(name="n", manner=manner)).answered() as phone:
        await phone.listen(200)
        phone.live.close(1011, "internal error")
        assert phone.played[-1] == "apology"
        assert phone.hung_up == []
        await phone.listen(120)
        assert phone.transferred == ["+39061"]
    assert phone.record is not None
    assert phone.record.transferred_to == "+39061"


@pytest.mark.parametrize(
    "reason", ["insufficient_quota.insufficient_quota", "Your session hit the maximum duration of 60 minutes."]
)
async def test_an_end_that_the_session_has_told_of_is_no_failure(reason: str) -> None:
    manner = Manner(on_failure="transfer", transfer_to="+39061")
    async with Phone(number=Number(name="n", manner=manner)).answered() as phone:
        await phone.listen(200)
        assert not phone.call.failed(reason)
        assert "apology" not in phone.played
        assert phone.transferred == []


async def test_who_cannot_be_transferred_is_hung_up_on() -> None:
    manner = Manner(on_failure="transfer", transfer_to="+39061")
    async with Phone(number=Number(name="n", manner=manner), can_transfer=False).answered() as phone:
        await phone.listen(200)
        phone.live.close(1011, "internal error")
        await phone.listen(120)
        assert phone.hung_up == ["nobody could be reached"]


async def test_what_is_due_comes_by_itself() -> None:
    manner = Manner(silence_seconds=0.05, presence="Hello?", farewell="Bye.")
    async with Phone(number=Number(name="n", manner=manner)).answered() as phone:
        await phone.listen(120)
        phone.clip_began.clear()
        async with asyncio.timeout(10):
            for clip in ("presence", "farewell"):
                await phone.clip_began.wait()
                assert phone.played[-1] == clip
                phone.clip_began.clear()
                await phone.listen(120)
        assert phone.hung_up == ["the call was ended by its rules"]


async def test_a_recorded_call_says_so_and_keeps_both_voices(tmp_path: Path) -> None:
    number = Number(name="n", recording=Recording(is_on=True))
    async with Phone(tmp_path, number=number).answered() as phone:
        assert phone.played == ["notice"]
        await phone.listen(200)
    assert (tmp_path / "rtc_1.wav").stat().st_size == 44 + 4 * 24 * 200
    (line,) = (tmp_path / "calls-1970-01.jsonl").read_text().splitlines()
    assert json.loads(line)["recording"] == "rtc_1.wav"


async def test_what_a_call_came_to_is_in_its_record() -> None:
    async with Phone().answered() as phone:
        phone.call.agreed("opus", is_encrypted=True)
        phone.call.receive_digit("5")
        phone.live.receive_frame(json.dumps({"type": "response.create"}).encode())
        await settle()
        asked = phone.brain.prompts[-1].response_id
        phone.brain.say(rp.Said(asked, "Yes.", bytes(9600)))
        phone.brain.say(rp.Answered(asked))
        await settle()
        await phone.listen(160)
        phone.live.receive_frame(json.dumps({"type": "output_audio_buffer.clear"}).encode())
    record = phone.record
    assert record is not None
    assert (record.digits, record.interruptions, record.talk_seconds) == (1, 1, 0.0)
    assert record.session_id.startswith("sess_")
    assert (record.codec, record.is_encrypted) == ("opus", True)
    assert record.tokens > 0


async def test_a_call_that_was_never_answered_is_recorded_as_such() -> None:
    phone = Phone()
    phone.call.hung_up("busy", status=486)
    phone.call.hung_up("again")
    assert phone.record is not None
    assert (phone.record.answered_unix, phone.record.status, phone.record.reason) == (None, 486, "busy")
    assert phone.run is None


@pytest.mark.parametrize(("voice", "spoken"), [("nova", "coral"), ("cedar", "cedar")])
def test_a_session_begins_with_what_the_number_says(voice: str, spoken: str) -> None:
    found = settings_of(Number(name="n", voice=voice, language="it", instructions="Be brief."))
    assert (found.voice, found.instructions, found.model) == (spoken, "Be brief.", "vivavoce")
    assert found.turn_detection == ServerVad(threshold=0.5, prefix_padding_ms=300, silence_duration_ms=1500)
    assert found.transcription == Transcription("gpt-4o-mini-transcribe", language="it")
