from __future__ import annotations

import asyncio
import functools
import hashlib
import json
import re
from collections.abc import Callable
from typing import Any

import httptools
import pytest
import uvicorn
from fastapi import FastAPI, WebSocket
from uvicorn.server import ServerState

from sockets import CLOSE, TEXT, ClockLoop, FakeTransport, closing, frame, run, settle
from vivavoce.config import Access, Limits, Secret
from vivavoce.core.settings import Settings
from vivavoce.legs import Leg
from vivavoce.legs.websocket import WebSocketLeg
from vivavoce.server.admission import Admission, Connection
from vivavoce.server.app import create_app, socket_paths
from vivavoce.server.arrivals import Arrivals
from vivavoce.server.client_secrets import Grant
from vivavoce.server.hybrid import REALTIME_PATHS, Gate, HttpProtocol
from vivavoce.server.ledger import Ledger
from vivavoce.server.proxies import Proxies

LIMITS = Limits()
UPGRADE = (
    "GET {path} HTTP/1.1\r\nHost: localhost:8000\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n{headers}\r\n"
)
HEALTH = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"


def upgrade(path: str = "/v1/realtime?model=vivavoce", headers: str = "") -> bytes:
    return UPGRADE.format(path=path, headers=headers).encode()


class Echo:
    def __init__(self, connection: Connection, leg: Leg) -> None:
        self.connection = connection
        self.leg = leg
        self.endings: list[tuple[int, str]] = []

    def receive_frame(self, data: bytes) -> None:
        self.leg.send(data)

    def leg_closed(self, code: int, reason: str) -> None:
        self.endings.append((code, reason))


class Server:
    """The protocol of one connection after another, without sockets."""

    def __init__(self, access: Access, *, max_sessions: int, is_ready: bool, ledger: Ledger | None = None) -> None:
        self.owners: list[Echo] = []
        self.state = ServerState()
        admission = Admission(access, max_sessions, {"ek_one": GRANT}.get)
        app = create_app(access, admission, lambda: () if is_ready else ("ears",))
        self._add_socket(app)
        self.gate = Gate(
            admission, LIMITS, self.accept, lambda: is_ready, other_sockets=socket_paths(app), ledger=ledger
        )
        self.config = uvicorn.Config(
            app,
            http=functools.partial(HttpProtocol, self.gate),  # type: ignore[arg-type]
            ws="websockets-sansio",
            lifespan="off",
            log_config=None,
            access_log=False,
        )
        self.config.load()

    def accept(self, connection: Connection, leg: Leg) -> Echo:
        self.owners.append(Echo(connection, leg))
        return self.owners[-1]

    def connect(self) -> FakeTransport:
        transport = FakeTransport()
        make: Callable[..., Any] = self.config.http_protocol_class
        protocol = make(config=self.config, server_state=self.state, app_state={})
        transport.set_protocol(protocol)
        protocol.connection_made(transport)
        return transport

    def _add_socket(self, app: FastAPI) -> None:
        @app.websocket("/ws/echo")
        async def echo(socket: WebSocket) -> None:
            await socket.accept()
            await socket.send_text(await socket.receive_text())


def serving(
    test: Callable[[Server, ClockLoop], Any],
    access: Access | None = None,
    *,
    max_sessions: int = 9,
    is_ready: bool = True,
    ledger: Ledger | None = None,
) -> None:
    async def main(loop: ClockLoop) -> None:
        server = Server(access or Access(), max_sessions=max_sessions, is_ready=is_ready, ledger=ledger)
        await test(server, loop)

    run(main)


def head_of(transport: FakeTransport) -> tuple[str, dict[str, str]]:
    """Take the head of the next response off what was sent."""
    head, _, rest = bytes(transport.sent).partition(b"\r\n\r\n")
    transport.sent[:] = rest
    lines = head.decode().split("\r\n")
    return lines[0], {line.split(": ", 1)[0].lower(): line.split(": ", 1)[1] for line in lines[1:]}


def response_of(transport: FakeTransport) -> tuple[int, dict[str, str], Any]:
    """Take the next response off what was sent."""
    line, headers = head_of(transport)
    length = int(headers["content-length"])
    body = bytes(transport.sent[:length])
    del transport.sent[:length]
    return int(line.split()[1]), headers, json.loads(body) if body else None


@pytest.mark.parametrize("path", sorted(REALTIME_PATHS))
@pytest.mark.parametrize("end", ["", "/", "?model=gpt-realtime", "?x=%ZZ&&="])
def test_realtime_paths_become_legs(path: str, end: str) -> None:
    async def test(server: Server, loop: ClockLoop) -> None:
        transport = server.connect()
        transport.feed(upgrade(path + end))
        line, headers = head_of(transport)
        assert line == "HTTP/1.1 101 Switching Protocols"
        assert headers == {
            "upgrade": "websocket",
            "connection": "Upgrade",
            "sec-websocket-accept": "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
        }
        transport.feed(frame(TEXT, b"hello"))
        assert transport.frames() == [(TEXT, b"hello")]

    serving(test)


def test_a_request_may_come_in_pieces_and_frames_right_behind_it() -> None:
    async def test(server: Server, loop: ClockLoop) -> None:
        for size in (1, 7, 100, 10_000):
            transport = server.connect()
            stream = upgrade() + frame(TEXT, b"first") + frame(TEXT, b"s" * 300)
            for start in range(0, len(stream), size):
                transport.feed(stream[start : start + size])
            assert head_of(transport)[0].startswith("HTTP/1.1 101 ")
            assert transport.frames() == [(TEXT, b"first"), (TEXT, b"s" * 300)]

    serving(test)


def test_a_kept_alive_connection_can_be_upgraded_later() -> None:
    async def test(server: Server, loop: ClockLoop) -> None:
        transport = server.connect()
        transport.feed(HEALTH)
        await settle()
        assert response_of(transport)[0] == 200
        await loop.pass_time(3)
        transport.feed(upgrade() + frame(TEXT, b"x"))
        assert head_of(transport)[0].startswith("HTTP/1.1 101 ")
        assert transport.frames() == [(TEXT, b"x")]
        await loop.pass_time(15)
        assert transport.ending == ""

    serving(test)


def test_an_upgrade_waits_for_the_response_before_it() -> None:
    async def test(server: Server, loop: ClockLoop) -> None:
        transport = server.connect()
        transport.feed(HEALTH + upgrade() + frame(TEXT, b"x"))
        assert not transport.sent
        assert transport.is_reading_paused
        await settle()
        assert response_of(transport)[0] == 200
        assert head_of(transport)[0].startswith("HTTP/1.1 101 ")
        assert transport.frames() == [(TEXT, b"x")]
        assert not transport.is_reading_paused

    serving(test)


@pytest.mark.parametrize(
    ("request_bytes", "status", "code"),
    [
        (upgrade().replace(b"Sec-WebSocket-Key", b"X-Key"), 400, "invalid_handshake"),
        (upgrade().replace(b"dGhlIHNhbXBsZSBub25jZQ==", b"dGhl"), 400, "invalid_handshake"),
        (upgrade().replace(b"dGhlIHNhbXBsZSBub25jZQ==", b"\xff"), 400, "invalid_handshake"),
        (upgrade().replace(b"Version: 13", b"Version: 8"), 426, "unsupported_websocket_version"),
        (upgrade().replace(b"HTTP/1.1", b"HTTP/1.0"), 400, "invalid_handshake"),
        (upgrade(headers="Content-Length: 3\r\n"), 400, "invalid_handshake"),
        (upgrade(headers="Origin: https://evil.example\r\n"), 403, "origin_not_allowed"),
        (upgrade().replace(b"localhost:8000", b"evil.example"), 403, "host_not_allowed"),
        (upgrade("/v1/realtimes"), 404, "unknown_url"),
        (upgrade("/v1/live"), 404, "unknown_url"),
        (b"\x16\x03\x01\x02\x00 not HTTP\r\n\r\n", 400, "invalid_request"),
    ],
)
def test_bad_requests_are_answered_and_closed(request_bytes: bytes, status: int, code: str) -> None:
    async def test(server: Server, loop: ClockLoop) -> None:
        transport = server.connect()
        transport.feed(request_bytes)
        got, headers, body = response_of(transport)
        assert (got, body["error"]["code"]) == (status, code)
        assert headers["connection"] == "close"
        assert headers["content-type"] == "application/json"
        assert set(body["error"]) == {"message", "type", "param", "code"}
        assert transport.ending == "closed"
        assert server.owners == []
        await settle()
        assert server.state.connections == set()

    serving(test)


def test_the_version_that_is_spoken_is_told() -> None:
    async def test(server: Server, loop: ClockLoop) -> None:
        transport = server.connect()
        transport.feed(upgrade().replace(b"Version: 13", b"Version: 12"))
        assert response_of(transport)[1]["sec-websocket-version"] == "13"

    serving(test)


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "DELETE"])
def test_realtime_paths_answer_other_requests_in_json(method: str) -> None:
    async def test(server: Server, loop: ClockLoop) -> None:
        transport = server.connect()
        transport.feed(f"{method} /v1/realtime HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n".encode())
        await settle()
        line, headers = head_of(transport)
        assert int(line.split()[1]) == (426 if method in ("GET", "HEAD") else 405)
        assert headers["content-type"] == "application/json"
        if method != "HEAD":
            expected = "upgrade_required" if method == "GET" else "method_not_allowed"
            assert json.loads(bytes(transport.sent))["error"]["code"] == expected

    serving(test)


def test_an_upgrade_is_asked_for_by_get() -> None:
    async def test(server: Server, loop: ClockLoop) -> None:
        transport = server.connect()
        transport.feed(upgrade().replace(b"GET", b"POST", 1))
        await settle()
        assert response_of(transport)[0] == 405

    serving(test)


def test_offers_of_other_protocols_are_ignored() -> None:
    async def test(server: Server, loop: ClockLoop) -> None:
        transport = server.connect()
        transport.feed(HEALTH.replace(b"\r\n\r\n", b"\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"))
        await settle()
        assert response_of(transport)[0] == 200

    serving(test)


def test_other_websockets_are_the_applications() -> None:
    async def test(server: Server, loop: ClockLoop) -> None:
        transport = server.connect()
        transport.feed(upgrade("/ws/echo") + frame(TEXT, b"to the application"))
        for _ in range(5):
            await settle()
        assert head_of(transport)[0].startswith("HTTP/1.1 101 ")
        assert transport.frames()[0] == (TEXT, b"to the application")
        assert server.owners == []

    serving(test)


OFFER = "Sec-WebSocket-Protocol"
KEYS = Access(api_keys=(Secret("sk-one"), Secret("sk-two_0123456789abcdef")))
GRANT = Grant(Settings(), key_id=hashlib.sha256(b"sk-one").hexdigest()[:8])


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/v1/realtime", "Authorization: Bearer sk-one\r\n"),
        ("/v1/realtime", "authorization: bearer  sk-two_0123456789abcdef \r\n"),
        ("/openai/realtime", "api-key: sk-one\r\n"),
        ("/openai/realtime?api-version=2024-10-01-preview&api-key=sk-one", ""),
        ("/v1/realtime", "Sec-WebSocket-Protocol: realtime, openai-insecure-api-key.ek_one\r\n"),
        (
            "/v1/realtime",
            f"{OFFER}: realtime\r\n{OFFER}: openai-insecure-api-key.ek_one\r\n",
        ),
    ],
)
def test_keys_are_taken_wherever_clients_put_them(path: str, headers: str) -> None:
    async def test(server: Server, loop: ClockLoop) -> None:
        transport = server.connect()
        transport.feed(upgrade(path, headers))
        line, answer = head_of(transport)
        assert line.startswith("HTTP/1.1 101 ")
        assert answer.get("sec-websocket-protocol") == ("realtime" if "Protocol" in headers else None)
        assert "sk-" not in repr(server.owners[0].connection)
        assert "ek_" not in repr(server.owners[0].connection)

    serving(test, KEYS)


@pytest.mark.parametrize(
    "headers",
    [
        "",
        "Authorization: Bearer sk-wrong_0123456789wxyz\r\n",
        "Authorization: Basic sk-one\r\n",
        "Sec-WebSocket-Protocol: realtime, openai-insecure-api-key.sk-one\r\n",
    ],
)
def test_wrong_keys_are_refused_before_the_upgrade(headers: str, caplog: pytest.LogCaptureFixture) -> None:
    async def test(server: Server, loop: ClockLoop) -> None:
        transport = server.connect()
        transport.feed(upgrade(headers=headers))
        status, answer, body = response_of(transport)
        assert status == 401
        assert answer["www-authenticate"] == "Bearer"
        assert body["error"]["code"] == "invalid_api_key"
        assert body["error"]["type"] == "invalid_request_error"
        assert "wrong" not in body["error"]["message"]
        assert server.owners == []

    caplog.set_level(0)
    serving(test, KEYS)
    assert "sk-" not in caplog.text


def test_a_full_server_says_when_to_come_again() -> None:
    async def test(server: Server, loop: ClockLoop) -> None:
        first, second, third = server.connect(), server.connect(), server.connect()
        first.feed(upgrade())
        second.feed(upgrade())
        status, headers, body = response_of(second)
        assert (status, headers["retry-after"], body["error"]["code"]) == (503, "5", "server_at_capacity")
        head_of(first)
        first.feed(closing(1000))
        await settle()
        third.feed(upgrade())
        assert head_of(third)[0].startswith("HTTP/1.1 101 ")

    serving(test, max_sessions=1)


def test_controllers_of_calls_come_in_where_no_other_can_and_take_no_room() -> None:
    async def test(server: Server, loop: ClockLoop) -> None:
        server.gate.calls = lambda: 1
        full, controller = server.connect(), server.connect()
        full.feed(upgrade())
        assert response_of(full)[0] == 503
        controller.feed(upgrade(path="/v1/realtime?call_id=rtc_u1_1"))
        assert head_of(controller)[0].startswith("HTTP/1.1 101 ")
        assert server.owners[0].connection.is_sideband
        assert (server.gate.sessions, len(server.gate.sidebands)) == (1, 1)
        controller.feed(closing(1000))
        await settle()
        assert len(server.gate.sidebands) == 0

    serving(test, max_sessions=1)


def test_a_key_without_money_is_refused_before_the_upgrade() -> None:
    ledger = Ledger(1.0, lambda: 86_400.0)

    async def test(server: Server, loop: ClockLoop) -> None:
        for key, expected in (("sk-one", 101), ("sk-two", 429)):
            transport = server.connect()
            transport.feed(upgrade(headers=f"Authorization: Bearer {key}\r\n"))
            if expected == 101:
                assert head_of(transport)[0].startswith("HTTP/1.1 101 ")
                ledger.charge(server.owners[0].connection.key_id, 0.5)
                continue
            ledger.charge(hashlib.sha256(key.encode()).hexdigest()[:8], 1.0)
            again = server.connect()
            again.feed(upgrade(headers=f"Authorization: Bearer {key}\r\n"))
            status, headers, body = response_of(again)
            assert (status, headers["retry-after"]) == (429, "86400")
            assert (body["error"]["type"], body["error"]["code"]) == ("insufficient_quota", "insufficient_quota")

    serving(test, Access(api_keys=(Secret("sk-one"), Secret("sk-two"))), ledger=ledger)


def test_a_server_that_still_loads_says_so() -> None:
    async def test(server: Server, loop: ClockLoop) -> None:
        transport = server.connect()
        transport.feed(upgrade())
        status, headers, body = response_of(transport)
        assert (status, headers["retry-after"], body["error"]["code"]) == (503, "1", "not_ready")

    serving(test, is_ready=False)


def test_conversations_that_begin_too_often_are_told_when_to_come_back() -> None:
    async def test(server: Server, loop: ClockLoop) -> None:
        server.gate.arrivals = Arrivals(2, lambda: 0.0)
        for _ in range(2):
            transport = server.connect()
            transport.feed(upgrade("/ws/conversation"))
            assert head_of(transport)[0] == "HTTP/1.1 101 Switching Protocols"
        transport = server.connect()
        transport.feed(upgrade("/ws/conversation/?model=gpt-realtime"))
        status, headers, body = response_of(transport)
        assert (status, headers["retry-after"], body["error"]["code"]) == (429, "30", "rate_limit_exceeded")
        transport = server.connect()
        transport.feed(upgrade())
        assert head_of(transport)[0] == "HTTP/1.1 101 Switching Protocols"

    serving(test)


def test_who_asks_through_a_trusted_proxy_is_counted_by_himself() -> None:
    async def test(server: Server, loop: ClockLoop) -> None:
        def status(told: str) -> int:
            transport = server.connect()
            transport.feed(upgrade("/ws/conversation", f"X-Forwarded-For: {told}\r\n"))
            return int(head_of(transport)[0].split()[1])

        server.gate.arrivals = Arrivals(1, lambda: 0.0)
        assert [status("203.0.113.5"), status("203.0.113.6")] == [101, 429], "nobody is trusted yet"
        server.gate.arrivals = Arrivals(1, lambda: 0.0)
        server.gate.proxies = Proxies(["192.0.2.0/24"])
        told = ("203.0.113.5", "203.0.113.6", "198.51.100.9, 203.0.113.5", "203.0.113.6, 192.0.2.9")
        assert [status(one) for one in told] == [101, 101, 429, 429]

    serving(test)


def test_keys_of_conversations_are_guessed_no_faster_and_counted_wherever_they_are_used() -> None:
    async def test(server: Server, loop: ClockLoop) -> None:
        statuses = []
        server.gate.arrivals = Arrivals(3, lambda: 0.0)
        for key in ("sk-bad", "sk-one", "sk-bad", "sk-one"):
            transport = server.connect()
            transport.feed(upgrade("/ws/conversation", f"Authorization: Bearer {key}\r\n"))
            statuses.append(int(head_of(transport)[0].split()[1]))
        assert statuses == [401, 101, 401, 429]

    serving(test, KEYS)


def test_heads_have_to_end_in_time() -> None:
    async def test(server: Server, loop: ClockLoop) -> None:
        silent, slow = server.connect(), server.connect()
        for _ in range(9):
            slow.feed(b"GET /v1/realtime HTTP/1.1\r\n" if not slow.sent and _ == 0 else b"X: y\r\n")
            await loop.pass_time(1)
        assert (silent.ending, slow.ending) == ("", "")
        await loop.pass_time(2)
        assert (silent.ending, slow.ending) == ("closed", "closed")

    serving(test)


def test_later_heads_have_to_end_in_time_too() -> None:
    async def test(server: Server, loop: ClockLoop) -> None:
        transport = server.connect()
        transport.feed(HEALTH)
        await settle()
        transport.feed(b"GET /healthz HTTP/1.1\r\n")
        await loop.pass_time(LIMITS.handshake_seconds + 1)
        assert transport.ending == "closed"

    serving(test)


def test_heads_without_end_are_refused() -> None:
    async def test(server: Server, loop: ClockLoop) -> None:
        transport = server.connect()
        transport.feed(b"GET /v1/realtime HTTP/1.1\r\n")
        for _ in range(70):
            if not transport.ending:
                transport.feed(b"X-Filler: " + b"x" * 1000 + b"\r\n")
        assert response_of(transport)[0] == 431
        assert transport.ending == "closed"

    serving(test)


def test_a_stopping_server_closes_its_legs() -> None:
    async def test(server: Server, loop: ClockLoop) -> None:
        transport = server.connect()
        transport.feed(upgrade())
        head_of(transport)
        [connection] = server.state.connections
        assert isinstance(connection, WebSocketLeg)
        connection.shutdown()
        assert transport.frames() == [(CLOSE, b"\x03\xf4server restarting")]
        await settle()
        assert server.owners[0].endings == [(1012, "server restarting")]
        transport.feed(closing(1012))
        await settle()
        assert server.state.connections == set()
        assert server.gate.legs == set()

    serving(test)


def test_connections_tell_what_the_request_said_without_its_secrets() -> None:
    async def test(server: Server, loop: ClockLoop) -> None:
        transport = server.connect()
        offers = "openai-beta.realtime-v1, openai-insecure-api-key.sk-one, realtime"
        secrets = "Authorization: Bearer sk-one\r\nCookie: a=b\r\n"
        headers = f"{secrets}X-A: 1\r\nx-a: 2\r\nSec-WebSocket-Protocol: {offers}\r\n"
        transport.feed(upgrade("http://localhost/v1/realtime%2F?model=a%20b&model=c&api-key=sk-one", headers))
        connection = server.owners[0].connection
        assert connection.path == "/v1/realtime/"
        assert connection.query == {"model": "c"}
        assert connection.headers["x-a"] == "1, 2"
        assert connection.subprotocols == ("openai-beta.realtime-v1", "realtime")
        assert connection.dialect_hint == "beta"
        assert connection.peer == "192.0.2.7:5000"
        assert re.fullmatch("[0-9a-f]{8}", connection.key_id)
        assert "sk-one" not in repr(connection)
        assert "a=b" not in repr(connection)

    serving(test, KEYS)


def test_a_peer_that_leaves_in_the_middle_of_a_request_is_forgotten() -> None:
    async def test(server: Server, loop: ClockLoop) -> None:
        transport = server.connect()
        transport.feed(upgrade()[:50])
        transport.close()
        await settle()
        assert server.state.connections == set()
        await loop.pass_time(20)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    serving(test)


def test_the_parser_tells_where_an_upgrade_request_ends() -> None:
    """The offset in this exception is what keeps frames that come behind the request."""
    parser = httptools.HttpRequestParser(object())
    with pytest.raises(httptools.HttpParserUpgrade) as raised:
        parser.feed_data(upgrade() + b"rest")
    assert (upgrade() + b"rest")[raised.value.args[0] :] == b"rest"


def test_sockets_below_a_path_are_the_applications_too() -> None:
    gate = Server(Access(), max_sessions=1, is_ready=True).gate
    gate.other_sockets = frozenset(("/ws/echo", "/telephone/{door}/{token}"))
    paths = ("/ws/echo", "/ws/echoes", "/telephone/twilio/tok", "/telephone", "/v1/realtime")
    assert [gate.is_other(path) for path in paths] == [True, False, True, False, False]
