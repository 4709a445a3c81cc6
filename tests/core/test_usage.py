"""Counting tokens: audio by its length, text by its bytes, or as the engine counted."""

from __future__ import annotations

from typing import Any

import msgspec
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
    McpCall,
    Message,
    OutputAudio,
    OutputText,
)
from vivavoce.core.reports import Spent
from vivavoce.core.settings import Tool
from vivavoce.core.states import Usage
from vivavoce.core.usage import Prefix, of_prompt, of_rounds, output_audio_tokens, text_tokens, with_output


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
    assert used == Usage(input_text_tokens=7, output_text_tokens=8, cached_text_tokens=7, output_audio_tokens=2)


def test_images_are_taken_out_of_an_engines_count() -> None:
    image = Message("a", "user", (InputImage("data:image/png;base64,AA=="),))
    used = with_output(of_prompt(prompt(image)), (), Spent(100, 8))
    assert (used.input_text_tokens, used.input_image_tokens, used.input_tokens) == (15, 85, 100)


def test_audio_counts_after_it_was_dropped_to_save_memory() -> None:
    audio = InputAudio(b"", PCM_24K, dropped_ms=1010)
    assert of_prompt(prompt(Message("a", "user", (audio,)))) == Usage(input_audio_tokens=11)


def test_what_a_remote_tool_returned_was_not_made_by_the_model() -> None:
    call = McpCall("a", "label", "ab", "{}", output="x" * 400)
    assert with_output(Usage(), (call,), None) == Usage(output_text_tokens=1)


# ------------------------------------------------------------------------------------------------------- cached


def says(id_: str, text: str = "1234") -> Message:
    return Message(id_, "user", (InputText(text),))


def hears(id_: str, ms: int = 1000, words: str = "hello") -> Message:
    return Message(id_, "user", (InputAudio(bytes(48 * ms), heard=words),))


def cached(prefix: Prefix, asked: Prompt, *, is_kept: bool = True) -> tuple[int, int, int]:
    usage = prefix.count(asked, is_kept=is_kept)
    without = {"cached_text_tokens": 0, "cached_audio_tokens": 0, "cached_image_tokens": 0}
    assert msgspec.structs.replace(usage, **without) == of_prompt(asked)
    return usage.cached_text_tokens, usage.cached_audio_tokens, usage.cached_image_tokens


def test_the_beginning_that_the_last_prompt_had_too_is_cached() -> None:
    prefix = Prefix()
    image = Message("c", "user", (InputImage("data:image/png;base64,AA=="),))
    tool = (Tool("ab", "cd", {}),)
    assert cached(prefix, prompt(says("a"), instructions="1234", tools=tool)) == (0, 0, 0)
    assert cached(prefix, prompt(says("a"), hears("b"), image, instructions="1234", tools=tool)) == (1 + 2 + 1, 0, 0)
    longer = prompt(says("a"), hears("b"), image, says("d"), instructions="1234", tools=tool)
    assert cached(prefix, longer) == (1 + 2 + 1, 10, 85)
    assert cached(prefix, longer) == (1 + 2 + 1 + 1, 10, 85)


@pytest.mark.parametrize("change", [{"instructions": "12345"}, {"tools": (Tool("x"),)}])
def test_other_instructions_or_tools_are_read_anew_with_everything(change: dict[str, Any]) -> None:
    prefix = Prefix()
    cached(prefix, prompt(says("a")))
    assert cached(prefix, prompt(says("a"), **change)) == (0, 0, 0)


@pytest.mark.parametrize(
    "items",
    [
        (says("b"), says("c")),
        (says("a"), says("x"), says("b"), says("c")),
        (says("a"), says("b", "4321"), says("c")),
        (says("a"), says("c")),
    ],
    ids=["dropped in front", "inserted", "changed", "deleted"],
)
def test_everything_behind_the_first_difference_is_read_anew(items: tuple[Item, ...]) -> None:
    prefix = Prefix()
    cached(prefix, prompt(says("a"), says("b"), says("c")))
    assert cached(prefix, prompt(*items)) == (1 if items[0].id == "a" else 0, 0, 0)


def test_a_message_that_was_cut_is_another_one() -> None:
    prefix = Prefix()
    cached(prefix, prompt(Message("a", "assistant", (OutputAudio("one two", audio_ms=1000),)), says("b")))
    assert cached(prefix, prompt(Message("a", "assistant", (OutputAudio("one", audio_ms=400),)), says("b"))) == (
        0,
        0,
        0,
    )


def test_dropping_the_sound_of_a_message_changes_nothing() -> None:
    prefix = Prefix()
    cached(prefix, prompt(hears("a")))
    assert cached(prefix, prompt(Message("a", "user", (InputAudio(b"", heard="hello", dropped_ms=1000),)))) == (
        0,
        10,
        0,
    )


def test_a_prompt_of_other_items_in_between_disturbs_nothing() -> None:
    prefix = Prefix()
    cached(prefix, prompt(says("a")))
    assert cached(prefix, prompt(says("x")), is_kept=False) == (0, 0, 0)
    assert cached(prefix, prompt(says("a"))) == (1, 0, 0)


def test_an_engine_knows_its_own_cache_of_text_best() -> None:
    prefix = Prefix()
    cached(prefix, prompt(says("a"), hears("b")))
    asked = prefix.count(prompt(says("a"), hears("b"), says("c")), is_kept=True)
    assert (asked.input_text_tokens, asked.cached_text_tokens) == (2, 1)
    told = with_output(asked, (), Spent(40, 0, 30))
    assert (told.input_text_tokens, told.cached_text_tokens, told.cached_audio_tokens) == (40, 30, 10)
    untold = with_output(asked, (), Spent(40, 0))
    assert (untold.input_text_tokens, untold.cached_text_tokens, untold.cached_tokens) == (40, 20, 30)


def test_every_round_of_a_response_counts() -> None:
    rounds = (Usage(input_text_tokens=10), Usage(input_text_tokens=20, cached_text_tokens=10))
    output = (FunctionCall("a", "c", "abcd", "{}"),)
    assert of_rounds(rounds, (Spent(11, 5, 0), Spent(22, 6, 11)), output) == Usage(
        input_text_tokens=33, cached_text_tokens=11, output_text_tokens=11
    )
    assert of_rounds(rounds, (Spent(11, 5, 0),), output) == Usage(
        input_text_tokens=31, cached_text_tokens=10, output_text_tokens=2
    ), "the second was broken off"
    assert of_rounds((), (), output) == Usage(output_text_tokens=2)
