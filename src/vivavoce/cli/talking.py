"""A spoken conversation seen from the user's end: sends what the microphone hears, plays what is answered.

When the user speaks while an answer plays, playing stops at once and the server is told how much was heard.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Callable
from time import monotonic
from typing import Any, Protocol

from ..legs.line import Line, error_text
from .captions import Captions
from .latency import Latencies
from .line import configure
from .player import FRAME_BYTES, FRAME_MS, Player
from .speech import RATE_HZ, decoded
from .together import together


class Source(Protocol):
    """Where the user's voice comes from."""

    def frames(self) -> AsyncIterator[bytes]:
        """Yield frames of 20 ms at the pace of speech; the conversation ends with the last one."""
        ...


class Conversation:
    """What is going on in a conversation, as its events tell."""

    def __init__(self, player: Player, captions: Captions, *, half_duplex: bool = False) -> None:
        self.player = player
        self.latencies = Latencies()
        self.commits = 0
        """Turns of the user so far."""
        self.answers = 0
        """Answers with sound or text so far."""
        self.is_user_speaking = False
        self.speech_ended_at: float | None = None
        """When the last sound of the latest speech was sent, as its source knows it; None to go by the server."""
        self.last_event_at = monotonic()
        self.news = asyncio.Event()
        """Set with every event."""
        self._captions = captions
        self._half_duplex = half_duplex
        self._silence_ms = 0
        self._told_end: float | None = None
        """When the end of the latest speech was sent, as the server tells it."""
        self._unanswered = False
        self._responses: set[str] = set()
        self._wordless: set[str] = set()
        self._cut: set[str] = set()
        self._user_text: dict[str, str] = {}
        self._answer_text: dict[str, str] = {}
        self._playing: str | None = None
        self._now: Callable[[], float] = monotonic

    @property
    def is_quiet(self) -> bool:
        """Whether nobody speaks and nothing is owed."""
        owed = self._unanswered or self._responses or self._wordless
        return not self.is_user_speaking and not owed and self.player.is_idle

    @property
    def played_ms(self) -> int:
        """How much was heard of the answer that plays; 0 when none does."""
        if self._playing is None or self.player.is_idle:
            return 0
        return self.player.heard(self._playing).heard_ms

    async def begin(self, line: Line, settings: dict[str, Any], timeout: float) -> None:
        """Tell the server the settings.

        Raises:
            Failure: it does not accept them.
            LineError: the line broke.
        """
        await configure(line, settings, timeout)
        detection = ((line.session.get("audio") or {}).get("input") or {}).get("turn_detection") or {}
        self._silence_ms = int(detection.get("silence_duration_ms") or 0)

    async def hold(self, line: Line, source: Source) -> None:
        """Talk until the source ends.

        Raises:
            LineError: the line broke.
        """
        await together(self._send(line, source), self._read(line), self.player.run(), until_first=True)
        self._captions.clear()

    async def _send(self, line: Line, source: Source) -> None:
        sent_ms = 0
        async for frame in source.frames():
            if self._half_duplex and not self.player.is_idle:
                frame = bytes(FRAME_BYTES)  # so that the loudspeakers do not interrupt themselves
            await line.send({"type": "input_audio_buffer.append", "audio": base64.b64encode(frame).decode()})
            sent_ms += FRAME_MS
            self.latencies.sent(sent_ms, self._now())

    async def _read(self, line: Line) -> None:
        async for event in line:
            self.last_event_at = self._now()
            for reply in self.take(event):
                await line.send(reply)
            self.news.set()

    def take(self, event: dict[str, Any]) -> list[dict[str, Any]]:
        """Take in an event and return what is to be sent in answer to it."""
        match event["type"]:
            case "input_audio_buffer.speech_started":
                self.is_user_speaking = True
                return self._interrupt()
            case "input_audio_buffer.speech_stopped":
                self.is_user_speaking = False
                ended_ms = int(event.get("audio_end_ms") or 0) - self._silence_ms
                self._told_end = self.latencies.sent_at(ended_ms)
            case "input_audio_buffer.committed":
                self._committed(str(event.get("item_id")))
            case "error":
                self._captions.line(f"   ({error_text(event)})")
            case kind if kind.startswith("conversation.item.input_audio_transcription."):
                self._words(kind.rpartition(".")[2], event)
            case kind if kind.startswith("response."):
                self._answer(kind.removeprefix("response."), event)
        return []

    def _interrupt(self) -> list[dict[str, Any]]:
        """Stop playing, and tell how much of what was cut short was heard."""
        truncates: list[dict[str, Any]] = []
        for heard in self.player.clear():
            self._cut.add(heard.item_id)
            if told := self._answer_text.pop(heard.item_id, ""):
                self._captions.clear()
                self._captions.line(f"answer: {told} ...")
            self._captions.line(f"   (interrupted after {heard.heard_ms / 1000:.1f} s)")
            truncates.append(
                {
                    "type": "conversation.item.truncate",
                    "item_id": heard.item_id,
                    "content_index": 0,
                    "audio_end_ms": heard.heard_ms,
                }
            )
        self._playing = None
        return truncates

    def _committed(self, item_id: str) -> None:
        self.is_user_speaking = False
        self.commits += 1
        self._unanswered = True
        self._wordless.add(item_id)
        ended = self._told_end if self.speech_ended_at is None else self.speech_ended_at
        self.speech_ended_at = self._told_end = None
        self.latencies.committed(item_id, ended, self._now())

    def _words(self, kind: str, event: dict[str, Any]) -> None:
        item_id = str(event.get("item_id"))
        if kind == "delta":
            self._user_text[item_id] = self._user_text.get(item_id, "") + str(event.get("delta") or "")
            self._captions.partial(f"you: {self._user_text[item_id]}")
            return
        self._wordless.discard(item_id)
        self._user_text.pop(item_id, None)
        if kind == "completed":
            self.latencies.transcribed(item_id, self._now())
            self._captions.clear()
            self._captions.line(f"you: {event.get('transcript') or '(nothing understood)'}")
        elif kind == "failed":
            self._captions.line(f"you: ({(event.get('error') or {}).get('message') or 'not understood'})")

    def _answer(self, kind: str, event: dict[str, Any]) -> None:
        item_id, response_id = str(event.get("item_id")), str(event.get("response_id"))
        match kind:
            case "created":
                self._unanswered = False
                self._responses.add(str(event["response"].get("id")))
                self.latencies.responding(str(event["response"].get("id")))
            case "output_audio.delta" if item_id not in self._cut:
                self.latencies.audio(response_id, self._now())
                self._playing = item_id
                self.player.push(item_id, decoded(event))
            case "output_audio.done":
                self.player.end(item_id)
            case "output_audio_transcript.delta" | "output_text.delta" if item_id not in self._cut:
                self._answer_text[item_id] = self._answer_text.get(item_id, "") + str(event.get("delta") or "")
                self._captions.partial(f"answer: {self._answer_text[item_id]}")
            case "output_audio_transcript.done" | "output_text.done" if item_id not in self._cut:
                text = event.get("transcript") or event.get("text") or self._answer_text.get(item_id, "")
                self._answer_text.pop(item_id, None)
                self._captions.clear()
                self._captions.line(f"answer: {text}")
            case "done":
                self._done(event["response"])

    def _done(self, response: dict[str, Any]) -> None:
        response_id = str(response.get("id"))
        self._responses.discard(response_id)
        turn = self.latencies.answered(response_id)
        if turn is not None and turn.first_audio is not None:
            self._captions.line(turn.line())
        if response.get("status") == "completed":
            self.answers += 1
        elif response.get("status") in ("failed", "incomplete"):
            details = response.get("status_details") or {}
            error = details.get("error") or {}
            self._captions.line(f"   (the answer failed: {error.get('message') or details.get('reason')})")


def talk_settings(
    instructions: str,
    voice: str,
    speed: float | None,
    transcription: str,
    detection: dict[str, Any] | None,
    modality: str = "audio",
) -> dict[str, Any]:
    """Return the settings of a conversation as a `session.update` asks for them."""
    pcm = {"type": "audio/pcm", "rate": RATE_HZ}
    speaking: dict[str, Any] = {"format": pcm, "voice": voice}
    if speed is not None:
        speaking["speed"] = speed
    hearing = {"format": pcm, "transcription": {"model": transcription}, "turn_detection": detection}
    return {
        "type": "realtime",
        "output_modalities": [modality],
        "instructions": instructions,
        "audio": {"input": hearing, "output": speaking},
    }
