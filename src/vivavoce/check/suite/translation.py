"""Translation sessions, which have events of their own; skipped where a server has none."""

from __future__ import annotations

from typing import Any

from ..cases import GA, Desk, case, skip_unless
from ..recordings import base64, quiet, utterance
from ..talk import Talk
from ..verdict import Broken, HungUp, TurnedAway, need, shown

_PATH = "/translations"
_MODEL = "gpt-realtime-translate"


async def _begun(desk: Desk, **audio: Any) -> Talk:
    """Open a translation session into Spanish; skips where the server refuses one for a reason that it tells."""
    query = {"model": desk.target.model or _MODEL}
    try:
        talk = await desk.dial(path=_PATH, query=query)
        await talk.begin()
        await talk.send("session.update", session={"audio": {"output": {"language": "es"}, **audio}})
        await talk.until("session.updated")
    except (TurnedAway, Broken) as refused:
        body = refused.body.decode("utf-8", "replace") if isinstance(refused, TurnedAway) else ""
        skip_unless(False, f"the server has no translation sessions ({shown(f'{refused} {body}')})")
    return talk


@case("translation.created", GA)
async def created(desk: Desk) -> None:
    """A translation session is of type translation, with a model and languages instead of voices and tools."""
    talk = await _begun(desk)
    need(talk.heard[0]["session"]["type"] == "translation", f"its type is {talk.heard[0]['session']['type']}")
    foreign = {"instructions", "tools", "output_modalities"} & talk.session.keys()
    need(not foreign, f"it has {', '.join(sorted(foreign))}")


@case("translation.update", GA)
async def update(desk: Desk) -> None:
    """An update needs no type, and is answered by the whole session with its language."""
    talk = await _begun(desk)
    need(talk.session["audio"]["output"]["language"] == "es", f"it shows {shown(talk.session['audio'])}")
    await talk.send("session.update", session={"audio": {"output": {"language": "fr"}}})
    await talk.until("session.updated")
    need(talk.session["audio"]["output"]["language"] == "fr", f"it shows {shown(talk.session['audio'])}")


@case("translation.unknown-language", GA, inferred=True)
async def unknown_language(desk: Desk) -> None:
    """A language that cannot be spoken is refused, and changes nothing."""
    talk = await _begun(desk)
    event_id = await talk.send("session.update", session={"audio": {"output": {"language": "xx"}}})
    error = await talk.error(event_id)
    need(error["code"] == "invalid_value", f"the code is {error['code']}")


@case("translation.foreign-event", GA)
async def foreign_event(desk: Desk) -> None:
    """Events of conversations are refused in a translation session."""
    talk = await _begun(desk)
    for kind in ("response.create", "input_audio_buffer.commit"):
        await talk.error(await talk.send(kind))


@case("translation.speech", GA)
async def speech(desk: Desk) -> None:
    """What is said comes back in the other language, as words and as PCM, and in its own words where asked for."""
    talk = await _begun(desk, input={"transcription": {"model": "whisper-1"}})
    said = utterance("lights", after_ms=2500).audio
    for at in range(0, len(said), 9600):
        await talk.send("session.input_audio_buffer.append", audio=base64(said[at : at + 9600]))
    for _ in range(20):
        await talk.send("session.input_audio_buffer.append", audio=base64(quiet(200)))
    await talk.send("session.close")
    await talk.until("session.closed")
    kinds = {event["type"] for event in talk.heard}
    for kind in ("session.input_transcript.delta", "session.output_transcript.delta", "session.output_audio.delta"):
        need(kind in kinds, f"no {kind} came, but {', '.join(sorted(kinds))}")


@case("translation.close", GA)
async def close(desk: Desk) -> None:
    """session.close is answered by session.closed, and then the connection is closed with 1000."""
    talk = await _begun(desk)
    await talk.send("session.close")
    await talk.until("session.closed")
    try:
        await talk.hear()
    except HungUp as end:
        need(end.code == 1000, f"the connection was closed with {end.code}")
        return
    raise Broken("something came after session.closed")
