"""Answers that are given again without asking the upstream."""

from __future__ import annotations

from relay.stage import Stage, added, answer_begins, answer_ends, kinds, spoken
from vivavoce.relay.answers import Answers
from vivavoce.relay.effects import Place

RESPOND = {"type": "response.create", "response": {"instructions": "Greet."}}


def _greeted(answers: Answers) -> Stage:
    stage = Stage(answers=answers).live()
    stage.client(RESPOND)
    stage.upstream(*answer_begins(), *answer_ends())
    return stage


def test_the_second_conversation_is_greeted_at_once_and_the_upstream_learns_of_it() -> None:
    answers = Answers(1_000_000)
    _greeted(answers)
    stage = Stage(answers=answers).live()
    (create,) = stage.client(RESPOND)
    assert create["item"]["content"] == [{"type": "output_text", "text": "It is late."}]
    told = stage.to_client
    assert kinds(told) == kinds([*answer_begins(), *answer_ends()])
    assert told[-1]["response"]["metadata"] == {"vivavoce.cache": "hit"}
    assert stage.noted == ["cached"]
    assert stage.used == []
    item_id = told[-1]["response"]["output"][0]["id"]
    assert create["item"]["id"] == item_id
    assert stage.upstream(*added(spoken(item_id, "It is late."), None)) == []


def test_after_it_everything_is_asked_of_the_upstream() -> None:
    answers = Answers(1_000_000)
    _greeted(answers)
    stage = Stage(answers=answers).live()
    stage.client(RESPOND)
    assert stage.client(RESPOND) == [RESPOND]
    assert len(answers) == 1


def test_another_voice_is_another_answer() -> None:
    answers = Answers(1_000_000)
    _greeted(answers)
    stage = Stage(answers=answers).live()
    other = {"type": "response.create", "response": {"instructions": "Greet.", "audio": {"output": {"voice": "ash"}}}}
    assert stage.client(other) == [other]


def test_another_upstream_is_asked_anew() -> None:
    answers = Answers(1_000_000)
    _greeted(answers)
    stage = Stage(Place(upstream="b"), answers).live()
    assert stage.client(RESPOND) == [RESPOND]


def test_an_answer_that_broke_off_is_not_kept() -> None:
    answers = Answers(1_000_000)
    stage = Stage(answers=answers).live()
    stage.client(RESPOND)
    stage.upstream(*answer_begins())
    stage.loses()
    assert len(answers) == 0


def test_a_beta_client_is_told_in_its_own_words() -> None:
    answers = Answers(1_000_000)
    _greeted(answers)
    stage = Stage(answers=answers, shape="beta").live()
    stage.client({"type": "response.create", "response": {"instructions": "Greet."}})
    assert "response.audio.delta" in kinds(stage.to_client)
    assert "response.output_audio.delta" not in kinds(stage.to_client)
