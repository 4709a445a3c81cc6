"""The user's voice from recordings: each is spoken, then there is silence until it has been answered.

At the pace of speech a recording is heard as from a microphone; in haste it is sent as fast as the server takes it.
Called by `cli.talk` for `--file`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from time import monotonic

import msgspec

from ..audio.pcm import SILENT_DBFS, level_dbfs
from ..audio.resample import resample
from ..audio.wav import WavError, read_wav
from ..legs.line import LineError
from .failure import Failure
from .player import FRAME_BYTES, FRAME_MS, Rhythm
from .speech import RATE_HZ
from .talking import Conversation

_SILENCE = bytes(FRAME_BYTES)
_QUIETER_DB = 35.0
"""A frame this far below the loudest one is no speech any more."""
_PATIENCE_MS = 4_000
"""Silence after a recording in which a turn has to show, if there was one."""
_LONGEST_TURN_END_MS = 15_000
"""Silence within which any policy ends a turn; the protocol's slowest needs 8 s."""
_LAG_S = 2.0
"""How far a server may be behind with hearing what was sent in haste."""


class Question(msgspec.Struct, frozen=True):
    """A recording of something the user says."""

    name: str
    frames: tuple[bytes, ...]
    """24 kHz PCM in frames of 20 ms."""
    last_loud: int
    """Index of the last frame with speech in it."""


def read_question(path: Path) -> Question:
    """Return the question in a WAV file.

    Raises:
        Failure: it is none, or is empty.
        OSError: it cannot be read.
    """
    try:
        wav = read_wav(path)
        pcm = resample(wav.pcm, wav.rate_hz, RATE_HZ)
    except (WavError, ValueError) as error:
        raise Failure(f"{path}: {error}") from error
    if not pcm:
        raise Failure(f"{path}: the recording is empty")
    frames = tuple(pcm[at : at + FRAME_BYTES].ljust(FRAME_BYTES, b"\0") for at in range(0, len(pcm), FRAME_BYTES))
    levels = [level_dbfs(frame) for frame in frames]
    quiet = max(max(levels) - _QUIETER_DB, SILENT_DBFS)
    return Question(path.name, frames, max(n for n, level in enumerate(levels) if level >= quiet))


class Questions:
    """The user's side of a conversation whose turns were recorded before: a `talking.Source`."""

    def __init__(
        self,
        questions: list[Question],
        conversation: Conversation,
        *,
        haste: bool = False,
        barge_in_ms: int | None = None,
        timeout: float = 60.0,
    ) -> None:
        """Make a source.

        `haste` sends without waiting for the time to pass; `barge_in_ms` begins the next question when so much of an
        answer was heard, None lets each answer end; `timeout` bounds how long the server may be silent, in seconds.
        """
        self.unanswered: list[str] = []
        """Names of the questions that were not answered."""
        self._questions = questions
        self._conversation = conversation
        self._haste = haste
        self._barge_in_ms = barge_in_ms
        self._timeout = timeout
        self._rhythm = Rhythm()

    async def frames(self) -> AsyncIterator[bytes]:
        """Yield the questions and the silences between them.

        Raises:
            LineError: the server owes an answer and says nothing any more.
        """
        conversation = self._conversation
        for number, question in enumerate(self._questions):
            commits, answers = conversation.commits, conversation.answers
            for at, frame in enumerate(question.frames):
                await self._tick()
                yield frame
                if at == question.last_loud:
                    conversation.speech_ended_at = monotonic()
            interrupts = self._barge_in_ms is not None and number + 1 < len(self._questions)
            async for silence in self._silence(commits, interrupts=interrupts):
                yield silence
            if conversation.answers == answers and not (interrupts and conversation.commits > commits):
                self.unanswered.append(question.name)

    async def _silence(self, commits: int, *, interrupts: bool) -> AsyncIterator[bytes]:
        """Yield silence until the question has been answered, or it shows that none was heard."""
        conversation = self._conversation
        silent_ms = 0
        while True:
            has_turn = conversation.commits > commits or conversation.is_user_speaking
            if conversation.commits > commits and conversation.is_quiet:
                return
            if interrupts and self._barge_in_ms is not None and conversation.played_ms >= self._barge_in_ms:
                return
            if monotonic() - conversation.last_event_at > self._timeout and conversation.player.is_idle:
                raise LineError(f"waited {self._timeout:g} s for an answer", again=False)
            if self._haste and silent_ms >= (_LONGEST_TURN_END_MS if conversation.is_user_speaking else _PATIENCE_MS):
                if not await self._news(self._timeout if has_turn else _LAG_S) and not has_turn:
                    return
                continue
            if silent_ms >= _PATIENCE_MS and not has_turn:
                return
            await self._tick()
            silent_ms += FRAME_MS
            yield _SILENCE

    async def _tick(self) -> None:
        """Wait for the time of the next frame."""
        if self._haste:
            await asyncio.sleep(0)
            return
        await self._rhythm.beat()

    async def _news(self, seconds: float) -> bool:
        """Wait until the server says something; return False when it says nothing for so long."""
        self._conversation.news.clear()
        try:
            async with asyncio.timeout(seconds):
                await self._conversation.news.wait()
        except TimeoutError:
            return False
        return True
