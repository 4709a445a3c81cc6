"""What a case hears, what it must not hear, and that it never waits for ever."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from check.strings import SESSION, Json, StringTarget, error, polite
from vivavoce.check.cases import Desk
from vivavoce.check.standing import Ledger
from vivavoce.check.talk import Talk
from vivavoce.check.verdict import Broken, HungUp

FIRST = {"type": "session.created", "session": SESSION}


def desk(target: Any, ledger: Ledger | None = None, *, shape: Any = "ga", patience: float = 0.05) -> Desk:
    return Desk(target, shape, ledger or Ledger(), "a.case", patience)


async def opened(answer: Any = polite) -> Talk:
    return await desk(StringTarget(answer)).open()


async def test_a_talk_begins_with_the_session() -> None:
    talk = await opened()
    assert talk.session["id"] == "sess_1"
    assert talk.setting("max_tokens") == "inf"
    assert talk.setting("input_format") == "pcm"


@pytest.mark.parametrize(
    ("first", "shape", "told"),
    [
        ([error(None, message="Go away.")], "ga", "the session was refused: invalid_value: Go away."),
        ([{"type": "session.updated", "session": SESSION}], "ga", "the first event is session.updated"),
        ([FIRST, {"type": "session.updated", "session": SESSION}], "beta", "the second event is session.updated"),
        ([], "ga", "nothing came for 0.05 s after the connection"),
    ],
)
async def test_a_wrong_beginning_is_told(first: list[Json], shape: str, told: str) -> None:
    with pytest.raises(Broken, match=told):
        await desk(StringTarget(first=first), shape=shape).open()


async def test_settings_are_sent_under_their_names_of_the_shape() -> None:
    target = StringTarget(polite)
    await desk(target).open(modalities="text", voice="sage", turn_detection=None)
    assert target.wires[0].heard == [
        {
            "type": "session.update",
            "event_id": "check_1",
            "session": {
                "type": "realtime",
                "output_modalities": ["text"],
                "audio": {"output": {"voice": "sage"}, "input": {"turn_detection": None}},
            },
        }
    ]


async def test_an_error_that_is_not_awaited_breaks_the_case() -> None:
    talk = await opened()
    await talk.send("response.create")
    with pytest.raises(Broken, match=r"awaiting response\.created, the server sent an error: invalid_value: No None"):
        await talk.until("response.created")


async def test_a_refusal_is_the_error_as_it_has_to_be() -> None:
    talk = await opened()
    told = await talk.refused("conversation.item.delete", item_id="x", code="invalid_value", param=None, says="No x")
    assert told["message"] == "No x."
    assert [event["type"] for event in talk.heard] == ["session.created", "error"]


@pytest.mark.parametrize(
    ("expected", "told"),
    [
        ({"code": "item_delete_invalid_item_id"}, "the code is 'invalid_value'"),
        ({"param": "item_id"}, "the param is None, not 'item_id'"),
        ({"says": "Error"}, "the message is 'No x.'"),
    ],
)
async def test_another_error_breaks_the_case(expected: Json, told: str) -> None:
    talk = await opened()
    with pytest.raises(Broken, match=told):
        await talk.refused("conversation.item.delete", item_id="x", **expected)


async def test_what_should_be_refused_and_is_not_is_told_with_what_came() -> None:
    def accepting(event: Json) -> Iterable[Json]:
        if event["type"] == "conversation.item.delete":
            return [{"type": "conversation.item.deleted", "item_id": event["item_id"]}]
        return polite(event)

    talk = await opened(accepting)
    with pytest.raises(Broken, match=r"no error came, but conversation\.item\.deleted"):
        await talk.refused("conversation.item.delete", item_id="x")


async def test_an_error_that_names_no_event_is_told_as_that() -> None:
    def forgetting(event: Json) -> Iterable[Json]:
        return [error(None, message=f"No {event['item_id']}.")]

    talk = await opened(forgetting)
    with pytest.raises(Broken, match="the error names the event None, not 'check_1'"):
        await talk.refused("conversation.item.delete", item_id="x")


async def test_an_error_may_come_a_little_after_the_next_answer() -> None:
    late: list[Json] = []

    def slow(event: Json) -> Iterable[Json]:
        if event["type"] == "input_audio_buffer.commit":
            late.append(error(event["event_id"], "input_audio_buffer_commit_empty"))
            return []
        return [*polite(event), *late]

    talk = await opened(slow)
    await talk.refused("input_audio_buffer.commit", code="input_audio_buffer_commit_empty")


async def test_settling_tells_what_else_came_and_leaves_no_trace() -> None:
    talk = await opened()
    await talk.send("session.update", session={})
    assert await talk.settle() == ["session.updated"]
    assert [event["type"] for event in talk.heard] == ["session.created", "session.updated"]


async def test_quiet_is_what_came_meanwhile() -> None:
    talk = await opened()
    assert await talk.quiet(0.01) == []
    await talk.send("session.update", session={})
    assert await talk.quiet(0.01) == ["session.updated"]


async def test_a_connection_that_ends_says_so() -> None:
    target = StringTarget(polite)
    talk = await desk(target).open()
    target.wires[0].tell(None)
    with pytest.raises(HungUp) as ended:
        await talk.hear()
    assert ended.value.code == 1000


async def test_what_came_last_is_judged_before_the_connection_is_closed() -> None:
    ledger, target = Ledger(), StringTarget(polite)
    place = desk(target, ledger)
    await place.open()
    target.wires[0].tell("pong")
    target.wires[0].tell({"type": "response.thinking"})
    await place.close()
    assert target.wires[0].is_closed
    assert ledger.told("always.json").startswith("a.case: 'pong' is not JSON")
    assert ledger.told("always.vocabulary") == "a.case: response.thinking"
