from __future__ import annotations

import io
import sys

import pytest

from vivavoce.cli.progress import Bar, Lines, Silence, clock, progress, stamp


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_elsewhere_than_on_a_terminal_progress_is_plain_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    with progress(10, "book") as shown:
        assert isinstance(shown, Lines)
        shown.advance(5)
        shown.step("part 1 of 2", "0:05")
        shown.say("done")
        shown.complain("oh no")
    assert stream.getvalue() == "part 1 of 2\ndone\noh no\n"


def test_on_a_terminal_it_is_a_bar_that_disappears(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = Terminal()
    monkeypatch.setattr(sys, "stderr", stream)
    with progress(10, "book") as shown:
        assert isinstance(shown, Bar)
        shown.advance(5)
        shown.step("part 1 of 2", "0:05 of audio")
        shown.say("done")
    assert "0:05 of audio" in stream.getvalue()
    assert "book" in stream.getvalue()
    assert "done\n" in stream.getvalue()
    assert "\n" not in stream.getvalue().rpartition("done\n")[2]


def test_quiet_progress_shows_complaints_alone(capsys: pytest.CaptureFixture[str]) -> None:
    with progress(10, "book", quiet=True) as shown:
        assert isinstance(shown, Silence)
        shown.advance(5)
        shown.step("part 1 of 2", "")
        shown.say("done")
        shown.complain("oh\nno")
    assert capsys.readouterr().err == "oh no\n"


@pytest.mark.parametrize(("seconds", "text"), [(0.9, "0:00"), (67, "1:07"), (3723.5, "1:02:03"), (90_000, "25:00:00")])
def test_durations_read_like_a_clock(seconds: float, text: str) -> None:
    assert clock(seconds) == text


def test_times_are_told_in_utc_to_the_millisecond() -> None:
    assert stamp(1_795_000_000.0625) == "2026-11-18T11:06:40.062Z"
