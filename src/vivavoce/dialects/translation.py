"""Translation sessions: an event vocabulary of their own, in one spelling for all clients."""

from __future__ import annotations

from typing import Any

import msgspec
import pybase64

from ..core import events as ev
from ..core.settings import SessionPatch
from ..core.states import SessionState
from ..core.translating import LANGUAGES
from . import codec, ga, spelling
from . import schema as s

APPEND = "session.input_audio_buffer.append"

# --------------------------------------------------------------------------------------------------- client events

_SESSION = s.fields(
    {
        **dict.fromkeys(ga.READ_ONLY, s.ignored),
        "model": s.name,
        "audio": s.fields(
            {
                "input": s.fields(
                    {
                        "transcription": s.nullable(s.fields({"model": s.text}, ("model",))),
                        "noise_reduction": ga.noise_reduction,
                    }
                ),
                "output": s.fields({"language": s.choice(*LANGUAGES)}),
            }
        ),
    }
)


def session_patch(value: Any, path: str = "session") -> SessionPatch:
    """Return the change of settings that a translation session object asks for; its type goes without saying."""
    if isinstance(value, dict) and value.get("type") in ("realtime", "transcription"):
        raise ga.other_kind(value["type"], "translation", f"{path}.type")
    found = _SESSION(value, path)
    audio = found.pop("audio", {})
    for key in ga.READ_ONLY:
        found.pop(key, None)
    found |= audio.get("input", {})
    if "language" in audio.get("output", {}):
        found["output_language"] = audio["output"]["language"]
    return dict(found)


READERS: dict[str, codec.Reader] = {
    "session.update": ga.update_reader(session_patch),
    APPEND: codec.READERS["input_audio_buffer.append"],
    "session.close": codec.reader({}, (), ev.SessionClose),
}

# --------------------------------------------------------------------------------------------------- server events


def render_session(state: SessionState) -> dict[str, Any]:
    """Return the whole effective translation session."""
    found = state.settings
    output = {"language": found.output_language} if found.output_language else {}
    return {
        "id": state.id,
        "type": "translation",
        "expires_at": state.expires_at,
        "model": found.model,
        "audio": {
            "input": {
                "transcription": None if found.transcription is None else {"model": found.transcription.model},
                "noise_reduction": ga.render_noise_reduction(found.noise_reduction),
            },
            "output": output,
        },
    }


SPELLING = msgspec.structs.replace(
    ga.SPELLING,
    names={
        ev.Error: "error",
        ev.SessionCreated: "session.created",
        ev.SessionUpdated: "session.updated",
        ev.SessionClosed: "session.closed",
        ev.InputTranscriptDelta: "session.input_transcript.delta",
        ev.OutputTranscriptDelta: "session.output_transcript.delta",
    },
    session=render_session,
)


class Translation:
    """The spelling of translation sessions: stateless."""

    name = "ga"

    def decode(self, data: bytes | str) -> ev.ClientEvent:
        """Return the client event of a frame.

        Raises:
            ProtocolError: it is none.
        """
        return codec.decode(data, READERS, APPEND)

    def encode(self, event: ev.ServerEvent) -> list[bytes]:
        """Return the frames of an event: one, or none where the vocabulary has no word for it."""
        if type(event) is ev.OutputAudioDelta:
            return [_encode_audio(event)]
        if type(event) not in SPELLING.names:
            return []
        return [codec.encode(spelling.message(event, SPELLING))]


def _encode_audio(event: ev.OutputAudioDelta) -> bytes:
    """Return an audio delta as one JSON frame, its parts joined around the base64."""
    return b"".join(
        (
            b'{"type":"session.output_audio.delta","event_id":"',
            event.event_id.encode(),
            b'","format":"pcm16","sample_rate":24000,"channels":1,"elapsed_ms":%d,"delta":"' % event.elapsed_ms,
            pybase64.b64encode(event.delta),
            b'"}',
        )
    )
