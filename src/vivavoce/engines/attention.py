"""What else is heard while an answer plays: whether it is the answer itself, and whether the user claims the turn.

It is awake only while something is played, and looks closely only at frames in which somebody speaks, so that it costs
nothing otherwise.  It keeps half a second of audio.  One for each session that asks for it; called on the canal's
thread (`engines.canal`).
"""

from __future__ import annotations

from ..audio import bands
from ..core.formats import TICKS_PER_MS, AudioFormat
from .claims import claims
from .echoes import LAG_MS, SOONER_MS, Output, likeness
from .pcm import RATE_HZ

_KEPT_MS = 480
"""What both judgements look at, and a frame."""
_KEPT_BYTES = _KEPT_MS * RATE_HZ // 1000 * 2
_NOTICED = 0.3
"""Probability of speech from which a frame is looked at: a soft syllable does not interrupt a judgement."""
_PAUSE_FRAMES = 5
"""Frames without speech after which speech begins anew."""
_FRAME_MS = 32


class Attention:
    """The attention of one session."""

    def __init__(self) -> None:
        self._output = Output()
        self._pcm = bytearray()
        self._speech_ms = 0
        self._quiet_frames = 0

    def expect_echo(self, audio: bytes, format: AudioFormat, at: int) -> None:  # noqa: A002
        """Learn what is played from a tick on."""
        self._output.add(audio, format, at)

    def judge(self, frame: bytes, end: int, probability: float) -> tuple[float, float | None]:
        """Return the likeness to the output, and the claim, of the frame of 16 kHz audio that ends at a tick."""
        if end > self._output.end:
            self._pcm.clear()
            self._output.forget(end)
            self._speech_ms = 0
            return 0.0, None
        self._pcm += frame
        del self._pcm[:-_KEPT_BYTES]
        if probability < _NOTICED:
            self._quiet_frames += 1
            if self._quiet_frames >= _PAUSE_FRAMES:
                self._speech_ms = 0
            return 0.0, None
        self._quiet_frames = 0
        self._speech_ms += _FRAME_MS
        rows = bands.levels(bytes(self._pcm), RATE_HZ)
        return self._likeness(rows, end), claims().judge(rows, self._speech_ms)

    def _likeness(self, rows: bands.Levels, end: int) -> float:
        span = (len(rows) * bands.HOP_MS + bands.WINDOW_MS - bands.HOP_MS) * TICKS_PER_MS
        first = end - span - LAG_MS * TICKS_PER_MS
        self._output.forget(first)
        played = self._output.levels(max(0, first), end + SOONER_MS * TICKS_PER_MS)
        if len(played) == 0 or played.max() <= bands.FLOOR_DB + 1:
            return 0.0
        return likeness(rows, played)[0]
