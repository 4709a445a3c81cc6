"""What a session has cost, who is told, and what is charged when."""

from __future__ import annotations

from typing import Any

import pytest

from playbook import CountedIds, Playbook
from vivavoce.core import effects as ef
from vivavoce.core import reports as rp
from vivavoce.core.accounts import Accounts
from vivavoce.core.service import Abilities, Rate, Service
from vivavoce.core.settings import Settings
from vivavoce.core.translating import TranslationSession

RATES = {
    "vivavoce": Rate(text_in=1000.0, text_cached=100.0, text_out=10_000.0, audio_out=20_000.0),
    "whisper-1": Rate(minute=0.6),
}
INCLUDE = ["response.usage.cost"]


def charges(play: Playbook) -> list[float]:
    return [round(effect.usd, 9) for effect in play.last if isinstance(effect, ef.Charge)]


def costly(shape: str = "ga", **update: Any) -> Playbook:
    return Playbook(service=Service(rates=RATES), shape=shape, update=update or None)


def usage(play: Playbook) -> dict[str, Any]:
    (done,) = (message for message in play.messages() if message["type"] == "response.done")
    shown: dict[str, Any] = done["response"]["usage"]
    return shown


def test_a_response_is_charged_when_it_is_done() -> None:
    play = costly()
    play.add_text("four" * 10)
    response = play.respond()
    play.report(rp.Said(response, "Good day.", bytes(48 * 1000)))
    assert play.report(rp.Answered(response))[-2:] == ["Charge", "rate_limits.updated"]
    assert charges(play) == [round(10 * 0.001 + 3 * 0.01 + 20 * 0.02, 9)]
    assert "cost" not in usage(play), "typed clients know no such key"


def test_a_cancelled_response_is_charged_as_far_as_it_was_made() -> None:
    play = costly()
    play.report(rp.Said(play.respond(), "Good", bytes(48 * 100)))
    play.client("response.cancel")
    assert charges(play) == [0.01 + 2 * 0.02]


@pytest.mark.parametrize("shape", ["ga", "beta"])
def test_a_client_that_asks_is_told_the_cost_of_each_response_and_of_the_session(shape: str) -> None:
    play = costly(shape, include=INCLUDE)
    play.add_text("four" * 10)
    play.report(rp.Answered(play.respond()))
    assert usage(play)["cost"] == {"usd": 0.01, "session_usd": 0.01}
    play.report(rp.Answered(play.respond()))
    assert usage(play)["cost"] == {"usd": 0.001, "session_usd": 0.011}, "all of it was cached"
    assert play.session.accounts.spent_usd == pytest.approx(0.011)
    assert play.session.accounts.tokens == 20


def test_what_costs_nothing_is_told_and_not_charged() -> None:
    play = Playbook(update={"include": INCLUDE})
    play.report(rp.Answered(play.respond()))
    assert usage(play)["cost"] == {"usd": 0.0, "session_usd": 0.0}
    assert charges(play) == []


def test_a_transcript_is_charged_by_its_model_when_it_is_told() -> None:
    play = costly(audio={"input": {"transcription": {"model": "whisper-1"}}})
    play.turn("hello")
    seconds = play.messages()[-1]["usage"]["seconds"]
    assert charges(play) == [round(seconds / 60 * 0.6, 9)]
    play.update(audio={"input": {"transcription": None}})
    play.turn("hello")
    assert charges(play) == []


def test_a_client_that_leaves_pays_what_was_made_for_it() -> None:
    play = costly()
    response = play.respond()
    play.report(rp.Said(response, "Good", bytes(48 * 100)))
    assert play.take(play.session.hang_up(play.now)) == ["Charge"]
    assert charges(play) == [0.01 + 2 * 0.02]
    assert play.session.is_closed
    assert play.take(play.session.hang_up(play.now)) == []
    assert play.report(rp.Said(response, "more")) == []


def test_audio_that_costs_by_time_is_charged_in_lumps_and_the_rest_at_the_end() -> None:
    accounts = Accounts(Service(rates={"t": Rate(minute=0.6)}))
    out = [effect for _ in range(44) for effect in accounts.hear(0.25, "t")]
    assert out == [ef.Charge(pytest.approx(0.1))]
    assert accounts.settle("t") == [ef.Charge(pytest.approx(0.01))]
    assert accounts.settle("t") == []


def translation(budget_usd: float | None = None) -> Playbook:
    service = Service(Abilities(translates=True), rates={"t": Rate(minute=0.6)}, budget_usd=budget_usd)
    settings = Settings(kind="translation", model="t")
    play = Playbook(settings)
    play.session = TranslationSession(settings, new_id=CountedIds(), created_unix=1e9, service=service)
    play.session.start(0.0)
    play.client("session.update", session={"audio": {"output": {"language": "es"}}})
    return play


def stream(play: Playbook, seconds: float) -> list[str]:
    return play.client("session.input_audio_buffer.append", audio="AAAA" * int(16_000 * seconds))


def test_a_translation_is_charged_by_the_audio_that_it_is_given() -> None:
    play = translation()
    stream(play, 6)
    assert charges(play) == []
    stream(play, 6)
    assert charges(play) == [0.12]
    stream(play, 6)
    play.client("session.close")
    play.time(60.0)
    assert charges(play) == [0.06]


def test_a_translation_ends_when_its_budget_is_used_up() -> None:
    play = translation(budget_usd=0.1)
    assert stream(play, 12)[1:3] == ["Charge", "error insufficient_quota None"]
    assert play.time(60.0)[-1] == "Close 4000 insufficient_quota.insufficient_quota"


def test_an_engine_that_fails_is_paid_for_what_it_made_and_not_for_what_it_was_asked() -> None:
    play = costly()
    play.add_text("four" * 10)
    play.report(rp.Broke(play.respond(), "llm_unreachable", "Nobody is there."))
    assert charges(play) == []
    assert usage(play)["total_tokens"] == 0
    response = play.respond()
    play.report(rp.Said(response, "Good", bytes(48 * 100)))
    play.report(rp.Broke(response, "llm_cut_off", "It broke off."))
    assert charges(play) == [0.01 + 2 * 0.02]
