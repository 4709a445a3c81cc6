"""The remote calls of one response: what the brain wants called, what came of it, in the order it was wanted.

A brain writes its answer in rounds: calls of remote tools that end a round run at the same time, and when all of them
have returned the brain is asked again.  Items do not interleave on the wire, so whatever follows a remote call in a
round is held until that call has returned.  Called by `core.answering`.
"""

from __future__ import annotations

import msgspec

from . import events as ev
from .effects import CallTool, DropTool, Effect, Send
from .items import McpApprovalRequest, McpFault
from .reports import Argued, Called, Said, ToolFailed, ToolReturned
from .response import NewId, Response
from .tooling import Offer, Target

MAX_ROUNDS = 10
"""Rounds in which a brain may call remote tools; one that still wants more would go on for ever."""
MAX_CALLS = 16
"""Remote calls in one round; each is a request that a brain makes without asking."""
GIVEN_UP = McpFault("tool_execution_error", "The call was given up before it returned.")
TOO_MANY = McpFault("protocol_error", f"At most {MAX_CALLS} tools are called at a time.", -32600)

Report = Said | Called | Argued


class RemoteCall(msgspec.Struct):
    """One call of a remote tool."""

    item_id: str
    target: Target
    arguments: str = ""
    approval_request_id: str | None = None
    outcome: str | McpFault | None = None
    """None until it returned."""
    is_shown: bool = False
    """Whether the client was told of it."""
    is_running: bool = False
    """Whether the client was told that it runs."""


class _Wish(msgspec.Struct):
    """A call that the application has to approve."""

    item_id: str
    target: Target
    arguments: str = ""


_Step = RemoteCall | _Wish | list[Report]
"""What a round is made of, in its order."""


class RemoteCalls:
    """The remote calls of one response, and all that waits for them."""

    def __init__(self, response: Response, new_id: NewId) -> None:
        self._response = response
        self._new_id = new_id
        self._steps: list[_Step] = []
        """What is not over: first what was told last, then what is held behind it."""
        self.is_waiting = False
        """Whether the brain cannot be asked because calls are under way: the round has ended, and they have not."""
        self._called = 0
        """Calls of any kind in this round."""
        self._skips = False
        """Whether what comes belongs to a call that is not to be."""
        self.rounds = 0
        """Rounds that have called remote tools."""
        self.wishes: list[tuple[McpApprovalRequest, Target]] = []
        """What the application has to approve, as it was told."""
        self.has_functions = False
        """Whether functions of the application were called, whose results it brings itself."""

    @property
    def has_any(self) -> bool:
        """Whether this round calls remote tools, or wishes to."""
        return bool(self._steps)

    def has(self, item_id: str) -> bool:
        """Return whether a call of that item is under way."""
        return self._find(item_id) is not None

    def owns(self, item_id: str) -> bool:
        """Return whether an item that is not over, or not told yet, has that id."""
        return any(not isinstance(step, list) and step.item_id == item_id for step in self._steps)

    # -------------------------------------------------------------------------------------------------- the brain

    def take(self, report: Report, offer: Offer, now: float) -> list[ev.ServerEvent]:
        """Take in what the brain says, and return what can be told at once."""
        if type(report) is Said and not self._steps:
            self._skips = False
            return self._response.say(report, now)
        if isinstance(report, Called):
            self._skips = not self._may_call(offer)
            if not self._skips:
                self._called += 1
                return self._call(report, offer.targets.get(report.name), now)
        if self._skips and not isinstance(report, Said):
            return []
        self._skips = False
        last = self._steps[-1] if self._steps else None
        if isinstance(report, Argued) and isinstance(last, RemoteCall | _Wish):
            last.arguments += report.delta
            return self._response.argue(report) if last is self._steps[0] and isinstance(last, RemoteCall) else []
        if isinstance(last, list):
            last.append(report)
            return []
        if last is not None:
            self._steps.append([report])
            return []
        return self._tell(report, now)

    def end_round(self, now: float) -> list[Effect]:
        """Have everything called that the brain wanted called, now that it has said all it wants."""
        calls = [step for step in self._steps if isinstance(step, RemoteCall)]
        for call in calls[MAX_CALLS:]:
            call.outcome = TOO_MANY
        self.rounds += bool(calls)
        self._called, self._skips = 0, False
        return self._run(calls[:MAX_CALLS], now)

    def begin(self, calls: list[RemoteCall], now: float) -> list[Effect]:
        """Begin with calls that the application approved."""
        self._steps += calls
        return self._run(calls, now)

    # -------------------------------------------------------------------------------------------------- the tools

    def receive(self, report: ToolReturned | ToolFailed, now: float) -> list[Effect]:
        """Take in what came of a call."""
        call = self._find(report.item_id)
        if call is None or call.outcome is not None:
            return []
        call.outcome = report.output if isinstance(report, ToolReturned) else report.fault
        return [Send(event) for event in self._advance(now)]

    def drop(self, now: float) -> list[Effect]:
        """End all calls because the response ends; what was begun is told, whatever became of it."""
        out: list[Effect] = []
        steps, self._steps = self._steps, []
        calls = [step for step in steps if isinstance(step, RemoteCall)] if self.is_waiting else []
        out += [DropTool(call.item_id) for call in calls if call.outcome is None]
        for call in calls:
            out += [Send(event) for event in self._show(call, now)]
            outcome = GIVEN_UP if call.outcome is None else call.outcome
            out += [Send(event) for event in self._response.end_remote(outcome)]
        self.is_waiting = False
        return out

    # -------------------------------------------------------------------------------------------------- internals

    def _may_call(self, offer: Offer) -> bool:
        return offer.choice != "none" and (self._response.settings.parallel_tool_calls is not False or not self._called)

    def _call(self, report: Called, target: Target | None, now: float) -> list[ev.ServerEvent]:
        if target is None:
            if self._steps:
                self._steps.append([report])
                return []
            return self._tell(report, now)
        if target.asks:
            self._steps.append(_Wish(self._new_id("item"), target))
            return []
        call = RemoteCall(self._new_id("item"), target)
        self._steps.append(call)
        return self._open(call, now) if self._steps[0] is call else []

    def _tell(self, report: Report, now: float) -> list[ev.ServerEvent]:
        match report:
            case Said():
                return self._response.say(report, now)
            case Called():
                self.has_functions = True
                return self._response.call(report, now)
            case Argued():
                return self._response.argue(report)

    def _open(self, call: RemoteCall, now: float) -> list[ev.ServerEvent]:
        call.is_shown = True
        server = call.target.server
        return self._response.call_remote(call.item_id, server.label, call.target.name, call.approval_request_id, now)

    def _run(self, calls: list[RemoteCall], now: float) -> list[Effect]:
        self.is_waiting = bool(self._steps)
        out: list[Effect] = [Send(event) for event in self._advance(now)]
        out += [CallTool(call.item_id, call.target.server, call.target.name, call.arguments or "{}") for call in calls]
        return out

    def _advance(self, now: float) -> list[ev.ServerEvent]:
        """Tell as much as may be told by now."""
        out: list[ev.ServerEvent] = []
        while self._steps:
            match self._steps[0]:
                case RemoteCall() as call:
                    out += self._show(call, now)
                    if call.outcome is None:
                        return out
                    out += self._response.end_remote(call.outcome)
                case _Wish() as wish:
                    server, arguments = wish.target.server, wish.arguments or "{}"
                    request = McpApprovalRequest(wish.item_id, server.label, wish.target.name, arguments)
                    self.wishes.append((request, wish.target))
                    out += self._response.put(request, now)
                case held:
                    for report in held:
                        out += self._tell(report, now)
            del self._steps[0]
        self.is_waiting = False
        return out

    def _show(self, call: RemoteCall, now: float) -> list[ev.ServerEvent]:
        """Tell of a call that runs, unless that was told."""
        out: list[ev.ServerEvent] = []
        if not call.is_shown:
            out += self._open(call, now)
            out += self._response.argue(Argued(self._response.id, call.arguments))
        if not call.is_running:
            call.is_running = True
            out += self._response.run_remote()
        return out

    def _find(self, item_id: str) -> RemoteCall | None:
        calls = (step for step in self._steps if isinstance(step, RemoteCall) and self.is_waiting)
        return next((call for call in calls if call.item_id == item_id), None)
