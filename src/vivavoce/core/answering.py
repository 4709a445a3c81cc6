"""The output side of a session: its responses, when each may be asked of the brain, and how each ends.

At most one response belongs to the conversation at a time; those out of band run beside it.  A response is announced
at once and asked of the brain when the words of all audio in its context are known.  Cancelling is a fact: the
response ends in the same call, and whatever the brain still sends carries a dead id.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from . import events as ev
from .accounts import Accounts
from .approvals import Approvals
from .context import TOO_LONG
from .conversation import Conversation, Entry
from .effects import Abandon, Answer, ClearPlayout, Discard, Effect, Send
from .errors import ProtocolError
from .follow_ups import FollowUps
from .formats import AudioFormat
from .items import McpApprovalResponse, Message, OutputAudio
from .playing import Playing
from .prompting import Prompting
from .remote import MAX_ROUNDS, RemoteCall, RemoteCalls
from .reply import Reply
from .reports import (
    Answered,
    Argued,
    Broke,
    Called,
    Said,
    ToolFailed,
    ToolReturned,
    Transcribed,
    TranscriptionFailed,
)
from .response import NewId, Response
from .settings import Settings, for_response
from .states import StatusDetails, Usage
from .tooling import Tooling
from .usage import of_rounds

RATE_LIMIT_TOKENS = 10_000_000
"""What clients are told they may use; there is no such limit here, and no client is known to need the number."""


class Answering:
    """The responses of one session."""

    def __init__(
        self,
        conversation: Conversation,
        new_id: NewId,
        is_unheard: Callable[[str], bool],
        max_parallel: int,
        tooling: Tooling,
        prompting: Prompting,
        accounts: Accounts,
    ) -> None:
        """Make the output side.

        Args:
            conversation: where replies go.
            new_id: makes ids.
            is_unheard: whether the words of an item are still awaited.
            max_parallel: the most responses that may be under way at once.
            tooling: what remote tools there are.
            prompting: makes the prompts.
            accounts: what things cost.
        """
        self._conversation = conversation
        self._prompting = prompting
        self._accounts = accounts
        self._new_id = new_id
        self._is_unheard = is_unheard
        self._max_parallel = max_parallel
        self._tooling = tooling
        self.approvals = Approvals(conversation, new_id)
        """The calls of remote tools that the client has to approve."""
        self._follow_ups = FollowUps(conversation, new_id)
        self._replies: dict[str, Reply] = {}
        self._main: str | None = None
        """The id of the response that belongs to the conversation."""
        self.playing = Playing()
        """What the client plays of the conversation."""
        self._owes_reply = False
        """Whether a turn ended while a response was under way, and is to be answered after it."""

    @property
    def is_answering(self) -> bool:
        """Whether a response of the conversation is under way."""
        return self._main is not None

    @property
    def is_busy(self) -> bool:
        """Whether any response is under way."""
        return bool(self._replies)

    def played_format(self, response_id: str) -> AudioFormat | None:
        """Return how a response under way is spoken to the user; None for one that is not the conversation's."""
        return self._replies[response_id].response.settings.output_format if response_id == self._main else None

    @property
    def is_audible(self) -> bool:
        """Whether any response under way has produced audio for the conversation."""
        main = self._replies.get(self._main or "")
        return main is not None and main.response.is_audible

    def is_open(self, item_id: str) -> bool:
        """Return whether an item of a response is still under way, or promised."""
        return any(reply.response.is_open(item_id) or reply.calls.owns(item_id) for reply in self._replies.values())

    # ----------------------------------------------------------------------------------------------- the client

    def create(self, event: ev.ResponseCreate, settings: Settings, now: float) -> list[Effect]:
        """Begin a response that the client asks for.

        Raises:
            ProtocolError: there is one already, or its settings cannot be used.
        """
        self._accounts.check()
        if self._main is None and self._follow_ups.take(event, now):
            return self._follow_ups.empty(event, settings)
        is_main = event.conversation != "none"
        if event.conversation not in ("auto", "none", self._conversation.id):
            raise ProtocolError(
                "invalid_value",
                f"Invalid value: '{event.conversation}'. Supported values are: 'auto' and 'none'.",
                "response.conversation",
            )
        if is_main and self._main is not None:
            raise ProtocolError(
                "conversation_already_has_active_response",
                f"Conversation already has an active response in progress: {self._main}. "
                "Wait until the response is finished before creating a new one.",
            )
        if len(self._replies) >= self._max_parallel:
            raise ProtocolError(
                "rate_limit_exceeded",
                f"At most {self._max_parallel} responses may be in progress at once.",
                type="rate_limit_error",
            )
        context = self._prompting.context(event.input, now)
        chosen = for_response(settings, event.response)
        has_spoken = self._conversation.has_spoken or self.is_audible
        if is_main and chosen.voice != settings.voice and has_spoken:
            raise ProtocolError(
                "cannot_update_voice", "Cannot update a conversation's voice if assistant audio is present."
            )
        self._tooling.check(chosen, "response")
        conversation = self._conversation if is_main else None
        response = Response(self._new_id("resp"), chosen, conversation, event.metadata, self._new_id)
        approved = self.approvals.collect() if is_main and event.input is None else []
        out = self._tooling.seek(chosen.mcp_servers, now)
        return out + self._begin(response, context, approved, settings, now)

    def decide(self, item: McpApprovalResponse, settings: Settings, now: float) -> list[Effect]:
        """Take in a decision of the client, and run what it approved in a response of its own."""
        petition = self.approvals.decide(item)
        if petition is None or self._accounts.fault is not None:
            return []
        is_main = petition.context is None
        if (is_main and self._main is not None) or len(self._replies) >= self._max_parallel:
            self._owes_reply = self._owes_reply or is_main
            return []
        conversation, metadata = (self._conversation, None) if is_main else (None, petition.metadata)
        response = Response(self._new_id("resp"), petition.chosen, conversation, metadata, self._new_id)
        context = self._conversation.ids if petition.context is None else petition.context
        return self._begin(response, context, self.approvals.collect(petition), settings, now)

    def create_for_turn(self, settings: Settings, now: float) -> list[Effect]:
        """Answer a turn that just ended, after the response under way if there is one, while there is money for it."""
        if self._accounts.fault is not None:
            return []
        if self._main is not None or len(self._replies) >= self._max_parallel:
            self._owes_reply = True
            return []
        self._follow_ups.forget()
        return self.create(ev.ResponseCreate(response={}), settings, now)

    def part(self, words: str, settings: Settings, now: float) -> list[Effect]:
        """Say the last words of a session, which are the server's own."""
        nothing: dict[str, Any] = {"tools": (), "mcp_servers": (), "tool_choice": "none", "max_output_tokens": None}
        chosen = for_response(settings, nothing)
        response = Response(self._new_id("resp"), chosen, self._conversation, None, self._new_id)
        self._replies[response.id] = Reply(response, (), RemoteCalls(response, self._new_id), asked=(Usage(),))
        self._main = response.id
        prompt = self._prompting.verbatim(response, words, settings, now)
        return [Send(response.created()), self._rate_limits(is_early=True), Answer(prompt)]

    def cancel(self, response_id: str | None, settings: Settings, now: float) -> list[Effect]:
        """End a response because the client wants it; without an id, that of the conversation.

        Raises:
            ProtocolError: it is not under way.
        """
        response_id = response_id or self._main
        if response_id is None or response_id not in self._replies:
            if self._main is None:
                # Clients mostly cancel an answer that is done and still playing: what they stop was not heard.
                self._hear(self._stop_playing(now))
            raise ProtocolError("response_cancel_not_active", "Cancellation failed: no active response found")
        is_main = response_id == self._main
        self._owes_reply = self._owes_reply and not is_main
        details = StatusDetails("cancelled", "client_cancelled")
        if not is_main:
            return [Abandon(response_id), *self._finish(response_id, "cancelled", details, settings, now)]
        played = self._stop_playing(now)
        out: list[Effect] = [Abandon(response_id), ClearPlayout()]
        out += self._finish(response_id, "cancelled", details, settings, now)
        self._hear(played)
        return out

    def interrupt(self, settings: Settings, now: float) -> list[Effect]:
        """End the conversation's response because the user speaks, and stop what is still being played."""
        self._owes_reply = False
        played = self._stop_playing(now)
        out: list[Effect] = [ClearPlayout()]
        if self._main is not None:
            out.insert(0, Abandon(self._main))
            details = StatusDetails("cancelled", "turn_detected")
            out += self._finish(self._main, "cancelled", details, settings, now)
        self._hear(played)
        return out

    def cancel_all(self, settings: Settings, now: float) -> list[Effect]:
        """End everything because the session ends."""
        self._owes_reply = False
        out: list[Effect] = []
        for response_id in tuple(self._replies):
            out.append(Abandon(response_id))
            details = StatusDetails("cancelled", "client_cancelled")
            out += self._finish(response_id, "cancelled", details, settings, now)
        return out

    def cut(self, item_id: str, content_index: int, audio_end_ms: int) -> bool:
        """Keep only so much of the conversation's message under way; return False when it is another one.

        Raises:
            ProtocolError: it is not spoken, or there is less of it so far.
        """
        main = self._replies.get(self._main or "")
        if main is None or item_id not in self._conversation or not main.response.is_speaking(item_id):
            return False
        main.response.cut(content_index, audio_end_ms)
        return True

    def note_cut(self, item_id: str, now: float) -> None:
        """Learn that the client truncated an item: if it was playing it, it plays nothing behind it either."""
        played = self.playing.unfinished(now)
        if item_id in played:
            self.playing.stop(now)
            self._hear({other: ms for other, ms in played.items() if other != item_id})

    # -------------------------------------------------------------------------------------------------- reports

    def receive_text(self, report: Transcribed | TranscriptionFailed, settings: Settings, now: float) -> list[Effect]:
        """Take in words that a response may have waited for."""
        for reply in self._replies.values():
            reply.understand(report.item_id, report.text if isinstance(report, Transcribed) else "")
        return self.ask_waiting(settings, now)

    def ask_waiting(self, settings: Settings, now: float) -> list[Effect]:
        """Ask whatever waited for words that are known now, or are not to come any more."""
        out: list[Effect] = []
        for response_id, reply in tuple(self._replies.items()):
            if not reply.asked and response_id in self._replies:
                out += self._ask(response_id, settings, now)
        return out

    def receive_report(
        self, report: Said | Called | Argued | Answered | Broke, settings: Settings, now: float
    ) -> list[Effect]:
        """Take in what the brain says; reports of responses that are over are ignored."""
        reply = self._replies.get(report.response_id)
        if reply is None or reply.calls.is_waiting:
            return []
        response = reply.response
        match report:
            case Said() | Called() | Argued():
                out: list[Effect] = [Send(event) for event in reply.calls.take(report, reply.offer, now)]
                if response.id == self._main:
                    self.playing.send(out, response.bytes_per_ms, now)
                return out + self._stop_over_limit(reply, settings, now) if response.is_over_limit else out
            case Answered(reason="stop"):
                reply.spent += (report.spent,)
                if not reply.calls.has_any:
                    return self._finish(response.id, "completed", None, settings, now)
                return self._go_on(reply, reply.calls.end_round(now), settings, now)
            case Answered():
                reply.spent += (report.spent,)
                details = StatusDetails("incomplete", report.reason)
                return self._finish(response.id, "incomplete", details, settings, now)
            case Broke() if report.code == TOO_LONG and not reply.was_refused and settings.truncation != "disabled":
                # Its context is smaller than it was thought to be, or its tokens are: once more with half as many.
                reply.was_refused, reply.asked = True, reply.asked[: len(reply.spent)]
                return self._ask(response.id, settings, now)
            case Broke():
                # Nobody is to pay for a prompt that came to nothing; for what was made of it before, one is.
                reply.asked = reply.asked[: len(reply.spent)]
                type_ = "invalid_request_error" if report.code == TOO_LONG else "server_error"
                details = StatusDetails("failed", None, type_, report.code, report.message)
                return self._finish(response.id, "failed", details, settings, now)

    def receive_tool(self, report: ToolReturned | ToolFailed, settings: Settings, now: float) -> list[Effect]:
        """Take in what came of a remote tool's call; reports of calls that are over are ignored."""
        reply = next((reply for reply in self._replies.values() if reply.calls.has(report.item_id)), None)
        return [] if reply is None else self._go_on(reply, reply.calls.receive(report, now), settings, now)

    def played_text(self, now: float) -> str:
        """Return the words of the message that is playing, up to where it was at that time; empty in silence."""
        item_id = self.playing.item_at(now)
        if item_id is None:
            return ""
        main = self._replies.get(self._main or "")
        if main is not None and main.response.is_speaking(item_id):
            part = main.response.speaking
        else:
            item = self._conversation.find(item_id)
            parts = item.content if isinstance(item, Message) else ()
            part = next((part for part in parts if isinstance(part, OutputAudio)), None)
        if part is None or not part.audio_ms:
            return ""
        played_ms = self.playing.heard_ms(item_id, now)
        if part.words:
            return part.transcript[: max((word.text_end for word in part.words if word.end_ms <= played_ms), default=0)]
        # Voices that do not tell where their words end speak evenly enough for this.
        return part.transcript[: len(part.transcript) * played_ms // part.audio_ms]

    # ------------------------------------------------------------------------------------------------ internals

    def _begin(
        self,
        response: Response,
        context: tuple[Entry | str, ...],
        approved: list[RemoteCall],
        settings: Settings,
        now: float,
    ) -> list[Effect]:
        """Announce a response, and have it begin with the calls that were approved."""
        calls = RemoteCalls(response, self._new_id)
        is_whole = context == self._conversation.ids
        reply = self._replies[response.id] = Reply(response, context, calls, is_whole)
        if response.conversation is not None:
            self._main = response.id
        out: list[Effect] = [Send(response.created()), self._rate_limits(is_early=True)]
        out += reply.recognise(self._new_id, self._tooling.vocabulary(settings))
        if approved:
            out += reply.calls.begin(approved, now)
        return out + self._ask(response.id, settings, now)

    def _go_on(self, reply: Reply, out: list[Effect], settings: Settings, now: float) -> list[Effect]:
        """Do what comes after a round of remote calls, once all of them have returned."""
        if reply.response.id == self._main:
            self.playing.send(out, reply.response.bytes_per_ms, now)
        over_limit = self._stop_over_limit(reply, settings, now)
        if over_limit or reply.calls.is_waiting:
            return out + over_limit
        response_id = reply.response.id
        if reply.calls.has_functions or reply.calls.wishes:
            # What the client brings comes first: it asks for the next response itself.
            return out + self._finish(response_id, "completed", None, settings, now)
        if reply.calls.rounds >= MAX_ROUNDS:
            text = f"The model called remote tools {MAX_ROUNDS} times in a row without answering."
            details = StatusDetails("failed", None, "server_error", "too_many_tool_calls", text)
            return out + self._finish(response_id, "failed", details, settings, now)
        return out + self._ask(response_id, settings, now)

    def _stop_over_limit(self, reply: Reply, settings: Settings, now: float) -> list[Effect]:
        """End a response that has used up what it may say."""
        if not reply.response.is_over_limit:
            return []
        details = StatusDetails("incomplete", "max_output_tokens")
        out = self._finish(reply.response.id, "incomplete", details, settings, now)
        return [Abandon(reply.response.id), *out]

    def _stop_playing(self, now: float) -> dict[str, int]:
        """Stop what is being played, and return how much of what was not played to its end has been heard."""
        played = self.playing.unfinished(now)
        main = self._replies.get(self._main or "")
        if main is not None and (item_id := main.response.speaking_id) is not None:
            # Of the message under way all may have been played that was made so far, but not all of its words.
            played[item_id] = self.playing.heard_ms(item_id, now)
        self.playing.stop(now)
        return played

    def _hear(self, played: dict[str, int]) -> None:
        """Have the conversation know how much of each item was heard, once all of them are as they stay."""
        for item_id, heard_ms in played.items():
            self._conversation.hear(item_id, heard_ms)

    def _ask(self, response_id: str, settings: Settings, now: float) -> list[Effect]:
        """Ask the brain, unless words are still awaited."""
        reply = self._replies[response_id]
        chosen = reply.response.settings
        if reply.unheard or any(isinstance(known, str) and self._is_unheard(known) for known in reply.context):
            return []
        if reply.calls.is_waiting or self._tooling.is_awaited(chosen.mcp_servers):
            return []
        try:
            reply.offer = self._tooling.offer(chosen)
            prompt, usage = self._prompting.prompt(reply, settings, now)
        except ProtocolError as error:
            details = StatusDetails("failed", None, error.type, error.code, error.message)
            return self._finish(response_id, "failed", details, settings, now)
        reply.asked += (usage,)
        return [Answer(prompt)]

    def _finish(
        self,
        response_id: str,
        status: str,
        details: StatusDetails | None,
        settings: Settings,
        now: float,
    ) -> list[Effect]:
        reply = self._replies.pop(response_id)
        if self._main == response_id:
            self._main = None
        out = reply.calls.drop(now)
        response = reply.response
        charges: list[Effect] = []
        events = response.finish(
            status,
            details,
            lambda output: self._accounts.count(of_rounds(reply.asked, reply.spent, output), settings, charges),
        )
        out += [*(Send(event) for event in events), *charges]
        if status == "completed":
            self._follow_ups.note(response, now)
        if reply.calls.wishes:
            made = tuple(Entry(item, now) for item in response.output)
            context = None if response.conversation is not None else reply.context + made
            self.approvals.file(response.settings, context, response.metadata, response.output, reply.calls.wishes)
        out += [Discard(utterance) for utterance in reply.unheard]
        out.append(self._rate_limits(is_early=False))
        if self._owes_reply and self._main is None:
            self._owes_reply = False
            out += self.create_for_turn(settings, now)
        return out

    def _rate_limits(self, *, is_early: bool) -> Send:
        return Send(ev.RateLimits(self._new_id("event"), is_early, RATE_LIMIT_TOKENS, RATE_LIMIT_TOKENS))
