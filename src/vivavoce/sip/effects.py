"""Effects and events of the user agent: what it asks of the world, and what it tells of its calls.

Effects (`Send`, `Resolve`) are imperative and are performed by whoever has the sockets.  Events are in the past tense
and are for whoever has the calls; calls are named by ids that the agent's `new_id` made for them.  Offers and answers
are session descriptions as bytes, which are carried here and read elsewhere.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

from .message import Headers

__all__ = [
    "AnswerReceived",
    "Answered",
    "CallEnded",
    "DigitPressed",
    "Effect",
    "Hop",
    "Identified",
    "InfoReceived",
    "Invited",
    "OfferDeclined",
    "OfferReceived",
    "Probed",
    "Progressed",
    "Registered",
    "RegistrationFailed",
    "Resolve",
    "Send",
    "TransferRequested",
    "Transferred",
    "Transport",
]  # fmt: skip

Transport: TypeAlias = Literal["udp", "tcp", "tls"]
"""How messages travel; SIP knows others, which are not spoken here."""


class Hop(msgspec.Struct, frozen=True):
    """The place that messages come from or go to: one transport and one numeric address."""

    transport: Transport
    """How messages travel there."""
    host: str
    """The numeric address, without brackets."""
    port: int
    """The port; for a connection that the other side opened, the one it came from."""
    name: str = ""
    """The name that a certificate has to bear, empty where the address itself has to stand in it."""

    @property
    def is_reliable(self) -> bool:
        """Whether nothing is lost on the way, so that nothing has to be sent again."""
        return self.transport != "udp"

    @property
    def place(self) -> tuple[str, str, int]:
        """Return what tells it from other places, whatever it is called."""
        return self.transport, self.host, self.port


class Send(msgspec.Struct, frozen=True):
    """Send one message: a datagram, or on a connection to that place, which is opened where there is none."""

    data: bytes
    """The message as it goes over the wire."""
    hop: Hop
    """Where to."""
    fallback: Hop | None = None
    """Where to connect when the connection to `hop` is gone and cannot be opened from this side."""


class Resolve(msgspec.Struct, frozen=True):
    """Find the places that a host stands for (RFC 3263), and tell the agent by `resolved`."""

    host: str
    """The name to look up."""
    port: int | None
    """The port that was given; None lets the name service say."""
    transport: Transport | None
    """The transport that was given; None lets the name service say."""
    is_secure: bool
    """Whether only TLS will do."""


class Invited(msgspec.Struct, frozen=True):
    """Somebody calls: to be answered by `ring`, `accept` or `reject`."""

    call: str
    """The call's id."""
    uri: str
    """The Request-URI: whom the call is for."""
    sender: str
    """The `From` header, which anybody may claim."""
    to: str
    """The `To` header."""
    headers: Headers
    """All headers of the request."""
    offer: bytes | None
    """The caller's offer; None when it wants to be offered something first."""
    source: Hop
    """Where the request came from."""
    identity: str | None
    """Who was proved to call, by digest; None when nobody was asked."""
    replaces: str | None = None
    """The call whose place this one wants to take: the end of an attended transfer."""


class Progressed(msgspec.Struct, frozen=True):
    """The called party rings, or what stands in its way says so."""

    call: str
    """The call's id."""
    status: int
    """180, 183 or another below 200."""
    answer: bytes | None
    """A session description for early media; None where there is none."""


class Answered(msgspec.Struct, frozen=True):
    """A call is up: the called party has answered, or the caller has confirmed that it was."""

    call: str
    """The call's id."""
    sdp: bytes | None
    """The other side's answer, where one came with it; None where it was known before."""


class OfferReceived(msgspec.Struct, frozen=True):
    """The other side wants to change the media: to be answered by `answer` or `refuse`."""

    call: str
    """The call's id."""
    offer: bytes | None
    """What it offers; None when it wants to be offered something, which `answer` then brings."""


class AnswerReceived(msgspec.Struct, frozen=True):
    """The other side has answered an offer that was made with `accept`, `offer` or `answer`."""

    call: str
    """The call's id."""
    answer: bytes
    """What it answers."""


class OfferDeclined(msgspec.Struct, frozen=True):
    """The other side did not take an offer; all stays as it was."""

    call: str
    """The call's id."""
    status: int
    """Why: 488 for what it cannot do, 491 when offers met and did so too often."""


class DigitPressed(msgspec.Struct, frozen=True):
    """The other side pressed a key, told by INFO."""

    call: str
    """The call's id."""
    digit: str
    """One of `0123456789*#ABCD`."""
    duration_ms: int
    """How long, as far as it was said; 0 where not."""


class InfoReceived(msgspec.Struct, frozen=True):
    """The other side sent something by INFO that is not a key."""

    call: str
    """The call's id."""
    content_type: str
    """What it is."""
    body: bytes
    """The thing itself."""


class TransferRequested(msgspec.Struct, frozen=True):
    """The other side asks that this side call somebody else: to be answered by `follow` or `decline`."""

    call: str
    """The call's id."""
    transfer: str
    """The id of this request."""
    target: str
    """The URI to call."""
    replaces: str | None
    """What the new call is to say that it replaces, ready for its header; None for a blind transfer."""
    referred_by: str | None
    """Who asks for it, as it was claimed."""


class Transferred(msgspec.Struct, frozen=True):
    """A transfer that this side asked for has come further."""

    call: str
    """The call's id."""
    status: int
    """What the other side was answered: 100 to 199 while it goes on, 200 to 299 when it worked."""
    is_final: bool
    """Whether nothing more will be told."""


class Identified(msgspec.Struct, frozen=True):
    """The other side says that it is somebody else now, as after a transfer between others."""

    call: str
    """The call's id."""
    identity: str
    """Its `P-Asserted-Identity`, which only a trunk that is trusted may be believed."""


class CallEnded(msgspec.Struct, frozen=True):
    """A call is over; its id means nothing any more."""

    call: str
    """The call's id."""
    reason: Literal[
        "hung up", "ended here", "cancelled", "rejected", "no answer", "unreachable", "lost", "expired", "replaced",
        "answered elsewhere", "unacknowledged",
    ]  # fmt: skip
    """Why: `hung up` by the other side, `lost` when it no longer knows the call, `expired` by the session timer."""
    status: int = 0
    """The status that ended it, 0 where none did."""
    phrase: str = ""
    """What the other side said of it: a reason phrase or the text of a `Reason` header."""
    contacts: tuple[str, ...] = ()
    """Where else to try, when the call was redirected."""


class Registered(msgspec.Struct, frozen=True):
    """A registrar has taken or renewed a registration."""

    line: str
    """The registration's name."""
    expires_seconds: int
    """How long it holds; it is renewed before that.  0 when it was taken back."""


class RegistrationFailed(msgspec.Struct, frozen=True):
    """A registration was not taken; it is tried again by itself, but for wrong passwords."""

    line: str
    """The registration's name."""
    status: int
    """The registrar's answer; 408 for none, 503 for nobody there."""
    phrase: str
    """What it said."""
    retry_seconds: float | None
    """When it is tried again; None for never."""


class Probed(msgspec.Struct, frozen=True):
    """A trunk was asked by OPTIONS whether it is there."""

    probe: str
    """The probe's name."""
    is_alive: bool
    """Whether anything but silence and 503 came back."""
    status: int
    """What came back; 408 for nothing."""


Event: TypeAlias = (
    Invited | Progressed | Answered | OfferReceived | AnswerReceived | OfferDeclined | DigitPressed | InfoReceived
    | TransferRequested | Transferred | Identified | CallEnded | Registered | RegistrationFailed | Probed
)  # fmt: skip
Effect: TypeAlias = Send | Resolve | Event
"""Whatever an input may lead to."""
