"""Bad weather for agents on a wire in memory: messages are lost, doubled, delayed and overtake each other."""

from __future__ import annotations

import random
from collections import Counter

from signallers import told
from vivavoce.sip.headers import read_via
from vivavoce.sip.message import Message
from vivavoce.sip.terms import Terms

TIMED = Terms(session_seconds=90, ring_seconds=60, transfer_seconds=40)
"""Terms under which much happens by itself within minutes."""


class Weather:
    """What the wire does to messages; no message is lost more than twice, so that resending gets it through."""

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)
        self._lost: Counter[tuple[str, str, str | None]] = Counter()
        self.loss = self.doubling = self.delay = 0.0

    def loses(self, sender: str, message: Message) -> bool:
        key = (sender, told(message), read_via(message.headers).branch)
        if self._chance.random() >= self.loss or self._lost[key] >= 2:
            return False
        self._lost[key] += 1
        return True

    def copies(self) -> list[float]:
        count = 2 if self._chance.random() < self.doubling else 1
        return [self._chance.random() * self.delay for _ in range(count)]
