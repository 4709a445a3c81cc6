"""The remote tools of a session: which servers were asked for theirs, and what a brain is offered of them.

A server is asked once, when the settings first name it; the list shows itself as an item of the conversation, and
answers that may use the server wait for it.  One that did not answer is asked again when it is named anew, or by an
answer some time later, so that not every answer waits for it.  What a tool is called for is decided in `core.remote`.
Called by `core.session` and `core.answering`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from . import events as ev
from .conversation import Conversation, Entry
from .effects import DropTool, Effect, ListTools, Send, Vocabulary
from .errors import ProtocolError
from .items import (
    FunctionCall,
    FunctionCallOutput,
    Item,
    McpApprovalRequest,
    McpApprovalResponse,
    McpCall,
    McpFault,
    McpListTools,
    McpTool,
)
from .reports import ToolsListed, ToolsUnavailable
from .response import NewId
from .settings import McpServer, ResponseSettings, Settings, Tool, ToolFilter
from .vocabulary import vocabulary_of

KEPT_LISTS = 64
"""Servers of which a session remembers the tools; settings that change for ever would else fill it."""
MAX_NAME = 64
"""The longest name of a function that chat endpoints take."""
REFUSED = "The user refused this call."
UNDECIDED = "The user has not approved this call yet."


class Target(msgspec.Struct, frozen=True):
    """A tool where it is to be called."""

    server: McpServer
    name: str
    """What its server calls it."""
    asks: bool
    """Whether the application has to approve its calls."""


class Offer(msgspec.Struct, frozen=True):
    """What a brain may call in one response."""

    tools: tuple[Tool, ...] = ()
    """Functions of the application first, then remote tools."""
    targets: Mapping[str, Target] = {}
    """The remote ones among them, by the name that the brain is told."""
    choice: str | dict[str, Any] = "auto"
    """`auto`, `none`, `required`, or `{"type": "function", "name": ...}`."""


FIRST_REST_SECONDS = 30.0
"""How long after a server did not tell its tools answers go without them; twice as long after each further time."""
LONGEST_REST_SECONDS = 600.0


class _Outage(msgspec.Struct, frozen=True):
    """A server that did not tell its tools when it was asked last."""

    reason: str
    times: int
    """How often in a row."""
    rests_until: float
    """Session time before which no answer has it asked again."""


class _List(msgspec.Struct):
    """A server's tools, or the wait for them."""

    item_id: str
    server: McpServer
    tools: tuple[McpTool, ...] | None = None
    """None until they are known."""


class Tooling:
    """The remote tools of one session."""

    def __init__(self, conversation: Conversation, new_id: NewId, *, can_call: bool) -> None:
        """Begin with no tools.

        Args:
            conversation: where the lists go.
            new_id: makes ids.
            can_call: whether remote servers can be reached at all.
        """
        self._conversation = conversation
        self._new_id = new_id
        self._can_call = can_call
        self._lists: dict[Any, _List] = {}
        """By what tells servers apart: label, address and credentials."""
        self._outages: dict[Any, _Outage] = {}
        """Servers that are not among the lists because they failed, by the same."""

    def check(self, settings: Settings | ResponseSettings, path: str) -> None:
        """Raise `ProtocolError` when tools cannot be used as a client wants: `path` is `session` or `response`."""
        if settings.mcp_servers and not self._can_call:
            label = settings.mcp_servers[0].label
            raise ProtocolError(
                "invalid_value",
                f"MCP server '{label}' cannot be used: this server's operator has not enabled remote MCP tools.",
                f"{path}.tools",
            )
        check_tool_choice(settings, f"{path}.tool_choice")

    def seek(self, servers: Iterable[McpServer], now: float, *, is_named_anew: bool = False) -> list[Effect]:
        """Ask those servers for their tools that were not asked, or did not answer.

        Args:
            servers: what the settings name.
            now: session time.
            is_named_anew: whether the client just named them, so that even one that has just failed is asked.
        """
        out: list[Effect] = []
        for server in servers if self._can_call else ():
            key = _key(server)
            outage = self._outages.get(key)
            if key in self._lists or (outage is not None and now < outage.rests_until and not is_named_anew):
                continue
            listing = self._lists[key] = _List(self._new_id("item"), server)
            item = McpListTools(listing.item_id, server.label, (), "in_progress")
            previous = self._conversation.insert(item, now)
            out += [
                Send(ev.ItemAdded(self._event(), previous, item)),
                Send(ev.McpListToolsInProgress(self._event(), item.id)),
                ListTools(item.id, server),
            ]
        known = [key for key, listing in self._lists.items() if listing.tools is not None]
        for key in known[: max(0, len(self._lists) - KEPT_LISTS)]:
            del self._lists[key]
        return out

    def receive(self, report: ToolsListed | ToolsUnavailable, now: float) -> list[Effect]:
        """Take in what a server was found to have; a list that nobody waits for is ignored."""
        key = next((k for k, found in self._lists.items() if found.item_id == report.item_id), None)
        if key is None or self._lists[key].tools is not None:
            return []
        listing = self._lists[key]
        if isinstance(report, ToolsListed):
            listing.tools = report.tools
            self._outages.pop(key, None)
            shown = tuple(tool for tool in report.tools if _chooses(listing.server.allowed, tool))
            ended: ev.ServerEvent = ev.McpListToolsCompleted(self._event(), report.item_id)
            return [Send(ended), self._done(listing, shown)]
        del self._lists[key]
        before = self._outages.pop(key, None)
        times = 1 if before is None else before.times + 1
        rest = min(LONGEST_REST_SECONDS, FIRST_REST_SECONDS * 2 ** (times - 1))
        self._outages[key] = _Outage(report.fault.message, times, now + rest)
        for oldest in tuple(self._outages)[: max(0, len(self._outages) - KEPT_LISTS)]:
            del self._outages[oldest]
        # No `error` event says why: it would end the sessions of clients that have done nothing wrong.
        return [Send(ev.McpListToolsFailed(self._event(), report.item_id)), self._done(listing, ())]

    def is_awaited(self, servers: Iterable[McpServer]) -> bool:
        """Return whether any of the servers has not answered yet."""
        found = (self._lists.get(_key(server)) for server in servers)
        return any(listing is not None and listing.tools is None for listing in found)

    def is_open(self, item_id: str) -> bool:
        """Return whether that item is a list that is waited for."""
        return any(listing.item_id == item_id and listing.tools is None for listing in self._lists.values())

    def drop_all(self) -> list[Effect]:
        """Stop waiting because the session ends."""
        out: list[Effect] = []
        for listing in self._lists.values():
            if listing.tools is None:
                out += [
                    DropTool(listing.item_id),
                    Send(ev.McpListToolsFailed(self._event(), listing.item_id)),
                    self._done(listing, ()),
                ]
        self._lists.clear()
        return out

    def vocabulary(self, settings: Settings) -> Vocabulary:
        """Return what is likely to be said in a session, as far as its remote tools are known."""
        return vocabulary_of(settings, (tool for server in settings.mcp_servers for tool in self._tools(server)))

    def offer(self, chosen: ResponseSettings) -> Offer:
        """Return what may be called in a response.

        Raises:
            ProtocolError: a remote tool is demanded that its server does not have.
        """
        if chosen.tool_choice == "none":
            return Offer(choice="none")
        found = [
            (Target(server, tool.name, needs_approval(server, tool)), tool)
            for server in chosen.mcp_servers
            for tool in self._tools(server)
        ]
        names = offered_names([tool.name for tool in chosen.tools], [target for target, _ in found])
        remote = [
            (Tool(name, tool.description, tool.input_schema), target)
            for name, (target, tool) in zip(names, found, strict=True)
        ]
        choice = chosen.tool_choice
        if isinstance(choice, dict) and choice["type"] == "mcp":
            remote = [(tool, to) for tool, to in remote if _is_chosen(to, choice)]
            if not remote:
                wanted = f"tool '{choice['name']}'" if choice.get("name") else "tools"
                text = f"MCP server '{choice['server_label']}' has no {wanted} that may be used."
                raise ProtocolError("mcp_tool_unavailable", text + self._reason(chosen, choice["server_label"]))
            one = {"type": "function", "name": remote[0][0].name}
            choice = one if choice.get("name") else "required"
            return Offer(tuple(tool for tool, _ in remote), {tool.name: to for tool, to in remote}, choice)
        tools = (*chosen.tools, *(tool for tool, _ in remote))
        return Offer(tools, {tool.name: to for tool, to in remote}, choice)

    def _tools(self, server: McpServer) -> list[McpTool]:
        listing = self._lists.get(_key(server))
        if listing is None or listing.tools is None:
            return []
        return [tool for tool in listing.tools if _chooses(server.allowed, tool)]

    def _reason(self, chosen: ResponseSettings, label: str) -> str:
        """Return why a server's tools cannot be had, as a sentence behind another; empty where they can."""
        outages = (self._outages.get(_key(server)) for server in chosen.mcp_servers if server.label == label)
        return next((f" {outage.reason}" for outage in outages if outage is not None), "")

    def _done(self, listing: _List, tools: tuple[McpTool, ...]) -> Send:
        item = McpListTools(listing.item_id, listing.server.label, tools)
        self._conversation.replace(item)
        return Send(ev.ItemDone(self._event(), self._conversation.previous_id(item.id), item))

    def _event(self) -> str:
        return self._new_id("event")


def check_tool_choice(settings: Settings | ResponseSettings, path: str) -> None:
    """Raise `ProtocolError` when a function or a server is demanded that is not among the tools."""
    choice = settings.tool_choice
    if isinstance(choice, str):
        return
    if choice["type"] == "mcp":
        wanted, known = choice["server_label"], [server.label for server in settings.mcp_servers]
    else:
        wanted, known = choice["name"], [tool.name for tool in settings.tools]
    if wanted not in known:
        listed = ", ".join(f"'{name}'" for name in known) or "none"
        raise ProtocolError("invalid_value", f"Tool choice '{wanted}' not found in 'tools'; there: {listed}.", path)


def _key(server: McpServer) -> Any:
    return (server.label, server.url, server.authorization, tuple(sorted(server.headers.items())))


def _chooses(chosen: ToolFilter | None, tool: McpTool) -> bool:
    """Return whether a filter lets a tool through; None lets all."""
    if chosen is None:
        return True
    is_read_only = (tool.annotations or {}).get("readOnlyHint") is True
    has_name = chosen.names is None or tool.name in chosen.names
    return has_name and (chosen.read_only is None or chosen.read_only == is_read_only)


def needs_approval(server: McpServer, tool: McpTool) -> bool:
    """Return whether the application has to approve calls of a tool: in doubt it has."""
    if server.always_ask is not None and _chooses(server.always_ask, tool):
        return True
    return server.never_ask is None or not _chooses(server.never_ask, tool)


def _is_chosen(target: Target, choice: dict[str, Any]) -> bool:
    return target.server.label == choice["server_label"] and choice.get("name") in (None, target.name)


def offered_names(functions: list[str], targets: list[Target]) -> list[str]:
    """Return what a brain is to call each remote tool: its own name where nothing else is called so.

    Names that occur twice get their server's label in front; names that chat endpoints refuse are mended.
    """
    plain = [_mended(target.name) for target in targets]
    taken = set(functions)
    out = []
    for target, name in zip(targets, plain, strict=True):
        if name in taken or plain.count(name) > 1:
            name = _mended(f"{target.server.label}_{target.name}")
        offered, number = name, 2
        while offered in taken:
            offered, number = f"{name[: MAX_NAME - 4]}_{number}", number + 1
        taken.add(offered)
        out.append(offered)
    return out


def _mended(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9_-]", "_", name)[:MAX_NAME] or "tool"


# ------------------------------------------------------------------------------------------------------ what is told


def as_told(entries: Iterable[Entry], targets: Mapping[str, Target]) -> list[Entry]:
    """Return entries as a brain is told them: what became of remote tools looks like calls of functions."""
    entries = list(entries)
    names = {(to.server.label, to.name): name for name, to in targets.items()}
    decisions = {e.item.approval_request_id: e.item for e in entries if isinstance(e.item, McpApprovalResponse)}
    ran = {e.item.approval_request_id for e in entries if isinstance(e.item, McpCall)}
    out: list[Entry] = []
    for entry in entries:
        match entry.item:
            case McpCall() as call:
                pair = _pair(call, names, call.output if call.output is not None else _failure(call.error))
            case McpApprovalRequest() as request:
                pair = [] if request.id in ran else _pair(request, names, _decision(decisions.get(request.id)))
            case McpListTools() | McpApprovalResponse():
                pair = []
            case item:
                pair = [item]
        out += [Entry(item, entry.said_at) for item in pair]
    return out


def _pair(call: McpCall | McpApprovalRequest, names: Mapping[tuple[str, str], str], output: str) -> list[Item]:
    name = names.get((call.server_label, call.name), _mended(call.name))
    return [
        FunctionCall(call.id, call.id, name, call.arguments),
        FunctionCallOutput(f"{call.id}_output", call.id, output),
    ]


def _failure(error: McpFault | None) -> str:
    return f"The call failed: {error.message}" if error else "The call did not return."


def _decision(decision: McpApprovalResponse | None) -> str:
    if decision is None or decision.approve:
        return UNDECIDED
    return f"{REFUSED} {decision.reason}" if decision.reason else REFUSED
