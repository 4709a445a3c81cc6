"""What the client has sent and no server has answered for yet."""

from __future__ import annotations

from relay.stage import Stage, added, kinds, message
from vivavoce.relay.outbox import APPEND, COMMIT, CREATE, CREATE_RESPONSE, DELETE, Outbox


def outbox(*kinds: bytes) -> Outbox:
    made = Outbox(1000)
    for kind in kinds:
        if kind == APPEND:
            made.append(b'{"type":"input_audio_buffer.append","audio":"AAAAAAAA"}', 0.0, lead_only=False)
        else:
            made.add(kind, b"{}", {}, 0.0)
    return made


def test_what_is_answered_in_order_goes_with_what_was_answered_later() -> None:
    made = outbox(CREATE, APPEND, CREATE_RESPONSE, DELETE, COMMIT)
    answered = made.pending(DELETE)
    assert answered is not None
    made.settle(answered)
    assert [entry.kind for entry in made] == [APPEND, CREATE_RESPONSE, COMMIT]
    assert (made.pending(CREATE), made.is_quiet) == (None, False)
    made.keep_only(frozenset())
    assert ([entry.kind for entry in made], made.is_quiet) == ([APPEND], True)


def test_what_it_takes_is_what_is_in_it() -> None:
    made = outbox(CREATE, APPEND, DELETE, COMMIT)
    for kind in (DELETE, COMMIT):
        answered = made.pending(kind)
        assert answered is not None
        made.settle(answered)
        assert made.size_bytes == sum(entry.bytes_ for entry in made)


def test_a_response_that_was_asked_for_is_not_given_up_for_its_age() -> None:
    made = outbox(CREATE, CREATE_RESPONSE, APPEND)
    made.expire(10.0)
    assert [entry.kind for entry in made] == [CREATE_RESPONSE, APPEND]


def test_one_event_may_be_larger_than_what_is_kept_while_nobody_is_there() -> None:
    stage = Stage(outbox_bytes=1000).live()
    large = message("item_1", text=2000 * "a")
    assert kinds(stage.client({"type": "conversation.item.create", "item": large})) == ["conversation.item.create"]
    assert stage.closes == []
    stage.upstream(*added(large, None))
    for n in range(2):
        stage.client({"type": "conversation.item.create", "item": large | {"id": f"item_x{n}"}})
    assert stage.closes == [(1013, "no upstream server takes what is sent")]
