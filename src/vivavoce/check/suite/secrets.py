"""Client secrets: keys that expire and carry a session's settings, for pages that must not hold a real key."""

from __future__ import annotations

import time
from typing import Any

from ..cases import BETA, GA, Desk, case, skip_unless
from ..target import Answer
from ..verdict import HungUp, TurnedAway, need, shown

_SECRETS = "/client_secrets"


async def _posted(desk: Desk, path: str, body: Any, **how: Any) -> Answer:
    """Post to an endpoint; skips where the server has none there."""
    answer = await desk.post(path, body, **how)
    skip_unless(answer.status not in (404, 405, 426, 501), f"the server has no {path} (HTTP {answer.status})")
    return answer


async def _created(desk: Desk, path: str, body: Any) -> Any:
    answer = await _posted(desk, path, body)
    need(answer.status == 200, f"the status is {answer.status}: {shown(answer.body.decode('utf-8', 'replace'))}")
    need(isinstance(answer.json, dict), "the answer is no JSON object")
    return answer.json


def _session(desk: Desk, **settings: Any) -> dict[str, Any]:
    model = {"model": desk.target.model} if desk.target.model else {}
    return {"type": "realtime", **model, **settings}


@case("secret.create", GA)
async def create(desk: Desk) -> None:
    """A client secret has a value that begins with ek_, a time at which it expires, and the session that it opens."""
    made = await _created(desk, _SECRETS, {"session": _session(desk, instructions="Be brief.")})
    need(made["value"].startswith("ek_"), f"its value begins with {made['value'][:3]!r}")
    need(made["session"]["type"] == "realtime", f"its session is {shown(made['session'])}")
    need(made["session"]["object"] == "realtime.session", f"its session is {shown(made['session'])}")
    need(made["session"]["instructions"] == "Be brief.", f"its session is {shown(made['session'])}")
    left = made["expires_at"] - time.time()
    need(500 <= left <= 700, f"it expires in {left:.0f} s, not in 600")


@case("secret.expires-after", GA)
async def expires_after(desk: Desk) -> None:
    """A client secret expires when it was asked to, from 10 to 7200 seconds after it was made."""
    after = {"anchor": "created_at", "seconds": 60}
    made = await _created(desk, _SECRETS, {"expires_after": after, "session": _session(desk)})
    left = made["expires_at"] - time.time()
    need(0 < left <= 90, f"it expires in {left:.0f} s, not in 60")
    for seconds in (5, 100_000):
        body = {"expires_after": {"anchor": "created_at", "seconds": seconds}, "session": _session(desk)}
        _need_error(await desk.post(_SECRETS, body), 400)


def _need_error(answer: Answer, status: int) -> None:
    need(answer.status == status, f"the status is {answer.status}, not {status}")
    error = answer.json["error"]
    need({"message", "type", "code", "param"} <= error.keys(), f"the body's error is {shown(error)}")


@case("secret.invalid-session", GA)
async def invalid_session(desk: Desk) -> None:
    """A client secret for a session that is wrong is HTTP 400 with an error that names the field."""
    answer = await _posted(desk, _SECRETS, {"session": _session(desk, nonsense=1)})
    _need_error(answer, 400)
    need("nonsense" in answer.json["error"]["message"], f"the message is {answer.json['error']['message']!r}")


@case("secret.needs-key", GA)
async def needs_key(desk: Desk) -> None:
    """Client secrets are given to holders of a key alone."""
    skip_unless(desk.target.has_key, "no key was given, so the server is taken for one that wants none")
    answer = await _posted(desk, _SECRETS, {"session": _session(desk)}, key="sk-wrong_0123456789abcdef")
    skip_unless(answer.status != 200, "the server wants no key")
    _need_error(answer, 401)


@case("secret.opens", GA)
async def opens(desk: Desk) -> None:
    """A client secret opens connections, more than one, to the session that it was made for."""
    made = await _created(desk, _SECRETS, {"session": _session(desk, instructions="Be brief.")})
    for _ in range(2):
        talk = await desk.dial(key=made["value"], has_model=False)
        session = await talk.begin()
        need(session["instructions"] == "Be brief.", f"the instructions are {shown(session['instructions'])}")
    await talk.update(instructions="Be long.")
    need(talk.setting("instructions") == "Be long.", "the session's settings cannot be changed")


@case("secret.opens-browsers", GA)
async def opens_browsers(desk: Desk) -> None:
    """A client secret opens a connection from a subprotocol."""
    made = await _created(desk, _SECRETS, {"session": _session(desk, instructions="Be brief.")})
    talk = await desk.dial(key=made["value"], key_in_subprotocol=True, subprotocols=("realtime",), has_model=False)
    need(talk.wire.subprotocol == "realtime", f"the server chose {talk.wire.subprotocol!r}")
    session = await talk.begin()
    need(session["instructions"] == "Be brief.", f"the instructions are {shown(session['instructions'])}")


@case("secret.makes-none", GA, inferred=True)
async def makes_none(desk: Desk) -> None:
    """A client secret does not make others."""
    skip_unless(desk.target.has_key, "no key was given, so the server is taken for one that wants none")
    made = await _created(desk, _SECRETS, {"session": _session(desk)})
    answer = await desk.post(_SECRETS, {"session": _session(desk)}, key=made["value"])
    need(answer.status in (401, 403), f"the status is {answer.status}")


@case("secret.changed", GA)
async def changed(desk: Desk) -> None:
    """A client secret of which a character was changed opens nothing."""
    skip_unless(desk.target.has_key, "no key was given, so the server is taken for one that wants none")
    made = await _created(desk, _SECRETS, {"session": _session(desk)})
    value = made["value"]
    other = value[:-5] + ("a" if value[-5] != "a" else "b") + value[-4:]
    try:
        talk = await desk.dial(key=other, has_model=False)
        await talk.hear()
    except TurnedAway as refused:
        need(refused.status == 401, f"the status is {refused.status}")
        return
    except HungUp as end:
        need(end.code == 3000, f"the connection was closed with {end.code}")
        return
    need(False, "it was let in")


@case("secret.transcription", GA)
async def transcription(desk: Desk) -> None:
    """A client secret for a transcription session opens one."""
    body = {"session": {"type": "transcription", "audio": {"input": {"transcription": {"model": "whisper-1"}}}}}
    answer = await _posted(desk, _SECRETS, body)
    need(answer.status == 200, f"the status is {answer.status}: {shown(answer.body.decode('utf-8', 'replace'))}")
    kind = answer.json["session"]["object"]
    need(kind == "realtime.transcription_session", f"its session's object is {kind}")
    talk = await desk.dial(key=answer.json["value"], has_model=False)
    session = await talk.begin()
    need(session["type"] == "transcription", f"it opened a session of type {session['type']}")
    need(session["audio"]["input"]["transcription"]["model"] == "whisper-1", "the model is not as asked")


@case("secret.translation", GA)
async def translation(desk: Desk) -> None:
    """A client secret for a translation session tells of one, or the server says why it has none."""
    body = {"session": {"model": "gpt-realtime-translate", "audio": {"output": {"language": "es"}}}}
    answer = await _posted(desk, f"/translations{_SECRETS}", body)
    if answer.status != 200:
        need(answer.json["error"]["message"], "it is refused without a reason")
        skip_unless(False, shown(answer.json["error"]["message"]))
    need(answer.json["value"].startswith("ek_"), f"its value begins with {answer.json['value'][:3]!r}")
    need(answer.json["session"]["type"] == "translation", f"its session is {shown(answer.json['session'])}")


@case("secret.sessions", BETA)
async def sessions(desk: Desk) -> None:
    """The beta's /sessions answers with the flat session and a client_secret, which opens it."""
    made = await _created(desk, "/sessions", {**_flat(desk), "instructions": "Be brief."})
    secret = made["client_secret"]
    need(secret["value"].startswith("ek_"), f"the secret begins with {secret['value'][:3]!r}")
    need(secret["expires_at"] > time.time(), "the secret has expired already")
    need(made["object"] == "realtime.session" and made["id"], f"the object is {made['object']}")
    need(made["instructions"] == "Be brief." and "modalities" in made, f"the session is {shown(made)}")
    talk = await desk.dial(key=secret["value"], has_model=False)
    session = await talk.begin()
    need(session["instructions"] == "Be brief.", f"the instructions are {shown(session['instructions'])}")


@case("secret.transcription-sessions", BETA)
async def transcription_sessions(desk: Desk) -> None:
    """The beta's /transcription_sessions answers with a transcription session and a client_secret."""
    made = await _created(desk, "/transcription_sessions", {"input_audio_transcription": {"model": "whisper-1"}})
    need(made["client_secret"]["value"].startswith("ek_"), f"the secret is {shown(made['client_secret'])[:20]}")
    need(made["object"] == "realtime.transcription_session", f"the object is {made['object']}")


def _flat(desk: Desk) -> dict[str, Any]:
    return {"model": desk.target.model} if desk.target.model else {}
