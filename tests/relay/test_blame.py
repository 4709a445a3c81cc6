"""Which event an error is about."""

from __future__ import annotations

from typing import Any

import pytest

from vivavoce.relay.blame import ANYTHING, NOTHING_KEPT, about
from vivavoce.relay.outbox import COMMIT, CREATE, CREATE_RESPONSE, UPDATE


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ({"code": "input_audio_buffer_commit_empty"}, COMMIT),
        ({"code": "invalid_value", "param": "session.audio.output.voice"}, UPDATE),
        ({"code": "invalid_value", "param": "item.content[0].type"}, CREATE),
        ({"code": "invalid_value", "param": "response"}, CREATE_RESPONSE),
        ({"code": "response_cancel_not_active", "param": "response"}, NOTHING_KEPT),
        ({"type": "invalid_request_error", "code": None, "param": None}, ANYTHING),
        ({"type": "server_error"}, NOTHING_KEPT),
        ({}, ANYTHING),
    ],
)
def test_an_error_tells_by_its_code_or_what_it_names(error: dict[str, Any], kind: bytes) -> None:
    assert about(error) == kind
