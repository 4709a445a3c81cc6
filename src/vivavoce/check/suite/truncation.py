"""conversation.item.truncate: what a client tells of how much of an answer was heard."""

from __future__ import annotations

from base64 import b64decode
from typing import Any

from ..cases import Desk, case
from ..recordings import base64, quiet
from ..spelling import user_audio, user_text
from ..talk import Reply, Talk
from ..verdict import need
from .asking import greeted

_SENTENCE = "Please repeat after me: The boats stay in the harbour until the wind is gone."
_ABOUT_MS = 100
"""How far a cut may lie from where it was asked for."""


async def _spoken(desk: Desk) -> tuple[Talk, Reply, str, int]:
    """Have something said; returns the item's id and the length of its audio in milliseconds."""
    talk = await desk.open()
    await talk.create(user_text(_SENTENCE))
    reply = await talk.respond()
    return talk, reply, reply.messages[0]["id"], len(reply.audio) // 48


async def _truncate(talk: Talk, item_id: str, audio_end_ms: int) -> dict[str, Any]:
    await talk.send("conversation.item.truncate", item_id=item_id, content_index=0, audio_end_ms=audio_end_ms)
    return await talk.until("conversation.item.truncated")


@case("truncate.answer")
async def answer(desk: Desk) -> None:
    """A truncation is answered by truncated, with the item, the part and the position as they were given."""
    talk, _, item_id, length_ms = await _spoken(desk)
    event = await _truncate(talk, item_id, length_ms // 2)
    told = event["item_id"], event["content_index"], event["audio_end_ms"]
    need(told == (item_id, 0, length_ms // 2), f"it tells {told}")
    came = await talk.settle()
    need(not came, f"afterwards came {', '.join(came)}")


@case("truncate.transcript")
async def transcript(desk: Desk) -> None:
    """After a truncation the item's transcript holds no more than what was heard."""
    talk, reply, item_id, length_ms = await _spoken(desk)
    await _truncate(talk, item_id, length_ms // 3)
    whole = reply.said("output_audio_transcript")
    (part,) = (await talk.retrieve(item_id))["content"]
    left = part.get("transcript") or ""
    need(left != whole and len(left) < 0.7 * len(whole), f"a third was heard, and it has {left!r}")
    need(whole.startswith(left.rstrip(" .…")), f"what is left, {left!r}, is not how {whole!r} begins")


@case("truncate.nothing-heard")
async def nothing_heard(desk: Desk) -> None:
    """After a truncation at 0 ms nothing is left of the transcript."""
    talk, _, item_id, _ = await _spoken(desk)
    await _truncate(talk, item_id, 0)
    (part,) = (await talk.retrieve(item_id))["content"]
    need(not part.get("transcript"), f"it has {part.get('transcript')!r}")


@case("truncate.audio")
async def audio(desk: Desk) -> None:
    """After a truncation a retrieved item has no audio beyond the cut."""
    talk, _, item_id, length_ms = await _spoken(desk)
    await _truncate(talk, item_id, length_ms // 2)
    (part,) = (await talk.retrieve(item_id))["content"]
    kept_ms = len(b64decode(part.get("audio") or "")) // 48
    need(kept_ms <= length_ms // 2 + _ABOUT_MS, f"cut at {length_ms // 2} ms, it has {kept_ms} ms")


@case("truncate.at-the-end")
async def at_the_end(desk: Desk) -> None:
    """A truncation at the length of the audio that was sent never fails."""
    talk, _, item_id, length_ms = await _spoken(desk)
    await _truncate(talk, item_id, length_ms)


@case("truncate.overshoot")
async def overshoot(desk: Desk) -> None:
    """A truncation beyond the audio's length is invalid_value, and cuts nothing."""
    talk, reply, item_id, length_ms = await _spoken(desk)
    beyond = length_ms + 5000
    error = await talk.refused(
        "conversation.item.truncate", item_id=item_id, content_index=0, audio_end_ms=beyond, code="invalid_value",
        says="Audio content of ",
    )  # fmt: skip
    need(f"shorter than {beyond}ms" in error["message"], f"the message is {error['message']!r}")
    (part,) = (await talk.retrieve(item_id))["content"]
    need(part["transcript"] == reply.said("output_audio_transcript"), "the transcript was cut all the same")


@case("truncate.unknown-item")
async def unknown_item(desk: Desk) -> None:
    """Truncating an item that does not exist is item_truncate_invalid_item_id."""
    talk = await desk.open()
    await talk.refused("conversation.item.truncate", item_id="item_nowhere", content_index=0, audio_end_ms=100,
                       code="item_truncate_invalid_item_id")  # fmt: skip


@case("truncate.text")
async def text(desk: Desk) -> None:
    """Only spoken answers can be truncated, not written ones: unsupported_content_type, or invalid_value."""
    talk, reply = await greeted(desk, modalities="text")
    await talk.refused(
        "conversation.item.truncate", item_id=reply.messages[0]["id"], content_index=0, audio_end_ms=0,
        code=("unsupported_content_type", "invalid_value"),
    )  # fmt: skip


@case("truncate.user-audio")
async def user(desk: Desk) -> None:
    """Only what the model spoke can be truncated, not what a user did: unsupported_content_type."""
    talk = await desk.open()
    await talk.create(user_audio(base64(quiet(300)), id="spoken"))
    await talk.refused(
        "conversation.item.truncate", item_id="spoken", content_index=0, audio_end_ms=100,
        code="unsupported_content_type", says="Only model output audio messages can be truncated",
    )  # fmt: skip


@case("truncate.missing-fields")
async def missing_fields(desk: Desk) -> None:
    """item_id, content_index and audio_end_ms are all required."""
    talk = await desk.open()
    whole: dict[str, Any] = {"item_id": "item_nowhere", "content_index": 0, "audio_end_ms": 0}
    for name in whole:
        fields = {key: value for key, value in whole.items() if key != name}
        await talk.refused("conversation.item.truncate", code="missing_required_parameter", param=name, **fields)


@case("truncate.wrong-values")
async def wrong_values(desk: Desk) -> None:
    """A position below 0 is invalid_value, and one that is no whole number invalid_type."""
    talk, _, item_id, _ = await _spoken(desk)
    fields: dict[str, Any] = {"item_id": item_id, "content_index": 0}
    await talk.refused("conversation.item.truncate", code="invalid_value", **fields, audio_end_ms=-1)
    await talk.refused("conversation.item.truncate", code="invalid_type", **fields, audio_end_ms="1")
    await talk.refused("conversation.item.truncate", item_id=item_id, content_index=7, audio_end_ms=0)


@case("truncate.then-ask")
async def then_ask(desk: Desk) -> None:
    """The conversation goes on after a truncation."""
    talk, _, item_id, length_ms = await _spoken(desk)
    await _truncate(talk, item_id, length_ms // 2)
    await talk.create(user_text("Say hello."))
    reply = await talk.respond(modalities="text")
    need(reply.status == "completed", f"the response ended as {reply.ending}")
