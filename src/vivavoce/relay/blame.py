"""Which event an error is about, where it does not say so itself.  Called by `relay.reading` and `relay.standing`."""

from __future__ import annotations

from .outbox import COMMIT, CREATE, CREATE_RESPONSE, DELETE, TRUNCATE, UPDATE
from .terms import Object

NOTHING_KEPT = b"-"
"""It is about something that is sent once and forgotten, or about no event at all."""
ANYTHING = b""
"""It may be about any event."""

OPERATORS_FAULTS = frozenset(("invalid_api_key", "account_deactivated", "invalid_organization"))
"""Why an upstream begins no session, which is no business of clients."""

_BY_CODE = {
    "item_create_duplicate_item_id": CREATE,
    "item_create_invalid_previous_item_id": CREATE,
    "invalid_tool_call_id": CREATE,
    "item_delete_invalid_item_id": DELETE,
    "item_truncate_invalid_item_id": TRUNCATE,
    "item_already_truncated": TRUNCATE,
    "unsupported_content_type": TRUNCATE,
    "input_audio_buffer_commit_empty": COMMIT,
    "conversation_already_has_active_response": CREATE_RESPONSE,
    "cannot_update_voice": UPDATE,
    "response_cancel_not_active": NOTHING_KEPT,
    "item_retrieve_invalid_item_id": NOTHING_KEPT,
    "invalid_event": NOTHING_KEPT,
}
_BY_PARAM = {"session": UPDATE, "item": CREATE, "previous_item_id": CREATE, "response": CREATE_RESPONSE}


def about(error: Object) -> bytes:
    """Return the type of the event that an error is about, as far as can be told."""
    code, param = error.get("code") or "", error.get("param") or ""
    found = _BY_CODE.get(code) or _BY_PARAM.get(param.partition(".")[0])
    if found is not None:
        return found
    return ANYTHING if error.get("type") in (None, "invalid_request_error") else NOTHING_KEPT
