"""What servers of chat completions tell of their models: which there are, how much each takes, what was too much.

Every server has field names and wordings of its own; those of the usual ones are known here.  Pure; used by
`engines.chat` alone.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec

_CONTEXT_FIELDS = (
    "max_model_len",  # vLLM, SGLang
    "loaded_context_length",  # LM Studio, before the most that the model could take
    "context_length",  # OpenRouter, Together, LM Studio
    "context_window",  # Groq
    "max_context_length",  # Mistral, LM Studio
    "max_input_tokens",  # LiteLLM
    "n_ctx",  # llama.cpp
    "n_ctx_train",  # llama.cpp, older: what the model was made for
)
"""Where a listed model tells its context, the surest first."""
_NESTED = ("meta", "top_provider", "model_info")
"""Objects inside a listed model that may tell it instead."""
_LEAST = 256
"""Tokens below which a number is no context of any model."""

_TOO_LONG = re.compile(
    r"context_length_exceeded|exceed_context_size|(?:maximum|model's|available|model) context (?:length|size|window)"
    r"|context (?:length|size|window) (?:exceeded|of only)|exceeds? the (?:available |maximum |model's )?context"
    r"|(?:prompt|input) is (?:too long|longer)|input token count .{0,40}exceeds"
    r"|reduce the length of the (?:messages|prompt)"
    r"|tokens \+ `?max_new_tokens`? must be|too large for model with",
    re.IGNORECASE,
)
_LIMITS = (
    re.compile(r"context (?:length|size|window) (?:is|of|of only) (\d+)", re.IGNORECASE),
    re.compile(r"context (?:length|size|window)\s*\((\d+)", re.IGNORECASE),
    re.compile(r"(\d+) maximum", re.IGNORECASE),
    re.compile(r"tokens allowed \((\d+)", re.IGNORECASE),
    re.compile(r"must be <= (\d+)", re.IGNORECASE),
)


class Listing(msgspec.Struct, frozen=True):
    """The models that a server lists."""

    ids: tuple[str, ...] = ()
    """Their names, in its order."""
    contexts: Mapping[str, int] = {}
    """Tokens that each takes, of those that it tells it of."""
    is_ollama: bool = False
    """Whether the server looks like one that tells of contexts elsewhere."""


class Fault(msgspec.Struct, frozen=True):
    """What a server says of a failure."""

    message: str = ""
    """In its own words; empty where there are none fit to be told."""
    code: str = ""
    """Its codes and types, for recognising it by."""

    @property
    def is_too_long(self) -> bool:
        """Whether the prompt was longer than the model's context."""
        return _TOO_LONG.search(f"{self.code} {self.message}") is not None

    @property
    def context_tokens(self) -> int | None:
        """The context that it names; None where it names none."""
        found = (pattern.search(self.message) for pattern in _LIMITS)
        return next((tokens for match in found if match and (tokens := _tokens(int(match[1])))), None)


def read_listing(body: object) -> Listing:
    """Return what a list of models says; an empty one where it is not in the usual form."""
    rows = [row for row in _rows(body, "data") if isinstance(row.get("id"), str)]
    contexts = {row["id"]: tokens for row in rows if (tokens := _context_of(row)) is not None}
    is_ollama = bool(rows) and all(row.get("owned_by") == "library" for row in rows)
    return Listing(tuple(row["id"] for row in rows), contexts, is_ollama)


def read_ollama(model: str, running: object, shown: object) -> int | None:
    """Return the context that Ollama gives a model; None where it does not tell.

    Args:
        model: its name.
        running: the body of `/api/ps`: what is loaded, with the context that it was loaded with.
        shown: the body of `/api/show`: what the model's file sets.
    """
    for row in _rows(running, "models"):
        tokens = _tokens(row.get("context_length"))
        if tokens is not None and model in (row.get("name"), row.get("model")):
            return tokens
    parameters = shown.get("parameters") if isinstance(shown, dict) else None
    found = re.search(r"^num_ctx\s+(\d+)", parameters, re.MULTILINE) if isinstance(parameters, str) else None
    # What the model was made for is no answer: it is loaded with far less unless somebody asks for more.
    return _tokens(int(found[1])) if found else None


def read_fault(body: object) -> Fault:
    """Return what the JSON of a failure says."""
    if not isinstance(body, dict):
        return Fault()
    error = body.get("error", body.get("detail", body.get("message", "")))
    if not isinstance(error, dict):
        text = error if isinstance(error, str) else msgspec.json.encode(error).decode()
        return Fault(text, f"{body.get('code', '')} {body.get('type', '')} {body.get('error_type', '')}")
    message = error.get("message", "")
    text = message if isinstance(message, str) else msgspec.json.encode(message).decode()
    if isinstance(context := error.get("n_ctx"), int):
        # llama.cpp tells it beside its words.
        text = text if str(context) in text else f"{text} (context size is {context})"
    return Fault(text, f"{error.get('code', '')} {error.get('type', '')}")


def _rows(body: object, name: str) -> list[dict[str, Any]]:
    """Return the objects in a list inside an object; none where it is another thing."""
    rows = body.get(name) if isinstance(body, dict) else None
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []


def _context_of(row: Mapping[str, Any]) -> int | None:
    objects = [row, *(row[name] for name in _NESTED if isinstance(row.get(name), dict))]
    found = (_tokens(one.get(field)) for field in _CONTEXT_FIELDS for one in objects)
    return next((tokens for tokens in found if tokens is not None), None)


def _tokens(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= _LEAST else None
