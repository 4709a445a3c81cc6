"""Transcription of what the user says in a conversation."""

from __future__ import annotations

from typing import Any

from ..cases import GA, Desk, case, skip_unless
from ..recordings import WORDS, Name, utterance
from ..talk import Talk
from ..verdict import Broken, need, shown

MODEL = "whisper-1"
"""The transcription model that every server knows, if only by name."""
LOGPROBS = "item.input_audio_transcription.logprobs"
_SHORT = {"before_ms": 200, "after_ms": 300}
"""No more silence than a sentence needs: servers take time to listen to it."""
_EVENT = "conversation.item.input_audio_transcription."


async def transcribed(talk: Talk, name: Name = "lights") -> tuple[str, list[dict[str, Any]]]:
    """Say something, commit it, and return the item's id and its transcription events to the last."""
    mark = talk.mark
    await talk.append(utterance(name, **_SHORT).audio)
    await talk.send("input_audio_buffer.commit")
    item_id = str((await talk.until("input_audio_buffer.committed"))["item_id"])
    return item_id, await ended(talk, item_id, mark)


async def ended(talk: Talk, item_id: str, mark: int) -> list[dict[str, Any]]:
    """Return the transcription events of an item since a mark, once the last has come."""
    while True:
        events = [
            event for event in talk.heard[mark:] if event["type"].startswith(_EVENT) and event["item_id"] == item_id
        ]
        if events and events[-1]["type"] == f"{_EVENT}failed":
            raise Broken(f"the transcription failed: {shown(events[-1]['error'])}")
        if events and events[-1]["type"] == f"{_EVENT}completed":
            return events
        await talk.hear()


def need_deltas(events: list[dict[str, Any]]) -> None:
    """Make sure that deltas, where there are any, add up to what is completed."""
    deltas = [event["delta"] for event in events if event["type"] == f"{_EVENT}delta"]
    told = "".join(deltas)
    need(not deltas or told == events[-1]["transcript"], f"deltas {told!r}, completed {events[-1]['transcript']!r}")
    need({event["content_index"] for event in events} == {0}, "they name another content_index than 0")


def need_usage(usage: dict[str, Any], seconds: float) -> None:
    """Make sure that the usage of a transcription is plausible for so much audio."""
    if usage["type"] == "duration":
        need(0 < usage["seconds"] <= seconds + 1.01, f"{seconds:.1f} s of audio are counted as {usage['seconds']} s")
        return
    need(usage["input_tokens"] + usage["output_tokens"] == usage["total_tokens"], f"it does not add up: {shown(usage)}")
    need(usage["input_tokens"] > 0, f"no input is counted: {shown(usage)}")


@case("transcription.completed")
async def completed(desk: Desk) -> None:
    """What was committed is transcribed under its item's id: deltas that add up to what is completed."""
    talk = await desk.open(turn_detection=None, transcription={"model": MODEL})
    _, events = await transcribed(talk)
    need_deltas(events)
    need(events[-1]["transcript"].strip(), "the transcript is empty")


@case("transcription.words")
async def words(desk: Desk) -> None:
    """A clear short utterance is understood, at least in part."""
    talk = await desk.open(turn_detection=None, transcription={"model": MODEL, "language": "en"})
    _, events = await transcribed(talk)
    heard = set("".join(char for char in events[-1]["transcript"].lower() if char.isalpha() or char == " ").split())
    need(heard & {"turn", "lights", "kitchen", "light"}, f"of {WORDS['lights']!r} it understood {shown(heard)}")


@case("transcription.usage")
async def usage(desk: Desk) -> None:
    """A completed transcription has usage: seconds of audio, or tokens that add up."""
    talk = await desk.open(turn_detection=None, transcription={"model": MODEL})
    _, events = await transcribed(talk)
    need_usage(events[-1]["usage"], utterance("lights", **_SHORT).duration_ms / 1000)


@case("transcription.in-item")
async def in_item(desk: Desk) -> None:
    """Once a transcription is completed, the retrieved item has the transcript."""
    talk = await desk.open(turn_detection=None, transcription={"model": MODEL})
    item_id, events = await transcribed(talk)
    (part,) = (await talk.retrieve(item_id))["content"]
    need(part["transcript"] == events[-1]["transcript"], f"the item has {part['transcript']!r}")


@case("transcription.of-turns")
async def of_turns(desk: Desk) -> None:
    """Turns that the server detects are transcribed under the ids of their items."""
    detection = {"type": "server_vad", "create_response": False}
    talk = await desk.open(turn_detection=detection, transcription={"model": MODEL})
    mark = talk.mark
    await talk.append(utterance("lights").audio)
    item_id = (await talk.until("input_audio_buffer.committed"))["item_id"]
    events = await ended(talk, str(item_id), mark)
    need_deltas(events)


@case("transcription.off")
async def off(desk: Desk) -> None:
    """Without transcription nothing is transcribed."""
    talk = await desk.open(turn_detection=None, transcription=None)
    mark = talk.mark
    await talk.append(utterance("lights").audio)
    await talk.send("input_audio_buffer.commit")
    await talk.until("input_audio_buffer.committed")
    await talk.quiet(1.5)
    came = [event["type"] for event in talk.heard[mark:] if event["type"].startswith(_EVENT)]
    need(not came, f"there came {', '.join(came)}")


@case("transcription.no-logprobs")
async def no_logprobs(desk: Desk) -> None:
    """Log probabilities come only where `include` asks for them."""
    talk = await desk.open(turn_detection=None, transcription={"model": "gpt-4o-transcribe"})
    _, events = await transcribed(talk)
    need(not any(event.get("logprobs") for event in events), "they came unasked")


@case("transcription.logprobs", GA)
async def logprobs(desk: Desk) -> None:
    """Where `include` asks for them, log probabilities come with tokens, and none is above 0."""
    talk = await desk.open(turn_detection=None, transcription={"model": "gpt-4o-transcribe"}, include=[LOGPROBS])
    _, events = await transcribed(talk)
    found = [each for event in events for each in event.get("logprobs") or []]
    skip_unless(found, "the recogniser tells no probabilities")
    need(all(each["logprob"] <= 0 and isinstance(each["token"], str) for each in found), f"they are {shown(found[:3])}")


@case("transcription.several")
async def several(desk: Desk) -> None:
    """Several items are transcribed each under its own id, and each to its end."""
    talk = await desk.open(turn_detection=None, transcription={"model": MODEL})
    ids = []
    names: tuple[Name, ...] = ("time", "timer")
    mark = talk.mark
    for name in names:
        await talk.append(utterance(name, **_SHORT).audio)
        await talk.send("input_audio_buffer.commit")
        ids.append(str((await talk.until("input_audio_buffer.committed"))["item_id"]))
    for item_id in ids:
        need_deltas(await ended(talk, item_id, mark))
