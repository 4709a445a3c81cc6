"""`POST /v1/audio/transcriptions` and `/v1/audio/translations`: an uploaded recording, written down.

Long ones are cut at their pauses and understood piece by piece, as they are read.  The recogniser knows English alone,
so a translation into English is a transcription.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import ExitStack, aclosing
from typing import IO

from ...core.effects import Vocabulary
from ...dialects import schema as s
from ...engines.recording import Recording, Stretch
from .desk import Desk, event, events, told
from .http import Answer, Asked, Streamed, begun, read_form, settled, too_large
from .transcripts import Written, body_of, logprobs, usage
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
        stack.callback(desk.take().give_back)
        form = await read_form(request, limits.max_upload_bytes, limits.message_seconds)
        stack.callback(form.close)
        wanted = wanted_of(form.texts, desk.engines.hearing.languages)
        if "file" not in form.files:
            raise s.missing("file")
        file = form.files["file"]
        if file.seek(0, 2) > limits.max_upload_bytes:
            raise too_large(limits.max_upload_bytes)
        if not wanted.is_streamed:
            body, media_type = body_of(await settled(request, _written(desk, file, wanted)), wanted, task)
            return Answer(body, media_type=media_type)
        pieces = events(_events(desk, file, wanted))
        first = await begun(request, pieces)
        return Streamed(
            first,
            pieces,
            media_type="text/event-stream",
            stall_seconds=limits.message_seconds,
            done=stack.pop_all().close,
        )
    raise AssertionError("an exit stack swallows nothing")


def _recording(desk: Desk, wanted: Wanted) -> Recording:
    vocabulary = Vocabulary((wanted.prompt,) if wanted.prompt else (), (), wanted.language)
    return Recording(desk.engines.hearing, vocabulary, wanted.detection)


async def _written(desk: Desk, file: IO[bytes], wanted: Wanted) -> Written:
    recording = _recording(desk, wanted)
    async with aclosing(recording.stretches(desk.sound(file, "file"))) as stretches:
        found = tuple([stretch async for stretch in stretches])
    return Written(found, recording.duration_ms)


async def _events(desk: Desk, file: IO[bytes], wanted: Wanted) -> AsyncGenerator[bytes, None]:
    """Yield a transcript stretch by stretch in server-sent events, and at the end the whole."""
    recording = _recording(desk, wanted)
    found: list[Stretch] = []
    async with aclosing(recording.stretches(desk.sound(file, "file"))) as stretches:
        async for stretch in stretches:
            text = f" {stretch.text}" if found else stretch.text
            delta = {"type": "transcript.text.delta", "delta": text}
            more = {"logprobs": logprobs((stretch,), is_first=not found)} if wanted.has_logprobs else {}
            found.append(stretch)
            yield event(delta | more)
    written = Written(tuple(found), recording.duration_ms)
    done = {"type": "transcript.text.done", "text": written.text}
    more = {"logprobs": logprobs(written.stretches)} if wanted.has_logprobs else {}
    yield event(done | more | {"usage": usage(written, wanted)})
