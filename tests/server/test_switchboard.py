from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from callers import StringBrain, StringEars, StringLeg, settle
from vivavoce.config import load
from vivavoce.core import reports as rp
from vivavoce.core.limits import Limits
from vivavoce.core.service import DEFAULT_SERVICE, Abilities, Rate, Service
from vivavoce.core.settings import Settings, Tool, Transcription
from vivavoce.engines.registry import Engines
from vivavoce.server.admission import Connection
from vivavoce.server.client_secrets import Grant
from vivavoce.server.ledger import Ledger
from vivavoce.server.linking import Asked
from vivavoce.server.switchboard import Switchboard, build

ASKED = Connection(
    path="/v1/realtime", query={}, headers={}, subprotocols=(), key_id="", peer="192.0.2.1:1", dialect_hint=""
)
KIND = Settings(instructions="Be kind.", tools=(Tool("wave"),), voice="cedar")


class Hearing:
    """Opens ears that hear nothing."""

    languages = ("en",)

    def open(self, report: Any) -> StringEars:
        return StringEars()

    async def ready(self) -> None: ...

    async def close(self) -> None: ...


@asynccontextmanager
async def board(
    journal: Path | None = None,
    brain: StringBrain | None = None,
    service: Service = DEFAULT_SERVICE,
    ledger: Ledger | None = None,
) -> AsyncIterator[Switchboard]:
    """A switchboard whose engines do nothing."""
    engines = Engines(Hearing(), brain or StringBrain(), ("strings",))
    switchboard = Switchboard(engines, Limits(), journal, service, ledger)
    await switchboard.ready()
    try:
        yield switchboard
    finally:
        await switchboard.close()


class Translator(StringBrain):
    """A brain that says that it translates."""

    @property
    def abilities(self) -> Abilities:
        return Abilities(translates=True)


async def first(
    grant: Grant | None = None, journal: Path | None = None, brain: StringBrain | None = None, **changes: Any
) -> tuple[Any, StringLeg]:
    """What a client is told first, and its leg."""
    leg = StringLeg()
    async with board(journal, brain) as switchboard:
        switchboard.accept(msgspec.structs.replace(ASKED, grant=grant, **changes), leg)
        await settle()
    return leg.sent[0], leg


async def test_the_address_names_the_model() -> None:
    for query, model in [
        ({"model": "gpt-realtime"}, "gpt-realtime"),
        ({"deployment": "mine"}, "mine"),
        ({}, "vivavoce"),
    ]:
        created, _ = await first(query=query)
        assert (created["type"], created["session"]["model"]) == ("session.created", model)


async def test_a_session_begins_with_the_settings_of_its_secret() -> None:
    created, _ = await first(Grant(KIND))
    session = created["session"]
    assert session["instructions"] == "Be kind."
    assert session["audio"]["output"]["voice"] == "cedar"
    assert [tool["name"] for tool in session["tools"]] == ["wave"]


async def test_the_model_of_a_secret_wins_over_that_of_the_address() -> None:
    named = Grant(msgspec.structs.replace(KIND, model="gpt-realtime-mini"), names_model=True)
    for grant, model in [(named, "gpt-realtime-mini"), (Grant(KIND), "gpt-realtime")]:
        created, _ = await first(grant, query={"model": "gpt-realtime"})
        assert created["session"]["model"] == model
    created, _ = await first(Grant(KIND))
    assert created["session"]["model"] == "vivavoce"


async def test_a_transcription_secret_opens_a_transcription_session_whatever_the_address_says() -> None:
    grant = Grant(Settings(kind="transcription", transcription=Transcription("whisper-1")))
    for query in ({}, {"intent": "transcription"}, {"model": "gpt-realtime"}):
        created, _ = await first(grant, query=query)
        assert created["session"]["type"] == "transcription"
        assert created["session"]["audio"]["input"]["transcription"]["model"] == "whisper-1"


async def test_a_secret_for_conversations_opens_no_transcription() -> None:
    error, leg = await first(Grant(KIND), query={"intent": "transcription"})
    assert (error["type"], error["error"]["code"], error["error"]["param"]) == ("error", "invalid_value", "intent")
    assert "created for realtime sessions" in error["error"]["message"]
    assert leg.closed == (4000, "invalid_request_error.invalid_value")


async def test_beta_clients_are_addressed_in_their_shape() -> None:
    created, _ = await first(Grant(KIND, shape="beta"), dialect_hint="beta")
    assert created["session"]["voice"] == "cedar"


def test_the_journal_tells_the_safety_identifier_and_no_client_is_told(tmp_path: Path) -> None:
    created, leg = asyncio.run(first(Grant(KIND), tmp_path, safety_identifier="hash-of-ann"))
    (file,) = tmp_path.iterdir()
    assert file.stem == created["session"]["id"]
    head = msgspec.json.decode(file.read_bytes().splitlines()[0])
    assert head["safety_identifier"] == "hash-of-ann"
    assert "hash-of-ann" not in repr(leg.sent)


async def test_an_intent_asks_for_a_transcription_session_and_then_the_model_is_the_one_that_transcribes() -> None:
    for query, model in (
        ({"intent": "transcription"}, None),
        ({"intent": "transcription", "model": "m"}, {"model": "m"}),
    ):
        created, _ = await first(query=query)
        assert created["session"]["type"] == "transcription"
        transcription = created["session"]["audio"]["input"]["transcription"]
        assert transcription == (model and {**model, "language": None, "prompt": None})
    created, _ = await first(query={"intent": "transcription"}, dialect_hint="beta")
    assert created["type"] == "transcription_session.created"


async def test_translations_have_an_address_of_their_own() -> None:
    for path in ("/v1/realtime/translations", "/realtime/translations/"):
        created, _ = await first(brain=Translator(), path=path, query={"model": "gpt-realtime-translate"})
        session = created["session"]
        assert (session["type"], session["model"]) == ("translation", "gpt-realtime-translate")


async def test_a_server_that_cannot_translate_says_so() -> None:
    error, leg = await first(path="/v1/realtime/translations", query={"model": "m"})
    assert error["error"]["code"] == "invalid_model"
    assert leg.closed == (4000, "invalid_request_error.invalid_model")


async def test_a_secret_opens_translations_if_it_is_for_those_alone() -> None:
    path = "/v1/realtime/translations"
    grant = Grant(Settings(kind="translation", model="mine", output_language="fr"), names_model=True)
    created, _ = await first(grant, brain=Translator(), path=path, query={"model": "gpt-realtime-translate"})
    assert (created["session"]["model"], created["session"]["audio"]["output"]) == ("mine", {"language": "fr"})
    for wrong, where in ((grant, "/v1/realtime"), (Grant(KIND), path)):
        error, leg = await first(wrong, brain=Translator(), path=where)
        assert (error["error"]["code"], error["error"]["param"]) == ("invalid_value", None)
        assert leg.closed == (4000, "invalid_request_error.invalid_value")


CONVERSATION = "/ws/conversation"


async def test_the_small_protocol_has_an_address_of_its_own() -> None:
    for path in (CONVERSATION, CONVERSATION + "/"):
        ready, _ = await first(path=path, query={"model": "gpt-realtime", "intent": "transcription", "resume": ""})
        assert (ready["type"], ready["message"]) == ("session_ready", "Connected to gpt-realtime")
        assert (ready["sample_rate"], ready["voice"]) == (16_000, "alloy")


async def test_a_conversation_begins_with_the_settings_of_its_secret() -> None:
    grant = Grant(msgspec.structs.replace(KIND, model="mine"), names_model=True, shape="beta")
    ready, _ = await first(grant, path=CONVERSATION, dialect_hint="beta", query={"model": "gpt-realtime"})
    assert (ready["message"], ready["voice"], ready["sample_rate"]) == ("Connected to mine", "cedar", 16_000)


async def test_what_is_refused_to_a_page_is_told_in_its_words() -> None:
    grant = Grant(Settings(kind="transcription"))
    error, leg = await first(grant, path=CONVERSATION)
    assert error == {
        "type": "error",
        "code": "invalid_value",
        "message": "This client secret was created for transcription sessions and opens no others.",
    }
    assert leg.closed == (4000, "invalid_request_error.invalid_value")


async def test_a_page_is_answered() -> None:
    brain, leg = StringBrain(), StringLeg()
    async with board(brain=brain) as switchboard:
        owner = switchboard.accept(msgspec.structs.replace(ASKED, path=CONVERSATION), leg)
        owner.receive_frame(b'{"type":"text","text":"Hello?"}')
        await settle()
        await say(brain, "Yes.")
    assert [message["type"] for message in leg.sent] == ["session_ready", "text_delta", "response_done"]


async def test_pages_may_not_send_more_than_the_operator_allows() -> None:
    leg = StringLeg()
    async with board() as switchboard:
        switchboard.messages_per_second = 1
        owner = switchboard.accept(msgspec.structs.replace(ASKED, path=CONVERSATION), leg)
        await settle()
        for _ in range(11):
            owner.receive_frame(b'{"type":"interrupt"}')
    assert [message.get("code") for message in leg.sent] == [None, "rate_limit_exceeded"]


async def test_sessions_know_which_languages_are_understood() -> None:
    leg = StringLeg()
    async with board() as switchboard:
        call = switchboard.accept(ASKED, leg)
        await settle()
        update = {"type": "realtime", "audio": {"input": {"transcription": {"model": "whisper-1", "language": "de"}}}}
        call.receive_frame(msgspec.json.encode({"type": "session.update", "session": update}))
    assert leg.sent[-1]["error"]["param"] == "session.audio.input.transcription.language"


async def test_sessions_are_counted_by_their_kind() -> None:
    async with board() as switchboard:
        switchboard.accept(ASKED, StringLeg())
        switchboard.accept(msgspec.structs.replace(ASKED, query={"intent": "transcription"}), StringLeg())
        during = switchboard.metrics.text().decode()
    after = switchboard.metrics.text().decode()
    for kind in ("realtime", "transcription"):
        assert f'vivavoce_sessions_open{{kind="{kind}"}} 1.0' in during
        assert f'vivavoce_sessions_open{{kind="{kind}"}} 0.0' in after
        assert f'vivavoce_sessions_total{{kind="{kind}"}} 1.0' in after


# -------------------------------------------------------------------------------------------------------- money

COSTLY = Service(rates={"vivavoce": Rate(text_out=1000.0)}, parting_words="Goodbye.")


async def answered(owner: Any, brain: StringBrain, text: str = "Good") -> None:
    """Have a client ask for an answer in writing, and get it."""
    owner.receive_frame(b'{"type":"response.create","response":{"output_modalities":["text"]}}')
    await settle()
    await say(brain, text)


async def say(brain: StringBrain, text: str) -> None:
    response = brain.prompts[-1].response_id
    brain.say(rp.Said(response, text))
    brain.say(rp.Answered(response))
    await settle()


async def test_what_a_session_used_is_charged_to_its_key_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "vivavoce.call")
    ledger, brain, leg = Ledger(0.0, lambda: 0.0), StringBrain(), StringLeg()
    async with board(None, brain, COSTLY, ledger) as switchboard:
        owner = switchboard.accept(msgspec.structs.replace(ASKED, key_id="0a1b2c3d"), leg)
        await settle()
        await answered(owner, brain)
        assert ledger.spent_usd("0a1b2c3d") == 0.001
        assert b'vivavoce_cost_usd_total{upstream="local"} 0.001' in switchboard.metrics.text()
        owner.leg_closed(1000, "")
        await settle()
        assert ledger._open == {}
    (record,) = caplog.records
    session = leg.sent[0]["session"]["id"]
    assert re.fullmatch(
        rf"session {session} of key 0a1b2c3d ended after [0-9.]+ seconds, 1 tokens, 0\.001000 USD", record.getMessage()
    )


async def test_what_a_call_for_a_relay_used_is_left_for_the_relay_to_charge() -> None:
    ledger, brain = Ledger(0.0, lambda: 0.0), StringBrain()
    async with board(None, brain, COSTLY, ledger) as switchboard:
        owner = switchboard.open_call(Asked("vivavoce", key_id="0a1b2c3d"), StringLeg())
        await settle()
        await answered(owner, brain)
        assert ledger.spent_usd("0a1b2c3d") == 0.0
        assert b"vivavoce_cost_usd_total{" not in switchboard.metrics.text()


async def test_all_sessions_of_a_key_end_when_its_money_is_used_up() -> None:
    ledger, brain = Ledger(0.001, lambda: 0.0), StringBrain()
    legs = [StringLeg() for _ in range(3)]
    async with board(None, brain, COSTLY, ledger) as switchboard:
        owners = [
            switchboard.accept(msgspec.structs.replace(ASKED, key_id=key), leg)
            for key, leg in zip(("ann", "ann", "bob"), legs, strict=True)
        ]
        await settle()
        await answered(owners[0], brain)
        assert [prompt.verbatim for prompt in brain.prompts] == ["", "Goodbye.", "Goodbye."]
        for prompt in brain.prompts[1:]:
            brain.say(rp.Said(prompt.response_id, "Goodbye."))
            brain.say(rp.Answered(prompt.response_id))
        await settle()
        ending = (4000, "insufficient_quota.insufficient_quota")
        assert [leg.closed for leg in legs] == [ending, ending, None]
        error = next(message for message in legs[1].sent if message["type"] == "error")["error"]
        assert (error["type"], error["code"]) == ("insufficient_quota", "insufficient_quota")
        assert "begins anew at midnight (UTC)" in error["message"]


async def test_a_client_that_hangs_up_pays_for_what_was_under_way() -> None:
    ledger, brain = Ledger(0.0, lambda: 0.0), StringBrain()
    async with board(None, brain, COSTLY, ledger) as switchboard:
        owner = switchboard.accept(ASKED, StringLeg())
        await settle()
        owner.receive_frame(b'{"type":"response.create"}')
        await settle()
        brain.say(rp.Said(brain.prompts[-1].response_id, "Good"))
        await settle()
        owner.leg_closed(1006, "")
        await settle()
        assert ledger.spent_usd("") == 0.001


def test_the_operators_money_becomes_the_terms_of_sessions(tmp_path: Path) -> None:
    prices = tmp_path / "prices.toml"
    prices.write_text("usual = false\n[vivavoce]\nminute = 1\n", encoding="utf-8")
    environ = {
        "HOME": str(tmp_path),
        "VIVAVOCE_PRICES": str(prices),
        "VIVAVOCE_SESSION_BUDGET_USD": "2",
        "VIVAVOCE_KEY_BUDGET_USD": "3",
        "VIVAVOCE_PARTING_WORDS": "Adieu.",
    }
    switchboard = build(load(environ))
    service = switchboard.service
    assert service.rates == {"vivavoce": Rate(minute=1.0)}
    assert (service.budget_usd, service.parting_words) == (2.0, "Adieu.")
    assert switchboard.ledger is not None
    assert "$3" in switchboard.ledger.message
    assert build(load({"HOME": str(tmp_path)})).service.budget_usd is None


class Line:
    """A call that is live, for controllers."""

    def __init__(self, *, has_room: bool = True) -> None:
        self.legs: list[Any] = []
        self.has_room = has_room

    def attach(self, leg: Any) -> Any:
        self.legs.append(leg)
        return self if self.has_room else None

    def hang_up(self, reason: str) -> None: ...


async def attend(line: Line, **changes: Any) -> tuple[Any, StringLeg]:
    """The owner that the leg of a controller gets, and the leg."""
    leg = StringLeg()
    async with board() as switchboard:
        switchboard.lives.enter("rtc_u1_1", line, secret_id="aa")
        asked = msgspec.structs.replace(ASKED, **({"query": {"call_id": "rtc_u1_1"}} | changes))
        owner = switchboard.accept(asked, leg)
        switchboard.lives.leave("rtc_u1_1")
    return owner, leg


async def test_a_connection_that_names_a_call_attends_to_it_and_gets_no_session() -> None:
    line = Line()
    owner, leg = await attend(line)
    assert owner is line
    assert (line.legs, leg.sent, leg.closed) == ([leg], [], None)


@pytest.mark.parametrize(
    "changes", [{"query": {"call_id": "rtc_u1_2"}}, {"secret_id": "bb", "grant": Grant(KIND)}], ids=["unknown", "other"]
)
async def test_a_call_that_is_not_there_or_not_ones_own_is_not_found(changes: dict[str, Any]) -> None:
    _, leg = await attend(Line(), **changes)
    [error] = leg.sent
    assert (error["error"]["code"], error["error"]["param"]) == ("invalid_value", "call_id")
    assert "not found" in error["error"]["message"]
    assert leg.closed == (4000, "invalid_request_error.invalid_value")


async def test_controllers_beyond_those_that_a_call_may_have_are_told_so() -> None:
    _, leg = await attend(Line(has_room=False))
    assert leg.sent[0]["error"]["code"] == "rate_limit_exceeded"
    assert leg.closed == (4000, "invalid_request_error.rate_limit_exceeded")
