"""Terms: what an agent says of itself and how long it waits; unchanging, and the same for all its calls."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import msgspec

from .timers import DEFAULT_TIMERS, Timers

__all__ = ["ALLOW", "SUPPORTED", "Chance", "NewId", "Terms"]

NewId = Callable[[str], str]
"""Makes an unguessable token of a kind: `branch`, `tag`, `callid`, `call`, `transfer` or `cnonce`."""
Chance = Callable[[], float]
"""Draws a number from 0 to 1."""

ALLOW = "INVITE, ACK, BYE, CANCEL, OPTIONS, INFO, UPDATE, PRACK, REFER, NOTIFY"
"""The methods that are understood."""
SUPPORTED = "100rel, timer, replaces, norefersub"
"""The extensions that are understood."""


class Terms(msgspec.Struct, frozen=True):
    """What is settled before there is any call."""

    timers: Timers = DEFAULT_TIMERS
    """How long SIP waits for what."""
    digests: tuple[Literal["SHA-256", "MD5"], ...] = ("SHA-256", "MD5")
    """How callers may show that they know their passwords, the most wanted first."""
    user_agent: str = ""
    """What the agent calls itself to those it sends requests; empty to say nothing, as scanners like to know."""
    session_seconds: int = 1800
    """The session interval that is proposed; 0 for calls without a session timer, unless others want one."""
    min_session_seconds: int = 90
    """The shortest session interval that is accepted; RFC 4028 allows none below 90."""
    ring_seconds: float = 180.0
    """How long a call may go unanswered, in and out."""
    transfer_seconds: float = 180.0
    """How long the outcome of a transfer is waited for."""
