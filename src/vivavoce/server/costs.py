"""What the answers of upstreams cost: usage as they tell it, priced by the table of models.

`server.prices` reads the table and `core.money` applies it.  Usage comes from other servers, which leave out what they
do not count: input without details is text, and cached tokens that are not told apart are shared out in proportion.
Called by `server.relaying`, which opens a bill for each session.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

from ..core.money import listed_rate, of_response, of_time
from ..core.service import Rate
from ..core.states import Usage
from ..core.usage import USER_AUDIO_MS
from ..relay.effects import Used
from ..routing import LOCAL, PRESENT_NAMES, Upstream, best_pattern

__all__ = ["Bill", "Costs", "tokens_of"]

_log = logging.getLogger("vivavoce.relay")

_MOST_TOLD = 1000
"""Models without a price of which the log tells: clients choose names, and so should not fill it."""


class Costs:
    """The prices of a server, and what each of its upstreams has cost."""

    def __init__(
        self,
        rates: Mapping[str, Rate],
        upstreams: Mapping[str, Upstream],
        charged: Callable[[str, float], object] = lambda _upstream, _usd: None,
    ) -> None:
        """Begin with nothing spent.

        Args:
            rates: prices by model.
            upstreams: the upstreams by name; what a model is called there tells the price of one that has none.
            charged: takes the upstream and the US dollars of each charge.
        """
        self._rates = rates
        self._upstreams = upstreams
        self._charged = charged
        self._totals_usd: dict[str, float] = {}
        self._unpriced: set[tuple[str, str]] = set()

    @property
    def totals_usd(self) -> Mapping[str, float]:
        """What each upstream has cost since the start, in US dollars."""
        return self._totals_usd

    def bill(self, charge: Callable[[float], object], budget_usd: float | None = None) -> Bill:
        """Return the bill of a new session.

        Args:
            charge: takes the US dollars of each charge, for the key that opened the session.
            budget_usd: what it may cost; None for no bound.
        """
        return Bill(self, charge, budget_usd)

    def price(self, used: Used) -> float:
        """Return what something costs, in US dollars; a model without a price costs nothing, and the log says so once.

        A dated or tagged name costs what its model costs.  A model that an upstream calls by a name of its own costs
        what the name that clients ask for it by does, and one that OpenAI has switched off what serves in its place.
        """
        rate = self._rate(used)
        if rate is None:
            self._tell_unpriced(used)
            return 0.0
        if used.usage.get("type") == "duration" or "seconds" in used.usage:
            return of_time(_seconds(used.usage.get("seconds")), rate)
        tokens = tokens_of(used.usage)
        usd = of_response(tokens, rate)
        if not usd and rate.minute:
            # Listed by time and told by tokens, of which so and so many are a second.
            return of_time(tokens.input_audio_tokens * USER_AUDIO_MS / 1000, rate)
        return usd

    def add(self, used: Used) -> float:
        """Return what something costs, and add it to what its upstream has cost."""
        usd = self.price(used)
        self._totals_usd[used.upstream] = self._totals_usd.get(used.upstream, 0.0) + usd
        if usd:
            self._charged(used.upstream, usd)
        return usd

    def _rate(self, used: Used) -> Rate | None:
        """Return the price of a model, or None where there is none."""
        upstream = self._upstreams.get(used.upstream)
        names = [used.model]
        if upstream is not None:
            names += [
                pattern.rstrip("*").rstrip("-") for pattern, name in upstream.models.items() if name == used.model
            ]
        present = best_pattern(used.model, PRESENT_NAMES)
        if present is not None:
            names.append(PRESENT_NAMES[present])
        found = (listed_rate(name, self._rates) for name in names)
        return next((rate for rate in found if rate is not None), None)

    def _tell_unpriced(self, used: Used) -> None:
        case = used.upstream, used.model
        if case in self._unpriced or len(self._unpriced) >= _MOST_TOLD:
            return
        self._unpriced.add(case)
        if used.upstream == LOCAL:
            return  # whoever wants to be paid for the engines of this process has listed them
        _log.warning(
            "there is no price for the model %r of upstream %s, so it costs nothing here; --prices adds one",
            used.model[:100],
            used.upstream,
        )


class Bill:
    """What one session has cost."""

    def __init__(self, costs: Costs, charge: Callable[[float], object], budget_usd: float | None) -> None:
        """Begin with nothing spent; see `Costs.bill`."""
        self._costs = costs
        self._charge = charge
        self._budget_usd = budget_usd
        self.usd = 0.0
        """What it comes to, in US dollars."""

    def add(self, used: Used) -> float:
        """Return what something costs, in US dollars, and charge it."""
        usd = self._costs.add(used)
        if usd:
            self.usd += usd
            self._charge(usd)
        return usd

    @property
    def is_used_up(self) -> bool:
        """Whether the session has cost all that it may."""
        return self._budget_usd is not None and self.usd >= self._budget_usd

    @property
    def message(self) -> str:
        """What is told of a budget that is used up."""
        return f"The budget of this session, ${self._budget_usd or 0:g}, is used up."


def tokens_of(usage: Mapping[str, Any]) -> Usage:
    """Return the tokens of a response or a transcription as a server tells them; what is no number is none."""
    given, made = _object(usage.get("input_token_details")), _object(usage.get("output_token_details"))
    audio, image = _count(given.get("audio_tokens")), _count(given.get("image_tokens"))
    text = _count(given.get("text_tokens"))
    if not (text or audio or image):
        text = _count(usage.get("input_tokens"))
    spoken = _count(made.get("audio_tokens"))
    written = _count(made.get("text_tokens"))
    if not (spoken or written):
        written = _count(usage.get("output_tokens"))
    cached = _cached(given, (text, audio, image))
    return Usage(
        input_text_tokens=text,
        input_audio_tokens=audio,
        input_image_tokens=image,
        cached_text_tokens=min(text, cached[0]),
        cached_audio_tokens=min(audio, cached[1]),
        cached_image_tokens=min(image, cached[2]),
        output_text_tokens=written,
        output_audio_tokens=spoken,
    )


def _cached(given: Mapping[str, Any], tokens: tuple[int, int, int]) -> tuple[int, int, int]:
    """Return how many of the text, audio and image tokens were cached."""
    details = _object(given.get("cached_tokens_details"))
    if details:
        kinds = "text_tokens", "audio_tokens", "image_tokens"
        text, audio, image = (_count(details.get(kind)) for kind in kinds)
    else:
        cached, whole = _count(given.get("cached_tokens")), max(1, sum(tokens))
        text, audio, image = (each * min(cached, whole) // whole for each in tokens)
    return text, audio, image


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _count(value: Any) -> int:
    return value if type(value) is int and value > 0 else 0


def _seconds(value: Any) -> float:
    return float(value) if type(value) in (int, float) and 0 < value < 1e9 else 0.0
