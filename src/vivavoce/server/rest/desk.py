"""What all REST endpoints share: engines, limits, and room for a number of requests at a time.

Tickets know whose requests they are, which have to be paid for (`till`).  Also where the errors of the layers below
become answers in OpenAI's shape.  Made by `server.serve`.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing, contextmanager
from typing import IO, Any

import msgspec

from ...config import Limits
from ...core.errors import EngineError, ProtocolError
from ...core.service import Rate
from ...dialects import schema as s
from ...engines.api import Llm, Tts
from ...engines.media import Media, MediaError
from ...engines.recording import RATE_HZ
from ...engines.registry import Engines
from ..admission import Refused
from .till import Till

_RETRY_SECONDS = "5"


class Ticket:
    """A place for one request at the desk; given back when the answer is complete, or nobody waits for it."""

    def __init__(self, desk: Desk, key_id: str | None) -> None:
        self._desk = desk
        self._key_id = key_id
        self._is_held = True
        desk.jobs += 1

    def give_back(self) -> None:
        """Make room; more than once does nothing."""
        if self._is_held:
            self._is_held = False
            self._desk.jobs -= 1

    def charge(self, price: Callable[[Rate], float], *models: str) -> None:
        """Charge the key of the request; see `Till.charge`."""
        assert self._key_id is not None
        self._desk.till.charge(self._key_id, price, *models)


class Desk:
    """Where requests are taken and worked on."""

    def __init__(
        self, engines: Engines, limits: Limits, missing: Callable[[], tuple[str, ...]], till: Till | None = None
    ) -> None:
        """Prepare.

        Args:
            engines: those of the process.
            limits: what one request may cost, and how many there may be.
            missing: names what the engines still lack; nothing when they are ready.
            till: where requests are paid for; None where all are free.
        """
        self.engines = engines
        self.limits = limits
        self.media = Media()
        self.jobs = 0
        """Requests that are being worked on."""
        self.till = till or Till()
        """Where requests are paid for."""
        self._missing = missing

    def take(self, key_id: str | None = None) -> Ticket:
        """Return a place for one request.

        Args:
            key_id: of the key that it was made with; None for one that costs nothing.

        Raises:
            Refused: there is none, the engines are not ready, or the key has no money left.
        """
        if self._missing():
            raise Refused(
                503,
                "server_starting",
                "This server is still loading its engines. Try again in a few seconds.",
                type="server_error",
                headers={"Retry-After": _RETRY_SECONDS},
            )
        if key_id is not None:
            self.till.check(key_id)
        if self.jobs >= self.limits.max_jobs:
            raise Refused(
                429,
                "rate_limit_exceeded",
                f"This server works on {self.limits.max_jobs} requests, which is the most it may. Try again later.",
                type="rate_limit_error",
                headers={"Retry-After": _RETRY_SECONDS},
            )
        return Ticket(self, key_id)

    @property
    def tts(self) -> Tts:
        """What speaks texts.

        Raises:
            Refused: nothing does.
        """
        if self.engines.tts is None:
            raise Refused(501, "not_supported", "The engines of this server cannot speak a given text.")
        return self.engines.tts

    @property
    def llm(self) -> Llm:
        """What writes answers.

        Raises:
            Refused: nothing does.
        """
        if self.engines.llm is None:
            raise Refused(501, "not_supported", "The engines of this server cannot answer in writing alone.")
        return self.engines.llm

    async def sound(self, file: IO[bytes], param: str) -> AsyncGenerator[bytes, None]:
        """Yield the sound of a file at the rate of recordings, as far as it may be long.

        Raises:
            ProtocolError: it is longer; `param` is where the client gave it.
            EngineError: it cannot be read.
        """
        left_bytes = int(self.limits.max_recording_seconds * RATE_HZ) * 2
        async with aclosing(self.media.decode(file, RATE_HZ)) as pieces:
            async for piece in pieces:
                left_bytes -= len(piece)
                if left_bytes < 0:
                    raise ProtocolError(
                        "audio_too_long",
                        f"The recording is longer than the {self.limits.max_recording_seconds:g} seconds that this "
                        "server takes.",
                        param,
                    )
                yield piece

    async def close(self) -> None:
        """End what still runs."""
        await self.media.close()


@contextmanager
def told() -> Iterator[None]:
    """Turn the errors of the layers below into refusals, whose fault it was being known by their kind."""
    try:
        yield
    except (ProtocolError, EngineError) as error:
        raise refusal_of(error) from error


def refusal_of(error: ProtocolError | EngineError) -> Refused:
    """Return what a client is told of an error."""
    match error:
        case ProtocolError():
            return Refused(400, error.code, error.message, param=error.param, type=error.type)
        case MediaError():
            return Refused(400, error.code, f"The audio file cannot be read: {error}.", param="file")
        case EngineError(code="llm_timeout"):
            return Refused(504, error.code, str(error), type="server_error")
        case EngineError() if error.code.startswith("llm_"):
            return Refused(502, error.code, str(error), type="server_error")
        case EngineError(code="media_missing"):
            return Refused(501, error.code, f"{error}.", type="server_error")
        case _:
            return Refused(500, error.code, str(error), type="server_error")


def event(value: object) -> bytes:
    """Return a server-sent event."""
    return b"data: " + msgspec.json.encode(value) + b"\n\n"


LAST_EVENT = b"data: [DONE]\n\n"
"""What the stream ends with."""


async def events(source: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
    """Yield a stream of events; should it fail half way, the last one tells why, as no status can any more."""
    has_begun = False
    try:
        async with aclosing(source) as pieces:
            async for piece in pieces:
                yield piece
                has_begun = True
    except (ProtocolError, EngineError, Refused) as error:
        if not has_begun:
            raise
        refusal = error if isinstance(error, Refused) else refusal_of(error)
        yield b"event: error\ndata: " + refusal.body + b"\n\n"
        return
    yield LAST_EVENT


def checked(body: dict[str, Any], checks: dict[str, s.Check], required: tuple[str, ...]) -> dict[str, Any]:
    """Return the fields of a body that were given, each checked; null is as good as not given.

    Raises:
        ProtocolError: one of them is wrong, missing or unknown.
    """
    given = {name: value for name, value in body.items() if value is not None}
    found: dict[str, Any] = s.fields(checks, required)(given, "")
    return found
