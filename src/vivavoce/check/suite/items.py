"""Items that clients create, retrieve and delete."""

from __future__ import annotations

from base64 import b64decode
from typing import Any

from ..cases import GA, Desk, case
from ..recordings import base64, quiet
from ..spelling import user_audio, user_text
from ..talk import Talk
from ..verdict import Broken, Skipped, need, shown

_PNG = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5E"
    "rkJggg=="
)
"""A picture of one pixel."""
_MOST_CHARACTERS = (1 << 20) - 1024
"""Of the audio in a message that stays below 1 MiB, with some room for the rest."""


def _assistant(talk: Talk, text: str, **fields: Any) -> dict[str, Any]:
    content = [{"type": talk.spelling.output_text, "text": text}]
    return {"type": "message", "role": "assistant", "content": content, **fields}


async def _refused(talk: Talk, item: Any, **expected: Any) -> None:
    await talk.refused("conversation.item.create", item=item, **expected)


@case("item.create")
async def create(desk: Desk) -> None:
    """A created item is told of by added and done (in the beta by created), completed and with an id."""
    talk = await desk.open()
    mark = talk.mark
    added = await talk.create(user_text("hello"))
    item = added["item"]
    need(item["id"], "the item has no id")
    need(item["status"] == "completed", f"its status is {item.get('status')}")
    need(item["role"] == "user" and item["content"] == [{"type": "input_text", "text": "hello"}], shown(item))
    came = talk.kinds(mark) + await talk.settle()
    expected = ["conversation.item.added"] + ([] if desk.is_beta else ["conversation.item.done"])
    need(came == expected, f"there came {', '.join(came)}")


@case("item.own-id")
async def own_id(desk: Desk) -> None:
    """An item keeps the id that the client gave it."""
    talk = await desk.open()
    for item_id in ("a", "check_item-1", "x" * 32):
        added = await talk.create(user_text("hello", id=item_id))
        need(added["item"]["id"] == item_id, f"{item_id} became {added['item']['id']}")
        need((await talk.retrieve(item_id))["content"][0]["text"] == "hello", "the retrieved item is another")


@case("item.append")
async def append(desk: Desk) -> None:
    """An item without previous_item_id goes to the end, and names the last item, or null for none."""
    talk = await desk.open()
    previous = None
    for number in range(3):
        added = await talk.create(user_text("hello", id=f"item_{number}"))
        need(added.get("previous_item_id") == previous, f"item {number} follows {added.get('previous_item_id')}")
        previous = added["item"]["id"]
    added = await talk.create(user_text("hello"), previous_item_id="")
    need(added.get("previous_item_id") == previous, f"with an empty text it follows {added.get('previous_item_id')}")


@case("item.insert")
async def insert(desk: Desk) -> None:
    """An item goes after the one that previous_item_id names."""
    talk = await desk.open()
    for item_id in ("one", "three"):
        await talk.create(user_text("hello", id=item_id))
    added = await talk.create(user_text("hello", id="two"), previous_item_id="one")
    need(added["previous_item_id"] == "one", f"it follows {added['previous_item_id']}")
    added = await talk.create(user_text("hello", id="four"))
    need(added["previous_item_id"] == "three", f"the last item is {added['previous_item_id']}, not three")


@case("item.root")
async def root(desk: Desk) -> None:
    """previous_item_id `root` puts an item at the front, which is shown as null."""
    talk = await desk.open()
    await talk.create(user_text("hello", id="one"))
    added = await talk.create(user_text("hello", id="zero"), previous_item_id="root")
    need(added["previous_item_id"] is None, f"it follows {added['previous_item_id']!r}")
    added = await talk.create(user_text("hello", id="half"), previous_item_id="zero")
    need(added["previous_item_id"] == "zero", f"the item in front is not zero but {added['previous_item_id']}")
    added = await talk.create(user_text("hello"))
    need(added["previous_item_id"] == "one", f"the last item is {added['previous_item_id']}, not one")


@case("item.unknown-previous")
async def unknown_previous(desk: Desk) -> None:
    """An item after one that does not exist is an error, and is not added."""
    talk = await desk.open()
    item = user_text("hello", id="lost")
    error = await talk.refused("conversation.item.create", item=item, previous_item_id="item_nowhere")
    need(error["type"] == "invalid_request_error", f"the error's type is {error['type']}")
    need(not await talk.holds("lost"), "the item was added all the same")


@case("item.duplicate-id")
async def duplicate_id(desk: Desk) -> None:
    """Creating an item under an id that is taken is an item_create_duplicate_item_id error."""
    talk = await desk.open()
    await talk.create(user_text("first", id="one"))
    await _refused(talk, user_text("second", id="one"), code="item_create_duplicate_item_id")
    need((await talk.retrieve("one"))["content"][0]["text"] == "first", "the item was replaced")


@case("item.status-ignored")
async def status_ignored(desk: Desk) -> None:
    """The status that a client writes into an item is ignored: it is completed."""
    talk = await desk.open()
    added = await talk.create(user_text("hello", status="in_progress"))
    need(added["item"]["status"] == "completed", f"the status is {added['item']['status']}")


@case("item.roles")
async def roles(desk: Desk) -> None:
    """Messages of the system, the user and the assistant are taken with their text."""
    talk = await desk.open()
    system = {"type": "message", "role": "system", "content": [{"type": "input_text", "text": "Be kind."}]}
    for item in (system, user_text("hello"), _assistant(talk, "Hello to you.")):
        added = await talk.create(item)
        told = {key: added["item"].get(key) for key in item}
        need(told == item, f"{shown(item)} became {shown(told)}")


@case("item.function-call")
async def function_call(desk: Desk) -> None:
    """Function calls and their outputs are taken from clients, for the replay of a history."""
    talk = await desk.open()
    call = {"type": "function_call", "call_id": "call_1", "name": "look_up", "arguments": '{"word":"cat"}'}
    output = {"type": "function_call_output", "call_id": "call_1", "output": "An animal."}
    for item in (call, output):
        added = await talk.create(item)
        told = {key: added["item"].get(key) for key in item}
        need(told == item, f"{shown(item)} became {shown(told)}")


@case("item.unknown-call")
async def unknown_call(desk: Desk) -> None:
    """An output for a call that does not exist is invalid_tool_call_id."""
    talk = await desk.open()
    output = {"type": "function_call_output", "call_id": "call_nowhere", "output": "x", "id": "lost"}
    await _refused(talk, output, code="invalid_tool_call_id", says="Tool call ID 'call_nowhere' not found")
    need(not await talk.holds("lost"), "the output was added all the same")


@case("item.user-audio")
async def user_audio_item(desk: Desk) -> None:
    """A user's audio is taken in an item, is not repeated in events, and is not transcribed."""
    talk = await desk.open(transcription={"model": "whisper-1"})
    mark = talk.mark
    added = await talk.create(user_audio(base64(quiet(300)), id="spoken"))
    part = added["item"]["content"][0]
    need(part["type"] == "input_audio" and "transcript" in part, f"the part is {shown(part)}")
    await talk.quiet(0.5)
    transcribed = [event["type"] for event in talk.heard[mark:] if "input_audio_transcription" in event["type"]]
    need(not transcribed, f"there came {', '.join(transcribed)}")


@case("item.retrieve")
async def retrieve(desk: Desk) -> None:
    """A retrieved item is the item as it was told."""
    talk = await desk.open()
    added = await talk.create(user_text("hello"))
    need(await talk.retrieve(added["item"]["id"]) == added["item"], "the retrieved item is another")


@case("item.retrieve-audio")
async def retrieve_audio(desk: Desk) -> None:
    """A retrieved item has its audio, in base64."""
    talk = await desk.open()
    audio = quiet(300)
    await talk.create(user_audio(base64(audio), id="spoken"))
    part = (await talk.retrieve("spoken"))["content"][0]
    need(part.get("audio"), f"the part has no audio: {shown(part)}")
    need(len(b64decode(part["audio"], validate=True)) == len(audio), "the audio is of another length")


@case("item.retrieve-long-audio", inferred=True)
async def retrieve_long_audio(desk: Desk) -> None:
    """An item with half a minute of audio is retrieved in a message below 1 MiB, or several clients lose the line."""
    talk = await desk.open()
    await talk.create(user_audio(base64(quiet(30_000)), id="spoken"))
    item = await talk.retrieve("spoken")
    need(len(item["content"][0].get("audio") or "") < _MOST_CHARACTERS, "the message is longer")


@case("item.retrieve-unknown")
async def retrieve_unknown(desk: Desk) -> None:
    """Retrieving an item that does not exist is item_retrieve_invalid_item_id."""
    talk = await desk.open()
    await talk.refused("conversation.item.retrieve", item_id="item_nowhere", code="item_retrieve_invalid_item_id",
                       says="Error retrieving item: the item with id 'item_nowhere' does not exist")  # fmt: skip


@case("item.delete")
async def delete(desk: Desk) -> None:
    """A deleted item is told of by deleted and is gone; the next item names the one before it."""
    talk = await desk.open()
    for item_id in ("one", "two"):
        await talk.create(user_text("hello", id=item_id))
    await talk.send("conversation.item.delete", item_id="two")
    event = await talk.until("conversation.item.deleted")
    need(event["item_id"] == "two", f"it names {event['item_id']}")
    need(not await talk.holds("two"), "the item is still there")
    added = await talk.create(user_text("hello"))
    need(added["previous_item_id"] == "one", f"the last item is {added['previous_item_id']}")


@case("item.delete-unknown")
async def delete_unknown(desk: Desk) -> None:
    """Deleting an item that does not exist is item_delete_invalid_item_id."""
    talk = await desk.open()
    await talk.refused("conversation.item.delete", item_id="item_nowhere", code="item_delete_invalid_item_id",
                       says="Error deleting item: the item with id 'item_nowhere' does not exist")  # fmt: skip


@case("item.missing-fields")
async def missing_fields(desk: Desk) -> None:
    """An item event without its item, or without its item_id, is missing_required_parameter."""
    talk = await desk.open()
    missing = "missing_required_parameter"
    await talk.refused("conversation.item.create", code=missing, param="item")
    for kind in ("conversation.item.retrieve", "conversation.item.delete"):
        await talk.refused(kind, code=missing, param="item_id")


@case("item.invalid-type")
async def invalid_type(desk: Desk) -> None:
    """An item of a type that does not exist is invalid_value for `item.type`."""
    talk = await desk.open()
    await _refused(
        talk, {"type": "nonsense"}, code="invalid_value", param="item.type", says="Invalid value: 'nonsense'"
    )


@case("item.invalid-role")
async def invalid_role(desk: Desk) -> None:
    """A message of a role that does not exist is invalid_value for `item.role`."""
    talk = await desk.open()
    await _refused(talk, user_text("hello", role="narrator"), code="invalid_value", param="item.role")


@case("item.invalid-content")
async def invalid_content(desk: Desk) -> None:
    """Content of a type that does not exist, or not for the role, is invalid_value with its path."""
    talk = await desk.open()
    path = "item.content[0].type"
    nonsense = {"type": "message", "role": "user", "content": [{"type": "nonsense", "text": "hello"}]}
    await _refused(talk, nonsense, code="invalid_value", param=path)
    picture = {"type": "message", "role": "system", "content": [{"type": "input_audio", "audio": ""}]}
    await _refused(talk, picture, code="invalid_value", param=path)


@case("item.missing-text")
async def missing_text(desk: Desk) -> None:
    """Written content without its text is missing_required_parameter with its path."""
    talk = await desk.open()
    item = {"type": "message", "role": "user", "content": [{"type": "input_text"}]}
    await _refused(talk, item, code="missing_required_parameter", param="item.content[0].text")


@case("item.missing-arguments")
async def missing_arguments(desk: Desk) -> None:
    """A function call without name or arguments is missing_required_parameter."""
    talk = await desk.open()
    call = {"type": "function_call", "call_id": "call_1"}
    await _refused(talk, {**call, "arguments": "{}"}, code="missing_required_parameter", param="item.name")
    await _refused(talk, {**call, "name": "look_up"}, code="missing_required_parameter", param="item.arguments")


@case("item.unknown-field")
async def unknown_field(desk: Desk) -> None:
    """A field that items do not have is unknown_parameter with its path."""
    talk = await desk.open()
    await _refused(talk, user_text("hello", nonsense=1), code="unknown_parameter", param="item.nonsense",
                   says="Unknown parameter: 'item.nonsense'")  # fmt: skip


@case("item.wrong-type")
async def wrong_type(desk: Desk) -> None:
    """A value of a wrong JSON type in an item is invalid_type with its path."""
    talk = await desk.open()
    item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": 5}]}
    await _refused(talk, item, code="invalid_type", param="item.content[0].text")
    await _refused(talk, "hello", code="invalid_type", param="item")


@case("item.bad-audio")
async def bad_audio(desk: Desk) -> None:
    """Audio in an item that is not base64 is invalid_value."""
    talk = await desk.open()
    await _refused(talk, user_audio("no base64!", id="lost"), code="invalid_value")
    need(not await talk.holds("lost"), "the item was added all the same")


@case("item.assistant-audio")
async def assistant_audio(desk: Desk) -> None:
    """An assistant's audio is not taken from clients: its text is missing."""
    talk = await desk.open()
    content = [{"type": talk.spelling.output_audio, "audio": base64(quiet(100)), "transcript": "hello"}]
    item = {"type": "message", "role": "assistant", "content": content}
    await _refused(talk, item, code="missing_required_parameter", param="item.content[0].text")


@case("item.image", GA)
async def image(desk: Desk) -> None:
    """A user's picture is taken as a data URI of a PNG or JPEG."""
    talk = await desk.open()
    content = [{"type": "input_text", "text": "What is this?"}, {"type": "input_image", "image_url": _PNG}]
    try:
        added = await talk.create({"type": "message", "role": "user", "content": content})
    except Broken as refusal:
        if "images" not in str(refusal):
            raise
        raise Skipped(f"the model sees no images: {refusal}") from refusal
    kinds = [part["type"] for part in added["item"]["content"]]
    need(kinds == ["input_text", "input_image"], f"its parts are {', '.join(kinds)}")


@case("item.bad-image", GA)
async def bad_image(desk: Desk) -> None:
    """A picture that is no data URI is invalid_value."""
    talk = await desk.open()
    content = [{"type": "input_image", "image_url": "nonsense"}]
    await _refused(talk, {"type": "message", "role": "user", "content": content}, code="invalid_value")


@case("item.while-answering")
async def while_answering(desk: Desk) -> None:
    """Items can be created while a response is under way, which goes on."""
    talk = await desk.open(modalities="text")
    await talk.create(user_text("Say hello."))
    await talk.ask()
    await talk.send("conversation.item.create", item=user_text("And one more thing.", id="between"))
    done = await talk.until("response.done")
    need(done["response"]["status"] == "completed", f"the response ended as {done['response']['status']}")
    need(await talk.holds("between"), "the item is not there")
