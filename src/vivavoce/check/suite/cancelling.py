"""Ending a response early, and what is left of it."""

from __future__ import annotations

from typing import Any

from ..cases import Desk, case, skip_unless
from ..spelling import user_text
from ..talk import Reply, Talk
from ..verdict import need, shown
from .asking import GREETING, answering


async def _cancelled(desk: Desk, **fields: Any) -> tuple[Talk, Reply]:
    """Begin a long spoken answer, cancel it, and return how it ended; skips where it was over before."""
    talk, created = await answering(desk)
    event: Any = created
    if fields.pop("by_id", False):
        fields["response_id"] = event["response"]["id"]
    await talk.send("response.cancel", **fields)
    while True:
        heard = await talk.hear()
        skip_unless(heard["type"] != "error", "the answer was over too soon")
        if talk.kind(heard) == "response.done":
            break
    skip_unless(heard["response"]["status"] != "completed", "the answer was over too soon")
    events = talk.heard[talk.heard.index(event) :]
    return talk, Reply(event["response"], heard["response"], events, [talk.kind(each) for each in events])


@case("cancel.order")
async def order(desk: Desk) -> None:
    """A cancelled response ends all that it began, with what was said so far, and is cancelled by client_cancelled."""
    talk, reply = await _cancelled(desk)
    need(reply.status == "cancelled", f"its status is {reply.ending}")
    details = reply.done["status_details"]
    need(details["type"] == "cancelled", f"its details are {shown(details)}")
    need(details["reason"] == "client_cancelled", f"the reason is {details['reason']}")
    for begun, ended in (
        ("response.output_item.added", "response.output_item.done"),
        ("response.content_part.added", "response.content_part.done"),
        ("conversation.item.added", "conversation.item.added" if desk.is_beta else "conversation.item.done"),
    ):
        counts = reply.kinds.count(begun), reply.kinds.count(ended)
        need(counts[0] == counts[1], f"{counts[0]} times {begun}, {counts[1]} times {ended}")
    came = await talk.settle()
    need(not came, f"after its end came {', '.join(came)}")


@case("cancel.partial-item")
async def partial_item(desk: Desk) -> None:
    """The item of a cancelled response is incomplete and keeps what was told of it."""
    talk, reply = await _cancelled(desk)
    (item,) = reply.done["output"]
    need(item["status"] == "incomplete", f"its status is {item['status']}")
    text = reply.said("output_audio_transcript")
    told = "".join(part["transcript"] for part in item["content"])
    need(told == text, f"the deltas say {shown(text)}, the item {shown(told)}")
    need((await talk.retrieve(item["id"]))["status"] == "incomplete", "retrieved, it is not incomplete")


@case("cancel.by-id")
async def by_id(desk: Desk) -> None:
    """A response can be cancelled by its id."""
    _, reply = await _cancelled(desk, by_id=True)
    need(reply.status == "cancelled", f"its status is {reply.ending}")


@case("cancel.usage")
async def usage(desk: Desk) -> None:
    """A cancelled response has usage for what was made of it."""
    _, reply = await _cancelled(desk)
    used = reply.done["usage"]
    need(used is not None and used["input_tokens"] > 0, f"its usage is {shown(used)}")


@case("cancel.nothing")
async def nothing(desk: Desk) -> None:
    """Cancelling where no response is under way is response_cancel_not_active."""
    talk = await desk.open()
    await talk.refused("response.cancel", code="response_cancel_not_active", says="Cancellation failed")


@case("cancel.unknown-id")
async def unknown_id(desk: Desk) -> None:
    """Cancelling a response that does not exist is an error."""
    talk = await desk.open()
    await talk.refused("response.cancel", response_id="resp_nowhere", says="Cancellation failed")


@case("cancel.done-response")
async def done_response(desk: Desk) -> None:
    """Cancelling a response that is over is response_cancel_not_active, and changes nothing of it."""
    talk = await desk.open(modalities="text")
    await talk.create(user_text(GREETING))
    reply = await talk.respond()
    await talk.refused("response.cancel", response_id=reply.id, says="Cancellation failed")
    await talk.refused("response.cancel", code="response_cancel_not_active", says="Cancellation failed")
    need((await talk.retrieve(reply.done["output"][0]["id"]))["status"] == "completed", "its item is not completed")


@case("cancel.then-ask")
async def then_ask(desk: Desk) -> None:
    """A new response can be asked for as soon as the cancelled one is done."""
    talk, _ = await _cancelled(desk)
    await talk.create(user_text(GREETING))
    reply = await talk.respond(modalities="text")
    need(reply.status == "completed", f"it ended as {reply.ending}")


@case("cancel.out-of-band")
async def out_of_band(desk: Desk) -> None:
    """A response out of the conversation is cancelled by its id alone, and not without it."""
    talk, created = await answering(desk)
    within: Any = created["response"]
    await talk.ask(conversation="none")
    beside = (await talk.until("response.created"))["response"]
    await talk.send("response.cancel", response_id=beside["id"])
    ended: dict[str, str] = {}
    while len(ended) < 2:
        event = await talk.hear()
        skip_unless(event["type"] != "error", "the answer was over too soon")
        if talk.kind(event) == "response.done":
            ended[event["response"]["id"]] = event["response"]["status"]
    skip_unless(ended[beside["id"]] != "completed", "the answer was over too soon")
    need(ended[beside["id"]] == "cancelled", f"it ended as {ended[beside['id']]}")
    need(ended[within["id"]] == "completed", f"the one within the conversation ended as {ended[within['id']]}")
