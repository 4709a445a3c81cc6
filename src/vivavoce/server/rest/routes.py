"""Which endpoint answers at which path; `server.serve` hands the router to the application."""

from __future__ import annotations

import functools

from ..admission import Admission
from .completions import create_completion
from .desk import Desk
from .http import Router, router_of
from .speech import create_speech
from .transcriptions import create_transcription, create_translation

_ENDPOINTS = {
    "/v1/audio/speech": create_speech,
    "/v1/audio/transcriptions": create_transcription,
    "/v1/audio/translations": create_translation,
    "/v1/chat/completions": create_completion,
}


def rest_router(desk: Desk, admission: Admission) -> Router:
    """Return the endpoints, which work at `desk` for those whose keys `admission` knows."""
    return router_of(admission, {path: functools.partial(answer, desk) for path, answer in _ENDPOINTS.items()})
