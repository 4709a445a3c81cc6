"""The media engine: the sound of all calls, 20 ms of each at a time.

On each tick it sends first, for what is sent has to be even, and then takes in what came.  Speech of all calls is
brought to its rate in one matrix product, and coded by one look-up; so is what the callers say.  It waits for nothing
and has no clock.  Called by `engine_child`, which is the media process.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

import numpy as np
import numpy.typing as npt

from ...audio.batch import BatchResampler
from ...core.errors import EngineError
from ...rtp.reception import Play
from ..media import RATE_HZ
from .coding import CODECS, decoding, encoding
from .ports import TakePair, take_pair
from .secrecy import Secrecy
from .speech import Clips, Mouth, Speech
from .stream import Stream
from .wire import (
    CallOrder,
    Clear,
    ClipEnded,
    Close,
    CodecName,
    Direct,
    Duck,
    Failed,
    Happening,
    LoadClip,
    Monitor,
    Open,
    Opened,
    Order,
    PlayClip,
    PlayFrames,
    Prepare,
    Press,
    Secret,
    StopClip,
    Tick,
)

__all__ = ["MOST_CALLS", "Engine", "Poll"]

MOST_CALLS = 512
"""Calls at a time; each takes 100 kB."""
_READABLE = 1
"""What `select.poll` and `select.epoll` both call readable."""
_MOST_DATAGRAMS = 64
"""Datagrams of a socket and tick; the kernel drops what is left when its buffer is full."""
_MOST_MADE_UP = 3
"""Packets that are sent at once after a delay: 60 ms, which the buffer of any telephone bears."""
_FRAME_SAMPLES = RATE_HZ // 50
_NOISE_FRAMES = 64
_NOISE_LEVEL = 12.0
"""Root mean square of the noise that stands for silence, -69 dB: as soft as the steps of G.711 allow."""


def _ignore(now: float) -> None:
    """Read nothing, of a call that has ended since its sockets were found to be readable."""


_NOTHING = (0, _ignore)


class Poll(Protocol):
    """`select.epoll` or `select.poll`."""

    def register(self, fd: int, eventmask: int, /) -> None:
        """Watch a descriptor."""
        ...

    def unregister(self, fd: int, /) -> None:
        """Watch it no more."""
        ...

    def poll(self, timeout: float, /) -> list[tuple[int, int]]:
        """Return what is ready."""
        ...


class Engine:
    """All calls of a process."""

    def __init__(
        self, poll: Poll, chance: Callable[[], float], calls: int = MOST_CALLS, take_pair: TakePair = take_pair
    ) -> None:
        """Begin without calls; `chance` returns numbers from 0 to 1 that nobody can guess."""
        self._poll = poll
        self._chance = chance
        self._take_pair = take_pair
        self._streams: dict[int, Stream] = {}
        self._mouths: dict[int, Mouth] = {}
        self._readers: dict[int, tuple[int, Callable[[float], None]]] = {}
        self._free = list(range(calls - 1, -1, -1))
        self._clips = Clips()
        self._speech = Speech(calls, self._clips)
        self._rise = {rate: BatchResampler(rate, RATE_HZ, calls) for rate in (8000, 16_000)}
        self._fall = {rate: BatchResampler(RATE_HZ, rate, calls) for rate in (8000, 16_000)}
        self._ringing = np.zeros(calls, bool)
        """Rows whose filter still holds speech."""
        self._out = np.zeros((calls, _FRAME_SAMPLES), np.float32)
        self._happenings: list[Happening] = []
        self._left: list[tuple[int, bytes]] = []
        noise = np.random.default_rng(1).normal(0, _NOISE_LEVEL, (_NOISE_FRAMES, _FRAME_SAMPLES))
        self._noise: npt.NDArray[np.int16] = noise.astype("<i2")
        self._quiet: dict[CodecName, list[bytes]] = {}
        self._count = 0

    @property
    def is_idle(self) -> bool:
        """Whether there is no call, so that no tick is needed."""
        return not self._streams and not self._happenings

    # -- orders

    def obey(self, order: Order, now: float) -> None:
        """Do as the session process says; what cannot be done ends the call that it was for."""
        if isinstance(order, LoadClip):
            self._clips.load(order.name, order.pcm)
            return
        if isinstance(order, Prepare):
            for name in order.codecs:
                _prepare(name)
            return
        try:
            self._obey(order, now)
        except (EngineError, ValueError) as error:
            self._end(order.call, now)
            self._happenings.append(Failed(order.call, str(error)))

    def _obey(self, order: CallOrder, now: float) -> None:
        match order:
            case Open():
                self._open(order)
            case Close(call):
                self._end(call, now)
            case _ if order.call not in self._streams:
                pass  # it has just ended, which its owner is being told
            case Direct(call):
                self._direct(order, self._streams[call], now)
            case PlayFrames(call, pcm):
                self._speech.push(self._mouths[call], pcm)
            case Clear(call, number):
                self._speech.clear(self._mouths[call], number)
            case Duck(call, gain):
                self._mouths[call].gain = gain
            case PlayClip(call, name, is_looped):
                if not self._speech.start_clip(self._mouths[call], name, is_looped):
                    self._happenings.append(ClipEnded(call, name))
            case StopClip(call):
                self._mouths[call].clip = None
            case Monitor(call, is_on):
                self._mouths[call].is_monitored = is_on
            case Press(call, keys, duration_ms):
                self._streams[call].press(keys, duration_ms)

    def _open(self, order: Open) -> None:
        if not self._free:
            raise EngineError("there is no room for another call's sound")
        sockets = self._take_pair(order.host, order.ports, self._chance)
        row = self._free.pop()
        stream = Stream(order.call, row, sockets, self._chance)
        self._streams[order.call] = stream
        self._mouths[order.call] = Mouth(row)
        self._clear_row(row)
        for each, take in zip(sockets, (stream.take_sound, stream.take_reports), strict=True):
            self._readers[each.fileno()] = order.call, take
            self._poll.register(each.fileno(), _READABLE)
        self._happenings.append(Opened(order.call, sockets[0].getsockname()[1]))

    def _clear_row(self, row: int) -> None:
        for resampler in (*self._rise.values(), *self._fall.values()):
            resampler.clear(row)
        self._ringing[row] = False

    def _direct(self, order: Direct, stream: Stream, now: float) -> None:
        if stream.direct(order, now):
            self._clear_row(stream.row)

    def _end(self, call: int, now: float) -> None:
        """Forget a call, unless it is forgotten already."""
        stream = self._streams.pop(call, None)
        if stream is None:
            return
        self._mouths.pop(call)
        self._free.append(stream.row)
        for each in (stream.sound, stream.reports):
            self._readers.pop(each.fileno())
            self._poll.unregister(each.fileno())
        stream.close(now)
        self._happenings += stream.happenings

    # -- ticks

    def tick(self, now: float, passed: int = 1) -> Tick:
        """Send 20 ms to each call, take in what came, and return what is to be told.

        `passed` is how many ticks are due: more than one where the machine was held up.  Some of what was not sent
        meanwhile is made up for; of the rest the time is skipped, and speech goes on later.
        """
        made_up = min(passed, _MOST_MADE_UP)
        played = self._send(passed - made_up + 1)
        for _ in range(made_up - 1):
            played += self._send(1)
        for _ in range(_MOST_DATAGRAMS):
            ready = self._poll.poll(0)
            if not ready:
                break
            for fd, _ in ready:
                call, read = self._readers.get(fd, _NOTHING)
                try:
                    read(now)
                except Exception as error:  # noqa: BLE001 - what one party sends must not end the calls of the others
                    self._fail(call, error, now)
        heard = self._hear(now)
        happenings, self._happenings = self._happenings, []
        left, self._left = self._left, []
        for stream in self._streams.values():
            if stream.happenings:
                happenings += stream.happenings
                stream.happenings = []
        for call in [stream.call for stream in self._streams.values() if stream.is_over]:
            self._end(call, now)
        return Tick(heard, played, happenings, left)

    def _send(self, passed: int) -> list[tuple[int, int, int]]:
        """Send each call its frame, and return what has been played of speech."""
        self._count += 1
        by_rate: dict[int, list[Stream]] = {8000: [], 16_000: []}
        out, at, played = self._out, 0, []
        ringing = self._ringing
        for call, stream in self._streams.items():
            agreed = stream.agreed
            if agreed is None:
                continue
            if not agreed.sends:
                stream.skip(passed)
                continue
            if stream.is_pressing:
                if not stream.send_key(passed):
                    self._send_silence(stream, passed)
                continue
            mouth = self._mouths[call]
            is_heard = self._speech.next_frame(call, mouth, out[at], self._happenings)
            if mouth.played != mouth.told:
                mouth.told = mouth.played
                played.append((call, mouth.cleared, mouth.played))
            rate_hz = CODECS[agreed.codec].rate_hz
            pcm = b""
            if is_heard and (mouth.is_monitored or rate_hz == RATE_HZ):
                pcm = out[at].astype("<i2").tobytes()
                if mouth.is_monitored:
                    self._left.append((call, pcm))
            if rate_hz == RATE_HZ and is_heard:
                self._send_coded(stream, pcm, passed)
            elif is_heard or ringing[stream.row]:
                if not is_heard:
                    out[at] = 0.0
                ringing[stream.row] = is_heard  # one frame of silence empties the filter
                by_rate[rate_hz].append(stream)
                stream.place = at
                at += 1
            else:
                self._send_silence(stream, passed)
        for rate_hz, streams in by_rate.items():
            if streams:
                self._send_batch(rate_hz, streams, passed)
        return played

    def _send_coded(self, stream: Stream, pcm: bytes, passed: int) -> None:
        """Send a frame through the call's own encoder."""
        assert stream.encoder is not None
        stream.send(stream.encoder.encode(pcm), passed)

    def _send_batch(self, rate_hz: int, streams: list[Stream], passed: int) -> None:
        rows = np.array([stream.row for stream in streams])
        # Calls of one rate alone stand side by side.
        places = [stream.place for stream in streams]
        frames = self._out[: len(streams)] if places[-1] == len(streams) - 1 else self._out[places]
        pcm = _to_pcm(self._fall[rate_hz].push(rows, frames))
        size = len(pcm) // len(streams)
        coded: dict[CodecName, bytes] = {}
        for n, stream in enumerate(streams):
            assert stream.agreed is not None
            name = stream.agreed.codec
            encode_rows = CODECS[name].encode_rows
            if encode_rows is None:
                self._send_coded(stream, pcm[n * size : (n + 1) * size], passed)
                continue
            if name not in coded:
                coded[name] = encode_rows(pcm)
            stream.send(coded[name][n * size // 2 : (n + 1) * size // 2], passed)

    def _send_silence(self, stream: Stream, passed: int) -> None:
        """Send 20 ms of very soft noise, by which a line sounds alive; of codecs with a state, of silence."""
        assert stream.agreed is not None
        name = stream.agreed.codec
        size = CODECS[name].rate_hz // 50
        encode = CODECS[name].encode_rows
        if encode is None:
            self._send_coded(stream, bytes(2 * size), passed)
            return
        if name not in self._quiet:
            self._quiet[name] = [encode(frame[:size].tobytes()) for frame in self._noise]
        stream.send(self._quiet[name][self._count % _NOISE_FRAMES], passed)

    def _fail(self, call: int, error: Exception, now: float) -> None:
        """End a call because of a mistake in here."""
        self._end(call, now)
        self._happenings.append(Failed(call, f"an internal error: {error!r}"))

    def _hear(self, now: float) -> list[tuple[int, bytes]]:
        """Return what each call says, at 24 kHz."""
        parts: dict[int, list[bytes]] = {}
        by_rate: dict[int, list[Stream]] = {8000: [], 16_000: []}
        for call, stream in list(self._streams.items()):
            try:
                stream.pass_time(now)
            except Exception as error:  # noqa: BLE001 - as above
                self._fail(call, error, now)
                continue
            if not stream.heard or stream.agreed is None:
                continue
            rate_hz = CODECS[stream.agreed.codec].rate_hz
            if rate_hz == RATE_HZ:
                parts[call] = [bytes(stream.heard)]
                stream.heard.clear()
            else:
                by_rate[rate_hz].append(stream)
        for rate_hz, streams in by_rate.items():
            size = rate_hz // 25
            while streams := [stream for stream in streams if len(stream.heard) >= size]:
                frames = np.frombuffer(b"".join([stream.heard[:size] for stream in streams]), "<i2")
                rows = np.array([stream.row for stream in streams])
                pcm = _to_pcm(self._rise[rate_hz].push(rows, frames.reshape(len(streams), -1)))
                for n, stream in enumerate(streams):
                    del stream.heard[:size]
                    parts.setdefault(stream.call, []).append(pcm[n * 960 : (n + 1) * 960])
        return [(call, each[0] if len(each) == 1 else b"".join(each)) for call, each in parts.items()]


def _prepare(name: CodecName) -> None:
    """Load what a codec and encryption need; what is missing is told by the first call that needs it."""
    size = CODECS[name].rate_hz // 25
    with suppress(EngineError):
        encoder = encoding(name)
        if encoder is not None:
            decoding(name).perform(Play(encoder.encode(bytes(size)), 0))
    with suppress(EngineError):
        Secrecy(Secret("AES_CM_128_HMAC_SHA1_80", bytes(30)), sends=True)


def _to_pcm(frames: npt.NDArray[np.float32]) -> bytes:
    """Return frames as s16le, for which they are used up."""
    np.rint(frames, out=frames)
    np.clip(frames, -32_768, 32_767, out=frames)
    return frames.astype("<i2").tobytes()
