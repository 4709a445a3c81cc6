"""Remote MCP servers, as one session reaches them: its tools are listed and called over connections that are kept.

Speaks streamable HTTP, and the older HTTP with server-sent events to servers that know nothing else.  What a tool is
was agreed when it was listed: one that has changed since is not called.  The one place that names the mcp library,
which is imported when a session first names a server.  Called by `server.errands`.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from concurrent.futures import Future
from functools import cache, partial
from time import monotonic
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from ..core.items import McpFault, McpTool
from ..core.reports import ToolFailed, ToolReturned, ToolsListed, ToolsUnavailable
from ..core.settings import McpServer
from .apart import apart
from .remote_tools import fingerprint, read_arguments, text_of, tool_of

if TYPE_CHECKING:
    from mcp import Client

    from .guard import Trouble

_log = logging.getLogger("vivavoce.mcp")

LIST_SECONDS = 10.0
"""Until a server that does not tell its tools is given up; answers wait for it."""
CALL_SECONDS = 60.0
"""Until a call is given up."""
_CONNECT_SECONDS = 5.0
_QUIET_SECONDS = 300.0
"""Until a response of which nothing more comes is given up."""
_CLOSE_SECONDS = 2.0
"""For a server to take note that a session has ended."""
_FRESH_SECONDS = 60.0
"""How long a list is taken for what the server still says."""
_MOST_TOOLS = 128
_MOST_PAGES = 20
_MOST_MESSAGE = 500
"""Characters of a server's own words about a failure."""
_FORGOTTEN = (400, 404)
"""What servers answer to who was connected before they were started anew."""
_OLDER = (400, 404, 405, 406, 415)
"""What servers of the older transport answer to the newer one."""

CONNECTION_CLOSED = -32000
TIMED_OUT = -32001
INVALID_PARAMS = -32602
_GIVEN_UP = McpFault("protocol_error", "The connection to the MCP server was given up.", CONNECTION_CLOSED)

T = TypeVar("T")


class Bounds(msgspec.Struct, frozen=True):
    """How long servers are waited for."""

    list_seconds: float = LIST_SECONDS
    """For a list of tools, the connection included."""
    call_seconds: float = CALL_SECONDS
    """For one call."""


class _Fault(Exception):
    """A server could not be used, for a reason that the client is told."""

    def __init__(self, fault: McpFault) -> None:
        super().__init__(fault.message)
        self.fault = fault


class RemoteToolbox:
    """The remote servers of one session."""

    def __init__(self, places: tuple[tuple[str, int | None], ...] = (), bounds: Bounds | None = None) -> None:
        """Make a toolbox that is connected to nothing.

        Args:
            places: hosts and ports that may be reached although they are not public; None for every port.
            bounds: how long servers are waited for; None for the usual time.
        """
        self._places = places
        self._bounds = bounds or Bounds()
        self._lines: dict[Any, _Line] = {}
        self._left: set[asyncio.Task[Any]] = set()
        """What is done with the servers, wanted still or not."""

    async def list_tools(self, item_id: str, server: McpServer) -> ToolsListed | ToolsUnavailable:
        """Ask a server for its tools."""
        line = self._line(server)
        try:
            return ToolsListed(item_id, await self._within(self._bounds.list_seconds, line, line.list_tools))
        except _Fault as error:
            # The protocol has no word for the reason, so that only the operator can be told.
            _log.warning("MCP server %r does not tell its tools: %s", server.label, error.fault.message)
            return ToolsUnavailable(item_id, error.fault)

    async def call_tool(self, item_id: str, server: McpServer, name: str, arguments: str) -> ToolReturned | ToolFailed:
        """Call a tool; being cancelled tells the server so."""
        line, read = self._line(server), read_arguments(arguments)
        if read is None:
            fault = McpFault("protocol_error", "The model's arguments are no JSON object.", INVALID_PARAMS)
            return ToolFailed(item_id, fault)
        try:
            output = await self._within(self._bounds.call_seconds, line, partial(line.call_tool, name, read))
        except _Fault as error:
            return ToolFailed(item_id, error.fault)
        return ToolReturned(item_id, output)

    async def close(self) -> None:
        """Close all connections."""
        lines, self._lines = self._lines, {}
        await asyncio.gather(*(line.close() for line in lines.values()))
        await _ended(self._left)

    async def _within(self, seconds: float, line: _Line, work: Callable[[], Awaitable[T]]) -> T:
        """Do what is done with a server, for so long and no longer.

        The library takes seconds to turn back from a request that its server does not take.  So it is left to do that
        by itself.

        Raises:
            _Fault: it failed, or took too long.
        """
        task = asyncio.create_task(_with_library(work))
        self._left.add(task)
        task.add_done_callback(self._forget)
        try:
            done, _ = await asyncio.wait((task,), timeout=seconds)
        except asyncio.CancelledError:
            task.cancel()
            raise
        if done and task.cancelled():
            raise _Fault(_GIVEN_UP)
        if done:
            return task.result()
        task.cancel()
        line.give_up_connecting()
        text = f"The MCP server did not answer within {seconds:g} seconds."
        raise _Fault(McpFault("protocol_error", text, TIMED_OUT))

    def _forget(self, task: asyncio.Task[Any]) -> None:
        self._left.discard(task)
        if not task.cancelled():
            task.exception()  # nobody may be waiting any more

    def _line(self, server: McpServer) -> _Line:
        key = (server.label, server.url, server.authorization, tuple(sorted(server.headers.items())))
        if key not in self._lines:
            self._lines[key] = _Line(server, self._places)
        return self._lines[key]


class _Line:
    """The connection to one server, made when it is first needed and again when it broke."""

    def __init__(self, server: McpServer, places: tuple[tuple[str, int | None], ...]) -> None:
        self._server = server
        self._places = places
        self._holder: asyncio.Task[None] | None = None
        self._given_up: set[asyncio.Task[None]] = set()
        """Holders of connections that are not wanted any more, and have not ended yet."""
        self._client: asyncio.Future[Client] | None = None
        self._leave = asyncio.Event()
        self._agreed: dict[str, str] = {}
        """Fingerprints of the tools as the session was told them."""
        self._present: dict[str, str] = {}
        """Those of the list that was seen last."""
        self._seen_at = -_FRESH_SECONDS
        """When that was, by the monotonic clock."""

    async def list_tools(self) -> tuple[McpTool, ...]:
        """Return the tools, which are agreed from now on.

        Raises:
            _Fault: they cannot be had.
        """
        with self._watched():
            tools = await self._fetch(await self._connected())
        self._agreed = dict(self._present)
        return tools

    async def call_tool(self, name: str, arguments: dict[str, Any]) -> str:
        """Return what a tool returned, as text.

        Raises:
            _Fault: it could not be called, or failed.
        """
        try:
            return await self._call(name, arguments)
        except _Fault as error:
            if error.fault.code == CONNECTION_CLOSED:
                await self.close()
            if error.fault.type != "http_error" or error.fault.code not in _FORGOTTEN:
                raise
        # The server does not know the connection any more, so it did nothing: it may have been started anew.
        await self.close()
        return await self._call(name, arguments)

    async def _call(self, name: str, arguments: dict[str, Any]) -> str:
        with self._watched():
            client = await self._connected()
            if monotonic() - self._seen_at > _FRESH_SECONDS:
                await self._fetch(client)
            if self._present.get(name) != self._agreed.get(name) or name not in self._agreed:
                text = f"The tool '{name}' has changed since its server listed it, and is not called."
                raise _Fault(McpFault("protocol_error", text, INVALID_PARAMS))
            result = await client.call_tool(name, arguments)
        text = text_of(result)
        if result.is_error:
            raise _Fault(McpFault("tool_execution_error", self._safe(text) or "The tool failed without a word."))
        return text

    async def close(self) -> None:
        """Say goodbye, and hang up in any case."""
        self.give_up_connecting()
        holder, self._holder, self._client = self._holder, None, None
        if holder is not None:
            self._leave.set()
            await asyncio.wait((holder,), timeout=_CLOSE_SECONDS)
            await _ended((holder,))
        await _ended(self._given_up)

    def give_up_connecting(self) -> None:
        """Have the next one who needs a connection try anew, if it has not been made by now."""
        if self._holder is None or self._client is None or self._client.done():
            return
        holder, self._holder, self._client = self._holder, None, None
        holder.cancel()
        self._given_up.add(holder)
        holder.add_done_callback(self._given_up.discard)

    # ---------------------------------------------------------------------------------------------- the connection

    async def _connected(self) -> Client:
        """Return the client, connecting it where there is none."""
        if self._holder is None or self._holder.done():
            self._leave = asyncio.Event()
            self._client = asyncio.get_running_loop().create_future()
            self._seen_at = -_FRESH_SECONDS
            holding = self._hold(self._client, self._leave)
            self._holder = asyncio.create_task(holding, name=f"mcp {self._server.label}")
        assert self._client is not None
        return await asyncio.shield(self._client)

    async def _hold(self, client: asyncio.Future[Client], leave: asyncio.Event) -> None:
        """Hold a connection until it is to be left: the library wants it opened and closed by one task."""
        try:
            async with self._opened() as opened:
                client.set_result(opened)
                await leave.wait()
        except asyncio.CancelledError:
            if not client.done():
                # Whoever waits for it is told, rather than cancelled in turn.
                client.set_exception(_Fault(_GIVEN_UP))
                client.exception()
            raise
        except Exception as error:  # noqa: BLE001 - servers and the library fail in every way; the fault is told
            if client.done():
                _log.info("the connection to MCP server %r broke: %s", self._server.label, type(error).__name__)
            else:
                client.set_exception(error if isinstance(error, _Fault) else _Fault(self._fault(error, [])))
                client.exception()  # whoever waited may be gone

    @contextlib.asynccontextmanager
    async def _opened(self) -> AsyncIterator[Client]:
        """Open a connection, by the older transport where the newer one is unknown."""
        from mcp import Client
        from mcp.client.sse import sse_client
        from mcp.client.streamable_http import streamable_http_client

        from .guard import Reach, guarded_client, watched

        headers = dict(self._server.headers)
        if self._server.authorization:
            token = self._server.authorization
            headers["Authorization"] = token if " " in token else f"Bearer {token}"

        def made(*_: Any, **__: Any) -> Any:
            return guarded_client(
                Reach(self._places),
                headers,
                connect_timeout=_CONNECT_SECONDS,
                # Event streams are quiet for as long as a server has nothing to say.
                read_timeout=_QUIET_SECONDS,
            )

        async with contextlib.AsyncExitStack() as stack:
            with watched() as troubles:
                try:
                    http = await stack.enter_async_context(made())
                    transport = streamable_http_client(self._server.url, http_client=http)
                    opened = await stack.enter_async_context(Client(transport, cache=None))
                except Exception as error:
                    if not any(trouble.status in _OLDER for trouble in troubles):
                        raise _Fault(self._fault(error, troubles)) from error
                    first = self._fault(error, troubles)
                    opened = None
            if opened is None:
                with watched() as troubles:
                    try:
                        older = sse_client(self._server.url, httpx_client_factory=made)
                        opened = await stack.enter_async_context(Client(older, cache=None, mode="legacy"))
                    except Exception as error:
                        # Where neither works, what became of the newer one tells more.
                        raise _Fault(first) from error
            yield opened

    @contextlib.contextmanager
    def _watched(self) -> Iterator[None]:
        """Turn every failure of what is done with the server into one fault."""
        from .guard import watched

        with watched() as troubles:
            try:
                yield
            except _Fault:
                raise
            except Exception as error:
                raise _Fault(self._fault(error, troubles)) from error

    async def _fetch(self, client: Client) -> tuple[McpTool, ...]:
        """Return the tools as the server lists them now."""
        found: dict[str, McpTool] = {}
        cursor: str | None = None
        for _ in range(_MOST_PAGES):
            page = await client.list_tools(cursor=cursor)
            for listed in page.tools:
                tool = tool_of(listed)
                if tool is not None and len(found) < _MOST_TOOLS:
                    found.setdefault(tool.name, tool)
            cursor = page.next_cursor
            if not cursor:
                break
        self._present = {name: fingerprint(tool) for name, tool in found.items()}
        self._seen_at = monotonic()
        return tuple(found.values())

    # ---------------------------------------------------------------------------------------------------- failures

    def _fault(self, error: BaseException, troubles: list[Trouble]) -> McpFault:
        """Return what the client is told of a failure: the cause, and no secret."""
        from mcp import MCPError

        error = _first_cause(error)
        if isinstance(error, _Fault):
            return error.fault
        if troubles:
            trouble = troubles[-1]
            if trouble.status is not None and trouble.status >= 400:
                return McpFault("http_error", f"The MCP server {trouble.message}.", trouble.status)
            if not isinstance(error, MCPError) or error.code == CONNECTION_CLOSED or trouble.status is not None:
                return McpFault("protocol_error", f"The MCP server {trouble.message}.", CONNECTION_CLOSED)
        if isinstance(error, MCPError):
            if error.code == CONNECTION_CLOSED:
                return McpFault("protocol_error", "The MCP server broke the connection off.", CONNECTION_CLOSED)
            said = self._safe(error.message) or "no reason"
            return McpFault("protocol_error", f"The MCP server refused: {said}", error.code)
        text = f"The MCP server could not be understood ({type(error).__name__})."
        return McpFault("protocol_error", text, CONNECTION_CLOSED)

    def _safe(self, text: str) -> str:
        """Return a server's words short and without the secrets that it was sent."""
        for secret in (self._server.authorization, *self._server.headers.values()):
            if len(secret) >= 4:
                text = text.replace(secret, "(secret)")
        text = " ".join(text.split())
        return text if len(text) <= _MOST_MESSAGE else text[: _MOST_MESSAGE - 3] + "..."


async def _with_library(work: Callable[[], Awaitable[T]]) -> T:
    """Do a piece of work once the library is there."""
    await asyncio.wrap_future(_library())
    return await work()


@cache
def _library() -> Future[None]:
    """Begin to import what is needed, which takes a second or more, and is done once while other sessions go on.

    Nothing of it may be named on the event loop before: an import that another thread has begun is waited for.
    """
    return apart("mcp", _load)


def _load() -> None:
    for name in ("mcp", "httpx2", "httpcore2"):
        # They tell of every request and every failure, with addresses and texts that are the client's own.
        logging.getLogger(name).setLevel(logging.CRITICAL)
    for module in ("jsonschema", "mcp.client.sse", "mcp.client.streamable_http", "mcp", "vivavoce.engines.guard"):
        importlib.import_module(module)


async def _ended(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """End tasks, as soon as they can and in bounded time."""
    pending = set(tasks)
    for task in pending:
        if not task.cancelling():
            task.cancel()
    if pending:
        _, pending = await asyncio.wait(pending, timeout=_CLOSE_SECONDS)
    for task in pending:
        task.cancel()


def _first_cause(error: BaseException) -> BaseException:
    """Return the failure inside the groups that task groups make of it."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
