"""One call on a media stream, from its first message to its end: who answers it, its sound and its record.

Told everything that comes over a connection by whoever has it, which is a door.  Called by `doors`.
"""

from __future__ import annotations

import asyncio
import hmac
import logging
from collections.abc import Callable

from ...core.errors import VivavoceError
from ...legs.streams.spelling import Began, Ended, Message, Spelling, StreamError, Told
from ...legs.streams.stream import Stream
from ...legs.ticker import Ticker
from ...telephony import Number
from ..ids import new_call_id
from .exchange import Exchange, Verdict
from .party import Facts, PhoneCall

__all__ = ["Connection", "StreamCall"]

_log = logging.getLogger("vivavoce.calls")

BEGIN_SECONDS = 10.0
"""How long a stream may take to say which call it is of."""
SILENT_SECONDS = 60.0
"""After so long without a message a call is ended: every spelling sends sound all the time."""
MAX_MESSAGE_BYTES = 256 * 1024
"""The longest message: five seconds of sound at the highest rate, in base64."""
_FRAME_SECONDS = 0.02


class Connection:
    """What carries a stream, as its call sees it."""

    def __init__(self, peer: str, send: Callable[[Message], int], close: Callable[[int, str], object]) -> None:
        self.peer = peer
        """Who is at the other end, for people to read."""
        self.send = send
        """Sends a message without waiting; returns how many bytes wait for the network."""
        self.close = close
        """Closes it when what was sent has left, with a code and a reason as WebSockets have them."""


class StreamCall:
    """One call: the `Control` of its `PhoneCall`."""

    def __init__(
        self,
        exchange: Exchange,
        spelling: Spelling,
        ticker: Ticker,
        connection: Connection,
        *,
        token: str = "",
        called: str = "",
        ended: Callable[[StreamCall], object],
    ) -> None:
        """Wait for the stream to begin, on the running loop.

        Args:
            exchange: finds who answers.
            spelling: how the other side spells the stream.
            ticker: the clock.
            connection: carries it.
            token: what the stream has to bring; empty where it was brought before.
            called: which number was called, where the stream does not say.
            ended: is told once, when it is over.
        """
        self._exchange = exchange
        self._spelling = spelling
        self._ticker = ticker
        self._connection = connection
        self._token = token
        self._called = called
        self._ended: Callable[[StreamCall], object] | None = ended
        self._loop = asyncio.get_running_loop()
        self._timer = self._loop.call_later(BEGIN_SECONDS, self._end, 1008, "the stream did not begin in time")
        self._seen_at = self._loop.time()
        self._task: asyncio.Task[None] | None = None
        self._stream: Stream | None = None
        self._phone: PhoneCall | None = None

    @property
    def has_begun(self) -> bool:
        """Whether it is known which call this is, and that it may come in."""
        return self._task is not None

    # ------------------------------------------------------------------------------------------------- what comes

    def receive(self, message: Message) -> None:
        """Take a message."""
        if self._ended is None:
            return
        self._seen_at = self._loop.time()
        if len(message) > MAX_MESSAGE_BYTES:
            self._end(1009, f"a message is longer than {MAX_MESSAGE_BYTES} bytes")
            return
        try:
            for told in self._spelling.read(message):
                self._take(told)
        except StreamError as error:
            self._end(1003, str(error))
        except Exception as bug:  # noqa: BLE001 - it ends this call and no other
            self._fail(bug)

    def lose(self, reason: str) -> None:
        """Learn that the connection is gone."""
        self._end(1000, reason)

    def _take(self, told: Told) -> None:
        match told:
            case Began():
                self._began(told)
            case Ended():
                self._end(1000, told.reason)
            case _ if self._stream is not None:
                self._stream.receive(told)

    def _began(self, began: Began) -> None:
        if self.has_begun or self._ended is None:
            return
        if self._token and not hmac.compare_digest(began.token.encode(), self._token.encode()):
            _log.warning("a stream (%s) from %s was refused: its token is wrong", self._road, self._connection.peer)
            self._end(1008, "the token is wrong or missing")
            return
        called = began.called or self._called
        number = self._exchange.telephony.number_for(called)
        if number is None:
            self._end(1008, "nobody answers that number")
            return
        self._timer.cancel()
        self._timer = self._loop.call_later(SILENT_SECONDS, self._watch)
        self._task = self._loop.create_task(self._answer(began, called, number))

    def _watch(self) -> None:
        left = self._seen_at + SILENT_SECONDS - self._loop.time()
        if left <= 0:
            self._end(1000, "nothing came any more")
        else:
            self._timer = self._loop.call_later(left, self._watch)

    async def _answer(self, began: Began, called: str, number: Number) -> None:
        try:
            if number.rings_seconds:
                await asyncio.sleep(number.rings_seconds)
            call_id = new_call_id()
            headers = [("From", began.caller), ("To", called), ("X-Call-ID", began.call)]
            verdict = await self._exchange.decide(number, call_id, [one for one in headers if one[1]])
            if self._exchange.is_full:
                verdict = Verdict(503)
            if verdict.status:
                self._end(1000, f"the call was refused ({verdict.status})")
                return
            self._open(began, called, number, call_id, verdict)
        except VivavoceError as error:
            _log.warning("a call (%s) was not taken: %s", self._road, error)
            self._end(1011, "the call could not be taken")
        except Exception as bug:  # noqa: BLE001 - nobody else would end the call
            self._fail(bug)

    def _open(self, began: Began, called: str, number: Number, call_id: str, verdict: Verdict) -> None:
        facts = Facts(
            call_id=call_id,
            direction="in",
            road=self._road,
            caller=began.caller,
            called=called,
            codec=f"{began.hears.coding}/{began.hears.rate_hz}",
            began_unix=self._exchange.unix_now,
        )
        phone, live = self._exchange.open(facts, number, self, verdict.settings, key_id=verdict.key_id)
        clips = self._exchange.clips.get(number.name, {})
        connection = self._connection
        close = lambda: connection.close(1000, "the call has ended")  # noqa: E731 - it is given away at once
        self._phone = phone
        self._stream = Stream(self._spelling, began, phone, clips, self._ticker, connection.send, close)
        phone.connect(self._stream, live)
        phone.answered()

    # --------------------------------------------------------------------------------------------- what its call asks

    def hang_up(self, reason: str) -> None:
        """End the call, when the other side has played what it was sent before its time."""
        ahead = self._spelling.lead_frames * _FRAME_SECONDS
        self._loop.call_later(ahead, self._end, 1000, reason)

    def transfer(self, target: str) -> bool:
        """Return that streams lead nowhere else."""
        return False

    # ---------------------------------------------------------------------------------------------------------- inside

    @property
    def _road(self) -> str:
        return self._spelling.road

    def _fail(self, bug: Exception) -> None:
        _log.error("a stream (%s) from %s failed", self._road, self._connection.peer, exc_info=bug)
        self._end(1011, "internal error")

    def _end(self, code: int, reason: str) -> None:
        ended, self._ended = self._ended, None
        if ended is None:
            return
        self._timer.cancel()
        if self._task is not None and self._task is not asyncio.current_task():
            self._task.cancel()
        if self._phone is None or self._stream is None:
            _log.info("a stream (%s) from %s ended without a call: %s", self._road, self._connection.peer, reason)
            for message in self._spelling.hang_up():
                self._connection.send(message)
        else:
            self._stream.hang_up(reason)
            # What the stream still tells of its end comes before.
            self._loop.call_soon(self._phone.hung_up, reason)
        self._connection.close(code, reason)
        ended(self)
