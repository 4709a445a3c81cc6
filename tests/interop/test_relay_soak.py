"""Many conversations at once over upstreams that end all the time: nobody notices more than an answer that failed."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from interop import relays, servers
from interop.clients import MODELS
from upstream.soak import soak, summary

pytestmark = pytest.mark.interop

SESSIONS = 20
LIMIT_SECONDS, DROP_SECONDS = 7.0, 6.0
"""How long an upstream's session lives, and after how long on average its connection is cut."""


@pytest.mark.parametrize(("shape", "seconds"), [("ga", 25.0), ("beta", 15.0)])
def test_conversations_outlive_the_sessions_and_connections_of_their_upstream(
    tmp_path: Path, shape: str, seconds: float
) -> None:
    terms = {"pace": 3.0, "session_seconds": LIMIT_SECONDS, "shape": shape, "models": [MODELS[shape]]}
    with relays.standing_in(terms, faults={"drop_every_seconds": DROP_SECONDS}) as upstream:
        fields = {"session_seconds": LIMIT_SECONDS, "shape": shape, "models": {"*": MODELS[shape]}}
        with relays.relaying(tmp_path, relays.table("openai", upstream.url, **fields)) as server:
            told = summary(asyncio.run(soak(server.ws_url, servers.KEY, sessions=SESSIONS, seconds=seconds)))
        tally = upstream.remote.tally()
    assert told["faults"] == []
    assert tally["violations"] == []
    assert tally["crashes"] == []
    # It was what it was meant to be.
    assert tally["dropped"] > SESSIONS
    assert tally["opened"] > 2 * SESSIONS
    assert told["notes"]["renewed"] > SESSIONS / 2
    # A response fails where its connection was cut, and nowhere else.
    assert told["failed"] <= tally["dropped"]
    assert told["completed"] > 5 * SESSIONS
