"""The input buffer without turn detection: append, commit, clear, and the 100 ms rule."""

from __future__ import annotations

from typing import Any

from ..cases import Desk, case
from ..recordings import base64, quiet, utterance
from ..spelling import BYTES_PER_MS
from ..talk import Talk
from ..verdict import need, shown

_EMPTY = "input_audio_buffer_commit_empty"
_TOO_SMALL = "Error committing input audio buffer: buffer too small. Expected at least 100ms of audio"


async def _committed(talk: Talk) -> dict[str, Any]:
    """Commit, and return the item that comes of it."""
    mark = talk.mark
    await talk.send("input_audio_buffer.commit")
    committed = await talk.until("input_audio_buffer.committed")
    added = await talk.until("conversation.item.added")
    expected = ["input_audio_buffer.committed", "conversation.item.added"]
    if not talk.spelling.is_beta:
        await talk.until("conversation.item.done")
        expected.append("conversation.item.done")
    came = talk.kinds(mark)
    need(came == expected, f"in order came {', '.join(came)}")
    need(committed["item_id"] == added["item"]["id"], "the committed item is not the one that was added")
    told = committed.get("previous_item_id"), added.get("previous_item_id")
    need(told[0] == told[1], f"committed after {told[0]}, added after {told[1]}")
    return {**added["item"], "previous": told[0]}


@case("input.append")
async def append(desk: Desk) -> None:
    """An append has no answer."""
    talk = await desk.open(turn_detection=None)
    await talk.append(quiet(1000))
    came = await talk.settle()
    need(not came, f"it was answered by {', '.join(came)}")


@case("input.commit")
async def commit(desk: Desk) -> None:
    """A commit makes a user item, told of by committed, added and done, and starts no response."""
    talk = await desk.open(turn_detection=None)
    await talk.append(quiet(500))
    item = await _committed(talk)
    need(item["role"] == "user", f"the item is {shown(item)}")
    (part,) = item["content"]
    need(part["type"] == "input_audio" and part["transcript"] is None, f"its content is {shown(part)}")
    came = await talk.quiet(0.7)
    need(not came, f"after the item came {', '.join(came)}")


@case("input.commit-chain")
async def commit_chain(desk: Desk) -> None:
    """A committed item follows the last item of the conversation, the first one none."""
    talk = await desk.open(turn_detection=None)
    await talk.append(quiet(200))
    first = await _committed(talk)
    need(first["previous"] is None, f"the first follows {first['previous']}")
    await talk.append(quiet(200))
    second = await _committed(talk)
    need(second["previous"] == first["id"], f"the second follows {second['previous']}, not {first['id']}")


@case("input.commit-empty")
async def commit_empty(desk: Desk) -> None:
    """Committing an empty buffer is input_audio_buffer_commit_empty."""
    talk = await desk.open(turn_detection=None)
    await talk.refused("input_audio_buffer.commit", code=_EMPTY, says=_TOO_SMALL)


@case("input.commit-short")
async def commit_short(desk: Desk) -> None:
    """Committing less than 100 ms is input_audio_buffer_commit_empty, and the audio stays."""
    talk = await desk.open(turn_detection=None)
    await talk.append(quiet(60))
    error = await talk.refused("input_audio_buffer.commit", code=_EMPTY, says=_TOO_SMALL)
    need("60.00ms" in error["message"], f"it tells another length: {error['message']}")
    await talk.append(quiet(60))
    await _committed(talk)


@case("input.commit-100-ms")
async def commit_100_ms(desk: Desk) -> None:
    """100 ms can be committed."""
    talk = await desk.open(turn_detection=None)
    await talk.append(quiet(100))
    await _committed(talk)


@case("input.commit-again")
async def commit_again(desk: Desk) -> None:
    """After a commit the buffer is empty."""
    talk = await desk.open(turn_detection=None)
    await talk.append(quiet(200))
    await _committed(talk)
    await talk.refused("input_audio_buffer.commit", code=_EMPTY)


@case("input.clear")
async def clear(desk: Desk) -> None:
    """A clear is answered by cleared, and then the buffer is empty."""
    talk = await desk.open(turn_detection=None)
    await talk.append(quiet(500))
    await talk.send("input_audio_buffer.clear")
    await talk.until("input_audio_buffer.cleared")
    await talk.refused("input_audio_buffer.commit", code=_EMPTY)


@case("input.missing-audio")
async def missing_audio(desk: Desk) -> None:
    """An append without audio is missing_required_parameter for `audio`."""
    talk = await desk.open()
    await talk.refused("input_audio_buffer.append", code="missing_required_parameter", param="audio")


@case("input.wrong-type")
async def wrong_type(desk: Desk) -> None:
    """An append whose audio is no text is invalid_type for `audio`."""
    talk = await desk.open()
    await talk.refused("input_audio_buffer.append", audio=5, code="invalid_type", param="audio")


@case("input.bad-base64")
async def bad_base64(desk: Desk) -> None:
    """An append whose audio is not base64 is invalid_value, and appends nothing."""
    talk = await desk.open(turn_detection=None)
    for audio in ("no base64!", base64(quiet(200))[:-1], "AAAA" * 4000 + "*"):
        await talk.refused("input_audio_buffer.append", audio=audio, code="invalid_value", says="Invalid 'audio'.")
    await talk.refused("input_audio_buffer.commit", code=_EMPTY)


@case("input.odd-bytes", inferred=True)
async def odd_bytes(desk: Desk) -> None:
    """Half a sample at the end of an append is completed by the next one."""
    talk = await desk.open(turn_detection=None)
    for size in (2401, 2399):
        await talk.send("input_audio_buffer.append", audio=base64(bytes(size)))
    await _committed(talk)


async def _g711(desk: Desk, format: str) -> None:  # noqa: A002
    """Find out that milliseconds of G.711 are counted at 8 kHz and that its item can be had back."""
    talk = await desk.open(turn_detection=None, input_format=format)
    await talk.append(quiet(50, format), format)
    error = await talk.refused("input_audio_buffer.commit", code=_EMPTY)
    need("50.00ms" in error["message"], f"{50 * BYTES_PER_MS[format]} bytes are not 50 ms: {error['message']}")
    await talk.append(quiet(50, format), format)
    await _committed(talk)


@case("input.ulaw")
async def ulaw(desk: Desk) -> None:
    """G.711 u-law has 8 bytes a millisecond."""
    await _g711(desk, "ulaw")


@case("input.alaw")
async def alaw(desk: Desk) -> None:
    """G.711 A-law has 8 bytes a millisecond."""
    await _g711(desk, "alaw")


@case("input.no-detection")
async def no_detection(desk: Desk) -> None:
    """Without turn detection speech is neither told of nor committed."""
    talk = await desk.open(turn_detection=None)
    await talk.append(utterance().audio)
    came = await talk.quiet(1.5)
    need(not came, f"there came {', '.join(came)}")


@case("input.push-to-talk")
async def push_to_talk(desk: Desk) -> None:
    """What was committed by hand is answered when response.create asks for it."""
    talk = await desk.open(turn_detection=None, modalities="text")
    await talk.append(utterance().audio)
    item = await _committed(talk)
    reply = await talk.respond()
    need(reply.status == "completed", f"the response ended as {reply.ending}")
    added = [event for event in reply.events if talk.kind(event) == "conversation.item.added"]
    need(added[0]["previous_item_id"] == item["id"], "the answer does not follow what was said")


@case("input.playback-clear", inferred=True)
async def playback_clear(desk: Desk) -> None:
    """output_audio_buffer.clear is refused over a WebSocket, where the client has the playback."""
    talk = await desk.open()
    await talk.refused("output_audio_buffer.clear")
