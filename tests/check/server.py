"""A whole vivavoce in this process, reached over pairs of sockets: real HTTP, real frames, no ports, quick engines."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import math
import socket
import struct
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from datetime import UTC, datetime
from typing import Any

import uvicorn
from uvicorn.server import ServerState

from sockets import FakeSocket
from vivavoce.audio.pcm import level_dbfs
from vivavoce.check.network import Network
from vivavoce.config import Access, Config, Limits, Secret
from vivavoce.core.effects import Vocabulary
from vivavoce.engines.api import Decoder, Speech, Transcript
from vivavoce.engines.cascade import Cascade
from vivavoce.engines.dialogue import DialogueLlm
from vivavoce.engines.ears import SharedHearing
from vivavoce.engines.registry import Engines
from vivavoce.engines.silero import SileroVad
from vivavoce.engines.turn_rules import TurnRules
from vivavoce.legs.upstream import Upstream
from vivavoce.server.admission import Admission
from vivavoce.server.app import create_app
from vivavoce.server.hybrid import Gate, HttpProtocol
from vivavoce.server.switchboard import Switchboard

WORD_MS = 120
RATE_HZ = 24_000
SPOKEN_DBFS = -60.0


class QuickAsr:
    """Recognises anything loud as the same words, and silence as nothing."""

    languages: tuple[str, ...] = ("en",)

    def open(self) -> Decoder:
        return QuickDecoder()


class QuickDecoder:
    def __init__(self) -> None:
        self.is_spoken = False

    def prepare(self, vocabulary: Vocabulary) -> None: ...

    def start(self, vocabulary: Vocabulary) -> None:
        self.is_spoken = False

    def feed(self, pcm: bytes) -> None:
        self.is_spoken = self.is_spoken or level_dbfs(pcm) > SPOKEN_DBFS

    def partial(self) -> str:
        return "turn on" if self.is_spoken else ""

    def finish(self) -> Transcript:
        return Transcript("turn on the lights in the kitchen" if self.is_spoken else "")

    def close(self) -> None: ...


def _tone(duration_ms: int) -> bytes:
    samples = (round(3000 * math.sin(at / 9)) for at in range(RATE_HZ * duration_ms // 1000))
    return b"".join(struct.pack("<h", sample) for sample in samples)


class QuickTts:
    """Speaks a tone, an eighth of a second for each word, made in a thread so that what is said can be interrupted."""

    rate_hz = RATE_HZ

    async def speak(self, text: str, voice: str, speed: float, language: str = "") -> AsyncGenerator[Speech, None]:
        starts = [at for at in range(len(text)) if text[at] != " " and (not at or text[at - 1] == " ")]
        for number, start in enumerate(starts):
            word = await asyncio.to_thread(_tone, WORD_MS)
            yield Speech(word, ((start, number * WORD_MS),))

    async def ready(self) -> None: ...

    async def close(self) -> None: ...


def quick_engines() -> Engines:
    hearing = SharedHearing(SileroVad(), QuickAsr(), TurnRules(), decoders=4)
    brain = Cascade(DialogueLlm(clock=lambda: datetime(2026, 11, 21, 12, tzinfo=UTC)), QuickTts())
    return Engines(hearing, brain, ("quick",))


class Serving:
    """The server: every connection is a pair of sockets, one end of which is its own."""

    def __init__(self, switchboard: Switchboard, access: Access) -> None:
        admission = Admission(access, 100)
        app = create_app(access, admission, lambda: switchboard.missing)
        gate = Gate(admission, Limits(), switchboard.accept, lambda: True)
        config = uvicorn.Config(
            app,
            http=functools.partial(HttpProtocol, gate),  # type: ignore[arg-type]
            ws="websockets-sansio",
            lifespan="off",
            log_config=None,
            access_log=False,
        )
        config.load()
        self._make: Callable[[], Any] = functools.partial(
            config.http_protocol_class,  # type: ignore[arg-type]
            config=config,
            server_state=ServerState(),
            app_state={},
        )
        self._loop = asyncio.get_running_loop()
        self._tasks: set[asyncio.Task[Any]] = set()

    def connect(self) -> socket.socket:
        """Return a socket that leads to the server; may be called from any thread."""
        ours, theirs = socket.socketpair()
        theirs.setblocking(False)
        self._loop.call_soon_threadsafe(self._accept, theirs)
        return ours

    def _accept(self, theirs: socket.socket) -> None:
        task = self._loop.create_task(self._loop.connect_accepted_socket(self._protocol, theirs))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _protocol(self) -> Any:
        protocol = self._make()
        made = protocol.connection_made

        def connection_made(transport: Any) -> None:
            # A pair of sockets has no addresses, and no options of TCP.
            transport._extra["socket"] = FakeSocket()
            made(transport)

        protocol.connection_made = connection_made
        return protocol


@contextlib.asynccontextmanager
async def serving(*, server_key: str = "", key: str = "") -> AsyncIterator[Network]:
    """A server with quick engines, and the network by which it is reached with a key."""
    switchboard = Switchboard(quick_engines(), Config().session, None)
    await switchboard.ready()
    access = Access(api_keys=(Secret(server_key),) if server_key else ())
    server = Serving(switchboard, access)
    upstream = Upstream("ws://localhost/v1", key=key, model="vivavoce")
    try:
        yield Network(upstream, connected=server.connect)
    finally:
        await switchboard.close()
