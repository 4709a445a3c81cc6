"""The checker of orders that the product has itself, under the name by which tests ask for it."""

from __future__ import annotations

from vivavoce.check.order import BETA_ONLY, BETA_TO_GA, GA_ONLY, KNOWN, TERMINAL, Order, OrderError, check, shape_of

__all__ = [
    "BETA_ONLY", "BETA_TO_GA", "GA_ONLY", "KNOWN", "TERMINAL", "Order", "OrderError", "check", "shape_of",
]  # fmt: skip
