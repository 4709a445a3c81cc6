"""What a chat takes that is answered elsewhere."""

from __future__ import annotations

import json
from typing import Any

import pytest

from vivavoce.core.pictures import BASE_TOKENS
from vivavoce.core.states import Usage
from vivavoce.server.rest.metering import Meter, given_tokens

ASKED: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "x" * 40}]}
USAGE = {
    "prompt_tokens": 100,
    "completion_tokens": 30,
    "prompt_tokens_details": {"cached_tokens": 64, "audio_tokens": 20, "image_tokens": 10},
    "completion_tokens_details": {"audio_tokens": 5, "reasoning_tokens": 9},
}
TOLD = Usage(
    input_text_tokens=70, input_audio_tokens=20, input_image_tokens=10, cached_text_tokens=64, output_text_tokens=25,
    output_audio_tokens=5,
)  # fmt: skip


def chunk(*, text: str | None = None, end: str = "\n\n", **more: Any) -> bytes:
    choices = [] if text is None else [{"index": 0, "delta": {"content": text}}]
    return f"data: {json.dumps({'choices': choices, **more})}{end}".encode()


def read(meter: Meter, data: bytes, size: int = 1000) -> bytes:
    return b"".join(meter.push(data[at : at + size]) for at in range(0, len(data), size)) + meter.flush()


def test_a_whole_answer_is_counted_by_its_usage() -> None:
    meter = Meter(ASKED, is_stream=False, hides_usage=False)
    data = json.dumps({"choices": [{"message": {"content": "Hello"}}], "usage": USAGE}).encode()
    assert read(meter, data, 7) == data
    assert (meter.usage, meter.has_failed) == (TOLD, False)


@pytest.mark.parametrize("size", [1, 2, 3, 11, 10_000])
@pytest.mark.parametrize("end", ["\n\n", "\r\n\r\n", "\r\r"])
def test_a_chunk_that_tells_usage_alone_is_hidden_from_who_did_not_ask(size: int, end: str) -> None:
    first = chunk(text="Hel", usage=None, end=end) + f": wait{end}".encode() + chunk(text="lo", end=end)
    last = f"data: [DONE]{end}".encode()
    data = first + chunk(usage=USAGE, end=end) + last
    meter = Meter(ASKED, is_stream=True, hides_usage=True)
    assert read(meter, data, size) == first + last
    assert meter.usage == TOLD
    shown = Meter(ASKED, is_stream=True, hides_usage=False)
    assert read(shown, data, size) == data
    assert shown.usage == TOLD


def test_usage_that_comes_with_words_is_not_hidden_and_the_last_counts() -> None:
    first, last = chunk(text="a", usage={"prompt_tokens": 5, "completion_tokens": 1}), chunk(text="b", usage=USAGE)
    meter = Meter(ASKED, is_stream=True, hides_usage=True)
    assert read(meter, first + last) == first + last
    assert meter.usage == TOLD


def test_an_empty_chunk_without_usage_is_not_hidden() -> None:
    data = chunk(prompt_filter_results=[]) + chunk(usage=None)
    assert read(Meter(ASKED, is_stream=True, hides_usage=True), data) == data


def test_a_stream_without_a_last_line_end_is_passed_on_whole() -> None:
    data = chunk(text="a") + b"data: [DONE]"
    assert read(Meter(ASKED, is_stream=True, hides_usage=True), data) == data
    assert read(Meter(ASKED, is_stream=True, hides_usage=True), chunk(usage=USAGE, end="")) == b""


def test_an_event_without_end_is_not_kept_for_ever() -> None:
    meter = Meter(ASKED, is_stream=True, hides_usage=True)
    data = b"data: " + b"x" * (1 << 20)
    assert meter.push(data) == data
    assert read(meter, b"x\n\n" + chunk(usage=USAGE)) == b"x\n\n"
    assert meter.usage == TOLD


@pytest.mark.parametrize("usage", [None, {}, "none", {"prompt_tokens": -1, "completion_tokens": True}])
def test_what_is_not_told_is_estimated(usage: Any) -> None:
    meter = Meter(ASKED, is_stream=True, hides_usage=True)
    call = {"tool_calls": [{"index": 0, "function": {"name": "look", "arguments": "{}"}}]}
    thought = {"reasoning_content": "abc", "reasoning": "abc"}
    deltas = b"".join(
        f"data: {json.dumps({'choices': [{'delta': delta}], 'usage': usage})}\n\n".encode() for delta in (call, thought)
    )
    read(meter, b"".join(chunk(text=letter) for letter in "éabc") + deltas)
    assert meter.usage == Usage(input_text_tokens=10, output_text_tokens=4)  # 5 bytes, 6 and 3


def test_a_long_answer_is_estimated_by_its_length() -> None:
    meter = Meter(ASKED, is_stream=False, hides_usage=False)
    n_bytes = (8 << 20) + 4
    for _ in range(2):
        meter.push(bytes(n_bytes // 2))
    meter.flush()
    assert meter.usage.output_text_tokens == n_bytes // 4


def test_all_that_a_model_reads_is_estimated() -> None:
    picture = {"type": "image_url", "image_url": {"url": "https://x.example/a.png"}}
    asked = {
        "messages": [
            {"role": "system", "content": "12345678"},
            {"role": "user", "content": [{"type": "text", "text": "1234"}, picture, picture]},
            {"role": "assistant", "content": None, "tool_calls": [{"function": {"name": "look", "arguments": "{}  "}}]},
            "nonsense",
        ],
        "tools": [{"type": "function", "function": {"name": "look", "description": "four", "parameters": {"a": 12}}}],
    }
    assert given_tokens(asked) == (2 + 1 + 2 + 4, 2 * BASE_TOKENS)


@pytest.mark.parametrize("asked", [{}, {"messages": "x", "tools": {}}, {"messages": [[], 5], "tools": [None]}])
def test_nonsense_takes_nothing(asked: dict[str, Any]) -> None:
    assert given_tokens(asked) == (0, 0)


def test_a_request_may_be_deep() -> None:
    message: dict[str, Any] = {"content": "1234"}
    for _ in range(5000):
        message = {"content": [message]}
    assert given_tokens({"messages": [message]}) == (1, 0)


def test_an_error_within_a_success_is_noticed() -> None:
    meter = Meter(ASKED, is_stream=True, hides_usage=True)
    data = chunk(text="a") + b'data: {"error": {"message": "broke"}}\n\n'
    assert read(meter, data) == data
    assert meter.has_failed
