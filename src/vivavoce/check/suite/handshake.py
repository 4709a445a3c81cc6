"""Coming in: the upgrade, keys, subprotocols and the first events."""

from __future__ import annotations

import time

import msgspec

from ..cases import BETA, GA, Desk, case, skip_unless
from ..verdict import Broken, HungUp, TurnedAway, need, shown

_WRONG_KEY = "sk-wrong_0123456789abcdef"
_MOST_SECONDS = 7 * 86_400
"""The longest session that can be meant by an `expires_at`."""


@case("handshake.session-created")
async def session_created(desk: Desk) -> None:
    """A connection begins with session.created, and in the beta with conversation.created after it."""
    talk = await desk.open()
    need(talk.session["id"], "the session has no id")
    if desk.is_beta:
        need(talk.heard[1]["conversation"]["id"], "the conversation has no id")


@case("handshake.own-session")
async def own_session(desk: Desk) -> None:
    """Every connection has a session of its own."""
    first, second = await desk.open(), await desk.open()
    need(first.session["id"] != second.session["id"], f"two connections share {first.session['id']}")
    await first.update(instructions="Be brief.")
    await second.update()
    need(second.setting("instructions") != "Be brief.", "the settings of one connection showed on another")


@case("handshake.early-events")
async def early_events(desk: Desk) -> None:
    """Events that are sent before session.created has come are answered after it."""
    talk = await desk.dial()
    await talk.send("session.update", session=talk.spelling.session({"instructions": "Be brief."}))
    await talk.begin()
    await talk.until("session.updated")
    need(talk.setting("instructions") == "Be brief.", "the early update did not take")


@case("handshake.subprotocol")
async def subprotocol(desk: Desk) -> None:
    """A client that offers the subprotocol `realtime` is answered with it."""
    talk = await desk.dial(subprotocols=("realtime",))
    need(talk.wire.subprotocol == "realtime", f"the server chose {talk.wire.subprotocol!r}")
    await talk.begin()


@case("handshake.no-subprotocol")
async def no_subprotocol(desk: Desk) -> None:
    """A client that offers no subprotocol is answered with none."""
    talk = await desk.dial()
    need(talk.wire.subprotocol is None, f"the server chose {talk.wire.subprotocol!r}")


@case("handshake.key-in-subprotocol")
async def key_in_subprotocol(desk: Desk) -> None:
    """A client secret in a subprotocol, as browsers send it, opens the session and is never echoed."""
    answer = await desk.post("/client_secrets", {"session": {"type": "realtime"}})
    # Where there are no client secrets, and no keys, browsers send whatever they were given.
    key = answer.json["value"] if answer.status == 200 else None
    marker = ("openai-beta.realtime-v1",) if desk.is_beta else ()
    talk = await desk.dial(subprotocols=("realtime", *marker), key=key, key_in_subprotocol=True)
    chosen = talk.wire.subprotocol or ""
    need(not chosen.startswith("openai-insecure-api-key."), "the server echoed the key")
    need(chosen == "realtime", f"the server chose {chosen!r}")
    await talk.begin()


async def _turned_away(desk: Desk, key: str) -> None:
    """Find out that a key is refused, by HTTP 401 or, as the beta once did, by a close after the upgrade."""
    skip_unless(desk.target.has_key, "no key was given, so the server is taken for one that wants none")
    try:
        talk = await desk.dial(key=key)
    except TurnedAway as refused:
        need(refused.status == 401, f"the status is {refused.status}, not 401")
        error = msgspec.json.decode(refused.body)["error"]
        need(isinstance(error["message"], str) and error["message"], "the body's error has no message")
        need({"type", "code", "param"} <= error.keys(), f"the body's error is {shown(error)}")
        need(key not in refused.body.decode() if key else True, "the body shows the whole key")
        return
    try:
        first = await talk.hear()
        while first["type"] == "error":
            first = await talk.hear()
    except HungUp as end:
        need(end.code == 3000, f"the connection was closed with {end.code}")
        return
    if key and await _wants_no_key(desk):
        skip_unless(False, "the server wants no key")
    raise Broken(f"the server let the connection in and said {first['type']}")


async def _wants_no_key(desk: Desk) -> bool:
    try:
        talk = await desk.dial(key="")
        return bool((await talk.hear())["type"] != "error")
    except (TurnedAway, HungUp):
        return False


@case("handshake.wrong-key")
async def wrong_key(desk: Desk) -> None:
    """A wrong key is HTTP 401 with an error in the body, which does not show the key."""
    await _turned_away(desk, _WRONG_KEY)


@case("handshake.missing-key")
async def missing_key(desk: Desk) -> None:
    """No key where one is wanted is HTTP 401 with an error in the body."""
    skip_unless(not await _wants_no_key(desk), "the server wants no key")
    await _turned_away(desk, "")


@case("handshake.unknown-parameters", inferred=True)
async def unknown_parameters(desk: Desk) -> None:
    """Parameters of the URL that mean nothing are ignored."""
    talk = await desk.dial(query={"check": "1", "x": ""})
    await talk.begin()


@case("handshake.sdk-headers")
async def sdk_headers(desk: Desk) -> None:
    """What the public SDKs add to the upgrade's headers does no harm."""
    headers = {
        "Accept": "application/json",
        "Content-Type": "application/json",
        "X-Stainless-Lang": "python",
        "X-OpenAI-Agents-SDK": "openai-agents-sdk.0.20.0",
        "OpenAI-Safety-Identifier": "check",
    }
    talk = await desk.dial(headers=headers)
    await talk.begin()


@case("handshake.other-beta-header", GA)
async def other_beta_header(desk: Desk) -> None:
    """`OpenAI-Beta: assistants=v2` does not ask for the beta shape."""
    talk = await desk.dial(headers={"OpenAI-Beta": "assistants=v2"})
    session = await talk.begin()
    need("audio" in session, "the session is flat")


@case("handshake.beta-token", BETA, inferred=True)
async def beta_token(desk: Desk) -> None:
    """`realtime=v1` in a list of several `OpenAI-Beta` tokens asks for the beta shape."""
    talk = await desk.dial(headers={"OpenAI-Beta": "assistants=v2, realtime=v1"})
    session = await talk.begin()
    need("modalities" in session, "the session is not flat")


@case("handshake.beta-subprotocol", BETA)
async def beta_subprotocol(desk: Desk) -> None:
    """The subprotocol `openai-beta.realtime-v1` asks for the beta shape."""
    headers = {"OpenAI-Beta": "none"}
    talk = await desk.dial(subprotocols=("realtime", "openai-beta.realtime-v1"), headers=headers)
    need(talk.wire.subprotocol == "realtime", f"the server chose {talk.wire.subprotocol!r}")
    session = await talk.begin()
    need("modalities" in session, "the session is not flat")


@case("handshake.expires-at")
async def expires_at(desk: Desk) -> None:
    """A session tells in unix seconds when it will end, which is ahead."""
    talk = await desk.open()
    left = talk.session["expires_at"] - time.time()
    need(0 < left < _MOST_SECONDS, f"the session ends in {left:.0f} s")


@case("handshake.model")
async def model(desk: Desk) -> None:
    """A session shows the model that was asked for."""
    skip_unless(desk.target.model, "no model was asked for (--model)")
    talk = await desk.open()
    asked, told = desk.target.model, talk.session["model"]
    need(told == asked or told.startswith(f"{asked}-"), f"asked for {asked}, the session has {told}")


@case("handshake.unknown-call", GA, inferred=True)
async def unknown_call(desk: Desk) -> None:
    """A sideband connection to a call that does not exist is refused."""
    try:
        talk = await desk.dial(query={"call_id": "rtc_u1_" + "0" * 32}, has_model=False)
    except TurnedAway as refused:
        need(400 <= refused.status < 500, f"the status is {refused.status}")
        return
    try:
        first = await talk.hear()
        need(first["type"] == "error", f"the server said {first['type']}")
        await talk.hear()
    except HungUp as end:
        need(end.code not in (1000, 1005, 1006, None), f"the connection was closed with {end.code}")
        return
    raise Broken("the connection stayed open")
