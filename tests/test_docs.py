"""The documents: `docs/protocol.md` has a row for all that clients may say and be told, true to the code and to tests.

`data/protocol.json` lists the names of OpenAI's protocol; the names of ours are read out of the dialects themselves.
"""

from __future__ import annotations

import ast
import functools
import json
import re
from collections.abc import Iterator
from pathlib import Path
from types import FunctionType
from typing import Any

import pytest

from vivavoce.check import cases, suite
from vivavoce.core.errors import ProtocolError
from vivavoce.core.settings import (
    McpServer,
    NoiseReduction,
    SemanticVad,
    ServerVad,
    Settings,
    Tool,
    ToolFilter,
    Transcription,
)
from vivavoce.core.states import SessionState
from vivavoce.dialects import beta, ga, transcription, translation

TESTS = Path(__file__).parent
PAGE = TESTS.parent / "docs" / "protocol.md"
NAMES: dict[str, Any] = json.loads((TESTS / "data" / "protocol.json").read_text(encoding="utf-8"))
SHAPES = ("ga", "beta")

Row = tuple[str, str, str, str]
"""Name in GA, name in the beta, what becomes of it, and what shows it."""


@functools.cache
def tables() -> dict[str, list[Row]]:
    """The rows of four columns by the heading that they stand under."""
    found: dict[str, list[Row]] = {}
    heading, is_head = "", True
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        if line.startswith("#"):
            heading = line.strip("# ")
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        if len(cells) != 4:
            is_head = True
        elif is_head:
            is_head = False
        elif set("".join(cells)) - set("-: "):
            found.setdefault(heading, []).append((cells[0], cells[1], cells[2], cells[3]))
    return found


def under(*words: str) -> list[Row]:
    """The rows below headings that contain one of the words."""
    return [row for heading, rows in tables().items() if any(word in heading for word in words) for row in rows]


def quoted(cell: str) -> list[str]:
    """What stands between backticks."""
    return re.findall(r"`([^`]+)`", cell)


def names(rows: list[Row], shape: str, *, served: bool | None = None) -> set[str]:
    """The names in one shape's column; with `served`, of those rows alone that are served or are not."""
    found = set()
    for row in rows:
        if served in (None, not row[2].startswith(("**Refused", "**Never sent"))):
            column = row[0] if shape == "ga" or row[1] == "same" else row[1]
            found |= set(quoted(column))
    return found


CLIENT, SERVER = ("Client events",), ("Server events",)
TRANSLATION = ("Translation events",)
SESSION, RESPONSE = ("Session fields",), ("Response fields",)


# ------------------------------------------------------------------------------------------------- the page itself


def test_no_cell_is_empty_and_no_name_stands_twice() -> None:
    for heading, rows in tables().items():
        assert all(all(row) for row in rows), heading
        for column in (0, 1):
            listed = [name for row in rows for name in quoted(row[column])]
            assert len(listed) == len(set(listed)), heading


def test_whatever_is_refused_or_never_sent_says_why() -> None:
    for row in (row for rows in tables().values() for row in rows):
        if row[2].startswith("**"):
            assert re.match(r"\*\*(Refused|Never sent)\*\*: .{10}", row[2]), row


def shown_by() -> Iterator[tuple[str, str]]:
    for rows in tables().values():
        for row in rows:
            for reference in quoted(row[3]):
                yield row[0], reference


@functools.cache
def functions(path: str) -> set[str]:
    """The functions of a file of tests."""
    tree = ast.parse((TESTS / path).read_text(encoding="utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


def test_whatever_shows_a_row_exists() -> None:
    suite.load()
    for name, reference in shown_by():
        path, is_test, function = reference.partition("::")
        if not is_test:
            assert reference in cases.CASES, f"{name}: there is no case {reference}"
            continue
        assert function in functions(path), f"{name}: there is no {reference}"


def test_every_row_is_shown_by_something() -> None:
    assert not [row[0] for rows in tables().values() for row in rows if not quoted(row[3])]


# --------------------------------------------------------------------------------------------------------- events


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("side", "where"), [("client", CLIENT), ("server", SERVER)])
def test_every_event_of_the_protocol_has_a_row(shape: str, side: str, where: tuple[str, ...]) -> None:
    assert sorted(set(NAMES["events"][shape][side]) - names(under(*where), shape)) == []


def test_the_events_of_translations_are_those_of_the_page() -> None:
    documented = NAMES["events"]["translation"]
    listed = names(under(*TRANSLATION), "ga")
    assert sorted({*documented["client"], *documented["server"]} - listed) == []
    # The audio is written around its base64, and so under no name in the table.
    assert {*translation.READERS, *translation.SPELLING.names.values(), "session.output_audio.delta"} == listed


READ = {
    "ga": {*ga.READERS, *transcription.GA_READERS},
    "beta": {*beta.READERS, *transcription.BETA_READERS},
}
WRITTEN = {
    "ga": {*ga.SPELLING.names.values(), *transcription.GA_WORDS.names.values()},
    "beta": {*beta.SPELLING.names.values(), *transcription.BETA_WORDS.names.values()},
}


@pytest.mark.parametrize("shape", SHAPES)
def test_the_events_that_are_read_are_those_of_the_page(shape: str) -> None:
    assert READ[shape] == names(under(*CLIENT), shape)


@pytest.mark.parametrize("shape", SHAPES)
def test_the_events_that_are_written_are_those_of_the_page(shape: str) -> None:
    assert WRITTEN[shape] == names(under(*SERVER), shape, served=True)


# --------------------------------------------------------------------------------------------------------- fields


def test_every_field_of_the_protocols_sessions_has_a_row() -> None:
    for kind, fields in NAMES["session_fields"].items():
        found = names(under(*SESSION), "beta" if kind.startswith("beta") else "ga")
        assert sorted(set(fields) - found) == [], kind


@pytest.mark.parametrize("shape", SHAPES)
def test_every_field_of_the_protocols_responses_has_a_row(shape: str) -> None:
    # What tools and formats are made of is told with the session's.
    found = names(under(*SESSION, *RESPONSE), shape)
    assert sorted(set(NAMES["response_fields"][shape]) - found) == []


def read_names(*checks: Any) -> set[str]:
    """The names of all fields that readers of the dialects know, however deep: those of the tables that they use."""
    found: set[str] = set()
    seen: set[int] = set()
    todo = list(checks)
    while todo:
        value = todo.pop()
        if id(value) in seen:
            continue
        seen.add(id(value))
        if isinstance(value, dict) and value and all(callable(element) for element in value.values()):
            found |= set(value)
            todo += value.values()
        elif isinstance(value, FunctionType) and value.__module__.startswith("vivavoce.dialects"):
            todo += [cell.cell_contents for cell in value.__closure__ or ()]
            todo += [value.__globals__[name] for name in value.__code__.co_names if name in value.__globals__]
    return found


def keys(value: Any) -> set[str]:
    """The names of all fields of an object, however deep; what clients make up themselves is left out."""
    if isinstance(value, list):
        return set().union(*map(keys, value))
    if isinstance(value, dict):
        return set(value).union(*(keys(element) for name, element in value.items() if name not in OF_CLIENTS))
    return set()


OF_CLIENTS = ("parameters", "variables", "metadata")
OF_HTTP = {"expires_after", "anchor", "seconds", "value"}
"""What stands in a `client_secret`, which means something in requests and answers of HTTP alone."""
FULL = Settings(
    tools=(Tool("wave", "Waves.", {"type": "object"}),),
    mcp_servers=(
        McpServer(
            "shop",
            "https://shop.example/mcp",
            description="A shop.",
            allowed=ToolFilter(("look",), read_only=True),
            always_ask=ToolFilter(("buy",)),
            never_ask=ToolFilter(read_only=True),
        ),
    ),
    tool_choice={"type": "function", "name": "wave"},
    parallel_tool_calls=True,
    reasoning={"effort": "low"},
    tracing={"workflow_name": "w", "group_id": "g", "metadata": {}},
    truncation={"type": "retention_ratio", "retention_ratio": 0.8, "token_limits": {"post_instructions": 1}},
    prompt={"id": "p", "version": "1", "variables": {}},
    include=("item.input_audio_transcription.logprobs",),
    transcription=Transcription("whisper-1", "en", ("en",), "tea", ("tea",), "low"),
    noise_reduction=NoiseReduction("far_field", 0.5),
    turn_detection=ServerVad(interruption_mode="adaptive"),
)
SEMANTIC = Settings(turn_detection=SemanticVad(interruption_mode="adaptive"))


def rendered(shape: str) -> set[str]:
    """The names of all fields that sessions show in a shape."""
    found: set[str] = set()
    for render in {
        "ga": (ga.render_session, transcription.render_session, translation.render_session),
        "beta": (beta.render_session, transcription.render_flat_session),
    }[shape]:
        for settings in (FULL, SEMANTIC):
            found |= keys(render(SessionState("sess_1", 0, settings)))
    return found


READERS = {
    "ga": (ga.session_patch, transcription.session_patch, translation.session_patch),
    "beta": (beta.session_patch, beta.transcription_fields),
}


def segments(shape: str, rows: list[Row], *, served: bool | None = None) -> set[str]:
    """The single names that paths are made of."""
    return {part for name in names(rows, shape, served=served) for part in re.split(r"[.\[\]]+", name) if part}


@pytest.mark.parametrize("shape", SHAPES)
def test_every_field_that_sessions_show_has_a_row(shape: str) -> None:
    assert sorted(rendered(shape) - segments(shape, under(*SESSION))) == []


@pytest.mark.parametrize("shape", SHAPES)
def test_every_field_that_sessions_take_is_on_the_page(shape: str) -> None:
    # Words that stand for one of several forms, such as `server_vad`, are told in what becomes of a row.
    page = set(re.findall(r"[A-Za-z0-9_/]+", PAGE.read_text(encoding="utf-8")))
    assert sorted(read_names(*READERS[shape]) - page) == []
    assert sorted(read_names(READ_RESPONSE[shape]) - page) == []


READ_RESPONSE = {"ga": ga.READERS["response.create"], "beta": beta.READERS["response.create"]}


@pytest.mark.parametrize("shape", SHAPES)
def test_fields_that_the_page_serves_are_taken_or_shown(shape: str) -> None:
    known = read_names(*READERS[shape], READ_RESPONSE[shape]) | rendered(shape) | {*OF_CLIENTS, *OF_HTTP}
    assert sorted(segments(shape, under(*SESSION, *RESPONSE), served=True) - known) == []


@pytest.mark.parametrize("shape", SHAPES)
def test_fields_that_the_page_refuses_are_refused_so(shape: str) -> None:
    for row in under(*SESSION):
        if not row[2].startswith("**Refused"):
            continue
        for name in names([row], shape):
            *path, field = name.split(".")
            # Those of tools are asked of a remote server, as all of them are.
            session: Any = {field: "something"} | ({"type": "mcp", "server_label": "x"} if path else {})
            for part in reversed(path):
                session = {part.removesuffix("[]"): [session] if part.endswith("[]") else session}
            with pytest.raises(ProtocolError) as raised:
                READERS[shape][0](session | ({"type": "realtime"} if shape == "ga" else {}), "session")
            assert raised.value.code in quoted(row[2]), name
