"""What requests cost the keys that make them: asked before the work is begun, charged when it is over.

A request is priced by the model that it asks for, as a session is, and a model that is not listed costs nothing.  What
fails is never charged; who leaves before the end is charged for what was made until then.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from typing import TypeVar

from ...core.money import listed_rate
from ...core.service import Rate
from ..ledger import Ledger

T = TypeVar("T")


class Till:
    """Where requests are paid for."""

    def __init__(
        self,
        rates: Mapping[str, Rate] | None = None,
        ledger: Ledger | None = None,
        charged: Callable[[float], object] = lambda _usd: None,
    ) -> None:
        """Begin with nothing charged.

        Args:
            rates: prices by model; None for none.
            ledger: where charges go; None for nowhere.
            charged: takes the US dollars of each charge.
        """
        self._rates = rates or {}
        self._ledger = ledger
        self._charged = charged

    def check(self, key_id: str) -> None:
        """Make sure that a key may spend something.

        Raises:
            Refused: it may not.
        """
        if self._ledger is not None:
            self._ledger.check(key_id)

    def has_price(self, *models: str) -> bool:
        """Return whether any of these names is listed."""
        return self._rate(models) is not None

    def charge(self, key_id: str, price: Callable[[Rate], float], *models: str) -> None:
        """Charge a key.

        Args:
            key_id: of the key.
            price: returns the US dollars at a rate.
            models: the names of the model that was used; the first that is listed tells the rate.
        """
        rate = self._rate(models)
        usd = 0.0 if rate is None else price(rate)
        if not usd:
            return
        self._charged(usd)
        if self._ledger is not None:
            self._ledger.charge(key_id, usd)

    def _rate(self, models: tuple[str, ...]) -> Rate | None:
        found = (listed_rate(model, self._rates) for model in models)
        return next((rate for rate in found if rate is not None), None)


async def charged(pieces: AsyncGenerator[T, None], charge: Callable[[], object]) -> AsyncGenerator[T, None]:
    """Yield what is made, and have it charged at the end, or when whoever wants it leaves after it has begun."""
    has_begun = False
    try:
        async with aclosing(pieces) as all_of_them:
            async for piece in all_of_them:
                has_begun = True
                yield piece
    except Exception:
        raise
    except BaseException:  # closed, or cancelled: no failure of ours
        if has_begun:
            charge()
        raise
    charge()
