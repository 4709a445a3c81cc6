"""What is no event, errors as such, and frames at their limits."""

from __future__ import annotations

import asyncio

from ..cases import Desk, case
from ..recordings import base64
from ..spelling import user_text
from ..talk import Talk
from ..verdict import Broken, HungUp, need, shown

_APPEND_BYTES = 15 * 1024 * 1024
"""What one append may hold."""


async def _raw(talk: Talk, message: str) -> dict[str, object]:
    """Send a text that is no event and return the error that answers it."""
    await talk.wire.send(message)
    event = await talk.hear()
    need(event["type"] == "error", f"it was answered by {event['type']}")
    error = dict(event["error"])
    need(error["type"] == "invalid_request_error", f"the error's type is {error['type']!r}")
    need(error["event_id"] is None, f"the error names the event {error['event_id']!r}")
    await talk.update()
    return error


@case("event.not-json")
async def not_json(desk: Desk) -> None:
    """A text that is not JSON is an error, and the session goes on."""
    talk = await desk.open()
    for text in ("{", "hello", ""):
        await _raw(talk, text)


@case("event.not-an-object")
async def not_an_object(desk: Desk) -> None:
    """JSON that is no object is an error, and the session goes on."""
    talk = await desk.open()
    for text in ("[]", "1", "null", '"session.update"'):
        await _raw(talk, text)


@case("event.no-type")
async def no_type(desk: Desk) -> None:
    """An event without a type is invalid_event or missing_required_parameter."""
    talk = await desk.open()
    event_id = "check_no_type"
    await talk.say({"event_id": event_id, "session": {}})
    error = await talk.error(event_id)
    need(error["code"] in ("invalid_event", "missing_required_parameter"), f"the code is {error['code']!r}")


@case("event.unknown-type")
async def unknown_type(desk: Desk) -> None:
    """An event of a type that does not exist is invalid_value for `type`, and the message lists those that do."""
    talk = await desk.open()
    error = await talk.refused("nonsense", code="invalid_value", param="type",
                               says="Invalid value: 'nonsense'. Supported values are:")  # fmt: skip
    need("response.create" in error["message"], "the message lists no response.create")


@case("event.server-type")
async def server_type(desk: Desk) -> None:
    """A server's event that a client sends is invalid_value."""
    talk = await desk.open()
    await talk.refused("session.created", session={}, code="invalid_value", param="type")


@case("error.event-id")
async def event_id(desk: Desk) -> None:
    """An error repeats the event_id of the event that it answers."""
    talk = await desk.open()
    for given in ("a", "check-1", "x" * 512):
        await talk.refused("conversation.item.delete", item_id="item_nowhere", event_id=given)


@case("error.no-event-id")
async def no_event_id(desk: Desk) -> None:
    """An error about an event without event_id has event_id null."""
    talk = await desk.open()
    await talk.say({"type": "conversation.item.delete", "item_id": "item_nowhere"})
    event = await talk.hear()
    need(event["type"] == "error", f"it was answered by {event['type']}")
    need(event["error"]["event_id"] is None, f"the error names {event['error']['event_id']!r}")


@case("error.in-order")
async def in_order(desk: Desk) -> None:
    """An error is told before the effects of the client's next event."""
    talk = await desk.open()
    mark = talk.mark
    await talk.send("conversation.item.delete", item_id="item_nowhere")
    await talk.send("input_audio_buffer.clear")
    await talk.send("conversation.item.delete", item_id="item_nowhere")
    while len(talk.kinds(mark)) < 3:
        await talk.hear()
    came = talk.kinds(mark)
    need(came == ["error", "input_audio_buffer.cleared", "error"], f"in order came {', '.join(came)}")


@case("error.session-goes-on")
async def session_goes_on(desk: Desk) -> None:
    """After many mistakes a session answers as before."""
    talk = await desk.open()
    for number in range(20):
        await talk.refused("nonsense", event_id=f"check_wrong_{number}")
    added = await talk.create(user_text("hello"))
    need(added["previous_item_id"] is None, "something entered the conversation meanwhile")


@case("frame.unicode")
async def unicode(desk: Desk) -> None:
    """Any text comes back exactly as it was sent, whatever characters it has."""
    talk = await desk.open()
    text = 'Zoë said "\\ \u0001 \u2028 ß 漢字 العربية 👩‍👩‍👧 𝄞"\n\t.'
    added = await talk.create(user_text(text))
    need(added["item"]["content"][0]["text"] == text, f"it came back as {shown(added['item'])}")


@case("frame.fragments")
async def fragments(desk: Desk) -> None:
    """A message in several WebSocket fragments is one event."""
    talk = await desk.open()
    await talk.wire.send(['{"type":"input_audio', "_buffer.cl", "", 'ear"}'])
    await talk.until("input_audio_buffer.cleared")


@case("frame.binary")
async def binary(desk: Desk) -> None:
    """A binary frame does not disturb other sessions; this one is told of an error, or closed."""
    other, talk = await desk.open(), await desk.open()
    await talk.wire.send(b'{"type":"input_audio_buffer.clear"}')
    try:
        event = await talk.hear(2)
        need(event["type"] in ("error", "input_audio_buffer.cleared"), f"it was answered by {event['type']}")
    except HungUp as end:
        need(end.code in (1003, 1002, 1007, 1008, 4000), f"the connection was closed with {end.code}")
    except Broken:
        pass  # to take no notice is as good
    await other.update()


@case("frame.deep-json")
async def deep_json(desk: Desk) -> None:
    """JSON of a hundred thousand levels is an error or a close, and other sessions go on."""
    other, talk = await desk.open(), await desk.open()
    levels = 100_000
    await talk.wire.send('{"type":"session.update","session":' + '{"a":' * levels + "1" + "}" * (levels + 1))
    try:
        event = await talk.hear()
        need(event["type"] == "error", f"it was answered by {event['type']}")
    except HungUp as end:
        need(end.code not in (1006, 1011, None), f"the connection was closed with {end.code}")
    await other.update()


@case("frame.large-append")
async def large_append(desk: Desk) -> None:
    """An append of 15 MiB of audio is taken."""
    talk = await desk.open(turn_detection=None)
    await talk.send("input_audio_buffer.append", audio=base64(bytes(_APPEND_BYTES)))
    await talk.send("input_audio_buffer.clear")
    await talk.until("input_audio_buffer.cleared")


@case("frame.ping")
async def ping(desk: Desk) -> None:
    """A ping is answered at once, by an idle session and by one at work."""
    talk = await desk.open(modalities="text")
    await _pinged(talk)
    await talk.create(user_text("Say hello."))
    await talk.ask()
    await _pinged(talk)
    await talk.until("response.done")


async def _pinged(talk: Talk) -> None:
    try:
        async with asyncio.timeout(5):
            await talk.wire.ping()
    except TimeoutError:
        raise Broken("a ping was not answered within 5 s") from None
