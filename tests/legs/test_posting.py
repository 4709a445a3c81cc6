from __future__ import annotations

import asyncio
from typing import Any

import pytest

from vivavoce.legs import posting
from vivavoce.legs.line import LineError

ANSWER = b"HTTP/1.1 201 Created\r\nLocation: /v1/realtime/calls/rtc_1\r\nContent-Length: 3\r\n\r\nv=0"


class Writer:
    """The way to a server: what is sent is kept."""

    def __init__(self) -> None:
        self.sent = b""
        self.transport = self
        self.is_cut = False

    def write(self, data: bytes) -> None:
        self.sent += data

    async def drain(self) -> None: ...

    def abort(self) -> None:
        self.is_cut = True


class Server:
    """A server that answers what a test says, in pieces, and then closes or says nothing more."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *pieces: bytes, closes: bool = True) -> None:
        self.writer = Writer()
        self.where: tuple[Any, ...] = ()
        self._pieces = pieces
        self._closes = closes
        monkeypatch.setattr(asyncio, "open_connection", self._open)

    async def _open(self, host: str, port: int, **named: Any) -> tuple[asyncio.StreamReader, Writer]:
        self.where = (host, port, named["server_hostname"])
        reader = asyncio.StreamReader()
        for piece in self._pieces:
            reader.feed_data(piece)
        if self._closes:
            reader.feed_eof()
        return reader, self.writer


async def ask(most_bytes: int = 1000, seconds: float = 5.0) -> posting.Posted:
    return await posting.post(
        "http://there.example:81/v1/realtime/calls?api-version=1",
        {"Authorization": "Bearer sk-one", "Content-Type": "application/sdp"},
        b"offer",
        tls=None,
        seconds=seconds,
        most_bytes=most_bytes,
    )


async def test_a_request_says_what_it_brings_and_keeps_no_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    server = Server(monkeypatch, ANSWER)
    found = await ask()
    assert server.where == ("there.example", 81, None)
    head, body = server.writer.sent.split(b"\r\n\r\n", 1)
    lines = head.decode().split("\r\n")
    assert lines[0] == "POST /v1/realtime/calls?api-version=1 HTTP/1.1"
    assert {"Host: there.example:81", "Content-Length: 5", "Connection: close", "Authorization: Bearer sk-one"} < set(
        lines
    )
    assert body == b"offer"
    assert (found.status, found.phrase, found.headers["location"], found.body) == (
        201,
        "Created",
        "/v1/realtime/calls/rtc_1",
        b"v=0",
    )
    assert server.writer.is_cut


async def test_an_answer_is_there_when_it_says_so_even_if_the_connection_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    Server(monkeypatch, ANSWER[:30], ANSWER[30:], closes=False)
    assert (await ask()).body == b"v=0"


async def test_an_answer_in_chunks_is_put_together(monkeypatch: pytest.MonkeyPatch) -> None:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    Server(monkeypatch, head, b"2\r\nv=\r\n", b"1\r\n0\r\n0\r\n\r\n", closes=False)
    assert (await ask()).body == b"v=0"


async def test_a_refusal_is_an_answer_like_any_other(monkeypatch: pytest.MonkeyPatch) -> None:
    Server(monkeypatch, b"HTTP/1.1 400 Bad Request\r\n\r\n{}")
    found = await ask()
    assert (found.status, found.body) == (400, b"{}")


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (b"", "what it answers is not HTTP/1.1"),
        (b"SSH-2.0\r\n\r\n", "what it answers is not HTTP/1.1"),
        (ANSWER[:-20] + b"x" * 2000, "its answer has more than 1000 bytes"),
    ],
    ids=["nothing", "other", "large"],
)
async def test_what_is_no_answer_is_told_in_a_line(monkeypatch: pytest.MonkeyPatch, answer: bytes, told: str) -> None:
    Server(monkeypatch, answer)
    with pytest.raises(LineError, match=f"there.example: {told}"):
        await ask()


async def test_a_server_that_says_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    Server(monkeypatch, closes=False)
    with pytest.raises(LineError, match=r"no answer within 0\.01 s"):
        await ask(seconds=0.01)


async def test_a_server_that_is_not_there_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    async def refuse(*_arguments: Any, **_named: Any) -> Any:
        raise ConnectionRefusedError

    monkeypatch.setattr(asyncio, "open_connection", refuse)
    with pytest.raises(LineError, match="connection refused"):
        await ask()


def test_a_form_holds_its_parts_with_their_types() -> None:
    kind, body = posting.form({"sdp": ("application/sdp", b"v=0\r\n"), "session": ("application/json", b"{}")})
    boundary = kind.removeprefix("multipart/form-data; boundary=")
    assert body.decode() == (
        f"--{boundary}\r\n"
        'Content-Disposition: form-data; name="sdp"\r\nContent-Type: application/sdp\r\n\r\nv=0\r\n\r\n'
        f"--{boundary}\r\n"
        'Content-Disposition: form-data; name="session"\r\nContent-Type: application/json\r\n\r\n{}\r\n'
        f"--{boundary}--\r\n"
    )
