"""Having a text spoken on a line: one response at a time, watched until it is whole.

Each text is a response of its own, out of band where the server knows that, so that a long book does not fill the
session's context.  What arrives is handed on at once.  Called by `cli.render`.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from time import monotonic
from typing import Any

import msgspec

from ..core.errors import VivavoceError
from ..legs.line import Line, LineError, error_text
from .failure import Failure
from .line import configure
from .together import within

RATE_HZ = 24_000
BYTES_PER_SECOND = 2 * RATE_HZ
_FATAL_CODES = frozenset(
    {
        "insufficient_quota",
        "credit_balance_exhausted",
        "billing_hard_limit_reached",
        "account_deactivated",
        "invalid_api_key",
        "model_not_found",
        "content_filter",
    }
)
"""Causes that another attempt does not remove."""


class Manner(msgspec.Struct, frozen=True, kw_only=True):
    """How texts are spoken."""

    instructions: str
    voice: str = "ash"
    speed: float | None = None
    """None for the server's own."""
    max_output_tokens: int | None = None
    """Per response; None for the server's own."""
    temperature: float | None = None
    """None for the server's own; the GA shape has none."""
    answers: bool = False
    """Whether texts are answered rather than read out."""
    timeout: float = 60.0
    """Seconds for which the server may be silent while it owes something."""

    @property
    def session(self) -> dict[str, Any]:
        """The settings as a `session.update` asks for them."""
        speaking: dict[str, Any] = {"format": {"type": "audio/pcm", "rate": RATE_HZ}, "voice": self.voice}
        if self.speed is not None:
            speaking["speed"] = self.speed
        session: dict[str, Any] = {
            "type": "realtime",
            "output_modalities": ["audio"],
            "instructions": self.instructions,
            "audio": {"input": {"turn_detection": None}, "output": speaking},
        }
        if self.max_output_tokens is not None:
            session["max_output_tokens"] = self.max_output_tokens
        if self.temperature is not None:
            session["temperature"] = self.temperature
        return session


class Spoken(msgspec.Struct, kw_only=True):
    """One response: what came of having one text spoken."""

    text: str
    status: str = ""
    """As in `response.done`."""
    reason: str = ""
    """Why it is not complete."""
    transcript: str = ""
    """What the server says it spoke."""
    response_id: str = ""
    item_ids: list[str] = []
    event_ids: list[str] = []
    """Of our request, of `response.created` and of `response.done`."""
    audio_bytes: int = 0
    first_audio_s: float | None = None
    """Seconds from the request to the first audio."""
    seconds: float = 0.0
    """Seconds from the request to the end."""
    usage: dict[str, Any] | None = None


class NotSpoken(VivavoceError):
    """A text was not spoken to its end."""

    def __init__(self, message: str, *, again: bool) -> None:
        super().__init__(message)
        self.again = again
        """Whether another attempt may do better."""


class _NoSuchBand(VivavoceError):
    """The server knows no responses out of band."""


class Speaker:
    """Speaks texts on one line, one after another."""

    def __init__(self, line: Line, manner: Manner) -> None:
        self.line = line
        self._manner = manner
        self._out_of_band = True
        self._requests = 0

    async def begin(self) -> None:
        """Tell the server the manner of speaking.

        Raises:
            Failure: it does not accept it.
            LineError: the line broke.
        """
        await configure(self.line, self._manner.session, self._manner.timeout)
        told = ((self.line.session.get("audio") or {}).get("output") or {}).get("format")
        if isinstance(told, dict) and (told.get("type"), told.get("rate", RATE_HZ)) != ("audio/pcm", RATE_HZ):
            raise Failure(f"the server speaks {told.get('type')} at {told.get('rate')} Hz, not 24 kHz PCM")

    async def speak(self, text: str, hear: Callable[[bytes], None], said: Callable[[str], None]) -> Spoken:
        """Have `text` spoken; audio goes to `hear` and its words go to `said` as they arrive.

        Raises:
            NotSpoken: the response failed, or brought no audio.
            LineError: the line broke.
        """
        if self._out_of_band:
            try:
                return await self._respond(text, hear, said)
            except _NoSuchBand:
                self._out_of_band = False
        spoken = await self._respond(text, hear, said)
        for item_id in spoken.item_ids:
            await self.line.send({"type": "conversation.item.delete", "item_id": item_id})
        return spoken

    def _request(self, text: str) -> list[dict[str, Any]]:
        """Return the events that ask for `text`."""
        self._requests += 1
        item = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}
        create = {"type": "response.create", "event_id": f"speak_{self._requests}"}
        if self._out_of_band:
            response = {"conversation": "none", "input": [item], "metadata": {"request": str(self._requests)}}
            return [{**create, "response": response}]
        return [{"type": "conversation.item.create", "event_id": f"text_{self._requests}", "item": item}, create]

    async def _respond(self, text: str, hear: Callable[[bytes], None], said: Callable[[str], None]) -> Spoken:
        request = self._request(text)
        spoken = Spoken(text=text, event_ids=[event["event_id"] for event in request])
        began = monotonic()
        for event in request:
            await self.line.send(event)
        while not spoken.status:
            event = await self._next("audio")
            self._take(event, spoken)
            if event.get("response_id") != spoken.response_id or not spoken.response_id:
                continue
            match event["type"]:
                case "response.output_audio.delta":
                    if spoken.first_audio_s is None:
                        spoken.first_audio_s = monotonic() - began
                    pcm = decoded(event)
                    spoken.audio_bytes += len(pcm)
                    hear(pcm)
                case "response.output_audio_transcript.delta":
                    spoken.transcript += str(event.get("delta") or "")
                    said(str(event.get("delta") or ""))
        spoken.seconds = monotonic() - began
        return self._checked(spoken)

    def _take(self, event: dict[str, Any], spoken: Spoken) -> None:
        """Note what an event tells about the response as a whole."""
        match event["type"]:
            case "error":
                self._refused(event, spoken)
            case "response.created" if not spoken.response_id:
                spoken.response_id = str(event["response"].get("id"))
                spoken.event_ids.append(str(event.get("event_id")))
            case "conversation.item.added" if not self._out_of_band:
                spoken.item_ids.append(str(event["item"].get("id")))
            case "response.output_item.added" if self._out_of_band:
                spoken.item_ids.append(str(event["item"].get("id")))
            case "response.done" if event["response"].get("id") == spoken.response_id:
                response = event["response"]
                spoken.event_ids.append(str(event.get("event_id")))
                spoken.status = str(response.get("status") or "failed")
                spoken.reason = _reason(response.get("status_details"))
                spoken.usage = response.get("usage")

    def _refused(self, event: dict[str, Any], spoken: Spoken) -> None:
        """Decide what an error means for the response that is awaited."""
        error = event.get("error") or {}
        ours = error.get("event_id") in spoken.event_ids or (not error.get("event_id") and not spoken.response_id)
        if not ours:
            return  # about something else, such as an item that was already gone
        code = error.get("code")
        param = str(error.get("param") or "")
        about_band = any(name in param for name in ("conversation", "input", "metadata"))
        if self._out_of_band and (about_band or code in ("unknown_parameter", "invalid_value", "invalid_type")):
            raise _NoSuchBand(error_text(event))
        again = error.get("type") == "server_error" or code in ("rate_limit_exceeded", "inference_rate_limit_exceeded")
        raise NotSpoken(error_text(event), again=again)

    def _checked(self, spoken: Spoken) -> Spoken:
        """Return a response that is whole.

        Raises:
            NotSpoken: it is not.
        """
        if spoken.status != "completed":
            kept = self._manner.answers and self._manner.max_output_tokens and spoken.reason == "max_output_tokens"
            if not (kept and spoken.audio_bytes):
                again = spoken.reason not in _FATAL_CODES and spoken.reason.partition(":")[0] not in _FATAL_CODES
                raise NotSpoken(
                    f"the response ended {spoken.status} ({spoken.reason or 'no reason given'})", again=again
                )
        if not spoken.audio_bytes:
            raise NotSpoken("the response brought no audio", again=True)
        if spoken.audio_bytes % 2:
            raise NotSpoken("the audio ended in the middle of a sample", again=True)
        return spoken

    async def _next(self, awaited: str) -> dict[str, Any]:
        """Return the next event.

        Raises:
            LineError: the line broke, or the server was silent for too long.
        """
        try:
            return await within(self._manner.timeout, anext(self.line), awaited)
        except StopAsyncIteration:
            raise LineError("the line was closed", again=False) from None


def decoded(event: dict[str, Any]) -> bytes:
    """Return the audio of a `response.output_audio.delta`.

    Raises:
        NotSpoken: it has none that can be read.
    """
    try:
        return base64.b64decode(event["delta"], validate=True)
    except (binascii.Error, ValueError, KeyError, TypeError) as error:
        raise NotSpoken(f"the server sent audio that is not base64 ({error})", again=True) from error


def _reason(details: Any) -> str:
    """Return why a response ended as it did: its reason, or the code and message of its error."""
    if not isinstance(details, dict):
        return ""
    error = details.get("error")
    if isinstance(error, dict):
        return ": ".join(str(error[name]) for name in ("code", "message") if error.get(name))
    return str(details.get("reason") or "")
