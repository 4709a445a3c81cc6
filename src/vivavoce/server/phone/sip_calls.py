"""Calls by SIP as their road knows them.  Called by `sip`."""

from __future__ import annotations

import asyncio
from typing import Protocol

from ...legs.phone.media import PhoneMedia
from ...sip.negotiation import Negotiation
from .party import PhoneCall

__all__ = ["Road", "SipCall", "Successor"]


class Road(Protocol):
    """What a call's road does for it."""

    def hang_up(self, call: SipCall, reason: str) -> None:
        """End a call."""
        ...

    def refer(self, call: SipCall, target: str) -> bool:
        """Have the other side call somebody else; return whether that is under way."""
        ...


class SipCall:
    """One call by SIP: the `Control` of its `PhoneCall`."""

    def __init__(self, road: Road, id: str, negotiation: Negotiation | None = None) -> None:  # noqa: A002
        self.road: Road | None = road
        self.id = id
        """What the agent calls it; it changes when the call is transferred to somebody else."""
        self.negotiation = negotiation
        self.media: PhoneMedia | None = None
        self.phone: PhoneCall | None = None
        self.task: asyncio.Task[None] | None = None
        self.successor: str | None = None
        """The call that somebody else is being connected by, in place of this one."""
        self.is_over = False

    def hang_up(self, reason: str) -> None:
        """End the call."""
        if self.road is not None:
            self.road.hang_up(self, reason)

    def transfer(self, target: str) -> bool:
        """Have the other side call somebody else."""
        return self.road is not None and self.road.refer(self, target)


class Successor(SipCall):
    """A call that is dialled because the other side of one asked for it, and takes its place when it is answered."""

    def __init__(self, road: Road, id: str, negotiation: Negotiation, before: SipCall) -> None:  # noqa: A002
        super().__init__(road, id, negotiation)
        self.before = before
        self.media, self.phone = before.media, before.phone
