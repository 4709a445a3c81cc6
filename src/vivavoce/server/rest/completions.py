"""`POST /v1/chat/completions`: passed on to the operator's language model, or answered by the embedded engine."""

from __future__ import annotations

import base64
import binascii
import functools
import tempfile
import time
from collections.abc import AsyncGenerator
from contextlib import ExitStack, aclosing
from typing import Any

import msgspec

from ...core.effects import Prompt, Vocabulary
from ...core.errors import EngineError, ProtocolError
from ...core.money import of_response
from ...core.settings import ServerVad
from ...engines.api import Llm
from ...engines.chat import ChatLlm
from ...engines.chat_relay import RelayHead
from ...engines.media import MediaError
from ...engines.recording import Recording
from ..ids import new_seed
from .chat_prompt import Place, audio_parts, chat_of, prompt_of
from .completion import Completion
from .desk import Desk, Ticket, event, events, told
from .http import Answer, Asked, Streamed, begun, key_id_of, read_json, settled
from .metering import Meter
from .till import charged

Json = dict[str, Any]


async def create_completion(desk: Desk, request: Asked) -> Answer:
    """Answer a request for a chat completion.

    Raises:
        Refused: it cannot be answered.
    """
    limits = desk.limits
    with ExitStack() as stack, told():
        ticket = desk.take(key_id_of(request))
        stack.callback(ticket.give_back)
        body = await read_json(request, limits.max_frame_bytes, limits.message_seconds)
        llm = desk.llm
        if isinstance(llm, ChatLlm):
            return await _passed_on(desk, request, _Elsewhere(desk, llm, body, ticket), stack)
        chat = chat_of(body)
        heard = {place: await settled(request, _words(desk, place, part)) for place, part in audio_parts(chat).items()}
        completion_id = f"chatcmpl-{new_seed()}"
        prompt = prompt_of(chat, completion_id, heard)
        completion = Completion(completion_id, int(time.time()), chat.model, chat.stops, counts_usage=chat.counts_usage)
        chunks = charged(
            _chunks(llm, prompt, completion), functools.partial(_charge, ticket, chat.model, completion, prompt)
        )
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


class _Elsewhere:
    """A request that the operator's model answers."""

    def __init__(self, desk: Desk, llm: ChatLlm, body: Json, ticket: Ticket) -> None:
        self._till = desk.till
        self._ticket = ticket
        self._asked = str(body.get("model", ""))
        self._body = body
        self._relayed = llm.relay(body, lambda model: desk.till.has_price(model, self._asked))
        self._meter: Meter | None = None
        """None where nothing has to be counted."""
        self._model = ""

    async def head(self) -> RelayHead:
        """Return the head of the response."""
        found = await anext(self._relayed)
        assert isinstance(found, RelayHead)
        self._model = found.model
        if found.status < 400 and self._till.has_price(found.model, self._asked):
            is_stream = found.headers.get("content-type", "").startswith("text/event-stream")
            self._meter = Meter(self._body, is_stream=is_stream, hides_usage=found.adds_usage)
        return found

    def pieces(self) -> AsyncGenerator[bytes, None]:
        """Yield the body of the response."""
        return charged(self._passed(), self._charge)

    async def close(self) -> None:
        """Have no answer."""
        await self._relayed.aclose()

    async def _passed(self) -> AsyncGenerator[bytes, None]:
        async with aclosing(self._relayed) as pieces:
            async for piece in pieces:
                if isinstance(piece, bytes):
                    yield piece if self._meter is None else self._meter.push(piece)
        if self._meter is not None:
            yield self._meter.flush()

    def _charge(self) -> None:
        if self._meter is not None and not self._meter.has_failed:
            # The endpoint's own name goes first: that is what the operator pays for.
            self._ticket.charge(functools.partial(of_response, self._meter.usage), self._model, self._asked)


async def _passed_on(desk: Desk, request: Asked, elsewhere: _Elsewhere, stack: ExitStack) -> Answer:
    """Return the response of the operator's model, whatever its status, as it comes."""
    try:
        response = await settled(request, elsewhere.head())
    except BaseException:
        await elsewhere.close()
        raise
    pieces = elsewhere.pieces()
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


def _charge(ticket: Ticket, model: str, completion: Completion, prompt: Prompt) -> None:
    ticket.charge(functools.partial(of_response, completion.taken(prompt)), model)


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
                for chunk in completion.end(prompt):
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
