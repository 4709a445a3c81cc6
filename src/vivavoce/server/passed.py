"""A call whose sound goes between its browser and an upstream: here it is known, paid for and controlled.

A sideband of our own attends to it at the upstream for as long as it lasts, which tells what it costs and when it is
over; each controller gets another one.  Made by `server.passing`.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol

import msgspec

from ..legs import Leg, LegOwner
from ..legs.line import LineError
from ..relay import peek
from ..relay.effects import Used

__all__ = ["Far", "PassedCall"]

_log = logging.getLogger("vivavoce.calls")

MAX_SIDEBANDS = 8
"""Controllers of one call."""
_EARLY_BYTES = 1024 * 1024
"""What a controller may say before the upstream hears it."""
_AGAIN_SECONDS = (0.5, 2.0, 5.0)
"""After which the upstream is dialled again."""
_BROKEN = frozenset({1005, 1006, 1011, 1012, 1013})
"""Codes that say something of the connection, and nothing of the call."""
_TRANSCRIBED = b"conversation.item.input_audio_transcription.completed"
_TOLD_USAGE = frozenset({b"response.done", _TRANSCRIBED, b"session.created", b"session.updated"})


class Wire(Protocol):
    """A socket to the upstream."""

    def attach(self, owner: LegOwner) -> None:
        """Deliver what comes to `owner`."""
        ...

    def send(self, data: bytes) -> None:
        """Send one message without waiting."""
        ...

    def close(self, code: int, reason: str) -> None:
        """Begin to close."""
        ...


class Far(msgspec.Struct, frozen=True):
    """The call at its upstream."""

    upstream: str
    """What the operator calls it."""
    model: str
    """By the upstream's name."""
    dial: Callable[[], Awaitable[Wire]]
    """Opens a sideband; raises LineError."""
    hang_up: Callable[[], Awaitable[None]]
    """Has the upstream end the call; raises LineError."""
    most_seconds: float
    """How long it may last at most."""


class PassedCall:
    """One call that was passed on: what its controllers have of it."""

    def __init__(
        self, call_id: str, far: Far, *, used: Callable[[Used], object], ended: Callable[[str], object]
    ) -> None:
        """Attend to a call that its upstream has answered.

        Args:
            call_id: our id of it.
            far: the call at its upstream.
            used: takes what was paid for.
            ended: is told once that it is over, and why.
        """
        self._call_id = call_id
        self._far = far
        self._used = used
        self._ended: Callable[[str], object] | None = ended
        self._transcription_model = ""
        self._controllers: set[_Controller] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._watch: Wire | None = None
        self._times = 0
        loop = asyncio.get_running_loop()
        self._expiry = loop.call_later(far.most_seconds, self._end, "its time was over")
        self._run(self._attend())

    def attach(self, leg: Leg) -> LegOwner | None:
        """Have a controller join; None where there are too many already."""
        if self._ended is None or len(self._controllers) >= MAX_SIDEBANDS:
            return None
        controller = _Controller(leg, self._controllers)
        self._run(controller.reach(self._far.dial))
        return controller

    async def hang_up(self, reason: str) -> None:
        """Have the upstream end it.

        Raises:
            LineError: the upstream cannot be reached, or does not.
        """
        if self._ended is not None:
            await self._far.hang_up()
            self._end(reason)

    def abandon(self, reason: str) -> None:
        """Begin to end it: nobody waits for that."""
        self._run(self._hang_up(reason))

    # ------------------------------------------------------------------------------------ what the upstream tells us

    def receive_frame(self, data: bytes) -> None:
        """Take note of what something cost."""
        kind = peek.kind(data)
        if kind not in _TOLD_USAGE:
            return
        try:
            event = msgspec.json.decode(data, type=dict[str, Any])
        except (msgspec.MsgspecError, RecursionError):
            return  # whatever it is, it tells no cost
        if kind.startswith(b"session."):
            self._transcription_model = _transcription_model(event.get("session"))
            return
        response = event.get("response")
        source = event if kind == _TRANSCRIBED else response if isinstance(response, dict) else {}
        usage = source.get("usage")
        if isinstance(usage, dict) and kind == _TRANSCRIBED:
            model = self._transcription_model or self._far.model
            self._used(Used(self._far.upstream, model, "transcription", usage))
        elif isinstance(usage, dict):
            self._used(Used(self._far.upstream, self._far.model, "response", usage))

    def leg_closed(self, code: int, reason: str) -> None:
        """Take it that the call is over, unless the connection alone is."""
        self._watch = None
        if self._ended is None:
            return
        if code in _BROKEN and self._times < len(_AGAIN_SECONDS):
            self._run(self._attend(_AGAIN_SECONDS[self._times]))
        elif code not in _BROKEN:
            self._end(f"the upstream ended it (code {code})")

    # --------------------------------------------------------------------------------------------------------- inside

    def _run(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _attend(self, after_seconds: float = 0.0) -> None:
        """Listen to the call at its upstream; where that cannot be, it lasts for as long as it may."""
        await asyncio.sleep(after_seconds)
        while self._ended is not None:
            try:
                wire = await self._far.dial()
            except LineError as error:
                if error.again and self._times < len(_AGAIN_SECONDS):
                    await asyncio.sleep(_AGAIN_SECONDS[self._times])
                    self._times += 1
                    continue
                _log.warning("call %s cannot be attended to, and is not paid for: %s", self._call_id, error)
                return
            self._times += 1
            if self._ended is None:
                wire.close(1000, "")
            else:
                self._watch = wire
                wire.attach(self)
            return

    async def _hang_up(self, reason: str) -> None:
        try:
            await self.hang_up(reason)
        except LineError as error:
            _log.warning("call %s could not be ended at its upstream: %s", self._call_id, error)
            self._end(reason)

    def _end(self, reason: str) -> None:
        ended, self._ended = self._ended, None
        if ended is None:
            return
        self._expiry.cancel()
        if self._watch is not None:
            self._watch.close(1000, "")
        for controller in tuple(self._controllers):
            controller.end()
        ended(reason)


class _Controller:
    """A controller of a call that was passed on: owns its leg, and hears the upstream."""

    def __init__(self, leg: Leg, others: set[_Controller]) -> None:
        self._leg = leg
        self._others = others
        self._wire: Wire | None = None
        self._early: deque[bytes] | None = deque()
        """What was said before the upstream could hear it; None since it can."""
        self._is_over = False
        others.add(self)

    async def reach(self, dial: Callable[[], Awaitable[Wire]]) -> None:
        """Open the way to the upstream."""
        try:
            wire = await dial()
        except LineError as error:
            _log.warning("a controller cannot reach its call: %s", error)
            self._close(1013, "the upstream of this call cannot be reached")
            return
        if self._is_over:
            wire.close(1000, "")
            return
        self._wire = wire
        early, self._early = self._early or (), None
        for data in early:
            wire.send(data)
        wire.attach(_FromUpstream(self._leg, self._close))

    def receive_frame(self, data: bytes) -> None:
        """Pass on what the controller says."""
        if self._wire is not None:
            self._wire.send(data)
        elif self._early is not None:
            self._early.append(data)
            if sum(map(len, self._early)) > _EARLY_BYTES:
                self._close(1008, "too much was said before the call could hear it")

    def leg_closed(self, code: int, reason: str) -> None:
        """Leave; the call goes on."""
        self._leave()

    def end(self) -> None:
        """Learn that the call is over."""
        self._close(1000, "the call has ended")

    def _close(self, code: int, reason: str) -> None:
        if not self._is_over:
            self._leg.close(code, reason)
            self._leave()

    def _leave(self) -> None:
        self._is_over = True
        self._others.discard(self)
        self._early = None
        wire, self._wire = self._wire, None
        if wire is not None:
            wire.close(1000, "")


class _FromUpstream:
    """Takes what an upstream tells a controller."""

    def __init__(self, leg: Leg, closed: Callable[[int, str], None]) -> None:
        self.receive_frame = leg.send
        self._closed = closed

    def leg_closed(self, code: int, reason: str) -> None:
        """End the controller's connection as the upstream ended ours."""
        # Two codes only ever tell that none came, and cannot be sent.
        self._closed(1013 if code in (1005, 1006) else code, reason)


def _transcription_model(session: Any) -> str:
    """Return the model by which a session writes down what its user says; empty for none."""
    at: Any = session
    for name in ("audio", "input", "transcription"):
        at = at.get(name) if isinstance(at, Mapping) else None
    return str(at.get("model") or "") if isinstance(at, Mapping) else ""
