"""Transcription sessions: `intent=transcription`, where nothing is answered."""

from __future__ import annotations

from typing import Any

from ..cases import GA, Desk, case, skip_unless
from ..recordings import quiet, utterance
from ..talk import Talk
from ..verdict import Broken, TurnedAway, need, shown
from .transcription import LOGPROBS, MODEL, ended, need_deltas, need_usage


async def _begun(desk: Desk) -> Talk:
    """Open a transcription session; skips where the server has none."""
    try:
        talk = await desk.dial(query={"intent": "transcription"}, has_model=False)
        await talk.begin()
    except (TurnedAway, Broken) as refused:
        body = refused.body.decode("utf-8", "replace") if isinstance(refused, TurnedAway) else ""
        skip_unless(False, f"the server has no transcription sessions ({shown(f'{refused} {body}')})")
    return talk


async def _update(talk: Talk, **settings: Any) -> dict[str, Any]:
    if talk.spelling.is_beta:
        await talk.send("transcription_session.update", session=talk.spelling.session(settings))
    else:
        session = {**talk.spelling.session(settings), "type": "transcription"}
        await talk.send("session.update", session=session)
    await talk.until("session.updated")
    return talk.session


async def _opened(desk: Desk, **settings: Any) -> Talk:
    talk = await _begun(desk)
    await _update(talk, **{"transcription": {"model": MODEL}, **settings})
    return talk


@case("transcribing.created")
async def created(desk: Desk) -> None:
    """`intent=transcription` begins a session of that kind (in the beta told by transcription_session.created)."""
    talk = await _begun(desk)
    need(talk.session["object"] == "realtime.transcription_session", f"its object is {talk.session['object']}")
    if desk.is_beta:
        need(talk.heard[0]["type"] == "transcription_session.created", f"the first event is {talk.heard[0]['type']}")
    else:
        need(talk.session["type"] == "transcription", f"its type is {talk.session['type']}")
    detection = talk.setting("turn_detection")
    need(detection and detection["type"] == "server_vad", f"its turn detection is {shown(detection)}")


@case("transcribing.no-output")
async def no_output(desk: Desk) -> None:
    """A transcription session has no instructions, tools, voice or output format."""
    talk = await _begun(desk)
    foreign = {"instructions", "tools", "tool_choice", "voice", "output_audio_format"} & talk.session.keys()
    need(not foreign, f"it has {', '.join(sorted(foreign))}")
    if not desk.is_beta:
        need("output" not in talk.session["audio"], "it has audio output")


@case("transcribing.update")
async def update(desk: Desk) -> None:
    """An update of a transcription session is answered by the whole session, as it was asked for."""
    talk = await _begun(desk)
    settings = {"transcription": {"model": MODEL, "language": "en"}, "turn_detection": None, "input_format": "ulaw"}
    await _update(talk, **settings)
    need(talk.setting("transcription")["language"] == "en", f"it shows {shown(talk.setting('transcription'))}")
    need(talk.setting("turn_detection") is None, "turn detection is on")
    need(talk.setting("input_format") == "ulaw", "the format is not u-law")


@case("transcribing.turn")
async def turn(desk: Desk) -> None:
    """A turn is started, stopped, committed, added and transcribed, and nothing else comes of it."""
    talk = await _opened(desk, turn_detection={"type": "server_vad"})
    mark = talk.mark
    await talk.append(utterance("lights").audio)
    item_id = (await talk.until("input_audio_buffer.committed"))["item_id"]
    need_deltas(await ended(talk, str(item_id), mark))
    await talk.quiet(0.5)
    expected = ["input_audio_buffer.speech_started", "input_audio_buffer.speech_stopped"]
    expected += ["input_audio_buffer.committed", "conversation.item.added"]
    expected += [] if desk.is_beta else ["conversation.item.done"]
    need(talk.kinds(mark) == expected, f"in order came {', '.join(talk.kinds(mark))}")


@case("transcribing.by-hand")
async def by_hand(desk: Desk) -> None:
    """Without turn detection what is committed is transcribed, with usage for its length."""
    talk = await _opened(desk, turn_detection=None)
    mark = talk.mark
    said = utterance("lights", before_ms=200, after_ms=300)
    await talk.append(said.audio)
    await talk.send("input_audio_buffer.commit")
    item_id = (await talk.until("input_audio_buffer.committed"))["item_id"]
    events = await ended(talk, str(item_id), mark)
    need_deltas(events)
    need(events[-1]["transcript"].strip(), "the transcript is empty")
    need_usage(events[-1]["usage"], said.duration_ms / 1000)


@case("transcribing.silence")
async def silence(desk: Desk) -> None:
    """Silence that is committed has an empty transcript."""
    talk = await _opened(desk, turn_detection=None)
    mark = talk.mark
    await talk.append(quiet(2000))
    await talk.send("input_audio_buffer.commit")
    item_id = (await talk.until("input_audio_buffer.committed"))["item_id"]
    events = await ended(talk, str(item_id), mark)
    need(not events[-1]["transcript"].strip(), f"it says {events[-1]['transcript']!r}")


@case("transcribing.no-response")
async def no_response(desk: Desk) -> None:
    """response.create is refused in a transcription session."""
    talk = await _begun(desk)
    await talk.refused("response.create")


@case("transcribing.commit-empty")
async def commit_empty(desk: Desk) -> None:
    """An empty buffer cannot be committed in a transcription session either."""
    talk = await _opened(desk, turn_detection=None)
    await talk.refused("input_audio_buffer.commit", code="input_audio_buffer_commit_empty")


@case("transcribing.clear")
async def clear(desk: Desk) -> None:
    """The buffer of a transcription session can be cleared."""
    talk = await _opened(desk, turn_detection=None)
    await talk.append(quiet(500))
    await talk.send("input_audio_buffer.clear")
    await talk.until("input_audio_buffer.cleared")


@case("transcribing.foreign-field", GA)
async def foreign_field(desk: Desk) -> None:
    """What belongs to conversations is unknown_parameter in a transcription session."""
    talk = await _begun(desk)
    session = {"type": "transcription", "instructions": "Be brief."}
    await talk.refused("session.update", session=session, code="unknown_parameter", param="session.instructions")


@case("transcribing.other-kind", GA)
async def other_kind(desk: Desk) -> None:
    """A transcription session cannot be made a conversation."""
    talk = await _begun(desk)
    await talk.refused("session.update", session={"type": "realtime", "instructions": "Be brief."})


@case("transcribing.beta-update", GA)
async def beta_update(desk: Desk) -> None:
    """The beta's transcription_session.update is invalid_value in GA."""
    talk = await _opened(desk)  # a server of both shapes knows by now which one is spoken
    await talk.refused("transcription_session.update", session={}, code="invalid_value", param="type",
                       says="Invalid value: 'transcription_session.update'.")  # fmt: skip


@case("transcribing.include", GA)
async def include(desk: Desk) -> None:
    """A transcription session shows what is included as it was set."""
    talk = await _opened(desk, include=[LOGPROBS])
    need(talk.session["include"] == [LOGPROBS], f"it shows {shown(talk.session.get('include'))}")
