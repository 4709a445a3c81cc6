"""Addresses of telephone calls: who is called and who calls, where this machine is, and how a number is called.

Called by `sip`.
"""

from __future__ import annotations

import socket
from ipaddress import ip_address

from ...legs.phone.signalling import Listener
from ...sip import effects as sip
from ...sip.errors import MalformedMessage
from ...sip.headers import Address
from ...sip.uri import SipUri, parse_uri
from ...telephony import Sip

__all__ = ["at_host", "by_transport", "caller_of", "free_port", "host_of", "own_address", "reached_at", "user_of"]


def host_of(uri: str) -> str:
    """Return the host of an address, in lower case and without brackets; empty for none."""
    found = parse_uri(uri)
    return found.host.lower() if isinstance(found, SipUri) else ""


def at_host(user: str, host: str) -> str:
    """Return the address of a user at a host."""
    return f"sip:{user}@[{host}]" if ":" in host else f"sip:{user}@{host}"


def user_of(uri: str) -> str:
    """Return the user or number that an address is of; empty for none."""
    found = parse_uri(uri)
    return (found.user or "") if isinstance(found, SipUri) else uri.removeprefix("tel:")


def caller_of(event: sip.Invited) -> str:
    """Return who calls, by their own word."""
    try:
        target = Address.parse(event.sender).target
    except MalformedMessage:
        return ""
    return (target.user or target.host) if isinstance(target, SipUri) else str(target)


def by_transport(uri: str, transport: str) -> str:
    """Return an address that is reached by a transport, unless it says by which itself."""
    return uri if "transport=" in uri or uri.startswith("sips:") else f"{uri};transport={transport}"


def own_address(host: str, other: str | None = None) -> str:
    """Return the address of this machine that others see, where it listens on all of them."""
    if not ip_address(host).is_unspecified:
        return host
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        try:
            # Nothing is sent: this only asks the system which way it would go.
            sock.connect((other or ("2001:db8::1" if family == socket.AF_INET6 else "192.0.2.1"), 9))
        except OSError:
            return "::1" if family == socket.AF_INET6 else "127.0.0.1"
        return str(sock.getsockname()[0])


def reached_at(settings: Sip, other: str | None) -> str:
    """Return the IP address by which another reaches the sound of this machine."""
    return settings.advertised or own_address(settings.host, other)


def free_port(host: str, listener: Listener) -> int:
    """Return the port of a listener; where it may be any, one that is free now, for it has to be told beforehand."""
    if listener.port:
        return listener.port
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    kind = socket.SOCK_DGRAM if listener.transport == "udp" else socket.SOCK_STREAM
    with socket.socket(family, kind) as sock:
        sock.bind((host, 0))
        return int(sock.getsockname()[1])
