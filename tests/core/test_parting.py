"""How a session ends whose money is used up."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

import order
from playbook import NOTHING, Playbook
from vivavoce.core import effects as ef
from vivavoce.core import events as ev
from vivavoce.core import reports as rp
from vivavoce.core.service import Rate, Service
from vivavoce.core.settings import Settings
from worlds import World

WORDS = "The budget is used up. Goodbye."
ENDING = ["error insufficient_quota None", "Close 4000 insufficient_quota.insufficient_quota"]


def poor(kind: str = "realtime", words: str = WORDS, **update: Any) -> Playbook:
    """A session in which a word is enough."""
    rates = {"vivavoce": Rate(text_out=1000.0), "whisper-1": Rate(minute=60.0)}
    service = Service(rates=rates, budget_usd=0.001, parting_words=words)
    return Playbook(Settings(kind=kind), service=service, update=update or None)


def spend(play: Playbook, **response: Any) -> list[str]:
    """Have an answer use everything up."""
    asked = play.respond(**response)
    play.report(rp.Said(asked, "Hello", bytes(48 * 1000)))
    return play.report(rp.Answered(asked))


def test_a_sentence_is_said_after_the_answer_that_used_the_money_up() -> None:
    play = poor(instructions="Be brief.", tools=[{"type": "function", "name": "f"}])
    play.add_text()
    assert spend(play)[-6:] == [
        "response.done resp_1 completed", "Charge", "rate_limits.updated",
        "response.created resp_2 in_progress", "rate_limits.updated early", "Answer resp_2",
    ]  # fmt: skip
    prompt = play.prompt
    assert (prompt.verbatim, prompt.items, prompt.tools, prompt.tool_choice) == (WORDS, (), (), "none")
    assert (prompt.voice, prompt.modality) == ("alloy", "audio")


def test_the_session_ends_when_the_sentence_has_been_played() -> None:
    play = poor()
    spend(play)
    play.now = 0.5
    play.report(rp.Said("resp_2", WORDS, bytes(48 * 2000)))
    assert play.session.deadline == play.session.limits.session_seconds
    play.report(rp.Answered("resp_2"))
    assert play.session.deadline == 1.0 + 2.0 + 1.0, "a second of answer, two of parting, and one for the network"
    assert play.time(3.9) == NOTHING
    assert play.time(4.0) == ENDING
    error = play.messages()[0]["error"]
    assert error["type"] == error["code"] == "insufficient_quota"
    assert error["message"] == "The budget of this session, $0.001, is used up."
    assert play.session.is_closed


def test_in_writing_it_ends_at_once() -> None:
    play = poor(output_modalities=["text"])
    asked = play.respond()
    play.report(rp.Said(asked, "Hello"))
    assert play.report(rp.Answered(asked))[-1] == "Answer resp_2"
    assert play.prompt.modality == "text"
    play.report(rp.Said("resp_2", WORDS))
    assert play.report(rp.Answered("resp_2"))[-2:] == ENDING


def test_without_words_nothing_is_said() -> None:
    play = poor(words="")
    spend(play)
    assert play.time(2.0) == ENDING


def test_a_sentence_that_cannot_be_said_ends_the_session_all_the_same() -> None:
    play = poor()
    spend(play)
    play.report(rp.Broke("resp_2", "engine_error", "No voice."))
    assert play.time(2.0) == ENDING


def test_whoever_interrupts_the_sentence_ends_the_session() -> None:
    play = poor()
    spend(play)
    play.report(rp.Said("resp_2", WORDS, bytes(48 * 2000)))
    play.now = 1.5
    lines = play.speak()
    assert "response.done resp_2 cancelled turn_detected" in lines
    assert [line for line in play.time(2.5) if not line.startswith("Discard")] == ENDING


def test_no_response_can_be_had_meanwhile() -> None:
    play = poor()
    spend(play)
    assert play.client("response.create") == ["error insufficient_quota None"]
    assert play.client("response.create", response={"conversation": "none"}) == ["error insufficient_quota None"]
    play.turn("hello")
    assert not [effect for effect in play.last if isinstance(effect, ef.Answer)]


def test_every_answer_under_way_is_finished_first() -> None:
    play = poor()
    main, beside = play.respond(), play.respond(conversation="none")
    play.report(rp.Said(main, "Hello"))
    assert play.report(rp.Answered(main))[-1] == "rate_limits.updated"
    assert play.report(rp.Answered(beside))[-1] == "Answer resp_3"


def test_a_turn_that_waits_for_an_answer_gets_none() -> None:
    play = poor()
    play.detect(interrupt_response=False)
    asked = play.respond()
    play.report(rp.Said(asked, "Hello", bytes(480)))
    play.turn("hello")
    play.report(rp.Answered(asked))
    assert play.prompt.verbatim == WORDS


def test_a_key_without_money_ends_the_session_like_its_own_budget() -> None:
    play = Playbook(service=Service(parting_words=WORDS))
    asked = play.respond()
    assert play.report(rp.Exhausted("The key is poor.")) == NOTHING
    play.report(rp.Answered(asked))
    assert play.prompt.verbatim == WORDS
    play.report(rp.Answered("resp_2"))
    assert play.time(3.0) == NOTHING, "closed already, for nothing was playing"
    assert play.session.is_closed


def test_an_idle_session_is_told_at_once() -> None:
    play = Playbook(service=Service(parting_words=WORDS))
    assert play.report(rp.Exhausted("The key is poor."))[-1] == "Answer resp_1"
    play.report(rp.Said("resp_1", WORDS, bytes(480)))
    play.report(rp.Answered("resp_1"))
    play.time(2.0)
    assert play.messages()[0]["error"]["message"] == "The key is poor."


def test_a_transcription_session_is_closed_without_a_word() -> None:
    play = poor("transcription")
    play.client("session.update", session={
        "type": "transcription", "audio": {"input": {"transcription": {"model": "whisper-1"}}}})  # fmt: skip
    play.turn("hello")
    assert play.take(play.last)[-3:] == ["Charge", *ENDING]


def test_a_client_that_leaves_meanwhile_is_gone() -> None:
    play = poor()
    spend(play)
    play.session.hang_up(0.5)
    assert play.session.deadline is None


@pytest.mark.parametrize("shape", ["ga", "beta"])
def test_both_shapes_are_told(shape: str) -> None:
    play = Playbook(service=Service(), shape=shape)
    assert play.report(rp.Exhausted("Poor."))[-2:] == ENDING
    assert play.messages()[0]["type"] == "error"


def poor_world(seed: int) -> World:
    """A world in which anything may happen, and a few answers use the money up."""
    world = World(seed, "ga")
    world.session.accounts._rates = {"vivavoce": Rate(text_out=1000.0), "whisper-1": Rate(minute=1.0)}
    world.session.accounts._budget_usd = world.random.choice([0.001, 0.02])
    world.session._consequences._parting._words = world.random.choice([WORDS, ""])
    return world


def test_whatever_happens_a_poor_session_parts_in_order() -> None:
    ways = Counter[str]()
    for seed in range(50):
        world = poor_world(seed)
        accounts, seen = world.session.accounts, order.Order("ga")
        poor_since: int | None = None
        for _ in range(120):
            world.step()
            if accounts.fault is not None and poor_since is None:
                poor_since = len(world.effects)
            if accounts.fault is not None:
                due = world.session.deadline
                if due is not None and world.session._consequences.over_at == due:
                    world.now = max(world.now, due)
                    world.take(world.session.receive_time(world.now))
            if world.session.is_closed:
                break
        for message in world.sent:
            seen.see(message)
        charged = sum(effect.usd for effect in world.effects if isinstance(effect, ef.Charge))
        assert charged == pytest.approx(accounts.spent_usd)
        prompts = [effect.prompt for effect in world.effects if isinstance(effect, ef.Answer)]
        assert sum(bool(prompt.verbatim) for prompt in prompts) <= 1
        closes = [effect.reason for effect in world.effects if isinstance(effect, ef.Close)]
        if poor_since is not None and world.session.is_closed:
            # After the last of its money no new response began but the parting one.
            sent = [effect.event for effect in world.effects[poor_since:] if isinstance(effect, ef.Send)]
            began = [event for event in sent if isinstance(event, ev.ResponseCreated)]
            assert len(began) <= 1
            if closes == ["insufficient_quota.insufficient_quota"]:
                seen.finish()
        ways[closes[0] if closes else "open"] += 1
    assert ways["insufficient_quota.insufficient_quota"] > 5
