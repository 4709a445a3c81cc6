"""How remote servers and their items are spelled."""

from __future__ import annotations

from typing import Any

import pytest

from vivavoce.core.errors import ProtocolError
from vivavoce.core.items import McpApprovalResponse, McpCall, McpFault, McpListTools, McpTool
from vivavoce.core.settings import McpServer, ToolFilter
from vivavoce.dialects import common, mcp

SHOP = {"type": "mcp", "server_label": "shop", "server_url": "https://shop.example/mcp"}


def refused(value: Any, path: str = "tools") -> tuple[str, str | None]:
    with pytest.raises(ProtocolError) as caught:
        common.tools(value, path)
    return caught.value.code, caught.value.param


def test_a_server_is_read_with_all_it_may_have_and_shown_without_its_secrets() -> None:
    given = SHOP | {
        "authorization": "geheim", "headers": {"x-team": "geheim"}, "server_description": "Sells things.",
        "allowed_tools": {"tool_names": ["look"], "read_only": True}, "defer_loading": True,
        "allowed_callers": ["direct"],
        "require_approval": {"always": {"tool_names": ["buy"]}, "never": {"read_only": True}},
    }  # fmt: skip
    (server,) = common.tools([given], "tools")
    assert server == McpServer(
        "shop",
        "https://shop.example/mcp",
        "Sells things.",
        "geheim",
        {"x-team": "geheim"},
        ToolFilter(("look",), True),
        ToolFilter(("buy",)),
        ToolFilter(None, True),
    )
    assert mcp.render_server(server) == SHOP | {
        "server_description": "Sells things.", "allowed_tools": {"tool_names": ["look"], "read_only": True},
        "require_approval": {"always": {"tool_names": ["buy"]}, "never": {"read_only": True}},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("given", "always", "never", "shown"),
    [
        (None, None, None, "always"),
        ("always", None, None, "always"),
        ("never", None, ToolFilter(), "never"),
        ({}, None, None, "always"),
        ({"never": {}}, None, None, "always"),
        ({"never": ["look"]}, None, ToolFilter(("look",)), {"never": {"tool_names": ["look"]}}),
    ],
)
def test_approval_is_needed_unless_it_is_clearly_not(given: Any, always: Any, never: Any, shown: Any) -> None:
    (server,) = common.tools([SHOP | {"require_approval": given}], "tools")
    assert (server.always_ask, server.never_ask) == (always, never)
    assert mcp.render_server(server)["require_approval"] == shown


def test_a_server_may_leave_everything_out_but_its_label_and_address() -> None:
    nulls = dict.fromkeys(("authorization", "headers", "allowed_tools", "require_approval", "connector_id"))
    assert common.tools([SHOP | nulls], "tools") == (McpServer("shop", "https://shop.example/mcp"),)


@pytest.mark.parametrize(
    ("fields", "code", "param"),
    [
        ({"server_url": "ftp://shop.example"}, "invalid_value", "server_url"),
        ({"server_url": "shop.example"}, "invalid_value", "server_url"),
        ({"server_url": "https://"}, "invalid_value", "server_url"),
        ({"server_url": "https://shop.example:0"}, "invalid_value", "server_url"),
        ({"server_url": "https://shop.example:99999"}, "invalid_value", "server_url"),
        ({"server_url": "https://me:geheim@shop.example"}, "invalid_value", "server_url"),
        ({"server_url": "https://shop.example\\@evil.example"}, "invalid_value", "server_url"),
        ({"server_url": "https://shop.example/\na"}, "invalid_value", "server_url"),
        ({"server_label": ""}, "invalid_value", "server_label"),
        ({"connector_id": "connector_gmail"}, "invalid_value", "connector_id"),
        ({"tunnel_id": "t"}, "invalid_value", "tunnel_id"),
        ({"authorization": 5}, "invalid_type", "authorization"),
        ({"authorization": "geheim\r\nx: y"}, "invalid_value", "authorization"),
        ({"headers": {"a b": "c"}}, "invalid_value", "headers"),
        ({"headers": {"Host": "evil.example"}}, "invalid_value", "headers"),
        ({"headers": {"Mcp-Session-Id": "stolen"}}, "invalid_value", "headers"),
        ({"headers": {"x": "geheim\n"}}, "invalid_value", "headers.x"),
        ({"headers": {str(n): "" for n in range(65)}}, "invalid_value", "headers"),
        ({"allowed_tools": "all"}, "invalid_type", "allowed_tools"),
        ({"allowed_tools": {"names": []}}, "unknown_parameter", "allowed_tools.names"),
        ({"require_approval": "sometimes"}, "invalid_value", "require_approval"),
        ({"require_approval": {"maybe": {}}}, "unknown_parameter", "require_approval.maybe"),
        ({"allowed_callers": ["me"]}, "invalid_value", "allowed_callers[0]"),
        ({"surprise": 1}, "unknown_parameter", "surprise"),
    ],
)
def test_a_server_that_is_wrong_is_refused_at_the_place(fields: dict[str, Any], code: str, param: str) -> None:
    with pytest.raises(ProtocolError) as caught:
        common.tools([SHOP | fields], "tools")
    assert (caught.value.code, caught.value.param) == (code, f"tools[0].{param}")
    assert "geheim" not in caught.value.message


def test_a_server_needs_an_address() -> None:
    found = refused([{"type": "mcp", "server_label": "shop"}])
    assert found == ("missing_required_parameter", "tools[0].server_url")


def test_labels_are_unique_and_few() -> None:
    assert refused([SHOP, SHOP]) == ("invalid_value", "tools")
    assert refused([SHOP | {"server_label": str(n)} for n in range(33)]) == ("invalid_value", "tools")


def test_tools_of_both_kinds_replace_those_of_both_kinds() -> None:
    found = common.part_tools({"tools": common.tools([SHOP, {"type": "function", "name": "f"}], "tools")})
    assert [tool.name for tool in found["tools"]] == ["f"]
    assert [server.label for server in found["mcp_servers"]] == ["shop"]
    assert common.part_tools({"voice": "ash"}) == {"voice": "ash"}


def test_a_server_is_chosen_by_its_label() -> None:
    assert common.tool_choice({"type": "mcp", "server_label": "s"}, "c") == {"type": "mcp", "server_label": "s"}
    full = {"type": "mcp", "server_label": "s", "name": "look"}
    assert common.tool_choice(full, "c") == full
    assert common.tool_choice(full | {"name": None}, "c") == {"type": "mcp", "server_label": "s"}
    with pytest.raises(ProtocolError, match="server_label"):
        common.tool_choice({"type": "mcp"}, "c")


CALL = {"server_label": "shop", "name": "buy", "arguments": "{}"}


@pytest.mark.parametrize(
    ("given", "item"),
    [
        (
            {"type": "mcp_list_tools", "server_label": "shop", "tools": [
                {"name": "buy", "input_schema": {"type": "object"}, "description": "Buys.", "annotations": {"a": 1}},
                {"name": "look", "input_schema": {}},
            ]},
            McpListTools("i", "shop", (McpTool("buy", {"type": "object"}, "Buys.", {"a": 1}), McpTool("look"))),
        ),
        (
            {"type": "mcp_call", **CALL, "output": "done", "error": None, "approval_request_id": "r"},
            McpCall("i", "shop", "buy", "{}", "r", "done"),
        ),
        (
            {"type": "mcp_call", **CALL, "output": None,
             "error": {"type": "protocol_error", "code": -32602, "message": "no"}},
            McpCall("i", "shop", "buy", "{}", None, None, McpFault("protocol_error", "no", -32602)),
        ),
        (
            {"type": "mcp_approval_response", "approval_request_id": "r", "approve": False, "reason": "No."},
            McpApprovalResponse("i", "r", False, "No."),
        ),
    ],
)  # fmt: skip
def test_items_are_there_and_back(given: dict[str, Any], item: Any) -> None:
    assert common.item({"id": "i", **given}, "item") == item
    assert mcp.render_item(item) == given


@pytest.mark.parametrize(
    ("given", "param"),
    [
        ({"type": "mcp_approval_response", "approve": True}, "item.approval_request_id"),
        ({"type": "mcp_approval_response", "approval_request_id": "r"}, "item.approve"),
        ({"type": "mcp_approval_response", "approval_request_id": "r", "approve": "yes"}, "item.approve"),
        ({"type": "mcp_call", "server_label": "s", "name": "n"}, "item.arguments"),
        ({"type": "mcp_call", **CALL, "error": {"type": "sad", "message": ""}}, "item.error.type"),
        ({"type": "mcp_list_tools", "server_label": "s", "tools": [{"name": "n"}]}, "item.tools[0].input_schema"),
    ],
)
def test_items_that_are_wrong_are_refused_at_the_place(given: dict[str, Any], param: str) -> None:
    with pytest.raises(ProtocolError) as caught:
        common.item(given, "item")
    assert caught.value.param == param
