"""Ids: unique over all processes, cheap, and repeatable from a seed."""

from __future__ import annotations

import secrets

_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_SEED_LENGTH = 13


def new_seed() -> str:
    """Return a random seed: 77 bits, as base62 text."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(_SEED_LENGTH))


def new_call_id() -> str:
    """Return the random id of a live call: whoever knows it and has a key of this server may control the call."""
    return f"rtc_u1_{secrets.token_hex(16)}"


class Ids:
    """The ids of one session: a random seed and a running number, 21 characters behind the kind."""

    def __init__(self, seed: str) -> None:
        self.seed = seed
        self._next = 0

    def __call__(self, kind: str) -> str:
        """Return the next id of a kind, such as `event` or `item`."""
        self._next += 1
        # Each event has one, and filling up a string takes half as long as formatting a number does.
        return f"{kind}_{self.seed}{str(self._next).zfill(8)}"
