"""What things cost: prices of models applied to what was used.

A model that is listed costs what the list says.  One that is not costs what the longest listed name says that it begins
with, up to a `-`, `:` or `@`: dated and tagged versions cost what their model costs.  Any other costs nothing.
"""

from __future__ import annotations

from collections.abc import Mapping

from .service import Rate
from .states import TranscriptionTokens, Usage

FREE = Rate()
_MILLION = 1_000_000
_VERSION_MARKS = "-:@"


def rate_of(model: str, rates: Mapping[str, Rate]) -> Rate:
    """Return the price of a model."""
    rate = listed_rate(model, rates)
    return FREE if rate is None else rate


def listed_rate(model: str, rates: Mapping[str, Rate]) -> Rate | None:
    """Return the price of a model, or None where the list says nothing of it."""
    if model in rates:
        return rates[model]
    found = [name for name in rates if name and model.startswith(name) and model[len(name)] in _VERSION_MARKS]
    return rates[max(found, key=len)] if found else None


def of_response(usage: Usage, rate: Rate) -> float:
    """Return what a response costs, in US dollars."""
    dollars: float = (
        (usage.input_text_tokens - usage.cached_text_tokens) * rate.text_in
        + usage.cached_text_tokens * rate.text_cached
        + (usage.input_audio_tokens - usage.cached_audio_tokens) * rate.audio_in
        + usage.cached_audio_tokens * rate.audio_cached
        + (usage.input_image_tokens - usage.cached_image_tokens) * rate.image_in
        + usage.cached_image_tokens * rate.image_cached
        + usage.output_text_tokens * rate.text_out
        + usage.output_audio_tokens * rate.audio_out
    )
    return dollars / _MILLION


def of_time(seconds: float, rate: Rate) -> float:
    """Return what so much audio costs with a model that is charged by time, in US dollars."""
    return seconds / 60 * rate.minute


def of_speech(characters: int, seconds: float, usage: Usage, rate: Rate) -> float:
    """Return what a text costs that was read aloud, in US dollars: by its length, by time and by tokens."""
    return characters * rate.characters / _MILLION + of_time(seconds, rate) + of_response(usage, rate)


def of_transcription(seconds: float, tokens: TranscriptionTokens | None, rate: Rate) -> float:
    """Return what a transcript costs, in US dollars: by time, and by tokens where they are told and have a price."""
    if tokens is None:
        return of_time(seconds, rate)
    given = tokens.audio_tokens * rate.audio_in + tokens.text_tokens * rate.text_in
    return of_time(seconds, rate) + (given + tokens.output_tokens * rate.text_out) / _MILLION
