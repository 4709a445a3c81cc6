"""Messages of SIP with mistakes in them, as wires and strangers make them."""

from __future__ import annotations

import random
from collections.abc import Sequence


def mutated(chance: random.Random, seeds: Sequence[bytes], pieces: Sequence[bytes]) -> bytes:
    """One of the seeds with up to three changes: a byte, a hole, a repetition, a stray piece or another's end."""
    data = bytearray(chance.choice(seeds))
    for _ in range(chance.randint(1, 3)):
        at = chance.randrange(len(data) + 1)
        kind = chance.randrange(5)
        if kind == 0:
            data[at : at + 1] = bytes([chance.randrange(256)])
        elif kind == 1:
            del data[at : at + chance.randint(1, 20)]
        elif kind == 2:
            data[at:at] = data[at : at + chance.randint(1, 60)] * chance.randint(1, 8)
        elif kind == 3:
            data[at:at] = chance.choice(pieces)
        else:
            other = chance.choice(seeds)
            data[at:] = other[chance.randrange(len(other)) :]
    return bytes(data)
