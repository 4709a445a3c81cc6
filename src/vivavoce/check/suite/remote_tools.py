"""Tools of remote MCP servers, as far as they can be asked about without one: a server that cannot be reached."""

from __future__ import annotations

from typing import Any

from ..cases import GA, Desk, case, skip_unless
from ..spelling import user_text
from ..talk import Talk
from ..verdict import Broken, need, shown
from .asking import GREETING

_NOWHERE = {
    "type": "mcp",
    "server_label": "check",
    "server_url": "https://mcp.invalid/mcp",
    "require_approval": "never",
}
"""A server whose name will never be given to anybody (RFC 6761)."""


async def _with_tools(desk: Desk, tool: dict[str, Any]) -> Talk:
    """Open a conversation with a remote tool; skips where the server has none."""
    talk = await desk.open(modalities="text")
    try:
        await talk.update(tools=[tool])
    except Broken as refused:
        skip_unless(False, f"the server refuses remote tools ({refused})")
    return talk


@case("mcp.unreachable", GA)
async def unreachable(desk: Desk) -> None:
    """The list of a remote server's tools is an item: added, in progress, failed where it cannot be had, and done."""
    talk = await _with_tools(desk, _NOWHERE)
    mark = talk.mark
    added = await talk.until("conversation.item.added")
    item = added["item"]
    need(item["type"] == "mcp_list_tools", f"the item is {shown(item)}")
    need(item["server_label"] == "check" and item["tools"] == [], f"the item is {shown(item)}")
    await talk.until("mcp_list_tools.failed", item_id=item["id"])
    done = await talk.until("conversation.item.done")
    need(done["item"]["id"] == item["id"], "another item was done")
    expected = ["conversation.item.added", "mcp_list_tools.in_progress", "mcp_list_tools.failed"]
    expected.append("conversation.item.done")
    came = talk.kinds(mark)
    need(came == expected, f"in order came {', '.join(came)}")


@case("mcp.fails-quietly", GA, inferred=True)
async def fails_quietly(desk: Desk) -> None:
    """Tools that cannot be had are no error event: some clients have none to spare, and did nothing wrong."""
    talk = await _with_tools(desk, _NOWHERE)
    await talk.until("mcp_list_tools.failed")
    await talk.until("conversation.item.done")
    need("error" not in await talk.settle(), "an error event came")


@case("mcp.goes-on", GA)
async def goes_on(desk: Desk) -> None:
    """A conversation whose remote tools cannot be had is answered without them."""
    talk = await _with_tools(desk, _NOWHERE)
    await talk.until("mcp_list_tools.failed")
    await talk.settle()
    await talk.create(user_text(GREETING))
    await talk.ask()
    event = await talk.hear()
    while talk.kind(event) != "response.done":
        # The tools may be asked for again, and an error may tell why they cannot be had.
        event = await talk.hear()
    need(event["response"]["status"] == "completed", f"the response ended as {event['response']['status']}")


@case("mcp.secrets-hidden", GA, inferred=True)
async def secrets_hidden(desk: Desk) -> None:
    """A session shows its remote tools without their keys."""
    talk = await _with_tools(desk, {**_NOWHERE, "authorization": "secret-one", "headers": {"X-Key": "secret-two"}})
    (tool,) = talk.setting("tools")
    need(tool["server_label"] == "check" and tool["server_url"] == _NOWHERE["server_url"], f"it shows {shown(tool)}")
    need("secret-" not in str(tool), "it shows a key")


@case("mcp.missing-label", GA)
async def missing_label(desk: Desk) -> None:
    """A remote tool without server_label is missing_required_parameter."""
    talk = await desk.open()
    tool = {key: value for key, value in _NOWHERE.items() if key != "server_label"}
    session = talk.spelling.session({"tools": [tool]})
    await talk.refused("session.update", session=session, code="missing_required_parameter",
                       param="session.tools[0].server_label")  # fmt: skip


@case("mcp.unknown-request", GA)
async def unknown_request(desk: Desk) -> None:
    """An approval of a call that nobody asked approval for is an error, and does not enter the conversation."""
    talk = await desk.open()
    item = {"type": "mcp_approval_response", "id": "approved", "approval_request_id": "mcpr_nowhere", "approve": True}
    await talk.refused("conversation.item.create", item=item)
    need(not await talk.holds("approved"), "it is in the conversation")
