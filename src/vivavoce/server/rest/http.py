"""HTTP as the endpoints see it: bodies read within bounds, and responses that are made while they are sent.

The one module of this package that names the web framework.  A response under way is stopped at once when nobody waits
for it any more, has seen its first piece before it promises success, and is cut off when the client takes nothing for
too long.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Coroutine, Iterable, Mapping
from contextlib import aclosing, asynccontextmanager, suppress
from typing import Any, TypeVar

import msgspec
from fastapi import APIRouter, Depends, WebSocket
from fastapi.requests import Request as HttpRequest
from fastapi.responses import Response
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocketDisconnect

from ...core.errors import EngineError
from ..admission import Admission, Refused, Request

T = TypeVar("T")
Answer = Response
"""What an endpoint returns."""
Asked = HttpRequest
"""What an endpoint is asked."""
Socket = WebSocket
"""A WebSocket that is no Realtime session."""
Router = APIRouter
"""What the application is given to answer at several paths."""

_log = logging.getLogger("vivavoce.rest")

_FORM_BYTES = 1 << 20
"""What a form may hold besides its file: a prompt and a dozen short fields."""
_FORM_FIELDS = 64


_GONE = 499
"""What nginx calls it in its logs when the client closed the connection; nobody is left to read it."""


async def read_json(request: Asked, most_bytes: int, seconds: float) -> dict[str, Any]:
    """Return the object in a request's body.

    Raises:
        Refused: it is no JSON object, too large or too slow.
    """
    _check_json(request.headers)
    return json_object(await read_body(request, most_bytes, seconds), "The body of the request")


def json_object(data: bytes | bytearray, what: str, param: str | None = None) -> dict[str, Any]:
    """Return the JSON object in a text, which is `what` to whoever sent it.

    Raises:
        Refused: it is none.
    """
    try:
        value = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Refused(400, "invalid_json", f"{what} is not JSON: {error}.", param=param) from error
    if not isinstance(value, dict):
        raise Refused(400, "invalid_json", f"{what} is not a JSON object.", param=param)
    return value


async def read_body(request: Asked, most_bytes: int, seconds: float) -> bytearray:
    """Return the body of a request.

    Raises:
        Refused: it is too large or too slow.
    """
    data = bytearray()
    async with _in_time(seconds):
        async for piece in request.stream():
            data += piece
            if len(data) > most_bytes:
                raise too_large(most_bytes)
    return data


def _check_json(headers: Mapping[str, str]) -> None:
    """Raise `Refused` where a request says that its body is something else than JSON."""
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind and kind != "application/json" and not kind.endswith("+json"):
        raise Refused(
            415, "unsupported_media_type", f"The request has to be JSON: its Content-Type application/json, not {kind}."
        )
    coding = headers.get("content-encoding", "identity").strip().lower()
    if coding != "identity":
        raise Refused(415, "unsupported_content_encoding", f"Bodies are taken as they are, not as {coding[:50]}.")


class Form:
    """A form that was read; its file lies on disk until it is closed."""

    def __init__(self, items: list[tuple[str, Any]]) -> None:
        self.texts = [(name, value) for name, value in items if isinstance(value, str)]
        """Names and values of the fields that are texts, in order."""
        self.files = {name: value.file for name, value in items if not isinstance(value, str)}
        """The files by the names of their fields."""

    def close(self) -> None:
        """Remove the files."""
        for file in self.files.values():
            file.close()


async def read_form(request: Asked, most_bytes: int, seconds: float) -> Form:
    """Return the form in a request's body.

    Raises:
        Refused: it is no such form, too large or too slow.
    """
    if not request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
        raise Refused(
            415, "unsupported_media_type", "The request has to be a form: its Content-Type multipart/form-data."
        )
    return await _parsed(request, most_bytes, _FORM_BYTES, seconds, max_files=1)


async def read_parts(request: Asked, most_bytes: int, seconds: float) -> dict[str, bytes]:
    """Return the parts of a small form by their names, whether they are sent as texts or as files.

    Raises:
        Refused: it cannot be read, is too large or too slow.
    """
    form = await _parsed(request, most_bytes, 0, seconds, max_files=_FORM_FIELDS)
    try:
        parts = {name: file.read() for name, file in form.files.items()}
    finally:
        form.close()
    return parts | {name: text.encode(errors="replace") for name, text in form.texts}


async def _parsed(request: Asked, most_bytes: int, besides_bytes: int, seconds: float, *, max_files: int) -> Form:
    async def bounded() -> AsyncGenerator[bytes, None]:
        read = 0
        async for piece in request.stream():
            read += len(piece)
            if read > most_bytes + besides_bytes:
                raise too_large(most_bytes)
            yield piece

    parser = MultiPartParser(
        request.headers, bounded(), max_files=max_files, max_fields=_FORM_FIELDS, max_part_size=_FORM_BYTES
    )
    try:
        async with _in_time(seconds):
            form = await parser.parse()
    except (MultiPartException, HTTPException) as error:
        raise Refused(400, "invalid_form", f"The form cannot be read: {_detail(error)}.") from error
    return Form(form.multi_items())


def too_large(most_bytes: int) -> Refused:
    """Return the refusal of what exceeds a bound."""
    return Refused(
        413,
        "content_too_large",
        f"The request is larger than the {most_bytes} bytes that this server takes.",
        headers={"Connection": "close"},
    )


@asynccontextmanager
async def _in_time(seconds: float) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError:
        raise Refused(
            408,
            "request_timeout",
            f"The request did not arrive within {seconds:g} seconds.",
            headers={"Connection": "close"},
        ) from None
    except ClientDisconnect as error:
        raise Refused(400, "client_disconnected", "The request broke off.") from error


def _detail(error: MultiPartException | HTTPException) -> str:
    told = error.message if isinstance(error, MultiPartException) else error.detail
    return told.strip().rstrip(".").replace("\n", " ")[:200]


class Gone(Exception):
    """The client went away before its answer began."""


class Streamed(Response):
    """A response whose body comes from a generator, from its second piece on."""

    def __init__(
        self,
        first: bytes,
        rest: AsyncGenerator[bytes, None],
        *,
        media_type: str,
        stall_seconds: float,
        done: Callable[[], None],
        status: int = 200,
        headers: dict[str, str] | None = None,
    ) -> None:
        """Prepare.

        Args:
            first: the first piece of the body.
            rest: makes the others.
            media_type: of the whole.
            stall_seconds: for how long a client may take nothing.
            done: called when the response is over, however it ends.
            status: the HTTP status.
            headers: further headers.
        """
        super().__init__(status_code=status, headers=headers, media_type=media_type)
        # What is made while it is sent is not to wait in a proxy until it is complete.
        self.headers["X-Accel-Buffering"] = "no"
        self.headers.setdefault("Cache-Control", "no-cache")
        del self.headers["content-length"]  # of the body that is not known yet
        self._first = first
        self._rest = rest
        self._stall_seconds = stall_seconds
        self._done = done

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        sending = asyncio.create_task(self._send_all(send), name="streamed response")
        leaving = asyncio.create_task(_left(receive), name="client of a streamed response")
        try:
            await asyncio.wait((sending, leaving), return_when=asyncio.FIRST_COMPLETED)
        finally:
            await _ended(leaving)
            if not sending.done():
                await _ended(sending)
            self._done()
        if not sending.cancelled() and (failure := sending.exception()) is not None:
            if not isinstance(failure, EngineError | TimeoutError):
                raise failure
            # No status can tell it any more: the server cuts off what was left without its end.
            _log.warning("a response was broken off: %s", str(failure) or "its client takes nothing")

    async def _send_all(self, send: Send) -> None:
        async with aclosing(self._rest) as rest:
            start = {"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers}
            await send(start)
            await self._send(send, self._first)
            async for piece in rest:
                await self._send(send, piece)
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _send(self, send: Send, piece: bytes) -> None:
        if piece:
            async with asyncio.timeout(self._stall_seconds):
                await send({"type": "http.response.body", "body": piece, "more_body": True})


async def settled(request: Asked, work: Coroutine[Any, Any, T]) -> T:
    """Return what `work` comes to, unless the client, whose request has been read, goes away before.

    Raises:
        Gone: it did.
    """
    working = asyncio.create_task(work, name="work for a client that waits")
    leaving = asyncio.create_task(_left(request.receive), name="client that waits")
    try:
        await asyncio.wait((working, leaving), return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            return working.result()
    finally:
        await _ended(leaving)
        await _ended(working)
    raise Gone


async def begun(request: Asked, pieces: AsyncGenerator[bytes, None]) -> bytes:
    """Return the first piece, empty if there is none, unless the client goes away before; then all is stopped.

    Raises:
        Gone: it did.
    """

    async def first() -> bytes:
        return await anext(pieces, b"")

    try:
        return await settled(request, first())
    except BaseException:
        await pieces.aclose()
        raise


async def _left(receive: Receive) -> None:
    """Return when the client is gone."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def _ended(task: asyncio.Task[Any]) -> None:
    """Cancel a task and return when it is over; what it came to is its owner's business."""
    task.cancel()
    await asyncio.wait((task,))


def router_of(admission: Admission, endpoints: Mapping[str, Callable[[Asked], Awaitable[Answer]]]) -> Router:
    """Return a router that answers `POST` at each path, for those whose keys are known."""

    async def authenticated(request: HttpRequest) -> None:
        request.state.key_id = admission.authenticate(head_of(request))

    router = APIRouter(dependencies=[Depends(authenticated)])
    for path, answer in endpoints.items():
        router.add_api_route(path, _endpoint(answer), methods=["POST"], response_model=None)
    return router


def open_router(endpoints: Mapping[tuple[str, str], Callable[[Asked], Awaitable[Answer]]]) -> Router:
    """Return a router of endpoints by method and path that decide themselves whom they let in."""
    router = APIRouter()
    for (method, path), answer in endpoints.items():
        router.add_api_route(path, _endpoint(answer), methods=[method], response_model=None)
    return router


def socket_router(paths: Iterable[str], serve: Callable[[Socket], Awaitable[None]]) -> Router:
    """Return a router of WebSockets, each of which is served until it is closed."""

    async def endpoint(socket: WebSocket) -> None:
        await serve(socket)

    router = APIRouter()
    for path in paths:
        router.add_api_websocket_route(path, endpoint)
    return router


async def accepted(socket: Socket) -> None:
    """Accept a socket, with the first subprotocol that it offers."""
    offered = socket.scope.get("subprotocols") or [None]
    await socket.accept(offered[0])


async def denied(socket: Socket, refusal: Refused) -> None:
    """Refuse a socket that was not accepted."""
    await socket.send_denial_response(
        Response(refusal.body, refusal.status, refusal.headers, media_type="application/json")
    )


async def next_message(socket: Socket) -> str | bytes | None:
    """Return the next message of a socket; None when it is closed."""
    told = await socket.receive()
    if told["type"] != "websocket.receive":
        return None
    text: str | None = told.get("text")
    return text if text is not None else bytes(told.get("bytes") or b"")


async def sent(socket: Socket, message: str | bytes) -> bool:
    """Send a message, and return whether anybody was there to take it."""
    try:
        await (socket.send_text(message) if isinstance(message, str) else socket.send_bytes(message))
    except (WebSocketDisconnect, RuntimeError):
        return False
    return True


async def closed(socket: Socket, code: int, reason: str) -> None:
    """Close a socket, unless it is closed."""
    with suppress(WebSocketDisconnect, RuntimeError):
        await socket.close(code, reason[:100])


def head_of(request: Asked | Socket) -> Request:
    """Return the head of a request, for those who decide whom they let in."""
    peer = f"{request.client.host}:{request.client.port}" if request.client else "unknown"
    return Request(request.url.path, request.query_params, request.headers, peer)


def key_id_of(request: Asked) -> str:
    """Return the id of the key that a request was let in with."""
    return str(request.state.key_id)


def _endpoint(answer: Callable[[Asked], Awaitable[Answer]]) -> Callable[[HttpRequest], Awaitable[Response]]:
    async def endpoint(request: HttpRequest) -> Response:
        try:
            return await answer(request)
        except Gone:
            return Response(status_code=_GONE)

    return endpoint
