"""The program that sends and receives the sound of all telephone calls, run by `process` as a process of its own.

A session process that is busy for 50 ms would send nothing for 50 ms, and callers would hear it; here nothing else
happens.  Started as `python -P -m vivavoce.legs.phone.engine_child FD`, with one end of a stream socket.  While there
are calls it wakes every 20 ms, obeys what has come, has the engine send and receive, and tells in one message what
that brought; between them it sleeps.  Without calls it sleeps until there is an order.  It ends when the socket does.
"""

from __future__ import annotations

import ctypes
import gc
import os
import random
import resource
import select
import socket
import struct
import sys
import time
from collections import deque
from contextlib import suppress

import msgspec

from .engine import Engine
from .wire import Inbox, Tick, decode_order, encode

__all__ = ["main"]

_TICK_SECONDS = 0.02
_TICK_NS = 20_000_000
_MONOTONIC = 1
_READ_BYTES = 1 << 20
_MOST_BACKLOG_BYTES = 32 << 20
"""What may wait for a session process that does not read; beyond that its callers are not heard."""
_PRIORITY = -10
_YOUNG_OBJECTS = 50_000
"""The garbage collector comes rarely: almost nothing here refers to itself."""


class Metronome:
    """Ticks of 20 ms, which come when they are due however long the work between them takes."""

    def __init__(self) -> None:
        """Begin now; by the kernel's timer where there is one, which wakes within some 50 microseconds."""
        self._timer: int | None = None
        self._due = time.monotonic()
        libc = ctypes.CDLL(None, use_errno=True)
        if sys.platform == "linux" and hasattr(libc, "timerfd_create"):
            timer = libc.timerfd_create(_MONOTONIC, os.O_CLOEXEC)
            self._timer = timer if timer >= 0 else None
        self._libc = libc
        self.restart()

    def restart(self) -> None:
        """Begin anew, with the first tick 20 ms from now."""
        self._due = time.monotonic() + _TICK_SECONDS
        if self._timer is not None:
            # struct itimerspec: interval and first expiry, each as seconds and nanoseconds.
            spec = struct.pack("@llll", 0, _TICK_NS, 0, _TICK_NS)
            self._libc.timerfd_settime(self._timer, 0, spec, None)

    def wait(self) -> int:
        """Sleep until the next tick and return how many were due since the last, 1 unless this process was held up."""
        if self._timer is not None:
            return int(struct.unpack("@Q", os.read(self._timer, 8))[0])
        time.sleep(max(0.0, self._due - time.monotonic()))
        passed = 1 + int(max(0.0, time.monotonic() - self._due) / _TICK_SECONDS)
        self._due += passed * _TICK_SECONDS
        return passed


class Channel:
    """The way to the session process, which never makes this one wait."""

    def __init__(self, connection: socket.socket) -> None:
        """Take the connection."""
        self._connection = connection
        self._connection.setblocking(False)
        self._inbox = Inbox()
        self._waiting: deque[memoryview] = deque()
        self._waiting_bytes = 0

    def wait(self) -> None:
        """Sleep until something can be read."""
        select.select((self._connection,), (), ())

    def read(self) -> list[bytes] | None:
        """Return the messages that have come, or None when the other end is gone and all of them were read."""
        messages: list[bytes] = []
        while True:
            try:
                data = self._connection.recv(_READ_BYTES)
            except BlockingIOError:
                return messages
            except ConnectionError:
                data = b""
            if not data:
                return messages or None
            messages += self._inbox.receive(data)
            if len(data) < _READ_BYTES // 2:
                return messages

    def tell(self, tick: Tick) -> None:
        """Tell what a tick brought, if it brought anything."""
        if tick.heard or tick.played or tick.happenings or tick.left:
            if self._waiting_bytes > _MOST_BACKLOG_BYTES:
                tick = Tick([], tick.played, tick.happenings)
            data = encode(tick)
            self._waiting.append(memoryview(data))
            self._waiting_bytes += len(data)
        while self._waiting:
            first = self._waiting[0]
            try:
                sent = self._connection.send(first)
            except (BlockingIOError, ConnectionError):  # of its end, reading will tell
                return
            self._waiting_bytes -= sent
            if sent < len(first):
                self._waiting[0] = first[sent:]
            else:
                self._waiting.popleft()


def run(channel: Channel, engine: Engine) -> None:
    """Obey and tick until the session process is gone."""
    metronome = Metronome()
    while True:
        if engine.is_idle:
            channel.wait()
            metronome.restart()
            passed = 1
        else:
            passed = metronome.wait()
        now = time.monotonic()
        messages = channel.read()
        if messages is None:
            return
        for message in messages:
            engine.obey(decode_order(message), now)
        channel.tell(engine.tick(now, passed))


def _allow_files() -> None:
    """Have as many files as the system lets this process have: each call takes two sockets."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    with suppress(ValueError, OSError):  # where no bound is told, none can be asked for
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def main(arguments: list[str]) -> int:
    """Run with the file descriptor that is the only argument."""
    with suppress(PermissionError):  # only some may put themselves first
        os.setpriority(os.PRIO_PROCESS, 0, _PRIORITY)
    _allow_files()
    poll = select.epoll() if sys.platform == "linux" else select.poll()
    engine = Engine(poll, random.SystemRandom().random)
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG_OBJECTS)
    try:
        run(Channel(socket.socket(fileno=int(arguments[0]))), engine)
    except (KeyboardInterrupt, msgspec.MsgspecError) as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
