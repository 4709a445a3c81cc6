"""`POST /v1/audio/transcriptions` and `/v1/audio/translations`: an uploaded recording, written down.

Long ones are cut at their pauses and understood piece by piece, as they are read.  The recogniser knows English alone,
so a translation into English is a transcription.
"""

from __future__ import annotations

import functools
from collections.abc import AsyncGenerator
from contextlib import ExitStack, aclosing
from typing import IO

from ...core.effects import Vocabulary
from ...core.money import of_transcription
from ...dialects import schema as s
from ...engines.recording import Recording, Stretch
from .desk import Desk, Ticket, event, events, told
from .http import Answer, Asked, Streamed, begun, key_id_of, read_form, settled, too_large
from .till import charged
from .transcripts import Written, body_of, logprobs, tokens_of, usage
from .wanted import Wanted, wanted_of


async def create_transcription(desk: Desk, request: Asked) -> Answer:
    """Answer a request for a transcript.

    Raises:
        Refused: it cannot be answered.
    """
    return await _answer(desk, request, "transcribe")


async def create_translation(desk: Desk, request: Asked) -> Answer:
    """Answer a request for a transcript in English.

    Raises:
        Refused: it cannot be answered.
    """
    return await _answer(desk, request, "translate")


async def _answer(desk: Desk, request: Asked, task: str) -> Answer:
    limits = desk.limits
    with ExitStack() as stack, told():
        ticket = desk.take(key_id_of(request))
        stack.callback(ticket.give_back)
        form = await read_form(request, limits.max_upload_bytes, limits.message_seconds)
        stack.callback(form.close)
        wanted = wanted_of(form.texts, desk.engines.hearing.languages)
        if "file" not in form.files:
            raise s.missing("file")
        file = form.files["file"]
        if file.seek(0, 2) > limits.max_upload_bytes:
            raise too_large(limits.max_upload_bytes)
        if not wanted.is_streamed:
            body, media_type = body_of(await settled(request, _written(desk, file, wanted, ticket)), wanted, task)
            return Answer(body, media_type=media_type)
        pieces = events(_events(desk, file, wanted, ticket))
        first = await begun(request, pieces)
        return Streamed(
            first,
            pieces,
            media_type="text/event-stream",
            stall_seconds=limits.message_seconds,
            done=stack.pop_all().close,
        )
    raise AssertionError("an exit stack swallows nothing")


class _Transcript:
    """A recording that is being written down."""

    def __init__(self, desk: Desk, file: IO[bytes], wanted: Wanted) -> None:
        vocabulary = Vocabulary((wanted.prompt,) if wanted.prompt else (), (), wanted.language)
        self._recording = Recording(desk.engines.hearing, vocabulary, wanted.detection)
        self._sound = desk.sound(file, "file")
        self._wanted = wanted
        self._found: list[Stretch] = []

    def stretches(self, ticket: Ticket) -> AsyncGenerator[Stretch, None]:
        """Yield what is said stretch by stretch, to be paid for with a ticket."""
        return charged(self._heard(), functools.partial(self._charge, ticket))

    @property
    def written(self) -> Written:
        """What has been written down so far."""
        return Written(tuple(self._found), self._recording.duration_ms)

    async def _heard(self) -> AsyncGenerator[Stretch, None]:
        async with aclosing(self._recording.stretches(self._sound)) as stretches:
            async for stretch in stretches:
                self._found.append(stretch)
                yield stretch

    def _charge(self, ticket: Ticket) -> None:
        written = self.written
        tokens = tokens_of(written, self._wanted) if self._wanted.counts_tokens else None
        ticket.charge(functools.partial(of_transcription, written.duration_ms / 1000, tokens), self._wanted.model)


async def _written(desk: Desk, file: IO[bytes], wanted: Wanted, ticket: Ticket) -> Written:
    transcript = _Transcript(desk, file, wanted)
    async with aclosing(transcript.stretches(ticket)) as stretches:
        async for _ in stretches:
            pass
    return transcript.written


async def _events(desk: Desk, file: IO[bytes], wanted: Wanted, ticket: Ticket) -> AsyncGenerator[bytes, None]:
    """Yield a transcript stretch by stretch in server-sent events, and at the end the whole."""
    transcript = _Transcript(desk, file, wanted)
    is_first = True
    async with aclosing(transcript.stretches(ticket)) as stretches:
        async for stretch in stretches:
            text = stretch.text if is_first else f" {stretch.text}"
            delta = {"type": "transcript.text.delta", "delta": text}
            more = {"logprobs": logprobs((stretch,), is_first=is_first)} if wanted.has_logprobs else {}
            is_first = False
            yield event(delta | more)
    written = transcript.written
    done = {"type": "transcript.text.done", "text": written.text}
    more = {"logprobs": logprobs(written.stretches)} if wanted.has_logprobs else {}
    yield event(done | more | {"usage": usage(written, wanted)})
