"""Stored prompts: a client names one, and gets its instructions with its variables filled in.

Whatever the client says itself comes before what is stored.  Called by `core.session` and `core.answering`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from .errors import ProtocolError
from .service import StoredPrompt
from .settings import ResponseSettings

_VARIABLE = re.compile(r"\{\{\s*([A-Za-z_][A-Za-z0-9_.-]*)\s*\}\}")


def with_prompt(patch: Mapping[str, Any], prompts: Mapping[str, StoredPrompt], path: str) -> dict[str, Any]:
    """Return a checked patch of settings with what its prompt says beneath it.

    Args:
        patch: of a session, or of one response; without a prompt it is returned as it is.
        prompts: those that there are.
        path: `session` or `response`.

    Raises:
        ProtocolError: there is no such prompt, or a variable is missing.
    """
    wanted = patch.get("prompt")
    if wanted is None:
        return dict(patch)
    path = f"{path}.prompt"
    stored = _find(wanted, prompts, path)
    text = _filled(stored.instructions, wanted.get("variables") or {}, f"{path}.variables")
    return {**stored.settings, "instructions": text, **patch}


def for_one_response(patch: Mapping[str, Any], prompts: Mapping[str, StoredPrompt]) -> dict[str, Any]:
    """Return the overrides of one response with what its prompt says beneath them, as far as one response goes."""
    if "prompt" not in patch:
        return dict(patch)
    merged = with_prompt(patch, prompts, "response")
    return {key: value for key, value in merged.items() if key in ResponseSettings.__struct_fields__}


def _find(wanted: Mapping[str, Any], prompts: Mapping[str, StoredPrompt], path: str) -> StoredPrompt:
    id_, version = wanted["id"], wanted.get("version")
    if not prompts:
        raise ProtocolError(
            "invalid_value", f"Prompt '{id_[:100]}' not found: this server has no stored prompts.", f"{path}.id"
        )
    current = prompts.get(id_)
    if not version:
        found = current
    else:
        found = prompts.get(f"{id_}@{version}", current if current and current.version == version else None)
    if found is not None:
        return found
    if current is None:
        raise ProtocolError("invalid_value", f"Prompt '{id_[:100]}' not found.", f"{path}.id")
    raise ProtocolError(
        "invalid_value", f"Prompt '{id_[:100]}' has no version '{str(version)[:100]}'.", f"{path}.version"
    )


def _filled(text: str, variables: Mapping[str, Any], path: str) -> str:
    """Return a text with the variables in their places; what a variable says is not looked at again."""

    def value(match: re.Match[str]) -> str:
        name = match[1]
        if name not in variables:
            raise ProtocolError(
                "missing_required_parameter", f"Missing required parameter: '{path}.{name}'.", f"{path}.{name}"
            )
        given = variables[name]
        return str(given["text"]) if isinstance(given, dict) else str(given)

    return _VARIABLE.sub(value, text)
