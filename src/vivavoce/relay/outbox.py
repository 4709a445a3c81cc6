"""The outbox: what the client has sent and no server has answered for yet, audio included, in its order.

A link that is lost may have got any part of it.  The next one is told the chronicle, which holds none of this, and then
the whole outbox again, so nothing is lost and nothing counts twice.

Audio is measured on the client's own clock: milliseconds of all that it ever appended, which is what the protocol's
`audio_start_ms` and `audio_end_ms` mean.  Called by `relay.session`.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator

from . import peek
from .terms import Object

APPEND = b"input_audio_buffer.append"
COMMIT = b"input_audio_buffer.commit"
CLEAR = b"input_audio_buffer.clear"
CREATE_RESPONSE = b"response.create"
UPDATE = b"session.update"
CREATE = b"conversation.item.create"
DELETE = b"conversation.item.delete"
TRUNCATE = b"conversation.item.truncate"

_BYTES_PER_MS_OF_G711 = 8
"""All other audio has samples of two bytes."""
_LEAD_MS = 3000.0
"""While nobody speaks, so much audio is kept: a server that hears speech tells of it later than it began."""


class Entry:
    """One event of the client."""

    __slots__ = ("bytes_", "end_ms", "event", "frame", "is_ours", "kind", "sent_at")

    def __init__(
        self, kind: bytes, frame: bytes, event: Object | None, end_ms: float, sent_at: float, *, is_ours: bool = False
    ) -> None:
        self.kind = kind
        """Its type, in GA spelling."""
        self.frame = frame
        """As the client wrote it."""
        self.event = event
        """What it says, in GA spelling; None for audio, which is spelled alike everywhere."""
        self.end_ms = end_ms
        """Where the client's audio stands behind it."""
        self.sent_at = sent_at
        """When it was sent last."""
        self.is_ours = is_ours
        """Whether the client knows nothing of it."""
        self.bytes_ = len(frame)
        """What it takes."""


class Outbox:
    """What may have to be sent again."""

    def __init__(self, max_bytes: int) -> None:
        """Begin empty.

        Args:
            max_bytes: most that is kept; beyond it the oldest audio is forgotten.
        """
        self._entries: deque[Entry] = deque()
        self._bytes = 0
        self._max_bytes = max_bytes
        self._kinds: Counter[bytes] = Counter()
        """How many there are of each type, audio left out."""
        self.clock_ms = 0.0
        """Milliseconds of audio that the client has appended in all."""
        self.bytes_per_ms = 48
        """Of the client's audio."""
        self.odd = b""
        """The first half of a sample whose other half the client has not appended yet."""

    def __iter__(self) -> Iterator[Entry]:
        return iter(self._entries)

    @property
    def is_quiet(self) -> bool:
        """Whether everything but audio has been answered for."""
        return not self._kinds

    @property
    def size_bytes(self) -> int:
        """What is kept."""
        return self._bytes

    def append(self, frame: bytes, now: float, *, lead_only: bool) -> None:
        """Take audio.

        Args:
            frame: an append.
            now: when it came.
            lead_only: whether nobody speaks, so that only the latest is worth keeping.
        """
        size = peek.base64_bytes(frame, peek.AUDIO)
        self.clock_ms = end_ms = self.clock_ms + size / self.bytes_per_ms
        if self.odd or size & 1:
            # What was before may be here no longer: a server that began between two halves would hear noise.
            frame = self._whole(frame)
            if not frame:
                return
        entries = self._entries
        entries.append(Entry(APPEND, frame, None, end_ms, now))
        self._bytes += len(frame)
        if lead_only:
            bound = end_ms - _LEAD_MS
            while entries[0].kind is APPEND and entries[0].end_ms <= bound:
                self._bytes -= entries.popleft().bytes_
        if self._bytes > self._max_bytes:
            self._forget_oldest_audio()

    def add(self, kind: bytes, frame: bytes, event: Object, now: float, *, is_ours: bool = False) -> Entry:
        """Take an event that the server will answer for."""
        entry = Entry(kind, frame, event, self.clock_ms, now, is_ours=is_ours)
        self._entries.append(entry)
        self._bytes += entry.bytes_
        self._kinds[kind] += 1
        if kind == CLEAR:
            self.odd = b""
        if self._bytes > self._max_bytes:
            self._forget_oldest_audio()
        return entry

    def measure(self, bytes_per_ms: int) -> None:
        """Take the client's audio in another format from now on."""
        if bytes_per_ms != self.bytes_per_ms:
            self.bytes_per_ms, self.odd = bytes_per_ms, b""

    def pending(self, kind: bytes) -> Entry | None:
        """Return the oldest event of a type that is not answered for."""
        if kind not in self._kinds:
            return None
        return next((entry for entry in self._entries if entry.kind == kind), None)

    def identified(self, event_id: str) -> Entry | None:
        """Return the event that the client gave this id."""
        for entry in self._entries:
            if entry.event is not None and entry.event.get("event_id") == event_id:
                return entry
        return None

    def settle(self, entry: Entry) -> None:
        """Take out an event that was answered for; what a server answers in order before it has been, too."""
        before: list[Entry] = []
        while self._entries and (each := self._entries.popleft()) is not entry:
            # A response is announced when the server comes to it; everything else it answers at once.
            if each.kind in (APPEND, CREATE_RESPONSE):
                before.append(each)
            else:
                self._forget(each)
        self._forget(entry)
        self._entries.extendleft(reversed(before))

    def committed(self, entry: Entry | None, end_ms: float) -> list[bytes]:
        """Take out the audio that became an item, and return it.

        Args:
            entry: the client's commit; None where the server made the turn.
            end_ms: where its turn ended, on the client's clock; only where the server made it.
        """
        kept: deque[Entry] = deque()
        taken: list[bytes] = []
        is_past = False
        for each in self._entries:
            is_past = is_past or (each is entry if entry is not None else each.end_ms > end_ms)
            if each is entry:
                continue
            if not is_past and each.kind is APPEND:
                taken.append(each.frame)
            else:
                kept.append(each)
        self._keep(kept)
        return taken

    def expire(self, before: float) -> None:
        """Take out events that were sent so long ago that no answer will come: not every server answers everything."""
        if self._kinds:
            # A response may be asked for while another is made, and is begun when that is done.
            lasting = (APPEND, CREATE_RESPONSE)
            self._keep(deque(each for each in self._entries if each.kind in lasting or each.sent_at >= before))

    def dropped(self, entry: Entry) -> None:
        """Take out a failed event with nothing else."""
        self._entries.remove(entry)
        self._forget(entry)

    def keep_only(self, kinds: frozenset[bytes]) -> None:
        """Take out events of all other types; audio stays."""
        self._keep(deque(each for each in self._entries if each.kind is APPEND or each.kind in kinds))

    def _keep(self, entries: deque[Entry]) -> None:
        self._entries = entries
        self._bytes = sum(each.bytes_ for each in entries)
        self._kinds = Counter(each.kind for each in entries if each.kind is not APPEND)

    def _forget(self, entry: Entry) -> None:
        self._bytes -= entry.bytes_
        self._kinds[entry.kind] -= 1
        if not self._kinds[entry.kind]:
            del self._kinds[entry.kind]

    @property
    def first_audio_ms(self) -> float:
        """Where the audio that is still here begins, on the client's clock; its end where there is none."""
        first = next((each for each in self._entries if each.kind is APPEND), None)
        if first is None:
            return self.clock_ms
        return first.end_ms - peek.base64_bytes(first.frame, peek.AUDIO) / self.bytes_per_ms

    def _whole(self, frame: bytes) -> bytes:
        """Return an append with whole samples alone; empty where it completes none."""
        audio = peek.audio(frame) if self.bytes_per_ms != _BYTES_PER_MS_OF_G711 else b""
        if not audio:
            return frame
        audio = self.odd + audio
        whole = len(audio) & ~1
        self.odd = audio[whole:]
        return peek.with_audio(frame, audio[:whole]) if whole else b""

    def _forget_oldest_audio(self) -> None:
        """Forget audio until what is left is small enough: half, so that this is seldom needed."""
        kept: deque[Entry] = deque()
        excess = self._bytes - self._max_bytes // 2
        for each in self._entries:
            if excess > 0 and each.kind is APPEND:
                excess -= each.bytes_
            else:
                kept.append(each)
        self._keep(kept)
