"""Rehearsing a session: what a request says of one becomes the settings that it begins with.

A session is made and updated as a client would, and then let go.  So what is accepted over HTTP is what a session
begins with, and mistakes are told in the same words as on a socket.  Called for client secrets and for calls.
"""

from __future__ import annotations

from typing import Any

import msgspec

from ...core import events as ev
from ...core.effects import Send
from ...core.service import Service
from ...core.sessions import session_of
from ...core.settings import SessionPatch, Settings
from ...dialects import ga, transcription
from ...dialects import schema as s
from ...dialects.choose import choose
from ..admission import Refused
from ..ids import Ids, new_seed

_READERS = {"realtime": ga.session_patch, "transcription": transcription.session_patch}


class Rehearsal(msgspec.Struct, frozen=True):
    """What came of it."""

    settings: Settings
    """Those that the session begins with."""
    session: dict[str, Any]
    """The session as its clients are shown it."""


def session_of_any_kind(value: Any, path: str) -> tuple[str, SessionPatch]:
    """Accept a GA session for conversations or transcriptions, and return its kind and what it says."""
    kind = s.mapping(value, path).get("type")
    if kind is None:
        raise s.missing(s.join(path, "type"))
    kind = s.choice(*_READERS)(kind, s.join(path, "type"))
    return kind, _READERS[kind](value, path)


def rehearsed(
    settings: Settings, patch: SessionPatch, shape: str, service: Service, *, param: str = "session"
) -> Rehearsal:
    """Return what becomes of a session that begins with some settings and is updated at once.

    Args:
        settings: what it begins with.
        patch: the update.
        shape: that of its clients.
        service: tells what sessions are offered.
        param: what the session is called in the request; empty where a flat session is the body itself.

    Raises:
        Refused: no session can begin so.
    """
    session = session_of(settings, new_id=Ids(new_seed()), created_unix=0.0, service=service)
    dialect = choose(shape, settings.kind)
    effects = session.start(0.0) + session.receive_event(ev.SessionUpdate(session=patch), 0.0)
    sent = [effect.event for effect in effects if isinstance(effect, Send)]
    outcome = next(event for event in sent if isinstance(event, ev.Error | ev.SessionUpdated))
    answer = msgspec.json.decode(dialect.encode(outcome)[0])
    if answer["type"] == "error":
        error = answer["error"]
        message, where = error["message"], error["param"]
        if not param and where is not None:
            where = where.removeprefix("session.")
            message = message.replace(f"session.{where}", where)
        raise Refused(400, error["code"], message, param=where, type=error["type"])
    return Rehearsal(session.settings, answer["session"])
