"""Webhooks of calls: how they are signed, told again, and given up."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from vivavoce.options import Secret
from vivavoce.server.phone import webhooks
from vivavoce.server.phone.webhooks import Undelivered, Webhooks, incoming, key_of, signature
from vivavoce.telephony import Webhook

KEY = bytes(range(24))
SECRET = "whsec_" + base64.b64encode(KEY).decode()


class Application:
    """An HTTP server that answers with the statuses it is given, the last of them for ever."""

    def __init__(self, *statuses: int) -> None:
        self.statuses = list(statuses)
        self.heads: list[dict[str, str]] = []
        self.bodies: list[bytes] = []

    @asynccontextmanager
    async def listening(self, wait_seconds: float = 20.0) -> AsyncIterator[Webhooks]:
        server = await asyncio.start_server(self._answer, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        told = Webhooks(
            Webhook(url=f"http://127.0.0.1:{port}/hook", secret=Secret(SECRET), wait_seconds=wait_seconds),
            lambda: 1_700_000_000.9,
        )
        try:
            yield told
        finally:
            await told.close()
            server.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := await reader.readuntil(b"\r\n\r\n") if not reader.at_eof() else b"":
            lines = [line.split(": ", 1) for line in head.decode().split("\r\n")[1:] if line]
            headers = {name.lower(): value for name, value in lines}
            self.heads.append(headers)
            self.bodies.append(await reader.readexactly(int(headers["content-length"])))
            status = self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]
            writer.write(b"HTTP/1.1 %d X\r\nContent-Length: 0\r\nConnection: close\r\n\r\n" % status)
            await writer.drain()
            break
        writer.close()


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhooks, "_PAUSES_SECONDS", (0.0, 0.0, 0.0))


def test_a_call_is_told_in_openais_words() -> None:
    body = incoming("evt_1", 1700000000, "rtc_u1_0", [("From", "<sip:a@b>"), ("X-A", "1")], has_srtp=True)
    assert json.loads(body) == {
        "object": "event",
        "id": "evt_1",
        "type": "realtime.call.incoming",
        "created_at": 1700000000,
        "data": {
            "call_id": "rtc_u1_0",
            "sip_headers": [{"name": "From", "value": "<sip:a@b>"}, {"name": "X-A", "value": "1"}],
            "sip_media_security": "srtp",
        },
    }


def test_a_signature_is_that_of_standard_webhooks() -> None:
    mac = hmac.new(KEY, b"msg_1.1700000000.{}", hashlib.sha256).digest()
    assert signature(KEY, "msg_1", 1700000000, b"{}") == "v1," + base64.b64encode(mac).decode()


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_@@", "whsec_" + base64.b64encode(bytes(15)).decode(), "é"])
def test_what_is_no_secret_is_refused(secret: str) -> None:
    with pytest.raises(ValueError, match="whsec_ and at least 16 random bytes"):
        key_of(secret)


def test_a_secret_may_lack_its_prefix() -> None:
    assert key_of(SECRET.removeprefix("whsec_")) == KEY


async def test_the_application_is_told_once_with_what_it_verifies_by() -> None:
    application = Application(200)
    async with application.listening() as told:
        await told.deliver("evt_1", b'{"a":1}')
    (head,) = application.heads
    assert application.bodies == [b'{"a":1}']
    assert (head["webhook-id"], head["webhook-timestamp"]) == ("evt_1", "1700000000")
    assert head["webhook-signature"] == signature(KEY, "evt_1", 1_700_000_000, b'{"a":1}')


async def test_a_server_in_trouble_is_told_again_under_the_same_id() -> None:
    application = Application(503, 429, 204)
    async with application.listening() as told:
        await told.deliver("evt_1", b"{}")
    assert [head["webhook-id"] for head in application.heads] == ["evt_1"] * 3


@pytest.mark.parametrize(("statuses", "attempts"), [((500,), 4), ((404,), 1), ((401,), 1), ((302,), 1)])
async def test_who_cannot_be_told_is_given_up(statuses: tuple[int, ...], attempts: int) -> None:
    application = Application(*statuses)
    async with application.listening() as told:
        with pytest.raises(Undelivered, match=f"it answered {statuses[0]}"):
            await told.deliver("evt_1", b"{}")
    assert len(application.heads) == attempts


async def test_nobody_there_is_given_up() -> None:
    async with Application(200).listening() as told:
        pass
    gone = Webhooks(Webhook(url="http://127.0.0.1:9/", secret=Secret(SECRET)), lambda: 0.0)
    with pytest.raises(Undelivered, match="ConnectError"):
        await gone.deliver("evt_1", b"{}")
    await gone.close()
    assert told.wait_seconds == 20.0
