"""Turn detection: what is told while the user speaks, and what comes of it."""

from __future__ import annotations

from typing import Any

from ..cases import GA, Desk, case, skip_unless
from ..recordings import Utterance, quiet, utterance
from ..spelling import user_text
from ..talk import Talk
from ..verdict import Broken, need
from .asking import GREETING, answering

_VAD = {"type": "server_vad", "silence_duration_ms": 500}
_TOLD = [
    "input_audio_buffer.speech_started",
    "input_audio_buffer.speech_stopped",
    "input_audio_buffer.committed",
    "conversation.item.added",
    "conversation.item.done",
]
_PADDING_MS = 300
_NEAR_MS = 450
"""How far from the sound itself a start or stop may be told: detectors differ in what they take for a beginning."""


class _Turn:
    """The events of one turn."""

    def __init__(self, events: list[dict[str, Any]]) -> None:
        self.started, self.stopped, self.committed, self.added = events[:4]

    @property
    def item_id(self) -> str:
        return str(self.added["item"]["id"])


async def _heard(talk: Talk) -> _Turn:
    """Await a turn, from speech_started to the item's entry."""
    kinds = _TOLD[:4] if talk.spelling.is_beta else _TOLD
    return _Turn([await talk.until(kind) for kind in kinds])


async def _said(talk: Talk, said: Utterance | None = None, format: str = "pcm") -> _Turn:  # noqa: A002
    """Say something, and await the turn that it makes."""
    await talk.append((said or utterance(format=format)).audio, format)
    return await _heard(talk)


def _silent(**detection: Any) -> dict[str, Any]:
    """Return turn detection that only listens."""
    return {**_VAD, "create_response": False, "interrupt_response": False, **detection}


@case("turn.order")
async def order(desk: Desk) -> None:
    """A spoken turn is speech_started, speech_stopped, committed, the item's entry, and then a response."""
    talk = await desk.open(turn_detection=_VAD, modalities="text")
    mark = talk.mark
    turn = await _said(talk)
    reply = await talk.reply()
    need(reply.status == "completed", f"the response ended as {reply.ending}")
    came = talk.kinds(mark)
    expected = [kind for kind in _TOLD if not (desk.is_beta and kind == "conversation.item.done")]
    expected.append("response.created")
    need(came[: len(expected)] == expected, f"in order came {', '.join(came[: len(expected)])}")
    added = [event for event in reply.events if talk.kind(event) == "conversation.item.added"]
    need(added[0].get("previous_item_id") == turn.item_id, "the answer does not follow what was said")


@case("turn.ids")
async def ids(desk: Desk) -> None:
    """speech_started promises the id under which the turn is stopped, committed and added."""
    talk = await desk.open(turn_detection=_silent())
    turn = await _said(talk)
    told = {turn.started["item_id"], turn.stopped["item_id"], turn.committed["item_id"], turn.item_id}
    need(len(told) == 1, f"the turn goes by {', '.join(sorted(told))}")
    second = await _said(talk)
    need(second.item_id != turn.item_id, "two turns have one id")
    previous = second.committed["previous_item_id"], second.added.get("previous_item_id")
    need(previous == (turn.item_id, turn.item_id), f"the second turn follows {previous}, not {turn.item_id}")


@case("turn.item")
async def item(desk: Desk) -> None:
    """A spoken turn is a user's message of one input_audio part, whose transcript is null at first."""
    talk = await desk.open(turn_detection=_silent())
    turn = await _said(talk)
    shows = turn.added["item"]
    need(shows["role"] == "user" and shows["status"] == "completed", f"it is {shows}")
    need([part["type"] for part in shows["content"]] == ["input_audio"], f"it is {shows}")
    need(shows["content"][0]["transcript"] is None, f"it is {shows}")


def _need_clock(turn: _Turn, said: Utterance, offset_ms: int) -> None:
    starts = offset_ms + said.starts_ms - _PADDING_MS
    told = turn.started["audio_start_ms"]
    need(abs(told - starts) <= _NEAR_MS, f"the speech less its padding starts at {starts} ms, told was {told} ms")
    ends, told = offset_ms + said.ends_ms, turn.stopped["audio_end_ms"]
    need(ends - _NEAR_MS <= told <= ends + 500 + 2 * _NEAR_MS, f"the speech ends at {ends} ms, told was {told} ms")


@case("turn.clock")
async def clock(desk: Desk) -> None:
    """Starts and stops are told in milliseconds of the audio written in the session, prefix padding included."""
    talk = await desk.open(turn_detection=_silent(prefix_padding_ms=_PADDING_MS))
    said = utterance(before_ms=1500)
    turn = await _said(talk, said)
    _need_clock(turn, said, 0)


@case("turn.clock-runs-on")
async def clock_runs_on(desk: Desk) -> None:
    """The clock of starts and stops counts all audio ever written: commit and clear do not reset it."""
    talk = await desk.open(turn_detection=None)
    await talk.append(quiet(1000))
    await talk.send("input_audio_buffer.clear")
    await talk.append(quiet(1000))
    await talk.send("input_audio_buffer.commit")
    await talk.update(turn_detection=_silent(prefix_padding_ms=_PADDING_MS))
    said = utterance()
    turn = await _said(talk, said)
    _need_clock(turn, said, 2000)
    second = await _said(talk, said)
    _need_clock(second, said, 2000 + said.duration_ms)


@case("turn.ulaw")
async def ulaw(desk: Desk) -> None:
    """Turns are heard in G.711 as in PCM, on a clock of its 8 bytes a millisecond."""
    talk = await desk.open(turn_detection=_silent(prefix_padding_ms=_PADDING_MS), input_format="ulaw")
    said = utterance(format="ulaw")
    turn = await _said(talk, said, "ulaw")
    _need_clock(turn, said, 0)


@case("turn.no-response")
async def no_response(desk: Desk) -> None:
    """With create_response off a turn is committed and not answered."""
    talk = await desk.open(turn_detection={**_VAD, "create_response": False})
    await _said(talk)
    came = await talk.quiet(1.0)
    need(not came, f"afterwards came {', '.join(came)}")


@case("turn.silence")
async def silence(desk: Desk) -> None:
    """Silence is no speech: nothing is told of it, and nothing committed."""
    talk = await desk.open(turn_detection=_VAD)
    await talk.append(quiet(4000))
    came = await talk.quiet(1.0)
    need(not came, f"there came {', '.join(came)}")


@case("turn.switched-on")
async def switched_on(desk: Desk) -> None:
    """Turn detection can be switched on in the middle of a session, and off again."""
    talk = await desk.open(turn_detection=None)
    await talk.append(quiet(500))
    await talk.update(turn_detection=_silent())
    await _said(talk)
    await talk.update(turn_detection=None)
    await talk.append(utterance().audio)
    came = await talk.quiet(1.0)
    need(not came, f"switched off, there came {', '.join(came)}")


@case("turn.two")
async def two(desk: Desk) -> None:
    """Two turns in one stream are two items, told of one after the other."""
    talk = await desk.open(turn_detection=_silent())
    await talk.append(utterance("time").audio + utterance("timer").audio)
    first, second = await _heard(talk), await _heard(talk)
    need(first.item_id != second.item_id, "they have one id")
    stop, start = first.stopped["audio_end_ms"], second.started["audio_start_ms"]
    need(start >= stop - _NEAR_MS, f"the second starts at {start} ms, before the first stops at {stop} ms")


@case("turn.clear")
async def clear(desk: Desk) -> None:
    """After input_audio_buffer.clear the next turn is heard as usual."""
    talk = await desk.open(turn_detection=_silent())
    await talk.append(quiet(500))
    await talk.send("input_audio_buffer.clear")
    await talk.until("input_audio_buffer.cleared")
    await _said(talk)


@case("turn.semantic")
async def semantic(desk: Desk) -> None:
    """semantic_vad hears a turn and ends it after the words that end it, at the latest after its longest wait."""
    detection = {"type": "semantic_vad", "eagerness": "high", "create_response": False}
    talk = await desk.open(turn_detection=detection)
    turn = await _said(talk, utterance(after_ms=5000))
    need(turn.started["item_id"] == turn.item_id, "the turn goes by two ids")


@case("turn.interrupts")
async def interrupts(desk: Desk) -> None:
    """Speech ends a response that is under way: cancelled for turn_detected, all that it began is ended."""
    talk, created = await answering(desk, turn_detection={**_VAD, "interrupt_response": True})
    response: Any = created["response"]
    await talk.append(utterance().audio)
    await talk.until("input_audio_buffer.speech_started")
    skip_unless(response["id"] not in talk.endings, "the answer was over too soon")
    done = await talk.until("response.done")
    need(done["response"]["id"] == response["id"], "another response ended")
    need(done["response"]["status"] == "cancelled", f"it ended as {done['response']['status']}")
    details = done["response"]["status_details"]
    need(details["reason"] == "turn_detected", f"the reason is {details['reason']}")
    need([item["status"] for item in done["response"]["output"]] == ["incomplete"], "its item is not incomplete")
    answer = await talk.reply()
    need(answer.id != response["id"], "the turn was not answered")


@case("turn.does-not-interrupt")
async def does_not_interrupt(desk: Desk) -> None:
    """With interrupt_response off, speech is heard and committed and the response goes on to its end."""
    talk, created = await answering(desk, turn_detection=_silent())
    response: Any = created["response"]
    await _said(talk)
    while response["id"] not in talk.endings:
        await talk.hear()
    need(talk.endings[response["id"]] == "completed", f"it ended as {talk.endings[response['id']]}")


@case("turn.answers-without-interrupting")
async def answers_without_interrupting(desk: Desk) -> None:
    """With create_response on and interrupt_response off, speech breaks nothing: no response is cut, none collides."""
    talk, _ = await answering(desk, turn_detection={**_VAD, "interrupt_response": False})
    await _said(talk)
    while not talk.endings:
        await talk.hear()
    await talk.quiet(1.5)
    need(set(talk.endings.values()) == {"completed"}, f"responses ended as {', '.join(talk.endings.values())}")
    errors = [event["error"]["code"] for event in talk.heard if event["type"] == "error"]
    need(not errors, f"there came the errors {', '.join(map(str, errors))}")


@case("turn.interrupts-without-answering")
async def interrupts_without_answering(desk: Desk) -> None:
    """With create_response off and interrupt_response on, speech ends a response and is not answered."""
    detection = {**_VAD, "create_response": False, "interrupt_response": True}
    talk, created = await answering(desk, turn_detection=detection)
    response: Any = created["response"]
    await talk.append(utterance().audio)
    await talk.until("input_audio_buffer.speech_started")
    skip_unless(response["id"] not in talk.endings, "the answer was over too soon")
    done = await talk.until("response.done")
    need(done["response"]["status"] == "cancelled", f"it ended as {done['response']['status']}")
    await talk.until("conversation.item.added")
    came = await talk.quiet(1.0)
    need("response.created" not in came, "the turn was answered")


@case("turn.idle-timeout", GA)
async def idle_timeout(desk: Desk) -> None:
    """After idle_timeout_ms of silence the server tells of it, commits an empty turn and answers it."""
    detection = {**_VAD, "idle_timeout_ms": 5000}
    talk = await desk.open(turn_detection=detection, modalities="text")
    await talk.create(user_text(GREETING))
    await talk.respond()
    mark = talk.mark
    # Silence, as a microphone sends it, on either clock: that of the audio and that of the wall.
    for _ in range(30):
        await talk.append(quiet(500))
        try:
            await talk.hear(0.5)
        except Broken:
            continue
        if any(kind.endswith("timeout_triggered") for kind in talk.kinds(mark)):
            break
    came = [event for event in talk.heard[mark:] if event["type"] == "input_audio_buffer.timeout_triggered"]
    need(came, f"no timeout was triggered, but {', '.join(talk.kinds(mark)) or 'nothing came'}")
    reply = await talk.reply()
    kinds = talk.kinds(mark)
    first = kinds.index("input_audio_buffer.timeout_triggered")
    expected = ["input_audio_buffer.timeout_triggered", *_TOLD[2:], "response.created"]
    need(kinds[first : first + 5] == expected, f"in order came {', '.join(kinds[first : first + 5])}")
    need(reply.status == "completed", f"the response ended as {reply.ending}")
