"""Traces: when a session did what, and how long it took, as JSON lines for those sessions that ask for it.

Each line is a span with its begin and end in unix seconds; the first tells whose trace it is.  Times and counts alone
are written, and nothing of what was said, unless the operator wants that too: most SDKs ask for traces on behalf of
people who were never asked.  Called by `server.call`, which shows it every effect.
"""

from __future__ import annotations

import logging
import os
import re
from pathlib import Path
from typing import IO, Any

import msgspec

from ..core import events as ev
from ..core.effects import Answer, Effect, Send
from ..core.items import FunctionCall, FunctionCallOutput, InputAudio, InputImage, McpCall, Message, OutputAudio
from ..dialects import codec

_log = logging.getLogger("vivavoce.traces")

WORKFLOW = "realtime"
"""What a trace is called by that was given no name."""


class Tracing(msgspec.Struct, frozen=True):
    """What becomes of sessions that ask to be traced."""

    folder: Path
    """Where traces go, each in a folder of its workflow."""
    has_content: bool = False
    """Whether they hold what was said, and what was asked of functions and tools and came of it."""

    def open(self, session_id: str, began_unix: float) -> Trace:
        """Return a trace that has not begun, of a session whose time 0 was at so many unix seconds."""
        return Trace(self.folder, session_id, began_unix, has_content=self.has_content)


class Trace:
    """The trace of one session; nothing is written before the session asks for it."""

    def __init__(self, folder: Path, session_id: str, began_unix: float, *, has_content: bool = False) -> None:
        """Make a trace that has not begun.

        Args:
            folder: where traces go, each in a folder of its workflow.
            session_id: names the file.
            began_unix: unix seconds of session time 0.
            has_content: whether what was said is written too.
        """
        self._folder = folder
        self._has_content = has_content
        self._session_id = session_id
        self._began_unix = began_unix
        self._file: IO[bytes] | None = None
        self._is_over = False
        self._open: dict[tuple[str, str], dict[str, Any]] = {}
        """Spans that have not ended, by what they are and the id of what they are about."""

    def see(self, effects: list[Effect], now: float, tracing: str | dict[str, Any] | None) -> None:
        """Take note of what a session did.

        Args:
            effects: in their order.
            now: session time.
            tracing: the session's setting.
        """
        if tracing is None or self._is_over:
            return
        try:
            if self._file is None:
                self._begin(tracing, now)
            for effect in effects:
                match effect:
                    case Answer(prompt):
                        span = self._open.get(("response", prompt.response_id), {})
                        span["rounds"] = span.get("rounds", 0) + 1
                        span.setdefault("asked", self._unix(now))
                    case Send(event):
                        self._see_event(event, now)
        except OSError as error:
            # As with journals: the people who talk need the disk less than each other.
            _log.error("session %s is no longer traced: %s", self._session_id, error)
            self._is_over = True

    def close(self, now: float) -> None:
        """End the trace, and every span that has not ended."""
        if self._file is None:
            return
        try:
            if not self._is_over:
                for name, id_ in tuple(self._open):
                    self._end(name, id_, now, status="unfinished" if name != "session" else "closed")
            self._file.close()
        except OSError as error:
            _log.error("the end of session %s was not traced: %s", self._session_id, error)
        self._is_over = True

    # ------------------------------------------------------------------------------------------------ internals

    def _begin(self, tracing: str | dict[str, Any], now: float) -> None:
        asked = tracing if isinstance(tracing, dict) else {}
        workflow = str(asked.get("workflow_name") or WORKFLOW)
        folder = self._folder / (re.sub(r"[^A-Za-z0-9_-]+", "_", workflow)[:64].strip("_") or WORKFLOW)
        folder.mkdir(parents=True, exist_ok=True)
        number = os.open(folder / f"{self._session_id}.jsonl", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._file = os.fdopen(number, "wb")
        head = {"trace": self._session_id, "workflow_name": workflow, "group_id": asked.get("group_id")}
        self._write(head | {"metadata": asked.get("metadata"), "began": self._unix(now)})
        self._start("session", self._session_id, now)

    def _see_event(self, event: ev.ServerEvent, now: float) -> None:
        match event:
            case ev.SpeechStarted():
                self._start("turn", event.item_id, now)
            case ev.SpeechStopped():
                self._end("turn", event.item_id, now)
            case ev.BufferCommitted():
                self._start("transcription", event.item_id, now)
            case ev.TranscriptionCompleted():
                said = self._content(text=event.transcript)
                self._end("transcription", event.item_id, now, audio_seconds=round(event.seconds, 3), **said)
            case ev.TranscriptionFailedEvent():
                self._end("transcription", event.item_id, now, status=event.code)
            case ev.ResponseCreated():
                self._start("response", event.response.id, now)
            case ev.ResponseDone():
                usage = event.response.usage
                told = {} if usage is None else {k: v for k, v in msgspec.structs.asdict(usage).items() if v}
                said = self._content(text=[_words(item) for item in event.response.output if isinstance(item, Message)])
                self._end("response", event.response.id, now, status=event.response.status, usage=told, **said)
            case ev.TextDelta() | ev.TranscriptDelta():
                self._open.get(("response", event.response_id), {}).setdefault("first_text", self._unix(now))
            case ev.AudioDelta():
                self._open.get(("response", event.response_id), {}).setdefault("first_audio", self._unix(now))
            case ev.McpListToolsInProgress():
                self._start("list_tools", event.item_id, now)
            case ev.McpListToolsCompleted() | ev.McpListToolsFailed():
                self._end("list_tools", event.item_id, now, status=_outcome(event))
            case ev.McpCallInProgress():
                self._start("remote_tool", event.item_id, now)
            case ev.OutputItemDone(item=McpCall() as fetched):
                failure = None if fetched.error is None else fetched.error.message
                said = self._content(
                    server=fetched.server_label,
                    tool=fetched.name,
                    arguments=fetched.arguments,
                    output=fetched.output,
                    error=failure,
                )
                self._end("remote_tool", fetched.id, now, status="failed" if fetched.error else "completed", **said)
            case ev.OutputItemDone(item=FunctionCall() as call):
                said = self._content(arguments=call.arguments)
                self._start("function", call.call_id, now, function=call.name, **said)
            case ev.ItemAdded(item=FunctionCallOutput() as output):
                self._end("function", output.call_id, now, **self._content(output=output.output))
            case ev.ItemAdded(item=Message() as message) if self._has_content and message.role != "assistant":
                # What is spoken gets its words by its transcription.
                if words := _words(message):
                    at = self._unix(now)
                    self._write({"span": "message", "id": message.id, "began": at, "role": message.role, "text": words})
            case ev.Error():
                self._write({"span": "error", "began": self._unix(now), "code": event.code, "param": event.param})
            case _:
                pass

    def _content(self, **told: Any) -> dict[str, Any]:
        """Return what may be told of that."""
        return {name: value for name, value in told.items() if value is not None} if self._has_content else {}

    def _start(self, name: str, id_: str, now: float, **told: Any) -> None:
        self._open[name, id_] = {"span": name, "id": id_, "began": self._unix(now), **told}

    def _end(self, name: str, id_: str, now: float, **told: Any) -> None:
        span = self._open.pop((name, id_), None)
        if span is not None:
            self._write(span | {"ended": self._unix(now), **told})

    def _unix(self, now: float) -> float:
        return round(self._began_unix + now, 3)

    def _write(self, line: dict[str, Any]) -> None:
        assert self._file is not None
        self._file.write(codec.encode(line) + b"\n")


def _outcome(event: ev.ServerEvent) -> str:
    return "failed" if isinstance(event, ev.McpListToolsFailed) else "completed"


def _words(item: Message) -> str:
    """Return what a message says, as far as that is known."""
    found = []
    for part in item.content:
        match part:
            case InputAudio():
                found.append(part.words)
            case OutputAudio():
                found.append(part.transcript)
            case InputImage():
                found.append("(an image)")
            case _:
                found.append(part.text)
    return " ".join(filter(None, found))
