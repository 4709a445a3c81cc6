"""Translations are paid for by time."""

from __future__ import annotations

import base64

from relay.stage import Stage
from vivavoce.relay.effects import Used


def _append(seconds: int) -> dict[str, str]:
    return {"type": "session.input_audio_buffer.append", "audio": base64.b64encode(bytes(48_000 * seconds)).decode()}


def _used(seconds: float) -> list[Used]:
    return [Used("a", "theirs", "translation", {"type": "duration", "seconds": seconds})]


def test_time_is_told_in_lumps_and_to_its_end() -> None:
    stage = Stage(kind="translation").live()
    assert stage.client(_append(9)) == [_append(9)]
    assert stage.used == []
    stage.client(_append(3))
    assert stage.used == _used(12.0)
    stage.client(_append(1))
    stage._did(stage.session.client_gone())
    assert stage.used == _used(1.0)


def test_a_link_that_is_lost_was_paid_for_too() -> None:
    stage = Stage(kind="translation").live()
    stage.client(_append(2))
    stage.loses()
    assert stage.used == _used(2.0)
    stage._did(stage.session.client_gone())
    assert stage.used == []
