"""What can be wrong with SIP, one small tree; how a peer is answered for it is decided where it is raised."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .message import Request

__all__ = ["MalformedMessage", "OfferRefused", "SipError", "UnwritableMessage"]


class SipError(Exception):
    """The root of everything this package raises on purpose."""


class MalformedMessage(SipError):
    """What came over the wire is not SIP, or not enough of it: the only error that reading raises.

    Raised by whatever reads: messages, single headers, addresses, credentials and session descriptions.
    """

    def __init__(
        self, message: str, *, header: str | None = None, status: int | None = 400, request: Request | None = None
    ) -> None:
        super().__init__(message if header is None else f"{header}: {message}")
        self.message = message
        """What is wrong, in words that may go into a reason phrase: printable, without anything the peer sent."""
        self.header = header
        """The header that is wrong, by its full name, or None where no single one is."""
        self.status = status
        """The status to answer with (400, 413, 505 and so on), or None where nothing must be answered."""
        self.request = request
        """The request so far as it could be read, with all that an answer repeats (Via, From, To, Call-ID, CSeq).

        None where this is not known or there is too little of it: then there is nothing to answer to.
        """

    @property
    def is_answerable(self) -> bool:
        """Tell whether a response can and may be sent: never to a response, and never to an ACK."""
        return self.status is not None and self.request is not None and self.request.method != "ACK"

    @property
    def reason(self) -> str:
        """A reason phrase for the response, which names the header."""
        return str(self)


class UnwritableMessage(SipError, ValueError):
    """A message, header or address of our own that would not be SIP, such as one with a line break in it."""


class OfferRefused(SipError):
    """An offer or answer that is well formed, but that no call can be made of."""

    def __init__(self, message: str, *, status: int = 488, warning: int = 399) -> None:
        super().__init__(message)
        self.message = message
        """What is missing, in words that may go into a Warning header."""
        self.status = status
        """The status to answer with."""
        self.warning = warning
        """The warn-code of RFC 3261 20.43: 301 address, 302 transport, 304 media type, 305 format, 399 other."""
