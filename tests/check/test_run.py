"""Which cases are run, how they end, and what becomes of servers that cannot be checked."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from check.strings import StringTarget, error, polite
from vivavoce.check.cases import BETA, CASES, GA, Case, Desk
from vivavoce.check.run import Plan, Result, exit_status, judge, run, selected, standing
from vivavoce.check.standing import RULES, Ledger
from vivavoce.check.suite import load
from vivavoce.check.verdict import Broken, HungUp, Skipped, TurnedAway, Unreachable


def names(**plan: Any) -> list[str]:
    return [f"{shape}.{case.name}" for shape, case in selected(Plan(**plan))]


def test_every_case_is_run_in_its_shapes() -> None:
    load()
    assert len(names()) == sum(len(case.shapes) for case in CASES.values())
    assert len(names(shapes=("ga",))) == sum("ga" in case.shapes for case in CASES.values())


def test_there_are_well_over_a_hundred_rules_each_one_sentence() -> None:
    load()
    assert len(CASES) > 150
    for case in CASES.values():
        assert case.rule.endswith("."), case.name
        assert "\n" not in case.rule
        assert case.name == case.name.lower()
    assert len({case.rule for case in CASES.values()}) == len(CASES)


@pytest.mark.parametrize(
    ("only", "found"),
    [
        (("item.own-id",), ["ga.item.own-id", "beta.item.own-id"]),
        (("beta.item.own-id",), ["beta.item.own-id"]),
        (("ga.item.ro*",), ["ga.item.root", "ga.item.roles"]),
        (("cancel.by-id", "ga.cancel.usage"), ["ga.cancel.by-id", "ga.cancel.usage", "beta.cancel.by-id"]),
        (("nothing-like-it",), []),
    ],
)
def test_patterns_are_parts_of_names_or_globs(only: tuple[str, ...], found: list[str]) -> None:
    assert names(only=only) == found


def test_standing_rules_are_reported_for_each_shape() -> None:
    assert len(standing(Plan())) == 2 * len(RULES)
    assert standing(Plan(only=("ga.always.json",))) == ["ga.always.json"]


async def judged(ending: Any, patience: float = 0.05) -> Result:
    async def body(desk: Desk) -> None:
        if isinstance(ending, Exception):
            raise ending
        if ending is not None:
            await ending(desk)

    case = Case("a.case", "A rule.", body, GA, False)
    return await judge(StringTarget(polite), "ga", case, Ledger(), patience)


@pytest.mark.parametrize(
    ("ending", "outcome", "why"),
    [
        (None, "passed", ""),
        (Broken("two\n lines"), "failed", "two lines"),
        (Skipped("no model"), "skipped", "no model"),
        (HungUp(1011, "gone"), "failed", "the server closed the connection (code 1011, gone)"),
        (TurnedAway(500, b"oh"), "failed", "the server answered HTTP 500: oh"),
        (TurnedAway(401, b"no sk-secret"), "failed", "the server answered HTTP 401: no ***"),
        (Unreachable("away"), "failed", "away"),
        (KeyError("item"), "failed", "an event is not as it has to be (KeyError: 'item')"),
    ],
)
async def test_a_case_ends_in_one_line(ending: Any, outcome: str, why: str) -> None:
    result = await judged(ending)
    assert (result.name, result.rule, result.outcome, result.why) == ("ga.a.case", "A rule.", outcome, why)


async def test_a_case_that_does_not_end_is_ended() -> None:
    async def forever(_desk: Desk) -> None:
        await asyncio.get_running_loop().create_future()

    result = await judged(forever, patience=0.001)
    assert (result.outcome, result.why) == ("failed", "it did not come to an end within 0.006 s")


async def test_connections_of_a_case_are_closed_after_it() -> None:
    target = StringTarget(polite)

    async def body(desk: Desk) -> None:
        await desk.open()
        raise Broken("early")

    await judge(target, "ga", Case("a.case", "A rule.", body, GA, False), Ledger(), 0.05)
    assert [wire.is_closed for wire in target.wires] == [True]


async def test_results_come_in_the_order_of_the_cases_with_the_standing_rules_last() -> None:
    told: list[str] = []
    plan = Plan(only=("session.instructions-cleared", "always.json", "event.server-type"), shapes=GA, patience=0.05)
    results = await run(StringTarget(polite), plan, lambda result: told.append(result.name))
    assert [result.name for result in results] == [
        "ga.session.instructions-cleared",
        "ga.event.server-type",
        "ga.always.json",
    ]
    assert set(told) == {"ga.session.instructions-cleared", "ga.event.server-type"}


async def test_a_standing_rule_that_was_broken_is_told_even_if_it_was_not_asked_for() -> None:
    def chatty(event: dict[str, Any]) -> list[dict[str, Any]]:
        return [{"type": "response.thinking"}, *polite(event)]

    plan = Plan(only=("session.same-model",), shapes=GA, patience=0.05)
    results = await run(StringTarget(chatty), plan)
    assert [(result.name, result.outcome) for result in results] == [
        ("ga.session.same-model", "passed"),
        ("ga.always.vocabulary", "failed"),
    ]


async def test_a_shape_that_is_not_served_is_skipped() -> None:
    target = StringTarget(first=[error(None, "beta_api_shape_disabled", "Not any more.")])
    results = await run(target, Plan(shapes=BETA, only=("beta.item.own-id", "beta.always.json")))
    assert [result.outcome for result in results] == ["skipped", "skipped"]
    assert results[0].why == "the server does not serve the beta shape (Not any more.)"
    assert exit_status(results) == 1


@pytest.mark.parametrize(
    ("target", "told"),
    [
        (StringTarget(first=[error(None, message="No such model.")]), "the server refuses the session: No such model."),
        (StringTarget(), ""),
    ],
)
async def test_a_server_that_lets_nobody_in_is_told_once(target: StringTarget, told: str) -> None:
    if not told:
        target.refusal, told = TurnedAway(401, b"key?"), r"the server answered HTTP 401: key\?"
    with pytest.raises(Unreachable, match=told):
        await run(target, Plan(shapes=GA))


def test_the_exit_status_is_that_of_the_worst() -> None:
    passed, failed, skipped = (Result("ga.x", "A rule.", outcome) for outcome in ("passed", "failed", "skipped"))
    assert exit_status([passed, skipped]) == 0
    assert exit_status([passed, failed]) == 1
    assert exit_status([skipped]) == 1
