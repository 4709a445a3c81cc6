"""Events with anything in them, of types that mean something and with keys that do: for property tests of bridges."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from vivavoce.relay import names

_inside = [
    "id", "type", "role", "content", "status", "output", "input", "audio", "format", "turn_detection", "tools", "voice",
    "tool_choice", "modalities", "output_modalities", "conversation_id", "conversation", "temperature", "object",
    "transcription", "input_audio_transcription", "input_audio_noise_reduction", "param", "message", "event_id", "name",
    "call_id", "arguments",
]  # fmt: skip
_scalars = st.none() | st.booleans() | st.integers(-5, 5)
_words = st.sampled_from(["a", "mcp", "mcp_call", "message", "function_call", "assistant", "in_progress", "server_vad"])
_values = st.recursive(
    _scalars | _words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(_inside), inner, max_size=5),
    max_leaves=20,
)
_outside = [
    "item", "session", "response", "error", "part", "item_id", "previous_item_id", "response_id", "event_id",
    "rate_limits", "name", "call_id",
]  # fmt: skip
fields: st.SearchStrategy[dict[str, Any]] = st.dictionaries(st.sampled_from(_outside), _values)
"""The fields of an event but for its type."""
kinds: st.SearchStrategy[str] = st.sampled_from(
    sorted(
        {
            *names.WITH_ITEM, *names.CONFIRMING, *names.ABOUT_OUTPUT, *names.BETA_NAMES, *names.GA_NAMES,
            "session.update", "transcription_session.update", "conversation.item.create", "response.create", "error",
            "response.created", "response.done", "rate_limits.updated", "conversation.item.deleted",
            "input_audio_buffer.committed", "transcription_session.created", "conversation.created",
            "conversation.item.input_audio_transcription.completed",
            "conversation.item.input_audio_transcription.failed",
        }
    )
)  # fmt: skip
"""Types of which a bridge makes something."""
