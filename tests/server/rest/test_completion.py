from __future__ import annotations

from typing import Any

import pytest

from vivavoce.core.effects import Prompt
from vivavoce.core.items import InputText, Message
from vivavoce.core.reports import Spent
from vivavoce.engines.api import CallArgued, CallBegan, Stopped, Thought, Wrote
from vivavoce.server.rest.completion import Completion

ASKED = Prompt("r", "", "m", "Be brief.", (Message("i", "user", (InputText("Hello there"),)),), (0.0,), 0.0)


def played(*thoughts: Thought, stops: tuple[str, ...] = (), counts_usage: bool = False) -> tuple[list[Any], Any]:
    """The deltas with their reasons, and the whole."""
    completion = Completion("chatcmpl-1", 17, "m", stops, counts_usage=counts_usage)
    chunks = [completion.begin()]
    for thought in thoughts:
        chunks += completion.take(thought)
        if completion.is_over:
            chunks += completion.end(ASKED)
            break
    assert completion.is_over
    assert {(chunk["id"], chunk["object"], chunk["created"], chunk["model"]) for chunk in chunks} == {
        ("chatcmpl-1", "chat.completion.chunk", 17, "m")
    }
    return chunks, completion.whole()


def deltas(chunks: list[Any]) -> list[Any]:
    return [
        (choice["delta"], choice["finish_reason"]) if choice["finish_reason"] else choice["delta"]
        for chunk in chunks
        for choice in chunk["choices"]
    ]


BEGUN = {"role": "assistant", "content": "", "refusal": None}


def test_text_is_told_as_it_is_written_and_as_a_whole() -> None:
    chunks, whole = played(Wrote("Good "), Wrote(""), Wrote("day."), Stopped())
    assert deltas(chunks) == [BEGUN, {"content": "Good "}, {"content": "day."}, ({}, "stop")]
    assert not any("usage" in chunk for chunk in chunks)
    assert whole["object"] == "chat.completion"
    assert whole["choices"] == [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "Good day.", "refusal": None, "annotations": []},
            "logprobs": None,
            "finish_reason": "stop",
        }
    ]


def test_calls_have_ids_and_their_arguments_come_as_they_are_written() -> None:
    chunks, whole = played(
        Wrote("Wait."), CallBegan("look", "call_7"), CallArgued('{"a"'), CallArgued(":1}"), CallBegan("go"), Stopped()
    )
    assert deltas(chunks) == [
        BEGUN,
        {"content": "Wait."},
        {
            "tool_calls": [
                {"index": 0, "id": "call_7", "type": "function", "function": {"name": "look", "arguments": ""}}
            ]
        },
        {"tool_calls": [{"index": 0, "function": {"arguments": '{"a"'}}]},
        {"tool_calls": [{"index": 0, "function": {"arguments": ":1}"}}]},
        {
            "tool_calls": [
                {"index": 1, "id": "call_11", "type": "function", "function": {"name": "go", "arguments": ""}}
            ]
        },
        ({}, "tool_calls"),
    ]
    message = whole["choices"][0]["message"]
    assert message["content"] == "Wait."
    assert [(call["id"], call["function"]) for call in message["tool_calls"]] == [
        ("call_7", {"name": "look", "arguments": '{"a":1}'}),
        ("call_11", {"name": "go", "arguments": ""}),
    ]


def test_calls_alone_have_no_content() -> None:
    _, whole = played(CallBegan("look"), Stopped())
    assert whole["choices"][0]["message"]["content"] is None
    _, whole = played(Stopped())
    assert whole["choices"][0]["message"]["content"] == ""


@pytest.mark.parametrize(
    ("reason", "told"), [("stop", "stop"), ("max_output_tokens", "length"), ("content_filter", "content_filter")]
)
def test_the_reason_of_the_end_is_told(reason: str, told: str) -> None:
    chunks, whole = played(Wrote("So"), Stopped(reason))
    assert deltas(chunks)[-1] == ({}, told)
    assert whole["choices"][0]["finish_reason"] == told
    cut_off, _ = played(CallBegan("look"), CallArgued("{"), Stopped("max_output_tokens"))
    assert deltas(cut_off)[-1] == ({}, "length")


@pytest.mark.parametrize(
    ("written", "stops", "told"),
    [
        (["one two three"], ("two",), ["one "]),
        (["one t", "w", "o three"], ("two",), ["one "]),
        (["one t", "w", "elve"], ("two",), ["one ", "twelve"]),
        (["one tw"], ("two",), ["one ", "tw"]),
        (["b a"], ("a", "b"), []),
        (["aab"], ("ab", "xyz"), ["a"]),
    ],
)
def test_an_answer_ends_before_a_stop(written: list[str], stops: tuple[str, ...], told: list[str]) -> None:
    chunks, whole = played(*map(Wrote, written), Stopped(), stops=stops)
    assert deltas(chunks) == [BEGUN, *({"content": text} for text in told), ({}, "stop")]
    assert whole["choices"][0]["message"]["content"] == "".join(told)


def test_what_it_took_is_the_last_of_a_stream_where_that_is_wanted() -> None:
    chunks, whole = played(Wrote("Good day."), Stopped(), counts_usage=True)
    assert [chunk["usage"] for chunk in chunks[:-1]] == [None] * 3
    assert chunks[-1]["choices"] == []
    assert chunks[-1]["usage"] == whole["usage"]
    assert (whole["usage"]["prompt_tokens"], whole["usage"]["completion_tokens"], whole["usage"]["total_tokens"]) == (
        *(6, 3, 9),
    )


def test_an_engine_may_count_by_itself() -> None:
    _, whole = played(Wrote("Good day."), Stopped(spent=Spent(100, 20, 40)))
    assert (whole["usage"]["prompt_tokens"], whole["usage"]["completion_tokens"]) == (100, 20)
    assert whole["usage"]["prompt_tokens_details"]["cached_tokens"] == 40
