"""Results as a table, as JSON and as JUnit's XML."""

from __future__ import annotations

from xml.etree import ElementTree

from vivavoce.check.report import as_json, as_junit, counts, summary, table
from vivavoce.check.run import Result

RESULTS = [
    Result("ga.item.own-id", "An id is kept.", "passed", "", 0.123),
    Result("ga.item.root", "Root is the front.", "failed", "it was <the> end \x00", 1.5, True),
    Result("beta.item.own-id", "An id is kept.", "skipped", "no beta", 0.0),
]


def test_the_table_has_a_line_for_each_result_and_one_for_each_reason() -> None:
    assert list(table(RESULTS, has_colours=False)) == [
        "ok    ga.item.own-id      0.12 s  An id is kept.",
        "FAIL  ga.item.root        1.50 s  Root is the front. (inferred)",
        "                                  it was <the> end \x00",
        "skip  beta.item.own-id    0.00 s  An id is kept.",
        "                                  no beta",
    ]


def test_colours_are_for_the_outcome_alone() -> None:
    first = next(table(RESULTS, has_colours=True))
    assert first.startswith("\x1b[32mok  \x1b[0m  ga.item.own-id")


def test_the_summary_counts_cases_and_rules() -> None:
    assert counts(RESULTS) == {"cases": 3, "passed": 1, "failed": 1, "skipped": 1}
    assert summary(RESULTS, 2.0) == "3 cases of 2 rules: 1 passed, 1 failed, 1 skipped, in 2.0 s"
    assert list(table([], has_colours=False)) == []


def test_json_has_everything() -> None:
    told = as_json(RESULTS, url="ws://x/v1", seconds=2.0004)
    assert told["url"] == "ws://x/v1"
    assert (told["seconds"], told["cases"], told["failed"]) == (2.0, 3, 1)
    assert told["results"][1] == {
        "name": "ga.item.root", "rule": "Root is the front.", "inferred": True, "outcome": "failed",
        "why": "it was <the> end \x00", "seconds": 1.5,
    }  # fmt: skip


def test_junit_has_a_suite_for_each_shape_and_can_be_parsed() -> None:
    root = ElementTree.fromstring(as_junit(RESULTS, url="ws://x/v1", seconds=2.0))
    assert [(suite.get("name"), suite.get("tests"), suite.get("failures"), suite.get("skipped")) for suite in root] == [
        ("ga", "2", "1", "0"),
        ("beta", "1", "0", "1"),
    ]
    failed = root[0][1]
    assert (failed.get("classname"), failed.get("name"), failed.get("time")) == ("ga.item", "root", "1.500")
    assert failed[0].get("message") == "it was <the> end ?"
    assert failed[0].text == "Root is the front."
    assert root[1][0][0].tag == "skipped"
