"""What is in the headers of every message: Via, addresses, CSeq, Call-ID and lists; RFC 3261 section 20.

Each value is a frozen struct that `str` writes.  The `read_*` functions take them out of a message's headers, and say
which header was wrong.  Headers of extensions are in `extensions`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import msgspec

from .errors import MalformedMessage
from .lexing import (
    MAX_ITEMS,
    Params,
    check_quotes,
    end_of_quoted,
    find_unquoted,
    format_params,
    is_bare,
    number,
    param,
    parse_params,
    quote,
    unquote,
)
from .lexing import split_list as split
from .message import Headers, is_token
from .uri import Uri, format_host_port, parse_host_port, parse_uri

__all__ = [
    "MAGIC_COOKIE", "Address", "CSeq", "Via", "parse_tokens", "read_addresses", "read_call_id", "read_contacts",
    "read_cseq", "read_first_contact", "read_from", "read_max_forwards", "read_number", "read_one", "read_options",
    "read_route", "read_to", "read_tokens", "read_value", "read_via", "read_vias",
]  # fmt: skip

MAGIC_COOKIE = "z9hG4bK"
"""What the branch of a transaction's Via begins with since RFC 3261."""

_CALL_ID = frozenset(map(chr, range(0x21, 0x7F))) - {";"}

Read = TypeVar("Read")


class Via(msgspec.Struct, frozen=True):
    """One hop of a request's way, on which its response goes back (RFC 3261 section 20.42)."""

    transport: str
    """`UDP`, `TCP`, `TLS` or another, in upper case."""
    host: str
    """Who sent it, as it calls itself; IPv6 without brackets."""
    port: int | None = None
    """Its port, None for the default of the transport."""
    params: Params = ()
    """Parameters in their order."""

    @classmethod
    def parse(cls, text: str) -> Via:
        """Read one Via.

        Raises:
            MalformedMessage: where it is none.
        """
        before, semicolon, after = text.partition(";")
        protocol, _, rest = before.partition("/")
        version, _, rest = rest.partition("/")
        transport, _, place = rest.strip(" \t").replace("\t", " ").partition(" ")
        if protocol.strip(" \t").upper() != "SIP" or version.strip(" \t") != "2.0" or not is_token(transport):
            raise MalformedMessage("a hop is not of SIP 2.0")
        host, port = parse_host_port(place.replace(" ", ""))
        via = cls(transport.upper(), host, port, parse_params(";" + after) if semicolon else ())
        if via.branch is not None and not is_bare(via.branch):
            raise MalformedMessage("a branch is not a word")
        return via

    @property
    def branch(self) -> str | None:
        """The transaction's id at this hop, None where there is none."""
        return param(self.params, "branch")

    @property
    def has_unique_branch(self) -> bool:
        """Tell whether the branch alone names the transaction: it has the magic cookie and something after it."""
        branch = self.branch or ""
        return len(branch) > len(MAGIC_COOKIE) and branch[: len(MAGIC_COOKIE)].lower() == MAGIC_COOKIE.lower()

    @property
    def sent_by(self) -> str:
        """Host and port as one text, which is part of what matches a request to its transaction."""
        return format_host_port(self.host, self.port)

    @property
    def received(self) -> str | None:
        """The address that the request was seen to come from, without brackets, or None."""
        value = param(self.params, "received")
        return value.strip("[]") if value else None

    @property
    def maddr(self) -> str | None:
        """The address that the response is asked to go to, without brackets, or None."""
        value = param(self.params, "maddr")
        return value.strip("[]") if value else None

    @property
    def rport(self) -> int | None:
        """The port that the request was seen to come from, or None."""
        value = param(self.params, "rport")
        return number(value, 65535) if value else None

    @property
    def wants_rport(self) -> bool:
        """Tell whether the response is to go where the request came from (RFC 3581)."""
        return param(self.params, "rport") is not None

    def seen_from(self, host: str, port: int) -> Via:
        """Return the Via with what is known of its sender: `received`, and `rport` where it was asked for."""
        wanted = self.wants_rport
        others = [item for item in self.params if item[0] not in ("received", "rport")]
        if wanted or host.lower() != self.host:
            others.append(("received", host))
        if wanted:
            others.append(("rport", str(port)))
        return Via(self.transport, self.host, self.port, tuple(others))

    def __str__(self) -> str:
        return f"SIP/2.0/{self.transport} {self.sent_by}{format_params(self.params)}"


class Address(msgspec.Struct, frozen=True):
    """An address with a name for people and parameters, as in From, To, Contact, Route and Refer-To."""

    uri: str
    """The address as it is written, which a request to it repeats to the letter; `*` in a Contact for all."""
    display: str = ""
    """The name for people, without quotes; whatever its sender liked."""
    params: Params = ()
    """Parameters of the header, not of the address, in their order."""

    @classmethod
    def parse(cls, text: str) -> Address:
        """Read one address, with or without angle brackets.

        Raises:
            MalformedMessage: where it is none.
        """
        text = text.strip(" \t")
        if text.startswith('"'):
            check_quotes(text)
            end = end_of_quoted(text, 0)
            display, rest = unquote(text[:end]), text[end:].lstrip(" \t")
            if not rest.startswith("<"):
                raise MalformedMessage("a name is not followed by an address")
        else:
            opening = find_unquoted(text, "<")
            display, rest = ("", text) if opening < 0 else (text[:opening].rstrip(" \t"), text[opening:])
            if opening >= 0 and "," in display:
                raise MalformedMessage("a name with a comma has no quotes")
        if rest.startswith("<"):
            uri, bracket, after = rest[1:].partition(">")
            if not bracket:
                raise MalformedMessage("an angle bracket is not closed")
        else:
            uri, semicolon, after = rest.partition(";")
            uri, after = uri.rstrip(" \t"), semicolon + after
            # RFC 3261 section 20: without brackets the address could not be told from what follows it.
            if "?" in uri or "," in uri:
                raise MalformedMessage("an address with a question mark or comma has no angle brackets")
        parse_uri(uri)
        address = cls(uri, display, parse_params(after))
        if address.tag is not None and not is_bare(address.tag):
            raise MalformedMessage("a tag is not a word")
        return address

    @property
    def tag(self) -> str | None:
        """The dialog's id at this end, None where there is none."""
        return param(self.params, "tag")

    @property
    def target(self) -> Uri:
        """The address, read."""
        return parse_uri(self.uri)

    def param(self, name: str) -> str | None:
        """Return a parameter's value, empty where it has none, or None where there is no such parameter."""
        return param(self.params, name)

    def having(self, name: str, value: str | None) -> Address:
        """Return the address with a parameter set, such as its tag."""
        others = [item for item in self.params if item[0] != name]
        return Address(self.uri, self.display, (*others, (name, value)))

    def __str__(self) -> str:
        name = f"{quote(self.display)} " if self.display else ""
        return f"{name}<{self.uri}>{format_params(self.params)}" if self.uri != "*" else "*"


class CSeq(msgspec.Struct, frozen=True):
    """The place of a request among those of its dialog (RFC 3261 section 20.16)."""

    number: int
    """Counts up within the dialog, below 2**31."""
    method: str
    """The request's method."""

    @classmethod
    def parse(cls, text: str) -> CSeq:
        """Read a CSeq.

        Raises:
            MalformedMessage: where it is none.
        """
        digits, _, method = text.strip(" \t").replace("\t", " ").partition(" ")
        method = method.strip(" ")
        if not is_token(method):
            raise MalformedMessage("a method is missing")
        return cls(number(digits, 2**31 - 1), method)

    def __str__(self) -> str:
        return f"{self.number} {self.method}"


def read_one(headers: Headers, name: str, parse: Callable[[str], Read]) -> Read | None:
    """Read a header that may be there once, or return None.

    Raises:
        MalformedMessage: which names the header, where it is there twice or is not as it should be.
    """
    values = headers.all(name)
    if not values:
        return None
    if len(values) > 1:
        raise MalformedMessage("stands there more than once", header=name)
    return read_value(name, values[0], parse)


def read_value(name: str, value: str, parse: Callable[[str], Read]) -> Read:
    """Read one value.

    Raises:
        MalformedMessage: which names the header.
    """
    try:
        return parse(value)
    except MalformedMessage as error:
        raise MalformedMessage(error.message, header=name, status=error.status) from None


def _required(headers: Headers, name: str, parse: Callable[[str], Read]) -> Read:
    """Read a header that must be there once."""
    found = read_one(headers, name, parse)
    if found is None:
        raise MalformedMessage("is missing", header=name)
    return found


def _items(headers: Headers, name: str) -> list[str]:
    """Return the elements of a list, which may be on one line or on several."""
    items: list[str] = []
    for value in headers.all(name):
        if value:
            items += read_value(name, value, split)
        if len(items) > MAX_ITEMS:
            raise MalformedMessage("a list is too long", header=name)
    return items


def read_via(headers: Headers) -> Via:
    """Read the topmost Via, whose sender has to be answered."""
    value = headers.get("Via")
    if value is None:
        raise MalformedMessage("is missing", header="Via")
    comma = read_value("Via", value, _first_comma)
    return read_value("Via", value if comma < 0 else value[:comma], Via.parse)


def _first_comma(value: str) -> int:
    """Return where a list's first element ends, or -1."""
    comma = find_unquoted(value, ",")
    opening = find_unquoted(value, "<") if comma >= 0 else -1
    if opening < 0 or opening > comma:
        return comma
    closing = value.find(">", opening)
    return -1 if closing < 0 else find_unquoted(value, ",", closing)


def read_vias(headers: Headers) -> tuple[Via, ...]:
    """Read all hops, the topmost first."""
    return tuple([read_value("Via", item, Via.parse) for item in _items(headers, "Via")])


def read_from(headers: Headers) -> Address:
    """Read who sent the request."""
    return _required(headers, "From", Address.parse)


def read_to(headers: Headers) -> Address:
    """Read whom the request was meant for, which need not be whom it has reached."""
    return _required(headers, "To", Address.parse)


def read_cseq(headers: Headers) -> CSeq:
    """Read the request's place in its dialog."""
    return _required(headers, "CSeq", CSeq.parse)


def read_call_id(headers: Headers) -> str:
    """Read the call's id."""
    return _required(headers, "Call-ID", _call_id)


def _call_id(text: str) -> str:
    """Check a Call-ID: more than the grammar's `word@word`, for it is only compared."""
    if not text or not _CALL_ID.issuperset(text):
        raise MalformedMessage("is empty or holds a character that it may not")
    return text


def read_addresses(headers: Headers, name: str) -> tuple[Address, ...]:
    """Read all addresses under a name, such as P-Asserted-Identity or Diversion, the first one first."""
    return tuple([read_value(name, item, Address.parse) for item in _items(headers, name)])


def read_route(headers: Headers, name: str = "Record-Route") -> tuple[Address, ...]:
    """Read a Record-Route, Route, Path or Service-Route, the topmost first."""
    return read_addresses(headers, name)


def read_contacts(headers: Headers) -> tuple[Address, ...]:
    """Read where a party can be reached; one with the address `*` stands for all."""
    return tuple([read_value("Contact", item, _parse_contact) for item in _items(headers, "Contact")])


def _parse_contact(text: str) -> Address:
    """Read a Contact, which may be a star."""
    return Address("*") if text == "*" else Address.parse(text)


def read_first_contact(headers: Headers) -> Address | None:
    """Read the first place where a party can be reached, in a dialog the only one; None where there is none."""
    value = headers.get("Contact")
    if not value:
        return None
    comma = read_value("Contact", value, _first_comma)
    first = (value if comma < 0 else value[:comma]).strip(" \t")
    return read_value("Contact", first, _parse_contact)


def parse_tokens(text: str) -> list[str]:
    """Read a list of words; a comma too many, as some write it after the last one, is no reason to refuse a call."""
    items = [item for each in text.split(",", MAX_ITEMS) if (item := each.strip(" \t"))]
    if len(items) >= MAX_ITEMS or not all(map(is_token, items)):
        raise MalformedMessage("holds something else than words")
    return items


def read_tokens(headers: Headers, name: str) -> tuple[str, ...]:
    """Read a list of words in their own case, such as the methods of Allow."""
    return tuple([item for value in headers.all(name) for item in read_value(name, value, parse_tokens)])


def read_options(headers: Headers, name: str) -> frozenset[str]:
    """Read the options of Supported, Require, Proxy-Require or Unsupported, in lower case."""
    return frozenset([token.lower() for token in read_tokens(headers, name)])


def read_number(headers: Headers, name: str, limit: int = 2**32 - 1) -> int | None:
    """Read a header that is one number, such as Expires; None where it is missing."""
    return read_one(headers, name, lambda text: number(text, limit))


def read_max_forwards(headers: Headers) -> int | None:
    """Read how many hops the request may still make, 0 to 255; None where nobody counts."""
    return read_number(headers, "Max-Forwards", 255)
