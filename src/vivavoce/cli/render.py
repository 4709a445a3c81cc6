"""Speaking one text from its first part to its last, whatever happens to the line on the way.

A part that fails is asked for again, a broken line is dialled again, both a bounded number of times and with growing
pauses; what was whole before is never spoken twice.  Called by `cli.say`, once for each text.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from time import monotonic, time
from typing import Any

import msgspec

from .. import __version__
from ..legs.line import LineError
from .failure import Failure
from .line import OpenLine, Place
from .output import Output, Part
from .prices import add_usage, cost_usd, price_of
from .progress import Progress, clock, stamp
from .speech import BYTES_PER_SECOND, RATE_HZ, Manner, NotSpoken, Speaker, Spoken

ATTEMPTS = 4
"""How often one part is asked for before the text is given up."""
_LONGEST_PAUSE = 15.0
"""Seconds between two attempts; servers that restart are back by then."""

Pause = Callable[[float], Awaitable[None]]


class Text(msgspec.Struct, frozen=True, kw_only=True):
    """A text that is to become a recording."""

    name: str
    """For people: the file's name, or `text`."""
    text: str
    parts: tuple[str, ...]
    source: str | None = None
    """Path of the file it came from."""
    target: Path | None = None
    """The WAV file; None for standard output."""

    def digest(self, place: Place, manner: Manner) -> str:
        """Return what tells whether an unfinished recording is one of this text in this manner."""
        told = [self.parts, manner, place.name, place.model, place.shape, __version__]
        return hashlib.sha256(msgspec.json.encode(told)).hexdigest()


class Log:
    """The processing log of a run: one line for everything that happened, with its time."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._write("")

    def __call__(self, line: str) -> None:
        """Write one line; without a path, do nothing."""
        if self._path is not None:
            self._write(f"{stamp(time())} {' '.join(line.split())}\n")

    def _write(self, text: str) -> None:
        if self._path is not None:
            with open(self._path, "a", encoding="utf-8") as file:
                file.write(text)


class Rendering:
    """One text being spoken into one output."""

    def __init__(
        self,
        text: Text,
        manner: Manner,
        place: Place,
        open_line: OpenLine,
        output: Output,
        log: Log,
        progress: Progress,
        pause: Pause = asyncio.sleep,
    ) -> None:
        self._text = text
        self._manner = manner
        self._place = place
        self._open_line = open_line
        self._output = output
        self._log = log
        self._progress = progress
        self._pause = pause
        self._speaker: Speaker | None = None
        self._session: dict[str, Any] = {}
        self._shape = ""
        self._connections = 0
        self._counted = 0
        """Characters of the current part that the progress already shows."""

    async def run(self) -> dict[str, Any]:
        """Speak what is not spoken yet, finish the output and return its description.

        Raises:
            Failure: a part could not be spoken.
            LineError: no line could be had.
            OSError: the output cannot be written.
        """
        began, unix = monotonic(), time()
        total, done = len(self._text.parts), len(self._output.parts)
        self._log(
            f"{self._text.name}: {len(self._text.text)} characters in {total} parts, {done} of them spoken before"
        )
        if done:
            self._progress.say(f"{self._text.name}: continues at part {done + 1} of {total}")
            self._progress.advance(sum(len(part) for part in self._text.parts[:done]))
        try:
            for index in range(done, total):
                await self._speak(index)
            if self._speaker is None:
                await self._connect()  # for the description: a finished text names its session
        finally:
            await self._hang_up()
        description = self._description(unix, monotonic() - began)
        self._output.finish(description)
        seconds = description["audio"]["duration_s"]
        self._log(f"{self._text.name}: finished, {seconds:.2f} s of audio in {monotonic() - began:.2f} s")
        return description

    async def _speak(self, index: int) -> None:
        """Have one part spoken, however many attempts it takes."""
        attempt = 0
        while True:
            attempt += 1
            try:
                spoken = await self._attempt(index)
                break
            except (NotSpoken, LineError) as error:
                self._log(f"{self._text.name}: part {index + 1}, attempt {attempt}: {error}")
                await self._take_back()
                if not error.again or not self._connections or attempt >= ATTEMPTS:
                    raise self._given_up(index, attempt, error) from error
                self._progress.say(f"{self._text.name}: part {index + 1}: {error}; trying again")
                await self._pause(min(0.5 * 2**attempt, _LONGEST_PAUSE))
        self._output.keep(self._part(index, attempt, spoken))
        self._progress.advance(len(self._text.parts[index]) - self._counted)
        self._counted = 0
        heard = clock(self._output.parts[-1].end_byte / BYTES_PER_SECOND)
        self._log(
            f"{self._text.name}: part {index + 1} {spoken.status}, {spoken.response_id}, {spoken.audio_bytes} bytes, "
            f"first audio after {spoken.first_audio_s or 0:.3f} s, all after {spoken.seconds:.3f} s"
        )
        if len(self._text.parts) > 1:
            step = f"{self._text.name}: part {index + 1} of {len(self._text.parts)}, {heard} of audio"
            self._progress.step(step, f"{heard} of audio")

    async def _attempt(self, index: int) -> Spoken:
        if self._speaker is None:
            await self._connect()
        assert self._speaker is not None
        return await self._speaker.speak(self._text.parts[index], self._output.write, self._said)

    def _said(self, words: str) -> None:
        """Move the progress with the words, which may be more than the text has."""
        index = len(self._output.parts)
        step = min(len(words), len(self._text.parts[index]) - self._counted)
        self._progress.advance(step)
        self._counted += step

    async def _take_back(self) -> None:
        self._progress.advance(-self._counted)
        self._counted = 0
        await self._hang_up()
        self._output.rewind()

    def _given_up(self, index: int, attempt: int, error: NotSpoken | LineError) -> Failure | LineError:
        if isinstance(error, LineError) and not self._connections:
            return error  # never got through: there is no part to speak of
        tries = f" after {attempt} attempts" if attempt > 1 else ""
        hint = ""
        if "max_output_tokens" in str(error):
            hint = "; a higher --max-response-output-tokens or a lower --part-characters helps"
        return Failure(f"part {index + 1} of {len(self._text.parts)} was not spoken{tries}: {error}{hint}")

    async def _connect(self) -> None:
        line = await self._open_line()
        speaker = Speaker(line, self._manner)
        try:
            await speaker.begin()
        except BaseException:
            await line.close()
            raise
        self._speaker = speaker
        if not self._connections and self._manner.temperature is not None and line.shape == "ga":
            self._progress.say(f"{self._text.name}: this server speaks the GA shape, which has no temperature")
        self._connections += 1
        self._session, self._shape = line.session, line.shape
        self._log(f"{self._text.name}: session {line.session.get('id')} at {self._place.name}, {line.shape} shape")

    async def _hang_up(self) -> None:
        if self._speaker is not None:
            speaker, self._speaker = self._speaker, None
            with suppress(LineError):  # it is gone, which is what was wanted
                await speaker.line.close()

    def _part(self, index: int, attempts: int, spoken: Spoken) -> Part:
        start = self._output.parts[-1].end_byte if self._output.parts else 0
        return Part(
            index=index,
            text=spoken.text,
            transcript=spoken.transcript,
            word_for_word=None if self._manner.answers else _letters(spoken.text) == _letters(spoken.transcript),
            status=spoken.status,
            attempts=attempts,
            response_id=spoken.response_id,
            item_ids=spoken.item_ids,
            event_ids=spoken.event_ids,
            start_byte=start,
            bytes=spoken.audio_bytes,
            samples=spoken.audio_bytes // 2,
            duration_s=round(spoken.audio_bytes / BYTES_PER_SECOND, 3),
            time_to_first_audio_s=_rounded(spoken.first_audio_s),
            time_to_end_s=round(spoken.seconds, 4),
            usage=spoken.usage,
        )

    def _description(self, unix: float, seconds: float) -> dict[str, Any]:
        parts = self._output.parts
        usage: dict[str, Any] = {}
        for part in parts:
            usage = add_usage(usage, part.usage or {})
        model = str(self._session.get("model") or self._place.model)
        price = price_of(self._place.host, model)
        data_bytes = parts[-1].end_byte
        verdicts = [part.word_for_word for part in parts if part.word_for_word is not None]
        return {
            "made_by": f"vivavoce {__version__}",
            "status": "completed" if all(part.status == "completed" for part in parts) else "incomplete",
            "mode": "answer" if self._manner.answers else "word for word",
            "source": self._text.source,
            "text": self._text.text,
            "transcript": " ".join(part.transcript for part in parts),
            "word_for_word": all(verdicts) if verdicts else None,
            "voice": self._manner.voice,
            "model": model,
            "url": self._place.name,
            "shape": self._shape,
            "instructions": self._manner.instructions,
            "session": self._session,
            "audio": {
                "file": self._text.target.name if self._text.target else None,
                "format": "RIFF PCM16",
                "rate_hz": RATE_HZ,
                "channels": 1,
                "bytes": data_bytes,
                "samples": data_bytes // 2,
                "duration_s": round(data_bytes / BYTES_PER_SECOND, 3),
            },
            "started_at": stamp(unix),
            "time_to_first_audio_s": parts[0].time_to_first_audio_s,
            "time_to_end_s": round(sum(part.time_to_end_s for part in parts), 4),
            "run_s": round(seconds, 4),
            "connections": self._connections,
            "usage": usage or None,
            "cost_usd": round(cost_usd(usage, price), 6) if price and usage else None,
            "parts": [msgspec.structs.asdict(part) for part in parts],
        }


def _letters(text: str) -> str:
    """Return what of a text is heard: its letters and digits, in small letters."""
    return "".join(character for character in text.casefold() if character.isalnum())


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 4)
