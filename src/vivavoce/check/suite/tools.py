"""Function calls.  Where a model calls none although it must, a case is skipped: that is the model's doing."""

from __future__ import annotations

from typing import Any

import msgspec

from ..cases import GA, Desk, case, skip_unless
from ..spelling import function, user_text
from ..talk import Reply, Talk
from ..verdict import need, shown
from .asking import GREETING, squeezed

_WEATHER = function("get_weather", city="The city whose weather is wanted.")
_TIMER = function("set_timer", minutes="How many minutes.")
_QUESTION = "What is the weather like in Paris?"


async def _called(desk: Desk, **settings: Any) -> tuple[Talk, Reply]:
    """Ask what needs the function, with one that must be called; skips where the model calls none."""
    talk = await desk.open(**{"modalities": "text", "tools": [_WEATHER], "tool_choice": "required", **settings})
    await talk.create(user_text(_QUESTION))
    reply = await talk.respond()
    skip_unless(reply.calls, "the model called no function although tool_choice was `required`")
    return talk, reply


def _output(reply: Reply, **fields: Any) -> dict[str, Any]:
    return {"type": "function_call_output", "call_id": reply.calls[0]["call_id"], "output": '{"sky":"clear"}', **fields}


@case("tool.order")
async def order(desk: Desk) -> None:
    """A function call comes as one item: added, its arguments in deltas, their done, the item's done."""
    talk, reply = await _called(desk)
    skip_unless(len(reply.done["output"]) == 1, f"the answer has {len(reply.done['output'])} items")
    expected = ["response.created", "response.output_item.added", "conversation.item.added"]
    expected += ["response.function_call_arguments.delta", "response.function_call_arguments.done"]
    expected += ["response.output_item.done"]
    expected += ["response.done"] if talk.spelling.is_beta else ["conversation.item.done", "response.done"]
    came = squeezed(reply.kinds)
    without = [kind for kind in expected if not kind.endswith("arguments.delta")]
    need(came in (expected, without), f"in order came {', '.join(came)}")


@case("tool.added-item")
async def added_item(desk: Desk) -> None:
    """A call's item begins with its name and call_id and with empty arguments, in response and conversation alike."""
    talk, reply = await _called(desk)
    call = reply.calls[0]
    added = next(event["item"] for event in reply.of("response.output_item.added") if event["item"]["id"] == call["id"])
    need(added["name"] == "get_weather", f"its name is {added['name']!r}")
    need(added["call_id"] == call["call_id"] and added["call_id"], f"its call_id is {added['call_id']!r}")
    need(added["arguments"] == "", f"its arguments are {added['arguments']!r}")
    entered = [event["item"] for event in reply.events if talk.kind(event) == "conversation.item.added"]
    need(added in entered, f"the conversation was told of {shown(entered)}")


@case("tool.arguments")
async def arguments(desk: Desk) -> None:
    """The deltas of a call's arguments add up to those of its done and its item, which are a JSON object."""
    _, reply = await _called(desk)
    call = reply.calls[0]
    deltas = [event for event in reply.of("response.function_call_arguments.delta") if event["item_id"] == call["id"]]
    (done,) = (event for event in reply.of("response.function_call_arguments.done") if event["item_id"] == call["id"])
    text = "".join(event["delta"] for event in deltas)
    need(not deltas or text == done["arguments"], f"the deltas are {text!r}, the done {done['arguments']!r}")
    need(call["arguments"] == done["arguments"], f"the item has {call['arguments']!r}, the done {done['arguments']!r}")
    need({event["call_id"] for event in (*deltas, done)} == {call["call_id"]}, "they name another call_id")
    try:
        value = msgspec.json.decode(done["arguments"])
    except msgspec.DecodeError:
        value = None
    need(isinstance(value, dict), f"the arguments are {done['arguments']!r}")
    need("city" in (value or {}), f"the arguments lack the city: {done['arguments']}")


@case("tool.name-in-done", GA)
async def name_in_done(desk: Desk) -> None:
    """In GA the done of the arguments carries the function's name."""
    _, reply = await _called(desk)
    names = [event["name"] for event in reply.of("response.function_call_arguments.done")]
    need(set(names) == {"get_weather"}, f"it carries {', '.join(names)}")


@case("tool.retrieved-call")
async def retrieved_call(desk: Desk) -> None:
    """A call stays in the conversation with its name, call_id and arguments."""
    talk, reply = await _called(desk)
    retrieved = await talk.retrieve(reply.calls[0]["id"])
    need(retrieved == reply.calls[0], f"retrieved, it is {shown(retrieved)}")


@case("tool.output-waits")
async def output_waits(desk: Desk) -> None:
    """After a call's output the server adds it to the conversation and waits to be asked."""
    talk, reply = await _called(desk)
    added = await talk.create(_output(reply))
    need(added["item"]["output"] == '{"sky":"clear"}', f"the output is {shown(added['item'])}")
    came = await talk.quiet(1.0)
    need(not came, f"afterwards came {', '.join(came)}")


@case("tool.follow-up")
async def follow_up(desk: Desk) -> None:
    """Once a call's output is there, a response can speak of it."""
    talk, reply = await _called(desk)
    await talk.create(_output(reply))
    answer = await talk.respond(tool_choice="none")
    need(answer.status == "completed", f"the response ended as {answer.ending}")
    need(answer.messages and not answer.calls, f"its output is {shown(answer.done['output'])}")


@case("tool.early-follow-up")
async def early_follow_up(desk: Desk) -> None:
    """A client may send output and response.create as soon as the call's item is done, before response.done."""
    talk = await desk.open(modalities="text", tools=[_WEATHER], tool_choice="required")
    await talk.create(user_text(_QUESTION))
    await talk.ask()
    while True:
        event = await talk.hear()
        skip_unless(talk.kind(event) != "response.done", "the model called no function")
        if talk.kind(event) == "response.output_item.done" and event["item"]["type"] == "function_call":
            break
    output = {"type": "function_call_output", "call_id": event["item"]["call_id"], "output": "clear"}
    await talk.send("conversation.item.create", item=output)
    await talk.ask(tool_choice="none")
    reply = await talk.reply()
    need(reply.status == "completed", f"the response ended as {reply.ending}")


@case("tool.named")
async def named(desk: Desk) -> None:
    """tool_choice can name the function that must be called."""
    choice = {"type": "function", "name": "set_timer"}
    _, reply = await _called(desk, tools=[_WEATHER, _TIMER], tool_choice=choice)
    names = {call["name"] for call in reply.calls}
    need(names == {"set_timer"}, f"it called {', '.join(sorted(names))}")


@case("tool.none")
async def none(desk: Desk) -> None:
    """With tool_choice `none` no function is called."""
    talk = await desk.open(modalities="text", tools=[_WEATHER], tool_choice="none")
    await talk.create(user_text(_QUESTION))
    reply = await talk.respond()
    need(not reply.calls, f"it called {shown(reply.calls)}")


@case("tool.of-response")
async def of_response(desk: Desk) -> None:
    """Tools of a response replace the session's for that response alone."""
    talk = await desk.open(modalities="text", tools=[_TIMER])
    await talk.create(user_text(_QUESTION))
    reply = await talk.respond(tools=[_WEATHER], tool_choice="required")
    skip_unless(reply.calls, "the model called no function although tool_choice was `required`")
    need(reply.calls[0]["name"] == "get_weather", f"it called {reply.calls[0]['name']}")
    await talk.update()
    need([tool["name"] for tool in talk.setting("tools")] == ["set_timer"], "the session's tools have changed")


@case("tool.out-of-band")
async def out_of_band(desk: Desk) -> None:
    """A call in a response out of the conversation does not enter the conversation."""
    talk = await desk.open(modalities="text", tools=[_WEATHER])
    await talk.create(user_text(_QUESTION))
    reply = await talk.respond(conversation="none", tool_choice="required")
    skip_unless(reply.calls, "the model called no function although tool_choice was `required`")
    need(not await talk.holds(reply.calls[0]["id"]), "the call is in the conversation")


@case("tool.own-call-ids")
async def own_call_ids(desk: Desk) -> None:
    """Every call has a call_id of its own."""
    talk, reply = await _called(desk)
    await talk.create(_output(reply))
    await talk.create(user_text("And in Rome?"))
    second = await talk.respond()
    skip_unless(second.calls, "the model called no function although tool_choice was `required`")
    need(second.calls[0]["call_id"] != reply.calls[0]["call_id"], "two calls have one call_id")


@case("tool.not-needed")
async def not_needed(desk: Desk) -> None:
    """With tools and tool_choice `auto` an answer that needs none completes as without them."""
    talk = await desk.open(modalities="text", tools=[_WEATHER])
    await talk.create(user_text(GREETING))
    reply = await talk.respond()
    need(reply.status == "completed", f"the response ended as {reply.ending}")
