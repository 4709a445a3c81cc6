"""Clients that ask for an answer that they had within the response that called remote tools."""

from __future__ import annotations

from typing import Any

import pytest

from playbook import Playbook, function
from vivavoce.core import reports as rp
from vivavoce.core.follow_ups import LATEST_SECONDS
from vivavoce.core.items import McpTool
from vivavoce.core.service import Abilities, Service

SHOP = {
    "type": "mcp", "server_label": "shop", "server_url": "https://shop.example/mcp", "require_approval": "never",
}  # fmt: skip
ANSWER = "Answer resp_2"
EMPTY = ["response.created resp_2 in_progress", "response.done resp_2 completed"]


def told(*said: str) -> Playbook:
    """A session in which a response has called a remote tool, and then said something."""
    play = Playbook(service=Service(Abilities(calls_mcp=True)))
    play.update(tools=[SHOP, function("cook")])
    play.report(rp.ToolsListed("item_1", (McpTool("look"),)))
    play.client("response.create")
    for report in (rp.Called("resp_1", "look"), rp.Answered("resp_1"), rp.ToolReturned("item_2", "two left")):
        play.report(report)
    for text in said:
        play.report(rp.Said("resp_1", text))
    assert "response.done resp_1 completed" in play.report(rp.Answered("resp_1"))
    return play


@pytest.mark.parametrize("asked", [{}, {"response": {}}, {"response": {"conversation": "auto"}}])
def test_who_asks_for_what_was_told_gets_a_response_with_nothing_in_it_once(asked: dict[str, Any]) -> None:
    play = told("There are two left.")
    assert play.client("response.create", **asked) == EMPTY
    created, done = play.messages()
    assert (created["response"]["status"], done["response"]["output"]) == ("in_progress", [])
    assert done["response"]["usage"]["total_tokens"] == 0
    assert "Answer resp_3" in play.client("response.create")


def test_who_asks_for_something_else_is_answered() -> None:
    for asked in (
        {"instructions": "In French."},
        {"conversation": "none"},
        {"input": [{"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hi"}]}]},
    ):
        assert ANSWER in told("Two.").client("response.create", response=asked)


def test_who_says_something_is_answered() -> None:
    play = told("Two.")
    content = [{"type": "input_text", "text": "And pears?"}]
    play.client("conversation.item.create", item={"type": "message", "role": "user", "content": content})
    assert ANSWER in play.client("response.create")
    play = told("Two.")
    play.client("conversation.item.delete", item_id=play.ids[-1])
    assert ANSWER in play.client("response.create")


def test_who_asks_later_is_answered() -> None:
    play = told("Two.")
    play.now += LATEST_SECONDS
    assert play.client("response.create") == EMPTY
    play = told("Two.")
    play.now += LATEST_SECONDS + 0.1
    assert ANSWER in play.client("response.create")


def test_who_was_told_nothing_is_answered() -> None:
    assert ANSWER in told().client("response.create")


def test_a_response_that_called_nothing_remote_may_be_followed_by_another() -> None:
    play = Playbook()
    play.client("response.create")
    play.report(rp.Said("resp_1", "Yes."))
    play.report(rp.Answered("resp_1"))
    assert ANSWER in play.client("response.create")
    play.report(rp.Said("resp_2", "Yes."))
    play.report(rp.Called("resp_2", "cook", "call_1"))
    play.report(rp.Answered("resp_2"))
    assert "Answer resp_3" in play.client("response.create")


def test_a_turn_of_the_user_is_always_answered() -> None:
    play = told("Two.")
    play.speak()
    play.stop_speaking()
    item_id = play.ids[-1]
    assert ANSWER in play.report(rp.Transcribed(item_id, "And pears?"))
