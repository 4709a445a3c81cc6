"""The input buffer: audio that was heard but not committed.

It counts ticks (`core.formats`), never seconds, on one clock that runs over all audio ever written to the session;
neither a commit nor a clear sets it back.
"""

from __future__ import annotations

from collections import deque

from .formats import TICKS_PER_MS, AudioFormat


class InputBuffer:
    """Audio since the last commit or clear."""

    def __init__(self, format: AudioFormat, max_bytes: int) -> None:  # noqa: A002 - the wire name
        self.max_bytes = max_bytes
        self._format = format
        self._bytes_per_sample = format.bytes_per_sample
        self._ticks_per_sample = format.ticks_per_sample
        self._odd = b""
        self._chunks: deque[tuple[int, bytes, AudioFormat]] = deque()
        self._size = 0
        self._end = 0
        self._since = 0

    @property
    def format(self) -> AudioFormat:
        """How the next audio is read."""
        return self._format

    def switch(self, to: AudioFormat) -> None:
        """Read what comes next in another format."""
        if to != self._format:
            self._format = to
            self._bytes_per_sample = to.bytes_per_sample
            self._ticks_per_sample = to.ticks_per_sample
            self._odd = b""

    @property
    def end(self) -> int:
        """Tick after the last whole sample ever written."""
        return self._end

    @property
    def start(self) -> int:
        """Tick of the first sample that is still held; `end` when none is."""
        return self._chunks[0][0] if self._chunks else self._end

    @property
    def pending_ms(self) -> float:
        """Milliseconds written since the last commit or clear, held or not."""
        return (self._end - self._since) / TICKS_PER_MS

    def has_room(self, n_bytes: int) -> bool:
        """Return whether so much more fits."""
        return self._size + n_bytes <= self.max_bytes

    def make_room(self, n_bytes: int) -> None:
        """Let go of the oldest chunks until so much more fits, or nothing is held."""
        while self._chunks and not self.has_room(n_bytes):
            self._size -= len(self._chunks.popleft()[1])

    def append(self, audio: bytes) -> bytes:
        """Write audio and return the whole samples that it completed.

        A trailing half sample waits for the next append.
        """
        if self._odd:
            audio = self._odd + audio
            self._odd = b""
        size = len(audio)
        if size % self._bytes_per_sample:
            self._odd = audio[-1:]
            audio = audio[:-1]
            size -= 1
        if size:
            self._chunks.append((self._end, audio, self._format))
            self._size += size
            self._end += size // self._bytes_per_sample * self._ticks_per_sample
        return audio

    def take(self, start: int, end: int) -> tuple[bytes, AudioFormat]:
        """Remove everything before `end` and return what lies in `start` to `end`.

        Where the format changed in between, only the audio in the last format is returned.
        """
        taken: list[bytes] = []
        format_ = self._format
        while self._chunks and self._chunks[0][0] < end:
            at, chunk, chunk_format = self._chunks.popleft()
            self._size -= len(chunk)
            head = chunk_format.bytes_for_ticks(max(0, start - at))
            cut = chunk_format.bytes_for_ticks(end - at)
            if chunk_format != format_:
                taken.clear()
                format_ = chunk_format
            taken.append(chunk[head:cut])
            if cut < len(chunk):
                # What is left may begin up to a sample before `end`, which need not lie between two samples.
                self._chunks.appendleft((at + chunk_format.ticks(cut), chunk[cut:], chunk_format))
                self._size += len(chunk) - cut
                break
        self._since = max(self._since, end)
        return b"".join(taken), format_

    def clear(self) -> None:
        """Forget what is held; the clock goes on."""
        self._chunks.clear()
        self._odd = b""
        self._size = 0
        self._since = self._end

    def trim(self, keep_from: int) -> None:
        """Let go of whole chunks that end before a tick."""
        while self._chunks:
            at, chunk, format_ = self._chunks[0]
            if at + format_.ticks(len(chunk)) > keep_from:
                return
            self._chunks.popleft()
            self._size -= len(chunk)
