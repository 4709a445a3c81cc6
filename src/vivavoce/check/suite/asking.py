"""What several modules of cases ask for: short answers, long ones, and orders of events.  Lists no case itself."""

from __future__ import annotations

from collections.abc import Sequence

from ..cases import Desk
from ..spelling import user_text
from ..talk import Reply, Talk
from ..verdict import need

GREETING = "Say hello."
"""Asks for a short answer."""

LONG = (
    "Please repeat after me, word for word: The river rises in the hills above the town and runs past the old mill, "
    "the market and the church before it meets the sea. In spring the water is high and cold, and the boats stay in "
    "the harbour. In summer the children swim below the bridge, and their parents sit in the shade of the trees and "
    "talk about the weather, the harvest and the price of bread. In autumn the leaves fall into the water and drift "
    "away to the west. In winter the ice is thick enough to walk on, and the people of the town light lamps along the "
    "banks and skate until late in the evening, when the bells of the church call them home to supper and to bed."
)
"""Asks for an answer that takes a while to say."""

AT_THE_END = "rate_limits.updated"


async def greeted(desk: Desk, **settings: object) -> tuple[Talk, Reply]:
    """Open a conversation with these settings, write to it, and return it with its answer."""
    talk = await desk.open(**settings)
    await talk.create(user_text(GREETING))
    return talk, await talk.respond()


async def answering(desk: Desk, **settings: object) -> tuple[Talk, dict[str, object]]:
    """Open a conversation, ask for a long answer, and return it once the answer has begun, with response.created."""
    talk = await desk.open(**settings)
    await talk.create(user_text(LONG))
    await talk.ask()
    created = await talk.until("response.created")
    await talk.until("response.output_item.added")
    return talk, created


def squeezed(kinds: Sequence[str]) -> list[str]:
    """Return events without what may stand anywhere, and with each run of deltas as one; see `CONTENT_ORDER`."""
    out: list[str] = []
    for kind in kinds:
        if kind == AT_THE_END or ".input_audio_transcription." in kind:
            continue
        if not (out and kind.endswith(".delta") and out[-1] == kind):
            out.append(kind)
    return out


def need_order(talk: Talk, reply: Reply, content: Sequence[str]) -> None:
    """Make sure that a reply of one message has its events in the order of the protocol, with this content."""
    expected = ["response.created", "response.output_item.added", "conversation.item.added"]
    expected += ["response.content_part.added", *content, "response.content_part.done", "response.output_item.done"]
    expected += [] if talk.spelling.is_beta else ["conversation.item.done"]
    expected += ["response.done"]
    came = squeezed(reply.kinds)
    need(came == expected, f"in order came {', '.join(came)}")
