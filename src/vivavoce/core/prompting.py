"""What a brain is asked for one answer: a snapshot of all that the answer depends on.

Called by `core.answering`.
"""

from __future__ import annotations

from collections.abc import Sequence

from .conversation import Entry, as_heard
from .effects import Prompt
from .response import Response
from .tooling import Offer


def prompt_of(
    response: Response, session_id: str, model: str, entries: Sequence[Entry], offer: Offer, now: float
) -> Prompt:
    """Return the prompt of a response, or of its next round once it has made something."""
    chosen = response.settings
    return Prompt(
        response_id=response.id,
        session_id=session_id,
        model=model,
        instructions=chosen.instructions,
        items=tuple(as_heard(entry.item) for entry in entries),
        said_at=tuple(entry.said_at for entry in entries),
        now=now,
        tools=offer.tools,
        # What was demanded is done once something was called: to demand it again would never end.
        tool_choice="auto" if response.output and offer.choice != "none" else offer.choice,
        parallel_tool_calls=chosen.parallel_tool_calls is not False,
        modality="audio" if "audio" in chosen.output_modalities else "text",
        voice=chosen.voice,
        speed=chosen.speed,
        output_format=chosen.output_format,
        temperature=chosen.temperature,
        max_output_tokens=chosen.max_output_tokens,
        reasoning_effort=(chosen.reasoning or {}).get("effort"),
    )
