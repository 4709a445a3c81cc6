"""How cases speak both shapes: settings by neutral names, and where each stands in either shape.

The names are `modalities` (`text` or `audio`), `instructions`, `tools`, `tool_choice`, `max_tokens`, `input_format` and
`output_format` (`pcm`, `ulaw` or `alaw`), `transcription`, `noise_reduction`, `turn_detection`, `voice` and `speed`;
all others stand at the top of a session in both shapes.  Pure; called by `check.talk` and by cases.
"""

from __future__ import annotations

from typing import Any

from .order import BETA_TO_GA, Shape

_GA_PATHS = {
    "modalities": ("output_modalities",),
    "max_tokens": ("max_output_tokens",),
    "input_format": ("audio", "input", "format"),
    "output_format": ("audio", "output", "format"),
    "transcription": ("audio", "input", "transcription"),
    "noise_reduction": ("audio", "input", "noise_reduction"),
    "turn_detection": ("audio", "input", "turn_detection"),
    "voice": ("audio", "output", "voice"),
    "speed": ("audio", "output", "speed"),
}
_BETA_NAMES = {
    "max_tokens": "max_response_output_tokens",
    "input_format": "input_audio_format",
    "output_format": "output_audio_format",
    "transcription": "input_audio_transcription",
    "noise_reduction": "input_audio_noise_reduction",
}
_GA_FORMATS: dict[str, dict[str, Any]] = {
    "pcm": {"type": "audio/pcm", "rate": 24000},
    "ulaw": {"type": "audio/pcmu"},
    "alaw": {"type": "audio/pcma"},
}
_BETA_FORMATS = {"pcm": "pcm16", "ulaw": "g711_ulaw", "alaw": "g711_alaw"}
_GA_TO_BETA = {ga: beta for beta, ga in BETA_TO_GA.items() if not beta.startswith("transcription_session.")}

BYTES_PER_MS = {"pcm": 48, "ulaw": 8, "alaw": 8}
"""What a millisecond of each format takes."""


class Spelling:
    """One shape of the protocol, as a client writes and reads it."""

    def __init__(self, shape: Shape) -> None:
        self.shape: Shape = shape
        """Which shape it is."""
        self.is_beta = shape == "beta"
        """Whether it is the beta."""

    def session(self, settings: dict[str, Any]) -> dict[str, Any]:
        """Return the `session` of an update with these settings."""
        written = self._write(settings)
        return written if self.is_beta else {"type": "realtime", **written}

    def response(self, settings: dict[str, Any]) -> dict[str, Any]:
        """Return the `response` of a `response.create` with these settings."""
        return self._write(settings)

    def _write(self, settings: dict[str, Any]) -> dict[str, Any]:
        out: dict[str, Any] = {}
        for name, value in settings.items():
            value = self._value(name, value)
            if self.is_beta:
                out[_BETA_NAMES.get(name, name)] = value
                continue
            *above, last = _GA_PATHS.get(name, (name,))
            place = out
            for key in above:
                place = place.setdefault(key, {})
            place[last] = value
        return out

    def _value(self, name: str, value: Any) -> Any:
        if name in ("input_format", "output_format") and isinstance(value, str) and value in _GA_FORMATS:
            return _BETA_FORMATS[value] if self.is_beta else _GA_FORMATS[value]
        if name == "modalities" and value in ("text", "audio"):
            return ["audio", "text"] if self.is_beta and value == "audio" else [value]
        return value

    def read(self, shown: dict[str, Any], name: str) -> Any:
        """Return a setting of a session or response as the server shows it, by its neutral name.

        Formats and modalities come back as neutral words; what is not there, or is not in this spelling, is None.
        """
        place: Any = shown
        for key in (_BETA_NAMES.get(name, name),) if self.is_beta else _GA_PATHS.get(name, (name,)):
            place = place.get(key) if isinstance(place, dict) else None
        if name == "max_tokens" and place is None:
            place = shown.get("max_output_tokens")  # what the beta calls it in a response
        if name in ("input_format", "output_format"):
            return self._format(place)
        if name == "modalities" and isinstance(place, list):
            return "audio" if "audio" in place else "text"
        return place

    def _format(self, value: Any) -> str | None:
        if self.is_beta:
            return next((name for name, spelled in _BETA_FORMATS.items() if spelled == value), None)
        kind = value.get("type") if isinstance(value, dict) else None
        return next((name for name, spelled in _GA_FORMATS.items() if spelled["type"] == kind), None)

    def path(self, name: str, top: str = "session") -> str:
        """Return the dotted path by which errors name a setting."""
        steps = (_BETA_NAMES.get(name, name),) if self.is_beta else _GA_PATHS.get(name, (name,))
        return ".".join((top, *steps))

    def kind(self, name: str) -> str:
        """Return the GA name of a server event that is named as this shape names it."""
        return BETA_TO_GA.get(name, name) if self.is_beta else name

    def name(self, kind: str) -> str:
        """Return how this shape names a server event, by its GA name."""
        return _GA_TO_BETA.get(kind, kind) if self.is_beta else kind

    @property
    def output_text(self) -> str:
        """The type of an assistant's written content in items."""
        return "text" if self.is_beta else "output_text"

    @property
    def output_audio(self) -> str:
        """The type of an assistant's spoken content in items."""
        return "audio" if self.is_beta else "output_audio"


def user_text(text: str, **fields: Any) -> dict[str, Any]:
    """Return an item in which the user writes."""
    return {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}], **fields}


def user_audio(audio: str, **fields: Any) -> dict[str, Any]:
    """Return an item in which the user speaks, in base64."""
    return {"type": "message", "role": "user", "content": [{"type": "input_audio", "audio": audio}], **fields}


def function(name: str, **parameters: str) -> dict[str, Any]:
    """Return a function tool whose parameters are strings, each with its description."""
    properties = {key: {"type": "string", "description": text} for key, text in parameters.items()}
    return {
        "type": "function",
        "name": name,
        "description": f"Runs {name.replace('_', ' ')}.",
        "parameters": {"type": "object", "properties": properties, "required": list(parameters)},
    }
