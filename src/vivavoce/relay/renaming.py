"""Items that an upstream calls otherwise than the client: their ids, put in place of each other inside frames.

Only where ids of items stand: what people say may well be spelled like the id of something.  Called by `relay.links`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

MOST_CHARACTERS = 32
"""OpenAI takes no longer id for an item from a client."""

_is_plain = re.compile(rf"[A-Za-z0-9_-]{{1,{MOST_CHARACTERS}}}").fullmatch
# Base64 holds no quotation mark, so audio costs next to nothing here.
_standing = re.compile(rb'"((?:item_|previous_item_)?id"\s*:\s*")([^"\\]{1,512})"').sub


def is_taken_everywhere(item_id: str) -> bool:
    """Return whether any server lets a client call an item so."""
    return _is_plain(item_id) is not None


class Renaming:
    """The names of one upstream."""

    def __init__(self) -> None:
        """Call everything alike."""
        self._ours: dict[bytes, bytes] = {}
        self._theirs: dict[bytes, bytes] = {}

    def __len__(self) -> int:
        return len(self._ours)

    def __contains__(self, ours: str) -> bool:
        return ours.encode() in self._theirs

    def add(self, theirs: str, ours: str) -> None:
        """Learn that an upstream calls by one name what the client calls by another."""
        self._ours[theirs.encode()] = ours.encode()
        self._theirs[ours.encode()] = theirs.encode()

    def inward(self, frame: bytes) -> bytes:
        """Return a frame of the upstream with the client's names."""
        return _replaced(frame, self._ours) if self._ours else frame

    def outward(self, frame: bytes) -> bytes:
        """Return a frame for the upstream with its names."""
        return _replaced(frame, self._theirs) if self._theirs else frame


def _replaced(frame: bytes, names: Mapping[bytes, bytes]) -> bytes:
    def put(found: re.Match[bytes]) -> bytes:
        name = names.get(found[2])
        return found[0] if name is None else b'"%b%b"' % (found[1], name)

    return _standing(put, frame)
