"""The list of cases: each a rule in one sentence and a function that finds out whether a server keeps it.

    @case("item.own-id")
    async def own_id(desk: Desk) -> None:
        \"""An item keeps the id that the client gave it.\"""
        ...

The docstring is the rule.  A function is run once for each shape that its case has, on connections of its own.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from .order import Shape
from .standing import Ledger
from .talk import Talk
from .target import Answer, Dial, Target
from .verdict import Skipped

BOTH: tuple[Shape, ...] = ("ga", "beta")
GA: tuple[Shape, ...] = ("ga",)
BETA: tuple[Shape, ...] = ("beta",)


class Desk:
    """What a case is given: the server, the shape, and means to open connections that are closed after it."""

    def __init__(self, target: Target, shape: Shape, ledger: Ledger, who: str, patience: float) -> None:
        self.target = target
        """The server."""
        self.shape: Shape = shape
        """The shape that is asked for."""
        self.patience = patience
        """Seconds after which what is awaited will not come."""
        self._ledger = ledger
        self._who = who
        self._talks: list[Talk] = []

    @property
    def is_beta(self) -> bool:
        """Whether the shape is the beta."""
        return self.shape == "beta"

    async def open(self, **settings: Any) -> Talk:
        """Open a conversation, with these settings by their neutral names."""
        talk = await self.dial()
        await talk.begin()
        if settings:
            await talk.update(**settings)
        return talk

    async def dial(self, **how: Any) -> Talk:
        """Open a connection in a way of `target.Dial`, and await nothing on it.

        Raises:
            TurnedAway: the server did not let it in.
        """
        wire = await self.target.open(Dial(shape=self.shape, **how))
        talk = Talk(wire, self.shape, self._ledger, self._who, self.patience)
        self._talks.append(talk)
        return talk

    async def post(self, path: str, body: Any, key: str | None = None) -> Answer:
        """Post JSON to a path below that of the Realtime endpoint."""
        return await self.target.post(path, body, key=key)

    async def close(self) -> None:
        """Close what was opened."""
        for talk in self._talks:
            await talk.close()


Run = Callable[[Desk], Awaitable[None]]
"""Returns where the rule holds; raises `Broken` or `Skipped` where it does not or cannot be asked."""


class Case(msgspec.Struct, frozen=True):
    """One rule and how to find out whether it is kept."""

    name: str
    """A stable name, such as `item.duplicate-id`; with the shape before it, that of a result."""
    rule: str
    """The rule in one sentence."""
    run: Run
    """Finds out."""
    shapes: tuple[Shape, ...]
    """The shapes in which it is asked."""
    is_inferred: bool
    """Whether the rule is concluded from what clients need rather than documented or observed at OpenAI."""


CASES: dict[str, Case] = {}
"""All cases by name, in the order in which they are told; `suite.load` fills it."""


def case(name: str, shapes: tuple[Shape, ...] = BOTH, *, inferred: bool = False) -> Callable[[Run], Run]:
    """Return the decorator that lists a function as a case, whose rule is the function's docstring."""

    def register(run: Run) -> Run:
        rule = " ".join((run.__doc__ or "").split())
        assert name not in CASES, f"{name} is listed twice"
        CASES[name] = Case(name, rule, run, shapes, inferred)
        return run

    return register


def skip_unless(holds: object, why: str) -> None:
    """Go on only where something holds.

    Raises:
        Skipped: it does not; `why` says why the case cannot be asked.
    """
    if not holds:
        raise Skipped(why)
