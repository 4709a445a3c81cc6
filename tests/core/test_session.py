"""The session as a whole: the orders of the protocol, settings, items, limits and time."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import pytest

from playbook import NOTHING, Playbook, b64, function, kinds, user
from vivavoce.core import effects as ef
from vivavoce.core import events as ev
from vivavoce.core import reports as rp
from vivavoce.core.errors import ProtocolError
from vivavoce.core.items import WordMark
from vivavoce.core.limits import Limits
from vivavoce.core.service import Abilities, Service
from vivavoce.core.settings import NoiseReduction, Settings

WHISPER = {"audio": {"input": {"transcription": {"model": "whisper-1"}}}}
MANUAL = {"audio": {"input": {"turn_detection": None}}}
RESPONSE_BEGINS = ["response.created resp_1 in_progress", "rate_limits.updated early"]

PIXEL = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJg"
    "gg=="
)


def huge(width: int, height: int) -> str:
    """A PNG image that says it is this large."""
    head = b"\x89PNG\r\n\x1a\n" + (13).to_bytes(4, "big") + b"IHDR"
    return "data:image/png;base64," + b64(head + width.to_bytes(4, "big") + height.to_bytes(4, "big") + bytes(9))


def test_a_session_opens_with_its_state_and_its_conversation() -> None:
    play = Playbook()
    assert play.started == ["session.created", "conversation.created", "Expect"]
    created = ef.Send(ev.SessionCreated("event_1", ev.SessionState("sess_1", 1_000_003_600, play.session.settings)))
    assert play.last[0] == created


# ------------------------------------------------------------------------------------------------------- the orders


def test_a_spoken_turn_is_committed_and_answered_in_the_order_of_the_protocol() -> None:
    play = Playbook(update=WHISPER)
    assert play.speak() == [
        "input_audio_buffer.speech_started 0 item_1",
        "Transcribe item_1 from 0",
        "ClearPlayout",
    ]
    assert play.stop_speaking() == [
        "input_audio_buffer.speech_stopped 832 item_1",
        "input_audio_buffer.committed None item_1",
        "conversation.item.added item_1 user completed after None",
        "conversation.item.done item_1 user completed after None",
        "Conclude item_1 at 39936",
        *RESPONSE_BEGINS,
    ]
    assert play.report(rp.Transcribed("item_1", "what time is it")) == [
        "conversation.item.input_audio_transcription.delta item_1 what time is it",
        "conversation.item.input_audio_transcription.completed item_1 what time is it",
        "Answer resp_1",
    ]
    assert play.report(rp.Said("resp_1", "It is", bytes(960))) == [
        "response.output_item.added resp_1 0 item_2 assistant in_progress",
        "conversation.item.added item_2 assistant in_progress after item_1",
        "response.content_part.added item_2 0 ''",
        "response.output_audio_transcript.delta item_2 It is",
        "response.output_audio.delta item_2 960",
    ]
    assert play.report(rp.Said("resp_1", " noon.")) == ["response.output_audio_transcript.delta item_2  noon."]
    assert play.report(rp.Answered("resp_1")) == [
        "response.output_audio.done item_2",
        "response.output_audio_transcript.done item_2 It is noon.",
        "response.content_part.done item_2 0 'It is noon.'",
        "response.output_item.done resp_1 0 item_2 assistant completed It is noon.",
        "conversation.item.done item_2 assistant completed It is noon. after item_1",
        "response.done resp_1 completed",
        "rate_limits.updated",
    ]


def test_a_tool_call_follows_the_words_before_it_and_waits_for_the_client() -> None:
    play = Playbook(update={"tools": [function("tell_time")]})
    play.add_text()
    response = play.respond()
    play.report(rp.Said(response, "One moment.", bytes(96)))
    assert play.report(rp.Called(response, "tell_time")) == [
        "response.output_audio.done item_2",
        "response.output_audio_transcript.done item_2 One moment.",
        "response.content_part.done item_2 0 'One moment.'",
        "response.output_item.done resp_1 0 item_2 assistant completed One moment.",
        "conversation.item.done item_2 assistant completed One moment. after item_1",
        "response.output_item.added resp_1 1 item_3 tell_time() in_progress",
        "conversation.item.added item_3 tell_time() in_progress after item_2",
    ]
    call_id = play.sent(ev.ItemAdded).item.call_id
    assert play.report(rp.Argued(response, '{"tz":')) == ['response.function_call_arguments.delta item_3 {"tz":']
    play.report(rp.Argued(response, '"UTC"}'))
    assert play.report(rp.Answered(response)) == [
        'response.function_call_arguments.done item_3 tell_time {"tz":"UTC"}',
        'response.output_item.done resp_1 1 item_3 tell_time({"tz":"UTC"}) completed',
        'conversation.item.done item_3 tell_time({"tz":"UTC"}) completed after item_2',
        "response.done resp_1 completed",
        "rate_limits.updated",
    ]
    output = {"type": "function_call_output", "call_id": call_id, "output": "noon"}
    assert play.client("conversation.item.create", item=output) == [
        "conversation.item.added item_4 =noon completed after item_3",
        "conversation.item.done item_4 =noon completed after item_3",
    ]
    assert play.client("response.create")[0] == "response.created resp_2 in_progress"
    assert [type(item).__name__ for item in play.prompt.items] == [
        "Message", "Message", "FunctionCall", "FunctionCallOutput",
    ]  # fmt: skip


def test_a_written_answer_has_text_and_no_audio() -> None:
    play = Playbook(update={"output_modalities": ["text"]})
    assert play.add_text("hi") == [
        "conversation.item.added item_1 user completed hi after None",
        "conversation.item.done item_1 user completed hi after None",
    ]
    assert play.client("response.create") == [*RESPONSE_BEGINS, "Answer resp_1"]
    assert play.prompt.modality == "text"
    assert play.report(rp.Said("resp_1", "Hello", bytes(96))) == [
        "response.output_item.added resp_1 0 item_2 assistant in_progress",
        "conversation.item.added item_2 assistant in_progress after item_1",
        "response.content_part.added item_2 0 ''",
        "response.output_text.delta item_2 Hello",
    ]
    assert play.report(rp.Answered("resp_1")) == [
        "response.output_text.done item_2 Hello",
        "response.content_part.done item_2 0 'Hello'",
        "response.output_item.done resp_1 0 item_2 assistant completed Hello",
        "conversation.item.done item_2 assistant completed Hello after item_1",
        "response.done resp_1 completed",
        "rate_limits.updated",
    ]


def test_barge_in_ends_the_response_before_any_more_audio() -> None:
    play = Playbook()
    play.turn()
    play.report(rp.Said("resp_1", "A long story", bytes(4800)))
    assert play.speak(3) == [
        "input_audio_buffer.speech_started 832 item_3",
        "Transcribe item_3 from 39936",
        "Abandon resp_1",
        "ClearPlayout",
        "response.output_audio.done item_2",
        "response.output_audio_transcript.done item_2 A long story",
        "response.content_part.done item_2 0 'A long story'",
        "response.output_item.done resp_1 0 item_2 assistant incomplete A long story",
        "conversation.item.done item_2 assistant incomplete A long story after item_1",
        "response.done resp_1 cancelled turn_detected",
        "rate_limits.updated",
    ]
    assert play.report(rp.Said("resp_1", " and more", bytes(4800))) == NOTHING
    assert play.report(rp.Answered("resp_1")) == NOTHING


def test_barge_in_after_the_answer_was_generated_only_tells_of_the_speech() -> None:
    play = Playbook()
    play.turn()
    play.report(rp.Said("resp_1", "Done.", bytes(4800)))
    play.report(rp.Answered("resp_1"))
    lines = play.speak()
    assert kinds(lines) == ["input_audio_buffer.speech_started", "Transcribe", "ClearPlayout"]


def test_speech_before_the_brain_was_asked_cancels_the_answer_that_waited_for_words() -> None:
    play = Playbook()
    play.speak()
    play.stop_speaking()
    lines = play.speak()
    assert kinds(lines) == [
        "input_audio_buffer.speech_started", "Transcribe", "Abandon", "ClearPlayout", "response.done",
        "rate_limits.updated",
    ]  # fmt: skip
    assert play.report(rp.Transcribed("item_1", "late words")) == NOTHING
    assert play.item("item_1").content[0].heard == "late words"


def test_a_cancel_by_the_client_ends_the_response_with_what_there_is() -> None:
    play = Playbook()
    play.add_text()
    play.respond()
    play.report(rp.Said("resp_1", "Well,", bytes(96)))
    assert play.client("response.cancel") == [
        "Abandon resp_1",
        "ClearPlayout",
        "response.output_audio.done item_2",
        "response.output_audio_transcript.done item_2 Well,",
        "response.content_part.done item_2 0 'Well,'",
        "response.output_item.done resp_1 0 item_2 assistant incomplete Well,",
        "conversation.item.done item_2 assistant incomplete Well, after item_1",
        "response.done resp_1 cancelled client_cancelled",
        "rate_limits.updated",
    ]


@pytest.mark.parametrize("reason", ["max_output_tokens", "content_filter"])
def test_an_answer_that_was_cut_off_is_incomplete(reason: str) -> None:
    play = Playbook()
    response = play.respond()
    assert play.report(rp.Answered(response, reason)) == [
        f"response.done resp_1 incomplete {reason}",
        "rate_limits.updated",
    ]


def test_an_engine_that_fails_fails_the_response_and_the_session_goes_on() -> None:
    play = Playbook()
    response = play.respond()
    assert play.report(rp.Broke(response, "engine_error", "No memory left.")) == [
        "response.done resp_1 failed engine_error",
        "rate_limits.updated",
    ]
    details = play.sent(ev.ResponseDone).response.status_details
    assert (details.type, details.error_type, details.error_message) == ("failed", "server_error", "No memory left.")
    assert play.respond() == "resp_2"


def test_an_out_of_band_response_leaves_the_conversation_alone() -> None:
    play = Playbook()
    play.add_text("known")
    main = play.respond()
    assert play.client("response.create", response={"conversation": "none", "metadata": {"topic": "x"}}) == [
        "response.created resp_2 in_progress",
        "rate_limits.updated early",
        "Answer resp_2",
    ]
    state = play.sent(ev.ResponseCreated).response
    assert (state.conversation_id, state.metadata) == (None, {"topic": "x"})
    assert play.report(rp.Said("resp_2", "Aside", bytes(96))) == [
        "response.output_item.added resp_2 0 item_2 assistant in_progress",
        "response.content_part.added item_2 0 ''",
        "response.output_audio_transcript.delta item_2 Aside",
        "response.output_audio.delta item_2 96",
    ]
    assert play.report(rp.Answered("resp_2")) == [
        "response.output_audio.done item_2",
        "response.output_audio_transcript.done item_2 Aside",
        "response.content_part.done item_2 0 'Aside'",
        "response.output_item.done resp_2 0 item_2 assistant completed Aside",
        "response.done resp_2 completed",
        "rate_limits.updated",
    ]
    assert play.sent(ev.ResponseDone).response.metadata == {"topic": "x"}
    assert play.ids == ["item_1"]
    assert play.report(rp.Said(main, "Main", bytes(96)))[0].startswith("response.output_item.added resp_1 0 item_3")


def test_barge_in_leaves_out_of_band_responses_alone() -> None:
    play = Playbook()
    play.add_text()
    play.respond(conversation="none")
    assert kinds(play.speak()) == ["input_audio_buffer.speech_started", "Transcribe", "ClearPlayout"]
    assert play.report(rp.Answered("resp_1"))[0] == "response.done resp_1 completed"


def test_a_commit_by_hand_makes_an_item_and_no_response() -> None:
    play = Playbook(update=MANUAL | {"include": None})
    assert play.append(200) == ["Transcribe item_1 from 0", "Listen 0+9600 only"]
    assert play.append(100) == ["Listen 9600+4800 only"]
    assert play.client("input_audio_buffer.commit") == [
        "input_audio_buffer.committed None item_1",
        "conversation.item.added item_1 user completed after None",
        "conversation.item.done item_1 user completed after None",
        "Conclude item_1 at 14400",
    ]
    assert play.client("response.create") == RESPONSE_BEGINS
    assert play.report(rp.Transcribed("item_1", "hello")) == ["Answer resp_1"]
    assert play.prompt.items[0].content[0].words == "hello"


# ------------------------------------------------------------------------------------------------- session.update


def test_an_update_tells_the_whole_session_and_prepares_for_new_words_alone() -> None:
    play = Playbook()
    assert play.update(instructions="You sell flowers.") == ["session.updated", "Expect"]
    assert play.update(instructions="You sell flowers.") == ["session.updated"]
    assert play.update() == ["session.updated"]


def test_noise_reduction_is_asked_of_the_ears_at_the_beginning_and_when_it_changes() -> None:
    quiet = Settings(kind="transcription", noise_reduction=NoiseReduction("far_field", 0.5))
    assert Playbook(quiet).started == ["session.created", "Expect", "Denoise far_field 0.5"]
    play = Playbook()
    near = {"audio": {"input": {"noise_reduction": {"type": "near_field"}}}}
    assert play.update(**near) == ["session.updated", "Denoise near_field 1.0"]
    assert play.update(**near) == ["session.updated"]
    both_off = {"noise_reduction": None, "turn_detection": None}
    assert play.update(audio={"input": both_off}) == ["session.updated", "Denoise None 0.0"]


def test_a_bad_update_changes_nothing() -> None:
    play = Playbook()
    before = play.session.settings
    assert play.update(instructions="x", audio={"output": {"voice": "nobody"}}) == [
        "error invalid_value session.audio.output.voice"
    ]
    assert play.update(instructions="x", tool_choice={"type": "function", "name": "nothing"}) == [
        "error invalid_value session.tool_choice"
    ]
    assert play.session.settings is before


def test_tools_cannot_be_taken_away_from_under_the_tool_choice() -> None:
    play = Playbook(update={"tools": [function("a")], "tool_choice": {"type": "function", "name": "a"}})
    assert play.update(tools=[]) == ["error invalid_value session.tool_choice"]
    assert play.update(tools=[], tool_choice="auto") == ["session.updated", "Expect"]
    play.turn()
    assert play.prompt.tool_choice == "auto"


def test_the_model_of_a_session_stays_and_another_one_costs_nothing_of_the_update() -> None:
    play = Playbook()
    model = play.session.settings.model
    assert play.update(model=model) == ["session.updated"]
    assert play.update(model="another", instructions="Be brief.") == ["session.updated", "Expect"]
    assert play.session.settings.model == model
    assert play.session.settings.instructions == "Be brief."


def test_the_voice_is_fixed_once_it_was_heard() -> None:
    play = Playbook(update={"audio": {"output": {"voice": "ash"}}})
    response = play.respond()
    assert play.update(audio={"output": {"voice": "echo"}}) == ["session.updated"]
    play.report(rp.Said(response, "Hi", bytes(96)))
    assert play.update(audio={"output": {"voice": "ash"}}) == ["error cannot_update_voice None"]
    assert play.error.message == "Cannot update a conversation's voice if assistant audio is present."
    assert play.update(audio={"output": {"voice": "echo", "speed": 1.2}}) == ["session.updated"]
    play.report(rp.Answered(response))
    assert play.update(audio={"output": {"voice": "ash"}}) == ["error cannot_update_voice None"]


def test_a_voice_that_only_an_out_of_band_response_used_can_still_change() -> None:
    play = Playbook()
    response = play.respond(conversation="none", audio={"output": {"voice": "verse"}})
    assert play.prompt.voice == "verse"
    play.report(rp.Said(response, "Hi", bytes(96)))
    play.report(rp.Answered(response))
    assert play.update(audio={"output": {"voice": "ash"}}) == ["session.updated"]


def test_tracing_stays_as_it_was_enabled() -> None:
    play = Playbook(update={"tracing": "auto"})
    assert play.update(tracing="auto") == ["session.updated"]
    assert play.update(tracing={"workflow_name": "w"}) == ["error invalid_parameter session.tracing"]


# --------------------------------------------------------------------------------------------------------- items


def test_items_are_inserted_at_the_end_at_the_root_and_after_others() -> None:
    play = Playbook()
    play.add_text("b")
    assert play.add_text("a", previous_item_id="root")[0].endswith("after None")
    assert play.add_text("c", previous_item_id="")[0].endswith("after item_1")
    assert play.add_text("ab", previous_item_id="item_2")[0].endswith("after item_2")
    assert play.ids == ["item_2", "item_4", "item_1", "item_3"]
    assert play.add_text("x", previous_item_id="item_9") == ["error item_create_invalid_previous_item_id None"]
    assert play.error.message == "Error adding item: the previous item with id 'item_9' does not exist."
    assert len(play.ids) == 4


def test_an_id_is_taken_once() -> None:
    play = Playbook()
    create = {"item": user("hi", id="mine"), "event_id": "e1"}
    assert play.client("conversation.item.create", **create)[0].startswith("conversation.item.added mine user")
    assert play.client("conversation.item.create", **create) == ["error item_create_duplicate_item_id None"]
    assert play.error.message == "Error adding item: an item with id 'mine' already exists."
    assert play.error.client_event_id == "e1"
    assert play.ids == ["mine"]


def test_the_id_that_speech_started_promised_cannot_be_taken() -> None:
    play = Playbook()
    assert play.speak()[0].endswith("item_1")
    assert play.client("conversation.item.create", item=user("hi", id="item_1")) == [
        "error item_create_duplicate_item_id None"
    ]
    play.stop_speaking()
    assert play.ids == ["item_1"]


def test_a_client_cannot_take_the_ids_that_come_next() -> None:
    play = Playbook()
    for number in range(1, 4):
        play.client("conversation.item.create", item=user("hi", id=f"item_{number}"))
    assert play.speak()[0].endswith("item_4")
    play.stop_speaking()
    assert play.ids == ["item_1", "item_2", "item_3", "item_4"]


def test_an_item_deleted_while_it_is_being_said_leaves_its_id_taken_until_it_is_done() -> None:
    play = Playbook()
    play.respond()
    play.report(rp.Said("resp_1", "Hm", bytes(96)))
    play.client("conversation.item.delete", item_id="item_1")
    mine = user("mine", id="item_1")
    assert play.client("conversation.item.create", item=mine) == ["error item_create_duplicate_item_id None"]
    play.report(rp.Called("resp_1", "f"))
    play.client("conversation.item.delete", item_id="item_2")
    call = {"type": "function_call", "id": "item_2", "name": "g", "arguments": "{}"}
    assert play.client("conversation.item.create", item=call) == ["error item_create_duplicate_item_id None"]
    play.report(rp.Answered("resp_1"))
    play.client("conversation.item.create", item=mine)
    assert play.item("item_1").content[0].text == "mine"


def test_the_status_that_a_client_gives_is_ignored_and_a_call_without_an_id_gets_one() -> None:
    play = Playbook()
    item = {"type": "function_call", "name": "f", "arguments": "{}", "status": "in_progress"}
    lines = play.client("conversation.item.create", item=item)
    assert lines[0] == "conversation.item.added item_1 f({}) completed after None"
    assert play.sent(ev.ItemAdded).item.call_id == "call_1"


def test_the_output_of_an_unknown_call_is_refused() -> None:
    play = Playbook()
    output = {"type": "function_call_output", "call_id": "call_9", "output": "42"}
    assert play.client("conversation.item.create", item=output) == ["error invalid_tool_call_id None"]
    assert play.error.message == "Tool call ID 'call_9' not found in conversation."


def test_created_audio_is_understood_before_the_answer_and_never_told() -> None:
    play = Playbook(update=WHISPER)
    item = {"type": "message", "role": "user", "content": [{"type": "input_audio", "audio": b64(bytes(4801))}]}
    assert play.client("conversation.item.create", item=item)[-1] == "Recognise item_1 4800"
    assert play.client("response.create") == RESPONSE_BEGINS
    assert play.report(rp.Transcribed("item_1", "hello")) == ["Answer resp_1"]
    content = play.item("item_1").content[0]
    assert (content.heard, content.transcript) == ("hello", None)


def test_created_audio_that_has_its_words_is_not_recognised() -> None:
    play = Playbook()
    part = {"type": "input_audio", "audio": b64(bytes(4800)), "transcript": "hi"}
    item = {"type": "message", "role": "user", "content": [part]}
    assert kinds(play.client("conversation.item.create", item=item)) == [
        "conversation.item.added", "conversation.item.done",
    ]  # fmt: skip
    play.respond()
    assert play.prompt.items[0].content[0].words == "hi"


def test_items_are_shown_without_audio_except_when_they_are_retrieved() -> None:
    play = Playbook(update=MANUAL)
    play.append(200)
    play.client("input_audio_buffer.commit")
    assert play.sent(ev.ItemAdded).item.content[0].audio == b""
    play.client("conversation.item.retrieve", item_id="item_1")
    assert play.sent(ev.ItemRetrieved).item.content[0].audio == bytes(9600)


def test_audio_that_would_not_fit_a_frame_is_left_out_of_what_is_retrieved() -> None:
    play = Playbook(update=MANUAL, limits=Limits(retrieve_bytes=9599))
    play.append(200)
    play.client("input_audio_buffer.commit")
    play.client("conversation.item.retrieve", item_id="item_1")
    assert play.sent(ev.ItemRetrieved).item.content[0].audio == b""
    assert play.item("item_1").content[0].audio == bytes(9600)


@pytest.mark.parametrize(
    ("event", "code", "message"),
    [
        ("retrieve", "item_retrieve_invalid_item_id", "Error retrieving item: the item with id 'x' does not exist."),
        ("delete", "item_delete_invalid_item_id", "Error deleting item: the item with id 'x' does not exist."),
    ],
)
def test_unknown_items_are_told_in_the_words_that_clients_match(event: str, code: str, message: str) -> None:
    play = Playbook()
    play.client(f"conversation.item.{event}", item_id="x", event_id="mine")
    error = play.error
    assert (error.type, error.code, error.message, error.param, error.client_event_id) == (
        "invalid_request_error", code, message, None, "mine",
    )  # fmt: skip


def test_a_deleted_item_is_gone_from_the_next_prompt() -> None:
    play = Playbook()
    play.add_text("one")
    play.add_text("two")
    assert play.client("conversation.item.delete", item_id="item_1") == ["conversation.item.deleted item_1"]
    play.respond()
    assert [item.id for item in play.prompt.items] == ["item_2"]


def test_deleting_the_item_whose_words_are_awaited_lets_the_answer_go_ahead_without_it() -> None:
    play = Playbook()
    play.add_text("before")
    play.speak()
    play.stop_speaking()
    assert play.client("conversation.item.delete", item_id="item_2") == [
        "conversation.item.deleted item_2",
        "Discard item_2",
        "Answer resp_1",
    ]
    assert [item.id for item in play.prompt.items] == ["item_1"]
    assert play.report(rp.Transcribed("item_2", "too late")) == NOTHING


def test_an_item_deleted_while_it_is_being_said_is_still_done() -> None:
    play = Playbook()
    play.add_text()
    play.respond()
    play.report(rp.Said("resp_1", "Hm", bytes(96)))
    play.client("conversation.item.delete", item_id="item_2")
    lines = play.report(rp.Answered("resp_1"))
    assert "conversation.item.done item_2 assistant completed Hm after None" in lines
    assert play.ids == ["item_1"]


# ------------------------------------------------------------------------------------------------------ truncation


def spoken(play: Playbook, *, is_over: bool = True) -> str:
    """Have 1000 ms of three words said; returns the item's id."""
    response = play.respond()
    marks = (WordMark(300, 3), WordMark(600, 7), WordMark(950, 13))
    play.report(rp.Said(response, "One two three", bytes(48_000), marks))
    if is_over:
        play.report(rp.Answered(response))
    assert play.session.conversation.last_id is not None
    return play.session.conversation.last_id


def truncate(play: Playbook, item_id: str, ms: int, index: int = 0) -> list[str]:
    return play.client("conversation.item.truncate", item_id=item_id, content_index=index, audio_end_ms=ms)


@pytest.mark.parametrize(("ms", "words"), [(0, ""), (299, ""), (300, "One"), (650, "One two"), (999, "One two three")])
def test_a_truncated_message_keeps_the_words_that_were_heard(ms: int, words: str) -> None:
    play = Playbook()
    item_id = spoken(play)
    assert truncate(play, item_id, ms) == [f"conversation.item.truncated {item_id} {ms}"]
    part = play.item(item_id).content[0]
    assert (part.transcript, part.audio_ms, len(part.audio)) == (words, ms, ms * 48)


def test_without_known_words_a_truncated_message_keeps_none() -> None:
    play = Playbook()
    response = play.respond()
    play.report(rp.Said(response, "One two", bytes(48_000)))
    play.report(rp.Answered(response))
    truncate(play, "item_1", 999)
    assert play.item("item_1").content[0].transcript == ""


def test_a_small_overshoot_is_taken_and_a_larger_one_refused() -> None:
    play = Playbook()
    item_id = spoken(play)
    assert truncate(play, item_id, 1050) == [f"conversation.item.truncated {item_id} 1050"]
    assert play.item(item_id).content[0].transcript == "One two three"
    assert truncate(play, item_id, 1051) == ["error invalid_value None"]
    assert play.error.message == "Audio content of 1000ms is already shorter than 1051ms"
    truncate(play, item_id, 500)
    assert truncate(play, item_id, 800) == ["error invalid_value None"]
    assert play.error.message == "Audio content of 500ms is already shorter than 800ms"


def test_a_message_under_way_is_cut_when_it_is_done() -> None:
    play = Playbook()
    item_id = spoken(play, is_over=False)
    assert truncate(play, item_id, 1051) == ["error invalid_value None"]
    assert play.error.message == "Audio content of 1000ms is already shorter than 1051ms"
    assert truncate(play, item_id, 400, index=1) == ["error invalid_value content_index"]
    assert truncate(play, item_id, 700) == [f"conversation.item.truncated {item_id} 700"]
    assert truncate(play, item_id, 400) == [f"conversation.item.truncated {item_id} 400"]
    lines = play.client("response.cancel")
    assert "response.output_audio_transcript.done item_1 One two three" in lines
    assert "conversation.item.done item_1 assistant incomplete One after None" in lines
    assert play.item(item_id).content[0].audio_ms == 400


@pytest.mark.parametrize("is_over", [True, False])
def test_only_spoken_messages_of_the_assistant_can_be_truncated(is_over: bool) -> None:
    play = Playbook(update={"output_modalities": ["text"]})
    play.add_text()
    play.respond()
    play.report(rp.Said("resp_1", "written"))
    if is_over:
        play.report(rp.Answered("resp_1"))
    for item_id in ("item_1", "item_2"):
        assert truncate(play, item_id, 0) == ["error unsupported_content_type None"]
        assert play.error.message == "Only model output audio messages can be truncated"
    assert truncate(play, "item_3", 0) == ["error item_truncate_invalid_item_id None"]
    assert play.error.message == "Error truncating item: the item with id 'item_3' does not exist."


def test_a_message_out_of_band_is_none_of_the_conversation_and_cannot_be_truncated() -> None:
    play = Playbook()
    play.respond(conversation="none")
    play.report(rp.Said("resp_1", "Aside", bytes(48_000)))
    assert truncate(play, "item_1", 10) == ["error item_truncate_invalid_item_id None"]
    play.report(rp.Answered("resp_1"))
    assert truncate(play, "item_1", 10) == ["error item_truncate_invalid_item_id None"]


def test_what_a_leg_played_truncates_the_message_that_was_interrupted() -> None:
    play = Playbook()
    item_id = spoken(play, is_over=False)
    assert play.report(rp.Played(item_id, 400)) == NOTHING
    play.client("response.cancel")
    assert play.report(rp.Played(item_id, 650)) == [f"conversation.item.truncated {item_id} 650"]
    assert play.item(item_id).content[0].transcript == "One two"
    assert play.report(rp.Played(item_id, 900)) == NOTHING
    assert play.report(rp.Played("item_9", 900)) == NOTHING
    play.add_text()
    assert play.report(rp.Played("item_2", 1)) == NOTHING


# -------------------------------------------------------------------------------------------------- limits and time


def test_a_session_ends_at_its_age_with_a_reason() -> None:
    play = Playbook()
    assert play.session.deadline == 3600.0
    assert play.time(3599.9) == NOTHING
    play.add_text()
    play.respond()
    assert play.time(3600.0) == [
        "error session_expired None",
        "Abandon resp_1",
        "response.done resp_1 cancelled client_cancelled",
        "rate_limits.updated",
        "Close 1001 Your session hit the maximum duration of 60 minutes.",
    ]
    assert (play.session.deadline, play.session.is_closed) == (None, True)
    assert play.add_text() == NOTHING
    assert play.report(rp.Said("resp_1", "x")) == NOTHING
    assert play.take(play.session.receive_mistake(ProtocolError("a", "b"), 3601.0)) == NOTHING
    assert play.time(4000.0) == NOTHING


def test_an_idle_session_ends_and_every_client_event_keeps_it() -> None:
    play = Playbook(limits=Limits(idle_seconds=30.0))
    assert play.session.deadline == 30.0
    play.now = 20.0
    play.client("no.such.event")
    assert play.session.deadline == 50.0
    play.now = 40.0
    play.append(20)
    assert play.session.deadline == 70.0
    play.now = 60.0
    play.report(rp.Heard(100, 0.1))
    assert play.time(70.0) == ["error session_idle None", "Close 1001 Nothing was received for 30 seconds."]


def test_a_buffer_that_nobody_commits_ends_the_session() -> None:
    play = Playbook(update=MANUAL, limits=Limits(buffer_bytes=9600))
    play.append(200)
    lines = play.client("input_audio_buffer.append", audio=b64(bytes(2)), event_id="last")
    assert lines == [
        "error input_audio_buffer_full audio",
        "Discard item_1",
        "Close 4000 invalid_request_error.input_audio_buffer_full",
    ]
    assert play.last[0].event.client_event_id == "last"  # type: ignore[union-attr]


def test_a_microphone_that_is_simply_on_keeps_its_latest_audio() -> None:
    play = Playbook(update=MANUAL, limits=Limits(buffer_bytes=9600, drops_oldest=True))
    for number in range(20):
        audio = bytes([number, 0]) * 480
        assert not any("error" in line for line in play.client("input_audio_buffer.append", audio=b64(audio)))
    play.client("input_audio_buffer.commit")
    kept = play.item("item_1").content[0].audio
    assert len(kept) == 9600
    assert (kept[0], kept[-2]) == (10, 19)
    assert play.client("input_audio_buffer.append", audio=b64(bytes(9602)))[0] == "error input_audio_buffer_full audio"


def test_a_client_that_creates_too_many_items_is_sent_away() -> None:
    play = Playbook(limits=Limits(items=2))
    play.add_text()
    play.add_text()
    assert play.add_text() == ["error conversation_full None", "Close 4000 invalid_request_error.conversation_full"]


def test_what_is_said_pushes_the_oldest_item_out_of_a_full_conversation() -> None:
    play = Playbook(limits=Limits(items=2))
    play.add_text()
    play.add_text()
    play.turn()
    assert play.ids == ["item_2", "item_3"]
    play.report(rp.Said("resp_1", "Yes", bytes(96)))
    assert play.ids == ["item_3", "item_4"]


def test_the_output_buffer_is_the_clients_own_on_a_websocket() -> None:
    play = Playbook()
    assert play.client("output_audio_buffer.clear", event_id="e") == ["error invalid_value type"]
    assert play.error.client_event_id == "e"


def test_closing_ends_responses_and_utterances_first() -> None:
    play = Playbook(update=MANUAL)
    play.append(200)
    play.respond(conversation="none")
    lines = play.take(play.session.close(1.0, ProtocolError("going_away", "Bye.", type="server_error"), 1012, "bye"))
    assert lines == [
        "error going_away None",
        "Abandon resp_1",
        "response.done resp_1 cancelled client_cancelled",
        "rate_limits.updated",
        "Discard item_1",
        "Close 1012 bye",
    ]


def test_an_utterance_that_was_already_understood_is_not_discarded_any_more() -> None:
    play = Playbook(update=MANUAL)
    play.append(200)
    play.report(rp.Transcribed("item_1", "quick"))
    lines = play.take(play.session.close(1.0, ProtocolError("going_away", "Bye.")))
    assert "Discard item_1" not in lines


@pytest.mark.parametrize(
    "report",
    [
        rp.Said("resp_9", "x"), rp.Called("resp_9", "f"), rp.Argued("resp_9", "{"), rp.Answered("resp_9"),
        rp.Broke("resp_9", "c", "m"), rp.Transcribed("item_9", "x"), rp.TranscriptionFailed("item_9", "c", "m"),
        rp.Overheard("item_9", "x", "x", 1.0), rp.Played("item_9", 1), rp.Heard(10_000_000, 0.1),
    ],
)  # fmt: skip
def test_reports_about_what_is_not_there_are_dropped(report: Any) -> None:
    play = Playbook()
    assert play.report(report) == NOTHING


def test_a_session_is_freed_without_the_garbage_collector() -> None:
    play = Playbook()
    play.speak()
    play.stop_speaking()
    left = [weakref.ref(play.session), weakref.ref(play.session.conversation)]
    gc.collect()
    gc.disable()
    try:
        del play
        assert [ref() for ref in left] == [None, None]
    finally:
        gc.enable()


def test_images_are_refused_where_nobody_would_look_at_them() -> None:
    picture = {"type": "input_image", "image_url": PIXEL, "detail": "low"}
    item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "What is it?"}, picture]}
    play = Playbook()
    assert play.client("conversation.item.create", item=item) == ["error invalid_value item.content[1].type"]
    response = {"conversation": "none", "input": [{**item, "content": [picture]}]}
    assert play.client("response.create", response=response) == [
        "error invalid_value response.input[0].content[0].type"
    ]
    seeing = Playbook(service=Service(Abilities(sees_images=True)))
    assert len(seeing.client("conversation.item.create", item=item)) == 2
    seeing.client("response.create")
    assert seeing.prompt.items[0].content[1].detail == "low"


@pytest.mark.parametrize(
    ("url", "words"),
    [
        (PIXEL.replace("png", "gif"), "data URI"),
        ("data:image/png;base64,R0lGODlhAQABAAAAACw=", "something else"),
        (PIXEL[:-2] + "!!", "data URI"),
        (f"data:image/png;base64,{'A' * (14 << 20)}", "10 MiB"),
        (huge(9000, 10), "8192 pixels"),
        (huge(0, 10), "something else"),
    ],
)
def test_images_that_are_none_or_too_large_are_refused(url: str, words: str) -> None:
    play = Playbook(service=Service(Abilities(sees_images=True)))
    content = [{"type": "input_image", "image_url": url}]
    item = {"type": "message", "role": "user", "content": content}
    assert play.client("conversation.item.create", item=item) == ["error invalid_value item.content[0].image_url"]
    assert words in play.error.message
