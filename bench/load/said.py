"""What the quick server (`upstream.c`) says besides audio, in the GA shape."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

SESSION = {
    "type": "realtime",
    "object": "realtime.session",
    "id": "sess_0123456789abc00000000",
    "model": "gpt-realtime",
    "output_modalities": ["audio"],
    "instructions": "",
    "tools": [],
    "tool_choice": "auto",
    "max_output_tokens": "inf",
    "tracing": None,
    "prompt": None,
    "truncation": "auto",
    "expires_at": 4102444800,
    "audio": {
        "input": {
            "format": {"type": "audio/pcm", "rate": 24000},
            "transcription": None,
            "noise_reduction": None,
            "turn_detection": {
                "type": "server_vad",
                "threshold": 0.5,
                "prefix_padding_ms": 300,
                "silence_duration_ms": 500,
                "idle_timeout_ms": None,
                "create_response": True,
                "interrupt_response": True,
            },
        },
        "output": {"format": {"type": "audio/pcm", "rate": 24000}, "voice": "marin", "speed": 1.0},
    },
}
RESPONSE = {
    "object": "realtime.response",
    "id": "resp_0123456789abc00000001",
    "conversation_id": "conv_0123456789abc00000001",
    "status": "in_progress",
    "status_details": None,
    "output": [],
    "output_modalities": ["audio"],
    "max_output_tokens": "inf",
    "metadata": None,
    "usage": None,
    "audio": SESSION["audio"],
}
ITEM = {
    "id": "item_0123456789abc00000002",
    "object": "realtime.item",
    "type": "message",
    "role": "assistant",
    "status": "in_progress",
    "content": [],
}
PLACE = {"response_id": RESPONSE["id"], "output_index": 0}
PART = {**PLACE, "item_id": ITEM["id"], "content_index": 0, "part": {"type": "audio", "transcript": ""}}
RESPONSE_BEGINNING: tuple[dict[str, Any], ...] = (
    {"type": "response.created", "response": RESPONSE},
    {"type": "response.output_item.added", **PLACE, "item": ITEM},
    {"type": "conversation.item.added", "previous_item_id": None, "item": ITEM},
    {"type": "response.content_part.added", **PART},
)


def write_said(file: Path) -> Path:
    """Write what it says to a file, as it wants it: to who connects, to an update, to a request for a response."""
    events = (
        {"type": "session.created", "session": SESSION},
        {"type": "session.updated", "session": SESSION},
        *RESPONSE_BEGINNING,
    )
    lines = [json.dumps({**event, "event_id": f"event_{number:08d}"}) for number, event in enumerate(events)]
    file.write_text("".join(line + "\n" for line in lines))
    return file
