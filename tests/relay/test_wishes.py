"""Settings without what an upstream has refused of them."""

from __future__ import annotations

from typing import Any

import pytest

from vivavoce.relay.wishes import without

SETTINGS: dict[str, Any] = {
    "instructions": "Be brief.",
    "audio": {"output": {"voice": "marin", "speed": 1.5}},
    "tools": [{"type": "function", "name": "a"}, {"type": "mcp", "server_label": "b"}],
}


@pytest.mark.parametrize(
    ("param", "changed"),
    [
        ("session.instructions", None),
        ("session.audio.output.voice", {"audio": {"output": {"speed": 1.5}}}),
        ("session.audio.output.voice.id", {"audio": {"output": {"speed": 1.5}}}),
        ("session.audio.input.format", {"audio": None}),
        ("session.tools[1].server_label", {"tools": [SETTINGS["tools"][0], {"type": "mcp"}]}),
        ("session.tools[1].server_url", {"tools": [SETTINGS["tools"][0]]}),
        ("session.tools[7]", {"tools": None}),
    ],
)
def test_what_is_named_goes_or_what_should_have_held_it(param: str, changed: dict[str, Any] | None) -> None:
    expected = SETTINGS | (changed or {"instructions": None})
    assert without(SETTINGS, param) == {key: value for key, value in expected.items() if value is not None}


@pytest.mark.parametrize("param", [None, "", "session", "item.id", "session.nothing", "response.instructions", 7])
def test_what_names_none_of_them_leaves_nothing(param: object) -> None:
    assert without(SETTINGS, param) is None
