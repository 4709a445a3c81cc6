"""Running cases against a server, several at a time, and what came of each."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
from fnmatch import fnmatchcase
from typing import Literal
from zlib import crc32

import msgspec

from .cases import CASES, Case, Desk
from .order import Shape
from .standing import RULES, Ledger
from .suite import load
from .target import Dial, Target
from .verdict import Broken, HungUp, Skipped, TurnedAway, Unreachable, shown

Outcome = Literal["passed", "failed", "skipped"]

_LIMIT = 6
"""A case may take this many times what a single event may: the longest await several in a row."""


class Result(msgspec.Struct, frozen=True):
    """What came of one case in one shape."""

    name: str
    """The shape and the case's name, such as `ga.item.own-id`."""
    rule: str
    """The rule in one sentence."""
    outcome: Outcome
    """Whether the rule was kept, or could not be asked about."""
    why: str = ""
    """What was seen instead, or why it was not asked, in one line; empty for what passed."""
    seconds: float = 0.0
    """How long it took."""
    is_inferred: bool = False
    """Whether the rule is concluded from what clients need rather than documented or observed at OpenAI."""


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be run, and how."""

    shapes: tuple[Shape, ...] = ("ga", "beta")
    """The shapes that are asked for."""
    only: tuple[str, ...] = ()
    """Patterns of names; empty for all."""
    patience: float = 15.0
    """Seconds to wait for an event."""
    parallel: int = 8
    """How many cases are at work at a time."""


def selected(plan: Plan) -> list[tuple[Shape, Case]]:
    """Return what a plan runs, in the order in which it is told."""
    load()
    return [
        (shape, case)
        for shape in plan.shapes
        for case in CASES.values()
        if shape in case.shapes and _is_wanted(f"{shape}.{case.name}", plan.only)
    ]


def standing(plan: Plan) -> list[str]:
    """Return the names of the standing rules that a plan reports, with their shapes."""
    return [f"{shape}.{name}" for shape in plan.shapes for name in RULES if _is_wanted(f"{shape}.{name}", plan.only)]


def _is_wanted(name: str, patterns: Sequence[str]) -> bool:
    if not patterns:
        return True
    return any(fnmatchcase(name, pattern) if set(pattern) & set("*?[") else pattern in name for pattern in patterns)


async def run(target: Target, plan: Plan, tell: Callable[[Result], None] = lambda _: None) -> list[Result]:
    """Run a plan and return all results, cases first and the standing rules after them, shape by shape.

    Every result is told once more as soon as it is there.

    Raises:
        Unreachable: there is no server, or it lets nobody in.
    """
    refusals = {shape: await refusal(target, shape, plan.patience) for shape in plan.shapes}
    ledgers = {shape: Ledger() for shape in plan.shapes}
    gate = asyncio.Semaphore(plan.parallel)

    async def one(shape: Shape, case: Case) -> Result:
        why = refusals[shape]
        if why:
            result = Result(f"{shape}.{case.name}", case.rule, "skipped", why, 0.0, case.is_inferred)
        else:
            async with gate:
                result = await judge(target, shape, case, ledgers[shape], plan.patience)
        tell(result)
        return result

    cases = selected(plan)
    # Neighbours ask for the same: in this order no part of a server is asked for all at once.
    spread = sorted(range(len(cases)), key=lambda at: crc32(f"{cases[at][0]}.{cases[at][1].name}".encode()))
    async with asyncio.TaskGroup() as group:
        tasks = {at: group.create_task(one(*cases[at])) for at in spread}
    results = [tasks[at].result() for at in range(len(cases))]
    for name in RULES:
        results += [_standing(target, shape, name, ledgers[shape]) for shape in plan.shapes]
    kept = [result for result in results if _is_wanted(result.name, plan.only) or result.outcome == "failed"]
    return sorted(kept, key=lambda result: plan.shapes.index(_shape_of(result)))


def _shape_of(result: Result) -> Shape:
    return "beta" if result.name.startswith("beta.") else "ga"


async def judge(target: Target, shape: Shape, case: Case, ledger: Ledger, patience: float) -> Result:
    """Run one case in one shape."""
    name = f"{shape}.{case.name}"
    desk = Desk(target, shape, ledger, name, patience)
    begun = time.monotonic()
    outcome: Outcome = "failed"
    why = ""
    try:
        async with asyncio.timeout(patience * _LIMIT):
            await case.run(desk)
        outcome = "passed"
    except Skipped as skip:
        outcome, why = "skipped", str(skip)
    except TurnedAway as refused:
        why = f"{refused}: {shown(refused.body.decode('utf-8', 'replace'))}"
    except (Broken, HungUp, Unreachable) as broken:
        why = str(broken)
    except TimeoutError:
        why = f"it did not come to an end within {patience * _LIMIT:g} s"
    except (KeyError, TypeError, IndexError, AttributeError, ValueError) as error:
        # A server's events may lack anything; which field it was, the standing rule about fields tells.
        why = f"an event is not as it has to be ({type(error).__name__}: {error})"
    try:
        async with asyncio.timeout(patience):
            await desk.close()
    except TimeoutError:
        outcome, why = "failed", why or f"the connection could not be closed within {patience:g} s"
    seconds = time.monotonic() - begun
    return Result(name, case.rule, outcome, target.redacted(" ".join(why.split())), seconds, case.is_inferred)


def _standing(target: Target, shape: Shape, name: str, ledger: Ledger) -> Result:
    why = ledger.told(name)
    outcome: Outcome = "failed" if why else "passed" if ledger.heard else "skipped"
    if outcome == "skipped":
        why = "nothing was heard in this shape"
    return Result(f"{shape}.{name}", RULES[name], outcome, target.redacted(" ".join(why.split())))


async def refusal(target: Target, shape: Shape, patience: float) -> str:
    """Return why a server does not serve a shape; nothing where it does.

    Raises:
        Unreachable: it lets nobody in, in whatever shape.
    """
    try:
        wire = await target.open(Dial(shape=shape))
        try:
            async with asyncio.timeout(patience):
                first = msgspec.json.decode(await wire.receive())
        finally:
            await wire.close()
    except TurnedAway as refused:
        said = target.redacted(shown(refused.body.decode("utf-8", "replace")))
        if shape == "beta" and refused.status == 400:
            return f"the server does not serve the beta shape ({said})"
        raise Unreachable(f"the server answered HTTP {refused.status}: {said}") from refused
    except HungUp as end:
        raise Unreachable(str(end)) from end
    except (TimeoutError, msgspec.DecodeError):
        return ""  # the cases will tell
    if isinstance(first, dict) and first.get("type") == "error":
        error = first.get("error") or {}
        if error.get("code") == "beta_api_shape_disabled":
            return f"the server does not serve the beta shape ({shown(error.get('message'))})"
        raise Unreachable(f"the server refuses the session: {shown(error.get('message'))}")
    return ""


def exit_status(results: Iterable[Result]) -> int:
    """Return 0 where something passed and nothing failed, and 1 otherwise."""
    outcomes = {result.outcome for result in results}
    return 0 if "passed" in outcomes and "failed" not in outcomes else 1
