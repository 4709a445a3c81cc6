"""Counting tokens by the protocol's accounting.

- Audio counts by its length: one token for 100 ms of the user's and one for 50 ms of the assistant's.
- Images count by size and detail (`core.pictures`).
- Text counts by the engine's own figures where it gives them, otherwise at four bytes of UTF-8 for a token, the usual
  rule of thumb.  The figures of language models hold the words of what was spoken, and the images: the latter are
  taken out again, since they are counted for themselves.
- Cached is the beginning of a prompt that the session's last prompt began with too: instructions and tools first, then
  one item after the other up to the first that is new, changed or gone.  What an engine says of its own cache goes
  before that, for text; it knows of no audio.
- A whole conversation is counted anew for every prompt, and what was made counts as it was made, heard or not.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest

import msgspec

from .effects import Prompt
from .items import (
    FunctionCall,
    FunctionCallOutput,
    InputAudio,
    InputImage,
    InputText,
    Item,
    McpApprovalRequest,
    McpApprovalResponse,
    McpCall,
    McpListTools,
    Message,
    OutputAudio,
    OutputText,
)
from .pictures import image_tokens
from .reports import Spent
from .settings import Tool
from .states import Usage

USER_AUDIO_MS = 100
ASSISTANT_AUDIO_MS = 50


def text_tokens(text: str) -> int:
    """Return about how many tokens a text takes."""
    return -(-len(text.encode("utf-8", "surrogatepass")) // 4)


def output_audio_tokens(audio_ms: int) -> int:
    """Return the tokens of so much of the assistant's audio."""
    return -(-audio_ms // ASSISTANT_AUDIO_MS)


def item_tokens(item: Item) -> tuple[int, int, int]:
    """Return an item's text, audio and image tokens as input."""
    match item:
        case FunctionCall() | McpApprovalRequest():
            return text_tokens(item.name + item.arguments), 0, 0
        case FunctionCallOutput():
            return text_tokens(item.output), 0, 0
        case McpCall():
            return text_tokens(item.name + item.arguments) + text_tokens(item.output or ""), 0, 0
        case McpListTools() | McpApprovalResponse():
            return 0, 0, 0
    text = audio = image = 0
    for part in item.content:
        match part:
            case InputText() | OutputText():
                text += text_tokens(part.text)
            case InputAudio():
                audio += -(-part.audio_ms // USER_AUDIO_MS)
            case OutputAudio():
                audio += output_audio_tokens(part.audio_ms)
            case InputImage():
                image += image_tokens(part.image_url, part.detail)
    return text, audio, image


def head_tokens(prompt: Prompt) -> int:
    """Return the tokens of what stands before the items of a prompt."""
    tools = (text_tokens(t.name + t.description + str(t.parameters)) for t in prompt.tools)
    return text_tokens(prompt.instructions) + sum(tools)


def of_prompt(prompt: Prompt) -> Usage:
    """Return the usage of a response that was asked `prompt` and made nothing yet, with nothing cached."""
    text, audio, image = (sum(counts) for counts in zip(*map(item_tokens, prompt.items), (0, 0, 0), strict=True))
    return Usage(input_text_tokens=head_tokens(prompt) + text, input_audio_tokens=audio, input_image_tokens=image)


class Prefix:
    """The last prompt of a session, as far as it matters how much of the next one it is the beginning of."""

    def __init__(self) -> None:
        self._head: tuple[str, tuple[Tool, ...]] | None = None
        """Instructions and tools; None before the first prompt."""
        self._items: list[tuple[str, ...]] = []

    def count(self, prompt: Prompt, *, is_kept: bool) -> Usage:
        """Return the usage of a prompt, with what is cached of it.

        With `is_kept` it is the one that the next prompt is compared with: prompts that are made of other items than
        the conversation's come in between and repeat nothing.
        """
        usage = of_prompt(prompt)
        head, items = (prompt.instructions, prompt.tools), [_likeness(item) for item in prompt.items]
        if head == self._head:
            text, audio, image = head_tokens(prompt), 0, 0
            for item, one, other in zip(prompt.items, items, self._items, strict=False):
                if one != other:
                    break
                counts = item_tokens(item)
                text, audio, image = text + counts[0], audio + counts[1], image + counts[2]
            usage = msgspec.structs.replace(
                usage, cached_text_tokens=text, cached_audio_tokens=audio, cached_image_tokens=image
            )
        if is_kept:
            self._head, self._items = head, items
        return usage


def _likeness(item: Item) -> tuple[str, ...]:
    """Return what has to be the same of an item for a model to read the same."""
    match item:
        case Message():
            found = [item.id]
            for part in item.content:
                match part:
                    case InputAudio():
                        found += [str(part.audio_ms), part.words]
                    case OutputAudio():
                        found += [str(part.audio_ms), part.transcript]
                    case InputImage():
                        found += [part.detail, part.image_url]
                    case InputText() | OutputText():
                        found.append(part.text)
            return tuple(found)
        case FunctionCall() | McpApprovalRequest():
            return item.id, item.name, item.arguments
        case FunctionCallOutput():
            return item.id, item.output
        case McpCall():
            return item.id, item.name, item.arguments, item.output or ""
        case McpListTools() | McpApprovalResponse():
            return (item.id,)


def with_output(asked: Usage, output: tuple[Item, ...], spent: Spent | None) -> Usage:
    """Return the usage of a response that was `asked` so much and made `output`."""
    return of_rounds((asked,), (spent,), output)


def of_rounds(asked: Sequence[Usage], spent: Sequence[Spent | None], output: tuple[Item, ...]) -> Usage:
    """Return the usage of a response whose engine was asked several times, and told its own count some times.

    A response that was broken off has fewer counts than it was asked.
    """
    rounds = list(zip_longest(asked, spent[: len(asked)]))
    told = [count for _, count in rounds if count is not None]
    written = spoken = 0
    for item in output:
        if isinstance(item, McpCall):  # what the tool returned was not made here
            item = msgspec.structs.replace(item, output=None)
        item_text, item_audio, _ = item_tokens(item)
        written, spoken = written + item_text, spoken + item_audio
        if isinstance(item, Message):
            written += sum(text_tokens(p.transcript) for p in item.content if isinstance(p, OutputAudio))
    if rounds and len(told) == len(rounds):
        written = sum(count.output_text_tokens for count in told)
    inputs = [_counted(one, count) for one, count in rounds]
    return Usage(
        input_text_tokens=sum(one.input_text_tokens for one in inputs),
        input_audio_tokens=sum(one.input_audio_tokens for one in inputs),
        input_image_tokens=sum(one.input_image_tokens for one in inputs),
        cached_text_tokens=sum(one.cached_text_tokens for one in inputs),
        cached_audio_tokens=sum(one.cached_audio_tokens for one in inputs),
        cached_image_tokens=sum(one.cached_image_tokens for one in inputs),
        output_text_tokens=written,
        output_audio_tokens=spoken,
    )


def _counted(asked: Usage, spent: Spent | None) -> Usage:
    """Return what a prompt cost, by the engine's own count of its text where there is one."""
    if spent is None:
        return asked
    text = max(0, spent.input_text_tokens - asked.input_image_tokens)
    if spent.cached_tokens is not None:
        cached = spent.cached_tokens
    else:
        # The same share of the engine's tokens as of the estimated ones.
        cached = text * asked.cached_text_tokens // max(1, asked.input_text_tokens)
    return msgspec.structs.replace(asked, input_text_tokens=text, cached_text_tokens=min(text, cached))
