from __future__ import annotations

import asyncio
from collections.abc import Callable

from vivavoce.cli.backlog import CountedHearing
from vivavoce.core.effects import Vocabulary
from vivavoce.core.formats import PCM_24K, AudioFormat
from vivavoce.core.reports import Heard, Report, Transcribed
from vivavoce.engines.api import Ears

SECOND = 48_000


class QuietEars:
    """Ears that write down their orders; the test reports for them."""

    def __init__(self) -> None:
        self.orders: list[str] = []

    def expect(self, vocabulary: Vocabulary) -> None:
        self.orders.append("expect")

    def listen(self, audio: bytes, format: AudioFormat, at: int, detect: bool) -> None:  # noqa: A002
        self.orders.append("listen")

    def denoise(self, mode: str | None, strength: float) -> None:
        self.orders.append("denoise")

    def transcribe(self, item_id: str, start: int, vocabulary: Vocabulary, delay: str = "", *_: bool) -> None:
        self.orders.append("transcribe")

    def conclude(self, item_id: str, end: int) -> None:
        self.orders.append("conclude")

    def discard(self, item_id: str) -> None:
        self.orders.append("discard")

    def recognise(self, item_id: str, audio: bytes, format: AudioFormat, vocabulary: Vocabulary) -> None:  # noqa: A002
        self.orders.append("recognise")

    def close(self) -> None:
        self.orders.append("close")


class QuietHearing:
    languages: tuple[str, ...] = ()

    def __init__(self) -> None:
        self.ears = QuietEars()
        self.report: Callable[[Report], None] = lambda report: None

    def open(self, report: Callable[[Report], None]) -> Ears:
        self.report = report
        return self.ears

    async def ready(self) -> None: ...

    async def close(self) -> None: ...


def opened() -> tuple[CountedHearing, Ears, QuietHearing, list[Report]]:
    hearing = QuietHearing()
    counted = CountedHearing(hearing)
    reports: list[Report] = []
    return counted, counted.open(reports.append), hearing, reports


async def is_waiting(task: asyncio.Future[None]) -> bool:
    for _ in range(3):
        await asyncio.sleep(0)
    return not task.done()


async def test_a_sender_waits_while_much_is_still_to_be_heard() -> None:
    counted, ears, hearing, reports = opened()
    ears.listen(bytes(2 * 24_000), PCM_24K, 0, True)
    await counted.ready_for_more()
    ears.listen(bytes(2 * 24_000 * 3), PCM_24K, SECOND, True)
    waiting = asyncio.ensure_future(counted.ready_for_more())
    assert await is_waiting(waiting)
    hearing.report(Heard(SECOND, 0.0))
    assert await is_waiting(waiting)
    hearing.report(Heard(2 * SECOND, 0.0))
    await waiting
    assert reports == [Heard(SECOND, 0.0), Heard(2 * SECOND, 0.0)]


async def test_everything_is_settled_when_the_last_words_have_come() -> None:
    counted, ears, hearing, _ = opened()
    ears.listen(bytes(2 * 24_000), PCM_24K, 0, True)
    ears.conclude("i", SECOND)
    waiting = asyncio.ensure_future(counted.settled())
    hearing.report(Heard(SECOND - 1000, 0.0))
    assert await is_waiting(waiting)
    hearing.report(Transcribed("i", "hello"))
    await waiting


async def test_words_that_are_not_wanted_any_more_are_not_waited_for() -> None:
    counted, ears, _, _ = opened()
    ears.recognise("i", b"", PCM_24K, Vocabulary())
    waiting = asyncio.ensure_future(counted.settled())
    assert await is_waiting(waiting)
    ears.discard("i")
    await waiting


async def test_audio_that_is_not_judged_is_not_waited_for() -> None:
    counted, ears, _, _ = opened()
    ears.listen(bytes(2 * 24_000 * 10), PCM_24K, 0, False)
    await counted.settled()


async def test_the_end_of_the_session_ends_all_waiting() -> None:
    counted, ears, _, _ = opened()
    ears.listen(bytes(2 * 24_000 * 10), PCM_24K, 0, True)
    waiting = asyncio.ensure_future(counted.settled())
    assert await is_waiting(waiting)
    ears.close()
    await waiting


async def test_orders_are_passed_on() -> None:
    _, ears, hearing, _ = opened()
    ears.expect(Vocabulary())
    ears.transcribe("i", 0, Vocabulary())
    ears.conclude("i", 1)
    ears.close()
    assert hearing.ears.orders == ["expect", "transcribe", "conclude", "close"]
