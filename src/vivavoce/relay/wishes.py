"""Settings of which an upstream does not take everything: what is left of them without what it has refused.

A voice that one server has another has not, and a server that refuses one field takes none of the others.  Called by
`relay.reading`.
"""

from __future__ import annotations

import re
from typing import Any

from .terms import Object

_GONE: Any = object()
_steps = re.compile(r"[^.\[\]]+").findall


def without(settings: Object, param: object) -> Object | None:
    """Return settings without what an error names; None where it names nothing of them.

    Args:
        settings: the fields of `session`.
        param: of the error, such as `session.audio.output.voice`; where that is not there, what should have held it
            goes.
    """
    steps = _steps(param) if isinstance(param, str) else []
    if len(steps) < 2 or steps[0] != "session" or steps[1] not in settings:
        return None
    left: Object = _without(settings, steps[1:])
    return left


def _without(value: Any, steps: list[str]) -> Any:
    if not steps:
        return _GONE
    first, rest = steps[0], steps[1:]
    if isinstance(value, dict) and first in value:
        left = _without(value[first], rest)
        return {key: left if key == first else old for key, old in value.items() if key != first or left is not _GONE}
    if isinstance(value, list) and first.isdecimal() and int(first) < len(value):
        at = int(first)
        left = _without(value[at], rest)
        return [*value[:at], *([] if left is _GONE else [left]), *value[at + 1 :]]
    return _GONE
