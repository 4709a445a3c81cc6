"""The client's side of a relay session."""

from __future__ import annotations

from relay.stage import Stage


def test_a_session_does_not_show_what_lets_others_in() -> None:
    tool = {"type": "mcp", "server_label": "shop", "authorization": "token", "headers": {"a": "b"}}
    (created,) = Stage().opens(tools=[tool, {"type": "function", "name": "headers"}])
    assert created["session"]["tools"] == [
        {"type": "mcp", "server_label": "shop"},
        {"type": "function", "name": "headers"},
    ]
