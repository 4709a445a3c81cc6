"""How remote MCP servers, and what becomes of their tools, are spelled: alike in both shapes, where they have them."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlsplit

from ..core import events as ev
from ..core.errors import ProtocolError
from ..core.items import (
    Item,
    McpApprovalRequest,
    McpApprovalResponse,
    McpCall,
    McpFault,
    McpItem,
    McpListTools,
    McpTool,
)
from ..core.settings import McpServer, ToolFilter
from . import schema as s

MAX_SERVERS = 32
"""Servers of one session: each is a connection, and each list of tools goes into every prompt."""
_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_VISIBLE = re.compile(r"[\x20-\x7e\t]*")
_OURS = frozenset(("host", "content-length", "content-type", "transfer-encoding", "connection", "accept", "upgrade"))
"""Headers that are those of the connection itself."""

# --------------------------------------------------------------------------------------------------------- servers

_names = s.array(s.name, most=1024)


def is_header_value(value: str) -> bool:
    """Return whether a text can be the value of a header."""
    return _VISIBLE.fullmatch(value) is not None


def _credential(value: Any, path: str) -> str:
    if not is_header_value(s.text(value, path)):
        # The value itself is never repeated.
        raise ProtocolError("invalid_value", f"Invalid '{path}': it cannot be sent in an HTTP header.", path)
    return str(value)


def _headers(value: Any, path: str) -> dict[str, str]:
    if len(s.mapping(value, path)) > 64:
        raise ProtocolError("invalid_value", f"Invalid '{path}': at most 64 headers are allowed.", path)
    for key, element in value.items():
        if not _TOKEN.fullmatch(key) or key.lower() in _OURS or key.lower().startswith("mcp-"):
            raise ProtocolError("invalid_value", f"Invalid '{path}': there is no such header to be set.", path)
        _credential(element, f"{path}.{key}")
    return dict(value)


_FILTER = s.fields({"tool_names": s.nullable(_names), "read_only": s.nullable(s.boolean)})


def _filter(value: Any, path: str) -> ToolFilter | None:
    """Accept a choice of tools; one that says nothing is none."""
    if isinstance(value, list):
        return ToolFilter(_names(value, path))
    found = _FILTER(value, path)
    names, read_only = found.get("tool_names"), found.get("read_only")
    return None if names is None and read_only is None else ToolFilter(names, read_only)


_APPROVAL = s.fields({"always": s.nullable(_filter), "never": s.nullable(_filter)})


def _approval(value: Any, path: str) -> tuple[ToolFilter | None, ToolFilter | None]:
    """Return the tools whose calls have to be approved, and those whose calls have not to."""
    if not isinstance(value, dict):
        return (None, ToolFilter()) if s.choice("always", "never")(value, path) == "never" else (None, None)
    found = _APPROVAL(value, path)
    return found.get("always"), found.get("never")


def _url(value: Any, path: str) -> str:
    try:
        parts = urlsplit(s.name(value, path))
        is_usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_usable = False
    if not is_usable or not value.isprintable() or " " in value or "\\" in value:
        raise ProtocolError("invalid_value", f"Invalid '{path}'. Expected an http or https URL.", path)
    if parts.username is not None or parts.password is not None:
        raise ProtocolError("invalid_value", f"Invalid '{path}': put credentials into 'authorization'.", path)
    return str(value)


def _elsewhere(value: Any, path: str) -> None:
    """Accept null alone, for what only OpenAI can reach."""
    if value is not None:
        field = path.rpartition(".")[2]
        raise ProtocolError(
            "invalid_value", f"Invalid '{path}': a '{field}' is not served here; give the server's 'server_url'.", path
        )


_SERVER = s.fields(
    {
        "type": s.text,
        "server_label": s.name,
        "server_url": _url,
        "connector_id": _elsewhere,
        "tunnel_id": _elsewhere,
        "authorization": s.nullable(_credential),
        "headers": s.nullable(_headers),
        "allowed_tools": s.nullable(_filter),
        "require_approval": s.nullable(_approval),
        "server_description": s.nullable(s.text),
        "defer_loading": s.nullable(s.boolean),
        "allowed_callers": s.nullable(s.array(s.choice("direct", "programmatic"))),
    },
    required=("server_label",),
)


def server(value: Any, path: str) -> McpServer:
    """Accept an `mcp` tool."""
    found = _SERVER(value, path)
    if "server_url" not in found:
        raise s.missing(f"{path}.server_url")
    always, never = found.get("require_approval") or (None, None)
    return McpServer(
        found["server_label"],
        found["server_url"],
        found.get("server_description") or "",
        found.get("authorization") or "",
        found.get("headers") or {},
        found.get("allowed_tools"),
        always,
        never,
    )


_CHOSEN = s.fields({"type": s.text, "server_label": s.name, "name": s.nullable(s.name)}, ("server_label",))


def choice(value: Any, path: str) -> dict[str, Any]:
    """Accept a `tool_choice` of a server, or of one of its tools."""
    return {key: element for key, element in _CHOSEN(value, path).items() if element is not None}


def check_labels(servers: tuple[McpServer, ...], path: str) -> None:
    """Raise `ProtocolError` when there are too many servers, or two of one label."""
    if len(servers) > MAX_SERVERS:
        raise ProtocolError("invalid_value", f"Invalid '{path}': at most {MAX_SERVERS} MCP servers are allowed.", path)
    labels = [server.label for server in servers]
    twice = next((label for label in labels if labels.count(label) > 1), None)
    if twice is not None:
        text = f"Invalid '{path}': two MCP servers have the 'server_label' '{twice[:100]}'."
        raise ProtocolError("invalid_value", text, path)


def render_server(found: McpServer) -> dict[str, Any]:
    """Return a server as sessions show it: without what lets others in."""
    out: dict[str, Any] = {"type": "mcp", "server_label": found.label, "server_url": found.url}
    if found.description:
        out["server_description"] = found.description
    if found.allowed is not None:
        out["allowed_tools"] = _render_filter(found.allowed)
    if found.always_ask is None and found.never_ask in (None, ToolFilter()):
        out["require_approval"] = "always" if found.never_ask is None else "never"
    else:
        asked = {"always": found.always_ask, "never": found.never_ask}
        out["require_approval"] = {key: _render_filter(one) for key, one in asked.items() if one is not None}
    return out


def _render_filter(found: ToolFilter) -> Any:
    if found.read_only is None and found.names is not None:
        return {"tool_names": list(found.names)}
    out: dict[str, Any] = {} if found.names is None else {"tool_names": list(found.names)}
    return out | {"read_only": found.read_only} if found.read_only is not None else out


# ----------------------------------------------------------------------------------------------------------- items

_COMMON: dict[str, s.Check] = {"type": s.text, "object": s.ignored, "status": s.ignored}
_TOOL = s.fields(
    {
        "name": s.name,
        "input_schema": s.mapping,
        "description": s.nullable(s.text),
        "annotations": s.nullable(s.mapping),
        "title": s.ignored,
    },
    ("name", "input_schema"),
)
_FAULT = s.fields(
    {
        "type": s.choice("protocol_error", "tool_execution_error", "http_error"),
        "message": s.text,
        "code": s.nullable(s.integer(-(1 << 31), 1 << 31)),
    },
    ("type", "message"),
)


def _tool(value: Any, path: str) -> McpTool:
    found = _TOOL(value, path)
    return McpTool(found["name"], found["input_schema"], found.get("description") or "", found.get("annotations"))


def _fault(value: Any, path: str) -> McpFault:
    found = _FAULT(value, path)
    return McpFault(found["type"], found["message"], found.get("code"))


def item_readers(ident: s.Check, optional_ident: s.Check) -> dict[str, s.Check]:
    """Return the readers of items that clients may bring along from an earlier conversation, or decide with.

    Args:
        ident: accepts an id.
        optional_ident: accepts an id that may be missing.
    """
    base = _COMMON | {"id": optional_ident}
    call = base | {"server_label": s.name, "name": s.name, "arguments": s.text}
    needed = ("server_label", "name", "arguments")
    listing = s.fields(base | {"server_label": s.name, "tools": s.array(_tool, most=1024)}, ("server_label", "tools"))
    request = s.fields(call, needed)
    called = s.fields(
        call
        | {
            "approval_request_id": optional_ident,
            "output": s.nullable(s.text),
            "error": s.nullable(_fault),
        },
        needed,
    )
    response = s.fields(
        base | {"approval_request_id": ident, "approve": s.boolean, "reason": s.nullable(s.text)},
        ("approval_request_id", "approve"),
    )

    def read_list(value: Any, path: str) -> Item:
        found = listing(value, path)
        return McpListTools(found.get("id") or "", found["server_label"], found["tools"])

    def read_request(value: Any, path: str) -> Item:
        found = request(value, path)
        return McpApprovalRequest(found.get("id") or "", found["server_label"], found["name"], found["arguments"])

    def read_call(value: Any, path: str) -> Item:
        found = called(value, path)
        return McpCall(
            found.get("id") or "",
            found["server_label"],
            found["name"],
            found["arguments"],
            found.get("approval_request_id"),
            found.get("output"),
            found.get("error"),
        )

    def read_response(value: Any, path: str) -> Item:
        found = response(value, path)
        return McpApprovalResponse(
            found.get("id") or "", found["approval_request_id"], found["approve"], found.get("reason")
        )

    return {
        "mcp_list_tools": read_list,
        "mcp_call": read_call,
        "mcp_approval_request": read_request,
        "mcp_approval_response": read_response,
    }


def render_item(item: McpItem) -> dict[str, Any]:
    """Return an item but for the keys that all items have."""
    match item:
        case McpListTools():
            return {
                "type": "mcp_list_tools",
                "server_label": item.server_label,
                "tools": [_render_tool(tool) for tool in item.tools],
            }
        case McpCall():
            out: dict[str, Any] = {"type": "mcp_call", "server_label": item.server_label, "name": item.name}
            out |= {"arguments": item.arguments, "output": item.output, "error": _render_fault(item.error)}
            # Typed clients take this one for a text or for nothing, unlike the two before it.
            return out | ({"approval_request_id": item.approval_request_id} if item.approval_request_id else {})
        case McpApprovalRequest():
            out = {"type": "mcp_approval_request", "server_label": item.server_label}
            return out | {"name": item.name, "arguments": item.arguments}
        case McpApprovalResponse():
            out = {"type": "mcp_approval_response", "approval_request_id": item.approval_request_id}
            return out | {"approve": item.approve} | ({"reason": item.reason} if item.reason is not None else {})


def _render_tool(tool: McpTool) -> dict[str, Any]:
    out: dict[str, Any] = {"name": tool.name, "input_schema": tool.input_schema}
    if tool.description:
        out["description"] = tool.description
    if tool.annotations is not None:
        out["annotations"] = tool.annotations
    return out


def _render_fault(fault: McpFault | None) -> dict[str, Any] | None:
    if fault is None:
        return None
    out: dict[str, Any] = {"type": fault.type, "message": fault.message}
    if fault.type != "tool_execution_error":
        out["code"] = fault.code or 0
    return out


NAMES: dict[type, str] = {
    ev.McpListToolsInProgress: "mcp_list_tools.in_progress",
    ev.McpListToolsCompleted: "mcp_list_tools.completed",
    ev.McpListToolsFailed: "mcp_list_tools.failed",
    ev.McpArgumentsDelta: "response.mcp_call_arguments.delta",
    ev.McpArgumentsDone: "response.mcp_call_arguments.done",
    ev.McpCallInProgress: "response.mcp_call.in_progress",
    ev.McpCallCompleted: "response.mcp_call.completed",
    ev.McpCallFailed: "response.mcp_call.failed",
}
"""The `type` of each event, in the GA shape; the beta shape never had them."""
