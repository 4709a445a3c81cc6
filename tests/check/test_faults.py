"""The checker finds every fault that is planted in a server, and none in the server without them."""

from __future__ import annotations

import asyncio

import pytest

from check.faults import FAULTS, broken
from check.server import serving
from vivavoce.check.run import Plan, Result, run

PATIENCE = 30.0
LITTLE_PATIENCE = 4.0
"""What is awaited in vain costs this much."""
SOUND = "no fault at all"


async def _findings() -> dict[str, list[Result]]:
    """The results of a sound server, and of a server with each fault, by the fault's name."""
    gate = asyncio.Semaphore(8)

    async def found(name: str) -> list[Result]:
        async with gate:
            plan = Plan(only=FAULTS[name].during, patience=LITTLE_PATIENCE, shapes=_shapes(name))
            return await run(broken(target, name), plan)

    async with serving() as target:
        cases = {case for fault in FAULTS.values() for case in fault.during}
        sound = await run(target, Plan(only=tuple(cases), patience=PATIENCE))
        found_by_fault = await asyncio.gather(*map(found, FAULTS))
        return {SOUND: sound, **dict(zip(FAULTS, found_by_fault, strict=True))}


def _shapes(name: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(case.partition(".")[0] for case in FAULTS[name].found_by))


@pytest.fixture(scope="module")
def findings() -> dict[str, list[Result]]:
    return asyncio.run(_findings())


def test_there_are_many_faults_to_find() -> None:
    assert len(FAULTS) >= 20


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_found_by_the_cases_whose_rules_it_breaks(name: str, findings: dict[str, list[Result]]) -> None:
    failed = {result.name: result.why for result in findings[name] if result.outcome == "failed"}
    assert set(FAULTS[name].found_by) <= failed.keys(), failed
    assert all(failed.values())


def test_the_same_cases_find_nothing_in_a_server_without_faults(findings: dict[str, list[Result]]) -> None:
    assert not [(result.name, result.why) for result in findings[SOUND] if result.outcome != "passed"]
