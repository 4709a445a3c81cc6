"""How much audio a translation session was given: such sessions are paid for by time, and no event of theirs says so.

Called by `relay.session`.
"""

from __future__ import annotations

from . import peek
from .effects import Effect, Used
from .links import Link

APPEND = b"session.input_audio_buffer.append"
_BYTES_PER_SECOND = 48_000
"""Translations take PCM of 24 kHz alone."""
_LUMP_SECONDS = 10.0
"""Fifty charges a second would help nobody."""


class Meter:
    """The audio of one translation session."""

    def __init__(self) -> None:
        """Begin with none."""
        self._bytes = 0

    def count(self, frame: bytes, link: Link) -> list[Effect]:
        """Take audio that goes over a link; return what it comes to, now and then."""
        self._bytes += peek.base64_bytes(frame, peek.AUDIO)
        return self.read(link) if self._bytes >= _LUMP_SECONDS * _BYTES_PER_SECOND else []

    def read(self, link: Link) -> list[Effect]:
        """Return what was not told yet."""
        seconds, self._bytes = self._bytes / _BYTES_PER_SECOND, 0
        if not seconds:
            return []
        usage = {"type": "duration", "seconds": round(seconds, 3)}
        return [Used(link.place.upstream, link.place.model, "translation", usage)]
