"""Opening a server's telephone, and closing it."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from vivavoce.core.errors import ConfigError
from vivavoce.engines.api import Tts
from vivavoce.options import Secret
from vivavoce.server.lives import Lives
from vivavoce.server.metrics import Metrics
from vivavoce.server.phone.opening import Telephones
from vivavoce.server.rest.http import Socket
from vivavoce.telephony import Doors, Manner, Number, Sip, Telephony, Webhook

QUIET = Manner(filler="", apology="", presence="", farewell="")
NUMBERS = (Number(name="main", manner=QUIET),)
TOKEN = Secret("tok-0123456789")


class Tongue:
    """A synthesiser that notes what it speaks."""

    rate_hz = 24_000

    def __init__(self) -> None:
        self.spoken: list[str] = []

    async def speak(self, text: str, voice: str, speed: float, language: str) -> AsyncIterator[Any]:
        self.spoken.append(text)

        class Piece:
            pcm = b"\1\0" * 480

        yield Piece()


async def opened(telephony: Telephony, tongue: Tongue | None = None) -> tuple[Telephones, str]:
    telephones = Telephones(is_wanted=True)

    def accept(connection: Any, leg: Any) -> Any:
        raise AssertionError("nobody calls")

    tts: Tts = tongue or Tongue()  # type: ignore[assignment]
    return telephones, await telephones.open(telephony, Lives(accept, Metrics()), accept, lambda: tts)


async def test_a_server_without_a_telephone_has_none() -> None:
    telephones, described = await opened(Telephony())
    assert (described, telephones.exchange, telephones.missing) == ("", None, ())
    await telephones.close()


def test_a_telephone_is_missing_until_it_is_open() -> None:
    assert Telephones(is_wanted=True).missing == ("telephone",)
    assert Telephones().missing == ()


async def test_a_telephone_with_sip_tells_where_it_is_called() -> None:
    sip = Sip(udp_port=0, tcp_port=-1)
    telephones, described = await opened(Telephony(sip=sip, numbers=NUMBERS, doors=Doors(token=TOKEN)))
    assert telephones.exchange is not None
    assert telephones.exchange.dial is not None
    assert described.startswith("sip:127.0.0.1 (UDP ")
    assert described.endswith("), /telephone/{twilio,telnyx,plivo,asterisk,freeswitch}/TOKEN")
    await telephones.close()
    assert telephones.exchange is None


async def test_texts_are_spoken_once_before_anybody_calls() -> None:
    tongue = Tongue()
    manner = Manner(greeting="Hello.", filler="", apology="", presence="", farewell="Bye.")
    number = Number(name="bakery", manner=manner)
    doors = Doors(audiosocket="127.0.0.1:0")
    telephones, described = await opened(Telephony(numbers=(number,), doors=doors), tongue)
    assert tongue.spoken == ["Hello.", "Bye."]
    assert described.startswith("AudioSocket 127.0.0.1:")
    assert telephones.exchange is not None
    assert telephones.exchange.clips["bakery"]["greeting"] == b"\1\0" * 480
    await telephones.close()


async def test_what_cannot_be_had_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="the folder of call records"):
        await opened(Telephony(numbers=NUMBERS, doors=Doors(token=TOKEN), records=str(tmp_path / "file" / "calls")))
    with pytest.raises(ConfigError, match="'tls_authority'"):
        await opened(Telephony(sip=Sip(tls_authority=str(tmp_path / "none.pem")), numbers=NUMBERS))
    # What was opened before is closed: its port is free again.
    server = await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", 0)
    taken = server.sockets[0].getsockname()[1]
    with pytest.raises(ConfigError, match="SIP cannot be spoken"):
        await opened(Telephony(sip=Sip(udp_port=-1, tcp_port=taken), numbers=NUMBERS))
    server.close()


async def test_an_application_is_told_of_calls_where_there_is_one() -> None:
    secret = Secret("whsec_" + base64.b64encode(bytes(24)).decode())
    webhook = Webhook(url="http://127.0.0.1:9/hook", secret=secret)
    number = Number(name="main", manner=QUIET, asks_webhook=True)
    telephones, _ = await opened(Telephony(numbers=(number,), doors=Doors(token=TOKEN), webhook=webhook))
    assert telephones.exchange is not None
    deciding = asyncio.create_task(telephones.exchange.decide(number, "rtc_1"))
    await asyncio.sleep(0)
    assert telephones.exchange.pending("rtc_1") is number
    await telephones.close()
    assert (await deciding).status == 503


async def test_a_stream_that_comes_too_early_is_asked_to_come_again() -> None:
    told: list[Any] = []

    async def tell(message: Any) -> None:
        told.append(message)

    async def never() -> Any:
        await asyncio.Event().wait()

    scope = {"type": "websocket", "path": "/", "headers": [], "extensions": {"websocket.http.response": {}}}
    await Telephones(is_wanted=True).enter(Socket(scope, never, tell))
    assert told[0]["status"] == 503
    assert (b"retry-after", b"1") in told[0]["headers"]
