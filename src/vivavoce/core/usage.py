"""Counting tokens by the protocol's accounting.

Audio counts by duration: one token for 100 ms of the user's and one for 50 ms of the assistant's.  Text counts by the
engine's own figures where it gives them, otherwise at four bytes of UTF-8 for a token, the usual rule of thumb.
"""

from __future__ import annotations

from typing import TypeVar

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
from .reports import Spent
from .states import Usage

Counted = TypeVar("Counted", Usage, Spent)

USER_AUDIO_MS = 100
ASSISTANT_AUDIO_MS = 50
IMAGE_TOKENS = 85
"""What a small image costs; the engine's own figure replaces it where there is one."""


def text_tokens(text: str) -> int:
    """Return about how many tokens a text takes."""
    return -(-len(text.encode("utf-8", "surrogatepass")) // 4)


def output_audio_tokens(audio_ms: int) -> int:
    """Return the tokens of so much of the assistant's audio."""
    return -(-audio_ms // ASSISTANT_AUDIO_MS)


def _item_tokens(item: Item) -> tuple[int, int, int]:
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
                audio += -(-len(part.audio) // part.format.bytes_per_ms // USER_AUDIO_MS)
            case OutputAudio():
                audio += output_audio_tokens(part.audio_ms)
            case InputImage():
                image += IMAGE_TOKENS
    return text, audio, image


def of_prompt(prompt: Prompt) -> Usage:
    """Return the usage of a response that was asked `prompt` and made nothing yet."""
    audio = image = 0
    text = text_tokens(prompt.instructions)
    text += sum(text_tokens(t.name + t.description + str(t.parameters)) for t in prompt.tools)
    for item in prompt.items:
        item_text, item_audio, item_image = _item_tokens(item)
        text, audio, image = text + item_text, audio + item_audio, image + item_image
    return Usage(input_text_tokens=text, input_audio_tokens=audio, input_image_tokens=image)


def together(*counts: Counted) -> Counted:
    """Return the sum of counts of one kind, of which there is at least one."""
    sums = (sum(values) for values in zip(*map(msgspec.structs.astuple, counts), strict=True))
    return type(counts[0])(*sums)


def with_output(asked: Usage, output: tuple[Item, ...], spent: Spent | None) -> Usage:
    """Return the usage of a response that was `asked` so much and made `output`."""
    written = spoken = 0
    for item in output:
        item_text, item_audio, _ = _item_tokens(item)
        written, spoken = written + item_text, spoken + item_audio
        if isinstance(item, Message):
            written += sum(text_tokens(p.transcript) for p in item.content if isinstance(p, OutputAudio))
    usage = msgspec.structs.replace(asked, output_text_tokens=written, output_audio_tokens=spoken)
    if spent is None:
        return usage
    return msgspec.structs.replace(
        usage,
        input_text_tokens=spent.input_text_tokens,
        output_text_tokens=spent.output_text_tokens,
        cached_tokens=spent.cached_tokens,
    )
