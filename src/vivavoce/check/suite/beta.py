"""What only the beta has: its places for events, its names in items, its spellings in requests."""

from __future__ import annotations

from ..cases import BETA, Desk, case, skip_unless
from ..spelling import user_text
from ..verdict import need, shown
from .asking import GREETING, greeted


@case("beta.item-object", BETA)
async def item_object(desk: Desk) -> None:
    """Items carry object `realtime.item`."""
    talk, reply = await greeted(desk, modalities="text")
    items = [event["item"] for event in talk.heard if isinstance(event.get("item"), dict)] + reply.done["output"]
    need(items and all(item.get("object") == "realtime.item" for item in items), f"there is {shown(items[0])}")


@case("beta.item-created-place", BETA)
async def item_created_place(desk: Desk) -> None:
    """The item of a response is created in the conversation after output_item.added and before its content."""
    _, reply = await greeted(desk)
    places = [
        reply.kinds.index(kind)
        for kind in ("response.output_item.added", "conversation.item.added", "response.content_part.added")
    ]
    need(places == sorted(places), f"in order came {', '.join(reply.kinds[: places[0] + 4])}")


@case("beta.rate-limits-place", BETA)
async def rate_limits_place(desk: Desk) -> None:
    """rate_limits.updated, where a server tells of limits, directly follows response.created."""
    _, reply = await greeted(desk, modalities="text")
    skip_unless("rate_limits.updated" in reply.kinds, "the server tells of no limits")
    need(reply.kinds.index("rate_limits.updated") == 1, f"in order came {', '.join(reply.kinds)}")


@case("beta.event-names", BETA)
async def event_names(desk: Desk) -> None:
    """Spoken answers come as response.audio and response.audio_transcript, written ones as response.text."""
    _, spoken = await greeted(desk)
    _, written = await greeted(desk, modalities="text")
    names = {event["type"] for event in (*spoken.events, *written.events)}
    wanted = {
        f"response.{stream}.{end}" for stream in ("audio", "audio_transcript", "text") for end in ("delta", "done")
    }
    need(wanted <= names, f"there is no {', '.join(sorted(wanted - names))}")
    foreign = [name for name in names if ".output_audio" in name or ".output_text" in name]
    need(not foreign, f"there is {', '.join(sorted(foreign))}")


@case("beta.response-fields", BETA)
async def response_fields(desk: Desk) -> None:
    """A response shows its flat settings: modalities, voice, output_audio_format, temperature."""
    _, reply = await greeted(desk)
    need({"modalities", "voice", "output_audio_format", "temperature"} <= reply.created.keys(), shown(reply.created))
    need("output_modalities" not in reply.created and "audio" not in reply.created, shown(reply.created))


@case("beta.token-spellings", BETA)
async def token_spellings(desk: Desk) -> None:
    """A response's limit of tokens is spelled max_response_output_tokens or max_output_tokens."""
    talk = await desk.open(modalities="text")
    await talk.create(user_text(GREETING))
    for name in ("max_response_output_tokens", "max_output_tokens"):
        await talk.send("response.create", response={name: 300})
        reply = await talk.reply()
        need(talk.spelling.read(reply.created, "max_tokens") == 300, f"{name}: it shows {shown(reply.created)}")


@case("beta.assistant-text", BETA)
async def assistant_text(desk: Desk) -> None:
    """The assistant's written content is of type `text`, in what clients send and in what comes."""
    talk = await desk.open(modalities="text")
    content = [{"type": "text", "text": "Hello."}]
    added = await talk.create({"type": "message", "role": "assistant", "content": content})
    need(added["item"]["content"] == content, f"it became {shown(added['item']['content'])}")


@case("beta.modalities-order", BETA)
async def modalities_order(desk: Desk) -> None:
    """Modalities may be given in either order, and audio comes with text."""
    talk = await desk.open()
    await talk.update(modalities=["text", "audio"])
    need(set(talk.session["modalities"]) == {"text", "audio"}, f"they are {shown(talk.session['modalities'])}")


@case("beta.tool-without-type", BETA, inferred=True)
async def tool_without_type(desk: Desk) -> None:
    """A tool without a type is a function."""
    tool = {"name": "look_up", "description": "Looks up.", "parameters": {"type": "object", "properties": {}}}
    talk = await desk.open(tools=[tool])
    need(talk.session["tools"][0]["type"] == "function", f"it is {shown(talk.session['tools'])}")
