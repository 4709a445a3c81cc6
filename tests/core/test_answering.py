"""Responses of a session: when they may begin, what they know, and how they end."""

from __future__ import annotations

from typing import Any

import pytest

from playbook import NOTHING, Playbook, b64, function, user
from vivavoce.core import effects as ef
from vivavoce.core import events as ev
from vivavoce.core import reports as rp
from vivavoce.core.formats import PCMA
from vivavoce.core.items import InputText, Message, WordMark
from vivavoce.core.limits import Limits


def create(play: Playbook, **response: Any) -> list[str]:
    return play.client("response.create", response=response)


def test_a_conversation_has_one_response_at_a_time() -> None:
    play = Playbook()
    play.respond()
    assert play.client("response.create", event_id="again") == ["error conversation_already_has_active_response None"]
    assert play.error.message == (
        "Conversation already has an active response in progress: resp_1. Wait until the response is finished before "
        "creating a new one."
    )
    assert play.error.client_event_id == "again"
    assert create(play, conversation="none")[0] == "response.created resp_2 in_progress"
    play.report(rp.Answered("resp_1"))
    assert play.client("response.create")[0] == "response.created resp_3 in_progress"


def test_a_conversation_may_be_named_by_its_id() -> None:
    play = Playbook()
    assert create(play, conversation="conv_1")[0] == "response.created resp_1 in_progress"
    assert play.sent(ev.ResponseCreated).response.conversation_id == "conv_1"
    assert create(play, conversation="conv_2") == ["error invalid_value response.conversation"]
    assert play.error.message == "Invalid value: 'conv_2'. Supported values are: 'auto' and 'none'."


@pytest.mark.parametrize("response_id", [None, "", "resp_9"])
def test_cancelling_nothing_is_told_with_the_prefix_that_clients_match(response_id: str | None) -> None:
    play = Playbook()
    assert play.client("response.cancel", response_id=response_id) == ["error response_cancel_not_active None"]
    assert play.error.message == "Cancellation failed: no active response found"


def test_a_cancel_hits_the_conversations_response_or_the_one_it_names() -> None:
    play = Playbook()
    create(play, conversation="none")
    assert play.client("response.cancel") == ["error response_cancel_not_active None"]
    play.respond()
    assert play.client("response.cancel", response_id="resp_1") == [
        "Abandon resp_1",
        "response.done resp_1 cancelled client_cancelled",
        "rate_limits.updated",
    ]
    assert play.client("response.cancel")[0] == "Abandon resp_2"
    assert play.client("response.cancel", response_id="resp_2") == ["error response_cancel_not_active None"]


def test_responses_under_way_are_limited() -> None:
    play = Playbook(limits=Limits(parallel_responses=2))
    create(play, conversation="none")
    create(play, conversation="none")
    assert create(play, conversation="none") == ["error rate_limit_exceeded None"]
    assert play.error.type == "rate_limit_error"
    play.report(rp.Answered("resp_1"))
    assert create(play, conversation="none")[0] == "response.created resp_3 in_progress"


def test_a_turn_that_finds_no_room_is_answered_when_there_is_some() -> None:
    play = Playbook(limits=Limits(parallel_responses=1))
    create(play, conversation="none")
    play.turn()
    assert play.report(rp.Answered("resp_1"))[2:] == [
        "response.created resp_2 in_progress",
        "rate_limits.updated early",
        "Answer resp_2",
    ]


def test_a_response_has_settings_of_its_own_for_itself_alone() -> None:
    play = Playbook(update={"tools": [function("a")], "instructions": "Be brief."})
    create(
        play,
        instructions="Be long.",
        output_modalities=["text"],
        tools=[function("b")],
        tool_choice={"type": "function", "name": "b"},
        max_output_tokens=7,
        parallel_tool_calls=False,
        audio={"output": {"format": {"type": "audio/pcma"}, "voice": "echo"}},
        metadata={"k": "v"},
    )
    prompt = play.prompt
    assert (prompt.instructions, prompt.modality, prompt.max_output_tokens) == ("Be long.", "text", 7)
    assert (prompt.tools[0].name, prompt.tool_choice) == ("b", {"type": "function", "name": "b"})
    assert (prompt.output_format, prompt.voice, prompt.parallel_tool_calls) == (PCMA, "echo", False)
    state = play.sent(ev.ResponseCreated).response
    assert (state.metadata, state.settings.instructions) == ({"k": "v"}, "Be long.")
    play.report(rp.Answered("resp_1"))
    play.respond()
    assert (play.prompt.instructions, play.prompt.voice, play.prompt.tools[0].name) == ("Be brief.", "alloy", "a")
    assert play.prompt.parallel_tool_calls is True


def test_nulls_in_a_response_are_as_good_as_nothing() -> None:
    play = Playbook(update={"instructions": "Be brief."})
    assert create(play, instructions=None, tools=None, metadata=None, conversation=None, input=None,
                  audio={"output": {"voice": None}})[0] == "response.created resp_1 in_progress"  # fmt: skip
    assert play.prompt.instructions == "Be brief."


def test_a_tool_that_is_demanded_must_be_there() -> None:
    play = Playbook(update={"tools": [function("a"), function("b")]})
    assert create(play, tool_choice={"type": "function", "name": "c"}) == ["error invalid_value response.tool_choice"]
    assert play.error.message == "Tool choice 'c' not found in 'tools'; there: 'a', 'b'."
    assert play.client("response.cancel") == ["error response_cancel_not_active None"]


def test_another_voice_is_refused_once_one_was_heard_except_out_of_band() -> None:
    play = Playbook()
    play.respond()
    play.report(rp.Said("resp_1", "Hi", bytes(96)))
    play.report(rp.Answered("resp_1"))
    assert create(play, audio={"output": {"voice": "echo"}}) == ["error cannot_update_voice None"]
    assert create(play, audio={"output": {"voice": "echo"}}, conversation="none")[0].startswith("response.created")
    assert create(play, audio={"output": {"voice": "alloy"}})[0].startswith("response.created")


# --------------------------------------------------------------------------------------------------- the context


def known(play: Playbook) -> list[str]:
    return [str(getattr(item.content[0], "text", "")) for item in play.prompt.items if isinstance(item, Message)]


def test_the_input_of_a_response_replaces_the_conversation_and_stays_out_of_it() -> None:
    play = Playbook()
    play.add_text("one", previous_item_id="root")
    play.add_text("two")
    create(play, input=[user("new"), {"type": "item_reference", "id": "item_1"}])
    assert known(play) == ["new", "one"]
    assert play.ids == ["item_1", "item_2"]
    play.report(rp.Said("resp_1", "Yes"))
    assert play.ids == ["item_1", "item_2", "item_3"], "what is said is part of the conversation"


def test_an_empty_input_is_an_empty_context() -> None:
    play = Playbook()
    play.add_text("one")
    create(play, input=[], conversation="none")
    assert play.prompt.items == ()


def test_an_input_item_stands_for_itself_even_under_an_id_of_the_conversation() -> None:
    play = Playbook()
    play.add_text("one")
    create(play, input=[user("other", id="item_1")])
    assert known(play) == ["other"]


def test_a_reference_to_nothing_is_refused() -> None:
    play = Playbook()
    assert create(play, input=[user("a"), {"type": "item_reference", "id": "x"}]) == [
        "error invalid_value response.input[1].id"
    ]
    assert play.error.message == "Item with item_id not found: x"
    assert play.respond() == "resp_1"


def test_a_reference_waits_for_the_words_of_its_item_and_other_responses_do_not() -> None:
    play = Playbook()
    play.detect()
    play.add_text("known")
    play.append(200)
    play.client("input_audio_buffer.commit")
    assert create(play, conversation="none", input=[{"type": "item_reference", "id": "item_2"}])[-1].endswith("early")
    assert create(play, conversation="none", input=[user("x")])[-1] == "Answer resp_2"
    assert create(play)[-1].endswith("early")
    assert play.report(rp.Transcribed("item_2", "heard")) == ["Answer resp_1", "Answer resp_3"]


def test_the_prompt_is_a_snapshot_that_later_items_do_not_enter() -> None:
    play = Playbook()
    play.speak()
    play.stop_speaking()
    play.add_text("later")
    play.report(rp.Transcribed("item_1", "hello"))
    assert [item.id for item in play.prompt.items] == ["item_1"]


def test_what_is_still_being_said_is_not_part_of_another_prompt() -> None:
    play = Playbook()
    play.add_text("one")
    play.respond()
    play.report(rp.Said("resp_1", "Well", bytes(96)))
    create(play, conversation="none")
    assert [item.id for item in play.prompt.items] == ["item_1"]
    play.client("response.cancel")
    create(play, conversation="none")
    assert [item.id for item in play.prompt.items] == ["item_1", "item_2"]


def test_a_prompt_tells_when_each_item_came() -> None:
    play = Playbook()
    play.now = 3.5
    play.add_text("one")
    play.now = 5.0
    create(play, input=[{"type": "item_reference", "id": "item_1"}, user("now")])
    assert play.prompt.items[1] == Message("", "user", (InputText("now"),))
    assert (play.prompt.said_at, play.prompt.now) == ((3.5, 5.0), 5.0)
    assert (play.prompt.session_id, play.prompt.model) == ("sess_1", "vivavoce")


# ------------------------------------------------------------------------------------------------------- the end


def test_an_answer_that_uses_up_its_tokens_ends_there() -> None:
    play = Playbook()
    create(play, max_output_tokens=3)
    play.report(rp.Said("resp_1", "one two "))
    lines = play.report(rp.Said("resp_1", "three four"))
    assert lines[0] == "response.output_audio_transcript.delta item_1 three four"
    assert lines[1] == "Abandon resp_1"
    assert "response.done resp_1 incomplete max_output_tokens" in lines
    assert "conversation.item.done item_1 assistant incomplete one two three four after None" in lines
    assert play.report(rp.Said("resp_1", "five")) == NOTHING
    assert play.respond() == "resp_2"


def test_what_an_engine_counted_itself_is_told() -> None:
    play = Playbook()
    play.respond()
    play.report(rp.Said("resp_1", "Hello", bytes(48 * 100)))
    play.report(rp.Answered("resp_1", "stop", rp.Spent(input_text_tokens=11, output_text_tokens=5, cached_tokens=3)))
    usage = play.sent(ev.ResponseDone).response.usage
    assert (usage.input_text_tokens, usage.output_text_tokens, usage.cached_tokens) == (11, 5, 3)
    assert usage.output_audio_tokens == 2


def test_a_cancelled_response_tells_the_tokens_that_it_took() -> None:
    play = Playbook(update={"instructions": "Be brief."})
    play.add_text("12345678")
    play.respond()
    play.report(rp.Said("resp_1", "1234", bytes(48 * 120)))
    play.client("response.cancel")
    usage = play.sent(ev.ResponseDone).response.usage
    assert (usage.input_text_tokens, usage.output_text_tokens, usage.output_audio_tokens) == (3 + 2, 1, 3)


def test_clients_that_answer_a_call_as_soon_as_they_see_it_done_may_ask_on_at_once() -> None:
    play = Playbook()
    play.respond()
    play.report(rp.Called("resp_1", "f", "call_x"))
    play.report(rp.Argued("resp_1", "{}"))
    lines = play.report(rp.Answered("resp_1"))
    done = [line.split(" ")[0] for line in lines]
    assert done.index("response.done") > done.index("response.output_item.done"), "in the same burst"
    assert play.client("response.create")[0] == "response.created resp_2 in_progress"


# --------------------------------------------------------------------------- audio that comes with a response

SPOKEN = {"type": "message", "role": "user", "content": [{"type": "input_audio", "audio": b64(bytes(4800))}]}


def ask_with_audio(play: Playbook) -> str:
    lines = play.client("response.create", response={"conversation": "none", "input": [SPOKEN]})
    assert lines[0] == "response.created resp_1 in_progress"
    recognise = play.last[-1]
    assert isinstance(recognise, ef.Recognise)
    assert len(recognise.audio) == 4800
    return recognise.item_id


def test_the_brain_is_asked_once_the_words_are_known() -> None:
    play = Playbook()
    utterance = ask_with_audio(play)
    assert play.report(rp.Transcribed(utterance, "what is that")) == ["Answer resp_1"]
    answer = play.last[0]
    assert isinstance(answer, ef.Answer)
    (item,) = answer.prompt.items
    assert isinstance(item, Message)
    assert item.content[0].words == "what is that"  # type: ignore[union-attr]
    assert play.ids == []


def test_words_that_cannot_be_had_are_not_waited_for() -> None:
    play = Playbook()
    utterance = ask_with_audio(play)
    assert play.report(rp.TranscriptionFailed(utterance, "engine_error", "broken")) == ["Answer resp_1"]


def test_a_cancelled_response_waits_for_no_words() -> None:
    play = Playbook()
    utterance = ask_with_audio(play)
    lines = play.client("response.cancel", response_id="resp_1")
    assert "response.done resp_1 cancelled" in " | ".join(lines)
    assert ef.Discard(utterance) in play.last
    assert play.report(rp.Transcribed(utterance, "late")) == []


def test_a_session_that_cannot_hear_any_more_says_so_and_ends() -> None:
    play = Playbook()
    play.respond()
    lines = play.report(rp.Deafened("no model"))
    assert lines[0].startswith("error")
    assert "response.done resp_1 cancelled" in " | ".join(lines)
    assert play.last[-1] == ef.Close(1011, "the server cannot hear any more")


# ------------------------------------------------------------------------------------------- what the user heard

WORDS = "One two three four five. "
"""Said in a second, a word every 200 ms."""


def say(play: Playbook, response_id: str) -> None:
    """Have a second of words said at once."""
    ends = [3, 7, 13, 18, 24]
    marks = tuple(WordMark(200 * (index + 1), end) for index, end in enumerate(ends))
    play.report(rp.Said(response_id, WORDS, bytes(48_000), marks))


def told(play: Playbook) -> list[str]:
    """The texts of the assistant's messages in a new prompt."""
    play.respond(conversation="none")
    return [
        "".join(getattr(part, "transcript", None) or getattr(part, "text", "") for part in item.content)
        for item in play.prompt.items
        if isinstance(item, Message) and item.role == "assistant"
    ]


def spoken(play: Playbook, *, is_done: bool) -> str:
    """Have an answer said at 10 s; returns its item's id."""
    play.now = 10.0
    response = play.respond()
    say(play, response)
    item_id = play.ids[-1]
    if is_done:
        play.report(rp.Answered(response))
    return item_id


@pytest.mark.parametrize("is_done", [False, True], ids=["generating", "done"])
@pytest.mark.parametrize(
    ("after_ms", "heard"), [(0, ""), (199, ""), (200, "One"), (650, "One two three"), (1000, WORDS), (5000, WORDS)]
)
@pytest.mark.parametrize("how", ["voice", "cancel"])
def test_after_an_interruption_the_brain_knows_the_words_that_were_played(
    how: str, after_ms: int, heard: str, is_done: bool
) -> None:
    play = Playbook()
    item_id = spoken(play, is_done=is_done)
    play.now = 10.0 + after_ms / 1000
    if how == "voice":
        play.append(1000)
        play.hear(*[0.9] * 10)
    else:
        play.client("response.cancel")
    assert told(play) == [heard]
    play.client("conversation.item.retrieve", item_id=item_id)
    assert play.messages()[0]["item"]["content"][0]["transcript"] == WORDS, "clients see it as it was made"


def test_every_message_that_was_not_played_to_its_end_is_known_as_far_as_it_was() -> None:
    play = Playbook()
    for _ in range(2):
        spoken(play, is_done=True)
    response = play.respond()
    say(play, response)
    play.report(rp.Called(response, "look_up"))
    play.report(rp.Argued(response, "{}"))
    say(play, response)
    play.now = 11.5
    play.client("response.cancel")
    assert told(play) == [WORDS, "One two", "", ""]


def test_text_whose_sound_was_not_sent_yet_was_not_heard() -> None:
    play = Playbook()
    response = play.respond()
    play.report(rp.Said(response, "Hello"))
    play.client("response.cancel")
    assert told(play) == [""]


def test_a_written_message_is_known_as_it_was_written() -> None:
    play = Playbook()
    response = play.respond(output_modalities=["text"])
    play.report(rp.Said(response, "Hello"))
    play.client("response.cancel")
    assert told(play) == ["Hello"]


@pytest.mark.parametrize("is_first", [False, True], ids=["after", "before"])
@pytest.mark.parametrize(("audio_end_ms", "heard"), [(400, "One two"), (900, "One two three four"), (1000, WORDS)])
@pytest.mark.parametrize("is_done", [False, True], ids=["generating", "done"])
def test_what_the_client_truncates_to_goes_before_any_estimate(
    is_done: bool, audio_end_ms: int, heard: str, is_first: bool
) -> None:
    play = Playbook()
    item_id = spoken(play, is_done=is_done)
    play.now = 10.65
    truncate = {"item_id": item_id, "content_index": 0, "audio_end_ms": audio_end_ms}
    if is_first:
        play.client("conversation.item.truncate", **truncate)
        play.client("response.cancel")
    else:
        play.client("response.cancel")
        assert play.client("conversation.item.truncate", **truncate) == [
            f"conversation.item.truncated {item_id} {audio_end_ms}"
        ]
    assert told(play) == [heard]


def test_a_client_that_truncates_one_message_has_heard_none_behind_it() -> None:
    play = Playbook()
    first = spoken(play, is_done=True)
    spoken(play, is_done=True)
    play.now = 10.5
    play.client("conversation.item.truncate", item_id=first, content_index=0, audio_end_ms=450)
    assert told(play) == ["One two", ""]


def test_a_leg_that_plays_knows_better_than_an_estimate() -> None:
    play = Playbook()
    item_id = spoken(play, is_done=True)
    play.now = 10.45
    play.client("response.cancel")
    play.report(rp.Played(item_id, 620))
    assert told(play) == ["One two three"]


def test_cancelling_out_of_band_stops_nothing_that_plays() -> None:
    play = Playbook()
    spoken(play, is_done=True)
    other = play.respond(conversation="none")
    play.now = 10.5
    play.client("response.cancel", response_id=other)
    assert told(play) == [WORDS]
