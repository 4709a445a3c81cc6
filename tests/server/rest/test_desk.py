from __future__ import annotations

import pytest

from desks import KEY, LoudHearing, Office, error_of, wav_of
from vivavoce.config import Limits
from vivavoce.core.service import Rate
from vivavoce.engines.registry import Engines
from vivavoce.server.admission import Refused
from vivavoce.server.rest.desk import Desk

ASKED = {"model": "tts-1", "input": "one wait", "voice": "ash", "response_format": "pcm"}


async def test_more_requests_than_there_is_room_for_come_back_later() -> None:
    office = Office(limits=Limits(max_jobs=1))
    first = office.visit("/v1/audio/speech", ASKED)
    await first.until(lambda: office.desk.jobs == 1)
    refused = await office.ask("/v1/audio/speech", ASKED)
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "5")
    assert error_of(refused)["code"] == "rate_limit_exceeded"
    await first.leave()
    office.tts.go_on.set()
    assert (await office.ask("/v1/audio/speech", ASKED)).status_code == 200


async def test_nothing_is_taken_before_the_engines_are_loaded() -> None:
    answer = await Office(missing=("espeak-ng",)).ask("/v1/audio/speech", ASKED)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert error_of(answer)["code"] == "server_starting"


async def test_a_stranger_is_turned_away_before_anything_is_read() -> None:
    office = Office(keys=(KEY,), limits=Limits(max_jobs=0))
    answer = await office.ask("/v1/audio/speech", content=b"{")
    assert (answer.status_code, error_of(answer)["code"]) == (401, "invalid_api_key")
    known = await office.ask("/v1/audio/speech", content=b"{", headers={"Authorization": f"Bearer {KEY}"})
    assert known.status_code == 429


def test_a_place_is_given_back_once() -> None:
    desk = Office().desk
    ticket, other = desk.take(), desk.take()
    ticket.give_back()
    ticket.give_back()
    assert desk.jobs == 1
    other.give_back()
    assert desk.jobs == 0


def test_engines_that_are_all_of_a_piece_cannot_read_aloud() -> None:
    engines = Office().desk.engines
    desk = Desk(Engines(engines.hearing, engines.brain, ("one",)), Limits(), lambda: ())
    with pytest.raises(Refused, match="cannot speak"):
        _ = desk.tts


async def test_a_key_whose_money_is_used_up_gets_nothing_that_costs_until_midnight() -> None:
    office = Office(hearing=LoudHearing(), rates={"tts-1": Rate(characters=1e6)}, budget_usd=8.0, keys=(KEY, "sk-two"))
    mine = {"headers": {"Authorization": f"Bearer {KEY}"}}
    asked = ASKED | {"input": "one two."}
    assert (await office.ask("/v1/audio/speech", asked, **mine)).status_code == 200
    assert office.charges == [8.0]
    refused = await office.ask("/v1/audio/speech", asked, **mine)
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "43200")
    assert error_of(refused) == {
        "type": "insufficient_quota",
        "code": "insufficient_quota",
        "param": None,
        "message": "The budget of this API key for today, $8, is used up. It begins anew at midnight (UTC).",
    }
    for path in ("/v1/chat/completions", "/v1/audio/transcriptions", "/v1/audio/translations"):
        answer = await office.ask(path, content=b"{", **mine)
        assert (answer.status_code, error_of(answer)["code"]) == (429, "insufficient_quota")
    assert (office.charges, office.desk.jobs) == ([8.0], 0)
    other = {"headers": {"Authorization": "Bearer sk-two"}}
    assert (await office.ask("/v1/audio/speech", asked, **other)).status_code == 200


async def test_clients_without_a_key_have_one_account_together() -> None:
    office = Office(hearing=LoudHearing(), rates={"whisper": Rate(minute=60.0)}, budget_usd=0.5)
    assert (await office.upload("/v1/audio/transcriptions", wav_of(1000), model="whisper")).status_code == 200
    assert office.ledger.spent_usd("") == 1.0
    assert (await office.ask("/v1/audio/speech", ASKED)).status_code == 429


async def test_who_has_no_money_is_not_told_to_come_back_in_a_few_seconds() -> None:
    office = Office(rates={"tts-1": Rate(characters=1e6)}, budget_usd=1.0, limits=Limits(max_jobs=0))
    office.ledger.charge("", 1.0)
    answer = await office.ask("/v1/audio/speech", ASKED)
    assert error_of(answer)["code"] == "insufficient_quota"
