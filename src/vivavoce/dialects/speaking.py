"""A party whose audio the server plays: what of a session's frames is sound, and what the party is told of playing it.

`Speaking` stands between a session, which speaks frames as on a WebSocket, and a party by WebRTC or telephone, whose
audio travels beside its messages.  Audio deltas become sound; the `output_audio_buffer` events tell when it plays; and
since the server knows what was heard, it cuts the conversation itself where the user took the turn.  It is pure, knows
both shapes of the protocol, and passes on what it does not know.  Held by `server.live`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

import msgspec
import pybase64

from ..core.errors import ProtocolError
from ..core.formats import PCM_8K, PCM_16K, PCM_24K, PCMA, PCMU, AudioFormat
from .pressing import PRESS, keys_of, refusal

__all__ = ["EndItem", "Play", "Press", "Speaking", "Step", "Stop", "ToParty", "ToSession", "appending"]

OWN_EVENTS = 64
"""Events of our own whose refusal may still come."""
CUT_ITEMS = 64
"""Items and responses that were cut and of which a server elsewhere may still send audio."""
TRANSLATION = "translation"
"""The item that all audio of a translation session is taken to belong to: it has none, and nobody interrupts it."""
FINALIZE = "conversation.item.finalize"
"""What older pages say when the user has said all: see `Speaking.receive_client`."""


class ToParty(msgspec.Struct, frozen=True):
    """Send a frame to everybody at the party's end."""

    frame: bytes


class ToSession(msgspec.Struct, frozen=True):
    """Give the session a frame, though not in the midst of what it is doing."""

    frame: bytes


class Play(msgspec.Struct, frozen=True):
    """Play more of an item."""

    item_id: str
    audio: bytes
    format: AudioFormat = PCM_24K
    """That of the answer, which need not be the session's by now."""


class EndItem(msgspec.Struct, frozen=True):
    """The audio of an item is complete."""

    item_id: str


class Stop(msgspec.Struct, frozen=True):
    """Stop playing; what was heard is told by `Speaking.stopped`."""


class Press(msgspec.Struct, frozen=True):
    """Press keys of the party's telephone line."""

    keys: str


Step = ToParty | ToSession | Play | EndItem | Stop | Press


class _Refusal(msgspec.Struct):
    event_id: str | None = None


class _Named(msgspec.Struct):
    id: str = ""


class _Frame(msgspec.Struct):
    """What is looked at of a frame that may concern playing."""

    type: str = ""
    response_id: str = ""
    item_id: str = ""
    content_index: int = 0
    delta: str = ""
    error: _Refusal | None = None
    response: _Named | None = None


class _Begun(msgspec.Struct):
    response: dict[str, Any]


class _Kind(msgspec.Struct):
    type: str = ""


class _Spoken(msgspec.Struct):
    """An item that is being played, or will be."""

    response_id: str
    content_index: int
    format: AudioFormat
    is_ended: bool = False


class _Answer(msgspec.Struct):
    """A response with audio that has not been played out."""

    is_started: bool = False
    is_done: bool = False


_kind = msgspec.json.Decoder(_Kind).decode
_frame = msgspec.json.Decoder(_Frame).decode
_begun = msgspec.json.Decoder(_Begun).decode
_object = msgspec.json.Decoder(dict[str, Any]).decode
_encode = msgspec.json.Encoder().encode

_FORMATS = {"g711_ulaw": PCMU, "g711_alaw": PCMA, "pcm16": PCM_24K, "audio/pcmu": PCMU, "audio/pcma": PCMA}
_RATES = {8_000: PCM_8K, 16_000: PCM_16K, 48_000: AudioFormat(rate=48_000)}
"""The last is known to some servers that are relayed to."""


class Speaking:
    """The playing of one session."""

    def __init__(
        self, new_id: Callable[[str], str], input_format: AudioFormat = PCM_24K, output_format: AudioFormat = PCM_24K
    ) -> None:
        """Begin with nothing to play.

        Args:
            new_id: makes an id of a kind.
            input_format: what the session takes until it tells otherwise.
            output_format: what it speaks until then.
        """
        self._new_id = new_id
        self.can_press = False
        """Whether the party's road has keys."""
        self.input_format = input_format
        """What the session takes."""
        self.output_format = output_format
        """What the session speaks."""
        self._interrupts = True
        self._items: dict[str, _Spoken] = {}
        """Those that wait or play, in the order in which they do."""
        self._answers: dict[str, _Answer] = {}
        self._cut: deque[str] = deque(maxlen=CUT_ITEMS)
        self._is_interrupted = False
        """Whether it is the user who has what plays stopped."""
        self._interrupted: deque[str] = deque(maxlen=CUT_ITEMS)
        """Responses whose sound was stopped before they ended."""
        self._formats: dict[str, AudioFormat] = {}
        """Of responses that are being made."""
        self._cancelled: set[str] = set()
        """Of these, those that the party has cancelled."""
        self._own: deque[str] = deque(maxlen=OWN_EVENTS)
        self._created: dict[str, Any] | None = None
        """The event that began the session, with the session as it is by now."""

    @property
    def session_created(self) -> bytes | None:
        """What tells somebody who joins of the session as it is by now; None while there is none."""
        return None if self._created is None else _encode(self._created | {"event_id": self._new_id("event")})

    # ------------------------------------------------------------------------------------------------- the session

    def receive_session(self, frame: bytes) -> list[Step]:
        """Take one frame of the session."""
        try:
            kind = _kind(frame).type
            handler = self._HANDLERS.get(kind)
            return [ToParty(frame)] if handler is None else handler(self, frame)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            # Servers elsewhere may say anything; what cannot be understood is the party's to judge.
            return [ToParty(frame)]

    def receive_speech(self, response_id: str, item_id: str, audio: bytes, content_index: int = 0) -> list[Step]:
        """Take audio of an answer, in the format that it began with."""
        if item_id in self._cut or not audio:
            return []
        if response_id in self._cut:
            return [self._truncation(item_id, content_index, 0)]
        item = self._items.get(item_id)
        if item is None:
            wanted = self._formats.get(response_id, self.output_format)
            item = self._items[item_id] = _Spoken(response_id, content_index, wanted)
            if response_id:
                self._answers.setdefault(response_id, _Answer())
        return [Play(item_id, audio, item.format if response_id else self.output_format)]

    def _delta(self, frame: bytes) -> list[Step]:
        told = _frame(frame)
        return self.receive_speech(
            told.response_id, told.item_id, pybase64.b64decode(told.delta, validate=True), told.content_index
        )

    def _translated(self, frame: bytes) -> list[Step]:
        return self.receive_speech("", TRANSLATION, pybase64.b64decode(_frame(frame).delta, validate=True))

    def _audio_done(self, frame: bytes) -> list[Step]:
        item_id = _frame(frame).item_id
        if item_id not in self._items:
            return [ToParty(frame)]
        self._items[item_id].is_ended = True
        return [ToParty(frame), EndItem(item_id)]

    def _response_created(self, frame: bytes) -> list[Step]:
        response = _begun(frame).response
        while len(self._formats) >= CUT_ITEMS:
            self._cancelled.discard(oldest := next(iter(self._formats)))
            del self._formats[oldest]
        self._formats[str(response.get("id"))] = _said_format(response) or self.output_format
        return [ToParty(frame)]

    def _response_done(self, frame: bytes) -> list[Step]:
        told = _frame(frame)
        response_id = told.response.id if told.response is not None else ""
        out: list[Step] = [ToParty(frame)]
        self._formats.pop(response_id, None)
        self._cancelled.discard(response_id)
        # A response that broke off may have left an item open.
        for item_id, item in self._items.items():
            if item.response_id == response_id and not item.is_ended:
                item.is_ended = True
                out.append(EndItem(item_id))
        answer = self._answers.get(response_id)
        if answer is not None:
            answer.is_done = True
            out += self._settled(response_id)
        if response_id in self._interrupted:
            self._interrupted.remove(response_id)
            out.append(self._told("output_audio_buffer.cleared", response_id))
        return out

    def _speech_started(self, frame: bytes) -> list[Step]:
        if not self._interrupts or all(item_id == TRANSLATION for item_id in self._items):
            return [ToParty(frame)]
        self._is_interrupted = True
        return [ToParty(frame), Stop()]

    def _session_told(self, frame: bytes) -> list[Step]:
        event = _object(frame)
        session = event.get("session")
        if isinstance(session, dict):
            self._read_settings(session)
            first = event if event.get("type") == "session.created" else self._created
            if first is not None:
                self._created = first | {"session": session}
        return [ToParty(frame)]

    def _read_settings(self, session: dict[str, Any]) -> None:
        audio = session.get("audio")
        sides = audio if isinstance(audio, dict) else {}
        heard = side if isinstance(side := sides.get("input"), dict) else {}
        self.input_format = _format(heard.get("format") or session.get("input_audio_format")) or self.input_format
        self.output_format = _said_format(session) or self.output_format
        detection = heard.get("turn_detection", session.get("turn_detection"))
        self._interrupts = not isinstance(detection, dict) or detection.get("interrupt_response") is not False

    def _error(self, frame: bytes) -> list[Step]:
        refused = _frame(frame).error
        # What the server asked for on its own account is nobody else's mistake: the item may be gone by now.
        return [] if refused is not None and refused.event_id in self._own else [ToParty(frame)]

    # --------------------------------------------------------------------------------------------------- the party

    def receive_client(self, frame: bytes) -> list[Step]:
        """Take one frame of the party.

        `output_audio_buffer.clear` is for us.  `conversation.item.finalize` is none of the protocol's: older pages say
        it when the user has ended, which is a commit and the wish for an answer; where the session did both by itself
        already, its refusals are not told.
        """
        try:
            kind = _kind(frame).type
        except (msgspec.MsgspecError, ValueError, RecursionError):
            kind = ""
        if kind == "output_audio_buffer.clear":
            self._cut += self._cancelled
            return [Stop()]
        if kind == "response.cancel":
            self._cancel(frame)
        if kind == PRESS:
            return self._press(frame)
        if kind == FINALIZE:
            return [self._own_event("input_audio_buffer.commit"), self._own_event("response.create")]
        return [ToSession(frame)]

    def _press(self, frame: bytes) -> list[Step]:
        try:
            return [Press(keys_of(frame, can_press=self.can_press))]
        except ProtocolError as mistake:
            return [ToParty(refusal(mistake, self._new_id("event")))]

    def _cancel(self, frame: bytes) -> None:
        """Learn of what will be cut if the output is cleared next, though a server elsewhere may not know it yet."""
        try:
            named = _frame(frame).response_id
        except (msgspec.MsgspecError, ValueError, RecursionError):
            return
        self._cancelled |= {each for each in self._formats if named in ("", each)}

    def item_started(self, item_id: str) -> list[Step]:
        """Learn that the first sound of an item goes out."""
        item = self._items.get(item_id)
        answer = None if item is None else self._answers.get(item.response_id)
        if item is None or answer is None or answer.is_started:
            return []
        answer.is_started = True
        return [self._told("output_audio_buffer.started", item.response_id)]

    def item_played(self, item_id: str) -> list[Step]:
        """Learn that an item was played to its end."""
        item = self._items.pop(item_id, None)
        return [] if item is None else self._settled(item.response_id)

    def stopped(self, heard: Iterable[tuple[str, int]]) -> list[Step]:
        """Learn what was heard, in milliseconds, of the items that were stopped; the others were not heard at all."""
        heard_ms = dict(heard)
        out: list[Step] = []
        is_interrupted, self._is_interrupted = self._is_interrupted, False
        for response_id, answer in self._answers.items():
            if answer.is_started and is_interrupted and not answer.is_done:
                # The session is just ending it, which is told first.
                self._interrupted.append(response_id)
            elif answer.is_started:
                out.append(self._told("output_audio_buffer.cleared", response_id))
        for item_id, item in self._items.items():
            if not item.response_id:
                continue
            out.append(self._truncation(item_id, item.content_index, heard_ms.get(item_id, 0)))
        self._items.clear()
        self._answers.clear()
        return out

    def pressed(self, digit: str, at_unix: int) -> list[Step]:
        """Learn that the party pressed a key: one of `0123456789*#ABCD`; and when, in unix seconds."""
        told = {"event_id": self._new_id("event"), "event": digit, "received_at": at_unix}
        return [ToParty(_encode({"type": "input_audio_buffer.dtmf_event_received"} | told))]

    # ------------------------------------------------------------------------------------------------------ inside

    def _settled(self, response_id: str) -> list[Step]:
        """Return what is told when all of a response has been played."""
        answer = self._answers.get(response_id)
        if answer is None or not answer.is_done:
            return []
        if any(item.response_id == response_id for item in self._items.values()):
            return []
        del self._answers[response_id]
        return [self._told("output_audio_buffer.stopped", response_id)] if answer.is_started else []

    def _told(self, kind: str, response_id: str) -> ToParty:
        return ToParty(_encode({"type": kind, "event_id": self._new_id("event"), "response_id": response_id}))

    def _truncation(self, item_id: str, content_index: int, heard_ms: int) -> ToSession:
        self._cut.append(item_id)
        where = {"item_id": item_id, "content_index": content_index}
        return self._own_event("conversation.item.truncate", **where, audio_end_ms=heard_ms)

    def _own_event(self, kind: str, **fields: Any) -> ToSession:
        event_id = self._new_id("event")
        self._own.append(event_id)
        return ToSession(_encode({"type": kind, "event_id": event_id, **fields}))

    _HANDLERS: dict[str, Callable[..., list[Step]]] = {
        "response.output_audio.delta": _delta,
        "response.audio.delta": _delta,
        "session.output_audio.delta": _translated,
        "response.output_audio.done": _audio_done,
        "response.audio.done": _audio_done,
        "response.created": _response_created,
        "response.done": _response_done,
        "input_audio_buffer.speech_started": _speech_started,
        "session.created": _session_told,
        "session.updated": _session_told,
        "transcription_session.created": _session_told,
        "transcription_session.updated": _session_told,
        "error": _error,
    }
    """What is more than passed on.  Of the class, so that there is no reference to itself."""


def _format(wire: Any) -> AudioFormat | None:
    """Return the format that a session names, in either shape; None for none that is known."""
    if isinstance(wire, str):
        return _FORMATS.get(wire)
    if not isinstance(wire, dict):
        return None
    if wire.get("type") == "audio/pcm":
        rate_hz = wire.get("rate")
        return _RATES.get(rate_hz, PCM_24K) if isinstance(rate_hz, int) else PCM_24K
    return _FORMATS.get(str(wire.get("type")))


def _said_format(settings: dict[str, Any]) -> AudioFormat | None:
    """Return the format of what a session or a response says, in either shape; None where it names none."""
    audio = settings.get("audio")
    said = audio.get("output") if isinstance(audio, dict) else None
    return _format((said.get("format") if isinstance(said, dict) else None) or settings.get("output_audio_format"))


def appending(audio: bytes, *, is_translation: bool = False) -> bytes:
    """Return the frame by which a client on a WebSocket would bring what the user said, in either shape."""
    kind = b"session.input_audio_buffer.append" if is_translation else b"input_audio_buffer.append"
    return b'{"type":"%b","audio":"%b"}' % (kind, pybase64.b64encode(audio))
