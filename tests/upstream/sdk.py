"""What the types of the `openai` package object to, where it is installed."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator
from typing import Any, get_args

from .schema import Json

try:
    from openai.types import realtime as _ga
    from openai.types.beta import realtime as _beta
    from pydantic import BaseModel, TypeAdapter, ValidationError
except ImportError:
    IS_PRESENT = False
    """Whether the types are there to judge by."""
else:
    IS_PRESENT = True

UNTYPED = {"item.object", "item.status"}
"""Fields that are documented and that the types leave out of some items."""


def objections(event: Json, shape: str) -> str | None:
    """Return what is wrong with a client event by the SDK's types; None where nothing is, or they are not there."""
    if not IS_PRESENT:
        return None
    model = _types(shape).get(event.get("type", ""))
    if model is None:
        return f"the SDK has no event {event.get('type')!r}"
    given = (event.get("response") or {}).get("input")
    if given:
        # The protocol has references there, the types do not.
        known = [item for item in given if item.get("type") != "item_reference"]
        event = {**event, "response": {**event["response"], "input": known}}
    try:
        parsed = TypeAdapter(model).validate_json(json.dumps(event), strict=True)
    except ValidationError as error:
        first = error.errors()[0]
        return f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}"
    foreign = sorted(set(_extras(parsed, "")) - UNTYPED)
    return f"the SDK's types have no {foreign[0]}" if foreign else None


@functools.cache
def _types(shape: str) -> dict[str, Any]:
    union = _beta.RealtimeClientEvent if shape == "beta" else _ga.RealtimeClientEvent
    members = get_args(get_args(union)[0])
    return {get_args(member.model_fields["type"].annotation)[0]: member for member in members}


def _extras(value: Any, path: str) -> Iterator[str]:
    if isinstance(value, BaseModel):
        yield from (f"{path}.{name}".lstrip(".") for name in value.model_extra or {})
        for name in type(value).model_fields:
            yield from _extras(getattr(value, name), f"{path}.{name}".lstrip("."))
    elif isinstance(value, list):
        for one in value:
            yield from _extras(one, path)
