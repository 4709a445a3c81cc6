"""Audio that comes with a response is understood before the brain is asked."""

from __future__ import annotations

from playbook import Playbook, b64
from vivavoce.core import effects as ef
from vivavoce.core import reports as rp
from vivavoce.core.items import Message

SPOKEN = {"type": "message", "role": "user", "content": [{"type": "input_audio", "audio": b64(bytes(4800))}]}


def ask(play: Playbook) -> str:
    lines = play.client("response.create", response={"conversation": "none", "input": [SPOKEN]})
    assert lines[0] == "response.created resp_1 in_progress"
    recognise = play.last[-1]
    assert isinstance(recognise, ef.Recognise)
    assert len(recognise.audio) == 4800
    return recognise.item_id


def test_the_brain_is_asked_once_the_words_are_known() -> None:
    play = Playbook()
    utterance = ask(play)
    assert play.report(rp.Transcribed(utterance, "what is that")) == ["Answer resp_1"]
    answer = play.last[0]
    assert isinstance(answer, ef.Answer)
    (item,) = answer.prompt.items
    assert isinstance(item, Message)
    assert item.content[0].words == "what is that"  # type: ignore[union-attr]
    assert play.ids == []


def test_words_that_cannot_be_had_are_not_waited_for() -> None:
    play = Playbook()
    utterance = ask(play)
    assert play.report(rp.TranscriptionFailed(utterance, "engine_error", "broken")) == ["Answer resp_1"]


def test_a_cancelled_response_waits_for_no_words() -> None:
    play = Playbook()
    utterance = ask(play)
    lines = play.client("response.cancel", response_id="resp_1")
    assert "response.done resp_1 cancelled" in " | ".join(lines)
    assert ef.Discard(utterance) in play.last
    assert play.report(rp.Transcribed(utterance, "late")) == []
