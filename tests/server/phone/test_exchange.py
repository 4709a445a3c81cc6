"""The telephone exchange: the number that answers with what it hears."""

from __future__ import annotations

from vivavoce.server.phone.exchange import Echo

FRAME = bytes(range(240)) * 4
STOCK = bytes(48 * 60)


class Line:
    """What is said again, and media that play nothing by themselves."""

    def __init__(self) -> None:
        self.media = self
        self.queued_ms = 0
        self.said: list[bytes] = []

    def speak(self, response_id: str, item_id: str, audio: bytes) -> None:
        self.said.append(audio)
        self.queued_ms += len(audio) // 48


def test_an_echo_says_what_it_hears_after_a_little_silence() -> None:
    line = Line()
    echo = Echo(line)
    for _ in range(7):
        echo.receive_audio(FRAME)
    assert line.said == [STOCK, *[FRAME] * 7]


def test_an_echo_that_waits_too_long_leaves_out_what_makes_it_late() -> None:
    line = Line()
    echo = Echo(line)
    heard = [bytes([n]) * 960 for n in range(30)]
    for frame in heard:
        echo.receive_audio(frame)
    assert line.said == [STOCK, *heard[:8]]  # 220 ms wait; nothing more is said until most has been
    line.queued_ms = 80
    echo.receive_audio(FRAME)
    assert line.said[9:] == []
    line.queued_ms = 60
    echo.receive_audio(FRAME)
    assert line.said[9:] == [FRAME]


def test_an_echo_is_silent_when_the_call_is_over() -> None:
    line = Line()
    echo = Echo(line)
    echo.leg_closed(1000, "over")
    echo.receive_audio(FRAME)
    assert line.said == [STOCK]
