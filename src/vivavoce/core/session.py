"""The session: a pure state machine between clients, ears and a brain.

Tell it what happened and when, and do what it returns, in that order:

    effects = session.start(now)
    effects = session.receive_event(event, now)      a client spoke (its mistake: an `error` event and no change)
    effects = session.receive_report(report, now)    an engine or a leg reports
    effects = session.receive_time(now)              the deadline passed
    session.deadline                                 when to call `receive_time`

`now` is session time: seconds since its start.  Nothing here knows a clock, a thread, a socket or JSON.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

import msgspec

from . import events as ev
from .accounts import Accounts
from .answering import Answering
from .consequences import Consequences
from .conversation import Conversation, duplicate, full, in_format, unused
from .effects import Charge, Close, Effect, Expect, Restore, Send
from .errors import ProtocolError
from .floor import Floor
from .items import FunctionCall, Item, ItemReference, McpApprovalResponse, Message
from .lifetime import Lifetime
from .limits import DEFAULT_LIMITS, Limits
from .listening import Listening
from .pictures import check_sight
from .prompting import Prompting
from .reports import (
    Answered,
    Argued,
    Broke,
    Called,
    Deafened,
    Exhausted,
    Heard,
    Overheard,
    Played,
    Report,
    Said,
    ToolFailed,
    ToolReturned,
    ToolsListed,
    ToolsUnavailable,
    Transcribed,
    TranscriptionFailed,
)
from .response import NewId, without_audio
from .service import DEFAULT_SERVICE, Service
from .settings import Settings, merge
from .states import SessionState
from .stored import for_one_response, with_prompt
from .tooling import Tooling
from .transcripts import check_languages
from .voice import Voice


class Session:
    """One conversation between a client and a brain."""

    def __init__(
        self,
        settings: Settings,
        *,
        new_id: NewId,
        created_unix: float,
        limits: Limits = DEFAULT_LIMITS,
        service: Service = DEFAULT_SERVICE,
    ) -> None:
        """Make a session that has not started.

        Args:
            settings: what the operator and the address of the connection decided.
            new_id: makes an id of a kind: `event`, `item`, `resp`, `sess`, `conv` or `call`.
            created_unix: unix seconds of session time 0.
            limits: what it may take.
            service: what the server offers.
        """
        self.id = new_id("sess")
        self.settings = settings
        self.limits = limits
        self.service = service
        self.conversation = Conversation(new_id("conv"), max_items=limits.items, max_audio_bytes=limits.audio_bytes)
        self._new_id = unused(new_id, self.conversation)
        self._expires_at = int(created_unix + limits.session_seconds)
        self._lifetime = Lifetime(limits)
        self._is_closed = False
        self._listening = Listening(
            settings, self.conversation, self._new_id, limits.buffer_bytes, service.abilities.languages
        )
        self._tooling = Tooling(self.conversation, self._new_id, can_call=service.abilities.calls_mcp)
        self.accounts = Accounts(service)
        """What it has cost."""
        self._answering = Answering(
            self.conversation,
            self._new_id,
            self._listening.is_pending,
            limits.parallel_responses,
            self._tooling,
            Prompting(self.id, self.conversation, service.abilities.context_tokens),
            self.accounts,
        )
        self._floor = Floor(self._listening, self._answering, self._new_id, service.interruption_mode)
        self._consequences = Consequences(self._answering, self.accounts, service.parting_words)
        self._voice = Voice(self._new_id)

    # ---------------------------------------------------------------------------------------------- the contract

    @property
    def deadline(self) -> float | None:
        """Session time at which `receive_time` is due; None once closed."""
        if self._is_closed:
            return None
        deadline = self._lifetime.deadline
        for at in (self._prompts_at, self._floor.due_at, self._consequences.over_at):
            if at is not None and at < deadline:
                deadline = at
        return deadline

    @property
    def _prompts_at(self) -> float | None:
        """Session time at which the user has been silent for too long after an answer; None where that is no matter."""
        idling = self._consequences.idling
        if not idling.is_waiting or self._listening.is_hearing or self._floor.is_held or self._answering.is_answering:
            return None
        return idling.due_at(self.settings.turn_detection)

    @property
    def is_closed(self) -> bool:
        """Whether it has asked for its end; nothing it is told has an effect any more."""
        return self._is_closed

    def start(self, now: float) -> list[Effect]:
        """Open the session."""
        self._lifetime.note_event(now)
        out: list[Effect] = [Send(ev.SessionCreated(self._event(), self._state()))]
        if self.settings.kind == "realtime":
            out.append(Send(ev.ConversationCreated(self._event(), self.conversation.id)))
        out += [Expect(self._listening.vocabulary), *self._listening.start()]
        return out + self._tooling.seek(self.settings.mcp_servers, now)

    def receive_event(self, event: ev.ClientEvent, now: float) -> list[Effect]:
        """Take in what a client sent."""
        if self._is_closed:
            return []
        self._lifetime.note_event(now)
        try:
            return self._with_consequences(self._HANDLERS[type(event)](self, event, now), now)
        except ProtocolError as mistake:
            mistake.event_id = event.event_id
            return self._refuse(mistake)

    def receive_mistake(self, mistake: ProtocolError, now: float) -> list[Effect]:
        """Take in that a client sent something that is no event."""
        if self._is_closed:
            return []
        self._lifetime.note_event(now)
        return self._refuse(mistake)

    def receive_report(self, report: Report, now: float) -> list[Effect]:
        """Take in what an engine or a leg reports; reports about what is over are ignored."""
        if self._is_closed:
            return []
        return self._with_consequences(self._HANDLERS[type(report)](self, report, now), now)

    def _with_consequences(self, effects: list[Effect], now: float) -> list[Effect]:
        """Return the effects of an input with what follows from them."""
        self._consequences.draw(effects, self.settings, now)
        if (fault := self.accounts.fault) is not None and not self._is_closed:
            effects += self._consequences.part(self.settings, now)
            if (over_at := self._consequences.over_at) is not None and now >= over_at:
                effects += self.close(now, fault)
        return effects

    def receive_time(self, now: float) -> list[Effect]:
        """Do what is due."""
        deadline = self.deadline
        if deadline is None or now < deadline:
            return []
        if (end := self._lifetime.end_at(now)) is not None:
            return self.close(now, end.error, 1001, end.reason)
        if self._floor.is_held:
            return self._with_consequences(self._turned(self._floor.receive_time(now), now), now)
        prompts_at = self._prompts_at
        is_prompting = prompts_at is not None and now >= prompts_at
        return self._with_consequences(self._prompt_again(now) if is_prompting else [], now)

    def _prompt_again(self, now: float) -> list[Effect]:
        """Answer the user's silence."""
        out = self._listening.time_out(self._consequences.idling.began_ms(self._listening.buffer.end), now)
        detection = self.settings.turn_detection
        if detection is not None and detection.create_response:
            out += self._answering.create_for_turn(self.settings, now)
        return out

    def _refuse(self, mistake: ProtocolError) -> list[Effect]:
        """Tell the client of its mistake."""
        error = ev.Error(self._event(), mistake.type, mistake.code, mistake.message, mistake.param, mistake.event_id)
        return [Send(error)]

    def close(self, now: float, error: ProtocolError, code: int = 4000, reason: str = "") -> list[Effect]:
        """End the session for a reason that the client is told."""
        out = self._refuse(error)
        out += self._answering.cancel_all(self.settings, now)
        out += self._tooling.drop_all()
        out += self._listening.discard_all()
        self._is_closed = True
        out.append(Close(code, reason or f"{error.type}.{error.code}"))
        return out

    def hang_up(self, now: float) -> list[Effect]:
        """Learn that the client is gone: what was used by then is charged, and that is all that is left to do."""
        if self._is_closed:
            return []
        self._is_closed = True
        return [end for end in self._answering.cancel_all(self.settings, now) if isinstance(end, Charge)]

    # -------------------------------------------------------------------------------------------- client events

    def _update(self, event: ev.SessionUpdate, now: float) -> list[Effect]:
        patch = with_prompt(event.session, self.service.prompts, "session")
        # The model stays that of the connection.  Another one is no mistake: SDKs repeat their default here whatever
        # the URL says, and would lose their instructions and tools with the rest of a refused update.
        patch.pop("model", None)
        settings = merge(self.settings, patch)
        self._check(settings)
        self.settings = settings
        out: list[Effect] = [Send(ev.SessionUpdated(self._event(), self._state()))]
        out += self._tooling.seek(settings.mcp_servers, now, is_named_anew="mcp_servers" in patch)
        out += self._listening.expect(self._tooling.vocabulary(settings))
        out += self._turned(self._floor.configure(settings, now), now)
        out += self._listening.configure(settings)
        return out

    def _check(self, settings: Settings) -> None:
        if settings.voice != self.settings.voice and self.has_spoken:
            raise ProtocolError(
                "cannot_update_voice", "Cannot update a conversation's voice if assistant audio is present."
            )
        if self.settings.tracing is not None and settings.tracing not in (None, self.settings.tracing):
            raise ProtocolError("invalid_parameter", "Tracing cannot be changed once it is enabled.", "session.tracing")
        self._tooling.check(settings, "session")
        if settings.transcription != self.settings.transcription:
            check_languages(settings.transcription, self.service.abilities.languages)

    @property
    def has_spoken(self) -> bool:
        """Whether the voice is fixed because the assistant was heard in it."""
        return self.conversation.has_spoken or self._answering.is_audible

    def _append(self, event: ev.InputAudioBufferAppend, now: float) -> list[Effect]:
        buffer = self._listening.buffer
        if self.limits.drops_oldest and not buffer.has_room(len(event.audio)):
            buffer.make_room(len(event.audio))
        if not buffer.has_room(len(event.audio)):
            limit = self.limits.buffer_bytes
            mistake = ProtocolError(
                "input_audio_buffer_full",
                f"The input audio buffer holds at most {limit} bytes; commit or clear it.",
                "audio",
                event_id=event.event_id,
            )
            return self.close(now, mistake)
        return self._listening.append(event.audio)

    def _commit(self, event: ev.InputAudioBufferCommit, now: float) -> list[Effect]:
        self._listening.check_commit()
        return self._turned(self._floor.commit(now), now) + self._listening.commit(now)

    def _clear(self, event: ev.InputAudioBufferClear, now: float) -> list[Effect]:
        return self._floor.clear(now) + self._listening.clear()

    def _clear_output(self, event: ev.OutputAudioBufferClear, now: float) -> list[Effect]:
        raise ProtocolError(
            "invalid_value",
            "output_audio_buffer.clear needs a connection whose audio the server plays, such as WebRTC or SIP.",
            "type",
        )

    def _create_item(self, event: ev.ConversationItemCreate, now: float) -> list[Effect]:
        item = self._taken(event.item, "item")
        if self.conversation.is_full:
            return self.close(now, full(self.limits.items, event.event_id))
        if not item.id:
            item = msgspec.structs.replace(item, id=self._new_id("item"))
        if isinstance(item, FunctionCall) and not item.call_id:
            item = msgspec.structs.replace(item, call_id=self._new_id("call"))
        self.conversation.check_insert(item, event.previous_item_id)
        if isinstance(item, McpApprovalResponse):
            self._answering.approvals.check(item)
        if self._listening.is_promised(item.id) or self._answering.is_open(item.id) or self._tooling.is_open(item.id):
            raise duplicate(item.id)
        previous = self.conversation.insert(item, now, event.previous_item_id)
        shown = without_audio(item)
        out: list[Effect] = [
            Send(ev.ItemAdded(self._event(), previous, shown)),
            Send(ev.ItemDone(self._event(), previous, shown)),
        ]
        if isinstance(item, Message):
            out += self._listening.recognise(item)
        elif isinstance(item, McpApprovalResponse):
            out += self._answering.decide(item, self.settings, now)
        return out

    def _taken(self, item: Item, path: str) -> Item:
        check_sight(item, self.service.abilities.sees_images, path)
        return in_format(item, self.settings.input_format)

    def _retrieve_item(self, event: ev.ConversationItemRetrieve, now: float) -> list[Effect]:
        item = self.conversation.retrieve(event.item_id)
        if isinstance(item, Message):
            size = sum(len(getattr(part, "audio", b"")) for part in item.content)
            if size > self.limits.retrieve_bytes:
                item = without_audio(item)
        return [Send(ev.ItemRetrieved(self._event(), item))]

    def _delete_item(self, event: ev.ConversationItemDelete, now: float) -> list[Effect]:
        self.conversation.delete(event.item_id)
        out: list[Effect] = [Send(ev.ItemDeleted(self._event(), event.item_id))]
        out += self._listening.forget(event.item_id)
        self._answering.approvals.forget(event.item_id)
        out += self._answering.ask_waiting(self.settings, now)
        return out

    def _truncate_item(self, event: ev.ConversationItemTruncate, now: float) -> list[Effect]:
        if not self._answering.cut(event.item_id, event.content_index, event.audio_end_ms):
            self.conversation.truncate(event.item_id, event.content_index, event.audio_end_ms)
        self._answering.note_cut(event.item_id, now)
        done = ev.ItemTruncated(self._event(), event.item_id, event.content_index, event.audio_end_ms)
        return [Send(done)]

    def _create_response(self, event: ev.ResponseCreate, now: float) -> list[Effect]:
        if event.input is not None:
            given = [
                item if isinstance(item, ItemReference) else self._taken(item, f"response.input[{index}]")
                for index, item in enumerate(event.input)
            ]
            event = msgspec.structs.replace(event, input=tuple(given))
        event = msgspec.structs.replace(event, response=for_one_response(event.response, self.service.prompts))
        return self._answering.create(event, self.settings, now)

    def _cancel_response(self, event: ev.ResponseCancel, now: float) -> list[Effect]:
        return self._answering.cancel(event.response_id, self.settings, now)

    # -------------------------------------------------------------------------------------------------- reports

    def _heard(self, report: Heard, now: float) -> list[Effect]:
        out = self._turned(self._floor.receive_frame(report, self.settings, now), now)
        return out + self._voice.receive_frame(report, self.settings) if self.settings.include else out

    def _overheard(self, report: Overheard, now: float) -> list[Effect]:
        return self._turned(self._floor.receive_words(report, now), now)

    def _turned(self, out: list[Effect], now: float) -> list[Effect]:
        """Return the effects with what follows from the beginning and the end of turns in them."""
        if not out:
            return out
        detection = self.settings.turn_detection
        if detection is None or self.settings.kind == "transcription":
            return out
        for effect in tuple(out):
            match effect:
                case Send(ev.SpeechStarted()) if detection.interrupt_response:
                    out += self._answering.interrupt(self.settings, now)
                case Send(ev.BufferCommitted()) if detection.create_response:
                    out += self._answering.create_for_turn(self.settings, now)
                case Restore():
                    self._consequences.idling.restart(now)
        return out

    def _transcribed(self, report: Transcribed | TranscriptionFailed, now: float) -> list[Effect]:
        return self._listening.receive_text(report) + self._answering.receive_text(report, self.settings, now)

    def _deafened(self, report: Deafened, now: float) -> list[Effect]:
        """End the session: to go on in silence would look as if nobody spoke."""
        fault = ProtocolError("engine_error", f"The server cannot hear any more: {report.message}", type="server_error")
        return self.close(now, fault, 1011, "the server cannot hear any more")

    def _replied(self, report: Said | Called | Argued | Answered | Broke, now: float) -> list[Effect]:
        out = self._answering.receive_report(report, self.settings, now)
        out += self._floor.expect_echo(out, self.settings, now)
        return out

    def _listed(self, report: ToolsListed | ToolsUnavailable, now: float) -> list[Effect]:
        out = self._tooling.receive(report, now)
        out += self._listening.expect(self._tooling.vocabulary(self.settings))
        return out + self._answering.ask_waiting(self.settings, now)

    def _fetched(self, report: ToolReturned | ToolFailed, now: float) -> list[Effect]:
        return self._answering.receive_tool(report, self.settings, now)

    def _exhausted(self, report: Exhausted, now: float) -> list[Effect]:
        self.accounts.exhaust(report.message)
        return []

    def _played(self, report: Played, now: float) -> list[Effect]:
        """A leg that plays audio says how much of an interrupted message was heard."""
        item = self.conversation.find(report.item_id)
        if not isinstance(item, Message) or self._answering.is_open(report.item_id):
            return []
        try:
            self.conversation.truncate(report.item_id, 0, report.audio_ms)
        except ProtocolError:  # it was shortened further meanwhile, or is no audio: nothing to tell
            return []
        return [Send(ev.ItemTruncated(self._event(), report.item_id, 0, report.audio_ms))]

    _HANDLERS: ClassVar[dict[type, Callable[..., list[Effect]]]] = {
        ev.SessionUpdate: _update,
        ev.InputAudioBufferAppend: _append,
        ev.InputAudioBufferCommit: _commit,
        ev.InputAudioBufferClear: _clear,
        ev.OutputAudioBufferClear: _clear_output,
        ev.ConversationItemCreate: _create_item,
        ev.ConversationItemRetrieve: _retrieve_item,
        ev.ConversationItemDelete: _delete_item,
        ev.ConversationItemTruncate: _truncate_item,
        ev.ResponseCreate: _create_response,
        ev.ResponseCancel: _cancel_response,
        Heard: _heard,
        Overheard: _overheard,
        Transcribed: _transcribed,
        TranscriptionFailed: _transcribed,
        Deafened: _deafened,
        Said: _replied,
        Called: _replied,
        Argued: _replied,
        Answered: _replied,
        Broke: _replied,
        ToolsListed: _listed,
        ToolsUnavailable: _listed,
        ToolReturned: _fetched,
        ToolFailed: _fetched,
        Played: _played,
        Exhausted: _exhausted,
    }
    """What takes in each event and report.  Of the class, so that a session has no reference to itself."""

    # ------------------------------------------------------------------------------------------------ internals

    def _event(self) -> str:
        return self._new_id("event")

    def _state(self) -> SessionState:
        return SessionState(self.id, self._expires_at, self.settings)
