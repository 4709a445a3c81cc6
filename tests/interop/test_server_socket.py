"""The server on real sockets, with an owner that echoes, driven by a real client and by clients that misbehave."""

from __future__ import annotations

import asyncio
import contextlib
import os
import queue
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
import websockets

from sockets import CLOSE, TEXT, Frame, frame, read_frames

pytestmark = pytest.mark.interop

HEAD = (
    b"GET /v1/realtime HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
MIB = 1024 * 1024
PATIENCE_SECONDS = 15


class EchoServer:
    """The program of that name, as a child process."""

    def __init__(self, state: Path, *, tls: bool = False, environment: dict[str, str] | None = None) -> None:
        program = Path(__file__).with_name("echo_server.py")
        self.authority = state / "tls" / "ca.pem" if tls else None
        flags = ["--port", "0", "--state-dir", str(state), *(["--tls-self-signed"] if tls else [])]
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("VIVAVOCE_")}
        self.process = subprocess.Popen(
            [sys.executable, str(program), *flags],
            env=inherited | (environment or {}),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.lines: list[str] = []
        self._news: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def await_start(self) -> None:
        """Wait for the start message and take the address from it."""
        self.url = next(word for word in self.await_line("WebSocket").split() if "://" in word)
        self.await_line("Engines")
        self.port = int(self.url.split("/v1/")[0].rsplit(":", 1)[1])

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line.rstrip())
            self._news.put(line.rstrip())

    def await_line(self, wanted: str) -> str:
        """Return the next line that contains a text."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                line = self._news.get(timeout=max(0.01, deadline - time.monotonic()))
            except queue.Empty:
                raise AssertionError(f"no {wanted!r} in {self.lines}") from None
            if wanted in line:
                return line

    @property
    def rss_bytes(self) -> int:
        """How much memory the server holds."""
        answer = subprocess.run(
            ["ps", "-o", "rss=", "-p", str(self.process.pid)], capture_output=True, text=True, check=True
        )
        return int(answer.stdout) * 1024

    def context(self) -> ssl.SSLContext | None:
        """What a client needs that trusts the server."""
        return ssl.create_default_context(cafile=str(self.authority)) if self.authority else None

    def connect(self) -> socket.socket:
        """Return a socket that has said nothing yet."""
        plain = socket.create_connection(("127.0.0.1", self.port), PATIENCE_SECONDS)
        context = self.context()
        return context.wrap_socket(plain, server_hostname="localhost") if context else plain

    def upgrade(self, more: bytes = b"") -> socket.socket:
        """Return a socket whose upgrade is done."""
        connection = self.connect()
        connection.sendall(HEAD + more)
        answer = b""
        while b"\r\n\r\n" not in answer:
            # A byte at a time, so that no frame is taken with it.
            answer += connection.recv(1)
        assert answer.startswith(b"HTTP/1.1 101 ")
        return connection

    def stop(self) -> int:
        """Ask it to end and return its status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE_SECONDS)


def rest_of(connection: socket.socket) -> list[Frame]:
    """Return all frames until the server ends the connection."""
    data = b""
    with connection, contextlib.suppress(ConnectionResetError, ssl.SSLError):
        while piece := connection.recv(65536):
            data += piece
    return read_frames(data)[0]


@contextlib.contextmanager
def running(state: Path, *, tls: bool = False, **environment: str) -> Iterator[EchoServer]:
    """A server that ends with the context, in good order."""
    server = EchoServer(state, tls=tls, environment=environment)
    try:
        server.await_start()
        yield server
        assert server.stop() == 0
        assert server.lines[-1] == "switchboard closed"
    finally:
        server.process.kill()


KINDS = [(False, "uvloop"), (True, "uvloop"), (False, "asyncio"), (True, "asyncio")]


@pytest.fixture(scope="module", params=KINDS, ids=["plain", "tls", "plain-asyncio", "tls-asyncio"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[EchoServer]:
    tls, loop = request.param
    with running(tmp_path_factory.mktemp("state"), tls=tls, ECHO_LOOP=loop) as server:
        yield server


def test_a_real_client_gets_everything_back(server: EchoServer) -> None:
    async def talk() -> None:
        offers = [websockets.Subprotocol("realtime"), websockets.Subprotocol("openai-insecure-api-key.sk-any")]
        async with websockets.connect(server.url, subprotocols=offers, max_size=None, ssl=server.context()) as client:
            assert client.subprotocol == "realtime"
            assert client.response is not None
            assert "Sec-WebSocket-Extensions" not in client.response.headers
            messages = ["x" * (index * 7919 % 60_000) for index in range(200)] + ["ü" * (10 * MIB)]
            for message in messages:
                await client.send(message)
            for message in messages:
                assert await client.recv() == message
            await (await client.ping())

    asyncio.run(talk())
    assert server.await_line("closed") == "closed 1000"


def test_http_and_sockets_share_the_port(server: EchoServer) -> None:
    scheme = "https" if server.authority else "http"
    url = f"{scheme}://localhost:{server.port}/readyz"
    with urllib.request.urlopen(url, timeout=PATIENCE_SECONDS, context=server.context()) as answer:
        assert answer.status == 200


def test_a_frame_may_come_with_the_upgrade(server: EchoServer) -> None:
    connection = server.upgrade(frame(TEXT, b"early") + frame(CLOSE))
    assert rest_of(connection) == [(TEXT, b"early"), (CLOSE, b"\x03\xe8")]


@pytest.mark.parametrize(("tls", "loop"), KINDS)
def test_clients_that_read_nothing_cost_no_memory_for_long(tmp_path: Path, tls: bool, loop: str) -> None:
    # A server of its own: what an allocator keeps back after other tests' large messages would blur the figure.
    with running(tmp_path, tls=tls, ECHO_LOOP=loop) as server:
        server.upgrade(frame(CLOSE)).close()
        before = server.rss_bytes
        clients = []
        for _ in range(12):
            clients.append(server.upgrade(frame(TEXT, b"flood")))
            assert server.await_line("closed 1013") == "closed 1013 slow client"
        # Each was sent 8 MiB and more; what one may hold for a moment is allowed for, what all would is not.
        assert server.rss_bytes - before < 30 * MIB
        for client in clients:
            client.close()


def test_a_frame_beyond_the_limit_is_refused_and_its_sender_learns_why(server: EchoServer) -> None:
    connection = server.upgrade()
    with contextlib.suppress(ConnectionError, ssl.SSLError, TimeoutError):
        connection.sendall(frame(TEXT, b"x" * (25 * MIB)))
    [(kind, payload)] = rest_of(connection)
    assert (kind, payload[:2]) == (CLOSE, b"\x03\xf1")


def test_a_silent_client_is_closed(server: EchoServer) -> None:
    frames = rest_of(server.upgrade())
    assert frames[-1] == (CLOSE, b"\x03\xf3no answer to pings")


def test_a_bug_closes_one_leg_and_no_other(server: EchoServer) -> None:
    other = server.upgrade()
    [(kind, payload)] = rest_of(server.upgrade(frame(TEXT, b"fail")))
    assert (kind, payload) == (CLOSE, b"\x03\xf3")
    other.sendall(frame(TEXT, b"well") + frame(CLOSE))
    assert rest_of(other) == [(TEXT, b"well"), (CLOSE, b"\x03\xe8")]


@pytest.mark.parametrize("begun", [b"", HEAD[:40]])
def test_a_request_that_never_ends_is_cut(server: EchoServer, begun: bytes) -> None:
    connection = server.connect()
    connection.sendall(begun)
    assert rest_of(connection) == []


def test_a_tls_handshake_that_never_ends_is_cut(tmp_path: Path) -> None:
    with running(tmp_path, tls=True) as server:
        with socket.create_connection(("127.0.0.1", server.port), PATIENCE_SECONDS) as connection:
            assert connection.recv(1) == b""
        message = "\n".join(server.lines)
        assert f"base_url=https://localhost:{server.port}/v1" in message
        assert f"NODE_EXTRA_CA_CERTS={server.authority}" in message
        assert f"SSL_CERT_FILE={server.authority}" in message


def test_a_stopping_server_says_that_it_restarts(tmp_path: Path) -> None:
    with running(tmp_path) as server:
        connection = server.upgrade()
    assert rest_of(connection) == [(CLOSE, b"\x03\xf4server restarting")]
    assert "closed 1012 server restarting" in server.lines


def test_the_start_message_tells_how_to_connect(tmp_path: Path) -> None:
    with running(tmp_path, VIVAVOCE_API_KEYS="sk-one,sk-two", VIVAVOCE_HOST="0.0.0.0") as server:
        message = "\n".join(server.lines)
        assert f"base_url=http://{socket.gethostname()}:{server.port}/v1" in message
        assert "one of 2" in message
        assert "an echo" in message
        assert "sk-" not in message


def test_a_name_with_two_addresses_has_one_port(tmp_path: Path) -> None:
    with running(tmp_path, VIVAVOCE_HOST="localhost") as server:
        for *_, address in socket.getaddrinfo("localhost", server.port, type=socket.SOCK_STREAM):
            socket.create_connection(address[:2], PATIENCE_SECONDS).close()


def test_engines_that_cannot_be_loaded_are_one_line_and_a_failure(tmp_path: Path) -> None:
    server = EchoServer(tmp_path, environment={"ECHO_LOADING": "fails"})
    assert server.process.wait(PATIENCE_SECONDS) == 1
    assert server.await_line("switchboard closed")
    assert server.await_line("EngineError: no engine")


def test_a_server_can_be_stopped_while_it_loads(tmp_path: Path) -> None:
    server = EchoServer(tmp_path, environment={"ECHO_LOADING": "hangs"})
    server.await_line("loading")
    assert server.stop() == 0
    assert server.lines == ["loading", "switchboard closed"]


def test_a_port_in_use_is_one_line_and_a_failure(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        command = [str(Path(sys.executable).with_name("vivavoce")), "serve", "--port", str(taken.getsockname()[1])]
        ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 1
    assert ended.stdout == ""
    assert ended.stderr.count("\n") == 1
    assert "is in use already" in ended.stderr
