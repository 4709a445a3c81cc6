"""Sessions of every kind, behind one contract: whoever holds one need not know which it is."""

from __future__ import annotations

from .limits import DEFAULT_LIMITS, Limits
from .response import NewId
from .service import DEFAULT_SERVICE, Service
from .session import Session
from .settings import Settings
from .translating import TranslationSession

AnySession = Session | TranslationSession


def session_of(
    settings: Settings,
    *,
    new_id: NewId,
    created_unix: float,
    limits: Limits = DEFAULT_LIMITS,
    service: Service = DEFAULT_SERVICE,
) -> AnySession:
    """Return a session of the kind that its settings say; the arguments are those of `core.session.Session`."""
    if settings.kind == "translation":
        return TranslationSession(settings, new_id=new_id, created_unix=created_unix, limits=limits, service=service)
    return Session(settings, new_id=new_id, created_unix=created_unix, limits=limits, service=service)
