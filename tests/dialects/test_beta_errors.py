"""Errors name a field as the beta's clients know it."""

from __future__ import annotations

import json

from vivavoce.core import events as ev
from vivavoce.dialects.beta import Beta
from vivavoce.dialects.ga import Ga

PATH = "session.audio.input.turn_detection.threshold"
ERROR = ev.Error("event_1", "invalid_request_error", "unknown_parameter", f"Unknown parameter: '{PATH}'.", PATH)


def test_a_flat_session_has_flat_paths() -> None:
    (frame,) = Beta().encode(ERROR)
    error = json.loads(frame)["error"]
    assert error["param"] == "session.turn_detection.threshold"
    assert error["message"] == "Unknown parameter: 'session.turn_detection.threshold'."


def test_a_nested_session_keeps_its_paths() -> None:
    (frame,) = Ga().encode(ERROR)
    assert json.loads(frame)["error"]["param"] == PATH
