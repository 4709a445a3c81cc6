"""The small protocol of `/ws/conversation`: four messages of a page, eight for it, the Realtime protocol underneath.

`Bridge` stands between one page and one session and makes the messages of each the other's: the session is spoken to in
GA frames, so that it may be one of this process or one that a relay holds, and knows nothing of all this.  It is pure:
time is an argument.  Held by `server.conversation`; what the messages say is told in `docs/conversation.md`.
"""

from __future__ import annotations

import math
from typing import Any

import msgspec

from ..core.errors import ProtocolError
from ..core.formats import PCM_16K
from ..core.settings import SessionPatch, Settings, Transcription
from . import codec, ga
from . import conversation_messages as messages

__all__ = ["READERS", "SHAPE", "Bridge", "Passed", "begun"]

SHAPE = "conversation"
"""The dialect that a bridge speaks with a session of this process: GA, and the temperature that GA has no word for."""
OWN_TRANSCRIPTION_MODEL = "vivavoce"
"""Tells words while they are spoken, and how certain it is of each."""
RELAYED_TRANSCRIPTION_MODEL = "gpt-4o-mini-transcribe"
"""The same of OpenAI's servers, which know none of ours."""
_LOGPROBS = "item.input_audio_transcription.logprobs"
_PARTIALS = 16
"""Utterances whose words are awaited at a time; more than can be spoken before the first is understood."""


def begun(settings: Settings, *, is_relayed: bool) -> Settings:
    """Return what a conversation begins with, from what the address or the client secret says.

    Functions are left out, for no message of the small protocol could tell of their calls.
    """
    model = RELAYED_TRANSCRIPTION_MODEL if is_relayed else OWN_TRANSCRIPTION_MODEL
    return msgspec.structs.replace(
        settings,
        input_format=PCM_16K,
        output_format=PCM_16K,
        transcription=settings.transcription or Transcription(model),
        include=tuple(dict.fromkeys((*(settings.include or ()), _LOGPROBS))),
        tools=(),
        tool_choice="auto" if settings.tools else settings.tool_choice,
    )


def _session_patch(value: Any, path: str = "session") -> SessionPatch:
    """Return the change of settings that a GA session object asks for, with a temperature or without."""
    if not isinstance(value, dict) or "temperature" not in value:
        return ga.session_patch(value, path)
    rest = {key: element for key, element in value.items() if key != "temperature"}
    return ga.session_patch(rest, path) | {
        "temperature": messages.temperature(value["temperature"], f"{path}.temperature")
    }


READERS: dict[str, codec.Reader] = ga.READERS | {"session.update": ga.update_reader(_session_patch)}
"""Readers of what a bridge says to a session of this process."""


class Passed(msgspec.Struct, frozen=True):
    """What a bridge makes of one message."""

    to_session: tuple[bytes, ...] = ()
    """GA frames."""
    to_client: tuple[bytes, ...] = ()
    """Messages of the small protocol."""


class _Sounded(msgspec.Struct):
    """Audio that the client was sent of one part of a message."""

    item_id: str
    content_index: int
    ms: float


class _Latency:
    """How long the user waits: from the end of a turn to the first sound of its answer, or first words if it has none.

    A turn ends when the client is told that speech has stopped, or when its text arrives.
    """

    def __init__(self) -> None:
        self._ended_at: float | None = None
        self._asked_at: float | None = None
        self._is_written = False
        self.ms: int | None = None
        """What the present answer took; None until it is known, and where no turn of the user came before it."""

    def end_turn(self, now: float) -> None:
        """Take note that the user has said all."""
        self._ended_at = now

    def begin_answer(self, *, is_written: bool) -> None:
        """Take note that an answer to it begins, which is spoken unless it is only written."""
        self._asked_at, self._ended_at, self._is_written, self.ms = self._ended_at, None, is_written, None

    def receive_delta(self, now: float, *, is_sound: bool) -> None:
        """Take note that something of the answer goes out."""
        if self._asked_at is not None and is_sound != self._is_written:
            self.ms, self._asked_at = round((now - self._asked_at) * 1000), None


class Bridge:
    """One client of the small protocol and its session.

    The session is `idle`, or was asked for an answer that it has not begun, or gives the answer `_answer_id`.  While it
    gives one, a new text cancels it and `_wants_answer` asks for the next when the session tells its end.
    """

    def __init__(self, *, is_relayed: bool = False) -> None:
        """Stand before a session.

        Args:
            is_relayed: whether another server answers, which knows GA and no temperature.
        """
        self._is_relayed = is_relayed
        self._session: dict[str, Any] = {}
        """As the server last told it."""
        self._is_asked = False
        self._answer_id: str | None = None
        self._wants_answer = False
        self._is_speaking = False
        self._latency = _Latency()
        self._sounding_id = ""
        """The answer that the client hears, or heard last."""
        self._sounded: list[_Sounded] = []
        """What it was sent of that."""
        self._partial: dict[str, str] = {}
        """The words so far of what is being said, by item."""

    @property
    def _is_answering(self) -> bool:
        return self._is_asked or self._answer_id is not None

    @property
    def rate_hz(self) -> int:
        """The rate of the audio, of both sides."""
        rate = _at(self._session, "audio", "output", "format", "rate")
        return rate if isinstance(rate, int) and rate > 0 else PCM_16K.rate

    # -------------------------------------------------------------------------------------------------- the client

    def receive_client(self, data: bytes, now: float) -> Passed:
        """Take one message of the client; its mistake is an `error` for it and changes nothing."""
        try:
            message = messages.read(data)
            match message:
                case messages.Audio():
                    return Passed(to_session=messages.append(message) if message.audio else ())
                case messages.Text():
                    return Passed(to_session=tuple(self._say(message.text, now)))
                case messages.Configure():
                    return Passed(to_session=(self._update(message.config),))
                case messages.Interrupt():
                    return Passed(to_session=tuple(self._interrupt(message.played_ms)))
        except ProtocolError as mistake:
            return Passed(to_client=(messages.error(mistake.code, mistake.message, mistake.param),))

    def _say(self, text: str, now: float) -> list[bytes]:
        self._latency.end_turn(now)
        item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}
        said = messages.frame("conversation.item.create", item=item)
        if self._is_answering:
            # Servers elsewhere refuse a new answer until they have told the end of the one that was cancelled.
            is_first = not self._wants_answer
            self._wants_answer = True
            return [self._cancel(), said] if is_first else [said]
        return [said, self._ask()]

    def _ask(self) -> bytes:
        self._is_asked, self._wants_answer = True, False
        return messages.frame("response.create", event_id=messages.ASKING)

    @staticmethod
    def _cancel() -> bytes:
        return messages.frame("response.cancel", event_id=messages.CANCELLING)

    def _interrupt(self, played_ms: int | None) -> list[bytes]:
        out = []
        if self._is_answering and not self._wants_answer:
            out.append(self._cancel())
        self._wants_answer = False
        if played_ms is not None:
            out += self._truncate(played_ms)
        return out

    def _truncate(self, played_ms: int) -> list[bytes]:
        """Return what cuts the answer to what was heard of it, which can be no more than was sent."""
        out, before_ms = [], 0.0
        for sounded in self._sounded:
            sent_ms = math.floor(sounded.ms)
            heard_ms = min(sent_ms, max(0, math.floor(played_ms - before_ms)))
            before_ms += sounded.ms
            if heard_ms < sent_ms:
                where = {"item_id": sounded.item_id, "content_index": sounded.content_index}
                out.append(messages.frame("conversation.item.truncate", **where, audio_end_ms=heard_ms))
                sounded.ms = heard_ms
        return out

    def _update(self, config: dict[str, Any]) -> bytes:
        rate = config.get("sample_rate", self.rate_hz)
        if rate != self.rate_hz and (self._is_answering or self._is_speaking):
            text = "Invalid 'config.sample_rate': it can be changed before and between turns, but not in one."
            raise ProtocolError("turn_under_way", text, "config.sample_rate")
        if self._is_relayed and "temperature" in config:
            text = "Invalid 'config.temperature': another server answers this model, and takes none."
            raise ProtocolError("unknown_parameter", text, "config.temperature")
        model = RELAYED_TRANSCRIPTION_MODEL if self._is_relayed else OWN_TRANSCRIPTION_MODEL
        transcribes = _at(self._session, "audio", "input", "transcription") is not None or not self._session
        return messages.session_update(config, None if transcribes else model)

    # ------------------------------------------------------------------------------------------------- the session

    def receive_session(self, data: bytes, now: float) -> Passed:
        """Take one GA frame of the session; what the small protocol has no word for is not told.

        A server elsewhere may say anything: what is missing or of another type there counts as not said.
        """
        delta = messages.peek(data)
        if delta is None:
            return Passed()
        match delta.type:
            case "response.output_audio.delta":
                return Passed(to_client=(self._sound(delta, now),))
            case "response.output_audio_transcript.delta" | "response.output_text.delta":
                self._latency.receive_delta(now, is_sound=False)
                return Passed(to_client=(messages.spliced(b'{"type":"text_delta","text":', delta.delta),))
            case "input_audio_buffer.speech_started":
                self._is_speaking = True
                return Passed(to_client=(messages.SPEECH_STARTED,))
            case "input_audio_buffer.speech_stopped":
                self._is_speaking = False
                self._latency.end_turn(now)
                return Passed(to_client=(messages.SPEECH_STOPPED,))
            case kind if kind in _FOLLOWED:
                return self._follow(kind, messages.event(data))
        return Passed()

    def _follow(self, kind: str, event: dict[str, Any]) -> Passed:
        """Take one of the events that come seldom."""
        match kind:
            case "session.created" | "session.updated":
                self._session = messages.object_of(event, "session")
                is_first = kind == "session.created"
                return Passed(to_client=(messages.session_ready(self._session, self.rate_hz),) if is_first else ())
            case "response.created":
                self._begin(messages.object_of(event, "response"))
                return Passed()
            case "response.done":
                return self._end(messages.object_of(event, "response"))
            case "error":
                return self._refused(messages.object_of(event, "error"))
            case _:
                return Passed(to_client=self._hear(kind.rsplit(".", 1)[1], event))

    def _sound(self, delta: messages.Delta, now: float) -> bytes:
        self._latency.receive_delta(now, is_sound=True)
        if str(delta.response_id) != self._sounding_id:
            self._sounding_id, self._sounded = str(delta.response_id), []
        last = self._sounded[-1] if self._sounded else None
        if last is None or (last.item_id, last.content_index) != (delta.item_id, delta.content_index):
            last = _Sounded(delta.item_id, delta.content_index, 0.0)
            self._sounded.append(last)
        last.ms += delta.audio_bytes * 500 / self.rate_hz
        return messages.spliced(b'{"type":"audio_delta","audio":', delta.delta)

    def _begin(self, response: dict[str, Any]) -> None:
        self._is_asked, self._answer_id = False, response.get("id")
        self._latency.begin_answer(is_written=response.get("output_modalities") == ["text"])

    def _end(self, response: dict[str, Any]) -> Passed:
        told = messages.response_done(response, self._latency.ms)
        if response.get("id") != self._answer_id:
            return Passed(to_client=told)
        self._answer_id = None
        return Passed((self._ask(),) if self._wants_answer else (), told)

    def _refused(self, mistake: dict[str, Any]) -> Passed:
        code, cause = messages.text_of(mistake, "code"), mistake.get("event_id")
        if cause == messages.CANCELLING and code == "response_cancel_not_active":
            # It ended while it was being cancelled.
            self._is_asked, self._answer_id = False, None
            return Passed(to_session=(self._ask(),) if self._wants_answer else ())
        if cause == messages.ASKING or cause is None:
            # Not every server tells which event it refuses; an answer that does begin says so itself.
            self._is_asked = False
        is_busy = code == "conversation_already_has_active_response" and self._answer_id is not None
        if cause == messages.ASKING and is_busy:
            # The session began to answer something that was said at the same moment.
            self._wants_answer = True
            return Passed(to_session=(self._cancel(),))
        code = code or messages.text_of(mistake, "type") or "error"
        text, param = messages.text_of(mistake, "message"), messages.text_of(mistake, "param")
        return Passed(to_client=(messages.error(code, text or code, param),))

    def _hear(self, what: str, event: dict[str, Any]) -> tuple[bytes, ...]:
        """Return what tells of the words of the user."""
        item_id = str(event.get("item_id"))
        if what == "delta":
            words = self._partial[item_id] = self._partial.get(item_id, "") + messages.text_of(event, "delta")
            while len(self._partial) > _PARTIALS:
                del self._partial[next(iter(self._partial))]
            return (messages.user_transcript(words.strip()),)
        self._partial.pop(item_id, None)
        if what == "completed":
            certainties = event.get("logprobs")
            listed = certainties if isinstance(certainties, list) else []
            return (messages.user_transcript(messages.text_of(event, "transcript").strip(), listed),)
        mistake = messages.object_of(event, "error")
        text = messages.text_of(mistake, "message") or "What was said could not be recognised."
        return (messages.error(messages.text_of(mistake, "code") or "transcription_failed", text),)


_FOLLOWED = frozenset(
    (
        "session.created",
        "session.updated",
        "response.created",
        "response.done",
        "error",
        *(f"conversation.item.input_audio_transcription.{what}" for what in ("delta", "completed", "failed")),
    )
)
"""Events that are read whole."""


def _at(value: Any, *path: str) -> Any:
    """Return what stands at a path of objects; None for nothing."""
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value
