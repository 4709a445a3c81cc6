from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

import pytest

from fakes import FakeServer, FakeSession, Json, spoken
from vivavoce.cli.failure import Failure
from vivavoce.cli.line import Place
from vivavoce.cli.output import Part
from vivavoce.cli.render import ATTEMPTS, Log, Rendering, Text
from vivavoce.cli.speech import Manner
from vivavoce.config import Config
from vivavoce.legs.line import LineError
from vivavoce.legs.upstream import Upstream

Script = Callable[[FakeSession, Json], bool]


class Tape:
    """An output in memory that shows what was written, kept and taken back."""

    def __init__(self) -> None:
        self.parts: list[Part] = []
        self.pcm = b""
        self.rewinds = 0
        self.description: dict[str, Any] = {}

    def write(self, pcm: bytes) -> None:
        self.pcm += pcm

    def keep(self, part: Part) -> None:
        self.parts.append(part)

    def rewind(self) -> None:
        self.rewinds += 1
        self.pcm = self.pcm[: self.parts[-1].end_byte if self.parts else 0]

    def finish(self, description: dict[str, Any]) -> None:
        self.description = description

    def close(self) -> None:
        pass


class Shown:
    """A progress that remembers."""

    def __init__(self) -> None:
        self.amount = 0
        self.least = 0
        self.lines: list[str] = []

    def advance(self, amount: int) -> None:
        self.amount += amount
        self.least = min(self.least, self.amount)

    def step(self, line: str, short: str) -> None:
        self.say(line)

    def say(self, line: str) -> None:
        self.lines.append(line)

    complain = say

    def __enter__(self) -> Shown:
        return self

    def __exit__(self, *exc: object) -> None:
        pass


class Studio:
    """One text of two parts, rendered by a fake server that follows a script."""

    def __init__(self, script: Script | None = None, **manner: Any) -> None:
        self.server = FakeServer(script=script)
        self.tape = Tape()
        self.shown = Shown()
        self.pauses: list[float] = []
        self.manner = Manner(instructions="Read.", **manner)
        self.place = Place(Config())

    async def pause(self, seconds: float) -> None:
        self.pauses.append(seconds)

    async def render(self, *parts: str) -> dict[str, Any]:
        text = Text(name="book", text=" ".join(parts), parts=parts)
        rendering = Rendering(
            text, self.manner, self.place, self.server.line, self.tape, Log(None), self.shown, self.pause
        )
        return await rendering.run()


def at_first(times: int, what: Callable[[FakeSession, Json], None], about: str = "Two") -> Script:
    """Answer the first `times` requests that contain `about` by `what`."""
    left = [times]

    def script(session: FakeSession, event: Json) -> bool:
        if event["type"] != "response.create" or about not in str(event) or not left[0]:
            return False
        left[0] -= 1
        what(session, event)
        return True

    return script


def break_off(session: FakeSession, event: Json) -> None:
    session.audio(session.begin(band="none"), "item", b"\1\0\2\0", "Tw")
    session.leg.close(1006, "")


def fail(session: FakeSession, event: Json) -> None:
    response_id = session.begin(band="none")
    session.audio(response_id, "item", b"\1\0\2\0", "Tw")
    session.done(response_id, "failed", {"type": "failed", "error": {"code": "server_error", "message": "Oops."}})


def stay_silent(session: FakeSession, event: Json) -> None:
    session.done(session.begin(band="none"))


def end_incomplete(session: FakeSession, event: Json) -> None:
    response_id = session.begin(band="none")
    session.audio(response_id, "item", b"\1\0\2\0", "Tw")
    session.done(response_id, "incomplete", {"type": "incomplete", "reason": "max_output_tokens"})


def refuse(session: FakeSession, event: Json) -> None:
    error = {"type": "rate_limit_error", "code": "rate_limit_exceeded", "message": "Slow down."}
    session.send({"type": "error", "error": {**error, "event_id": event["event_id"]}})


def send_garbage(session: FakeSession, event: Json) -> None:
    place = {"response_id": session.begin(band="none"), "item_id": "i", "output_index": 0, "content_index": 0}
    session.send({"type": "response.output_audio.delta", "delta": "not base64!", **place})


def send_half_a_sample(session: FakeSession, event: Json) -> None:
    response_id = session.begin(band="none")
    session.audio(response_id, "item", b"\1\0\2")
    session.done(response_id)


@pytest.mark.parametrize(
    "trouble", [break_off, fail, stay_silent, end_incomplete, refuse, send_garbage, send_half_a_sample]
)
async def test_a_part_that_was_not_spoken_whole_is_asked_for_again_on_a_new_line(
    trouble: Callable[[FakeSession, Json], None],
) -> None:
    studio = Studio(at_first(2, trouble))
    description = await studio.render("One is here.", "Two is here.", "Three is here.")
    assert studio.tape.pcm == spoken("One is here.Two is here.Three is here.")
    assert [part.attempts for part in studio.tape.parts] == [1, 3, 1]
    assert description["connections"] == 3
    assert studio.pauses == [1.0, 2.0]
    assert all(session.closed or session.leg.ended for session in studio.server.sessions)


async def test_progress_ends_at_the_length_of_the_text_whatever_happened() -> None:
    studio = Studio(at_first(1, break_off))
    await studio.render("One is here.", "Two is here.")
    assert studio.shown.amount == len("One is here.Two is here.")
    assert studio.shown.least == 0


async def test_a_part_is_given_up_after_a_bounded_number_of_attempts() -> None:
    studio = Studio(at_first(99, fail))
    with pytest.raises(Failure) as caught:
        await studio.render("One is here.", "Two is here.")
    assert str(caught.value) == (
        f"part 2 of 2 was not spoken after {ATTEMPTS} attempts: the response ended failed (server_error: Oops.)"
    )
    assert len(studio.pauses) == ATTEMPTS - 1
    assert studio.tape.pcm == spoken("One is here.")
    assert studio.tape.description == {}


async def test_a_part_that_needs_more_tokens_tells_what_helps() -> None:
    with pytest.raises(Failure, match=r"a higher --max-response-output-tokens or a lower --part-characters helps"):
        await Studio(at_first(99, end_incomplete)).render("Two is here.")


async def test_an_answer_cut_by_the_limit_that_was_asked_for_is_kept_and_told() -> None:
    studio = Studio(at_first(1, end_incomplete), answers=True, max_output_tokens=5)
    description = await studio.render("Two is here.")
    assert description["status"] == "incomplete"
    assert studio.tape.pcm == b"\1\0\2\0"


async def test_a_line_that_cannot_be_had_at_all_is_not_dialled_again() -> None:
    studio = Studio()
    studio.server.refuse = LineError("cannot reach h", again=True)
    with pytest.raises(LineError, match="cannot reach h"):
        await studio.render("One is here.")
    assert studio.pauses == []


async def test_a_line_that_cannot_be_had_again_is_dialled_a_bounded_number_of_times() -> None:
    def script(session: FakeSession, event: Json) -> bool:
        if event["type"] == "response.create":
            session.server.refuse = LineError("cannot reach h", again=True)
            session.leg.close(1006, "")
        return event["type"] == "response.create"

    studio = Studio(script)
    with pytest.raises(Failure, match=f"part 1 of 1 was not spoken after {ATTEMPTS} attempts: cannot reach h"):
        await studio.render("One is here.")


async def test_a_session_that_is_closed_for_good_is_not_opened_again() -> None:
    studio = Studio(at_first(1, lambda session, event: session.leg.close(4000, "no")))
    with pytest.raises(
        Failure, match=r"part 1 of 1 was not spoken: the server closed the connection \(code 4000\): no"
    ):
        await studio.render("Two is here.")


async def test_a_silent_server_is_given_up_and_asked_again() -> None:
    studio = Studio(at_first(1, lambda session, event: None), timeout=0.01)
    await studio.render("Two is here.")
    assert studio.tape.parts[0].attempts == 2


async def test_settings_that_the_server_refuses_are_told_at_once() -> None:
    def script(session: FakeSession, event: Json) -> bool:
        if event["type"] == "session.update":
            session.error("invalid_value", "Invalid value: 'bob'.", event)
        return event["type"] == "session.update"

    studio = Studio(script, voice="bob")
    with pytest.raises(Failure, match="the server refuses the settings: Invalid value"):
        await studio.render("One is here.")
    assert len(studio.server.sessions) == 1


async def test_audio_of_another_format_is_not_taken_for_pcm() -> None:
    def script(session: FakeSession, event: Json) -> bool:
        if event["type"] == "session.update":
            told = {"audio": {"output": {"format": {"type": "audio/pcmu"}}}}
            session.send({"type": "session.updated", "session": told})
        return event["type"] == "session.update"

    with pytest.raises(Failure, match="audio/pcmu"):
        await Studio(script).render("One is here.")


async def test_errors_and_audio_about_something_else_are_let_pass() -> None:
    def script(session: FakeSession, event: Json) -> bool:
        if event["type"] == "response.create":
            response_id = session.begin(band="none")
            session.error("item_delete_invalid_item_id", "No such item.", {"event_id": "other"})
            session.audio("resp_other", "item", base64.b64decode("AAAA"))
            session.audio(response_id, "item", b"\1\0", "Two")
            session.done(response_id)
        return event["type"] == "response.create"

    studio = Studio(script)
    await studio.render("Two")
    assert studio.tape.pcm == b"\1\0"


async def test_the_cost_is_told_where_the_price_is_known() -> None:
    studio = Studio()
    studio.place = Place(Config(), Upstream("wss://api.openai.com", model="gpt-realtime-2.1"), "gpt-realtime-2.1")

    def script(session: FakeSession, event: Json) -> bool:
        if event["type"] == "session.update":
            session.send({"type": "session.updated", "session": {"model": "gpt-realtime-2.1-2026-01-01"}})
        return event["type"] == "session.update"

    studio.server.script = script
    description = await studio.render("One is here.", "Two is here.")
    assert description["cost_usd"] == round(2 * (10 * 4 + 5 * 24 + 15 * 64) / 1e6, 6)


async def test_a_temperature_that_the_shape_does_not_know_is_told() -> None:
    studio = Studio(temperature=0.7)
    await studio.render("One is here.")
    assert studio.shown.lines == ["book: this server speaks the GA shape, which has no temperature"]
