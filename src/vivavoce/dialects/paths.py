"""Where each shape has the fields of sessions and responses that the two have in different places.

One table for all who need it: `beta` reads settings by it and renames errors, `objects` moves whole objects by it.
"""

from __future__ import annotations

import re

GA_PATHS = {
    "modalities": "output_modalities",
    "voice": "audio.output.voice",
    "speed": "audio.output.speed",
    "output_audio_format": "audio.output.format",
    "input_audio_format": "audio.input.format",
    "input_audio_transcription": "audio.input.transcription",
    "input_audio_noise_reduction": "audio.input.noise_reduction",
    "turn_detection": "audio.input.turn_detection",
    "max_response_output_tokens": "max_output_tokens",
}
"""The GA path of each flat field that the GA shape has elsewhere or by another name."""
_FLAT_NAMES = {path: name for name, path in GA_PATHS.items()}


def _anywhere(names: dict[str, str]) -> re.Pattern[str]:
    """Return what finds these paths in a text, where they belong to a session or a response."""
    # The beta's formats are one word, so what is wrong with the type of a GA format is wrong with the whole of it.
    one_of = "|".join(re.escape(name) + (r"(?:\.type)?" if name.endswith(".format") else "") for name in names)
    return re.compile(rf"(?<![\w.])(session|response)\.({one_of})(?!\w)")


_nested = _anywhere(_FLAT_NAMES)
_flat = _anywhere(GA_PATHS)


def flat(text: str) -> str:
    """Return a text whose GA paths of fields are those of the beta shape."""
    return _nested.sub(lambda found: f"{found[1]}.{_FLAT_NAMES[found[2].removesuffix('.type')]}", text)


def nested(text: str) -> str:
    """Return a text whose beta names of fields are the paths of the GA shape."""
    return _flat.sub(lambda found: f"{found[1]}.{GA_PATHS[found[2]]}", text)
