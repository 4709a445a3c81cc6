"""The errands of a call: what it has fetched from remote MCP servers, each by a task of its own.

Called by `server.call`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from ..core.effects import CallTool, ListTools
from ..core.items import McpFault
from ..core.reports import Report, ToolFailed, ToolsUnavailable
from ..engines.api import Toolbox

_NO_TOOLBOX = McpFault("protocol_error", "This server reaches no MCP servers.", -32000)


class Errands:
    """What one call waits for."""

    def __init__(self, toolbox: Toolbox | None, report: Callable[[Report], None]) -> None:
        """Begin with nothing to do.

        Args:
            toolbox: what remote tools are reached with; None where there are none.
            report: takes what comes of each errand.
        """
        self._toolbox = toolbox
        self._report = report
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def run(self, effect: ListTools | CallTool, group: asyncio.TaskGroup) -> None:
        """Go on an errand, which ends in one report."""
        task = group.create_task(self._go(effect))
        self._tasks[effect.item_id] = task
        task.add_done_callback(lambda _: self._forget(effect.item_id, task))

    def drop(self, item_id: str) -> None:
        """Turn back, without a report."""
        if task := self._tasks.pop(item_id, None):
            task.cancel()

    def drop_all(self) -> None:
        """Turn back from every errand."""
        for item_id in tuple(self._tasks):
            self.drop(item_id)

    async def close(self) -> None:
        """Close the connections to all servers; nothing is reported any more."""
        self._report = _ignored
        if self._toolbox is not None:
            await self._toolbox.close()

    async def _go(self, effect: ListTools | CallTool) -> None:
        toolbox, item_id = self._toolbox, effect.item_id
        report: Report
        match effect:
            case ListTools(server=server):
                none = ToolsUnavailable(item_id, _NO_TOOLBOX)
                report = await toolbox.list_tools(item_id, server) if toolbox else none
            case CallTool(server=server, name=name, arguments=arguments):
                missing = ToolFailed(item_id, _NO_TOOLBOX)
                report = await toolbox.call_tool(item_id, server, name, arguments) if toolbox else missing
        self._report(report)

    def _forget(self, item_id: str, task: asyncio.Task[None]) -> None:
        if self._tasks.get(item_id) is task:
            del self._tasks[item_id]


def _ignored(report: Report) -> None:
    """Take no notice."""
