"""Counting tokens: audio by its length, text by its bytes, or as the engine counted."""

from __future__ import annotations

import pytest

from vivavoce.core.effects import Prompt
from vivavoce.core.formats import PCM_8K, PCM_24K, PCMU, AudioFormat
from vivavoce.core.items import (
    FunctionCall,
    FunctionCallOutput,
    InputAudio,
    InputImage,
    InputText,
    Item,
    Message,
    OutputAudio,
    OutputText,
)
from vivavoce.core.reports import Spent
from vivavoce.core.settings import Tool
from vivavoce.core.states import Usage
from vivavoce.core.usage import of_prompt, output_audio_tokens, text_tokens, with_output


def prompt(*items: Item, instructions: str = "", tools: tuple[Tool, ...] = ()) -> Prompt:
    return Prompt("resp", "sess", "model", instructions, items, (0.0,) * len(items), 0.0, tools)


@pytest.mark.parametrize(
    ("text", "tokens"), [("", 0), ("abcd", 1), ("abcde", 2), ("ééé", 2), ("日本", 2), ("\ud800", 1)]
)
def test_text_counts_four_bytes_for_a_token(text: str, tokens: int) -> None:
    assert text_tokens(text) == tokens


@pytest.mark.parametrize(("ms", "tokens"), [(0, 0), (1, 1), (50, 1), (51, 2), (1000, 20)])
def test_the_assistants_audio_counts_fifty_milliseconds_for_a_token(ms: int, tokens: int) -> None:
    assert output_audio_tokens(ms) == tokens


@pytest.mark.parametrize("format_", [PCM_24K, PCM_8K, PCMU])
def test_the_users_audio_counts_a_tenth_of_a_second_for_a_token(format_: AudioFormat) -> None:
    audio = InputAudio(bytes(1010 * format_.bytes_per_ms), format_, heard="these words cost nothing")
    assert of_prompt(prompt(Message("a", "user", (audio,)))) == Usage(input_audio_tokens=11)


def test_everything_in_a_prompt_counts() -> None:
    items: tuple[Item, ...] = (
        Message("a", "system", (InputText("1234"),)),
        Message("b", "user", (InputText("12345678"), InputImage("data:image/png;base64,AA=="))),
        Message("c", "assistant", (OutputText("1234"),)),
        Message("d", "assistant", (OutputAudio("words", audio_ms=100),)),
        FunctionCall("e", "call", "abcd", '{"a"'),
        FunctionCallOutput("f", "call", "1234"),
    )
    used = of_prompt(prompt(*items, instructions="1234", tools=(Tool("ab", "cd", {}),)))
    assert used == Usage(input_text_tokens=1 + 2 + 1 + 2 + 1 + 1 + 2, input_audio_tokens=2, input_image_tokens=85)


def test_output_counts_words_and_sound_and_arguments() -> None:
    output = (
        Message("a", "assistant", (OutputAudio("12345678", audio_ms=100),)),
        Message("b", "assistant", (OutputText("1234"),)),
        FunctionCall("c", "call", "ab", "{}"),
    )
    assert with_output(Usage(), output, None) == Usage(output_text_tokens=2 + 1 + 1, output_audio_tokens=2)


def test_the_engines_own_count_of_text_goes_first() -> None:
    output = (Message("a", "assistant", (OutputAudio("12345678", audio_ms=100),)),)
    used = with_output(of_prompt(prompt(instructions="1234")), output, Spent(7, 8, 9))
    assert used == Usage(input_text_tokens=7, output_text_tokens=8, cached_tokens=9, output_audio_tokens=2)
