"""Authentication as calls and registrations use it: whose challenges one party's passwords answer, and how often."""

from __future__ import annotations

import msgspec

from .digest import DigestClient
from .errors import MalformedMessage
from .headers import CSeq, read_cseq
from .message import Request, Response
from .terms import NewId

__all__ = ["Passwords"]


class Passwords:
    """The passwords that may be shown to one host, for one call or registration."""

    def __init__(self, client: DigestClient, host: str, new_id: NewId) -> None:
        """Begin with nothing shown; `host` is whom the first request goes to, as the operator calls it."""
        self._client = client
        self._host = host
        self._new_id = new_id
        self._last = (0, 0)
        """The CSeq number of the last request that was sent again, and how often it was sent by then."""

    def authorize(self, request: Request) -> Request:
        """Return a request with what the host has asked for before."""
        return self._client.authorize(request, self._host, self._new_id("cnonce"))

    def answer(self, request: Request, response: Response, number: int) -> Request | None:
        """Return a request that was challenged as it is to be sent again, with this CSeq number and no Via.

        None where no password would help or may be shown.
        """
        last, attempts = self._last
        attempt = attempts if read_cseq(request.headers).number == last else 1
        try:
            again = self._client.answer(request, response, self._host, self._new_id("cnonce"), attempt)
        except MalformedMessage:
            return None
        if again is None:
            return None
        self._last = (number, attempt + 1)
        headers = again.headers.replaced("CSeq", str(CSeq(number, request.method))).without("Via")
        return msgspec.structs.replace(again, headers=headers)
