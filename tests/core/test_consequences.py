"""What follows from the effects of an input, and in which order; what each part does is told in its own tests."""

from __future__ import annotations

from playbook import NOTHING, Playbook
from vivavoce.core import effects as ef
from vivavoce.core import reports as rp
from vivavoce.core.service import Rate, Service

RATES = {"vivavoce": Rate(text_out=1000.0), "whisper-1": Rate(minute=0.6)}
TRANSCRIPTION = {"input": {"transcription": {"model": "whisper-1"}}}


def costly(budget_usd: float | None = None, words: str = "") -> Playbook:
    return Playbook(
        service=Service(rates=RATES, budget_usd=budget_usd, parting_words=words), update={"audio": TRANSCRIPTION}
    )


def heard(play: Playbook) -> list[str]:
    """Have something said, and understood."""
    play.speak()
    play.stop_speaking()
    item_id = play.session.conversation.last_id
    assert item_id is not None
    return play.report(rp.Transcribed(item_id, "hello"))


def test_a_transcript_is_charged_after_all_that_came_of_it() -> None:
    play = costly()
    assert heard(play)[-2:] == ["Answer resp_1", "Charge"]
    assert isinstance(play.last[-1], ef.Charge)


def test_nothing_follows_from_audio_in_or_out() -> None:
    play = costly(budget_usd=1.0)
    assert play.append(20) == ["Listen 0+960 detect"]
    response = play.respond()
    play.report(rp.Said(response, "", bytes(960)))
    assert play.report(rp.Said(response, "", bytes(960))) == ["response.output_audio.delta item_1 960"]
    assert play.session.accounts.spent_usd == 0.0


def test_last_words_stand_behind_the_charge_that_used_the_money_up() -> None:
    play = costly(budget_usd=0.000001, words="Goodbye.")
    play.client("response.create", response={"conversation": "none", "output_modalities": ["text"]})
    response = next(e.prompt.response_id for e in play.last if isinstance(e, ef.Answer))
    play.report(rp.Said(response, "Good day."))
    lines = play.report(rp.Answered(response))
    assert lines[lines.index("Charge") :] == [
        "Charge",
        "rate_limits.updated",
        "response.created resp_2 in_progress",
        "rate_limits.updated early",
        "Answer resp_2",
    ]


def test_input_after_the_last_words_draws_nothing_more() -> None:
    play = costly(budget_usd=0.000001)
    heard(play)
    play.report(rp.Answered("resp_1"))
    assert play.session.is_closed
    assert play.append(20) == NOTHING
