"""Sound: what one link has to convert between the formats of the client and those that its upstream takes.

It stands next to the link.  Behind it all is in the client's formats, in front of it all in the upstream's: what is
kept of the conversation fits any other link, which has a sound of its own or, mostly, none.  Called by
`relay.retelling` for what goes out and by `relay.session`, `relay.standing` and `relay.reading` for what comes in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from ..audio.g711 import alaw_to_pcm, pcm_to_alaw, pcm_to_ulaw, ulaw_to_pcm
from ..audio.resample import Resampler
from ..core.formats import PCM_24K, PCMA, PCMU, AudioFormat
from . import peek
from .effects import Place
from .terms import Object
from .unfinished import NewId

RATES_HZ = frozenset((8_000, 16_000, 24_000, 48_000))
"""Rates of `audio/pcm` that are converted; a client that asks for another one is left to its upstream."""

_G711 = {"audio/pcmu": PCMU, "audio/pcma": PCMA}
_TO_PCM = {"audio/pcmu": ulaw_to_pcm, "audio/pcma": alaw_to_pcm}
_FROM_PCM = {"audio/pcmu": pcm_to_ulaw, "audio/pcma": pcm_to_alaw}
_SIDES = {"realtime": ("input", "output"), "transcription": ("input",)}
"""The sides of a session that have a format which can be chosen."""
_ASKING = {
    "session.update": (("session", "audio", "input", "format"), ("session", "audio", "output", "format")),
    "response.create": (("response", "audio", "output", "format"),),
}
"""Where events of a client ask for formats."""
_DELTAS = frozenset((b"response.output_audio.delta", b"response.audio.delta"))
_ENDS = frozenset((b"response.output_audio.done", b"response.audio.done"))
_ITEM_EVENTS = b"conversation.item."
_PIECE_BYTES = 65_536
"""The filter takes so much at a time: its sums need many times the room of the audio."""

_BYTES_PER_MS = {"audio/pcmu": 8, "audio/pcma": 8}
_LEAST_RATE_HZ = 8_000
"""What a client writes in place of a rate may be anything until an upstream has seen it."""


# ------------------------------------------------------------------------------------------------------------- formats


def read(wire: Any) -> AudioFormat | None:
    """Return a format that events name, if it is one that can be converted."""
    if not isinstance(wire, dict):
        return None
    kind, rate = wire.get("type"), wire.get("rate")
    if kind == "audio/pcm":
        rate = PCM_24K.rate if rate is None else rate
        return AudioFormat("audio/pcm", rate) if type(rate) is int and rate in RATES_HZ else None
    return _G711.get(str(kind)) if rate in (None, PCMU.rate) else None


def written(known: AudioFormat) -> Object:
    """Return a format as events name it."""
    return {"type": known.type} if known.type in _G711 else {"type": known.type, "rate": known.rate}


def bytes_per_ms(format: Any) -> int:  # noqa: A002 - the wire name
    """Return how much a millisecond of audio takes in a format as sessions show it."""
    if not isinstance(format, dict):
        return 48
    rate = format.get("rate")
    of_pcm = rate // 500 if type(rate) is int and rate >= _LEAST_RATE_HZ else 48
    return _BYTES_PER_MS.get(str(format.get("type")), of_pcm)


def nearest(place: Place, wish: AudioFormat) -> AudioFormat | None:
    """Return what an upstream takes in place of a format: that itself, or what keeps most of it; None for nothing."""
    is_pcm = wish.type == "audio/pcm"
    if wish.type in place.formats and (not is_pcm or wish.rate in place.rates_hz):
        return wish
    if "audio/pcm" in place.formats and place.rates_hz:
        rate = min((rate for rate in place.rates_hz if rate >= wish.rate), default=max(place.rates_hz))
        return AudioFormat("audio/pcm", rate)
    return next((known for kind, known in _G711.items() if kind in place.formats), None)


def replaced(place: Place, wire: Any) -> AudioFormat | None:
    """Return what an upstream is asked for in place of a format; None where the format may stay, or nothing helps."""
    wish = read(wire)
    there = nearest(place, wish) if wish is not None else None
    return there if there != wish else None


def asks(place: Place, event: Object) -> bool:
    """Return whether an event of a client asks for a format that its upstream does not take."""
    return any(replaced(place, peek.at(event, path)) is not None for path in _ASKING.get(str(event.get("type")), ()))


def completed(place: Place, settings: Object, kind: str) -> Object:
    """Return settings of a kind of session with the usual format where none was asked for and it has to be bridged."""
    usual = written(PCM_24K)
    for side in _SIDES.get(kind, ()) if replaced(place, usual) is not None else ():
        path = ("audio", side, "format")
        settings = _with(settings, path, usual) if peek.at(settings, path) is None else settings
    return settings


def shown(place: Place, session: Object, asked: Callable[[str], Any]) -> Object:
    """Return a session that an upstream shows as the client is to see it.

    Args:
        place: the upstream.
        session: in GA spelling.
        asked: returns what the client asked for on a side, None for nothing.
    """
    for side in ("input", "output"):
        path = ("audio", side, "format")
        wish = asked(side) or written(PCM_24K)
        if peek.at(session, path) is not None and replaced(place, wish) is not None:
            session = _with(session, path, written(read(wish) or PCM_24K))
    return session


# -------------------------------------------------------------------------------------------------------------- audio


class Stream:
    """Audio on its way from one format to another, in pieces of any size."""

    def __init__(self, source: AudioFormat, target: AudioFormat) -> None:
        """Begin a stream whose output begins with its input, however long the filter is."""
        self._to_pcm = _TO_PCM.get(source.type)
        self._from_pcm = _FROM_PCM.get(target.type)
        is_resampled = source.rate != target.rate
        self._resampler = Resampler(source.rate, target.rate, trim_start=True) if is_resampled else None
        self._odd = b""

    def push(self, audio: bytes) -> bytes:
        """Take a piece, and return what it completes; half a sample at its end waits for the next."""
        if self._to_pcm is not None:
            pcm = self._to_pcm(audio)
        else:
            pcm = self._odd + audio if self._odd else audio
            whole = len(pcm) & ~1
            pcm, self._odd = (pcm[:whole], pcm[whole:]) if whole < len(pcm) else (pcm, b"")
        if self._resampler is not None:
            push = self._resampler.push
            pcm = b"".join(push(pcm[at : at + _PIECE_BYTES]) for at in range(0, len(pcm), _PIECE_BYTES))
        return self._encoded(pcm)

    def flush(self) -> bytes:
        """Return what the filter still holds; what comes next begins a new stream, but for half a sample that waits."""
        return self._encoded(self._resampler.flush()) if self._resampler is not None else b""

    def _encoded(self, pcm: bytes) -> bytes:
        return self._from_pcm(pcm) if self._from_pcm is not None else pcm


class _Voice:
    """The audio of one item that an upstream is saying."""

    __slots__ = ("frame", "response_id", "stream")

    def __init__(self, stream: Stream, response_id: str) -> None:
        self.stream = stream
        self.response_id = response_id
        self.frame = b""
        """Its latest delta, as the upstream told it."""


_Pair = tuple[AudioFormat, AudioFormat]
"""From which format to which."""


class Sound:
    """What one link has to convert."""

    def __init__(self, place: Place) -> None:
        """Convert nothing yet.

        Args:
            place: what the link leads to.
        """
        self._place = place
        self._hearing: _Pair | None = None
        self._heard: Stream | None = None
        """The client's audio on its way to the upstream; None where it takes that as it is."""
        self._speaking: _Pair | None = None
        """That of the latest response."""
        self._responses: dict[str, _Pair] = {}
        self._voices: dict[str, _Voice] = {}
        """By item."""

    # -------------------------------------------------------------------------------------------------- to the upstream

    def append(self, frame: bytes) -> bytes:
        """Return an append of the client for the upstream; empty where it completes nothing."""
        return frame if self._heard is None else _converted(frame, peek.AUDIO, self._heard)

    def outward(self, event: Object) -> list[Object]:
        """Return what tells the upstream an event of the client, in GA spelling both."""
        kind = str(event.get("type"))
        before: list[Object] = []
        if kind == "session.update":
            wire = peek.at(event, ("session", "audio", "input", "format"))
            before = self.hear(wire) if wire is not None else []
        elif kind == "input_audio_buffer.commit":
            before = self._rest()
        elif kind == "input_audio_buffer.clear":
            before = self._rest()
            self._heard = Stream(*self._hearing) if self._hearing is not None else None
        elif kind == "conversation.item.create":
            event = self._with_items(event, ("item",))
        elif kind == "response.create":
            event = self._with_items(event, ("response", "input"))
        for path in _ASKING.get(kind, ()):
            there = replaced(self._place, peek.at(event, path))
            event = event if there is None else _with(event, path, written(there))
        return [*before, event]

    def hear(self, wire: Any) -> list[Object]:
        """Take the client's audio in another format from now on, and return what is left of it in the one before.

        Args:
            wire: as the client asked for it; None where it asked for none.
        """
        here = read(written(PCM_24K) if wire is None else wire)
        there = nearest(self._place, here) if here is not None else None
        hearing = (here, there) if here is not None and there is not None and here != there else None
        if hearing == self._hearing:
            return []
        rest = self._rest()
        self._hearing = hearing
        self._heard = Stream(*hearing) if hearing is not None else None
        return rest

    def _rest(self) -> list[Object]:
        """Return what tells the upstream the end of the audio that it has heard."""
        audio = self._heard.flush() if self._heard is not None else b""
        return [{"type": "input_audio_buffer.append", "audio": peek.encoded(audio)}] if audio else []

    def _with_items(self, event: Object, path: tuple[str, ...]) -> Object:
        """Return an event with the audio in its item or items for the upstream."""
        found = peek.at(event, path)
        if self._hearing is None or not isinstance(found, dict | list):
            return event
        pairs = {"input_audio": self._hearing}
        items = [_item(item, pairs) for item in found] if isinstance(found, list) else _item(found, pairs)
        return _with(event, path, items)

    # ------------------------------------------------------------------------------------------------ from the upstream

    def inward(self, kind: bytes, frame: bytes, new_id: NewId) -> Iterator[tuple[bytes, bytes]]:
        """Return the frames that say to the client what one of the upstream says, each with its type.

        Args:
            kind: the type of the event.
            frame: as the upstream wrote it.
            new_id: gives ids to events that the upstream did not send.
        """
        if kind in _DELTAS:
            said = self._said(frame)
            if said:
                yield kind, said
            return
        if kind in _ENDS:
            yield from self._ended_voice(peek.item_id(frame), new_id)
        elif kind == b"response.done":
            response_id = peek.at(peek.parse(frame), ("response", "id"))
            for item_id in [item_id for item_id, each in self._voices.items() if each.response_id == response_id]:
                yield from self._ended_voice(item_id, new_id)
        elif kind.startswith(_ITEM_EVENTS):
            frame = self._shown_item(frame)
        yield kind, frame

    def begun(self, event: Object, wish: Any) -> Object:
        """Take a `response.created`, and return it as the client is to see it.

        Args:
            event: in GA spelling.
            wish: the format that the client asked for, None for none.
        """
        response = event.get("response") or {}
        here = read(wish) or PCM_24K
        told = read(peek.at(response, _OUTPUT))
        # A server of the beta shape tells no rate.
        there = told if told is not None and nearest(self._place, told) == told else nearest(self._place, here)
        self._speaking = (there, here) if there is not None and there != here else None
        if self._speaking is not None:
            self._responses[response.get("id", "")] = self._speaking
        return self._shown_response(event, self._speaking)

    def ended(self, event: Object) -> Object:
        """Take a `response.done`, and return it as the client is to see it."""
        return self._shown_response(event, self._responses.pop(peek.at(event, ("response", "id")) or "", None))

    def _shown_response(self, event: Object, pair: _Pair | None) -> Object:
        path = ("response", *_OUTPUT)
        return event if pair is None or peek.at(event, path) is None else _with(event, path, written(pair[1]))

    def _said(self, frame: bytes) -> bytes:
        """Return an audio delta for the client; empty where it completes nothing."""
        if not self._responses:
            return frame
        item_id = peek.item_id(frame)
        voice = self._voices.get(item_id)
        if voice is None:
            response_id = str((peek.parse(frame) or {}).get("response_id"))
            pair = self._responses.get(response_id)
            if pair is None:
                return frame
            voice = self._voices[item_id] = _Voice(Stream(*pair), response_id)
        voice.frame = frame
        return _converted(frame, peek.DELTA, voice.stream)

    def _ended_voice(self, item_id: str, new_id: NewId) -> Iterator[tuple[bytes, bytes]]:
        """Return the end of the audio of an item, which the filter held, as one more delta."""
        voice = self._voices.pop(item_id, None)
        audio = voice.stream.flush() if voice is not None else b""
        if voice is not None and audio:
            more = {"event_id": new_id("event"), "delta": peek.encoded(audio)}
            yield peek.kind(voice.frame), peek.written((peek.parse(voice.frame) or {}) | more)

    def _shown_item(self, frame: bytes) -> bytes:
        """Return an event about an item with the audio that it shows for the client."""
        pairs = {}
        if self._hearing is not None:
            pairs["input_audio"] = (self._hearing[1], self._hearing[0])
        if self._speaking is not None:
            pairs["output_audio"] = pairs["audio"] = self._speaking
        event = peek.parse(frame) or {}
        item = event.get("item")
        told = _item(item, pairs)
        return frame if told is item else peek.written(event | {"item": told})


_OUTPUT = ("audio", "output", "format")


def _converted(frame: bytes, key: bytes, stream: Stream) -> bytes:
    """Return a frame with its audio behind a stream; empty where that holds all; what is no base64 stays."""
    audio = peek.audio(frame, key)
    if not audio:
        return frame
    out = stream.push(audio)
    return peek.with_audio(frame, out, key) if out else b""


def _item(item: Any, pairs: dict[str, _Pair]) -> Any:
    """Return an item with its audio converted by what its parts are; the item itself where it has none."""
    content = item.get("content") if isinstance(item, dict) else None
    if not isinstance(content, list):
        return item
    parts = [_part(part, pairs) for part in content]
    is_same = all(new is old for new, old in zip(parts, content, strict=True))
    return item if is_same else item | {"content": parts}


def _part(part: Any, pairs: dict[str, _Pair]) -> Any:
    pair = pairs.get(str(part.get("type"))) if isinstance(part, dict) else None
    audio = peek.decoded(part.get("audio")) if pair is not None else b""
    if pair is None or not audio:
        return part
    stream = Stream(*pair)
    return part | {"audio": peek.encoded(stream.push(audio) + stream.flush())}


def _with(value: Any, path: tuple[str, ...], leaf: Any) -> Object:
    """Return an object with something else at a path; what is no object on the way becomes one."""
    whole: Object = value if isinstance(value, dict) else {}
    name, *rest = path
    return whole | {name: _with(whole.get(name), tuple(rest), leaf) if rest else leaf}
