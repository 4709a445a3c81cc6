"""What servers of chat completions tell of their models, each in its own way."""

from __future__ import annotations

from typing import Any

import pytest

from vivavoce.engines.chat_models import Fault, Listing, read_fault, read_listing, read_ollama


@pytest.mark.parametrize(
    ("row", "tokens"),
    [
        ({"max_model_len": 32768}, 32768),
        ({"meta": {"n_ctx": 8192, "n_ctx_train": 131072}}, 8192),
        ({"meta": {"n_ctx_train": 131072}}, 131072),
        ({"max_context_length": 131072, "loaded_context_length": 4096}, 4096),
        ({"context_length": 200000, "top_provider": {"context_length": 128000}}, 200000),
        ({"top_provider": {"context_length": 128000}}, 128000),
        ({"context_window": 131072}, 131072),
        ({"model_info": {"max_input_tokens": 16385}}, 16385),
        ({}, None),
        ({"context_length": None, "max_model_len": 32768}, 32768),
        ({"context_length": "4096"}, None),
        ({"context_length": True}, None),
        ({"context_length": 0}, None),
        ({"meta": None}, None),
    ],
)
def test_a_listed_model_tells_its_context(row: dict[str, Any], tokens: int | None) -> None:
    listing = read_listing({"object": "list", "data": [{"id": "m", **row}]})
    assert listing == Listing(("m",), {} if tokens is None else {"m": tokens})


@pytest.mark.parametrize("body", [None, [], "x", {}, {"data": None}, {"data": [None, 1, {"id": 5}]}])
def test_what_is_no_list_of_models_says_nothing(body: object) -> None:
    assert read_listing(body) == Listing()


def test_ollama_is_known_by_its_list() -> None:
    row = {"id": "llama3:latest", "object": "model", "created": 1, "owned_by": "library"}
    assert read_listing({"data": [row]}).is_ollama
    assert not read_listing({"data": [row, {**row, "owned_by": "me"}]}).is_ollama


@pytest.mark.parametrize(
    ("running", "shown", "tokens"),
    [
        ({"models": [{"name": "m", "context_length": 4096}]}, {"parameters": "num_ctx 8192"}, 4096),
        ({"models": [{"name": "n", "context_length": 4096}]}, {"parameters": "stop x\nnum_ctx      8192\n"}, 8192),
        ({"models": [{"model": "m"}]}, {"parameters": "temperature 1", "model_info": {"x.context_length": 9999}}, None),
        (None, None, None),
        ({"models": None}, {"parameters": None}, None),
    ],
)
def test_ollama_takes_what_it_was_told_to_take_not_what_the_model_could(
    running: object, shown: object, tokens: int | None
) -> None:
    assert read_ollama("m", running, shown) == tokens


TOO_LONG: list[tuple[Any, int | None]] = [
    ({"error": {"message": "This model's maximum context length is 8192 tokens. However, your messages resulted in "
                "9000 tokens.", "type": "invalid_request_error", "code": "context_length_exceeded"}}, 8192),
    ({"object": "error", "message": "This model's maximum context length is 4096 tokens. However, you requested 5000 "
      "tokens.", "type": "BadRequestError", "code": 400}, 4096),
    ({"error": {"code": 400, "message": "the request exceeds the available context size, try increasing it",
                "type": "exceed_context_size_error", "n_prompt_tokens": 9000, "n_ctx": 2048}}, 2048),
    ({"error": {"message": "request (9000 tokens) exceeds the available context size (2048 tokens)"}}, 2048),
    ({"error": "Trying to keep the first 5000 tokens when context the overflows. However, the model is loaded with "
      "context length of only 4096 tokens, which is not enough."}, 4096),
    ({"error": {"message": "prompt is too long: 205000 tokens > 200000 maximum", "type": "x"}}, 200000),
    ({"error": {"message": "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576)."}},
     1048576),
    ({"error": "`inputs` tokens + `max_new_tokens` must be <= 4096. Given: 5000", "error_type": "validation"}, 4096),
    ({"error": {"message": "Please reduce the length of the messages or completion.",
                "code": "context_length_exceeded"}}, None),
    ({"detail": "Prompt contains 40000 tokens, too large for model with 32768 maximum context length"}, 32768),
]  # fmt: skip


@pytest.mark.parametrize(("body", "tokens"), TOO_LONG)
def test_a_prompt_that_was_too_long_is_recognised_by_what_servers_say(body: object, tokens: int | None) -> None:
    fault = read_fault(body)
    assert fault.is_too_long
    assert fault.context_tokens == tokens


@pytest.mark.parametrize(
    "body",
    [
        {"error": {"message": "max_tokens is too large: 5000. This model supports at most 4096 completion tokens."}},
        {"error": {"message": "Rate limit reached", "type": "tokens", "code": "rate_limit_exceeded"}},
        {"error": {"message": "The model `m` does not exist"}},
        {"error": {"message": None}},
        {"error": ["one", 2]},
        {},
        [],
        None,
    ],
)
def test_other_failures_are_none(body: object) -> None:
    assert not read_fault(body).is_too_long


def test_a_fault_has_the_servers_own_words() -> None:
    assert read_fault({"error": {"message": "No.", "code": "c", "type": "t"}}) == Fault("No.", "c t")
    assert read_fault({"detail": [{"loc": ["body"]}]}).message == '[{"loc":["body"]}]'
