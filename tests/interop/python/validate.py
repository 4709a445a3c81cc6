"""Validates recordings strictly against the types of the newest openai-python: `validate.py SHAPE RECORDING ...`.

Prints a JSON list of what is wrong: events of an unknown type, fields of a wrong type, missing fields, and fields that
the types do not have, but for those below, which the real service sends and the types leave out.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

from openai.types import realtime as ga
from openai.types.beta import realtime as beta
from pydantic import BaseModel, TypeAdapter, ValidationError

UNTYPED = {
    # The GA types describe the session that a client asks for; what is shown of it has an identity too.
    "ga": {"session.id", "session.object", "session.expires_at"},
    "translation": set(),
    # The service went on to show more in the beta shape after its types were left as they are.
    "beta": {
        "session.object",
        "session.expires_at",
        "session.client_secret",
        "session.include",
        "session.prompt",
        "name",
        "response.usage.input_token_details.cached_tokens_details",
        "response.usage.input_token_details.image_tokens",
    },
}


def event_types(shape: str) -> dict[str, type[BaseModel]]:
    """Return the class of each event by its wire name."""
    unions = {"ga": ga.RealtimeServerEvent, "beta": beta.RealtimeServerEvent}
    union = unions.get(shape, ga.RealtimeTranslationServerEvent)
    members = get_args(get_args(union)[0])
    return {get_args(member.model_fields["type"].annotation)[0]: member for member in members}


def extras(value: Any, path: str) -> Iterator[str]:
    """Paths of the fields that the types do not have."""
    if isinstance(value, BaseModel):
        yield from (f"{path}.{name}".lstrip(".") for name in value.model_extra or {})
        for name in type(value).model_fields:
            yield from extras(getattr(value, name), f"{path}.{name}")
    elif isinstance(value, list):
        for entry in value:
            yield from extras(entry, path)


def complaints(shape: str, recording: Path) -> Iterator[str]:
    """What is wrong with the events of one recording."""
    types = event_types(shape)
    for line in recording.read_text(encoding="utf-8").splitlines():
        event = json.loads(line)["event"]
        known = types.get(event["type"])
        if known is None:
            yield f"{event['type']}: not an event of the {shape} shape"
            continue
        try:
            parsed = TypeAdapter(known).validate_json(json.dumps(event), strict=True)
        except ValidationError as error:
            yield from (f"{event['type']}: {wrong['loc']}: {wrong['msg']}" for wrong in error.errors())
            continue
        yield from (f"{event['type']}: {extra}: unknown" for extra in extras(parsed, "") if extra not in UNTYPED[shape])


if __name__ == "__main__":
    wrong = {told for path in sys.argv[2:] for told in complaints(sys.argv[1], Path(path))}
    print(json.dumps(sorted(wrong)))
