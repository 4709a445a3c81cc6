from __future__ import annotations

import asyncio
from base64 import b64encode

import pytest

from vivavoce.core.errors import VivavoceError
from vivavoce.legs.framing import accept_of
from vivavoce.legs.upgrade import NotUpgraded, TurnedAway, Upgrade, read_answer, request_of

KEY = bytes(range(16))
AGREED = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "
    + accept_of(b64encode(KEY))
    + b"\r\n\r\n"
)
REFUSED = b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\n\r\n{}"


def headers_of(address: str, **headers: str) -> list[str]:
    lines = request_of(address, headers, KEY).decode("latin-1").split("\r\n")
    assert lines[-2:] == ["", ""]
    return lines[:-2]


@pytest.mark.parametrize(
    ("address", "line", "host"),
    [
        ("ws://h", "GET / HTTP/1.1", "Host: h"),
        ("ws://h:80/a", "GET /a HTTP/1.1", "Host: h"),
        ("ws://h:443/a", "GET /a HTTP/1.1", "Host: h:443"),
        ("wss://h:443/a?b=c&d=%20e", "GET /a?b=c&d=%20e HTTP/1.1", "Host: h"),
        ("ws://[::1]:8000/v1", "GET /v1 HTTP/1.1", "Host: [::1]:8000"),
        ("ws://h/ä b?ü=?", "GET /%C3%A4%20b?%C3%BC=? HTTP/1.1", "Host: h"),
    ],
)
def test_an_address_becomes_a_request(address: str, line: str, host: str) -> None:
    lines = headers_of(address)
    assert lines[0] == line
    assert host in lines


def test_a_login_of_the_address_is_sent_unless_there_is_a_key() -> None:
    assert "Authorization: Basic dTpwQHE=" in headers_of("ws://u:p%40q@h/")
    lines = headers_of("ws://u:p@h/", authorization="Bearer k")
    assert [line for line in lines if line.lower().startswith("authorization")] == ["authorization: Bearer k"]


def test_headers_that_are_given_replace_the_usual_ones() -> None:
    lines = headers_of("ws://h/", Host="other", **{"user-agent": "me"})
    assert "Host: other" in lines
    assert "user-agent: me" in lines
    assert len([line for line in lines if line.lower().startswith(("host", "user-agent"))]) == 2


def test_a_header_that_cannot_be_sent_is_named_without_its_value() -> None:
    with pytest.raises(VivavoceError, match="Authorization") as caught:
        request_of("ws://h/", {"Authorization": "Bearer secret\n"}, KEY)
    assert "secret" not in str(caught.value)


def test_an_answer_may_come_byte_by_byte() -> None:
    for end in range(len(AGREED)):
        assert read_answer(AGREED[:end], KEY, is_all=False) is None
    assert read_answer(AGREED, KEY, is_all=False) == b""
    assert read_answer(AGREED + b"frames", KEY, is_all=False) == b"frames"
    assert read_answer(b"HTTP/1.1 100 Continue\r\n\r\n" + AGREED + b"frames", KEY, is_all=False) == b"frames"


def test_a_refusal_may_come_byte_by_byte() -> None:
    for end in range(len(REFUSED)):
        assert read_answer(REFUSED[:end], KEY, is_all=False) is None
    with pytest.raises(TurnedAway) as caught:
        read_answer(REFUSED, KEY, is_all=False)
    assert (caught.value.status, caught.value.phrase, caught.value.body) == (401, "Unauthorized", b"{}")


@pytest.mark.parametrize("answer", [REFUSED[:-1], REFUSED.replace(b"th: 2", b"th: 9"), REFUSED.replace(b"2", b"x")])
def test_a_refusal_that_breaks_off_is_one(answer: bytes) -> None:
    assert read_answer(answer, KEY, is_all=False) is None
    with pytest.raises(TurnedAway):
        read_answer(answer, KEY, is_all=True)


@pytest.mark.parametrize(
    "answer",
    [
        b"SSH-2.0-OpenSSH",
        b"HTTP/2 200\r\n\r\n",
        AGREED.replace(b"101", b"99"),
        AGREED.replace(b"\r\n\r\n", b"\r\n" + b"X: y\r\n" * 200 + b"\r\n"),
        AGREED.replace(b"websocket", b"wobsocket"),
        AGREED.replace(b"Accept: ", b"Accept: x"),
    ],
)
def test_what_is_no_agreement_is_told_at_once(answer: bytes) -> None:
    with pytest.raises(NotUpgraded):
        read_answer(answer, KEY, is_all=False)


async def test_an_answer_that_never_ends_is_bounded() -> None:
    upgrade = Upgrade(b"", KEY, 1000, lambda _transport, _rest: None)
    upgrade.connection_made(Hanging())
    upgrade.data_received(b"HTTP/1.1 403 No\r\nContent-Length: 99999\r\n\r\n")
    assert not upgrade.answered.done()
    upgrade.data_received(b"x" * 1000)
    with pytest.raises(TurnedAway) as caught:
        await upgrade.answered
    assert len(caught.value.body) == 1000


async def test_a_reset_is_told_as_such() -> None:
    upgrade = Upgrade(b"", KEY, 1000, lambda _transport, _rest: None)
    upgrade.connection_made(Hanging())
    upgrade.connection_lost(ConnectionResetError(104, "Connection reset by peer"))
    with pytest.raises(ConnectionResetError):
        await upgrade.answered


class Hanging(asyncio.Transport):
    """A transport that nothing happens on."""

    def write(self, data: object) -> None:
        pass

    def close(self) -> None:
        pass
