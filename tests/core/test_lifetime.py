"""How long a session may last."""

from __future__ import annotations

from vivavoce.core.lifetime import Lifetime
from vivavoce.core.limits import Limits


def test_a_session_ends_of_age() -> None:
    lifetime = Lifetime(Limits(session_seconds=120.0))
    assert lifetime.deadline == 120.0
    assert lifetime.end_at(119.9) is None
    end = lifetime.end_at(120.0)
    assert end is not None
    assert (end.error.code, end.reason) == ("session_expired", "Your session hit the maximum duration of 2 minutes.")


def test_a_session_ends_of_silence_which_every_event_breaks() -> None:
    lifetime = Lifetime(Limits(session_seconds=120.0, idle_seconds=30.0))
    lifetime.note_event(20.0)
    assert lifetime.deadline == 50.0
    end = lifetime.end_at(50.0)
    assert end is not None
    assert (end.error.code, end.reason) == ("session_idle", "Nothing was received for 30 seconds.")
    lifetime.note_event(100.0)
    assert lifetime.deadline == 120.0
