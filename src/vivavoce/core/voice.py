"""How likely the ears found it that somebody speaks, for clients that want to see it: an extension.

A client asks by naming `PROBABILITY` in `include`.  What it is told is what the detector said, before the turns
(`core.turns`) and what is known of echoes (`core.floor`) make anything of it.  Called by `core.session`.
"""

from __future__ import annotations

from . import events as ev
from .effects import Effect, Send
from .formats import TICKS_PER_MS
from .reports import Heard
from .response import NewId
from .settings import ServerVad, Settings
from .turns import SEMANTIC_THRESHOLD

PROBABILITY = "input_audio_buffer.voice_probability"
"""What a client includes to be told."""
FRAME_MS = 32
"""What one probability is about; fixed by the detectors, which all judge frames of this length."""
TOLD_FRAMES = 5
"""Frames of one event: six events a second look alive, and weigh little beside the audio."""


class Voice:
    """What one client is told of the voice in its audio."""

    def __init__(self, new_id: NewId) -> None:
        """Begin with nothing to tell; `new_id` makes the events' ids."""
        self._new_id = new_id
        self._frames: list[float] = []
        """The latest frames that the client was not told of; none lies between them."""
        self._end = 0
        """Tick at which the last of them ends."""

    def receive_frame(self, heard: Heard, settings: Settings) -> list[Effect]:
        """Take in a judged frame, and return what is to be told by now."""
        if PROBABILITY not in (settings.include or ()):
            return []
        if heard.at - self._end != FRAME_MS * TICKS_PER_MS:
            # Nothing was judged in between, or the client did not want to know.
            self._frames.clear()
        self._frames.append(round(heard.probability, 3))
        self._end = heard.at
        if len(self._frames) < TOLD_FRAMES:
            return []
        frames, self._frames = tuple(self._frames), []
        detection = settings.turn_detection
        threshold = detection.threshold if isinstance(detection, ServerVad) else SEMANTIC_THRESHOLD
        end_ms = heard.at // TICKS_PER_MS
        return [Send(ev.VoiceProbability(self._new_id("event"), end_ms, FRAME_MS, frames, threshold))]
