"""Counting what a session in this process has still to hear.

Over a network nobody sends much faster than speech comes, but a command that reads files does.  So that a recording of
an hour does not pile up in memory before its first minute is understood, its sender waits for the ears.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from ..core.effects import Vocabulary
from ..core.formats import TICKS_PER_MS, AudioFormat
from ..core.reports import Heard, Report, Transcribed, TranscriptionFailed
from ..engines.api import Ears, Hearing

_AHEAD_TICKS = 2_000 * TICKS_PER_MS
"""Audio that may wait to be heard: enough that no thread ever starves, and well under what a session may buffer."""
_OWED = 2
"""Utterances that may wait for their words."""
_FRAME_TICKS = 64 * TICKS_PER_MS
"""Voice activity is judged in whole frames, so that up to two of 32 ms are never waited for."""


class CountedHearing:
    """The hearing of one session, with an account of its work: a `Hearing` for one pair of ears."""

    def __init__(self, hearing: Hearing) -> None:
        self._hearing = hearing
        self._listened = 0
        self._heard = 0
        self._owed: set[str] = set()
        self._is_open = False
        self._changed = asyncio.Event()

    @property
    def languages(self) -> tuple[str, ...]:
        """Those that are understood."""
        return self._hearing.languages

    async def ready_for_more(self) -> None:
        """Return when so little is left to hear that more may be sent."""
        await self._wait(_AHEAD_TICKS, _OWED)

    async def settled(self) -> None:
        """Return when everything was heard and understood."""
        await self._wait(_FRAME_TICKS, 0)

    def open(self, report: Callable[[Report], None]) -> Ears:
        """Return ears whose reports pass through here."""

        def counted(each: Report) -> None:
            match each:
                case Heard():
                    self._heard = each.at
                case Transcribed() | TranscriptionFailed():
                    self._owed.discard(each.item_id)
            self._changed.set()
            report(each)

        self._is_open = True
        return _CountedEars(self, self._hearing.open(counted))

    async def ready(self) -> None:
        """Return when the models are loaded."""
        await self._hearing.ready()

    async def close(self) -> None:
        """Do nothing: the hearing serves other sessions too."""

    def listened(self, end: int) -> None:
        """Note that audio up to a tick is to be heard."""
        self._listened = end

    def owes(self, item_id: str) -> None:
        """Note that the words of an utterance are awaited."""
        self._owed.add(item_id)

    def forgets(self, item_id: str) -> None:
        """Note that they are not any more."""
        self._owed.discard(item_id)
        self._changed.set()

    def ends(self) -> None:
        """Note that nothing more will be heard."""
        self._is_open = False
        self._changed.set()

    async def _wait(self, ahead: int, owed: int) -> None:
        while self._is_open and (self._listened - self._heard > ahead or len(self._owed) > owed):
            self._changed.clear()
            await self._changed.wait()


class _CountedEars:
    """Ears whose orders are counted."""

    def __init__(self, account: CountedHearing, ears: Ears) -> None:
        self._account = account
        self._ears = ears

    def expect(self, vocabulary: Vocabulary) -> None:
        """Pass on."""
        self._ears.expect(vocabulary)

    def listen(self, audio: bytes, format: AudioFormat, at: int, detect: bool) -> None:  # noqa: A002 - the protocol's
        """Pass on; audio that is not judged cannot be seen to be heard, so it is not counted."""
        if detect:
            self._account.listened(at + format.ticks(len(audio)))
        self._ears.listen(audio, format, at, detect)

    def expect_echo(self, audio: bytes, format: AudioFormat, at: int) -> None:  # noqa: A002 - the protocol's
        """Pass on."""
        self._ears.expect_echo(audio, format, at)

    def denoise(self, mode: str | None, strength: float) -> None:
        """Pass on."""
        self._ears.denoise(mode, strength)

    def transcribe(
        self,
        item_id: str,
        start: int,
        vocabulary: Vocabulary,
        delay: str = "",
        is_speech: bool = True,
        asks_turn: bool = False,
    ) -> None:
        """Pass on."""
        self._ears.transcribe(item_id, start, vocabulary, delay, is_speech, asks_turn)

    def conclude(self, item_id: str, end: int) -> None:
        """Pass on; words are owed from now on."""
        self._account.owes(item_id)
        self._ears.conclude(item_id, end)

    def discard(self, item_id: str) -> None:
        """Pass on."""
        self._account.forgets(item_id)
        self._ears.discard(item_id)

    def recognise(self, item_id: str, audio: bytes, format: AudioFormat, vocabulary: Vocabulary) -> None:  # noqa: A002
        """Pass on; words are owed from now on."""
        self._account.owes(item_id)
        self._ears.recognise(item_id, audio, format, vocabulary)

    def close(self) -> None:
        """Pass on."""
        self._account.ends()
        self._ears.close()
