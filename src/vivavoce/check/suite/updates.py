"""session.update where it is wrong: which error it is, and that nothing changes."""

from __future__ import annotations

from typing import Any

from ..cases import GA, Desk, case
from ..spelling import function
from ..talk import Talk
from ..verdict import HungUp, need, shown


async def _refused(talk: Talk, settings: dict[str, Any], **expected: Any) -> None:
    await talk.refused("session.update", session=talk.spelling.session(settings), **expected)


@case("update.missing-session")
async def missing_session(desk: Desk) -> None:
    """An update without a session is missing_required_parameter."""
    talk = await desk.open()
    await talk.refused("session.update", code="missing_required_parameter", param="session",
                       says="Missing required parameter: 'session'")  # fmt: skip


@case("update.missing-type", GA)
async def missing_type(desk: Desk) -> None:
    """An update without session.type is missing_required_parameter for `session.type`."""
    talk = await desk.open(instructions="Be brief.")
    await talk.refused(
        "session.update", session={"instructions": "Be long."}, code="missing_required_parameter",
        param="session.type", says="Missing required parameter: 'session.type'",
    )  # fmt: skip


@case("update.invalid-type", GA)
async def invalid_type(desk: Desk) -> None:
    """A session type that does not exist is invalid_value for `session.type`."""
    talk = await desk.open()
    await talk.refused(
        "session.update", session={"type": "nonsense"}, code="invalid_value", param="session.type",
        says="Invalid value: 'nonsense'. Supported values are:",
    )  # fmt: skip


@case("update.other-kind", GA)
async def other_kind(desk: Desk) -> None:
    """A conversation cannot be made a transcription session: invalid_parameter, or invalid_model with the end."""
    talk = await desk.open()
    event_id = await talk.send("session.update", session={"type": "transcription"})
    error = await talk.error(event_id)
    need(error["code"] in ("invalid_parameter", "invalid_model"), f"the code is {error['code']!r}")
    if error["code"] == "invalid_model":
        try:
            await talk.hear()
        except HungUp as end:
            need(end.code == 4000, f"the connection was closed with {end.code}")
        return
    await talk.update()
    need(talk.session["type"] == "realtime", f"the session is of type {talk.session['type']}")


@case("update.unknown-field")
async def unknown_field(desk: Desk) -> None:
    """A field that does not exist is unknown_parameter with its path."""
    talk = await desk.open(instructions="Be brief.")
    await _refused(talk, {"nonsense": 1}, code="unknown_parameter", param="session.nonsense",
                   says="Unknown parameter: 'session.nonsense'")  # fmt: skip


@case("update.unknown-nested-field")
async def unknown_nested_field(desk: Desk) -> None:
    """A field that does not exist inside an object is unknown_parameter with its whole path."""
    talk = await desk.open(instructions="Be brief.")
    path = f"{talk.spelling.path('turn_detection')}.nonsense"
    settings = {"turn_detection": {"type": "server_vad", "nonsense": 1}}
    await _refused(talk, settings, code="unknown_parameter", param=path, says=f"Unknown parameter: '{path}'")


@case("update.flat-field", GA)
async def flat_field(desk: Desk) -> None:
    """A field of the beta's flat session is unknown_parameter in GA."""
    talk = await desk.open(instructions="Be brief.")  # a server of both shapes knows by now which one is spoken
    session = {"type": "realtime", "modalities": ["text"]}
    await talk.refused("session.update", session=session, code="unknown_parameter", param="session.modalities")


@case("update.wrong-type")
async def wrong_type(desk: Desk) -> None:
    """A value of a wrong JSON type is invalid_type, and the message tells both types."""
    talk = await desk.open(instructions="Be brief.")
    await _refused(talk, {"instructions": 5}, code="invalid_type", param="session.instructions",
                   says="Invalid type for 'session.instructions': expected")  # fmt: skip
    await _refused(talk, {"tools": {}}, code="invalid_type", param="session.tools")


@case("update.null-switch", GA)
async def null_switch(desk: Desk) -> None:
    """null where true or false is wanted is invalid_type."""
    talk = await desk.open(instructions="Be brief.")
    path = f"{talk.spelling.path('turn_detection')}.create_response"
    settings = {"turn_detection": {"type": "server_vad", "create_response": None}}
    await _refused(talk, settings, code="invalid_type", param=path,
                   says=f"Invalid type for '{path}': expected boolean, got null")  # fmt: skip


@case("update.wrong-word")
async def wrong_word(desk: Desk) -> None:
    """A word that is not one of those allowed is invalid_value, and the message lists them."""
    talk = await desk.open(instructions="Be brief.")
    path = f"{talk.spelling.path('turn_detection')}.type"
    await _refused(talk, {"turn_detection": {"type": "nonsense"}}, code="invalid_value", param=path,
                   says="Invalid value: 'nonsense'. Supported values are:")  # fmt: skip
    await _refused(talk, {"voice": "nonsense"}, code="invalid_value", param=talk.spelling.path("voice"))
    await _refused(talk, {"tool_choice": "sometimes"}, code="invalid_value", param="session.tool_choice")


@case("update.out-of-range")
async def out_of_range(desk: Desk) -> None:
    """A number out of its range is invalid_value with its path."""
    talk = await desk.open(instructions="Be brief.")
    path = f"{talk.spelling.path('turn_detection')}.threshold"
    detection = {"type": "server_vad", "threshold": 1.5}
    await _refused(talk, {"turn_detection": detection}, code="invalid_value", param=path)
    await _refused(talk, {"max_tokens": 0}, code="invalid_value", param=talk.spelling.path("max_tokens"))
    await _refused(talk, {"speed": 2.5}, code="invalid_value", param=talk.spelling.path("speed"))


@case("update.idle-timeout-range", GA)
async def idle_timeout_range(desk: Desk) -> None:
    """An idle_timeout_ms below 5000 or above 30000 is invalid_value."""
    talk = await desk.open()
    path = "session.audio.input.turn_detection.idle_timeout_ms"
    for value in (100, 60_000):
        detection = {"type": "server_vad", "idle_timeout_ms": value}
        await _refused(talk, {"turn_detection": detection}, code="invalid_value", param=path)


@case("update.both-modalities", GA)
async def both_modalities(desk: Desk) -> None:
    """Text and audio output cannot be asked for together in GA."""
    talk = await desk.open()
    await _refused(talk, {"modalities": ["text", "audio"]}, code="invalid_value")


@case("update.foreign-format")
async def foreign_format(desk: Desk) -> None:
    """A format that the protocol does not have is invalid_value."""
    talk = await desk.open(instructions="Be brief.")
    wrong: Any = "mp3" if desk.is_beta else {"type": "audio/mp3"}
    path = talk.spelling.path("input_format") + ("" if desk.is_beta else ".type")
    await _refused(talk, {"input_format": wrong}, code="invalid_value", param=path)


@case("update.tool-without-name")
async def tool_without_name(desk: Desk) -> None:
    """A function without a name is missing_required_parameter."""
    talk = await desk.open(instructions="Be brief.")
    tool = {key: value for key, value in function("look_up").items() if key != "name"}
    await _refused(talk, {"tools": [tool]}, code="missing_required_parameter", param="session.tools[0].name")


@case("update.whole-or-nothing")
async def whole_or_nothing(desk: Desk) -> None:
    """An update with one mistake changes nothing, whatever else is in it."""
    talk = await desk.open(instructions="Be brief.", max_tokens=100)
    good_and_bad = {"instructions": "Be long.", "max_tokens": 200, "speed": 1.2, "voice": "nonsense"}
    await _refused(talk, good_and_bad, code="invalid_value")
    await talk.update()
    told = (talk.setting("instructions"), talk.setting("max_tokens"), talk.setting("speed"))
    need(told[:2] == ("Be brief.", 100), f"after the mistake, the session shows {shown(told)}")
    need(told[2] != 1.2, "after the mistake, the speed has changed")


@case("update.error-answers-one")
async def error_answers_one(desk: Desk) -> None:
    """A mistake is answered by one error and no session.updated."""
    talk = await desk.open(instructions="Be brief.")
    await _refused(talk, {"nonsense": 1}, code="unknown_parameter")
    came = await talk.settle()
    need(not came, f"after the error came {', '.join(came)}")
