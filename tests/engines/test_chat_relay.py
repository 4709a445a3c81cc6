"""A client's own request as it is passed on."""

from __future__ import annotations

from typing import Any

import pytest

from vivavoce.engines.chat_relay import Scrubber, with_usage


@pytest.mark.parametrize("size", [1, 2, 3, 7, 100])
def test_a_secret_is_taken_out_however_the_bytes_are_cut(size: int) -> None:
    data = b"aab aaab, aaabaab! aa" * 3
    scrubber = Scrubber("aab")
    told = b"".join(scrubber.push(data[at : at + size]) for at in range(0, len(data), size)) + scrubber.flush()
    assert told == data.replace(b"aab", b"(key)")


def test_without_a_secret_nothing_is_held_back() -> None:
    assert Scrubber("").push(b"sk-") == b"sk-"


@pytest.mark.parametrize("options", [{}, {"stream_options": None}, {"stream_options": {"include_usage": False}}])
def test_a_stream_is_asked_to_end_with_usage(options: dict[str, Any]) -> None:
    body = {"stream": True, "model": "m"} | options
    assert with_usage(body) == {"stream": True, "model": "m", "stream_options": {"include_usage": True}}
    assert body == {"stream": True, "model": "m"} | options


def test_other_wishes_for_a_stream_are_kept() -> None:
    found = with_usage({"stream": True, "stream_options": {"include_obfuscation": False}})
    assert found == {"stream": True, "stream_options": {"include_obfuscation": False, "include_usage": True}}


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"stream": False},
        {"stream": "yes"},
        {"stream": True, "stream_options": {"include_usage": True}},
        {"stream": True, "stream_options": "usage"},
    ],
)
def test_any_other_request_stays_as_it_is(body: dict[str, Any]) -> None:
    assert with_usage(body) is None
