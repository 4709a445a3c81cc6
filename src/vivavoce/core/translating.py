"""A translation session: what is said goes in, the same in another language comes out, one utterance after another.

It has the contract of `core.session.Session` and knows no items, no turns and no responses that a client could see.
Each utterance is put to the brain as a prompt of its own, with the last few before it, so that names and manners of
speaking stay the same.  Pure, as everything here.

States: open -> (`session.close`, or the money is used up) closing -> (all is translated, or it takes too long) closed.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import ClassVar

import msgspec

from . import events as ev
from .accounts import CODE, Accounts
from .effects import Abandon, Answer, Close, Denoise, Effect, Expect, Prompt, Send
from .errors import ProtocolError
from .formats import PCM_24K
from .items import InputText, Message, OutputText
from .lifetime import Lifetime
from .limits import DEFAULT_LIMITS, Limits
from .reports import (
    Answered,
    Broke,
    Deafened,
    Exhausted,
    Heard,
    Overheard,
    Report,
    Said,
    Transcribed,
    TranscriptionFailed,
)
from .response import NewId
from .service import DEFAULT_SERVICE, Service
from .settings import Settings, merge
from .states import SessionState
from .utterances import Understood, Utterances
from .vocabulary import vocabulary_of

LANGUAGES = ("es", "pt", "fr", "ja", "ru", "zh", "de", "ko", "hi", "id", "vi", "it", "en")
"""What can be translated into, by the protocol."""
SPACELESS = ("ja", "zh")
"""Languages that are written without spaces between sentences."""
CONTEXT_UTTERANCES = 6
"""Utterances before the present one that the translator is shown with their translations."""
MOST_WAITING = 256
"""Utterances that may wait for a translator that is slower than the speaker; further ones are told as lost."""
CLOSING_SECONDS = 60.0
"""How long the last translations may take once the client has said that it is done."""
_LANGUAGE = "session.audio.output.language"


class _Translation(msgspec.Struct):
    """An utterance that is being translated."""

    source: Understood
    text: str = ""
    """The translation so far."""


class TranslationSession:
    """The interpreter of one client."""

    def __init__(
        self,
        settings: Settings,
        *,
        new_id: NewId,
        created_unix: float,
        limits: Limits = DEFAULT_LIMITS,
        service: Service = DEFAULT_SERVICE,
    ) -> None:
        """Make a session that has not started; the arguments are those of `core.session.Session`."""
        self.id = new_id("sess")
        self.settings = settings
        self.limits = limits
        self.service = service
        self._new_id = new_id
        self._expires_at = int(created_unix + limits.session_seconds)
        self._lifetime = Lifetime(limits)
        self.accounts = Accounts(service)
        """What it has cost."""
        self._utterances = Utterances(new_id)
        self._utterances.tells = settings.transcription is not None
        self._active: tuple[str, _Translation] | None = None
        """What is being translated, with the id of its prompt."""
        self._context: deque[tuple[str, str]] = deque(maxlen=CONTEXT_UTTERANCES)
        """What was said of late, with its translation."""
        self._last_said = ""
        """The last delta of a translation."""
        self._has_asked_for_language = False
        self._closes_by: float | None = None
        """Session time at which it ends in any case; None unless it is closing."""
        self._ending = Close(1000, "")
        """How its connection is closed once everything is translated."""
        self._is_closed = False

    # ---------------------------------------------------------------------------------------------- the contract

    @property
    def deadline(self) -> float | None:
        """Session time at which `receive_time` is due; None once closed."""
        if self._is_closed:
            return None
        return self._lifetime.deadline if self._closes_by is None else min(self._lifetime.deadline, self._closes_by)

    @property
    def is_closed(self) -> bool:
        """Whether it has asked for its end; nothing it is told has an effect any more."""
        return self._is_closed

    def start(self, now: float) -> list[Effect]:
        """Open the session, or end it where nobody can translate."""
        self._lifetime.note_event(now)
        if not self.service.abilities.translates:
            text = (
                f'Model "{self.settings.model}" cannot translate on this server: it has no language model. Its '
                "operator can name one by VIVAVOCE_LLM_URL."
            )
            return self.close(now, ProtocolError("invalid_model", text, "model"))
        out: list[Effect] = [Send(ev.SessionCreated(self._event(), self._state()))]
        out.append(Expect(vocabulary_of(self.settings)))
        return out + self._denoise() if self.settings.noise_reduction else out

    def receive_event(self, event: ev.ClientEvent, now: float) -> list[Effect]:
        """Take in what a client sent."""
        if self._is_closed:
            return []
        self._lifetime.note_event(now)
        try:
            return self._paid(self._HANDLERS[type(event)](self, event, now), now)
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
        """Take in what an engine reports; reports about what is over, or nothing to do with it, are ignored."""
        handler = self._HANDLERS.get(type(report))
        if self._is_closed or handler is None:
            return []
        return self._paid(handler(self, report, now), now)

    def receive_time(self, now: float) -> list[Effect]:
        """Do what is due."""
        if self._is_closed:
            return []
        if self._closes_by is not None and now >= self._closes_by:
            return self._end(self._give_up())
        end = self._lifetime.end_at(now)
        return [] if end is None else self.close(now, end.error, 1001, end.reason)

    def close(self, now: float, error: ProtocolError, code: int = 4000, reason: str = "") -> list[Effect]:
        """End the session for a reason that the client is told."""
        out = self._refuse(error) + self._give_up() + self.accounts.settle(self.settings.model)
        self._is_closed = True
        return [*out, Close(code, reason or f"{error.type}.{error.code}")]

    def hang_up(self, now: float) -> list[Effect]:
        """Learn that the client is gone: what was used by then is charged, and that is all that is left to do."""
        if self._is_closed:
            return []
        self._is_closed = True
        return self.accounts.settle(self.settings.model)

    # -------------------------------------------------------------------------------------------- client events

    def _update(self, event: ev.SessionUpdate, now: float) -> list[Effect]:
        patch = dict(event.session)
        if patch.pop("model", self.settings.model) != self.settings.model:
            raise ProtocolError(
                "invalid_parameter", "The model of a translation session cannot be changed.", "session.model"
            )
        before, self.settings = self.settings, merge(self.settings, patch)
        self._utterances.tells = self.settings.transcription is not None
        if before.output_language != self.settings.output_language:
            self._context.clear()
            self._has_asked_for_language = False
        out: list[Effect] = [Send(ev.SessionUpdated(self._event(), self._state()))]
        return out + self._denoise() if before.noise_reduction != self.settings.noise_reduction else out

    def _append(self, event: ev.InputAudioBufferAppend, now: float) -> list[Effect]:
        if self._utterances.unheard_bytes + len(event.audio) > self.limits.buffer_bytes:
            text = f"More than {self.limits.buffer_bytes} bytes of audio wait to be heard; send it no faster than that."
            return self.close(now, ProtocolError("input_audio_buffer_full", text, "audio", event_id=event.event_id))
        if self._closes_by is not None:
            return []  # it was on its way when the client said that it was done
        if self.settings.output_language:
            seconds = len(event.audio) / PCM_24K.bytes_per_ms / 1000
            return self._utterances.append(event.audio) + self.accounts.hear(seconds, self.settings.model)
        if self._has_asked_for_language:
            return []  # clients append fifty times a second: telling them once is enough
        self._has_asked_for_language = True
        raise ProtocolError(
            "missing_required_parameter",
            f"Missing required parameter: '{_LANGUAGE}'. Audio is not heard until it is set.",
            _LANGUAGE,
        )

    def _finish(self, event: ev.SessionClose, now: float) -> list[Effect]:
        return [] if self._closes_by is not None else self._begin_to_close(now)

    # -------------------------------------------------------------------------------------------------- reports

    def _heard(self, report: Heard, now: float) -> list[Effect]:
        return self._go_on(self._utterances.receive_frame(report), now)

    def _overheard(self, report: Overheard, now: float) -> list[Effect]:
        return self._utterances.receive_words(report)

    def _transcribed(self, report: Transcribed, now: float) -> list[Effect]:
        out = self._utterances.receive_text(report)
        return self._go_on(out, now)

    def _not_transcribed(self, report: TranscriptionFailed, now: float) -> list[Effect]:
        out = self._fault(report.code, f"What was said could not be recognised: {report.message}")
        return self._go_on(out + self._utterances.receive_text(report), now)

    def _deafened(self, report: Deafened, now: float) -> list[Effect]:
        """End the session: to go on in silence would look as if nobody spoke."""
        fault = ProtocolError("engine_error", f"The server cannot hear any more: {report.message}", type="server_error")
        return self.close(now, fault, 1011, "the server cannot hear any more")

    def _said(self, report: Said, now: float) -> list[Effect]:
        active = self._translation(report.response_id)
        if active is None:
            return []
        out: list[Effect] = []
        if report.text:
            # Deltas are put together as they are, so whatever separates utterances has to be in them.
            begins = self._last_said and not active.text and self.settings.output_language not in SPACELESS
            is_apart = self._last_said[-1:].isspace() or report.text[0].isspace()
            active.text += report.text
            self._last_said = report.text
            delta = " " + report.text if begins and not is_apart else report.text
            out.append(Send(ev.OutputTranscriptDelta(self._event(), delta, active.source.elapsed_ms)))
        if report.audio:
            out.append(Send(ev.OutputAudioDelta(self._event(), report.audio, active.source.elapsed_ms)))
        return out

    def _answered(self, report: Answered, now: float) -> list[Effect]:
        active = self._translation(report.response_id)
        if active is None:
            return []
        self._active = None
        if active.text:
            self._context.append((active.source.text, active.text))
        return self._go_on([], now)

    def _broke(self, report: Broke, now: float) -> list[Effect]:
        if self._translation(report.response_id) is None:
            return []
        self._active = None
        return self._go_on(self._fault(report.code, f"What was said could not be translated: {report.message}"), now)

    def _exhausted(self, report: Exhausted, now: float) -> list[Effect]:
        self.accounts.exhaust(report.message)
        return []

    _HANDLERS: ClassVar[dict[type, Callable[..., list[Effect]]]] = {
        ev.SessionUpdate: _update,
        ev.InputAudioBufferAppend: _append,
        ev.SessionClose: _finish,
        Heard: _heard,
        Overheard: _overheard,
        Transcribed: _transcribed,
        TranscriptionFailed: _not_transcribed,
        Deafened: _deafened,
        Said: _said,
        Answered: _answered,
        Broke: _broke,
        Exhausted: _exhausted,
    }
    """What takes in each event and report.  Of the class, so that a session has no reference to itself."""

    # ------------------------------------------------------------------------------------------------ internals

    def _paid(self, out: list[Effect], now: float) -> list[Effect]:
        """Return the effects of an input; once the money is used up, what was said is the last that is translated."""
        fault = self.accounts.fault
        if fault is None or self._closes_by is not None or self._is_closed:
            return out
        self._ending = Close(4000, f"{CODE}.{CODE}")
        return out + self._refuse(fault) + self._begin_to_close(now)

    def _begin_to_close(self, now: float) -> list[Effect]:
        self._closes_by = now + CLOSING_SECONDS
        return self._go_on(self._utterances.finish(), now)

    def _go_on(self, out: list[Effect], now: float) -> list[Effect]:
        """Return these effects and whatever can follow them: the next translation, or the end."""
        while self._utterances.waiting > MOST_WAITING and self._utterances.take() is not None:
            out += self._fault("translator_busy", "The translator is too slow: something that was said is left out.")
        if self._active is None and (source := self._utterances.take()) is not None:
            response_id = self._new_id("resp")
            self._active = (response_id, _Translation(source))
            out.append(Answer(self._prompt(response_id, source.text, now)))
        if self._closes_by is not None and self._active is None and self._utterances.is_finished:
            return self._end(out)
        return out

    def _prompt(self, response_id: str, text: str, now: float) -> Prompt:
        items = [message for pair in self._context for message in _exchange(*pair)]
        items.append(Message("", "user", (InputText(text),)))
        return Prompt(
            response_id=response_id,
            session_id=self.id,
            model=self.settings.model,
            instructions="",
            items=tuple(items),
            said_at=(now,) * len(items),
            now=now,
            voice=self.settings.voice,
            output_format=PCM_24K,
            temperature=0.0,
            translate_to=self.settings.output_language,
            language=self.settings.output_language,
        )

    def _translation(self, response_id: str) -> _Translation | None:
        """Return what is being translated, if it is that."""
        return self._active[1] if self._active is not None and self._active[0] == response_id else None

    def _give_up(self) -> list[Effect]:
        """Let everything go that is under way."""
        out: list[Effect] = [] if self._active is None else [Abandon(self._active[0])]
        self._active = None
        return out + self._utterances.abandon()

    def _end(self, out: list[Effect]) -> list[Effect]:
        self._is_closed = True
        out += self.accounts.settle(self.settings.model)
        return [*out, Send(ev.SessionClosed(self._event())), self._ending]

    def _denoise(self) -> list[Effect]:
        reduction = self.settings.noise_reduction
        return [Denoise(None, 0.0) if reduction is None else Denoise(reduction.type, reduction.strength)]

    def _fault(self, code: str, message: str) -> list[Effect]:
        """Tell the client that something went wrong here; the session goes on."""
        return [Send(ev.Error(self._event(), "server_error", code, message))]

    def _refuse(self, mistake: ProtocolError) -> list[Effect]:
        """Tell the client of its mistake."""
        error = ev.Error(self._event(), mistake.type, mistake.code, mistake.message, mistake.param, mistake.event_id)
        return [Send(error)]

    def _event(self) -> str:
        return self._new_id("event")

    def _state(self) -> SessionState:
        return SessionState(self.id, self._expires_at, self.settings)


def _exchange(said: str, translated: str) -> tuple[Message, Message]:
    return Message("", "user", (InputText(said),)), Message("", "assistant", (OutputText(translated),))
