from __future__ import annotations

import json

import pytest

from fakes import FakeServer, FakeSession, Json
from vivavoce.legs.line import Line, LineError, error_text
from vivavoce.legs.local import MemoryLeg, MemoryWire


def leg_saying(*messages: object) -> MemoryLeg:
    leg = MemoryLeg()
    for message in messages:
        leg.send(message if isinstance(message, bytes) else json.dumps(message).encode())
    return leg


async def test_a_line_opens_with_the_session_and_yields_it_first() -> None:
    line = await FakeServer().line()
    assert line.shape == "ga"
    assert line.session["id"] == "sess_1"
    assert (await anext(line))["type"] == "session.created"


async def test_a_flat_session_shows_that_the_server_speaks_beta() -> None:
    line = await FakeServer("beta").line()
    assert line.shape == "beta"
    assert line.session["audio"]["output"]["voice"] == "alloy"


async def test_a_shape_that_was_asked_for_is_kept() -> None:
    line = await Line.open(MemoryWire(leg_saying({"type": "session.created", "session": {"id": "s"}})), "beta")
    assert line.shape == "beta"


async def test_the_session_is_the_one_told_last() -> None:
    line = await FakeServer().line()
    await line.send({"type": "session.update", "session": {"type": "realtime", "instructions": "Be brief."}})
    async for event in line:
        if event["type"] == "session.updated":
            break
    assert line.session["instructions"] == "Be brief."


async def test_temperature_is_not_sent_to_a_server_of_the_ga_shape() -> None:
    server = FakeServer(script=lambda session, event: True)
    line = await server.line()
    await line.send({"type": "session.update", "session": {"type": "realtime", "temperature": 0.7}})
    await line.send({"type": "response.create", "response": {"conversation": "none", "input": [], "temperature": 0.7}})
    assert [event.get("session", event.get("response")) for event in server.received] == [
        {"type": "realtime"},
        {"conversation": "none", "input": []},
    ]


async def test_an_error_instead_of_a_session_is_why_the_line_did_not_open() -> None:
    error = {"type": "error", "error": {"type": "invalid_request_error", "code": "x", "message": "No such\nmodel."}}
    with pytest.raises(LineError, match=r"^the server refused the session: No such model\.$") as caught:
        await Line.open(MemoryWire(leg_saying(error)), None)
    assert not caught.value.again


async def test_a_server_that_says_nothing_is_given_up() -> None:
    leg = MemoryLeg()
    with pytest.raises(LineError, match="did not begin a session within 0 s"):
        await Line.open(MemoryWire(leg), None, timeout=0)
    assert leg.ended is not None


@pytest.mark.parametrize("message", [b"hello", b"[]", b'{"type": 1}', b'{"event_id": "e"}'])
async def test_a_server_of_something_else_is_named_as_such(message: bytes) -> None:
    with pytest.raises(LineError, match="the server sent something that is not"):
        await Line.open(MemoryWire(leg_saying(message)), None)


@pytest.mark.parametrize(
    ("code", "again"), [(1001, True), (1006, True), (1013, True), (1011, True), (3000, False), (4000, False)]
)
async def test_a_line_closed_by_the_server_tells_code_and_reason(code: int, again: bool) -> None:
    def script(session: FakeSession, event: Json) -> bool:
        session.leg.close(code, "the reason")
        return True

    line = await FakeServer(script=script).line()
    await line.send({"type": "response.create"})
    with pytest.raises(LineError) as caught:
        async for _ in line:
            pass
    assert caught.value.again is again
    assert code == 1006 or str(caught.value) == f"the server closed the connection (code {code}): the reason"
    with pytest.raises(LineError):
        await line.send({"type": "response.create"})


async def test_a_line_closed_by_the_client_just_ends() -> None:
    line = await FakeServer().line()
    await line.close()
    assert [event["type"] async for event in line] == ["session.created"]


@pytest.mark.parametrize(
    ("error", "text"),
    [
        ({"message": "Too bad.", "code": "c"}, "Too bad."),
        ({"code": "c", "type": "t"}, "c"),
        ({"type": "server_error"}, "server_error"),
        (None, "an error without a message"),
    ],
)
def test_an_error_is_told_by_the_best_it_says_of_itself(error: Json | None, text: str) -> None:
    assert error_text({"type": "error", "error": error}) == text
