"""Opening a server's telephone: its sounds, its folder, its exchange and its roads.  Called by `server.serve`."""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable
from pathlib import Path

from ...core.errors import ConfigError
from ...engines.api import Tts
from ...telephony import Telephony
from ..admission import Refused
from ..lives import Accept, Lives
from ..proxies import Proxies
from ..rest.http import Socket, denied
from ..tls import server_context
from .clips import load_clips
from .doors import Doors
from .exchange import Exchange
from .records import Records
from .sip import SipRoad
from .webhooks import Webhooks

__all__ = ["Telephone", "Telephones", "open_telephone"]


class Telephone:
    """The telephone of a process, at work."""

    def __init__(self, exchange: Exchange, records: Records, sip: SipRoad | None, doors: Doors) -> None:
        self.exchange = exchange
        """What all roads share."""
        self.doors = doors
        """The ways in besides SIP."""
        self._records = records
        self._sip = sip

    def describe(self) -> str:
        """Return where it is called, in half a line, for people."""
        settings = self.exchange.telephony.sip
        if self._sip is None or settings is None:
            return self.doors.describe()
        ways = (f"{name.upper()} {port}" for name, port in self._sip.ports.items())
        host = f"[{settings.host}]" if ":" in settings.host else settings.host
        doors = self.doors.describe()
        return f"sip:{host} ({', '.join(ways)})" + (f", {doors}" if doors else "")

    async def close(self) -> None:
        """Hang up all calls and close everything."""
        await self.exchange.close()
        await self.doors.close()
        if self._sip is not None:
            await self._sip.close()
        self._records.close()


class Telephones:
    """Where the telephone of a process is kept, which cannot be opened before its engines are loaded."""

    def __init__(self, proxies: Proxies | None = None, *, is_wanted: bool = False) -> None:
        """Keep none yet.

        Args:
            proxies: tells who comes through them; None for nobody.
            is_wanted: whether there is to be one.
        """
        self.missing = ("telephone",) if is_wanted else ()
        """What a server still lacks before it can be called."""
        self.telephone: Telephone | None = None
        """None before it is opened, and where there is none."""
        self._proxies = proxies or Proxies()

    @property
    def exchange(self) -> Exchange | None:
        """What its roads share; None as above."""
        return None if self.telephone is None else self.telephone.exchange

    async def open(self, telephony: Telephony, lives: Lives, accept: Accept, tts: Callable[[], Tts]) -> str:
        """Open it, and return where it is called, for people; empty where there is none.

        Raises:
            ConfigError: it cannot be had; the message says why.
            EngineError: a text cannot be spoken.
        """
        self.telephone = await open_telephone(telephony, lives, accept, tts, self._proxies)
        self.missing = ()
        return "" if self.telephone is None else self.telephone.describe()

    async def enter(self, socket: Socket) -> None:
        """Serve a WebSocket that brings a call."""
        if self.telephone is None:
            text = "This server's telephone is not ready. Try again in a moment."
            await denied(socket, Refused(503, "not_ready", text, type="server_error", headers={"Retry-After": "1"}))
        else:
            await self.telephone.doors.enter(socket)

    async def close(self) -> None:
        """Close it."""
        telephone, self.telephone = self.telephone, None
        if telephone is not None:
            await telephone.close()


async def open_telephone(
    telephony: Telephony, lives: Lives, accept: Accept, tts: Callable[[], Tts], proxies: Proxies
) -> Telephone | None:
    """Return the telephone that the operator wants; None where there is none.

    Args:
        telephony: what the operator wants.
        lives: the calls of the process.
        accept: begins the session of a leg.
        tts: returns what speaks the texts of numbers; not called where there is no telephone.
        proxies: tells who comes through them.

    Raises:
        ConfigError: it cannot be had; the message says why.
        EngineError: a text cannot be spoken.
    """
    if not telephony.is_on:
        return None
    folder = Path(telephony.records) if telephony.records else None
    try:
        records = Records(folder)
    except OSError as error:
        raise ConfigError(f"the folder of call records, {folder}, cannot be made: {error.strerror}") from error
    try:
        clips = await load_clips(telephony.numbers, tts())
        webhooks = None if telephony.webhook is None else Webhooks(telephony.webhook, time.time)
        exchange = Exchange(
            telephony, lives, accept, records, clips, webhooks=webhooks, unix_now=time.time, now=time.monotonic
        )
        doors = Doors(telephony.doors, exchange, proxies)
        await doors.start()
    except BaseException:
        records.close()
        raise
    sip = None
    try:
        if telephony.sip is not None:
            sip = SipRoad(telephony.sip, exchange, server_tls=_server_tls(telephony), client_tls=_client_tls(telephony))
            await sip.start()
    except BaseException:
        await doors.close()
        records.close()
        raise
    return Telephone(exchange, records, sip, doors)


def _server_tls(telephony: Telephony) -> ssl.SSLContext | None:
    sip = telephony.sip
    return None if sip is None or sip.tls_port < 0 else server_context(sip.tls_cert, sip.tls_key)


def _client_tls(telephony: Telephony) -> ssl.SSLContext:
    """Return what other servers' certificates are checked by.

    Raises:
        ConfigError: the file of authorities cannot be used.
    """
    file = telephony.sip.tls_authority if telephony.sip is not None else ""
    try:
        context = ssl.create_default_context(cafile=file or None)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(f"[sip]: 'tls_authority': {file} cannot be used: {error}") from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context
