"""A relay session at work: its client's leg, its links, its clock.

The counterpart of `server.call` for conversations that another server answers.  It hands frames to the session and
performs the effects that come back, at once and in order.  A client that does not read has its upstream wait; an
upstream that does not read is cut off by its leg, and the conversation goes on elsewhere.
"""

from __future__ import annotations

import asyncio
import functools
import logging
from collections import Counter
from collections.abc import Callable, Sequence

from ..dialects.speaking import appending
from ..legs import Leg
from ..relay.effects import CloseClient, Dial, Effect, HangUp, Noted, ToClient, ToUpstream, Used
from ..relay.session import RelaySession
from .alarm import Alarm
from .linking import Linker, Opened, Unavailable
from .relay_log import RelayLog

__all__ = ["RelayCall"]

_log = logging.getLogger("vivavoce.relay")

_MANY_EFFECTS = 16
"""No frame of anybody brings about so many, but a link that takes over may."""
_HIGH_WATER_BYTES = 256 * 1024
"""Bytes queued to a client from which its upstream is not listened to: about four seconds of speech."""


class RelayCall:
    """One relay session with its leg: a `legs.LegOwner`."""

    def __init__(
        self,
        leg: Leg,
        session: RelaySession,
        linker: Linker,
        *,
        now: Callable[[], float],
        log: RelayLog,
        noted: Callable[[Noted], bool],
        used: Callable[[Used], object],
        spent: Callable[[], float] = lambda: 0.0,
    ) -> None:
        """Make a call that has not started.

        Args:
            leg: the client's connection.
            session: what it is told and does.
            linker: opens its links.
            now: a clock in seconds that never goes back.
            log: where it is written down.
            noted: is told what becomes of links; returns whether the upstream had better be left.
            used: is told what was paid for.
            spent: returns what that came to by now, in US dollars.
        """
        self._leg = leg
        self.session = session
        """The session, for whoever keeps it."""
        self._linker = linker
        self._clock = now
        self._began = now()
        self._log = log
        self._noted = noted
        self._used = used
        self._spent = spent
        self._links: dict[int, Opened] = {}
        self._chores: set[asyncio.Task[None]] = set()
        """What will come to nothing once the client has gone: dialling, and waiting for the client to read."""
        self._ended = asyncio.Event()
        self._alarm = Alarm(lambda: session.deadline, self._now, lambda: self._take(session.receive_time))
        self._is_held = False
        self._latest = ""
        """The upstream that was reached last: its voice is the one that the client knows."""
        self._at_end: list[Callable[[], object]] = []
        self._bug: BaseException | None = None

    # ------------------------------------------------------------------------------------------------ the outside

    @property
    def spent_usd(self) -> float:
        """What the session has cost by now, in US dollars."""
        return self._spent()

    async def run(self) -> None:
        """Hold the session until its client is gone or it ends itself."""
        try:
            async with asyncio.TaskGroup() as group:
                self._group = group
                self._perform(self.session.begin(self._now()))
                watch = group.create_task(self._alarm.run())
                await self._ended.wait()
                watch.cancel()
                for chore in tuple(self._chores):
                    chore.cancel()
        except* Exception as bugs:  # noqa: BLE001 - whatever it is, it ends this call and no other
            self._bug = self._bug or bugs
        finally:
            self._ended.set()
            self._perform(self.session.client_gone())
            for told in self._at_end:
                told()
            self._log.close(self._now())
            if self._bug is not None:
                _log.error("session %s failed", self.session.id, exc_info=self._bug)
                self._leg.close(1011, "internal error")
            self._let_go()

    def receive_frame(self, data: bytes) -> None:
        """Take one message of the client."""
        try:
            self._perform(self.session.receive_client(data, self._clock() - self._began))
        except Exception as bug:  # noqa: BLE001 - the leg that calls this must not be taken down by our bug
            self._fail(bug)

    def receive_audio(self, audio: bytes) -> None:
        """Take what the user said where that does not travel in messages."""
        self.receive_frame(appending(audio, is_translation=self.session.kind == "translation"))

    def leg_closed(self, code: int, reason: str) -> None:
        """Learn that the client is gone."""
        self._ended.set()

    def exhaust(self, message: str) -> None:
        """Learn that the key that pays has no money left."""
        self._take(lambda now: self.session.exhaust(message))

    def on_end(self, told: Callable[[], object]) -> None:
        """Have `told` called when it is over."""
        self._at_end.append(told)

    def snapshot(self) -> bytes:
        """Return what has to be kept for the conversation to go on on another connection."""
        return self.session.snapshot()

    def end(self, code: int, reason: str) -> None:
        """End it: the conversation goes on on another connection, and nothing more comes to this one."""
        self._perform(self.session.client_gone())
        self._leg.close(code, reason)
        self._ended.set()

    # ------------------------------------------------------------------------------------------------- the inside

    def _let_go(self) -> None:
        """Drop what refers back to here: a session that has ended is freed at once, not by the garbage collector."""
        self._alarm.release()
        self._at_end.clear()
        self._used = self._noted = _nobody
        self._links.clear()
        del self._group

    def _now(self) -> float:
        return self._clock() - self._began

    def _fail(self, bug: BaseException) -> None:
        self._bug = self._bug or bug
        self._ended.set()

    def _take(self, step: Callable[[float], Sequence[Effect]]) -> None:
        """Tell the session something at the present time, and do what it asks."""
        try:
            self._perform(step(self._now()))
        except Exception as bug:  # noqa: BLE001 - whoever calls serves others too
            self._fail(bug)

    def receive_upstream(self, number: int, data: bytes) -> None:
        """Take one message of a link."""
        try:
            self._perform(self.session.receive_upstream(number, data, self._clock() - self._began))
        except Exception as bug:  # noqa: BLE001 - as above
            self._fail(bug)
        if self._leg.queued_bytes > _HIGH_WATER_BYTES:
            self._hold_upstream(number)

    def link_lost(self, number: int, code: int, reason: str) -> None:
        """Learn that a link is gone."""
        opened = self._links.pop(number, None)
        if opened is not None:
            opened.release()
            self._take(lambda now: self.session.lost(number, code, reason, now))

    def _perform(self, effects: Sequence[Effect]) -> None:
        if len(effects) > _MANY_EFFECTS:
            self._announce(effects)
        for effect in effects:
            kind = type(effect)
            if kind is ToUpstream:
                opened = self._links.get(effect.link)  # type: ignore[union-attr]
                if opened is not None:
                    opened.wire.send(effect.frame)  # type: ignore[union-attr]
            elif kind is ToClient:
                self._leg.send(effect.frame)  # type: ignore[union-attr]
            else:
                self._perform_seldom(effect)
        session = self.session
        if session.has_moved:
            session.has_moved = False
            self._alarm.reconsider()

    def _announce(self, effects: Sequence[Effect]) -> None:
        """Tell links how much is about to be sent at once: a whole conversation, where one takes over."""
        bursts = Counter[int]()
        for effect in effects:
            if isinstance(effect, ToUpstream):
                bursts[effect.link] += len(effect.frame)
        for number, burst_bytes in bursts.items():
            if opened := self._links.get(number):
                opened.wire.allow(burst_bytes)

    def _perform_seldom(self, effect: Effect) -> None:
        match effect:
            case Dial():
                task = self._group.create_task(self._dial(effect))
                self._chores.add(task)
                task.add_done_callback(self._chores.discard)
            case HangUp():
                if opened := self._links.pop(effect.link, None):
                    opened.release()
                    opened.wire.close(1000, "")
            case Noted():
                self._log.note(effect, self._now())
                if self._noted(effect):
                    asyncio.get_running_loop().call_soon(self._take, self.session.leave)
            case Used():
                self._log.use(effect, self._now())
                self._used(effect)
            case CloseClient():
                self._leg.close(effect.code, effect.reason)
                self._ended.set()
            case _:
                raise TypeError(f"no such effect: {effect!r}")

    async def _dial(self, dial: Dial) -> None:
        try:
            opened = await self._linker.open(dial, self._latest)
        except Unavailable as error:
            message, again, told = str(error), error.again, error.told
            self._take(lambda now: self.session.unavailable(dial.link, message, now, again=again, told=told))
            return
        if self._ended.is_set():
            opened.release()
            opened.wire.close(1000, "")
            return
        self._links[dial.link] = opened
        self._latest = opened.place.upstream
        self._take(lambda now: self.session.opened(dial.link, opened.place, now))
        if dial.link in self._links:
            opened.wire.attach(_LinkOwner(self, dial.link))

    def _hold_upstream(self, number: int) -> None:
        """Listen no more to an upstream until the client has read most of what was sent."""
        if opened := self._links.get(number):
            opened.wire.pause_reading()
        if self._is_held:
            return
        self._is_held = True
        task = self._group.create_task(self._release_upstream())
        self._chores.add(task)
        task.add_done_callback(self._chores.discard)

    async def _release_upstream(self) -> None:
        await self._leg.drain()
        self._is_held = False
        for opened in self._links.values():
            opened.wire.resume_reading()


def _nobody(_what: object) -> bool:
    return False


class _LinkOwner:
    """Whoever takes what comes over one link."""

    def __init__(self, call: RelayCall, number: int) -> None:
        self.receive_frame = functools.partial(call.receive_upstream, number)
        self.leg_closed = functools.partial(call.link_lost, number)
