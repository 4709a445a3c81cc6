"""Addresses: `sip:`, `sips:` and `tel:`, how they are written, and when two of them are one.  RFC 3261 19.1, RFC 3966.

Others (`http:`, `urn:`) are legal in SIP and carried as they are.
"""

from __future__ import annotations

import re
from ipaddress import AddressValueError, IPv6Address
from typing import Literal, TypeAlias, cast
from urllib.parse import quote_from_bytes, unquote_to_bytes

import msgspec

from .errors import MalformedMessage
from .lexing import MAX_PARAMS, Params, number, param

__all__ = [
    "OpaqueUri", "SipUri", "TelUri", "Uri", "format_host", "format_host_port", "is_equivalent", "parse_host",
    "parse_host_port", "parse_uri",
]  # fmt: skip

_SCHEME = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+-.")
_HOST = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._")
_UNSEEN = re.compile(r'[\x00-\x20\x7f<>"]')
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f][0-9A-Fa-f])")

# What need not be escaped, besides letters, digits and `_.-~`, which never are.
_IN_USER = "!*'()&=+$,;?/"
_IN_PASSWORD = "!*'()&=+$,"
_IN_PARAM = "!*'()[]/:&+$"
_IN_HEADER = "!*'()[]/?:+$"

_NEVER_MISSING = ("user", "ttl", "method", "maddr", "transport")


class SipUri(msgspec.Struct, frozen=True):
    """A `sip:` or `sips:` address, everything in it unescaped; `str` writes it."""

    host: str
    """A name or an IP address in lower case; IPv6 without its brackets."""
    user: str | None = None
    """The user or telephone number, None where there is none."""
    password: str | None = None
    """The password, which nobody should use."""
    port: int | None = None
    """The port, None where it is left to the default."""
    params: Params = ()
    """Parameters in their order, such as `transport`, `lr` and `user`; names in lower case."""
    headers: tuple[tuple[str, str], ...] = ()
    """Headers that a request to this address is asked to have, as in a Refer-To with `?Replaces=`."""
    scheme: Literal["sip", "sips"] = "sip"
    """`sips` where every hop has to be TLS."""

    def param(self, name: str) -> str | None:
        """Return a parameter's value, empty where it has none, or None where there is no such parameter."""
        return param(self.params, name)

    @property
    def transport(self) -> str | None:
        """The transport it asks for, in lower case, or None."""
        value = self.param("transport")
        return value.lower() if value else None

    def __str__(self) -> str:
        text = f"{self.scheme}:"
        if self.user is not None:
            text += _escape(self.user, _IN_USER)
            text += "" if self.password is None else ":" + _escape(self.password, _IN_PASSWORD)
            text += "@"
        text += format_host_port(self.host, self.port)
        for name, value in self.params:
            text += ";" + _escape(name, _IN_PARAM) + ("" if value is None else "=" + _escape(value, _IN_PARAM))
        if self.headers:
            pairs = [f"{_escape(name, _IN_HEADER)}={_escape(value, _IN_HEADER)}" for name, value in self.headers]
            text += "?" + "&".join(pairs)
        return text


class TelUri(msgspec.Struct, frozen=True):
    """A telephone number; `str` writes it."""

    number: str
    """Digits, `*`, `#` and a `+` in front where it is a global one; without the signs people put between."""
    params: Params = ()
    """Parameters in their order, such as `phone-context` and `ext`; names in lower case."""

    def __str__(self) -> str:
        text = f"tel:{self.number}"
        for name, value in self.params:
            text += ";" + _escape(name, _IN_PARAM) + ("" if value is None else "=" + _escape(value, _IN_PARAM))
        return text


class OpaqueUri(msgspec.Struct, frozen=True):
    """An address of a scheme that is not understood here; `str` writes it as it came."""

    scheme: str
    """The scheme in lower case."""
    rest: str
    """What stands after the colon."""

    def __str__(self) -> str:
        return f"{self.scheme}:{self.rest}"


Uri: TypeAlias = SipUri | TelUri | OpaqueUri


def parse_uri(text: str) -> Uri:
    """Read an address.

    Raises:
        MalformedMessage: where it is none.
    """
    scheme, colon, rest = text.partition(":")
    if not colon or not rest or not scheme[:1].isalpha() or not _SCHEME.issuperset(scheme):
        raise MalformedMessage("an address has no scheme")
    if _UNSEEN.search(rest):
        raise MalformedMessage("an address holds a space, a bracket or a control character")
    scheme = scheme.lower()
    if scheme in ("sip", "sips"):
        if _BAD_ESCAPE.search(rest):
            raise MalformedMessage("an address holds a percent sign that escapes nothing")
        return _parse_sip(cast(Literal["sip", "sips"], scheme), rest)
    return _parse_tel(rest) if scheme == "tel" else OpaqueUri(scheme, rest)


def _parse_sip(scheme: Literal["sip", "sips"], rest: str) -> SipUri:
    """Read what stands after `sip:`; a user may hold `;` and `?`, so the first `@` is looked for first."""
    user: str | None = None
    password: str | None = None
    info, at, address = rest.partition("@")
    if at:
        user, colon, secret = info.partition(":")
        if not user:
            raise MalformedMessage("an address has an empty user")
        user = _unescape(user)
        password = _unescape(secret) if colon else None
    else:
        address = rest
    address, question, query = address.partition("?")
    place, semicolon, tail = address.partition(";")
    host, port = parse_host_port(place)
    headers = _parse_headers(query) if question else ()
    return SipUri(host, user, password, port, _parse_uri_params(tail) if semicolon else (), headers, scheme)


def _parse_uri_params(text: str) -> Params:
    """Read `name=value;name`, escaped."""
    pieces = text.split(";", MAX_PARAMS)
    if len(pieces) > MAX_PARAMS:
        raise MalformedMessage("an address has too many parameters")
    params: list[tuple[str, str | None]] = []
    for piece in pieces:
        name, equals, value = piece.partition("=")
        if not name or (equals and not value):
            raise MalformedMessage("an address has an empty parameter")
        params.append((_unescape(name).lower(), _unescape(value) if equals else None))
    return tuple(params)


def _parse_headers(text: str) -> tuple[tuple[str, str], ...]:
    """Read `name=value&name=value`, escaped."""
    pieces = text.split("&", MAX_PARAMS)
    if len(pieces) > MAX_PARAMS:
        raise MalformedMessage("an address has too many headers")
    headers: list[tuple[str, str]] = []
    for piece in pieces:
        name, equals, value = piece.partition("=")
        if not name or not equals:
            raise MalformedMessage("an address has an empty header")
        headers.append((_unescape(name), _unescape(value)))
    return tuple(headers)


def _parse_tel(rest: str) -> TelUri:
    """Read what stands after `tel:`."""
    digits, semicolon, tail = rest.partition(";")
    plain = digits.translate({ord(sign): None for sign in "-.()"})
    if not plain or not set(plain.removeprefix("+")) <= set("0123456789*#abcdefABCDEF") or plain == "+":
        raise MalformedMessage("a telephone number has something else in it than digits")
    return TelUri(plain, _parse_uri_params(tail) if semicolon else ())


def _unescape(text: str) -> str:
    """Resolve `%41`; what is not UTF-8 is read as Latin-1, as old telephones write names."""
    if "%" not in text:
        return text
    data = unquote_to_bytes(text)
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.decode("latin-1")


def _escape(text: str, safe: str) -> str:
    """Write `%41` for all that may not stand as it is."""
    return quote_from_bytes(text.encode("utf-8", "replace"), safe)


def parse_host_port(text: str) -> tuple[str, int | None]:
    """Read `host`, `host:port` or `[2001:db8::1]:port`; white space is not allowed."""
    if text.startswith("["):
        inside, bracket, after = text.partition("]")
        if not bracket or (after and not after.startswith(":")):
            raise MalformedMessage("an IPv6 address has no closing bracket")
        host, port = parse_host(inside + "]"), after[1:] if after else None
    else:
        name, colon, digits = text.partition(":")
        host, port = parse_host(name), digits if colon else None
    return host, None if port is None else number(port, 65535)


def parse_host(text: str) -> str:
    """Read a host's name or address, IPv6 in its brackets; the result is in lower case and without brackets."""
    if text.startswith("[") and text.endswith("]"):
        return parse_ipv6(text[1:-1])
    if not text or not _HOST.issuperset(text) or len(text) > 255:
        raise MalformedMessage("a host is neither a name nor an address")
    return text.lower()


def parse_ipv6(text: str) -> str:
    """Read an IPv6 address, also with the third colon that the grammar of RFC 3261 put before an IPv4 ending."""
    if len(text) > 48:
        raise MalformedMessage("an IPv6 address is too long")
    try:
        IPv6Address(text.replace(":::", "::"))
    except AddressValueError:
        raise MalformedMessage("an IPv6 address is none") from None
    return text.replace(":::", "::").lower()


def format_host(host: str) -> str:
    """Write a host, IPv6 in brackets."""
    return f"[{host}]" if ":" in host else host


def format_host_port(host: str, port: int | None) -> str:
    """Write a host and, where there is one, a port."""
    return format_host(host) if port is None else f"{format_host(host)}:{port}"


def is_equivalent(one: Uri, other: Uri) -> bool:
    """Tell whether two addresses are the same one, by RFC 3261 section 19.1.4."""
    if isinstance(one, SipUri) and isinstance(other, SipUri):
        return (
            (one.scheme, one.user, one.password, one.port) == (other.scheme, other.user, other.password, other.port)
            and _host_key(one.host) == _host_key(other.host)
            and _params_agree(one, other)
            and _header_set(one) == _header_set(other)
        )
    if isinstance(one, TelUri) and isinstance(other, TelUri):
        return one.number.lower() == other.number.lower() and dict(_lowered(one.params)) == dict(_lowered(other.params))
    return one == other


def _host_key(host: str) -> str:
    """Return a spelling under which equal hosts are equal."""
    return IPv6Address(host).compressed if ":" in host else host.lower()


def _lowered(params: Params) -> list[tuple[str, str]]:
    """Return parameters in lower case, those without a value with an empty one."""
    return [(name, (value or "").lower()) for name, value in params]


def _params_agree(one: SipUri, other: SipUri) -> bool:
    """Compare parameters: what both have must be equal, and some may not be missing on one side only."""
    first, second = dict(_lowered(one.params)), dict(_lowered(other.params))
    if any((name in first) != (name in second) for name in _NEVER_MISSING):
        return False
    return all(second.get(name, value) == value for name, value in first.items())


def _header_set(uri: SipUri) -> list[tuple[str, str]]:
    """Return headers in an order that does not depend on how they were written."""
    return sorted((name.lower(), value) for name, value in uri.headers)
