"""Whether an event is made as the protocol makes it, as far as the relay looks into it.

What is not is passed on as it came: whoever it is for may know better, or says what is wrong with it.  Called by
`relay.session` and `relay.reading` before anything is done with an event.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Check = Callable[[Any], bool]


def _text(value: Any) -> bool:
    return value is None or isinstance(value, str)


def _name(value: Any) -> bool:
    return isinstance(value, str)


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and -1e15 < value < 1e15


def _index(value: Any) -> bool:
    return type(value) is int


def _fields(**checks: Check) -> Check:
    """Return the check of an object, or null, whose fields are checked where they are there."""

    def check(value: Any) -> bool:
        if value is None:
            return True
        return isinstance(value, dict) and all(is_sound(value[key]) for key, is_sound in checks.items() if key in value)

    return check


def _list_of(element: Check) -> Check:
    return lambda value: value is None or (isinstance(value, list) and all(map(element, value)))


def _object(check: Check) -> Check:
    """Return the check of an object that cannot be null."""
    return lambda value: value is not None and check(value)


_PART = _fields(type=_text, text=_text, transcript=_text, audio=_text)
_ITEM = _fields(
    id=_text, type=_text, role=_text, status=_text, content=_list_of(_object(_PART)), arguments=_text, call_id=_text
)
_FORMAT = _fields(type=_text, rate=lambda value: value is None or (_index(value) and value > 0))
_SESSION = _fields(
    audio=_fields(
        input=_fields(format=_FORMAT, turn_detection=_fields(type=_text)),
        output=_fields(format=_FORMAT),
    ),
    expires_at=lambda value: value is None or _number(value),
)
_ERROR = _fields(type=_text, code=_text, message=_text, param=_text, event_id=_text)
_RESPONSE = _fields(
    id=_text,
    status=_text,
    status_details=_fields(error=_ERROR),
    output=_list_of(_object(_ITEM)),
    usage=_fields(),
    metadata=_fields(),
)
_EVENT = _fields(
    type=_name,
    event_id=_text,
    item=_object(_ITEM),
    item_id=_name,
    previous_item_id=_text,
    response=_RESPONSE,
    response_id=_name,
    session=_object(_SESSION),
    error=_object(_ERROR),
    part=_object(_PART),
    delta=_text,
    transcript=_text,
    output_index=_index,
    content_index=_index,
    audio_start_ms=_number,
    audio_end_ms=_number,
    usage=_fields(),
)
_NEEDS = {
    "response.output_item.added": ("item", "output_index"),
    "response.output_item.done": ("item", "output_index"),
    "response.content_part.added": ("part",),
    "response.content_part.done": ("part",),
}
"""Fields without which an event means nothing."""


def is_sound(event: dict[str, Any]) -> bool:
    """Return whether the fields of an event in GA spelling are of the protocol's types, those that are there."""
    needed = _NEEDS.get(event.get("type", ""), ()) if isinstance(event.get("type"), str) else ()
    return all(name in event for name in needed) and _EVENT(event)
