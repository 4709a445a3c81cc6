"""A call: one session at work, with its leg, its tasks and its clock.

The only part that does things.  It hands inputs to the session and performs the effects that come back, in order and
at once; the answers of the brain are pumped by one task each, which waits for the leg between reports, so a slow
client slows its own answer and nothing else.  Reading never waits for writing.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import aclosing
from pathlib import Path

import msgspec

from .. import __version__
from ..core import events as ev
from ..core.effects import (
    Abandon,
    Answer,
    CallTool,
    Charge,
    ClearPlayout,
    Close,
    Conclude,
    Denoise,
    Discard,
    DropTool,
    Duck,
    Effect,
    Expect,
    ExpectEcho,
    Listen,
    ListTools,
    Prompt,
    Recognise,
    Restore,
    Send,
    Transcribe,
)
from ..core.errors import EngineError
from ..core.limits import Limits
from ..core.reports import Answered, Broke, Exhausted, Report
from ..core.service import DEFAULT_SERVICE, Service
from ..core.sessions import session_of
from ..core.settings import Settings
from ..dialects.choose import Dialect
from ..dialects.speaking import TRANSLATION, appending
from ..engines.api import Brain, Hearing, Toolbox
from ..legs import Leg
from ..legs.media import AudioLeg
from .alarm import Alarm
from .errands import Errands
from .ids import Ids, new_seed
from .journal import FORMAT, Given, Head, Journal, JournalError, Moment, step
from .traces import Tracing

_log = logging.getLogger("vivavoce.call")


class Terms(msgspec.Struct, frozen=True):
    """What a call begins with."""

    settings: Settings = Settings()
    limits: Limits = Limits()
    shape: str | None = None
    """The dialect that the connection asked for, for the journal."""
    journal: Path | None = None
    """Folder in which the session is written down; None for nowhere."""
    service: Service = DEFAULT_SERVICE
    safety_identifier: str = ""
    """What the application calls its user by, for the journal; empty for nothing."""
    key_id: str = ""
    """What tells the key that pays from others, for the log; empty where there is none."""
    tracing: Tracing | None = None
    """What becomes of a session that asks to be traced; None for nothing."""


class Call:
    """One session with its leg: a `legs.LegOwner`."""

    def __init__(
        self,
        leg: Leg,
        dialect: Dialect,
        hearing: Hearing,
        brain: Brain,
        terms: Terms,
        *,
        now: Callable[[], float],
        unix_now: float,
        seed: str | None = None,
        toolbox: Toolbox | None = None,
        charge: Callable[[float], None] = lambda usd: None,
        audio: AudioLeg | None = None,
    ) -> None:
        """Make a call that has not started.

        Args:
            leg: the client's connection.
            dialect: how it spells events.
            hearing: where its ears come from.
            brain: who answers.
            terms: settings and limits.
            now: a clock in seconds that never goes back.
            unix_now: the time of day, in unix seconds.
            seed: of its ids; None for a random one.
            toolbox: what remote tools are reached with; None where there are none.
            charge: is told what was used, in US dollars.
            audio: plays the audio of answers, for a client that reads none in messages.
        """
        ids = Ids(seed or new_seed())
        self._leg = leg
        self._audio = audio
        self._dialect = dialect
        self._brain = brain
        self._clock = now
        self._began = now()
        self._session = session_of(
            terms.settings, new_id=ids, created_unix=unix_now, limits=terms.limits, service=terms.service
        )
        self._backlog: list[bytes] | None = []
        """Messages that came before the session began; None once it has."""
        self._pumps: dict[str, asyncio.Task[None]] = {}
        self._errands = Errands(toolbox, self._receive_report)
        self._key_id = terms.key_id
        self._charge = charge
        self._ended = asyncio.Event()
        self._alarm = Alarm(lambda: self._session.deadline, self._now, lambda: self._take(Moment.DUE))
        self._bug: BaseException | None = None
        head = Head(
            __version__,
            FORMAT,
            ids.seed,
            unix_now,
            terms.shape,
            terms.settings,
            terms.limits,
            terms.service,
            terms.safety_identifier,
        )
        self._journal = _opened(terms.journal, self._session.id, head)
        self._trace = None if terms.tracing is None else terms.tracing.open(self._session.id, unix_now)
        self._ears = hearing.open(self._receive_report)

    @property
    def session_id(self) -> str:
        """The session's id, as the client is told it."""
        return self._session.id

    @property
    def spent_usd(self) -> float:
        """What the session has cost by now, in US dollars."""
        return self._session.accounts.spent_usd

    # ------------------------------------------------------------------------------------------------ the outside

    async def run(self) -> None:
        """Hold the session until its leg is gone or it ends itself."""
        try:
            async with asyncio.TaskGroup() as group:
                self._group = group
                self._take(Moment.START)
                backlog, self._backlog = self._backlog or [], None
                for data in backlog:
                    self.receive_frame(data)
                watch = group.create_task(self._alarm.run())
                await self._ended.wait()
                watch.cancel()
                for pump in self._pumps.values():
                    pump.cancel()
                self._errands.drop_all()
        except* Exception as bugs:  # noqa: BLE001 - whatever it is, it ends this call and no other
            self._bug = self._bug or bugs
        finally:
            self._ended.set()
            self._ears.close()
            self._settle()
            self._close_journal()
            if self._trace is not None:
                self._trace.close(self._now())
            if self._bug is not None:
                _log.error("session %s failed", self._session.id, exc_info=self._bug)
                self._leg.close(1011, "internal error")
            await self._errands.close()
            # A session that has ended is freed at once, not by the garbage collector: nothing here refers back.
            self._alarm.release()
            self.__dict__.pop("_group", None)

    def receive_frame(self, data: bytes) -> None:
        """Take one message from the leg."""
        if self._backlog is not None:
            self._backlog.append(data)
            return
        try:
            self._take(data)
        except Exception as bug:  # noqa: BLE001 - the leg that calls this must not be taken down by our bug
            self._fail(bug)

    def receive_audio(self, audio: bytes) -> None:
        """Take what the user said where that does not travel in messages, as `input_audio_buffer.append` brings it."""
        if self._backlog is not None or self._journal is not None:
            self.receive_frame(appending(audio, is_translation=self._session.settings.kind == "translation"))
            return
        if self._ended.is_set():
            return
        try:
            now = self._now()
            self._follow(self._session.receive_event(ev.InputAudioBufferAppend(audio=audio), now), now)
        except Exception as bug:  # noqa: BLE001 - as with frames
            self._fail(bug)

    def exhaust(self, message: str) -> None:
        """Learn that the key that pays has no money left; the message is for the developer of the client."""
        self._receive_report(Exhausted(message))

    def leg_closed(self, code: int, reason: str) -> None:
        """Learn that the leg is gone."""
        self._ended.set()

    # ------------------------------------------------------------------------------------------------- the inside

    def _now(self) -> float:
        return self._clock() - self._began

    def _fail(self, bug: BaseException) -> None:
        """End the call because of a bug in it."""
        self._bug = self._bug or bug
        self._ended.set()

    def _settle(self) -> None:
        """Charge what was used and not told to the end, and log what the session came to."""
        now = self._now()
        if self._bug is None and not self._session.is_closed:
            try:
                effects = step(self._session, self._dialect, Moment.GONE, now)
                self._write_down(Moment.GONE, now, effects)
                self._perform(effects)
            except Exception as bug:  # noqa: BLE001 - told below
                self._bug = bug
        key, accounts = self._key_id or "none", self._session.accounts
        told = (self._session.id, key, now, accounts.tokens, accounts.spent_usd)
        _log.info("session %s of key %s ended after %.1f seconds, %d tokens, %.6f USD", *told)

    def _receive_report(self, report: Report) -> None:
        """Take a report from the ears, or of a remote tool."""
        try:
            self._take(report)
        except Exception as bug:  # noqa: BLE001 - the ears serve other sessions too
            self._fail(bug)

    def _take(self, given: Given) -> None:
        """Tell the session something, and do what it asks; nothing once the call has ended."""
        if self._ended.is_set():
            return
        now = self._now()
        try:
            effects = step(self._session, self._dialect, given, now)
        except Exception as bug:
            self._write_down(given, now, bug)
            raise
        self._write_down(given, now, effects)
        self._follow(effects, now)

    def _follow(self, effects: list[Effect], now: float) -> None:
        """Do what an input has brought about."""
        if self._trace is not None:
            self._trace.see(effects, now, self._session.settings.tracing)
        self._perform(effects)
        self._alarm.reconsider()

    def _write_down(self, given: Given, now: float, outcome: list[Effect] | Exception) -> None:
        if self._journal is None:
            return
        try:
            self._journal.write(given, now, outcome)
        except JournalError as error:
            # A full disk ends the journal; the people who talk need it less than each other.
            _log.error("session %s is no longer written down: %s", self._session.id, error)
            self._close_journal()

    def _close_journal(self) -> None:
        journal, self._journal = self._journal, None
        if journal is None:
            return
        try:
            journal.close()
        except JournalError as error:
            _log.error("the end of session %s was not written down: %s", self._session.id, error)

    def _perform(self, effects: list[Effect]) -> None:
        """Do what the session asks, in order."""
        for effect in effects:
            match effect:
                case Send():
                    if self._audio is not None and _is_spoken(self._audio, effect.event):
                        continue
                    for frame in self._dialect.encode(effect.event):
                        self._leg.send(frame)
                case Listen():
                    self._ears.listen(effect.audio, effect.format, effect.at, effect.detect)
                case ExpectEcho():
                    self._ears.expect_echo(effect.audio, effect.format, effect.at)
                case Denoise():
                    self._ears.denoise(effect.mode, effect.strength)
                case Transcribe():
                    self._ears.transcribe(
                        effect.item_id,
                        effect.start,
                        effect.vocabulary,
                        effect.delay,
                        effect.is_speech,
                        effect.asks_turn,
                    )
                case Conclude():
                    self._ears.conclude(effect.item_id, effect.end)
                case Discard():
                    self._ears.discard(effect.item_id)
                case Recognise():
                    self._ears.recognise(effect.item_id, effect.audio, effect.format, effect.vocabulary)
                case Expect():
                    self._ears.expect(effect.vocabulary)
                case Answer():
                    self._pumps[effect.prompt.response_id] = self._group.create_task(self._pump(effect.prompt))
                case Abandon():
                    if pump := self._pumps.pop(effect.response_id, None):
                        pump.cancel()
                case ListTools() | CallTool():
                    self._errands.run(effect, self._group)
                case DropTool():
                    self._errands.drop(effect.item_id)
                case Duck():
                    if self._audio is not None:
                        self._audio.duck()
                case Restore():
                    if self._audio is not None:
                        self._audio.restore()
                case ClearPlayout():
                    pass  # the client stops by itself, or what plays for it by the event that tells of it
                case Charge():
                    self._charge(effect.usd)
                case Close():
                    self._leg.close(effect.code, effect.reason)
                    self._ended.set()

    async def _pump(self, prompt: Prompt) -> None:
        """Carry one answer from the brain to the session, which learns in any case how it ended."""
        report: Report | None = None
        try:
            async with aclosing(self._brain.answer(prompt)) as reports:
                async for report in reports:
                    self._take(report)
                    await self._leg.drain()
            if not isinstance(report, Answered | Broke):
                self._take(Broke(prompt.response_id, "engine_error", "The answer broke off."))
        except EngineError as error:
            self._take(Broke(prompt.response_id, error.code, str(error)))
        except Exception as bug:  # noqa: BLE001 - it ends this call and no other
            self._fail(bug)
        finally:
            if self._pumps.get(prompt.response_id) is asyncio.current_task():
                del self._pumps[prompt.response_id]


def _is_spoken(audio: AudioLeg, event: ev.ServerEvent) -> bool:
    """Play an event that is audio, and return whether it is."""
    if type(event) is ev.AudioDelta:
        audio.speak(event.response_id, event.item_id, event.delta)
        return True
    if type(event) is ev.OutputAudioDelta:
        audio.speak("", TRANSLATION, event.delta)
        return True
    return False


def _opened(folder: Path | None, session_id: str, head: Head) -> Journal | None:
    """Return the journal of a session; None where none is wanted or none can be had."""
    if folder is None:
        return None
    try:
        return Journal(folder, session_id, head)
    except JournalError as error:
        # As with a disk that fills up later: whoever calls is not turned away for it.
        _log.error("session %s is not written down: %s", session_id, error)
        return None
