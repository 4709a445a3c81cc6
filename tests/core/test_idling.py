"""The wait after an answer: when it begins, what ends it, and what the server does when it lasts too long."""

from __future__ import annotations

from typing import Any

import pytest

from playbook import NOTHING, Playbook, kinds, user
from vivavoce.core import events as ev
from vivavoce.core import reports as rp
from vivavoce.core.items import Message
from vivavoce.core.limits import Limits

TIMEOUT = {"idle_timeout_ms": 5000}
TRIGGERED = "input_audio_buffer.timeout_triggered"


def answered(play: Playbook, ms: int = 2000, reason: str = "stop", text: str = "Hello.") -> str:
    """Have an answer of that length said at once, and done."""
    response = play.respond()
    if text:
        play.report(rp.Said(response, text, bytes(48 * ms)))
    play.report(rp.Answered(response, reason))
    return response


def waiting(**detection: Any) -> Playbook:
    """A session whose answer of two seconds was done at 10 s."""
    play = Playbook()
    play.detect(**(TIMEOUT | detection))
    play.now = 10.0
    answered(play)
    return play


def test_silence_after_the_playback_of_an_answer_is_answered() -> None:
    play = waiting()
    play.append(1000)
    assert play.session.deadline == 17.0
    assert play.time(16.9) == NOTHING
    play.now = 12.5
    play.append(4000)
    assert play.time(17.0) == [
        f"{TRIGGERED} 1000 5000 item_2",
        "input_audio_buffer.committed item_1 item_2",
        "conversation.item.added item_2 user completed after item_1",
        "conversation.item.done item_2 user completed after item_1",
        "response.created resp_2 in_progress",
        "rate_limits.updated early",
        "Answer resp_2",
    ]
    item = play.item("item_2")
    assert isinstance(item, Message)
    assert [(part.audio, part.is_silence) for part in item.content] == [(b"", True)]


def test_the_wait_begins_where_the_audio_clock_was_when_the_playback_ended() -> None:
    play = waiting()
    for second in range(7):
        play.now = 10.2 + second
        play.append(1000)
    play.time(17.5)
    assert play.sent(ev.TimeoutTriggered).audio_start_ms == 2000, "what came at 12.2 s began there"
    assert play.sent(ev.TimeoutTriggered).audio_end_ms == 7000


def test_without_any_audio_the_wait_begins_and_ends_at_one_place() -> None:
    play = waiting()
    play.time(17.0)
    assert (play.sent(ev.TimeoutTriggered).audio_start_ms, play.sent(ev.TimeoutTriggered).audio_end_ms) == (0, 0)


def test_a_written_answer_is_waited_for_from_its_end() -> None:
    play = Playbook()
    play.detect(**TIMEOUT)
    play.now = 3.0
    response = play.respond(output_modalities=["text"])
    play.report(rp.Said(response, "Hello."))
    assert play.session.deadline == play.session.limits.session_seconds, "nobody waits while it is written"
    play.report(rp.Answered(response))
    assert play.session.deadline == 8.0


def test_it_is_triggered_once_until_there_is_another_answer() -> None:
    play = waiting(create_response=False)
    assert len(play.time(17.0)) == 4
    assert play.session.deadline == play.session.limits.session_seconds
    assert play.time(100.0) == NOTHING
    answered(play, 1000)
    assert play.session.deadline == 106.0


def test_the_answer_to_silence_is_itself_waited_for() -> None:
    play = waiting()
    play.time(17.0)
    play.report(rp.Said("resp_2", "Are you there?", bytes(48_000)))
    play.report(rp.Answered("resp_2"))
    assert play.session.deadline == 23.0


def speech(play: Playbook) -> None:
    play.append(1000)
    play.hear(*[0.9] * 4)


def turn(play: Playbook) -> None:
    speech(play)
    play.stop_speaking()


def committed(play: Playbook) -> None:
    play.append(200)
    play.client("input_audio_buffer.commit")


@pytest.mark.parametrize(
    "other",
    [
        speech,
        turn,
        committed,
        lambda play: play.add_text(),
        lambda play: play.respond(),
        lambda play: play.update(audio={"input": {"turn_detection": {"idle_timeout_ms": None}}}),
        lambda play: play.detect(),
        lambda play: play.update(audio={"input": {"turn_detection": {"type": "semantic_vad"}}}),
    ],
    ids=["speech", "turn", "commit", "item", "response", "no timeout", "no turns", "semantic turns"],
)
def test_anything_else_ends_the_wait(other: Any) -> None:
    play = waiting(create_response=False)
    other(play)
    assert play.session.deadline == play.session.limits.session_seconds
    assert not any(line.startswith(TRIGGERED) for line in play.time(30.0))


@pytest.mark.parametrize(
    "other",
    [
        lambda play: play.client("conversation.item.retrieve", item_id="item_1"),
        lambda play: play.client("input_audio_buffer.clear"),
        lambda play: play.client("response.cancel"),
        lambda play: play.append(500),
        lambda play: play.hear(0.9, 0.0, 0.0),
        lambda play: play.update(instructions="Be brief."),
        lambda play: play.respond(conversation="none"),
    ],
    ids=["retrieve", "clear", "refused cancel", "audio", "click", "instructions", "out of band"],
)
def test_what_is_no_part_of_the_conversation_leaves_the_wait_alone(other: Any) -> None:
    play = waiting()
    other(play)
    assert play.session.deadline == 17.0


def test_new_settings_hold_for_the_wait_under_way() -> None:
    play = waiting()
    play.now = 14.0
    play.update(audio={"input": {"turn_detection": {"idle_timeout_ms": 8000}}})
    assert play.session.deadline == 20.0
    play.update(audio={"input": {"turn_detection": {"idle_timeout_ms": 5000}}})
    assert play.session.deadline == 17.0


def test_a_timeout_set_when_it_has_passed_already_is_due_at_once() -> None:
    play = waiting(idle_timeout_ms=None)
    play.now = 40.0
    play.detect(**TIMEOUT)
    assert play.session.deadline == 17.0
    assert play.time(40.0)[0] == f"{TRIGGERED} 0 0 item_2"


@pytest.mark.parametrize(
    ("ending", "is_waited"),
    [("stop", True), ("max_output_tokens", True), ("content_filter", True)],
)
def test_incomplete_answers_are_waited_for_too(ending: str, is_waited: bool) -> None:
    play = Playbook()
    play.detect(**TIMEOUT)
    answered(play, 0, ending)
    assert (play.session.deadline == 5.0) == is_waited


def test_what_the_user_cannot_answer_is_not_waited_for() -> None:
    play = Playbook(update={"tools": [{"type": "function", "name": "look_up"}]})
    play.detect(**TIMEOUT)
    never = play.session.limits.session_seconds
    failed = play.respond()
    play.report(rp.Broke(failed, "engine_error", "Broken."))
    assert play.session.deadline == never, "failed"
    play.report(rp.Called(play.respond(), "look_up"))
    play.report(rp.Answered("resp_2"))
    assert play.session.deadline == never, "the application owes the output of a function"
    play.report(rp.Said(play.respond(), "Hello"))
    play.client("response.cancel")
    assert play.session.deadline == never, "cancelled"


def test_nobody_is_prompted_while_speaking_through_an_answer_that_goes_on() -> None:
    play = Playbook()
    play.detect(**TIMEOUT, interrupt_response=False)
    response = play.respond()
    play.report(rp.Said(response, "Hello.", bytes(48_000)))
    speech(play)
    play.report(rp.Answered(response))
    assert play.session.deadline == play.session.limits.session_seconds
    assert play.time(30.0) == NOTHING


def test_the_end_of_the_session_goes_first() -> None:
    play = waiting()
    limit = play.session.limits.session_seconds
    assert play.time(limit)[-1].startswith("Close 1001")


def test_a_prompt_waits_like_any_turn_when_there_are_too_many_responses() -> None:
    play = Playbook(limits=Limits(parallel_responses=2))
    play.detect(**TIMEOUT)
    answered(play, 0)
    others = [play.respond(conversation="none") for _ in range(2)]
    assert kinds(play.time(5.0)) == [
        TRIGGERED, "input_audio_buffer.committed", "conversation.item.added", "conversation.item.done",
    ]  # fmt: skip
    assert "response.created" in kinds(play.report(rp.Answered(others[0])))


def test_the_user_may_answer_the_prompt_as_usual() -> None:
    play = waiting()
    play.time(17.0)
    assert play.add_text("Yes")[0].startswith("conversation.item.added item_3 user")
    assert play.client("conversation.item.create", item=user("Hello"))[0].startswith("conversation.item.added")
