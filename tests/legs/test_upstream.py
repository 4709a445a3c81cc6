from __future__ import annotations

import asyncio
import json
import socket
import ssl
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from http import HTTPStatus
from pathlib import Path

import pytest
from websockets.asyncio.server import ServerConnection, unix_serve
from websockets.exceptions import InvalidMessage
from websockets.http11 import Request, Response

from fakes import BETA_SESSION, GA_SESSION
from vivavoce.core.errors import ConfigError
from vivavoce.legs.line import Line, LineError
from vivavoce.legs.upstream import Upstream, dial, unreachable

Serve = Callable[[ServerConnection], Awaitable[None]]


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("ws://h:8000", "ws://h:8000/v1/realtime?model=m"),
        ("http://h:8000/", "ws://h:8000/v1/realtime?model=m"),
        ("https://h/v1", "wss://h/v1/realtime?model=m"),
        ("wss://h/v1/realtime/", "wss://h/v1/realtime?model=m"),
        ("wss://h/v1/realtime?model=other", "wss://h/v1/realtime?model=other"),
        ("wss://h/a/b?x=1", "wss://h/a/b?x=1&model=m"),
        ("localhost:8000", "ws://localhost:8000/v1/realtime?model=m"),
        ("[::1]:8000/v1", "ws://[::1]:8000/v1/realtime?model=m"),
        ("127.0.0.1", "ws://127.0.0.1/v1/realtime?model=m"),
        ("api.openai.com", "wss://api.openai.com/v1/realtime?model=m"),
        ("https://r.openai.azure.com", "wss://r.openai.azure.com/openai/v1/realtime?model=m"),
        ("https://r.openai.azure.com/openai/v1/", "wss://r.openai.azure.com/openai/v1/realtime?model=m"),
        (
            "https://r.openai.azure.com/openai/realtime",
            "wss://r.openai.azure.com/openai/realtime?deployment=m&api-version=2024-10-01-preview",
        ),
        (
            "wss://r.openai.azure.com/openai/realtime?api-version=2025-04-01-preview&deployment=d",
            "wss://r.openai.azure.com/openai/realtime?api-version=2025-04-01-preview&deployment=d",
        ),
    ],
)
def test_a_url_is_completed_to_the_realtime_endpoint(url: str, address: str) -> None:
    assert Upstream(url, model="m").address == address


@pytest.mark.parametrize("url", ["", "ftp://h", "ws://", "ws://h:x", "ws://h:99999", "ws://[::1"])
def test_what_is_no_url_of_a_server_is_refused(url: str) -> None:
    with pytest.raises(ConfigError):
        _ = Upstream(url).address


def test_the_key_goes_into_the_header_that_the_host_expects() -> None:
    assert Upstream("wss://h", key=" k\n").headers == {"Authorization": "Bearer k"}
    assert Upstream("wss://r.openai.azure.com", key="k").headers == {"api-key": "k"}
    assert Upstream("wss://vm.westeurope.cloudapp.azure.com", key="k").headers == {"Authorization": "Bearer k"}
    assert Upstream("wss://h").headers == {}


@pytest.mark.parametrize("key", ["k\nX: y", "schlüssel", "k\x00"])
def test_a_key_that_no_header_can_carry_is_refused(key: str) -> None:
    with pytest.raises(ConfigError, match="the key contains") as caught:
        _ = Upstream("wss://h", key=key).headers
    assert key not in str(caught.value)


def test_the_beta_shape_is_asked_for_by_a_header() -> None:
    assert Upstream("wss://h", shape="beta").headers == {"OpenAI-Beta": "realtime=v1"}
    preview = "wss://r.openai.azure.com/openai/realtime?deployment=d"
    assert "OpenAI-Beta" in Upstream(preview).headers
    assert "OpenAI-Beta" not in Upstream(preview, shape="ga").headers


def test_neither_keys_nor_passwords_are_shown() -> None:
    upstream = Upstream("wss://user:secret@h:1/v1?api-key=secret&x=1")
    assert upstream.shown == "wss://h:1/v1/realtime?api-key=***&x=1"


@pytest.mark.parametrize(
    ("error", "text", "again"),
    [
        (ConnectionRefusedError(111, "Connect call failed ('127.0.0.1', 1)"), "connection refused", True),
        (OSError("Multiple exceptions: [Errno 111] Connect call failed, ..."), "connection refused", True),
        (socket.gaierror(-2, "Name or service not known"), "the host name h cannot be resolved", True),
        (TimeoutError("timed out during opening handshake"), "no answer within 20 s", True),
        (OSError(101, "Network is unreachable"), "Network is unreachable", True),
        (ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER] wrong version number"), "TLS failed", False),
        (InvalidMessage("did not receive a valid HTTP response"), "does not answer as a WebSocket server", False),
    ],
)
def test_a_server_out_of_reach_is_named_with_the_cause(error: Exception, text: str, again: bool) -> None:
    told = unreachable(Upstream("wss://u:p@h:8000"), error)
    assert str(told).startswith("cannot reach h:8000: ")
    assert text in str(told)
    assert "\n" not in str(told)
    assert told.again is again


def test_an_untrusted_certificate_is_told_with_the_way_out() -> None:
    error = ssl.SSLCertVerificationError(1, "certificate verify failed")
    error.verify_message = "self-signed certificate"
    told = str(unreachable(Upstream("wss://h"), error))
    assert told == (
        "cannot reach h: its certificate is not trusted (self-signed certificate); --insecure accepts it all the same"
    )


async def begin(connection: ServerConnection) -> None:
    beta = connection.request is not None and "OpenAI-Beta" in connection.request.headers
    session = BETA_SESSION if beta else GA_SESSION
    await connection.send(json.dumps({"type": "session.created", "event_id": "e", "session": session}))


@asynccontextmanager
async def serving(
    serve: Serve,
    upgrade: Callable[[ServerConnection, Request], Response | None] | None = None,
) -> AsyncIterator[Callable[[Upstream], Awaitable[Line]]]:
    with tempfile.TemporaryDirectory() as folder:  # shorter than pytest's own: a socket's path has 100 characters
        path = str(Path(folder) / "s")

        async def dialled(upstream: Upstream) -> Line:
            connected = socket.socket(socket.AF_UNIX)
            connected.connect(path)
            connected.setblocking(False)
            return await dial(upstream, connected=connected)

        async with unix_serve(serve, path, process_request=upgrade):
            yield dialled


async def test_a_line_over_a_websocket_speaks_text_frames_both_ways() -> None:
    heard: list[object] = []

    async def serve(connection: ServerConnection) -> None:
        await begin(connection)
        heard.append(connection.request.headers["Authorization"] if connection.request else None)
        heard.append(await connection.recv())
        await connection.send(json.dumps({"type": "session.updated", "session": {"id": "new"}}))
        await connection.wait_closed()

    async with serving(serve) as dialled:
        line = await dialled(Upstream("ws://h", key="k"))
        await line.send({"type": "session.update", "session": {"type": "realtime"}})
        events = [(await anext(line))["type"] for _ in range(2)]
        await line.close()
        assert [event async for event in line] == []
    assert events == ["session.created", "session.updated"]
    assert heard == ["Bearer k", '{"type":"session.update","session":{"type":"realtime"}}']
    assert line.session == {"id": "new"}


async def test_a_server_asked_for_the_beta_shape_is_understood() -> None:
    async def serve(connection: ServerConnection) -> None:
        await begin(connection)
        await connection.wait_closed()

    async with serving(serve) as dialled:
        line = await dialled(Upstream("ws://h", shape="beta"))
        assert line.shape == "beta"
        assert line.session["output_modalities"] == ["audio"]
        await line.close()


async def test_a_message_of_many_megabytes_arrives_whole() -> None:
    async def serve(connection: ServerConnection) -> None:
        await begin(connection)
        await connection.send(json.dumps({"type": "response.output_audio.delta", "delta": "A" * 8_000_000}))
        await connection.wait_closed()

    async with serving(serve) as dialled:
        line = await dialled(Upstream("ws://h"))
        await anext(line)
        assert len((await anext(line))["delta"]) == 8_000_000
        await line.close()


@pytest.mark.parametrize(
    ("status", "body", "text"),
    [
        (401, '{"error": {"message": "Incorrect API key."}}', "h: the key was refused (HTTP 401): Incorrect API key."),
        (403, "<b>no</b>", "h: access was refused (HTTP 403): <b>no</b>"),
        (404, '{"error": "no such model"}', "h: there is no such endpoint or model (HTTP 404): no such model"),
        (503, "", "h: the session was refused (HTTP 503): Service Unavailable"),
    ],
)
async def test_a_refused_upgrade_is_told_in_the_words_of_the_server(status: int, body: str, text: str) -> None:
    def upgrade(connection: ServerConnection, request: Request) -> Response:
        return connection.respond(HTTPStatus(status), body)

    async with serving(begin, upgrade) as dialled:
        with pytest.raises(LineError) as caught:
            await dialled(Upstream("ws://h"))
    assert str(caught.value) == text
    assert caught.value.again is (status == 503)


async def test_a_close_instead_of_a_session_is_told_with_its_reason() -> None:
    async def serve(connection: ServerConnection) -> None:
        await connection.close(3000, "invalid_request_error.invalid_api_key")

    async with serving(serve) as dialled:
        with pytest.raises(LineError, match=r"code 3000\): invalid_request_error.invalid_api_key") as caught:
            await dialled(Upstream("ws://h"))
    assert not caught.value.again


async def test_a_connection_that_breaks_is_told_as_lost() -> None:
    async def serve(connection: ServerConnection) -> None:
        await begin(connection)
        connection.transport.abort()

    async with serving(serve) as dialled:
        line = await dialled(Upstream("ws://h"))
        await anext(line)
        with pytest.raises(LineError, match="the connection to the server was lost") as caught:
            await anext(line)
        assert caught.value.again
        with pytest.raises(LineError, match="lost"):
            await line.send({"type": "response.create"})


async def test_a_server_of_something_else_does_not_pass_for_one() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail ready\r\n")
        writer.close()

    near, far = socket.socketpair()
    near.setblocking(False)
    reader, writer = await asyncio.open_connection(sock=far)
    await serve(reader, writer)
    with pytest.raises(LineError, match="does not answer as a WebSocket server"):
        await dial(Upstream("ws://h"), connected=near)
