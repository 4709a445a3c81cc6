"""How a call is held: greetings, fillers, music, apologies, long silences and long calls."""

from __future__ import annotations

import json
from typing import Any

import pytest

from vivavoce.server.phone.manners import Deed, HangUp, Manners, PlayClip, StopClip, ToSession, Transfer
from vivavoce.telephony import Manner

CLIPS = frozenset(("notice", "greeting", "filler", "hold", "presence", "farewell", "apology", "message"))


class Phone:
    """A call and its clock."""

    def __init__(self, clips: frozenset[str] = CLIPS, *, is_outbound: bool = False, notice: str = "", **manner: Any):
        self.now = 100.0
        self.manners = Manners(Manner(**manner), clips, is_outbound=is_outbound, notice_words=notice)

    def hears(self, kind: str, **fields: Any) -> list[Deed]:
        return self.manners.receive_session(json.dumps({"type": kind, **fields}).encode(), self.now)

    def answered(self) -> list[Deed]:
        return self.manners.answered(self.now)

    def ended(self, clip: str) -> list[Deed]:
        return self.manners.clip_ended(clip, self.now)

    def wait(self, seconds: float) -> list[Deed]:
        """Let time pass, and do what comes due in it."""
        out: list[Deed] = []
        until = self.now + seconds
        while (due := self.manners.deadline) is not None and due <= until:
            self.now = max(self.now, due)
            out += self.manners.receive_time(self.now)
        self.now = until
        return out

    def settled(self) -> Phone:
        """The call stands, and whatever was said first is over."""
        self.answered()
        for clip in ("notice", "greeting"):
            self.ended(clip)
        return self

    def turn(self) -> None:
        self.hears("input_audio_buffer.speech_started")
        self.hears("input_audio_buffer.speech_stopped")
        self.hears("response.created", response={"id": "r"})


def message(status: str = "completed", *types: str) -> dict[str, Any]:
    return {"id": "r", "status": status, "output": [{"type": kind} for kind in types or ("message",)]}


def test_the_greeting_is_played_at_once_and_the_session_knows_its_words() -> None:
    phone = Phone(greeting="Hello, this is the bakery.")
    assert phone.answered() == [PlayClip("greeting")]
    (told,) = phone.hears("session.created")
    assert isinstance(told, ToSession)
    item = json.loads(told.frame)["item"]
    assert (item["role"], item["content"][0]["text"]) == ("assistant", "Hello, this is the bakery.")


def test_a_recorded_call_says_so_first_and_nobody_talks_it_down() -> None:
    phone = Phone(notice="This call is recorded.", greeting="Hello.")
    assert phone.answered() == [PlayClip("notice")]
    assert phone.hears("input_audio_buffer.speech_started") == []
    assert phone.ended("notice") == [PlayClip("greeting")]
    assert phone.hears("input_audio_buffer.speech_started") == [StopClip()]
    assert phone.ended("greeting") == [], "it was stopped already"


def test_without_sound_for_a_greeting_nothing_is_said() -> None:
    phone = Phone(frozenset())
    assert phone.answered() == []
    assert phone.hears("session.created") == []


def test_an_answer_that_comes_in_time_is_not_talked_over() -> None:
    phone = Phone().settled()
    phone.turn()
    assert phone.wait(2.9) == []
    phone.hears("output_audio_buffer.started", response_id="r")
    assert phone.wait(30) == []


def test_who_waits_hears_a_filler_once_and_then_music_until_the_answer() -> None:
    phone = Phone().settled()
    phone.turn()
    assert phone.wait(3) == [PlayClip("filler")]
    assert phone.wait(1) == []
    assert phone.ended("filler") == []
    assert phone.wait(10) == [PlayClip("hold", is_looped=True)]
    assert phone.wait(30) == []
    phone.hears("output_audio_buffer.started", response_id="r")
    assert phone.ended("hold") == []


def test_a_function_that_takes_long_is_waited_for_with_music() -> None:
    phone = Phone().settled()
    phone.turn()
    phone.wait(2)
    assert phone.hears("response.done", response=message("completed", "function_call")) == []
    assert phone.wait(2) == [PlayClip("filler")]
    phone.ended("filler")
    phone.hears("response.created", response={"id": "r2"})
    assert phone.wait(5) == [PlayClip("hold", is_looped=True)]


def test_who_speaks_into_the_music_is_listened_to() -> None:
    phone = Phone().settled()
    phone.turn()
    phone.wait(3)
    phone.ended("filler")
    phone.wait(5)
    assert phone.hears("input_audio_buffer.speech_started") == [StopClip()]
    assert phone.wait(20) == []


def test_an_answer_without_sound_ends_the_wait() -> None:
    phone = Phone().settled()
    phone.turn()
    phone.hears("response.done", response={"id": "r", "status": "completed", "output": []})
    assert phone.wait(30) == []


def test_a_cancelled_answer_ends_the_wait() -> None:
    phone = Phone().settled()
    phone.turn()
    phone.hears("response.done", response={"id": "r", "status": "cancelled", "output": []})
    assert phone.wait(30) == []


def test_no_filler_where_none_is_wanted() -> None:
    phone = Phone(CLIPS - {"hold"}, filler_after_seconds=0).settled()
    phone.turn()
    assert phone.wait(30) == []


def test_a_session_that_is_lost_is_apologised_for_and_the_caller_is_connected_with_somebody() -> None:
    phone = Phone(on_failure="transfer", transfer_to="sip:desk@example.com").settled()
    assert phone.manners.failed(phone.now) == [PlayClip("apology")]
    assert phone.manners.failed(phone.now) == []
    assert phone.ended("apology") == [Transfer("sip:desk@example.com")]
    assert phone.manners.is_over
    assert phone.manners.deadline is None


def test_without_an_apology_the_call_ends_at_once() -> None:
    phone = Phone(CLIPS - {"apology"}).settled()
    assert phone.manners.failed(phone.now) == [HangUp("the conversation broke off")]


def test_music_stops_for_the_apology() -> None:
    phone = Phone().settled()
    phone.turn()
    phone.wait(3)
    phone.ended("filler")
    phone.wait(5)
    assert phone.manners.failed(phone.now) == [StopClip(), PlayClip("apology")]


def test_answers_that_fail_one_after_the_other_are_the_end_and_a_single_one_is_not() -> None:
    phone = Phone().settled()
    for outcome in ([], [PlayClip("apology")]):
        phone.turn()
        assert phone.hears("response.done", response=message("failed")) == outcome
    phone = Phone().settled()
    phone.turn()
    phone.hears("response.done", response=message("failed"))
    phone.turn()
    phone.hears("output_audio_buffer.started", response_id="r")
    phone.hears("output_audio_buffer.stopped", response_id="r")
    phone.turn()
    assert phone.hears("response.done", response=message("failed")) == []


def test_into_a_long_silence_a_question_is_asked_and_then_the_call_ends() -> None:
    phone = Phone(silence_seconds=20).settled()
    assert phone.wait(20) == [PlayClip("presence")]
    phone.ended("presence")
    assert phone.wait(20) == [PlayClip("farewell")]
    assert phone.ended("farewell") == [HangUp("the call was ended by its rules")]


def test_who_answers_the_question_stays() -> None:
    phone = Phone(silence_seconds=20).settled()
    phone.wait(20)
    phone.hears("input_audio_buffer.speech_started")
    phone.hears("input_audio_buffer.speech_stopped")
    assert phone.wait(19) == []
    assert phone.wait(1) == [PlayClip("presence")]


def test_a_long_answer_is_no_silence() -> None:
    phone = Phone(silence_seconds=5).settled()
    phone.turn()
    phone.hears("output_audio_buffer.started", response_id="r")
    assert phone.wait(60) == []
    phone.hears("output_audio_buffer.stopped", response_id="r")
    assert phone.wait(5) == [PlayClip("presence")]


def test_a_call_lasts_so_long_and_no_longer() -> None:
    phone = Phone(max_seconds=60, silence_seconds=0).settled()
    phone.turn()
    phone.hears("output_audio_buffer.started", response_id="r")
    assert phone.wait(60) == [PlayClip("farewell")]
    assert phone.wait(60) == []


@pytest.mark.parametrize("machine", ["hang_up", "leave_message", "talk"])
def test_a_machine_that_answers_a_call_of_ours_is_met_by_rule(machine: str) -> None:
    phone = Phone(is_outbound=True, machine=machine).settled()
    phone.hears("input_audio_buffer.speech_started")
    found = phone.wait(4)
    if machine == "hang_up":
        assert found == [HangUp("a machine answered")]
    elif machine == "talk":
        assert found == []
    else:
        assert [type(deed) for deed in found] == [ToSession]
        assert phone.hears("input_audio_buffer.speech_stopped") == [PlayClip("message")]
        assert phone.ended("message") == [HangUp("the call was ended by its rules")]


def test_a_machine_that_never_falls_silent_is_left_a_message_all_the_same() -> None:
    phone = Phone(is_outbound=True, machine="leave_message").settled()
    phone.hears("input_audio_buffer.speech_started")
    phone.wait(4)
    assert phone.wait(45) == [PlayClip("message")]


def test_a_person_who_answers_is_no_machine() -> None:
    phone = Phone(is_outbound=True).settled()
    phone.turn()
    phone.hears("input_audio_buffer.speech_started")
    assert [deed for deed in phone.wait(30) if isinstance(deed, HangUp)] == []


@pytest.mark.parametrize("frame", [b"", b"[]", b'{"type":7}', b'{"type":"response.done","response":[]}', b"\xff"])
def test_what_is_no_event_does_nothing(frame: bytes) -> None:
    phone = Phone().settled()
    assert phone.manners.receive_session(frame, phone.now) == []
