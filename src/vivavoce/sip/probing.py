"""Probes: asking trunks by OPTIONS whether they are there.  How often is the business of whoever asks."""

from __future__ import annotations

from .authentication import Passwords
from .digest import DigestClient
from .effects import Effect, Probed
from .headers import Address, CSeq, read_cseq
from .matching import Responded, Transactions, Unanswered
from .message import Headers, Request
from .routing import Draft, next_hop_uri
from .terms import NewId

__all__ = ["Probes"]

_NO_SERVICE = 503
"""The only answer that says that a trunk is of no use; 404, 405 and 401 come from working ones."""


class Probes:
    """The questions that are not answered yet."""

    def __init__(self, transactions: Transactions, client: DigestClient, new_id: NewId) -> None:
        """Begin with none."""
        self._transactions = transactions
        self._client = client
        self._new_id = new_id
        self._asked: dict[str, str] = {}
        """Names of probes by the owner of their request."""

    def ask(self, name: str, uri: str, contact: str, host: str, now: float) -> list[Effect]:
        """Ask whether the host of an address is there."""
        owner = f"probe|{name}"
        if owner in self._asked:
            return []
        target, next_uri, _ = next_hop_uri(uri, ())
        own = Address(contact)
        headers = Headers.of(
            ("Max-Forwards", "70"),
            ("From", str(own.having("tag", self._new_id("tag")))),
            ("To", str(Address(uri))),
            ("Call-ID", self._new_id("callid")),
            ("CSeq", str(CSeq(1, "OPTIONS"))),
            ("Contact", str(own)),
            ("Accept", "application/sdp"),
        )
        request = Passwords(self._client, host, self._new_id).authorize(Request("OPTIONS", target, headers))
        out = self._transactions.send(Draft(request, next_uri), owner, now)
        self._asked[owner] = name
        return out

    def answered(self, owner: str, outcome: Responded | Unanswered, _now: float) -> list[Effect]:
        """Take what came of a question."""
        name = self._asked.get(owner)
        if name is None or read_cseq(outcome.request.headers).number != 1:
            return []
        status = outcome.response.status if isinstance(outcome, Responded) else outcome.status
        if status < 200:
            return []
        del self._asked[owner]
        return [Probed(name, isinstance(outcome, Responded) and status != _NO_SERVICE, status)]
