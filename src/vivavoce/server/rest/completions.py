"""`POST /v1/chat/completions`: passed on to the operator's language model, or answered by the embedded engine."""

from __future__ import annotations

import base64
import binascii
import tempfile
import time
from collections.abc import AsyncGenerator
from contextlib import ExitStack, aclosing
from typing import Any

import msgspec

from ...core.effects import Prompt, Vocabulary
from ...core.errors import EngineError, ProtocolError
from ...core.settings import ServerVad
from ...engines.api import Llm
from ...engines.chat import ChatLlm, RelayHead
from ...engines.media import MediaError
from ...engines.recording import Recording
from ..ids import new_seed
from .chat_prompt import Place, audio_parts, chat_of, prompt_of
from .completion import Completion
from .desk import Desk, event, events, told
from .http import Answer, Asked, Streamed, begun, read_json, settled

Json = dict[str, Any]


async def create_completion(desk: Desk, request: Asked) -> Answer:
    """Answer a request for a chat completion.

    Raises:
        Refused: it cannot be answered.
    """
    limits = desk.limits
    with ExitStack() as stack, told():
        stack.callback(desk.take().give_back)
        body = await read_json(request, limits.max_frame_bytes, limits.message_seconds)
        llm = desk.llm
        if isinstance(llm, ChatLlm):
            return await _passed_on(desk, request, llm.relay(body), stack)
        chat = chat_of(body)
        heard = {place: await settled(request, _words(desk, place, part)) for place, part in audio_parts(chat).items()}
        completion_id = f"chatcmpl-{new_seed()}"
        prompt = prompt_of(chat, completion_id, heard)
        completion = Completion(completion_id, int(time.time()), chat.model, chat.stops, counts_usage=chat.counts_usage)
        chunks = _chunks(llm, prompt, completion)
        if not chat.is_streamed:
            await settled(request, _exhausted(chunks))
            return Answer(msgspec.json.encode(completion.whole()), media_type="application/json")
        pieces = events(_encoded(chunks))
        first = await begun(request, pieces)
        return Streamed(
            first,
            pieces,
            media_type="text/event-stream",
            stall_seconds=limits.message_seconds,
            done=stack.pop_all().close,
        )
    raise AssertionError("an exit stack swallows nothing")


async def _passed_on(
    desk: Desk, request: Asked, relayed: AsyncGenerator[RelayHead | bytes, None], stack: ExitStack
) -> Answer:
    """Return the response of the operator's model, whatever its status, as it comes."""

    async def head() -> RelayHead:
        found = await anext(relayed)
        assert isinstance(found, RelayHead)
        return found

    try:
        response = await settled(request, head())
    except BaseException:
        await relayed.aclose()
        raise
    pieces = _bodies(relayed)
    first = await begun(request, pieces)
    headers = dict(response.headers)
    return Streamed(
        first,
        pieces,
        status=response.status,
        media_type=headers.pop("content-type", "application/json"),
        headers=headers,
        stall_seconds=desk.limits.message_seconds,
        done=stack.pop_all().close,
    )


async def _bodies(relayed: AsyncGenerator[RelayHead | bytes, None]) -> AsyncGenerator[bytes, None]:
    async with aclosing(relayed) as pieces:
        async for piece in pieces:
            if isinstance(piece, bytes):
                yield piece


async def _chunks(llm: Llm, prompt: Prompt, completion: Completion) -> AsyncGenerator[Json, None]:
    """Yield the chunks of an answer of our own engine.

    Raises:
        EngineError: it has none.
    """
    async with aclosing(llm.answer(prompt)) as thoughts:
        yield completion.begin()
        async for thought in thoughts:
            for chunk in completion.take(thought):
                yield chunk
            if completion.is_over:
                for chunk in completion.end(prompt, thought):
                    yield chunk
                return
    raise EngineError("The language model ended without finishing its answer.", "llm_cut_off")


async def _exhausted(chunks: AsyncGenerator[Json, None]) -> None:
    async with aclosing(chunks) as all_of_them:
        async for _ in all_of_them:
            pass


async def _encoded(chunks: AsyncGenerator[Json, None]) -> AsyncGenerator[bytes, None]:
    async with aclosing(chunks) as all_of_them:
        async for chunk in all_of_them:
            yield event(chunk)


async def _words(desk: Desk, place: Place, part: Json) -> str:
    """Return what is said in a recording that is part of a message.

    Raises:
        ProtocolError: it cannot be read.
        EngineError: hearing failed.
    """
    path = "messages[{}].content[{}].input_audio.data".format(*place)
    with tempfile.TemporaryFile() as file:
        try:
            file.write(base64.b64decode(part["data"], validate=True))
        except binascii.Error:
            raise ProtocolError("invalid_value", f"Invalid '{path}': it is no base64.", path) from None
        recording = Recording(desk.engines.hearing, Vocabulary(), ServerVad())
        try:
            async with aclosing(recording.stretches(desk.sound(file, path))) as stretches:
                return " ".join([stretch.text async for stretch in stretches])
        except MediaError as error:
            raise ProtocolError("unreadable_audio", f"The recording cannot be read: {error}.", path) from error
