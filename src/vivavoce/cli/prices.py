"""What the tokens of a response cost where a price is known: OpenAI's list prices in US dollars.

Local engines and other people's servers have no price here, so their cost is not known rather than zero.
"""

from __future__ import annotations

import functools
import re
from typing import Any

from ..core.service import Rate
from ..server.prices import usual_rates


def price_of(host: str, model: str) -> Rate | None:
    """Return the price of a model at a host, None when it is not known; dated versions cost what the model costs."""
    if host != "openai.com" and not host.endswith(".openai.com"):
        return None
    for name, price in _rates().items():
        if re.fullmatch(rf"{re.escape(name)}(-\d{{4}}-\d\d-\d\d)?", model):
            return price
    return None


@functools.cache
def _rates() -> dict[str, Rate]:
    return usual_rates()


def cost_usd(usage: dict[str, Any], price: Rate) -> float:
    """Return what one response's `usage` comes to, in US dollars."""
    given, made = _object(usage, "input_token_details"), _object(usage, "output_token_details")
    cached = _object(given, "cached_tokens_details")
    text, audio = _count(given, "text_tokens"), _count(given, "audio_tokens")
    # Where the cached tokens are not told by kind, they are taken for text, of which there is some in every prompt.
    text_cached = min(text, _count(cached, "text_tokens") if cached else _count(given, "cached_tokens"))
    audio_cached = min(audio, _count(cached, "audio_tokens"))
    dollars: float = (
        (text - text_cached) * price.text_in
        + text_cached * price.text_cached
        + (audio - audio_cached) * price.audio_in
        + audio_cached * price.audio_cached
        + _count(made, "text_tokens") * price.text_out
        + _count(made, "audio_tokens") * price.audio_out
    )
    return dollars / 1_000_000


def add_usage(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """Return the sum of two usages, field by field."""
    total = dict(one)
    for name, value in other.items():
        if isinstance(value, dict):
            total[name] = add_usage(_object(total, name), value)
        elif isinstance(value, int | float) and not isinstance(value, bool):
            total[name] = _count(total, name) + value
    return total


def _object(value: dict[str, Any], name: str) -> dict[str, Any]:
    inner = value.get(name)
    return inner if isinstance(inner, dict) else {}


def _count(value: dict[str, Any], name: str) -> Any:
    number = value.get(name)
    return number if isinstance(number, int | float) and not isinstance(number, bool) else 0
