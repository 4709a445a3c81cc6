"""Responses out of the conversation, and those with input of their own."""

from __future__ import annotations

from typing import Any

from ..cases import Desk, case, skip_unless
from ..spelling import user_text
from ..talk import Reply, Talk
from ..verdict import need, shown
from .asking import GREETING, answering, greeted, squeezed


async def _alone(talk: Talk, **settings: Any) -> Reply:
    """Ask for a written answer that stays out of the conversation."""
    return await talk.respond(conversation="none", modalities="text", **settings)


@case("response.out-of-band")
async def out_of_band(desk: Desk) -> None:
    """A response with conversation `none` adds nothing to the conversation and names none."""
    talk = await desk.open()
    await talk.create(user_text(GREETING))
    reply = await _alone(talk, metadata={"topic": "check"})
    entered = [kind for kind in reply.kinds if kind.startswith("conversation.item.")]
    need(not entered, f"there came {', '.join(entered)}")
    need(reply.created.get("conversation_id") is None, f"it names {reply.created.get('conversation_id')}")
    need(reply.done["metadata"] == {"topic": "check"}, f"its metadata is {shown(reply.done['metadata'])}")
    for item in reply.done["output"]:
        need(not await talk.holds(item["id"]), f"its item {item['id']} is in the conversation")
    nxt = await talk.create(user_text("Thanks."))
    need(nxt["previous_item_id"] != reply.done["output"][0]["id"], "the next item follows its item")


@case("response.in-band-names-conversation")
async def in_band(desk: Desk) -> None:
    """A response within the conversation names it."""
    _, reply = await greeted(desk, modalities="text")
    need(reply.created.get("conversation_id"), "it names no conversation")


@case("response.out-of-band-order")
async def out_of_band_order(desk: Desk) -> None:
    """A response out of the conversation has all events of its own in their order."""
    talk = await desk.open()
    await talk.create(user_text(GREETING))
    reply = await _alone(talk)
    skip_unless(len(reply.done["output"]) == 1, f"the answer has {len(reply.done['output'])} items")
    expected = ["response.created", "response.output_item.added", "response.content_part.added"]
    expected += ["response.output_text.delta", "response.output_text.done", "response.content_part.done"]
    expected += ["response.output_item.done", "response.done"]
    came = squeezed(reply.kinds)
    need(came == expected, f"in order came {', '.join(came)}")


@case("response.out-of-band-parallel")
async def out_of_band_parallel(desk: Desk) -> None:
    """A response out of the conversation runs beside the one within it."""
    talk, first = await answering(desk)
    await talk.ask(conversation="none", modalities="text")
    second = await talk.until("response.created")
    while len(talk.endings) < 2:
        await talk.until("response.done")
    response: Any = first["response"]
    ended = {response["id"]: "completed", second["response"]["id"]: "completed"}
    need(talk.endings == ended, f"responses ended as {', '.join(talk.endings.values())}")


@case("response.input")
async def input_items(desk: Desk) -> None:
    """Input of its own replaces the conversation for a response, and does not enter it."""
    talk = await desk.open()
    item = user_text(GREETING, id="given_to_one")
    reply = await _alone(talk, input=[item])
    need(reply.status == "completed", f"the response ended as {reply.ending}")
    need(not await talk.holds("given_to_one"), "the input is in the conversation")


@case("response.input-in-band")
async def input_in_band(desk: Desk) -> None:
    """With input of its own and the conversation `auto` the answer enters the conversation, the input does not."""
    talk = await desk.open(modalities="text")
    reply = await talk.respond(input=[user_text(GREETING, id="given_to_one")])
    entered = [event["item"]["id"] for event in reply.events if talk.kind(event) == "conversation.item.added"]
    need(entered == [item["id"] for item in reply.done["output"]], f"there entered {', '.join(entered)}")
    need(not await talk.holds("given_to_one"), "the input is in the conversation")


@case("response.input-reference")
async def input_reference(desk: Desk) -> None:
    """Input may refer to items of the conversation by id."""
    talk = await desk.open()
    added = await talk.create(user_text(GREETING))
    reference = {"type": "item_reference", "id": added["item"]["id"]}
    reply = await _alone(talk, input=[reference, user_text("And to me.")])
    need(reply.status == "completed", f"the response ended as {reply.ending}")


@case("response.input-unknown-reference")
async def input_unknown_reference(desk: Desk) -> None:
    """Input that refers to an item that does not exist is an error, and nothing is answered."""
    talk = await desk.open()
    response = {"conversation": "none", "input": [{"type": "item_reference", "id": "item_nowhere"}]}
    await talk.refused("response.create", response=response)


@case("response.input-empty")
async def input_empty(desk: Desk) -> None:
    """Empty input is an empty context, which can be answered by the instructions alone."""
    talk = await desk.open()
    reply = await _alone(talk, input=[], instructions=GREETING)
    need(reply.status == "completed", f"the response ended as {reply.ending}")


@case("response.input-invalid")
async def input_invalid(desk: Desk) -> None:
    """A mistake in the input is told with its path."""
    talk = await desk.open()
    response = {"conversation": "none", "input": [{"type": "nonsense"}]}
    await talk.refused("response.create", response=response, code="invalid_value", param="response.input[0].type")
