"""What a transcription is asked for: the fields of its form, checked.  Pure; called by `transcriptions`."""

from __future__ import annotations

import json
from typing import Any

import msgspec

from ...core.errors import ProtocolError
from ...core.settings import ServerVad
from ...dialects import schema as s
from .desk import checked

FORMATS = ("json", "text", "srt", "verbose_json", "vtt")
"""What a transcript comes as."""
_GRANULARITIES = ("word", "segment")
_SPEAKERS = ("known_speaker_names", "known_speaker_references")
_LANGUAGE_NAMES = {"english": "en"}
"""Names that are taken for codes, as Whisper's own program takes them."""


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What is wanted of one recording."""

    model: str
    language: str
    """ISO 639-1 code of what is spoken; empty where nobody says."""
    prompt: str
    """What is likely to be said."""
    format: str
    """One of `FORMATS`."""
    granularities: tuple[str, ...]
    """What `verbose_json` gives times of: `word`, `segment`."""
    has_logprobs: bool
    """Whether the probabilities of words are wanted."""
    is_streamed: bool
    temperature: float
    detection: ServerVad
    """What counts as speech and as a pause."""

    @property
    def counts_tokens(self) -> bool:
        """Whether usage is told in tokens; of Whisper it is told in seconds."""
        return not self.model.startswith("whisper")


def wanted_of(texts: list[tuple[str, str]], languages: tuple[str, ...]) -> Wanted:
    """Return what a form asks for, of a recogniser that knows these languages; none where there is no telling.

    Raises:
        ProtocolError: it cannot be had.
    """
    fields = _gathered(texts)
    if any(name in fields for name in _SPEAKERS) or fields.get("response_format") == "diarized_json":
        param = (
            "response_format"
            if fields.get("response_format") == "diarized_json"
            else next(name for name in _SPEAKERS if name in fields)
        )
        raise ProtocolError("unsupported_value", "This server does not tell speakers apart.", param)
    found = checked(
        fields,
        {
            "model": s.name,
            "language": _language(languages),
            "prompt": s.text,
            "response_format": s.choice(*FORMATS),
            "timestamp_granularities": s.array(s.choice(*_GRANULARITIES), most=2),
            "include": s.array(s.choice("logprobs"), most=1),
            "stream": _boolean,
            "temperature": _number(0.0, 1.0),
            "chunking_strategy": _chunking,
        },
        required=("model",),
    )
    form = found.get("response_format", "json")
    wanted = Wanted(
        model=found["model"],
        language=found.get("language", languages[0] if languages else ""),
        prompt=found.get("prompt", ""),
        format=form,
        granularities=found.get("timestamp_granularities") or ("segment",),
        has_logprobs="logprobs" in found.get("include", ()),
        is_streamed=found.get("stream", False),
        temperature=found.get("temperature", 0.0),
        detection=found.get("chunking_strategy", ServerVad()),
    )
    if "timestamp_granularities" in found and form != "verbose_json":
        raise _only_with("timestamp_granularities", "verbose_json")
    if wanted.has_logprobs and form != "json":
        raise _only_with("include", "json")
    if wanted.is_streamed and form not in ("json", "text"):
        raise _only_with("stream", "json")
    return wanted


def _only_with(param: str, form: str) -> ProtocolError:
    return ProtocolError("invalid_value", f"'{param}' can be had with response_format '{form}' alone.", param)


def _gathered(texts: list[tuple[str, str]]) -> dict[str, Any]:
    """Return the fields by name: `name[]` gathered to lists, `name[key]` to objects; empty ones are not given."""
    fields: dict[str, Any] = {}
    for name, value in texts:
        base, bracket, key = name.partition("[")
        if name.endswith("[]"):
            fields.setdefault(name[:-2], []).append(value)
        elif bracket and key.endswith("]"):
            known = fields.setdefault(base, {})
            if not isinstance(known, dict):
                raise s.invalid_type(base, "object", known)
            known[key[:-1]] = value
        elif value:
            fields[name] = value
    return fields


def _language(languages: tuple[str, ...]) -> s.Check:
    def check(value: Any, path: str) -> str:
        given = s.text(value, path).lower()
        code = _LANGUAGE_NAMES.get(given, given.replace("_", "-").partition("-")[0])
        if languages and code not in languages:
            known = ", ".join(f"'{language}'" for language in languages)
            raise ProtocolError(
                "unsupported_value",
                f"Invalid value: '{value[:100]}'. The recogniser of this server understands {known} alone.",
                path,
            )
        return code

    return check


def _boolean(value: Any, path: str) -> bool:
    words = {"true": True, "1": True, "false": False, "0": False}
    if not isinstance(value, str) or value.lower() not in words:
        raise s.invalid_type(path, "boolean", value)
    return words[value.lower()]


def _number(low: float, high: float) -> s.Check:
    within = s.number(low, high)

    def check(value: Any, path: str) -> float:
        try:
            return float(within(float(value), path))
        except (TypeError, ValueError):
            raise s.invalid_type(path, "number", value) from None

    return check


def _whole(low: int, high: int) -> s.Check:
    within = _number(low, high)
    return lambda value, path: int(within(value, path))


def _chunking(value: Any, path: str) -> ServerVad:
    """Accept `auto`, or the fields of `server_vad`; the object may come as JSON too."""
    if value == "auto":
        return ServerVad()
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            raise s.invalid_choice(path, value, ("auto",)) from None
    found = s.fields(
        {
            "type": s.choice("server_vad"),
            "threshold": _number(0.0, 1.0),
            "prefix_padding_ms": _whole(0, 5000),
            "silence_duration_ms": _whole(100, 10_000),
        },
        ("type",),
    )(value, path)
    del found["type"]
    return ServerVad(**found)
