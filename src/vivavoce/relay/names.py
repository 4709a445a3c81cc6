"""Types of events as the two shapes have them: what is called alike, what otherwise, and what one of them lacks."""

from __future__ import annotations

from collections.abc import Mapping

from ..core import events as ev
from ..dialects import beta, ga

CONFIRMING = ("session.created", "session.updated")
"""Events that show a session."""
WITH_ITEM = (
    "conversation.item.added",
    "conversation.item.created",
    "conversation.item.done",
    "conversation.item.retrieved",
    "response.output_item.added",
    "response.output_item.done",
)
"""Events that show an item."""
ABOUT_OUTPUT = (
    "response.content_part.added",
    "response.content_part.done",
    "response.function_call_arguments.delta",
    "response.function_call_arguments.done",
)
"""Events inside an item that is being made, but for those that are renamed."""
_SAME = (
    "input_audio_buffer.append",
    "input_audio_buffer.commit",
    "input_audio_buffer.clear",
    "output_audio_buffer.clear",
    "conversation.item.delete",
    "conversation.item.retrieve",
    "conversation.item.truncate",
    "response.cancel",
    "input_audio_buffer.cleared",
    "input_audio_buffer.speech_started",
    "input_audio_buffer.speech_stopped",
    "input_audio_buffer.voice_probability",
    "output_audio_buffer.started",
    "output_audio_buffer.stopped",
    "output_audio_buffer.cleared",
    "conversation.item.truncated",
    "conversation.item.input_audio_transcription.delta",
)
"""Events of clients and of servers that no bridge has anything to do with."""

BETA_NAMES = {
    ga.SPELLING.names[event]: beta.SPELLING.names[event]
    for event in (ev.TextDelta, ev.TextDone, ev.TranscriptDelta, ev.TranscriptDone, ev.AudioDelta, ev.AudioDone)
}
"""What changes by name alone: the beta's name by GA's."""
GA_NAMES = {theirs: name for name, theirs in BETA_NAMES.items()}
"""The same the other way round."""
FROM_GA: Mapping[bytes, bytes] = {name.encode(): theirs.encode() for name, theirs in BETA_NAMES.items()}
"""`BETA_NAMES` as they stand in frames."""
TO_GA: Mapping[bytes, bytes] = {name.encode(): theirs.encode() for name, theirs in GA_NAMES.items()}
"""`GA_NAMES` as they stand in frames."""
UNKNOWN_TO_BETA = frozenset(
    {name for event, name in ga.SPELLING.names.items() if event not in beta.SPELLING.names}
    | {"input_audio_buffer.dtmf_event_received"}
)
"""Events of GA servers for which the beta shape has no word."""


def same(*more: str) -> frozenset[bytes]:
    """Return the types of what no bridge has anything to do with, and more."""
    return frozenset(name.encode() for name in (*_SAME, *more))
