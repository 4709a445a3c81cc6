"""What is in the headers of SIP's extensions: events, transfers, session timers, reliable provisional answers, reasons.

Each value is a frozen struct that `str` writes, and is taken out of a message by
`headers.read_one(message.headers, "Session-Expires", SessionExpires.parse)`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, TypeVar, cast

import msgspec

from .errors import MalformedMessage
from .headers import CSeq, read_one
from .lexing import Params, format_params, number, param, parse_params, quote, split_list, unquote
from .message import Headers, is_token

__all__ = [
    "ContentType",
    "Event",
    "RAck",
    "Reason",
    "Replaces",
    "RetryAfter",
    "SessionExpires",
    "SipWarning",
    "SubscriptionState",
    "parse_min_se",
    "read_content_type",
    "read_min_se_seconds",
    "read_reasons",
    "read_warnings",
]  # fmt: skip

Read = TypeVar("Read")


def _divide(text: str) -> tuple[str, Params]:
    """Take a value apart into what stands before its parameters and these."""
    value, semicolon, after = text.partition(";")
    return value.strip(" \t"), parse_params(semicolon + after)


def _word(text: str) -> tuple[str, Params]:
    """Take a value apart whose first part has to be a token."""
    value, params = _divide(text)
    if not is_token(value):
        raise MalformedMessage("does not begin with a word")
    return value, params


class Event(msgspec.Struct, frozen=True):
    """What a NOTIFY is about (RFC 6665 section 8.2.1)."""

    package: str
    """The event package, such as `refer`, in lower case."""
    id: str | None = None
    """Which of several subscriptions: for `refer` the CSeq of the REFER."""

    @classmethod
    def parse(cls, text: str) -> Event:
        """Read an Event."""
        package, params = _word(text)
        return cls(package.lower(), param(params, "id"))

    def __str__(self) -> str:
        return self.package + ("" if self.id is None else format_params((("id", self.id),)))


class SubscriptionState(msgspec.Struct, frozen=True):
    """How a subscription stands (RFC 6665 section 8.2.3)."""

    state: str
    """`active`, `pending` or `terminated`."""
    expires: int | None = None
    """Seconds that it has left, None where it does not say."""
    reason: str | None = None
    """Why it ended, such as `noresource`."""

    @classmethod
    def parse(cls, text: str) -> SubscriptionState:
        """Read a Subscription-State."""
        state, params = _word(text)
        expires = param(params, "expires")
        return cls(state.lower(), None if expires is None else number(expires), param(params, "reason"))

    def __str__(self) -> str:
        params: list[tuple[str, str | None]] = []
        if self.expires is not None:
            params.append(("expires", str(self.expires)))
        if self.reason is not None:
            params.append(("reason", self.reason))
        return self.state + format_params(tuple(params))


class Replaces(msgspec.Struct, frozen=True):
    """The dialog whose place a new call takes, as in an attended transfer (RFC 3891)."""

    call_id: str
    """Its Call-ID."""
    to_tag: str
    """The tag of the end that is asked to replace it."""
    from_tag: str
    """The tag of the other end."""
    early_only: bool = False
    """Whether only a call that nobody has answered yet may be replaced."""

    @classmethod
    def parse(cls, text: str) -> Replaces:
        """Read a Replaces."""
        call_id, params = _divide(text)
        to_tag, from_tag = param(params, "to-tag"), param(params, "from-tag")
        if not call_id or not to_tag or not from_tag:
            raise MalformedMessage("names no dialog")
        return cls(call_id, to_tag, from_tag, param(params, "early-only") is not None)

    def __str__(self) -> str:
        params: Params = (("to-tag", self.to_tag), ("from-tag", self.from_tag))
        return self.call_id + format_params((*params, ("early-only", None)) if self.early_only else params)


class SessionExpires(msgspec.Struct, frozen=True):
    """How long a call lives without being refreshed, and by whom it is (RFC 4028)."""

    seconds: int
    """The interval."""
    refresher: Literal["uac", "uas"] | None = None
    """Who refreshes; None where it is left open."""

    @classmethod
    def parse(cls, text: str) -> SessionExpires:
        """Read a Session-Expires."""
        seconds, params = _divide(text)
        refresher = (param(params, "refresher") or "").lower()
        if refresher not in ("", "uac", "uas"):
            raise MalformedMessage("an unknown party is asked to refresh")
        return cls(number(seconds), cast(Literal["uac", "uas"], refresher) if refresher else None)

    def __str__(self) -> str:
        return str(self.seconds) + ("" if self.refresher is None else f";refresher={self.refresher}")


class RAck(msgspec.Struct, frozen=True):
    """Which provisional answer a PRACK is for (RFC 3262 section 7.2)."""

    rseq: int
    """The RSeq of the answer."""
    cseq: CSeq
    """The CSeq of the answer."""

    @classmethod
    def parse(cls, text: str) -> RAck:
        """Read a RAck."""
        rseq, _, cseq = text.strip(" \t").replace("\t", " ").partition(" ")
        return cls(number(rseq), CSeq.parse(cseq))

    def __str__(self) -> str:
        return f"{self.rseq} {self.cseq}"


class Reason(msgspec.Struct, frozen=True):
    """Why a request was sent, mostly a BYE or CANCEL (RFC 3326)."""

    protocol: str
    """Whose numbers they are: `SIP`, `Q.850` and others."""
    cause: int | None = None
    """The number: a SIP status, or a cause of the telephone network, such as 16 for a normal end."""
    text: str | None = None
    """Words for people."""

    @classmethod
    def parse(cls, text: str) -> Reason:
        """Read one Reason."""
        protocol, params = _word(text)
        cause = param(params, "cause")
        return cls(protocol, number(cause) if cause else None, param(params, "text"))

    def __str__(self) -> str:
        cause = "" if self.cause is None else f";cause={self.cause}"
        return self.protocol + cause + ("" if self.text is None else f";text={quote(self.text)}")


class SipWarning(msgspec.Struct, frozen=True):
    """What more there is to say of a response's status (RFC 3261 section 20.43)."""

    code: int
    """Three digits: 305 for a format that nobody here knows, 399 for anything else."""
    agent: str
    """Who says so: a host or a name."""
    text: str
    """Words for people."""

    @classmethod
    def parse(cls, text: str) -> SipWarning:
        """Read one Warning."""
        code, _, rest = text.strip(" \t").partition(" ")
        agent, _, said = rest.strip(" \t").partition(" ")
        said = said.strip(" \t")
        if len(code) != 3 or code[0] == "0" or not agent or not said.startswith('"'):
            raise MalformedMessage("is not a code, a name and words")
        return cls(number(code), agent, unquote(said))

    def __str__(self) -> str:
        return f"{self.code} {self.agent} {quote(self.text)}"


class RetryAfter(msgspec.Struct, frozen=True):
    """When to try again (RFC 3261 section 20.33)."""

    seconds: int
    """How long to wait."""

    @classmethod
    def parse(cls, text: str) -> RetryAfter:
        """Read a Retry-After, whose comment and parameters are for people."""
        return cls(number(text.split(";", 1)[0].split("(", 1)[0].strip(" \t")))

    def __str__(self) -> str:
        return str(self.seconds)


class ContentType(msgspec.Struct, frozen=True):
    """What a body is (RFC 3261 section 20.15)."""

    media_type: str
    """Type and subtype in lower case, such as `application/sdp`."""
    params: Params = ()
    """Parameters in their order, such as `boundary`."""

    @classmethod
    def parse(cls, text: str) -> ContentType:
        """Read a Content-Type."""
        media_type, params = _divide(text)
        kind, slash, subtype = media_type.partition("/")
        kind, subtype = kind.rstrip(" \t"), subtype.lstrip(" \t")
        if not slash or not is_token(kind) or not is_token(subtype):
            raise MalformedMessage("is not a type and a subtype")
        return cls(f"{kind}/{subtype}".lower(), params)

    def __str__(self) -> str:
        return self.media_type + format_params(self.params)


def read_content_type(headers: Headers) -> ContentType | None:
    """Read what the body is, None where nothing says so."""
    return read_one(headers, "Content-Type", ContentType.parse)


def read_min_se_seconds(headers: Headers) -> int | None:
    """Read the shortest session interval that is accepted (RFC 4028 section 5), None where nothing says so."""
    return read_one(headers, "Min-SE", parse_min_se)


def parse_min_se(text: str) -> int:
    """Read a Min-SE, in seconds."""
    return number(_divide(text)[0])


def read_reasons(headers: Headers) -> tuple[Reason, ...]:
    """Read all reasons; a line that holds something else is left out, for nothing depends on it."""
    return _readable(headers, "Reason", Reason.parse)


def read_warnings(headers: Headers) -> tuple[SipWarning, ...]:
    """Read all warnings; a line that holds something else is left out, for nothing depends on it."""
    return _readable(headers, "Warning", SipWarning.parse)


def _readable(headers: Headers, name: str, parse: Callable[[str], Read]) -> tuple[Read, ...]:
    """Return all values of a list on those lines that can be read."""
    found: list[Read] = []
    for value in headers.all(name):
        try:
            found += [parse(item) for item in split_list(value)]
        except MalformedMessage:
            continue
    return tuple(found)
