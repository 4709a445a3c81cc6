"""Results for people and for machines: a table, JSON and JUnit's XML.  Pure; called by `vivavoce check`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any
from xml.etree import ElementTree

from .run import Result

_MARKS = {"passed": "ok  ", "failed": "FAIL", "skipped": "skip"}
_COLOURS = {"passed": "\x1b[32m", "failed": "\x1b[31m", "skipped": "\x1b[33m"}
_PLAIN = "\x1b[0m"


def counts(results: Sequence[Result]) -> dict[str, int]:
    """Return how many results there are of each outcome, and in all."""
    found = Counter(result.outcome for result in results)
    return {
        "cases": len(results), "passed": found["passed"], "failed": found["failed"], "skipped": found["skipped"],
    }  # fmt: skip


def summary(results: Sequence[Result], seconds: float) -> str:
    """Return the results in one line."""
    found = counts(results)
    rules = len({result.name.partition(".")[2] for result in results})
    return (
        f"{found['cases']} cases of {rules} rules: {found['passed']} passed, {found['failed']} failed, "
        f"{found['skipped']} skipped, in {seconds:.1f} s"
    )


def table(results: Sequence[Result], *, has_colours: bool) -> Iterator[str]:
    """Yield a line for each result, and a further one that says why where it did not pass."""
    width = max((len(result.name) for result in results), default=0)
    for result in results:
        mark = _MARKS[result.outcome]
        if has_colours:
            mark = f"{_COLOURS[result.outcome]}{mark}{_PLAIN}"
        inferred = " (inferred)" if result.is_inferred else ""
        yield f"{mark}  {result.name:<{width}}  {result.seconds:6.2f} s  {result.rule}{inferred}"
        if result.why:
            yield f"      {'':<{width}}            {result.why}"


def as_json(results: Sequence[Result], *, url: str, seconds: float) -> dict[str, Any]:
    """Return the results as a JSON object."""
    return {
        "url": url,
        "seconds": round(seconds, 3),
        **counts(results),
        "results": [
            {
                "name": result.name,
                "rule": result.rule,
                "inferred": result.is_inferred,
                "outcome": result.outcome,
                "why": result.why,
                "seconds": round(result.seconds, 3),
            }
            for result in results
        ],
    }


def as_junit(results: Sequence[Result], *, url: str, seconds: float) -> str:
    """Return the results as a JUnit file: a suite for each shape, a class for each group of cases."""
    root = ElementTree.Element("testsuites", name=f"vivavoce check {_xml(url)}", time=f"{seconds:.3f}")
    for shape in dict.fromkeys(result.name.partition(".")[0] for result in results):
        members = [result for result in results if result.name.startswith(f"{shape}.")]
        found = counts(members)
        suite = ElementTree.SubElement(
            root,
            "testsuite",
            name=shape,
            tests=str(found["cases"]),
            failures=str(found["failed"]),
            skipped=str(found["skipped"]),
            errors="0",
            time=f"{sum(result.seconds for result in members):.3f}",
        )
        for result in members:
            group, _, name = result.name.rpartition(".")
            case = ElementTree.SubElement(suite, "testcase", classname=group, name=name, time=f"{result.seconds:.3f}")
            if result.outcome == "failed":
                failure = ElementTree.SubElement(case, "failure", message=_xml(result.why))
                failure.text = _xml(result.rule)
            elif result.outcome == "skipped":
                ElementTree.SubElement(case, "skipped", message=_xml(result.why))
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _xml(text: str) -> str:
    """Return a text without the characters that XML cannot hold."""
    return "".join(
        char if char in "\t\n\r" or (char >= " " and not "\ud800" <= char <= "\udfff" and char < "\ufffe") else "?"
        for char in text
    )
