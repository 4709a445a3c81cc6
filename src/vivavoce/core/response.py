"""A response: one answer, from `response.created` to exactly one `response.done`.

States: in_progress -> completed | cancelled | incomplete | failed.  Inside it at most one item is open at a time, a
message with one part or a function call.  The methods return the events to send, always in the only legal order;
whatever ends the response closes the open item first, so every `added` gets its `done`.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from . import events as ev
from .conversation import Conversation, check_audio_end, check_content_index, not_audio, truncated
from .items import FunctionCall, Item, ItemStatus, McpCall, McpFault, Message, OutputAudio, OutputText, WordMark
from .reports import Argued, Called, Said
from .settings import ResponseSettings
from .states import ResponseState, StatusDetails, Usage
from .usage import output_audio_tokens, text_tokens

NewId = Callable[[str], str]

MAX_DELTA_BYTES = 512 * 1024
"""Audio in one event: clients refuse frames over 1 MiB, and base64 makes a third more of it.  Even, so that no sample
is cut."""


class _Speaking:
    """The message that is being spoken or written."""

    __slots__ = ("audio", "audio_bytes", "cut_ms", "id", "index", "text", "words")

    def __init__(self, id: str, index: int) -> None:  # noqa: A002
        self.id = id
        self.index = index
        self.text: list[str] = []
        self.audio: list[bytes] = []
        self.audio_bytes = 0
        self.words: list[WordMark] = []
        self.cut_ms: int | None = None


class _Calling:
    """The function call whose arguments are coming."""

    __slots__ = ("arguments", "call_id", "id", "index", "name")

    def __init__(self, id: str, index: int, call_id: str, name: str) -> None:  # noqa: A002
        self.id = id
        self.index = index
        self.call_id = call_id
        self.name = name
        self.arguments: list[str] = []


class _Fetching:
    """The call of a remote tool, until it has returned."""

    __slots__ = ("approval_request_id", "arguments", "id", "index", "is_running", "label", "name")

    def __init__(self, id: str, index: int, label: str, name: str, approval_request_id: str | None) -> None:  # noqa: A002
        self.id = id
        self.index = index
        self.label = label
        self.name = name
        self.approval_request_id = approval_request_id
        self.arguments: list[str] = []
        self.is_running = False

    def item(self, status: ItemStatus, outcome: str | McpFault | None = None) -> McpCall:
        output, error = (None, outcome) if isinstance(outcome, McpFault) else (outcome, None)
        arguments = "".join(self.arguments)
        if self.is_running:
            arguments = arguments or "{}"
        return McpCall(self.id, self.label, self.name, arguments, self.approval_request_id, output, error, status)


class Response:
    """One answer under way."""

    def __init__(
        self,
        id: str,  # noqa: A002 - the wire name
        settings: ResponseSettings,
        conversation: Conversation | None,
        metadata: dict[str, str] | None,
        new_id: NewId,
    ) -> None:
        self.id = id
        self.settings = settings
        self.conversation = conversation
        self.metadata = metadata
        self._new_id = new_id
        self._open: _Speaking | _Calling | _Fetching | None = None
        self._output: list[Item] = []
        self._tokens = 0
        """Of all but the audio of the message under way."""
        self._done = False
        self._is_audible = False
        self.bytes_per_ms = settings.output_format.bytes_per_ms
        """What a millisecond of its audio takes."""
        self._max_tokens = settings.max_output_tokens
        self._is_written = settings.output_modalities == ("text",)

    @property
    def is_done(self) -> bool:
        """Whether `response.done` was returned."""
        return self._done

    @property
    def output(self) -> tuple[Item, ...]:
        """The items that are final."""
        return tuple(self._output)

    @property
    def is_over_limit(self) -> bool:
        """Whether it has used up its `max_output_tokens`."""
        limit = self._max_tokens
        if limit is None:
            return False
        spoken = output_audio_tokens(self._audio_ms(self._open)) if isinstance(self._open, _Speaking) else 0
        return self._tokens + spoken >= limit

    @property
    def is_audible(self) -> bool:
        """Whether it has produced any audio."""
        return self._is_audible

    def created(self) -> ev.ResponseCreated:
        """Return the event that opens it."""
        return ev.ResponseCreated(self._event(), self._state("in_progress"))

    def say(self, said: Said, now: float) -> list[ev.ServerEvent]:
        """Add text and audio to the present message, beginning one where there is none."""
        out: list[ev.ServerEvent] = []
        audio = b"" if self._is_written else said.audio
        if not said.text and not audio:
            return out
        speaking = self._open
        if not isinstance(speaking, _Speaking):
            out += self._close("completed")
            speaking = self._begin_message(out, now)
        if said.text:
            speaking.text.append(said.text)
            kind = ev.TextDelta if self._is_written else ev.TranscriptDelta
            out.append(kind(self._event(), self.id, speaking.id, speaking.index, 0, said.text))
            self._tokens += text_tokens(said.text)
        if audio:
            speaking.audio.append(audio)
            speaking.audio_bytes += len(audio)
            self._is_audible = True
            speaking.words += said.words
            for at in range(0, len(audio), MAX_DELTA_BYTES):
                piece = audio[at : at + MAX_DELTA_BYTES]
                out.append(ev.AudioDelta(self._event(), self.id, speaking.id, speaking.index, 0, piece))
        return out

    def call(self, called: Called, now: float) -> list[ev.ServerEvent]:
        """Begin a function call."""
        out = self._close("completed")
        call_id = called.call_id or self._new_id("call")
        self._open = calling = _Calling(self._new_id("item"), len(self._output), call_id, called.name)
        item = FunctionCall(calling.id, call_id, called.name, "", "in_progress")
        self._add(out, calling.index, item, now)
        return out

    def argue(self, argued: Argued) -> list[ev.ServerEvent]:
        """Add to the arguments of the present call; without one there is nothing to add to."""
        calling = self._open
        if not isinstance(calling, _Calling | _Fetching) or not argued.delta:
            return []
        calling.arguments.append(argued.delta)
        self._tokens += text_tokens(argued.delta)
        if isinstance(calling, _Fetching):
            return [ev.McpArgumentsDelta(self._event(), self.id, calling.id, calling.index, argued.delta)]
        return [ev.ArgumentsDelta(self._event(), self.id, calling.id, calling.index, calling.call_id, argued.delta)]

    def call_remote(
        self, item_id: str, label: str, name: str, approval_request_id: str | None, now: float
    ) -> list[ev.ServerEvent]:
        """Begin the call of a remote tool."""
        out = self._close("completed")
        self._open = fetching = _Fetching(item_id, len(self._output), label, name, approval_request_id)
        self._add(out, fetching.index, fetching.item("in_progress"), now)
        return out

    def run_remote(self) -> list[ev.ServerEvent]:
        """Tell that the present remote call has all its arguments and runs."""
        fetching = self._open
        assert isinstance(fetching, _Fetching)
        fetching.is_running = True
        where = (fetching.id, fetching.index)
        return [
            ev.McpArgumentsDone(self._event(), self.id, *where, fetching.item("in_progress").arguments),
            ev.McpCallInProgress(self._event(), *where),
        ]

    def end_remote(self, outcome: str | McpFault) -> list[ev.ServerEvent]:
        """End the present remote call with what the tool returned, or with why it did not."""
        fetching = self._open
        assert isinstance(fetching, _Fetching)
        kind = ev.McpCallFailed if isinstance(outcome, McpFault) else ev.McpCallCompleted
        self._open = None
        return [kind(self._event(), fetching.id, fetching.index), *self._settle(fetching.item("completed", outcome))]

    def put(self, item: Item, now: float) -> list[ev.ServerEvent]:
        """Add an item that is final from the beginning."""
        out = self._close("completed")
        self._add(out, len(self._output), item, now)
        return out + self._settle(item)

    def is_open(self, item_id: str) -> bool:
        """Return whether that item is the one under way, of whatever kind."""
        return self._open is not None and self._open.id == item_id

    def is_speaking(self, item_id: str) -> bool:
        """Return whether that item is the message under way."""
        return isinstance(self._open, _Speaking) and self._open.id == item_id

    @property
    def speaking(self) -> OutputAudio | None:
        """The spoken message under way as far as it was made, without its audio; None while there is none."""
        speaking = self._open
        if not isinstance(speaking, _Speaking) or self._is_written:
            return None
        return OutputAudio("".join(speaking.text), audio_ms=self._audio_ms(speaking), words=tuple(speaking.words))

    @property
    def speaking_id(self) -> str | None:
        """The id of the spoken message under way, None while there is none."""
        return self._open.id if isinstance(self._open, _Speaking) and not self._is_written else None

    def cut(self, content_index: int, audio_end_ms: int) -> None:
        """Keep only so much of the message under way once it is done.

        Raises:
            ProtocolError: it is not spoken, or less than that was made so far.
        """
        speaking = self._open
        assert isinstance(speaking, _Speaking)
        check_content_index(content_index, 1)
        if self._is_written:
            raise not_audio()
        check_audio_end(audio_end_ms, self._audio_ms(speaking))
        speaking.cut_ms = audio_end_ms if speaking.cut_ms is None else min(speaking.cut_ms, audio_end_ms)

    def finish(
        self, status: str, details: StatusDetails | None, usage: Callable[[tuple[Item, ...]], Usage]
    ) -> list[ev.ServerEvent]:
        """End it: close what is open, then `response.done`."""
        out = self._close("completed" if status == "completed" else "incomplete")
        self._done = True
        state = self._state(status, tuple(without_audio(i) for i in self._output), details, usage(self.output))
        out.append(ev.ResponseDone(self._event(), state))
        return out

    # ------------------------------------------------------------------------------------------------ internals

    def _event(self) -> str:
        return self._new_id("event")

    def _audio_ms(self, speaking: _Speaking) -> int:
        return speaking.audio_bytes // self.bytes_per_ms

    def _state(
        self,
        status: str,
        output: tuple[Item, ...] = (),
        details: StatusDetails | None = None,
        usage: Usage | None = None,
    ) -> ResponseState:
        conversation_id = None if self.conversation is None else self.conversation.id
        return ResponseState(self.id, status, self.settings, conversation_id, output, details, usage, self.metadata)

    def _begin_message(self, out: list[ev.ServerEvent], now: float) -> _Speaking:
        self._open = speaking = _Speaking(self._new_id("item"), len(self._output))
        self._add(out, speaking.index, Message(speaking.id, "assistant", (), "in_progress"), now)
        part = OutputText("") if self._is_written else OutputAudio()
        out.append(ev.PartAdded(self._event(), self.id, speaking.id, speaking.index, 0, part))
        return speaking

    def _add(self, out: list[ev.ServerEvent], index: int, item: Item, now: float) -> None:
        out.append(ev.OutputItemAdded(self._event(), self.id, index, item))
        if self.conversation is not None:
            previous = self.conversation.insert(item, now)
            out.append(ev.ItemAdded(self._event(), previous, item))

    def _close(self, status: ItemStatus) -> list[ev.ServerEvent]:
        """End the open item, if there is one."""
        match self._open:
            case _Speaking() as speaking:
                out, item = self._close_message(speaking, status)
            case _Calling() as calling:
                out, item = self._close_call(calling, status)
            case _Fetching() as fetching:
                # Nothing but the end of the response closes one: what runs was ended by then.
                out, item = [], fetching.item("incomplete")
            case None:
                return []
        self._open = None
        return out + self._settle(item)

    def _settle(self, item: Item) -> list[ev.ServerEvent]:
        """Make an item final."""
        self._output.append(item)
        shown = without_audio(item)
        out: list[ev.ServerEvent] = [ev.OutputItemDone(self._event(), self.id, len(self._output) - 1, shown)]
        if self.conversation is not None:
            self.conversation.replace(item)
            out.append(ev.ItemDone(self._event(), self.conversation.previous_id(item.id), shown))
        return out

    def _close_message(self, speaking: _Speaking, status: ItemStatus) -> tuple[list[ev.ServerEvent], Item]:
        self._tokens += output_audio_tokens(self._audio_ms(speaking))
        where = (self.id, speaking.id, speaking.index, 0)
        text = "".join(speaking.text)
        if self._is_written:
            written = OutputText(text)
            out: list[ev.ServerEvent] = [
                ev.TextDone(self._event(), *where, text),
                ev.PartDone(self._event(), *where, written),
            ]
            return out, Message(speaking.id, "assistant", (written,), status)
        spoken = OutputAudio(
            text,
            b"".join(speaking.audio),
            self.settings.output_format,
            self._audio_ms(speaking),
            tuple(speaking.words),
        )
        out = [
            ev.AudioDone(self._event(), *where),
            ev.TranscriptDone(self._event(), *where, text),
            ev.PartDone(self._event(), *where, msgspec.structs.replace(spoken, audio=b"")),
        ]
        if speaking.cut_ms is not None:
            spoken = truncated(spoken, speaking.cut_ms)
        return out, Message(speaking.id, "assistant", (spoken,), status)

    def _close_call(self, calling: _Calling, status: ItemStatus) -> tuple[list[ev.ServerEvent], Item]:
        arguments = "".join(calling.arguments)
        if status != "completed":
            # No `arguments.done`: clients run the function as soon as they see one.
            return [], FunctionCall(calling.id, calling.call_id, calling.name, arguments, status)
        arguments = arguments or "{}"
        done = ev.ArgumentsDone(
            self._event(), self.id, calling.id, calling.index, calling.call_id, calling.name, arguments
        )
        return [done], FunctionCall(calling.id, calling.call_id, calling.name, arguments, status)


def without_audio(item: Item) -> Item:
    """Return the item as events show it: its audio travels in deltas and in `retrieved` alone."""
    if not isinstance(item, Message) or not any(getattr(part, "audio", b"") for part in item.content):
        return item
    content = tuple(
        msgspec.structs.replace(part, audio=b"") if getattr(part, "audio", b"") else part for part in item.content
    )
    return msgspec.structs.replace(item, content=content)
