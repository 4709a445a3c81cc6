"""What a relay session does when links come and go."""

from __future__ import annotations

import json
from typing import Any

import pytest

from relay.stage import Stage, added, answer_begins, answer_ends, append, kinds, message, session_object, spoken
from vivavoce.core.limits import Limits
from vivavoce.relay.effects import Dial, HangUp, Noted, Place, ToClient, ToUpstream, Used

RESPOND = {"type": "response.create"}


def bare(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Events without the ids that are ours to choose."""
    return [{key: value for key, value in event.items() if key != "event_id"} for event in events]


# ------------------------------------------------------------------------------------------------------- the beginning


def test_it_dials_first() -> None:
    assert Stage().effects == [Dial(1, "start")]


def test_the_client_is_shown_its_own_id_model_and_lifetime() -> None:
    stage = Stage(created_unix=1000.0, limits=Limits(session_seconds=500.0))
    (created,) = stage.opens()
    assert created["type"] == "session.created"
    assert created["session"] == session_object(id="sess_ours", model="asked", expires_at=1500)


def test_what_the_client_says_too_early_is_sent_when_the_upstream_is_there() -> None:
    stage = Stage()
    update = {"type": "session.update", "session": {"type": "realtime", "instructions": "Be brief."}}
    assert stage.client(update, append(20), RESPOND) == []
    stage.opens()
    assert stage.to_link(1) == [update, append(20), RESPOND]


def test_frames_that_both_sides_spell_alike_travel_byte_for_byte() -> None:
    stage = Stage().live()
    for odd in (
        b'{ "type" : "input_audio_buffer.append","audio":"AAAA" , "event_id":"e1"}',
        b'{"event_id":"x","type":"conversation.item.retrieve","item_id":"item_1"}',
        b'{"type":"something.new","field":[1,2.50,{"x":null}]}',
        b'{"item":{"content":[{"type":"input_text","text":"\\u00e9 "}],"role":"user","type":"message"},'
        b'"type":"conversation.item.create"}',
    ):
        assert stage.session.receive_client(odd, 1.0) == [ToUpstream(1, odd)]
    for odd in (
        b'{"type": "response.output_audio.delta","item_id":"i","delta":"AAAA", "extra":1}',
        b'{"extra":{"type":"no"},"type":"something.new"}',
        b'{"type":"rate_limits.updated" ,"rate_limits":[]}',
        b'{"type":"response.created","response":{"id":"r","output":[]}}',
    ):
        assert stage.session.receive_upstream(1, odd, 1.0) == [ToClient(odd)]


def test_what_is_no_json_is_left_to_the_upstream_to_refuse() -> None:
    assert Stage().live().session.receive_client(b"{no", 1.0) == [ToUpstream(1, b"{no")]


def test_the_name_of_the_model_is_the_clients_to_it_and_the_upstreams_to_that() -> None:
    stage = Stage().live()
    (update,) = stage.client({"type": "session.update", "session": {"type": "realtime", "model": "asked", "tools": []}})
    assert update["session"] == {"type": "realtime", "tools": []}
    (updated,) = stage.upstream({"type": "session.updated", "session": session_object()})
    assert (updated["session"]["id"], updated["session"]["model"]) == ("sess_ours", "asked")


def test_settings_of_a_client_secret_are_in_force_before_the_client_is_told_of_a_session() -> None:
    stage = Stage(settings={"instructions": "Be brief."})
    assert stage.opens() == []
    (update,) = stage.to_link(1)
    assert update["session"] == {"type": "realtime", "instructions": "Be brief."}
    (created,) = stage.upstream({"type": "session.updated", "session": session_object(instructions="Be brief.")})
    assert (created["type"], created["session"]["instructions"]) == ("session.created", "Be brief.")


def test_without_any_upstream_it_tries_again_and_gives_up_in_the_end() -> None:
    stage = Stage(recovery_seconds=10.0)
    assert stage.unavailable(1) == []
    stage.waits(1.0)
    assert [dial.link for dial in stage.dials] == [2]
    stage.unavailable(2)
    stage.waits(11.0)
    assert stage.to_client[-1]["error"]["code"] == "upstream_unavailable"
    assert stage.closes == [(1013, "no upstream server could be reached")]
    assert stage.session.is_closed


def test_the_first_upstream_may_take_longer_than_one_that_takes_over() -> None:
    stage = Stage(recovery_seconds=1.0)
    assert stage.unavailable(1) == []
    stage.waits(9.5)
    assert stage.closes == []
    stage.waits(10.5)
    assert stage.closes == [(1013, "no upstream server could be reached")]


def test_a_conversation_that_may_not_wait_long_ends_soon_after_its_upstream() -> None:
    stage = Stage(recovery_seconds=1.0).live()
    stage.loses(1, 1006)
    stage.waits(0.9)
    assert stage.closes == []
    stage.waits(2.5)
    assert stage.closes == [(1013, "no upstream server could be reached")]


def test_an_upstream_that_refuses_for_good_is_told_at_once() -> None:
    stage = Stage()
    (error,) = stage.unavailable(1, again=False)
    assert error["error"]["code"] == "upstream_refused"
    assert stage.closes == [(4000, "server_error.upstream_refused")]


def test_an_upstream_that_ends_the_connection_before_its_session_is_left_for_another() -> None:
    stage = Stage(upstreams=2)
    stage._did(stage.session.opened(1, stage.place, 0.0))
    error = {"type": "error", "error": {"type": "invalid_request_error", "code": "invalid_api_key", "message": "no"}}
    assert stage.upstream(error) == []
    assert stage.loses(1, 3000) == []
    assert stage.noted == ["lost", "rejected"]
    assert stage.dials == [Dial(2, "lost", frozenset({"a"}))]


def test_a_client_that_every_upstream_refuses_is_told_what_they_say() -> None:
    stage = Stage(upstreams=2)
    error = {"type": "error", "error": {"type": "invalid_request_error", "code": "invalid_model", "message": "no"}}
    for link, upstream in ((1, "a"), (2, "b")):
        assert stage.closes == []
        stage._did(stage.session.opened(link, Place(upstream=upstream), stage.now))
        stage.upstream(error, link=link)
        stage.loses(link, 4000)
    assert stage.to_client[-1]["error"]["code"] == "invalid_model"
    assert stage.closes == [(4000, "invalid_request_error.invalid_model")]


# ------------------------------------------------------------------------------------------------- links that are lost


def test_a_link_lost_in_silence_is_replaced_without_a_word() -> None:
    stage = Stage().live()
    stage.says("item_1", "My name is Ada.")
    stage.upstream(*answer_begins(previous="item_1"), *answer_ends(text="Hello Ada."))
    stage.now = 10.0
    assert stage.loses() == []
    assert stage.dials == [Dial(2, "lost")]
    assert stage.opens(2) == []
    told = bare(stage.to_link(2))
    assert kinds(told) == ["conversation.item.create"] * 2
    assert [event["item"] for event in told] == [
        {
            "id": "item_1",
            "type": "message",
            "role": "user",
            "content": [{"type": "input_text", "text": "My name is Ada."}],
        },
        {
            "id": "item_a",
            "type": "message",
            "role": "assistant",
            "content": [{"type": "output_text", "text": "Hello Ada."}],
        },
    ]
    echoes = [echo for item in told for echo in added(item["item"], None)]
    assert stage.upstream(*echoes, link=2) == []
    assert stage.client(RESPOND) == [RESPOND]


def test_settings_are_told_again_as_the_client_made_them() -> None:
    stage = Stage().live()
    stage.client({"type": "session.update", "session": {"type": "realtime", "instructions": "One."}})
    stage.client({"type": "session.update", "session": {"type": "realtime", "audio": {"output": {"voice": "cedar"}}}})
    updated = {"type": "session.updated", "session": session_object()}
    stage.upstream(updated, updated)
    stage.loses()
    stage.opens(2)
    (update,) = bare(stage.to_link(2))
    assert update["session"] == {"type": "realtime", "instructions": "One.", "audio": {"output": {"voice": "cedar"}}}
    assert stage.upstream(updated, link=2) == []
    stage.client({"type": "session.update", "session": {"type": "realtime", "instructions": "Two."}})
    assert kinds(stage.upstream(updated, link=2)) == ["session.updated"]


def test_settings_that_were_refused_are_not_told_again() -> None:
    stage = Stage().live()
    stage.client({"type": "session.update", "event_id": "u", "session": {"type": "realtime", "voice": 1}})
    stage.upstream(
        {"type": "error", "error": {"code": "unknown_parameter", "param": "session.voice", "event_id": None}}
    )
    stage.loses()
    stage.opens(2)
    assert stage.to_link(2) == []


def test_what_was_not_answered_for_is_sent_again_in_its_order() -> None:
    stage = Stage().live(turn_detection=None)
    create = {"type": "conversation.item.create", "item": {"type": "message", "role": "user", "content": []}}
    stage.client(append(20), {"type": "input_audio_buffer.commit"}, append(30), create, RESPOND)
    stage.loses()
    stage.opens(2, turn_detection=None)
    assert stage.to_link(2) == [append(20), {"type": "input_audio_buffer.commit"}, append(30), create, RESPOND]


def test_what_is_said_while_no_upstream_is_there_is_sent_to_the_next() -> None:
    stage = Stage().live()
    stage.loses()
    retrieve = {"type": "conversation.item.retrieve", "item_id": "item_1"}
    assert stage.client(append(20), retrieve, RESPOND) == []
    stage.opens(2)
    assert stage.to_link(2) == [append(20), retrieve, RESPOND]
    stage.loses(2)
    stage.opens(3)
    assert stage.to_link(3) == [append(20), RESPOND]


def test_a_response_that_is_cut_off_fails_by_the_protocol() -> None:
    stage = Stage().live()
    stage.says("item_1")
    stage.client(RESPOND)
    stage.upstream(*answer_begins(previous="item_1"))
    ended = stage.loses()
    assert kinds(ended) == [
        "response.output_audio.done",
        "response.output_audio_transcript.done",
        "response.content_part.done",
        "response.output_item.done",
        "conversation.item.done",
        "response.done",
    ]
    assert ended[-3]["item"] == spoken("item_a", "It is late.", "incomplete")
    assert ended[-2]["previous_item_id"] == "item_1"
    done = ended[-1]["response"]
    assert (done["id"], done["status"], done["output"]) == (
        "resp_1",
        "failed",
        [spoken("item_a", "It is late.", "incomplete")],
    )
    assert done["status_details"]["error"]["code"] == "upstream_disconnected"
    stage.opens(2)
    assert [event["item"]["content"][0]["text"] for event in stage.to_link(2)] == ["hello", "It is late."]


def test_a_function_call_that_is_cut_off_never_has_its_arguments_done() -> None:
    stage = Stage().live()
    call = {
        "id": "item_f",
        "type": "function_call",
        "status": "in_progress",
        "name": "f",
        "call_id": "c",
        "arguments": "",
    }
    response = {"id": "resp_1", "status": "in_progress", "output": []}
    stage.upstream(
        {"type": "response.created", "response": response},
        {"type": "response.output_item.added", "response_id": "resp_1", "output_index": 0, "item": call},
        {"type": "conversation.item.added", "previous_item_id": None, "item": call},
        {
            "type": "response.function_call_arguments.delta",
            "response_id": "resp_1",
            "item_id": "item_f",
            "delta": '{"a',
        },
    )
    ended = stage.loses()
    assert kinds(ended) == ["response.output_item.done", "conversation.item.done", "response.done"]
    assert ended[0]["item"] == call | {"status": "incomplete", "arguments": '{"a'}
    stage.opens(2)
    assert stage.to_link(2) == []


def test_an_answer_that_the_upstream_owed_is_asked_of_the_next() -> None:
    stage = Stage().live()
    _turn(stage)
    stage.loses()
    stage.opens(2)
    assert kinds(stage.to_link(2)) == ["conversation.item.create", "response.create"]
    assert kinds(stage.upstream(*answer_begins(), link=2))[0] == "response.created"


def test_a_turn_goes_on_at_another_upstream_under_the_same_id_and_clock() -> None:
    stage = Stage().live()
    stage.client(append(5000))
    stage.upstream({"type": "input_audio_buffer.speech_started", "audio_start_ms": 4000, "item_id": "item_x"})
    stage.client(append(1000))
    stage.loses()
    assert stage.client(append(500)) == []
    stage.opens(2)
    assert [event["type"] for event in stage.to_link(2)] == ["input_audio_buffer.append"] * 3
    started = {"type": "input_audio_buffer.speech_started", "audio_start_ms": 4000, "item_id": "item_y"}
    assert stage.upstream(started, link=2) == []
    stopped = {"type": "input_audio_buffer.speech_stopped", "audio_end_ms": 6400, "item_id": "item_y"}
    (told,) = stage.upstream(stopped, link=2)
    assert (told["item_id"], told["audio_end_ms"]) == ("item_x", 6400)
    (told,) = stage.upstream({"type": "input_audio_buffer.committed", "item_id": "item_y"}, link=2)
    assert told["item_id"] == "item_x"
    assert stage.client({"type": "conversation.item.delete", "item_id": "item_x"})[0]["item_id"] == "item_y"


def test_the_clock_of_audio_goes_on() -> None:
    stage = Stage().live()
    for _ in range(10):
        stage.client(append(1000))
    stage.loses()
    stage.opens(2)
    assert len(stage.to_link(2)) == 3, "the last three seconds, in which speech may have begun"
    started = {"type": "input_audio_buffer.speech_started", "audio_start_ms": 2500, "item_id": "item_y"}
    (told,) = stage.upstream(started, link=2)
    assert told["audio_start_ms"] == 9500
    likely = {"type": "input_audio_buffer.voice_probability", "audio_end_ms": 2660, "probabilities": [0.9]}
    assert stage.upstream(likely, link=2) == [{**likely, "audio_end_ms": 9660}]


def test_what_users_said_is_told_by_its_words_or_else_by_its_audio() -> None:
    stage = Stage().live()
    _turn(stage, "item_1")
    _turn(stage, "item_2")
    stage.upstream(
        {
            "type": "conversation.item.input_audio_transcription.completed",
            "item_id": "item_1",
            "content_index": 0,
            "transcript": "What time is it?",
            "usage": {"type": "duration", "seconds": 2},
        }
    )
    assert stage.used == [Used("a", "theirs", "transcription", {"type": "duration", "seconds": 2})]
    stage.loses()
    stage.opens(2)
    first, second = [event["item"]["content"] for event in stage.to_link(2) if "item" in event]
    assert first == [{"type": "input_text", "text": "What time is it?"}]
    assert second == [{"type": "input_audio", "audio": append(500)["audio"]}]


def test_an_error_that_only_the_relay_can_have_made_is_not_told() -> None:
    stage = Stage().live()
    stage.says("item_1")
    stage.loses()
    stage.opens(2)
    (create,) = stage.to_link(2)
    error = {"type": "error", "error": {"code": "invalid_value", "event_id": create["event_id"]}}
    assert stage.upstream(error, link=2) == []
    assert stage.noted == ["item_lost"]


def test_ids_that_an_upstream_makes_of_its_own_are_the_clients_again() -> None:
    stage = Stage().live()
    stage.says("item_1")
    stage.loses()
    stage.opens(2)
    assert stage.upstream(*added(message("theirs_1"), None), link=2) == []
    stage.client({"type": "conversation.item.create", "item": message("item_2")})
    (shown, _) = stage.upstream(*added(message("item_2"), "theirs_1"), link=2)
    assert shown["previous_item_id"] == "item_1"
    (sent,) = stage.client({"type": "conversation.item.delete", "item_id": "item_1"})
    assert sent["item_id"] == "theirs_1"


def test_an_answer_told_again_is_truncated_here() -> None:
    stage = Stage().live()
    stage.upstream(*answer_begins(), *answer_ends())
    stage.loses()
    stage.opens(2)
    truncate = {"type": "conversation.item.truncate", "item_id": "item_a", "content_index": 0, "audio_end_ms": 60}
    sent = stage.client(truncate)
    assert kinds(sent) == ["conversation.item.delete", "conversation.item.create"]
    assert sent[1]["item"]["content"] == [{"type": "output_text", "text": "It is"}]
    assert bare(stage.to_client) == [truncate | {"type": "conversation.item.truncated"}]
    assert stage.upstream({"type": "conversation.item.deleted", "item_id": "item_a"}, link=2) == []
    assert stage.upstream(*added(spoken("item_a", "It is"), None), link=2) == []


def test_a_turn_that_is_made_while_items_are_told_again_is_none_of_them() -> None:
    stage = Stage().live()
    stage.says("item_1")
    stage.loses()
    stage.opens(2)
    stage.client(append(500), {"type": "conversation.item.create", "item": {**message("x"), "id": ""}})
    shown = stage.upstream(
        {"type": "input_audio_buffer.speech_started", "audio_start_ms": 0, "item_id": "turn"},
        {"type": "input_audio_buffer.speech_stopped", "audio_end_ms": 500, "item_id": "turn"},
        {"type": "input_audio_buffer.committed", "previous_item_id": None, "item_id": "turn"},
        *added(message("turn"), None),
        link=2,
    )
    assert [event["item"]["id"] for event in shown if "item" in event] == ["turn", "turn"]


def test_speech_that_one_upstream_after_another_does_not_live_to_hear_is_told_from_its_beginning() -> None:
    stage = Stage().live()
    started = {"type": "input_audio_buffer.speech_started", "audio_start_ms": 0, "item_id": "turn"}
    stage.client(append(500))
    stage.upstream(started)
    for link in (2, 3):
        stage.loses(link - 1)
        stage.opens(link)
        stage.client(*(append(100) for _ in range(30)))
    stage.loses(3)
    stage.opens(4)
    assert len([event for event in stage.to_link(4) if event["type"] == "input_audio_buffer.append"]) == 61


def test_a_truncation_that_no_upstream_answered_for_is_done_here() -> None:
    stage = Stage().live()
    stage.upstream(*answer_begins(), *answer_ends())
    truncate = {"type": "conversation.item.truncate", "item_id": "item_a", "content_index": 0, "audio_end_ms": 60}
    assert stage.client(truncate) == [truncate]
    stage.loses()
    assert bare(stage.opens(2)) == [truncate | {"type": "conversation.item.truncated"}]
    (create,) = stage.to_link(2)
    assert create["item"]["content"] == [{"type": "output_text", "text": "It is"}]


def test_words_that_the_upstream_did_not_live_to_write_down_are_told_to_be_lost() -> None:
    heard = {"format": {"type": "audio/pcm", "rate": 24000}, "turn_detection": None}
    stage = Stage().live(audio={"input": heard | {"transcription": {"model": "whisper-1"}}, "output": {}})
    _turn(stage, "item_1")
    stage.loses()
    (failed,) = stage.opens(2)
    assert failed["type"] == "conversation.item.input_audio_transcription.failed"
    assert (failed["item_id"], failed["error"]["code"]) == ("item_1", "upstream_disconnected")
    stage.loses(2)
    assert stage.opens(3) == []


def test_an_answer_that_is_truncated_before_it_was_told_again_is_echoed_twice_and_shown_never() -> None:
    stage = Stage().live()
    stage.upstream(*answer_begins(), *answer_ends())
    stage.loses()
    stage.opens(2)
    truncate = {"type": "conversation.item.truncate", "item_id": "item_a", "content_index": 0, "audio_end_ms": 60}
    stage.client(truncate, truncate | {"audio_end_ms": 40})
    removed = {"type": "conversation.item.deleted", "item_id": "item_a"}
    assert stage.upstream(*added(spoken("item_a", "It is late."), None), link=2) == []
    for _ in range(2):
        assert stage.upstream(removed, *added(spoken("item_a", "It is"), None), link=2) == []


@pytest.mark.parametrize("fields", [{"item_id": "item_z"}, {"audio_end_ms": "6"}, {"audio_end_ms": True}])
def test_a_wrong_truncation_is_an_error_here_too(fields: dict[str, Any]) -> None:
    stage = Stage().live()
    stage.upstream(*answer_begins(), *answer_ends())
    stage.loses()
    truncate = {"type": "conversation.item.truncate", "item_id": "item_a", "content_index": 0, "audio_end_ms": 6}
    stage.client(truncate | fields | {"event_id": "mine"})
    (error,) = stage.to_client
    assert error["error"]["event_id"] == "mine"


def test_an_upstream_that_begins_no_answer_is_left_for_another() -> None:
    stage = Stage(patience_seconds=5.0).live()
    stage.client(RESPOND)
    stage.waits(6.0)
    assert stage.dials == [Dial(2, "failover", frozenset({"a"}))]
    assert stage.hung_up == [1]
    stage.opens(2, Place(upstream="b"))
    assert stage.to_link(2) == [RESPOND]


def test_too_much_that_nobody_takes_ends_the_session() -> None:
    stage = Stage(outbox_bytes=10_000).live()
    stage.loses()
    for number in range(20):
        stage.client({"type": "conversation.item.create", "item": message(f"item_{number}", text="x" * 1000)})
        if stage.closes:
            break
    assert stage.closes == [(1013, "no upstream server takes what is sent")]


def test_audio_that_nobody_takes_is_forgotten_from_its_beginning() -> None:
    stage = Stage(outbox_bytes=1_000_000).live(turn_detection=None)
    for _ in range(60):
        stage.client(append(1000))
    stage.loses()
    stage.opens(2, turn_detection=None)
    kept = len(stage.to_link(2))
    assert 7 <= kept <= 15
    stage.upstream({"type": "input_audio_buffer.speech_started", "audio_start_ms": 0, "item_id": "i"}, link=2)
    assert stage.to_client[0]["audio_start_ms"] == 60_000 - kept * 1000


# ------------------------------------------------------------------------------------------- links that grow too old


def test_an_old_link_is_replaced_in_silence() -> None:
    stage = Stage().live()
    stage.says("item_1")
    stage.waits(56.0)
    assert stage.dials == [Dial(2, "renewal")]
    assert stage.opens(2) == []
    assert kinds(stage.to_link(2)) == ["conversation.item.create"]
    assert stage.hung_up == [1]
    assert stage.client(RESPOND) == [RESPOND]
    assert stage.effects == [ToUpstream(2, json.dumps(RESPOND).encode())]
    assert stage.upstream(*added(message("item_9"), None), link=1) == []


def test_the_successor_waits_until_the_answer_is_over() -> None:
    stage = Stage().live()
    stage.client(RESPOND)
    stage.upstream(*answer_begins())
    stage.waits(56.0)
    stage.opens(2)
    assert stage.effects == []
    ended = stage.upstream(*answer_ends())
    assert kinds(ended)[-1] == "response.done"
    assert stage.hung_up == [1]
    assert kinds(stage.to_link(2)) == ["conversation.item.create"]


def test_the_successor_does_not_wait_for_ever_for_the_user() -> None:
    stage = Stage().live()
    stage.client(append(100))
    stage.upstream({"type": "input_audio_buffer.speech_started", "audio_start_ms": 0, "item_id": "item_x"})
    stage.waits(56.0)
    stage.opens(2)
    assert stage.effects == []
    stage.waits(59.0)
    assert stage.to_link(2) == [append(100)]
    assert stage.hung_up == [1]


def test_an_expired_session_goes_on_elsewhere() -> None:
    stage = Stage().live()
    assert stage.upstream({"type": "error", "error": {"code": "session_expired", "message": "too old"}}) == []
    assert stage.loses(1, 1001) == []
    assert stage.opens(2) == []


def test_the_upstream_may_say_that_its_sessions_live_shorter() -> None:
    stage = Stage(created_unix=1000.0).live(expires_at=1030)
    stage.waits(28.0)
    assert stage.dials == [Dial(2, "renewal")]


def test_a_successor_that_cannot_be_had_is_tried_again() -> None:
    stage = Stage().live()
    stage.waits(56.0)
    assert stage.unavailable(2) == []
    stage.waits(57.0)
    assert stage.dials == [Dial(3, "renewal")]


def test_the_engines_of_this_process_hand_back_when_an_upstream_is_there_again() -> None:
    stage = Stage(return_seconds=10.0).live()
    local = Place(upstream="local", session_seconds=0.0, is_local=True)
    stage.loses()
    stage.opens(2, local)
    stage.waits(11.0)
    assert stage.dials == [Dial(3, "renewal")]
    stage._did(stage.session.opened(3, local, stage.now))
    assert stage.effects == [HangUp(3)]
    stage.waits(22.0)
    assert stage.dials == [Dial(4, "renewal")]
    stage.opens(4)
    assert stage.hung_up == [2]


def test_an_upstream_that_does_badly_is_left_between_answers() -> None:
    stage = Stage().live()
    stage.upstream(*answer_begins())
    stage._did(stage.session.leave(stage.now))
    assert stage.dials == [Dial(2, "failover", frozenset({"a"}))]
    stage.opens(2, Place(upstream="b"))
    assert stage.hung_up == []
    stage.upstream(*answer_ends())
    assert stage.hung_up == [1]


# ------------------------------------------------------------------------------------------------------- other affairs


def test_what_a_response_used_is_told_with_its_upstream() -> None:
    stage = Stage().live()
    stage.upstream(*answer_begins(), *answer_ends())
    assert stage.used == [Used("a", "theirs", "response", {"total_tokens": 3, "input_tokens": 1, "output_tokens": 2})]


def test_money_that_is_used_up_ends_the_session_after_the_answer() -> None:
    stage = Stage().live()
    stage.upstream(*answer_begins())
    assert stage.session.exhaust("The budget is used up.") == []
    told = stage.upstream(*answer_ends())
    assert told[-1]["error"]["code"] == "insufficient_quota"
    assert stage.closes == [(4000, "insufficient_quota.insufficient_quota")]


def test_a_client_that_asked_is_told_of_links() -> None:
    stage = Stage(tells_relay=True).live()
    (event,) = stage.loses()
    assert (event["type"], event["what"], event["upstream"]) == ("vivavoce.relay", "lost", "a")
    (event,) = stage.opens(2)
    assert (event["what"], event["upstream"]) == ("recovered", "a")


def test_a_conversation_goes_on_in_another_session() -> None:
    first = Stage().live()
    first.client({"type": "session.update", "session": {"type": "realtime", "instructions": "Be brief."}})
    first.upstream({"type": "session.updated", "session": session_object()})
    first.says("item_1", "My name is Ada.")
    second = Stage(resumed=first.session.snapshot(), resume_token="token")
    assert second.opens() == []
    update, create = second.to_link(1)
    assert update["session"]["instructions"] == "Be brief."
    assert create["item"]["content"] == [{"type": "input_text", "text": "My name is Ada."}]
    (created,) = second.upstream({"type": "session.updated", "session": session_object()})
    assert created["type"] == "session.created"
    assert created["session"]["resume"] == {"token": "token", "items": 1}


def test_what_was_said_when_the_client_went_is_kept() -> None:
    stage = Stage().live()
    stage.upstream(*answer_begins())
    stage.session.client_gone()
    later = Stage(resumed=stage.session.snapshot())
    assert later.effects == [Noted("resumed", {"items": 1}), Dial(1, "start")]
    later.opens()
    (told,) = later.to_link(1)
    assert told["item"]["content"] == [{"type": "output_text", "text": "It is late."}]


def test_a_client_that_goes_takes_its_links_with_it() -> None:
    stage = Stage().live()
    stage._did(stage.session.client_gone())
    assert stage.hung_up == [1]
    assert stage.session.receive_client(b"{}", 1.0) == []


def test_a_client_that_is_silent_too_long_is_told_so() -> None:
    stage = Stage(limits=Limits(session_seconds=1000.0, idle_seconds=30.0)).live()
    stage.waits(31.0)
    assert stage.to_client[-1]["error"]["code"] == "session_idle"
    assert [code for code, _ in stage.closes] == [1001]
    assert stage.hung_up == [1]


def _turn(stage: Stage, item_id: str = "item_1") -> None:
    """The user says something, which the upstream hears and makes an item of."""
    stage.client(append(500))
    at = int(stage.session._standing.outbox.clock_ms)
    item: dict[str, Any] = {
        "id": item_id,
        "type": "message",
        "status": "completed",
        "role": "user",
        "content": [{"type": "input_audio", "transcript": None}],
    }
    stage.upstream(
        {"type": "input_audio_buffer.speech_started", "audio_start_ms": at - 500, "item_id": item_id},
        {"type": "input_audio_buffer.speech_stopped", "audio_end_ms": at, "item_id": item_id},
        {"type": "input_audio_buffer.committed", "previous_item_id": None, "item_id": item_id},
        *added(item, None),
    )


def test_a_transcript_is_paid_for_by_the_model_that_wrote_it() -> None:
    stage = Stage().live()
    settings = {"type": "realtime", "audio": {"input": {"transcription": {"model": "gpt-4o-transcribe"}}}}
    stage.client({"type": "session.update", "session": settings})
    stage.upstream({"type": "session.updated", "session": session_object()})
    stage.upstream(
        {
            "type": "conversation.item.input_audio_transcription.completed",
            "item_id": "item_1",
            "content_index": 0,
            "transcript": "What time is it?",
            "usage": {"type": "duration", "seconds": 2},
        }
    )
    assert stage.used == [Used("a", "gpt-4o-transcribe", "transcription", {"type": "duration", "seconds": 2})]


# ------------------------------------------------------------------------------------------------------ the beta shape


def test_a_beta_client_at_a_beta_upstream_is_passed_on_byte_for_byte() -> None:
    stage = Stage(Place(upstream="old", shape="beta"), shape="beta")
    stage.opens()
    for frame in (
        b'{"type": "response.audio.delta","item_id":"i","delta":"AAAA"}',
        b'{"type":"conversation.item.created" ,"item":{"id":"i","type":"message","role":"user","content":[]}}',
    ):
        assert stage.session.receive_upstream(1, frame, 1.0) == [ToClient(frame)]
    frame = b'{"type" : "session.update","session":{"temperature":0.6}}'
    assert stage.session.receive_client(frame, 1.0) == [ToUpstream(1, frame)]


def test_the_temperature_of_a_beta_client_is_told_to_beta_upstreams_alone() -> None:
    stage = Stage(Place(upstream="old", shape="beta"), shape="beta")
    stage.opens()
    stage.client({"type": "session.update", "session": {"temperature": 0.6, "instructions": "Be brief."}})
    stage.upstream({"type": "session.updated", "session": {"id": "x", "temperature": 0.6}})
    stage.loses()
    stage.opens(2)
    (update,) = stage.to_link(2)
    assert update["session"] == {"temperature": 0.6, "instructions": "Be brief."}
    stage.loses(2)
    stage.opens(3, Place(upstream="new"))
    (update,) = stage.to_link(3)
    assert update["session"] == {"type": "realtime", "instructions": "Be brief."}


def test_a_client_that_gave_no_sign_is_of_the_shape_of_its_first_update() -> None:
    stage = Stage(shape=None).live()
    (update,) = stage.client({"type": "session.update", "session": {"modalities": ["text"]}})
    assert update["session"] == {"type": "realtime", "output_modalities": ["text"]}
    assert kinds(stage.upstream(*answer_begins()))[1:3] == ["response.output_item.added", "conversation.item.created"]


def test_a_transcription_session_at_a_beta_upstream_begins_with_its_settings() -> None:
    settings = {"audio": {"input": {"transcription": {"model": "whisper-1"}}}}
    stage = Stage(Place(upstream="old", shape="beta"), kind="transcription", settings=settings)
    stage._did(stage.session.opened(1, stage.place, 0.0))
    flat = {"id": "sess_x", "object": "realtime.transcription_session", "input_audio_format": "pcm16"}
    assert stage.upstream({"type": "transcription_session.created", "session": flat}) == []
    assert stage.to_link(1)[0]["type"] == "transcription_session.update"
    updated = flat | {"input_audio_transcription": {"model": "whisper-1"}}
    (created,) = stage.upstream({"type": "transcription_session.updated", "session": updated})
    assert (created["type"], created["session"]["type"]) == ("session.created", "transcription")
