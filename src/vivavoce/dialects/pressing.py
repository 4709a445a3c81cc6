"""Pressing keys on a telephone call: an event of our own, for applications that have to get past a menu.

{"type": "output_audio_buffer.dtmf_send", "digits": "12#"}
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from ..core.errors import ProtocolError

__all__ = ["PRESS", "keys_of", "refusal"]

PRESS = "output_audio_buffer.dtmf_send"
MOST_KEYS = 64

_object = msgspec.json.Decoder(dict[str, Any]).decode
_keys = re.compile(rf"[0-9*#A-Da-d]{{1,{MOST_KEYS}}}").fullmatch


def keys_of(frame: bytes, *, can_press: bool) -> str:
    """Return the keys that an event asks for.

    Args:
        frame: the event, an object.
        can_press: whether the party's road has keys.

    Raises:
        ProtocolError: there are none, or they cannot be pressed.
    """
    event = _object(frame)
    event_id = event.get("event_id") if isinstance(event.get("event_id"), str) else None
    digits = event.get("digits")
    if digits is None:
        text = "Missing required parameter: 'digits'."
        raise ProtocolError("missing_required_parameter", text, "digits", event_id=event_id)
    if not isinstance(digits, str) or not _keys(digits):
        text = f"Invalid 'digits': expected 1 to {MOST_KEYS} of 0123456789*#ABCD."
        raise ProtocolError("invalid_value", text, "digits", event_id=event_id)
    if not can_press:
        text = "Keys can be pressed on telephone calls by SIP; this call came by another road."
        raise ProtocolError("invalid_value", text, "type", event_id=event_id)
    return digits.upper()


def refusal(mistake: ProtocolError, event_id: str) -> bytes:
    """Return the `error` event that tells of a mistake."""
    told = {
        "type": mistake.type,
        "code": mistake.code,
        "message": mistake.message,
        "param": mistake.param,
        "event_id": mistake.event_id,
    }
    return msgspec.json.encode({"type": "error", "event_id": event_id, "error": told})
