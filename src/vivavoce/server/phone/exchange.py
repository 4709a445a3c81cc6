"""The telephone exchange: what all roads of telephone calls share.

A road (SIP, or a media stream) brings a call and what controls it; here it is found who answers, the application is
asked where it wants to be, and the session is begun.  Applications accept, reject, transfer and place calls by it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Protocol, cast

import msgspec

from ...core.errors import VivavoceError
from ...core.settings import Settings
from ...dialects.speaking import Speaking
from ...legs.media import AudioOwner
from ...telephony import Number, Telephony
from ..admission import Connection
from ..buckets import Bucket
from ..client_secrets import Grant
from ..ids import Ids, new_call_id, new_seed
from ..live import LiveCall
from ..lives import Accept, Lives
from .clips import Clips
from .party import Control, Facts, PhoneCall, settings_of
from .records import CallRecord, Records
from .webhooks import Undelivered, Webhooks, incoming

__all__ = ["CallRefused", "Dial", "Exchange", "Order", "Verdict"]

_log = logging.getLogger("vivavoce.calls")

_ECHO_STOCK_MS = 60
_ECHO_MOST_MS = 200
"""How much may wait to be said again: beyond that an echo would stay late for the rest of the call."""
_RECOVERY_SECONDS = 1.2
"""How long a caller waits for another upstream where one is lost; who hears nothing for longer hangs up."""
ECHO = "echo"
"""The model of a number that answers callers with what they say."""
SIP = "sip"
"""The road whose calls have keys to press."""
KEY_ID = "telephone"
"""What pays for calls that nobody's key began."""
DECLINED = 603
_SECRET_HEADERS = frozenset(("authorization", "proxy-authorization"))


class CallRefused(VivavoceError):
    """A call is not placed, taken or transferred."""

    def __init__(self, code: str, message: str, param: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        """A short cause, as errors of the API have it."""
        self.param = param
        """The field that is wrong; None for none."""


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """A call that is to be placed."""

    target: str
    """A number, or an address of SIP or `tel:`."""
    number: Number
    """What talks on it."""
    settings: Settings | None = None
    """What its session begins with; None for what the number says."""
    line: str = ""
    """Which line it goes out by; empty for the first."""
    key_id: str = KEY_ID


class Verdict(msgspec.Struct, frozen=True):
    """What is to become of a call that comes in."""

    status: int = 0
    """The SIP status that refuses it; 0 where it is taken."""
    settings: Settings | None = None
    """What its session begins with; None for what the number says."""
    key_id: str = KEY_ID
    """Whose key pays for it."""


class Dial(Protocol):
    """A road by which calls can go out."""

    def __call__(self, order: Order, call_id: str) -> Awaitable[None]:
        """Place a call; return when it is under way.

        Raises:
            CallRefused: it cannot be.
        """
        ...


class Echo:
    """Says what it hears: an `AudioOwner` in place of a session, by which a line is tried."""

    spent_usd = 0.0
    """It costs nothing."""

    def __init__(self, live: LiveCall) -> None:
        self._live: LiveCall | None = live
        self._is_late = False
        # What comes unevenly is said evenly, if a little is kept in stock.
        live.speak("", ECHO, bytes(48 * _ECHO_STOCK_MS))

    def receive_frame(self, data: bytes) -> None:
        """Take no notice."""

    def receive_audio(self, audio: bytes) -> None:
        """Say it, unless too much waits already, as after a stall or while the caller holds the line."""
        if self._live is None:
            return
        waiting_ms = 0 if self._live.media is None else self._live.media.queued_ms
        self._is_late = waiting_ms > (_ECHO_STOCK_MS if self._is_late else _ECHO_MOST_MS)
        if not self._is_late:
            self._live.speak("", ECHO, audio)

    def leg_closed(self, code: int, reason: str) -> None:
        """End."""
        self._live = None


class _Pending(msgspec.Struct):
    """A call that an application is asked about."""

    number: Number
    verdict: asyncio.Future[Verdict]
    stands: asyncio.Future[bool]
    """Whether it has come to be one that is controlled, once that is known."""


class Exchange:
    """The telephone of a process."""

    def __init__(
        self,
        telephony: Telephony,
        lives: Lives,
        accept: Accept,
        records: Records,
        clips: Mapping[str, Clips],
        *,
        webhooks: Webhooks | None = None,
        unix_now: Callable[[], float],
        now: Callable[[], float],
    ) -> None:
        """Begin without calls.

        Args:
            telephony: what the operator wants.
            lives: the calls of the process, by whichever road.
            accept: begins the session of a leg.
            records: where calls are written down.
            clips: the sounds of each number, by its name.
            webhooks: the application that decides over calls; None for none.
            unix_now: the time of day, in unix seconds.
            now: a clock in seconds that never goes back.
        """
        self.telephony = telephony
        """What the operator wants."""
        self.clips = clips
        """The sounds of each number, by its name."""
        self.dial: Dial | None = None
        """The road by which calls go out; None where there is none."""
        self._lives = lives
        self._accept = accept
        self._records = records
        self._webhooks = webhooks
        self._unix_now = unix_now
        self._now = now
        self._pending: dict[str, _Pending] = {}
        self._accepted: dict[str, asyncio.Future[bool]] = {}
        self._calls: dict[str, PhoneCall] = {}
        self._dialled: set[str] = set()
        rate = telephony.dialling.calls_per_minute / 60
        self._dialling = Bucket(rate, telephony.dialling.calls_per_minute, now())

    # ------------------------------------------------------------------------------------------ calls that come in

    @property
    def unix_now(self) -> float:
        """The time of day, in unix seconds."""
        return self._unix_now()

    @property
    def is_full(self) -> bool:
        """Whether there are as many telephone calls as there may be."""
        sip, doors = self.telephony.sip, self.telephony.doors
        most = doors.max_calls if sip is None else sip.max_calls
        return len(self._calls) + len(self._pending) >= most

    async def decide(
        self, number: Number, call_id: str, headers: Sequence[tuple[str, str]] = (), *, has_srtp: bool = False
    ) -> Verdict:
        """Return what becomes of a call to a number, having asked the application where it wants to be asked.

        The task that asks has to `open` the call before it ends, or the call counts as gone.

        Args:
            number: what was called.
            call_id: by which the application accepts it.
            headers: what came with it, which is the caller's word.
            has_srtp: whether its sound is encrypted.
        """
        if not number.asks_webhook or self._webhooks is None:
            return Verdict()
        loop = asyncio.get_running_loop()
        waiting = self._pending[call_id] = _Pending(number, loop.create_future(), loop.create_future())
        if (taking := asyncio.current_task()) is not None:
            taking.add_done_callback(lambda _: self._stands(call_id, waiting.stands, is_open=False))
        event_id = Ids(new_seed())("evt")
        told = [(name, value) for name, value in headers if name.lower() not in _SECRET_HEADERS]
        body = incoming(event_id, int(self._unix_now()), call_id, told, has_srtp=has_srtp)
        try:
            async with asyncio.timeout(self._webhooks.wait_seconds):
                # Whoever was told may accept before it has answered that it was told.
                telling = asyncio.ensure_future(self._webhooks.deliver(event_id, body))
                try:
                    await asyncio.wait((telling, waiting.verdict), return_when=asyncio.FIRST_COMPLETED)
                    if not waiting.verdict.done():
                        await telling
                    return await waiting.verdict
                finally:
                    telling.cancel()
        except TimeoutError:
            _log.warning("call %s was not accepted in time", call_id)
            return Verdict(480)
        except Undelivered as error:
            _log.error("call %s: %s", call_id, error)
            return Verdict(480)
        finally:
            del self._pending[call_id]

    def pending(self, call_id: str) -> Number | None:
        """Return what was called by a call that waits for its application; None where none does."""
        waiting = self._pending.get(call_id)
        return None if waiting is None or waiting.verdict.done() else waiting.number

    def has(self, call_id: str) -> bool:
        """Return whether a call is one of the telephone, and was accepted."""
        return call_id in self._calls or call_id in self._accepted

    async def accept(self, call_id: str, settings: Settings, key_id: str) -> bool:
        """Let a pending call in, and return when it can be controlled; False where it is none, or not any more."""
        waiting = self._pending.get(call_id)
        if waiting is None or not self.settle(call_id, Verdict(0, settings, key_id)):
            return False
        self._accepted[call_id] = waiting.stands
        return await asyncio.shield(waiting.stands)

    def _stands(self, call_id: str, stands: asyncio.Future[bool], *, is_open: bool) -> None:
        if not stands.done():
            stands.set_result(is_open)
        self._accepted.pop(call_id, None)

    def settle(self, call_id: str, verdict: Verdict) -> bool:
        """Let a pending call in or not; return whether there was one."""
        waiting = self._pending.get(call_id)
        if waiting is None or waiting.verdict.done():
            return False
        waiting.verdict.set_result(verdict)
        return True

    # --------------------------------------------------------------------------------------------- calls that stand

    def open(
        self,
        facts: Facts,
        number: Number,
        control: Control,
        settings: Settings | None = None,
        *,
        key_id: str = KEY_ID,
    ) -> tuple[PhoneCall, LiveCall]:
        """Return a call that has not been answered, and what holds its session; they are to be connected with media.

        Args:
            facts: what is known of it.
            number: what answers it.
            control: what its road can do.
            settings: what its session begins with; None for what the number says.
            key_id: whose key pays for it.
        """
        ids = Ids(new_seed())
        if facts.direction == "out":
            number = _bounded(number, self.telephony.dialling.max_seconds)
        call = PhoneCall(
            facts,
            number,
            self.clips.get(number.name, {}),
            control,
            self._records,
            unix_now=self._unix_now,
            ended=self._ended,
        )
        begin = self._beginning(number, settings or settings_of(number), key_id, facts)
        live = LiveCall(facts.call_id, facts.caller, Speaking(ids), ids, begin, sees_off=call.failed)
        if facts.road == SIP:
            live.press = call.press
        self._calls[facts.call_id] = call
        self._lives.enter(facts.call_id, live, road=facts.road)
        if (stands := self._accepted.get(facts.call_id)) is not None:
            self._stands(facts.call_id, stands, is_open=True)
        _log.info("call %s (%s, %s) for %s", facts.call_id, facts.road, facts.direction, number.name)
        return call, live

    def _beginning(
        self, number: Number, settings: Settings, key_id: str, facts: Facts
    ) -> Callable[[LiveCall], AudioOwner]:
        connection = Connection(
            path="/telephone",
            query={"model": settings.model},
            headers={},
            subprotocols=(),
            key_id=key_id,
            peer=facts.caller,
            dialect_hint="ga",
            grant=Grant(settings, names_model=True, key_id=key_id),
            recovery_seconds=_RECOVERY_SECONDS,
        )
        if settings.model == ECHO:
            return Echo
        # Whoever answers a leg takes audio as well as frames.
        return lambda live: cast("AudioOwner", self._accept(connection, live))

    def _ended(self, record: CallRecord) -> None:
        self._calls.pop(record.call_id, None)
        self._dialled.discard(record.call_id)
        self._lives.leave(record.call_id)
        _log.info("call %s ended: %s, %.6f USD", record.call_id, record.reason, record.cost_usd)

    def transfer(self, call_id: str, target: str) -> None:
        """Connect a caller with somebody else.

        Raises:
            CallRefused: there is no such call, or nobody may or can be called there.
        """
        call = self._calls.get(call_id)
        if call is None:
            raise CallRefused("call_not_found", f"Call '{call_id[:64]}' not found.")
        self.check_target(target, "target_uri")
        if not call.transfer(target):
            raise CallRefused("invalid_request", "This call came by a road that cannot transfer it.")

    # ------------------------------------------------------------------------------------------- calls that go out

    def check_target(self, target: str, param: str) -> None:
        """Make sure that somebody may be called.

        Raises:
            CallRefused: nobody may be called there.
        """
        if not self.telephony.dialling.permits(target):
            raise CallRefused(
                "destination_not_allowed",
                "This server's 'allow' in [dialling] does not permit that destination.",
                param,
            )

    async def place(self, order: Order) -> str:
        """Place a call, and return its id.

        Raises:
            CallRefused: it may not or cannot be placed.
        """
        if self.dial is None:
            raise CallRefused("telephone_off", "No calls go out from this server: it speaks no SIP.")
        self.check_target(order.target, "to")
        if len(self._dialled) >= self.telephony.dialling.max_calls:
            raise CallRefused("rate_limit_exceeded", "As many calls of this server are under way as may be.")
        if self._dialling.take(self._now()):
            raise CallRefused("rate_limit_exceeded", "This server places too many calls a minute.")
        call_id = new_call_id()
        self._dialled.add(call_id)
        try:
            await self.dial(order, call_id)
        except BaseException:
            self._dialled.discard(call_id)
            raise
        return call_id

    async def close(self) -> None:
        """Hang up all calls, and write down what there is to write."""
        for waiting in tuple(self._pending.values()):
            if not waiting.verdict.done():
                waiting.verdict.set_result(Verdict(503))
        for call in tuple(self._calls.values()):
            call.hang_up("the server is stopping")
        if self._webhooks is not None:
            await self._webhooks.close()


def _bounded(number: Number, most_seconds: float) -> Number:
    """Return a number whose calls last no longer than calls of ours may."""
    manner = number.manner
    shorter = msgspec.structs.replace(manner, max_seconds=min(manner.max_seconds, most_seconds))
    return msgspec.structs.replace(number, manner=shorter)
