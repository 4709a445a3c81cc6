"""Responses: their orders, their objects, and what response.create may ask for."""

from __future__ import annotations

import itertools
from base64 import b64decode
from typing import Any

from ..cases import GA, Desk, case, skip_unless
from ..recordings import utterance
from ..spelling import user_text
from ..verdict import need, shown
from .asking import GREETING, LONG, answering, greeted, need_order, squeezed

_SPOKEN = ("output_audio", "output_audio_transcript")


@case("response.text-order")
async def text_order(desk: Desk) -> None:
    """A written answer comes as one item with one part, told in deltas between its added and its done."""
    talk, reply = await greeted(desk, modalities="text")
    skip_unless(len(reply.done["output"]) == 1, f"the answer has {len(reply.done['output'])} items")
    need_order(talk, reply, ["response.output_text.delta", "response.output_text.done"])


@case("response.audio-order")
async def audio_order(desk: Desk) -> None:
    """A spoken answer comes as audio and transcript side by side, each with its own done before that of the part."""
    talk, reply = await greeted(desk)
    skip_unless(len(reply.done["output"]) == 1, f"the answer has {len(reply.done['output'])} items")
    came = squeezed(reply.kinds)
    first = came.index("response.content_part.added") + 1
    inner = came[first : came.index("response.content_part.done")]
    for stream in _SPOKEN:
        kinds = [
            kind for kind, _ in itertools.groupby(kind for kind in inner if kind.startswith(f"response.{stream}."))
        ]
        need(kinds == [f"response.{stream}.delta", f"response.{stream}.done"], f"of {stream} came {', '.join(kinds)}")
    need_order(talk, reply, inner)


@case("response.created")
async def created(desk: Desk) -> None:
    """A created response is in progress, without output, usage and details, and has an id of its own."""
    talk, reply = await greeted(desk, modalities="text")
    again = await talk.respond()
    need(reply.id != again.id, "two responses have one id")
    shows = reply.created
    need(shows["object"] == "realtime.response", f"its object is {shows['object']}")
    need(shows["status"] == "in_progress", f"its status is {shows['status']}")
    need(shows["output"] == [], f"its output is {shown(shows['output'])}")
    need(shows["usage"] is None and shows["status_details"] is None, "it has usage or details already")


@case("response.done")
async def done(desk: Desk) -> None:
    """A done response shows its items in full, as output_item.done did, without details where it is complete."""
    _, reply = await greeted(desk, modalities="text")
    need(reply.status == "completed", f"its status is {reply.ending}")
    details = reply.done["status_details"]
    need(details is None or details.get("type") == "completed", f"its details are {shown(details)}")
    finished = [event["item"] for event in reply.of("response.output_item.done")]
    need(reply.done["output"] == finished, f"its output is {shown(reply.done['output'])}, not {shown(finished)}")


@case("response.ids")
async def ids(desk: Desk) -> None:
    """All events of a response name its id, and those of an item the item's id and places."""
    _, reply = await greeted(desk)
    events = [event for event in reply.events if event["type"].startswith("response.") and "response" not in event]
    foreign = {event["response_id"] for event in events} - {reply.id}
    need(not foreign, f"events of it name {', '.join(foreign)}")
    order = [event["item"]["id"] for event in reply.of("response.output_item.done")]
    inner = [event for event in events if "item_id" in event]
    wrong = [event["type"] for event in inner if event["output_index"] != order.index(event["item_id"])]
    need(not wrong, f"{', '.join(wrong)} name another place")


@case("response.text-deltas")
async def text_deltas(desk: Desk) -> None:
    """The deltas of a text add up to that of its done, its part, its item and the retrieved item."""
    talk, reply = await greeted(desk, modalities="text")
    text = reply.said("output_text")
    need(text, "there is no text")
    tellings = {
        "output_text.done": "".join(event["text"] for event in reply.of("response.output_text.done")),
        "content_part.done": "".join(event["part"]["text"] for event in reply.of("response.content_part.done")),
        "the item": "".join(part["text"] for item in reply.messages for part in item["content"]),
    }
    for item in reply.messages:
        retrieved = await talk.retrieve(item["id"])
        need(retrieved["content"] == item["content"], f"the retrieved item has {shown(retrieved['content'])}")
        kinds = {part["type"] for part in item["content"]}
        need(kinds == {talk.spelling.output_text}, f"the item has parts of type {', '.join(kinds)}")
    for where, told in tellings.items():
        need(told == text, f"the deltas say {shown(text)}, {where} {shown(told)}")


@case("response.transcript-deltas")
async def transcript_deltas(desk: Desk) -> None:
    """The deltas of a transcript add up to that of its done, its part and its item."""
    talk, reply = await greeted(desk)
    text = reply.said("output_audio_transcript")
    need(text, "there is no transcript")
    finished = reply.of("response.output_audio_transcript.done")
    tellings = {
        "output_audio_transcript.done": "".join(event["transcript"] for event in finished),
        "content_part.done": "".join(event["part"]["transcript"] for event in reply.of("response.content_part.done")),
        "the item": "".join(part["transcript"] for item in reply.messages for part in item["content"]),
    }
    for where, told in tellings.items():
        need(told == text, f"the deltas say {shown(text)}, {where} {shown(told)}")
    kinds = {part["type"] for item in reply.messages for part in item["content"]}
    need(kinds == {talk.spelling.output_audio}, f"the item has parts of type {', '.join(kinds)}")


@case("response.audio")
async def audio(desk: Desk) -> None:
    """A spoken answer has a plausible length of audio for its words; a retrieved item that has audio has this."""
    talk, reply = await greeted(desk)
    words = len(reply.said("output_audio_transcript").split())
    seconds = len(reply.audio) / 48_000
    need(0.1 * words <= seconds <= 2 + 2 * words, f"{words} words last {seconds:.1f} s")
    (part,) = (await talk.retrieve(reply.messages[0]["id"]))["content"]
    need(part.get("transcript"), "the retrieved item has no transcript")
    kept = b64decode(part.get("audio") or "")
    need(not kept or kept == reply.audio, f"of {len(reply.audio)} bytes, the retrieved item has {len(kept)} or others")


@case("response.text-only")
async def text_only(desk: Desk) -> None:
    """A written answer has no audio events, and a spoken one no text events."""
    _, written = await greeted(desk, modalities="text")
    foreign = [kind for kind in written.kinds if "output_audio" in kind]
    need(not foreign, f"in a written answer came {', '.join(foreign)}")
    _, spoken = await greeted(desk)
    foreign = [kind for kind in spoken.kinds if "output_text" in kind]
    need(not foreign, f"in a spoken answer came {', '.join(foreign)}")


@case("response.own-settings")
async def own_settings(desk: Desk) -> None:
    """What response.create sets holds for this response alone."""
    talk = await desk.open()
    await talk.create(user_text(GREETING))
    reply = await talk.respond(modalities="text", max_tokens=200, instructions="Be brief.")
    told = talk.spelling.read(reply.created, "modalities"), talk.spelling.read(reply.created, "max_tokens")
    need(told == ("text", 200), f"the response shows {shown(told)}")
    need(not reply.audio, "the response has audio")
    before = talk.session
    await talk.update()
    need(talk.setting("modalities") == "audio", "the session's modalities have changed")
    need(talk.setting("max_tokens") == "inf", "the session's limit of tokens has changed")
    need(talk.setting("instructions") == talk.spelling.read(before, "instructions"), "the instructions have changed")


@case("response.output-format")
async def output_format(desk: Desk) -> None:
    """A response can have an output format of its own: G.711 has a sixth of the bytes of PCM."""
    talk = await desk.open()
    await talk.create(user_text(GREETING))
    reply = await talk.respond(output_format="ulaw")
    need(talk.spelling.read(reply.created, "output_format") == "ulaw", "the response does not show u-law")
    words = len(reply.said("output_audio_transcript").split())
    seconds = len(reply.audio) / 8000
    need(0.1 * words <= seconds <= 2 + 2 * words, f"at 8 bytes a millisecond, {words} words last {seconds:.1f} s")


@case("response.metadata")
async def metadata(desk: Desk) -> None:
    """Metadata comes back in response.created and response.done as it was given."""
    talk = await desk.open(modalities="text")
    await talk.create(user_text(GREETING))
    given = {"client_event_id": "check", "k" * 64: "v" * 512, "empty": ""}
    reply = await talk.respond(metadata=given)
    need(reply.created["metadata"] == given, f"response.created has {shown(reply.created['metadata'])}")
    need(reply.done["metadata"] == given, f"response.done has {shown(reply.done['metadata'])}")


@case("response.metadata-limits")
async def metadata_limits(desk: Desk) -> None:
    """Metadata has at most 16 keys of 64 characters with values of 512, which are texts."""
    talk = await desk.open(modalities="text")
    await talk.create(user_text(GREETING))
    wrong: list[dict[str, Any]] = [{f"k{n}": "v" for n in range(17)}, {"k" * 65: "v"}, {"k": "v" * 513}]
    for given in wrong:
        await talk.refused("response.create", response={"metadata": given}, code="invalid_value")
    await talk.refused("response.create", response={"metadata": {"k": 1}}, code="invalid_type")


@case("response.nulls")
async def nulls(desk: Desk) -> None:
    """Null in a response.create means that a setting is not set."""
    talk = await desk.open(modalities="text")
    await talk.create(user_text(GREETING))
    await talk.send("response.create", response={"instructions": None, "metadata": None})
    reply = await talk.reply()
    need(reply.status == "completed", f"the response ended as {reply.ending}")


@case("response.empty")
async def empty(desk: Desk) -> None:
    """A response.create needs no response, and an empty one will do."""
    talk = await desk.open(modalities="text")
    await talk.create(user_text(GREETING))
    await talk.send("response.create", response={})
    need((await talk.reply()).status == "completed", "with an empty response it did not complete")
    need((await talk.respond()).status == "completed", "without a response it did not complete")


@case("response.unknown-field")
async def unknown_field(desk: Desk) -> None:
    """A field that response.create does not have is unknown_parameter with its path."""
    talk = await desk.open()
    await talk.refused(
        "response.create", response={"nonsense": 1}, code="unknown_parameter", param="response.nonsense",
        says="Unknown parameter: 'response.nonsense'",
    )  # fmt: skip


@case("response.wrong-values")
async def wrong_values(desk: Desk) -> None:
    """A wrong value in a response.create is invalid_value or invalid_type with its path, and nothing is answered."""
    talk = await desk.open()
    for settings, code in (
        ({"voice": "nonsense"}, "invalid_value"),
        ({"tool_choice": "sometimes"}, "invalid_value"),
        ({"max_tokens": 0}, "invalid_value"),
        ({"instructions": 5}, "invalid_type"),
        ({"tools": 5}, "invalid_type"),
    ):
        (name,) = settings
        path = talk.spelling.path(name, "response")
        await talk.refused("response.create", response=talk.spelling.response(settings), code=code, param=path)
    came = await talk.quiet(0.3)
    need(not came, f"afterwards came {', '.join(came)}")


@case("response.collision")
async def collision(desk: Desk) -> None:
    """A second response while one is under way is conversation_already_has_active_response, and the first goes on."""
    talk, event = await answering(desk)
    response: Any = event["response"]
    mark = talk.mark
    event_id = await talk.ask()
    came = await talk.settle()
    errors = [heard["error"] for heard in talk.heard[mark:] if heard["type"] == "error"]
    skip_unless(errors or "response.done" not in came, "the first response was over too soon")
    need(errors, f"the second was not refused; there came {', '.join(sorted(set(came))) or 'nothing'}")
    need(errors[0]["code"] == "conversation_already_has_active_response", f"the code is {errors[0]['code']}")
    says = "Conversation already has an active response in progress: "
    need(errors[0]["message"].startswith(says + response["id"]), f"the message is {errors[0]['message']!r}")
    need(errors[0]["event_id"] == event_id, f"the error names the event {errors[0]['event_id']!r}")
    done = [heard for heard in talk.heard[mark:] if talk.kind(heard) == "response.done"]
    ended = done[0] if done else await talk.until("response.done")
    need(ended["response"]["status"] == "completed", f"the first ended as {ended['response']['status']}")


@case("response.appended")
async def appended(desk: Desk) -> None:
    """An answer enters the conversation after its last item, under the id that the response's events name."""
    talk = await desk.open(modalities="text")
    asked = await talk.create(user_text(GREETING))
    reply = await talk.respond()
    added = [event for event in reply.events if talk.kind(event) == "conversation.item.added"]
    need(added[0].get("previous_item_id") == asked["item"]["id"], f"it follows {added[0].get('previous_item_id')}")
    need(added[0]["item"]["id"] == reply.done["output"][0]["id"], "it has another id in the conversation")
    nxt = await talk.create(user_text("Thanks."))
    last = reply.done["output"][-1]["id"]
    need(nxt["previous_item_id"] == last, f"the next item follows {nxt['previous_item_id']}, not the answer")


@case("response.in-progress-item")
async def in_progress_item(desk: Desk) -> None:
    """An item of a response begins in progress and empty, in the response and in the conversation alike."""
    talk, reply = await greeted(desk)
    added = reply.of("response.output_item.added")[0]["item"]
    entered = next(event["item"] for event in reply.events if talk.kind(event) == "conversation.item.added")
    need(added == entered, f"the response shows {shown(added)}, the conversation {shown(entered)}")
    need(added["status"] == "in_progress" and added["content"] == [], f"it is {shown(added)}")
    need(added["role"] == "assistant", f"its role is {added['role']}")


@case("response.max-tokens")
async def max_tokens(desk: Desk) -> None:
    """An answer that reaches its limit of tokens is incomplete for max_output_tokens, with what was said."""
    talk = await desk.open(modalities="text")
    await talk.create(user_text(LONG))
    reply = await talk.respond(max_tokens=16)
    skip_unless(reply.status != "completed", "the answer was shorter than the limit")
    need(reply.status == "incomplete", f"the response ended as {reply.ending}")
    details = reply.done["status_details"]
    need(details["type"] == "incomplete", f"the details are {shown(details)}")
    need(details["reason"] == "max_output_tokens", f"the reason is {details['reason']}")
    need(reply.done["usage"]["output_tokens"] <= 32, f"it took {reply.done['usage']['output_tokens']} tokens")
    for item in reply.done["output"]:
        need(item["status"] == "incomplete", f"the item is {item['status']}")


@case("response.usage")
async def usage(desk: Desk) -> None:
    """A done response has usage, with text tokens for a written answer, and the history counts as input again."""
    talk, first = await greeted(desk, modalities="text")
    used = first.done["usage"]
    need(used["output_token_details"]["text_tokens"] > 0, f"no text was counted: {shown(used)}")
    need(used["output_token_details"]["audio_tokens"] == 0, f"audio was counted: {shown(used)}")
    need(used["input_tokens"] > 0, f"no input was counted: {shown(used)}")
    second = await talk.respond()
    again = second.done["usage"]["input_tokens"]
    need(again > used["input_tokens"], f"input was {used['input_tokens']} tokens and then {again}")


@case("response.audio-usage")
async def audio_usage(desk: Desk) -> None:
    """A spoken answer counts audio tokens, and so does what the user spoke, some ten a second."""
    talk = await desk.open(turn_detection=None)
    said = utterance(before_ms=0, after_ms=0)
    await talk.append(said.audio)
    await talk.send("input_audio_buffer.commit")
    reply = await talk.respond()
    used = reply.done["usage"]
    need(used["output_token_details"]["audio_tokens"] > 0, f"no output audio was counted: {shown(used)}")
    heard = used["input_token_details"]["audio_tokens"]
    expected = said.duration_ms / 100
    need(0.5 * expected <= heard <= 3 * expected, f"{said.duration_ms} ms of speech were counted as {heard} tokens")


@case("response.parallel-tool-calls", GA)
async def parallel_tool_calls(desk: Desk) -> None:
    """parallel_tool_calls is true or false, and anything else is invalid_type."""
    talk = await desk.open()
    await talk.refused(
        "response.create", response={"parallel_tool_calls": "yes"}, code="invalid_type",
        param="response.parallel_tool_calls",
    )  # fmt: skip
