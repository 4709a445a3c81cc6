"""Lines: the PBXs and trunks that calls come from and go to, and what SIP is told of them.  Called by `sip`."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping

from ...legs.phone.signalling import Signalling
from ...sip import effects as sip
from ...sip.admission import Rules
from ...sip.agent import Agent
from ...sip.digest import Account
from ...sip.registration import Membership
from ...sip.terms import Terms
from ...telephony import Line, Sip
from .addresses import at_host, by_transport, host_of, own_address, user_of
from .exchange import CallRefused

__all__ = ["Lines", "account_of", "log_line", "rules_of", "terms_of"]

_log = logging.getLogger("vivavoce.sip")

_LOOPBACK = ("127.0.0.0/8", "::1/128")


def rules_of(settings: Sip) -> Rules:
    """Return who may do what."""
    return Rules(
        known=settings.sources if settings.sources or settings.users else _LOOPBACK,
        challenged=("0.0.0.0/0", "::/0") if settings.users else (),
        invites_per_second=settings.calls_per_second,
        invites_burst=settings.calls_per_second * 10,
        max_calls=settings.max_calls,
    )


def terms_of(settings: Sip) -> Terms:
    """Return how long SIP waits, and how passwords are asked for."""
    return Terms(
        session_seconds=settings.session_expires_seconds, ring_seconds=settings.ring_seconds, digests=settings.digests
    )


def account_of(line: Line) -> Account:
    """Return the password of a line, and who may be shown that it is known."""
    hosts = {host_of(line.registrar), host_of(line.proxy) if line.proxy else ""} - {""}
    return Account(line.auth_user or line.user, line.password.value, frozenset(hosts))


class Lines:
    """The lines of a server."""

    def __init__(self, settings: Sip, lines: Mapping[str, Line], agent: Agent, signalling: Signalling) -> None:
        """Do nothing before `begin`."""
        self._settings = settings
        self._lines = lines
        self._agent = agent
        self._signalling = signalling
        self._timers: dict[str, asyncio.TimerHandle] = {}

    def begin(self) -> None:
        """Tell registrars where this server is, and ask trunks whether they are there."""
        for line in self._lines.values():
            registrar = by_transport(line.registrar, line.transport)
            if line.registers:
                contact = self._agent.contact(line.transport, line.user)
                route = (f"<{line.proxy}>",) if line.proxy else ()
                address = at_host(line.user, host_of(line.registrar))
                place = Membership(line.name, registrar, address, contact, line.expires_seconds, route)
                self._signalling.perform(self._agent.register(place, self._signalling.now()))
            if line.probe_seconds:
                self._probe(line, registrar)

    def end(self) -> None:
        """Tell registrars that this server goes away."""
        for timer in self._timers.values():
            timer.cancel()
        for line in self._lines.values():
            if line.registers:
                self._signalling.perform(self._agent.unregister(line.name, self._signalling.now()))

    def _probe(self, line: Line, registrar: str) -> None:
        self._signalling.perform(self._agent.probe(line.name, registrar, self._signalling.now()))
        loop = asyncio.get_running_loop()
        self._timers[line.name] = loop.call_later(line.probe_seconds, self._probe, line, registrar)

    def find(self, name: str) -> Line | None:
        """Return a line by its name; None for none."""
        return self._lines.get(name)

    def outward(self, name: str) -> Line | None:
        """Return the line that a call goes out by: the first where none is named, None where there is none at all.

        Raises:
            CallRefused: there is no such line.
        """
        if name and name not in self._lines:
            raise CallRefused("invalid_value", f"There is no line '{name[:64]}'.", "line")
        return self._lines[name] if name else next(iter(self._lines.values()), None)

    def came_by(self, event: sip.Invited) -> str:
        """Return the line that a call came by: that whose registrar sent it, or whose user was called."""
        for name, line in self._lines.items():
            is_its_user = line.registers and line.user == user_of(event.uri)
            if is_its_user or event.source.host == host_of(line.registrar):
                return name
        return ""

    def sender(self, line: Line | None) -> str:
        """Return the address that a call goes out from."""
        settings = self._settings
        if line is None:
            return at_host("vivavoce", settings.domain or settings.advertised or own_address(settings.host))
        caller = line.caller or line.user or "vivavoce"
        return caller if caller.startswith(("sip:", "sips:")) else at_host(caller, host_of(line.registrar))

    def address(self, target: str, line: Line | None, otherwise: str = "") -> str:
        """Return the address of a target: a number is called by its line, or at the host that a call came from.

        Raises:
            CallRefused: nobody knows where a number is.
        """
        if target.startswith(("sip:", "sips:")):
            return target
        digits = target.removeprefix("tel:")
        if line is not None:
            host = line.registrar.split(":", 1)[1].rsplit("@", 1)[-1]
            return by_transport(f"sip:{digits}@{host}", line.transport)
        if host := host_of(otherwise) if otherwise else "":
            return at_host(digits, host)
        raise CallRefused("invalid_value", "A number needs a line to be called by; this server has none.", "to")


def log_line(event: sip.Registered | sip.RegistrationFailed | sip.Probed) -> None:
    """Log what came of a registration or a probe."""
    match event:
        case sip.Registered():
            _log.info("line %s is registered for %d seconds", event.line, event.expires_seconds)
        case sip.RegistrationFailed():
            again = f"again in {event.retry_seconds:.0f} s" if event.retry_seconds is not None else "not again"
            _log.error("line %s is not registered: %d %s; %s", event.line, event.status, event.phrase, again)
        case sip.Probed() if not event.is_alive:
            _log.warning("line %s does not answer: %d", event.probe, event.status)
        case sip.Probed():
            _log.debug("line %s answers", event.probe)
