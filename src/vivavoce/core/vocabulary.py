"""What a session's own words are: a recogniser that expects them hears them better."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from .effects import Vocabulary
from .items import McpTool
from .settings import Settings


def vocabulary_of(settings: Settings, remote: Iterable[McpTool] = ()) -> Vocabulary:
    """Return the words of the instructions, the transcription prompt and keywords, and the tools.

    Of `remote` tools, which others have described, names and values count alone, and after all that is the session's.
    """
    transcription = settings.transcription
    texts = [settings.instructions]
    phrases: list[str] = []
    language = ""
    if transcription is not None:
        texts.append(transcription.prompt or "")
        phrases += transcription.keywords
        language = transcription.language or ""
    for tool in settings.tools:
        texts.append(tool.description)
        phrases.append(tool.name.replace("_", " "))
        phrases += _enum_values(tool.parameters)
    for offered in remote:
        phrases.append(offered.name.replace("_", " "))
        phrases += _enum_values(offered.input_schema)
    return Vocabulary(tuple(t for t in texts if t), tuple(dict.fromkeys(p for p in phrases if p)), language)


def _enum_values(schema: Any) -> Iterator[str]:
    """Yield the strings of every `enum` in a JSON schema, however deep."""
    stack = [schema]
    while stack:
        node = stack.pop()
        if isinstance(node, dict):
            for key, value in node.items():
                if key == "enum" and isinstance(value, list):
                    yield from (v.replace("_", " ") for v in value if isinstance(v, str))
                else:
                    stack.append(value)
        elif isinstance(node, list):
            stack += node
