"""Which session a connection gets."""

from __future__ import annotations

from playbook import CountedIds
from vivavoce.core.session import Session
from vivavoce.core.sessions import session_of
from vivavoce.core.settings import Settings
from vivavoce.core.translating import TranslationSession


def test_the_kind_of_the_settings_is_the_kind_of_the_session() -> None:
    made = {
        kind: type(session_of(Settings(kind=kind), new_id=CountedIds(), created_unix=1e9))
        for kind in ("realtime", "transcription", "translation")
    }
    assert made == {"realtime": Session, "transcription": Session, "translation": TranslationSession}
