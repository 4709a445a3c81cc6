"""The media process, as the session process sees it: started by the first call, replaced when it fails.

The two share a stream socket.  Orders go over as they are given, and are obeyed at the next tick; what 20 ms brought of
all calls comes back in one message (`wire`).  Neither waits for the other: while the session process is busy, calls go
on with up to two seconds of speech and with their clips, and what callers say waits in the socket; when the media
process dies, its calls are told that their sound is gone.  Sound is exchanged at 24 kHz, in whole frames one way and in
any lengths the other.  Called by whoever owns telephone calls.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import os
import socket
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Callable, Sequence
from typing import TypeVarTuple, cast

from ...core.errors import EngineError
from ..media import ClipOwner
from . import wire
from .coding import CODECS
from .media import PhoneMedia

__all__ = ["MediaProcess"]

_log = logging.getLogger("vivavoce.phone")

_MODULE = "vivavoce.legs.phone.engine_child"
_PATIENCE_SECONDS = 10.0
"""How long ports may take: the first call waits for the process to start."""
_BUFFER_BYTES = 4 << 20
_COMPLAINT_BYTES = 500
_Arguments = TypeVarTuple("_Arguments")
_ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
"""Products of 20 ms of sound are too small to be shared between threads, which would spin between them."""


class _Link(asyncio.Protocol):
    """The connection to one media process."""

    def __init__(self, owner: MediaProcess) -> None:
        self._owner = owner
        self._inbox = wire.Inbox()
        self.process: Process | None = None
        self.transport: asyncio.Transport | None = None
        self.is_lost = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See the connection made."""
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Receive ticks."""
        for message in self._inbox.receive(data):
            self._owner.receive(wire.decode_tick(message))

    def connection_lost(self, exc: Exception | None) -> None:
        """See the connection, and so the process, end."""
        self.is_lost = True
        self._owner.lose(self)


class MediaProcess:
    """The process that all calls' sound goes through."""

    def __init__(self, codecs: Sequence[wire.CodecName] = tuple(CODECS)) -> None:
        """Prepare; nothing starts before the first call, or `start`.

        `codecs` are those that calls may have: their libraries are loaded before there are calls to be held up by it.
        """
        self._codecs = tuple(codecs)
        self._link: _Link | None = None
        self._starting = asyncio.Lock()
        self._calls: dict[int, PhoneMedia] = {}
        self._opening: dict[int, asyncio.Future[int]] = {}
        self._numbers = itertools.count(1)
        self._clips: dict[str, bytes] = {}
        self._ending: set[asyncio.Task[None]] = set()
        self._is_closed = False

    def load_clip(self, name: str, pcm: bytes) -> None:
        """Keep a sound, s16le mono at 24 kHz, that calls may play by its name; empty sound forgets it.

        Raises:
            ValueError: with it there is more than the media process keeps.
        """
        others = sum(len(kept) for other, kept in self._clips.items() if other != name)
        if others + len(pcm) > wire.MOST_CLIP_BYTES:
            raise ValueError(f"the clip {name} is too long: all together may take {wire.MOST_CLIP_BYTES} bytes")
        if pcm:
            self._clips[name] = pcm
        else:
            self._clips.pop(name, None)
        self.send(wire.LoadClip(name, pcm))

    async def open(self, owner: ClipOwner, host: str, ports: tuple[int, int]) -> PhoneMedia:
        """Return the sound of a new call, with a port on the address `host` out of those from the first to the last.

        Raises:
            EngineError: no port is free, or the process cannot be had.
        """
        link = await self._start()
        call = next(self._numbers)
        media = PhoneMedia(call, owner, self)
        opened: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._opening[call] = opened
        self.send(wire.Open(call, host, ports))
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                media.port = await opened
        except TimeoutError:
            self.send(wire.Close(call))
            raise EngineError("the media process does not answer") from None
        except asyncio.CancelledError:
            self.send(wire.Close(call))
            raise
        finally:
            del self._opening[call]
        if self._link is not link:
            raise EngineError("the media process ended")
        self._calls[call] = media
        return media

    async def close(self) -> None:
        """End all calls' sound and the process."""
        self._is_closed = True
        for media in tuple(self._calls.values()):
            media.hang_up("the server stops")
        link, self._link = self._link, None
        if link is not None:
            await self._end(link)
        if self._ending:
            await asyncio.wait(self._ending)

    async def start(self) -> None:
        """Start the process now, so that the first call need not wait for it.

        Raises:
            EngineError: it cannot be started.
        """
        await self._start()

    async def _start(self) -> _Link:
        """Return the connection to the process, which is started unless it runs.

        Raises:
            EngineError: it cannot be started.
        """
        async with self._starting:
            if self._is_closed:
                raise EngineError("the media process is closed")
            if self._link is not None:
                return self._link
            ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
            for end in (ours, theirs):
                end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER_BYTES)
            link = _Link(self)
            try:
                loop = asyncio.get_running_loop()
                # Of the environment, where keys may stand, whoever takes over a decoder is to see nothing.
                environment = {"PYTHONPATH": os.pathsep.join(filter(None, sys.path)), **_ONE_THREAD}
                link.process = await asyncio.create_subprocess_exec(
                    *(sys.executable, "-P", "-m", _MODULE, str(theirs.fileno())),
                    stdin=DEVNULL,
                    stdout=DEVNULL,
                    stderr=PIPE,
                    env=environment,
                    pass_fds=(theirs.fileno(),),
                    start_new_session=True,
                )
                await loop.create_unix_connection(lambda: link, sock=ours)
            except OSError as error:
                ours.close()
                raise EngineError(f"the media process cannot be started: {error.strerror}") from error
            except asyncio.CancelledError:
                ours.close()  # upon which it ends
                raise
            finally:
                theirs.close()
            self._link = link
            self.send(wire.Prepare(self._codecs))
            for name, pcm in self._clips.items():
                self.send(wire.LoadClip(name, pcm))
            return link

    def send(self, order: wire.Order) -> None:
        """Send an order; without a process nothing happens."""
        if self._link is not None and self._link.transport is not None:
            self._link.transport.write(wire.encode(order))

    def forget(self, media: PhoneMedia) -> None:
        """Tell a call nothing any more."""
        self._calls.pop(media.call, None)

    def receive(self, tick: wire.Tick) -> None:
        """Tell each call what a tick brought."""
        for call, pcm in tick.heard:
            if (media := self._calls.get(call)) is not None:
                self._tell(media, media.receive_audio, pcm)
        for call, pcm in tick.left:
            if (media := self._calls.get(call)) is not None:
                self._tell(media, media.receive_left, pcm)
        for call, clearings, frames in tick.played:
            if (media := self._calls.get(call)) is not None:
                self._tell(media, media.receive_played, clearings, frames)
        for happening in tick.happenings:
            self._receive(happening)

    def _receive(self, happening: wire.Happening) -> None:
        opening = self._opening.get(happening.call)
        if opening is not None and not opening.done():
            if isinstance(happening, wire.Opened):
                opening.set_result(happening.port)
            elif isinstance(happening, wire.Failed):
                opening.set_exception(EngineError(happening.reason))
        elif (media := self._calls.get(happening.call)) is not None:
            self._tell(media, media.receive, happening)

    def _tell(self, media: PhoneMedia, tell: Callable[[*_Arguments], None], *arguments: *_Arguments) -> None:
        """Tell a call something; its owner's mistake must not end the sound of the others."""
        try:
            tell(*arguments)
        except Exception:  # noqa: BLE001 - whatever it is, it is logged, and its call ends
            _log.exception("a call's owner failed")
            media.hang_up("an internal error")

    def lose(self, link: _Link) -> None:
        """Learn that a process is gone: all that went through it is over."""
        if self._link is not link:
            return
        self._link = None
        error = EngineError("the media process ended")
        for opening in self._opening.values():
            if not opening.done():
                opening.set_exception(error)
        for media in tuple(self._calls.values()):
            media.lose(str(error))
        task = asyncio.get_running_loop().create_task(self._end(link), name="end of the media process")
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)

    async def _end(self, link: _Link) -> None:
        """See a process end, and log what it complained of if it failed."""
        if link.transport is not None:
            link.transport.close()
        process = link.process
        assert process is not None
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                complaint = (await process.communicate())[1]
        except TimeoutError:
            process.kill()
            complaint = (await process.communicate())[1]
        if process.returncode:
            last = complaint[-_COMPLAINT_BYTES:].decode(errors="replace").strip()
            _log.error("the media process ended with status %s: %s", process.returncode, last or "without a word")
