"""What remote MCP servers say, made what sessions and models are told: tools, arguments and results, all bounded.

Knows no connection.  Called by `engines.mcp`.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from ..core.items import McpTool

_MOST_NAME = 128
_MOST_DESCRIPTION = 4096
"""Characters of a description; more is the text of a book, and goes into every prompt."""
_MOST_SCHEMA_BYTES = 32 * 1024
_MOST_SCHEMA_DEPTH = 32
_MOST_RESULT = 64 * 1024
"""Characters of a result that a model is given."""


def read_arguments(text: str) -> dict[str, Any] | None:
    """Return the arguments that a model wrote; None where they are no JSON object."""
    try:
        arguments = json.loads(text or "{}")
    except (ValueError, RecursionError):
        return None
    return arguments if isinstance(arguments, dict) else None


def tool_of(listed: Any) -> McpTool | None:
    """Return a tool as a session is told it; None for one that is out of all bounds."""
    schema = {"type": "object", **listed.input_schema}
    if not 0 < len(listed.name) <= _MOST_NAME or _depth(schema) > _MOST_SCHEMA_DEPTH:
        return None
    if len(json.dumps(schema)) > _MOST_SCHEMA_BYTES:
        return None
    annotations = listed.annotations and listed.annotations.model_dump(by_alias=True, exclude_none=True)
    return McpTool(listed.name, schema, (listed.description or "")[:_MOST_DESCRIPTION], annotations or None)


def _depth(schema: Any) -> int:
    """Return how many objects and arrays stand inside one another, as far as that matters."""
    level, depth = [schema], 0
    while level and depth <= _MOST_SCHEMA_DEPTH:
        depth += 1
        level = [
            inner
            for node in level
            for inner in (node.values() if isinstance(node, dict) else node)
            if isinstance(inner, dict | list)
        ]
    return depth


def fingerprint(tool: McpTool) -> str:
    """Return what tells a tool from another of its name: all that makes a model call it, or the user allow it."""
    told = [tool.description, tool.input_schema, tool.annotations]
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


def text_of(result: Any) -> str:
    """Return what a tool returned as text: what is none is named."""
    parts = [_part_text(part) for part in result.content]
    text = "\n".join(part for part in parts if part)
    if not text and result.structured_content is not None:
        text = json.dumps(result.structured_content, ensure_ascii=False)
    if len(text) > _MOST_RESULT:
        text = f"{text[:_MOST_RESULT]}\n(Cut off here: the whole result has {len(text)} characters.)"
    return text


def _part_text(part: Any) -> str:
    match part.type:
        case "text":
            return str(part.text)
        case "image" | "audio":
            return f"({part.type} of type {part.mime_type}, which cannot be shown)"
        case "resource_link":
            return f"(resource {part.name}: {part.uri})"
        case "resource":
            text = getattr(part.resource, "text", None)
            return str(text) if text is not None else f"(resource {part.resource.uri}, which is no text)"
        case other:
            return f"({other})"
