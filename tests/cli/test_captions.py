from __future__ import annotations

import io

import pytest

from vivavoce.cli.captions import Captions


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_elsewhere_than_on_a_terminal_only_whole_lines_appear() -> None:
    stream = io.StringIO()
    captions = Captions(stream)
    captions.partial("half a")
    captions.line("A whole line.")
    captions.clear()
    assert stream.getvalue() == "A whole line.\n"


def test_on_a_terminal_the_line_under_way_is_rewritten() -> None:
    stream = Terminal()
    captions = Captions(stream)
    captions.partial("what")
    captions.partial("what")
    captions.partial("what time")
    captions.clear()
    assert stream.getvalue() == "\r\x1b[Kwhat\r\x1b[Kwhat time\r\x1b[K"


def test_a_whole_line_goes_above_the_one_under_way() -> None:
    stream = Terminal()
    captions = Captions(stream)
    captions.partial("what")
    captions.line("Hello.")
    assert stream.getvalue() == "\r\x1b[Kwhat\r\x1b[KHello.\n\r\x1b[Kwhat"


def test_a_line_that_would_wrap_shows_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "10")
    stream = Terminal()
    Captions(stream).partial("0123456789abcdef")
    assert stream.getvalue() == "\r\x1b[K…89abcdef"
    stream.truncate(0)
    Captions(stream).partial("日本語日本語")
    assert stream.getvalue().endswith("…語日本語")
