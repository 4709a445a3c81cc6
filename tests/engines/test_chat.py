import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest

from vivavoce.core.effects import Prompt
from vivavoce.core.errors import ConfigError, EngineError
from vivavoce.core.items import InputImage, InputText, Item, Message
from vivavoce.core.reports import Spent
from vivavoce.core.settings import Tool
from vivavoce.engines.api import CallArgued, CallBegan, Stopped, Thought, Wrote
from vivavoce.engines.chat import ChatLlm, completions_url

KEY = "sk-secret-123"
Handle = Callable[[httpx.Request], httpx.Response]


class Pieces(httpx.AsyncByteStream):
    """A body that comes in pieces, may break off, and knows whether it was closed."""

    def __init__(self, *pieces: bytes | Exception | asyncio.Event) -> None:
        self.pieces = pieces
        self.closed = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self.pieces:
            if isinstance(piece, Exception):
                raise piece
            if isinstance(piece, asyncio.Event):
                await piece.wait()
            else:
                yield piece

    async def aclose(self) -> None:
        self.closed = True


def sse(*chunks: dict[str, Any] | str) -> bytes:
    return b"".join(f"data: {chunk if isinstance(chunk, str) else json.dumps(chunk)}\n\n".encode() for chunk in chunks)


def delta(reason: str | None = None, **fields: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": fields, "finish_reason": reason}]}


def stream(
    *pieces: bytes | Exception | asyncio.Event, kind: str = "text/event-stream; charset=utf-8"
) -> httpx.Response:
    return httpx.Response(200, headers={"content-type": kind}, stream=Pieces(*pieces))


def prompt(*items: Item, **fields: Any) -> Prompt:
    return Prompt("resp_1", "sess_1", "session-model", fields.pop("instructions", ""), items, (), 0.0, **fields)


def llm(handle: Handle, model: str = "m", key: str | None = KEY) -> ChatLlm:
    return ChatLlm("http://llm.example:8080", model, key, transport=httpx.MockTransport(handle))


async def answer(handle: Handle, asked: Prompt | None = None) -> list[Thought]:
    engine = llm(handle)
    try:
        return [thought async for thought in engine.answer(asked or prompt())]
    finally:
        await engine.close()


async def answer_of(*chunks: dict[str, Any] | str) -> list[Thought]:
    return await answer(lambda _: stream(sse(*chunks)))


async def failure(handle: Handle) -> EngineError:
    with pytest.raises(EngineError) as caught:
        await answer(handle)
    assert KEY not in str(caught.value)
    assert "llm.example" in str(caught.value)
    assert str(caught.value).endswith((".", "..."))
    return caught.value


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://localhost:8080", "http://localhost:8080/v1/chat/completions"),
        ("http://localhost:8080/", "http://localhost:8080/v1/chat/completions"),
        ("https://h/v1", "https://h/v1/chat/completions"),
        ("https://h/v1/", "https://h/v1/chat/completions"),
        ("https://h/v1/chat", "https://h/v1/chat/completions"),
        ("https://h/v1/chat/completions", "https://h/v1/chat/completions"),
        ("https://h/v1beta/openai/", "https://h/v1beta/openai/chat/completions"),
        (
            "https://h/openai/deployments/d?api-version=1",
            "https://h/openai/deployments/d/chat/completions?api-version=1",
        ),
        (" http://[::1]:1/v1 ", "http://[::1]:1/v1/chat/completions"),
    ],
)
def test_every_usual_form_of_the_url_is_understood(url: str, expected: str) -> None:
    assert completions_url(url) == expected


@pytest.mark.parametrize("url", ["", "localhost:8080", "ftp://h", "http://", "http://h:99999", "http://h:x", "ws://h"])
def test_what_is_not_an_http_url_is_refused_at_once(url: str) -> None:
    with pytest.raises(ConfigError):
        completions_url(url)


async def test_text_is_streamed_and_usage_counted() -> None:
    usage = {"prompt_tokens": 9, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 4}}
    thoughts = await answer_of(
        delta(role="assistant", content=""),
        delta(content="Hello "),
        delta(content="you."),
        delta("stop"),
        {"choices": [], "usage": usage},
        "[DONE]",
    )
    assert thoughts == [Wrote("Hello "), Wrote("you."), Stopped("stop", Spent(9, 2, 4))]


async def test_the_request_carries_model_key_and_settings() -> None:
    seen: list[httpx.Request] = []

    def handle(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return stream(sse(delta("stop"), "[DONE]"))

    tool = Tool("look", "Looks.", {"type": "object", "properties": {"at": {"type": "string"}}})
    await answer(
        handle,
        prompt(
            instructions="Be kind.",
            tools=(tool,),
            tool_choice={"type": "function", "name": "look"},
            parallel_tool_calls=False,
            max_output_tokens=50,
            temperature=0.5,
        ),
    )
    body = json.loads(seen[0].content)
    assert str(seen[0].url) == "http://llm.example:8080/v1/chat/completions"
    assert seen[0].headers["authorization"] == f"Bearer {KEY}"
    assert (body["model"], body["stream"], body["temperature"], body["max_tokens"]) == ("m", True, 0.5, 50)
    assert body["stream_options"] == {"include_usage": True}
    assert body["tool_choice"] == {"type": "function", "function": {"name": "look"}}
    assert body["parallel_tool_calls"] is False
    assert body["tools"][0]["function"] == {"name": "look", "description": "Looks.", "parameters": tool.parameters}
    assert body["messages"][0] == {"role": "system", "content": "Be kind."}


@pytest.mark.parametrize(
    ("listed", "asked"),
    [
        ({"data": [{"id": "llama"}, {"id": "session-model"}]}, "session-model"),
        ({"data": [{"id": "llama"}, {"id": "other"}]}, "llama"),
        ({"data": []}, "session-model"),
        (None, "session-model"),
        ({"models": "of another kind"}, "session-model"),
    ],
)
async def test_without_a_model_of_its_own_one_that_is_listed_is_asked(listed: Any, asked: str) -> None:
    paths: list[str] = []
    models: list[str] = []

    def handle(request: httpx.Request) -> httpx.Response:
        paths.append(request.url.path)
        if request.method == "GET":
            return httpx.Response(404) if listed is None else httpx.Response(200, json=listed)
        models.append(json.loads(request.content)["model"])
        return stream(sse(delta(content="Hi."), delta("stop")))

    engine = llm(handle, model="", key=None)
    for _ in range(2):
        assert [thought async for thought in engine.answer(prompt())]
    assert models == [asked, asked]
    assert paths == ["/v1/models", "/v1/chat/completions", "/v1/chat/completions"]


async def test_a_call_is_streamed_as_it_is_written() -> None:
    def call(**fields: Any) -> dict[str, Any]:
        return delta(tool_calls=[{"index": 0, **fields}])

    thoughts = await answer_of(
        delta(content="One moment."),
        call(id="c1", type="function", function={"name": "look", "arguments": ""}),
        call(function={"arguments": '{"at":'}),
        call(function={"arguments": '"you"}'}),
        delta("tool_calls"),
        "[DONE]",
    )
    assert thoughts == [
        Wrote("One moment."),
        CallBegan("look", "c1"),
        CallArgued('{"at":'),
        CallArgued('"you"}'),
        Stopped(),
    ]


async def test_calls_whose_pieces_are_mixed_come_out_one_after_another() -> None:
    def piece(index: int, arguments: str, call_id: str = "", name: str = "") -> dict[str, Any]:
        fields: dict[str, Any] = {"index": index, "function": {"arguments": arguments}}
        if name:
            fields |= {"id": call_id}
            fields["function"]["name"] = name
        return delta(tool_calls=[fields])

    thoughts = await answer_of(
        piece(0, "", "c1", "one"),
        piece(0, '{"a"'),
        piece(1, "{", "c2", "two"),
        piece(0, ":1}"),
        piece(1, "}"),
        delta("tool_calls"),
    )
    assert thoughts == [
        CallBegan("one", "c1"),
        CallArgued('{"a"'),
        CallArgued(":1}"),
        CallBegan("two", "c2"),
        CallArgued("{}"),
        Stopped(),
    ]


@pytest.mark.parametrize("index", [{"index": 0}, {}])
async def test_calls_that_all_have_the_same_number_are_told_apart_by_id(index: dict[str, int]) -> None:
    thoughts = await answer_of(
        delta(tool_calls=[{**index, "id": "a", "function": {"name": "f", "arguments": "{}"}}]),
        delta(tool_calls=[{**index, "id": "b", "function": {"name": "f", "arguments": {"x": 1}}}]),
        delta("stop"),
    )
    assert thoughts == [
        CallBegan("f", "a"),
        CallArgued("{}"),
        CallBegan("f", "b"),
        CallArgued('{"x": 1}'),
        Stopped(),
    ]


async def test_a_call_without_arguments_has_an_empty_object() -> None:
    thoughts = await answer_of(
        delta(tool_calls=[{"index": 0, "id": "a", "function": {"name": "f"}}]), delta("tool_calls")
    )
    assert thoughts == [CallBegan("f", "a"), CallArgued("{}"), Stopped()]


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [("stop", "stop"), ("tool_calls", "stop"), ("length", "max_output_tokens"), ("content_filter", "content_filter")],
)
async def test_the_reason_of_the_end_is_translated(theirs: str, ours: str) -> None:
    assert (await answer_of(delta(content="Hi"), delta(theirs)))[-1] == Stopped(ours)


@pytest.mark.parametrize("step", [1, 2, 5, 100])
async def test_thoughts_between_tags_are_not_said_however_they_are_cut(step: int) -> None:
    text = "<think>Let me <b>see</b>. 2 < 3</think>\n\nIt is < 3. <think>more</think>Yes <thin"
    chunks = [delta(content=text[i : i + step]) for i in range(0, len(text), step)]
    thoughts = await answer_of(*chunks, delta("stop"))
    assert "".join(t.text for t in thoughts if isinstance(t, Wrote)) == "It is < 3. Yes <thin"


async def test_text_of_a_reasoning_field_is_not_said() -> None:
    thoughts = await answer_of(
        delta(reasoning_content="hm"), delta(content=[{"type": "text", "text": "Yes."}]), delta("stop")
    )
    assert thoughts == [Wrote("Yes."), Stopped()]


async def test_line_separators_and_all_scripts_survive() -> None:
    text = "a\u2028b\x85c 你好 😀"
    body = f"data: {json.dumps(delta('stop', content=text), ensure_ascii=False)}\r\n\r\n".encode()
    thoughts = await answer(lambda _: stream(*[body[i : i + 3] for i in range(0, len(body), 3)]))
    assert thoughts == [Wrote(text), Stopped()]


async def test_comments_and_pings_of_the_stream_are_skipped() -> None:
    thoughts = await answer(lambda _: stream(b": ping\n\nevent: x\n", sse(delta("stop", content="Hi"))))
    assert thoughts == [Wrote("Hi"), Stopped()]


async def test_an_answer_that_is_not_streamed_is_read_too() -> None:
    call = {"id": "c", "function": {"name": "f", "arguments": "{}"}}
    body = {
        "choices": [{"message": {"content": "Hi.", "tool_calls": [call]}, "finish_reason": "tool_calls"}],
        "usage": {"prompt_tokens": 1, "completion_tokens": 2},
    }
    thoughts = await answer(lambda _: httpx.Response(200, json=body))
    assert thoughts == [Wrote("Hi."), CallBegan("f", "c"), CallArgued("{}"), Stopped("stop", Spent(1, 2))]


@pytest.mark.parametrize(
    ("status", "code", "words"),
    [
        (401, "llm_unauthorized", "refused the key"),
        (403, "llm_unauthorized", "refused the key"),
        (404, "llm_not_found", "does not know"),
        (429, "llm_rate_limited", "too often"),
        (400, "llm_refused", "refused the request"),
        (500, "llm_error", "error of its own"),
        (503, "llm_error", "error of its own"),
        (504, "llm_timeout", "too long"),
        (302, "llm_refused", "refused the request"),
    ],
)
async def test_http_errors_are_told_plainly_and_without_the_key(status: int, code: str, words: str) -> None:
    error = await failure(lambda _: httpx.Response(status, json={"error": {"message": f"bad key {KEY} " + "x" * 999}}))
    assert error.code == code
    assert words in str(error)
    assert len(str(error)) < 400


@pytest.mark.parametrize(
    ("raised", "code"),
    [
        (httpx.ConnectError("refused"), "llm_unreachable"),
        (httpx.ConnectTimeout("slow"), "llm_timeout"),
        (httpx.ReadTimeout("slow"), "llm_timeout"),
        (httpx.ReadError("reset"), "llm_cut_off"),
        (httpx.RemoteProtocolError("gone"), "llm_cut_off"),
    ],
)
async def test_a_broken_line_is_told_plainly(raised: Exception, code: str) -> None:
    def handle(_: httpx.Request) -> httpx.Response:
        raise raised

    assert (await failure(handle)).code == code


@pytest.mark.parametrize(
    ("pieces", "code"),
    [
        ((sse(delta(content="Hi")),), "llm_cut_off"),
        ((sse(delta(content="Hi")), httpx.RemoteProtocolError("cut")), "llm_cut_off"),
        ((sse(delta(content="Hi")), httpx.ReadTimeout("slow")), "llm_timeout"),
        ((b"data: {nonsense\n\n",), "llm_malformed"),
        ((b"data: [1]\n\n",), "llm_malformed"),
        ((sse({"error": {"message": f"no memory for {KEY}"}}),), "llm_error"),
        ((b"",), "llm_cut_off"),
    ],
)
async def test_a_stream_that_breaks_fails_the_answer(pieces: tuple[bytes | Exception, ...], code: str) -> None:
    assert (await failure(lambda _: stream(*pieces))).code == code


@pytest.mark.parametrize("body", [b"<html>", b"[]", b"{}", b""])
async def test_a_body_that_is_no_completion_fails_the_answer(body: bytes) -> None:
    error = await failure(lambda _: httpx.Response(200, content=body, headers={"content-type": "text/html"}))
    assert error.code == "llm_malformed"


async def test_a_kept_connection_that_was_closed_is_tried_once_more() -> None:
    tries: list[int] = []

    def handle(_: httpx.Request) -> httpx.Response:
        tries.append(1)
        if len(tries) == 1:
            raise httpx.RemoteProtocolError("Server disconnected without sending a response.")
        return stream(sse(delta("stop", content="Hi")))

    assert await answer(handle) == [Wrote("Hi"), Stopped()]


async def test_fields_that_a_server_refuses_are_left_out_from_then_on() -> None:
    bodies: list[dict[str, Any]] = []

    def handle(request: httpx.Request) -> httpx.Response:
        bodies.append(json.loads(request.content))
        for field in ("max_tokens", "stream_options"):
            if field in bodies[-1]:
                return httpx.Response(400, json={"error": {"message": f"Unsupported parameter: '{field}'"}})
        return stream(sse(delta("stop", content="Hi")))

    engine = llm(handle)
    for _ in range(2):
        assert [t async for t in engine.answer(prompt(max_output_tokens=7))] == [Wrote("Hi"), Stopped()]
    assert len(bodies) == 4
    assert bodies[-1]["max_completion_tokens"] == 7


IMAGE = Message("u", "user", (InputText("What is it?"), InputImage("data:image/png;base64,AA", "low")))
BLIND = "image input is not supported - hint: if this is unexpected, you may need to provide the mmproj"


def sighted(bodies: list[dict[str, Any]], status: int, words: str) -> Handle:
    """A server that refuses images."""

    def handle(request: httpx.Request) -> httpx.Response:
        bodies.append(json.loads(request.content))
        if any(isinstance(message["content"], list) for message in bodies[-1]["messages"]):
            return httpx.Response(status, json={"error": {"message": words}})
        return stream(sse(delta("stop", content="Hi")))

    return handle


@pytest.mark.parametrize(("status", "words"), [(500, BLIND), (400, "m is not a multimodal model"), (404, "No image.")])
async def test_a_model_that_refuses_images_is_sent_no_more_of_them(status: int, words: str) -> None:
    bodies: list[dict[str, Any]] = []
    engine = llm(sighted(bodies, status, words))
    assert engine.abilities.sees_images
    with pytest.raises(EngineError, match="does not see images") as caught:
        assert [t async for t in engine.answer(prompt(IMAGE))]
    assert caught.value.code == "llm_cannot_see"
    assert not engine.abilities.sees_images
    assert [t async for t in engine.answer(prompt(IMAGE))] == [Wrote("Hi"), Stopped()]
    assert bodies[-1]["messages"][-1]["content"] == "What is it?\n(The user shows an image, which you cannot see.)"


async def test_the_operator_knows_better_whether_a_model_sees() -> None:
    bodies: list[dict[str, Any]] = []
    transport = httpx.MockTransport(sighted(bodies, 400, "no images"))
    engine = ChatLlm("http://models.example/v1", "m", vision="yes", transport=transport)
    for _ in range(2):
        with pytest.raises(EngineError, match="does not see images"):
            assert [t async for t in engine.answer(prompt(IMAGE))]
    assert engine.abilities.sees_images
    engine = ChatLlm("http://models.example/v1", "m", vision="no", transport=transport)
    assert not engine.abilities.sees_images
    assert [t async for t in engine.answer(prompt(IMAGE))] == [Wrote("Hi"), Stopped()]


async def test_a_failure_that_is_not_about_images_is_none_of_sight() -> None:
    engine = llm(sighted([], 400, "The request is too odd."))
    with pytest.raises(EngineError, match="too odd"):
        assert [t async for t in engine.answer(prompt(IMAGE))]
    assert engine.abilities.sees_images


async def test_efforts_are_asked_for_as_far_as_the_server_knows_them() -> None:
    asked: list[str | None] = []
    known = {"low", "medium", "high"}

    def handle(request: httpx.Request) -> httpx.Response:
        asked.append(json.loads(request.content).get("reasoning_effort"))
        if asked[-1] is not None and asked[-1] not in known:
            return httpx.Response(400, json={"error": {"message": f"reasoning_effort: '{asked[-1]}' is no choice"}})
        return stream(sse(delta("stop", content="Hi")))

    engine = llm(handle)
    for effort in ("medium", "xhigh", "xhigh", "minimal", None):
        assert [t async for t in engine.answer(prompt(reasoning_effort=effort))] == [Wrote("Hi"), Stopped()]
    assert asked == ["medium", "xhigh", "high", "high", "minimal", "low", None]
    known.clear()
    for _ in range(2):
        assert [t async for t in engine.answer(prompt(reasoning_effort="high"))] == [Wrote("Hi"), Stopped()]
    assert asked[7:] == ["high", None, None]


async def test_closing_the_answer_closes_its_connection() -> None:
    body = Pieces(sse(delta(content="Hi")), asyncio.Event())
    engine = llm(lambda _: httpx.Response(200, headers={"content-type": "text/event-stream"}, stream=body))
    thoughts = engine.answer(prompt())
    assert await anext(thoughts) == Wrote("Hi")
    await thoughts.aclose()  # type: ignore[attr-defined]
    assert body.closed


async def test_the_message_of_an_unreachable_server_does_not_show_credentials_of_its_url() -> None:
    def handle(_: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("no")

    engine = ChatLlm(f"http://me:{KEY}@llm.example", "m", transport=httpx.MockTransport(handle))
    with pytest.raises(EngineError) as caught:
        _ = [thought async for thought in engine.answer(prompt(Message("i", "user")))]
    assert KEY not in str(caught.value)


# ------------------------------------------------------------------------------------------------------ contexts


def models(*rows: dict[str, Any]) -> httpx.Response:
    return httpx.Response(200, json={"object": "list", "data": list(rows)})


async def test_the_context_is_what_the_server_says_of_its_model() -> None:
    engine = llm(lambda _: models({"id": "other", "max_model_len": 999}, {"id": "m", "max_model_len": 8192}))
    assert engine.abilities.context_tokens == 128_000
    await engine.ready()
    assert engine.abilities.context_tokens == 8192


async def test_without_a_name_it_is_that_of_the_first_model() -> None:
    engine = llm(lambda _: models({"id": "a", "max_model_len": 4096}, {"id": "m", "max_model_len": 8192}), model="")
    await engine.ready()
    assert engine.abilities.context_tokens == 4096


async def test_what_the_operator_says_goes_before_that() -> None:
    transport = httpx.MockTransport(lambda _: models({"id": "m", "max_model_len": 8192}))
    engine = ChatLlm("http://llm.example", "m", transport=transport, context_tokens=2000)
    await engine.ready()
    assert engine.abilities.context_tokens == 2000


async def test_ollama_is_asked_where_it_tells() -> None:
    paths: list[str] = []

    def handle(request: httpx.Request) -> httpx.Response:
        paths.append(request.url.path)
        if request.url.path == "/v1/models":
            return models({"id": "m", "owned_by": "library"})
        if request.url.path == "/api/ps":
            return httpx.Response(200, json={"models": []})
        assert json.loads(request.content) == {"model": "m"}
        return httpx.Response(200, json={"parameters": "num_ctx 16384"})

    engine = llm(handle)
    await engine.ready()
    assert engine.abilities.context_tokens == 16384
    assert paths == ["/v1/models", "/api/ps", "/api/show"]


@pytest.mark.parametrize("answer", [httpx.Response(404), httpx.Response(200, content=b"<html>"), models({"id": "m"})])
async def test_a_server_that_does_not_tell_is_taken_to_have_the_usual_context(answer: httpx.Response) -> None:
    engine = llm(lambda _: answer)
    await engine.ready()
    assert engine.abilities.context_tokens == 128_000


async def test_a_server_that_was_not_there_tells_when_it_is_first_asked() -> None:
    paths: list[str] = []
    is_up = False

    def handle(request: httpx.Request) -> httpx.Response:
        paths.append(request.url.path)
        if not is_up:
            raise httpx.ConnectError("refused")
        if request.method == "GET":
            return models({"id": "m", "max_model_len": 8192})
        return stream(sse(delta(content="Hi."), delta("stop")))

    engine = llm(handle)
    await engine.ready()
    is_up = True
    for _ in range(2):
        assert [thought async for thought in engine.answer(prompt())]
    assert engine.abilities.context_tokens == 8192
    assert paths == ["/v1/models", "/v1/models", "/v1/chat/completions", "/v1/chat/completions"]


@pytest.mark.parametrize("is_streamed", [False, True])
async def test_a_prompt_that_is_too_long_is_told_as_such_and_the_context_learned(is_streamed: bool) -> None:
    error = {"error": {"message": f"This model's maximum context length is 4096 tokens. {KEY}", "code": 400}}

    def handle(_: httpx.Request) -> httpx.Response:
        return stream(sse(error)) if is_streamed else httpx.Response(400, json=error)

    engine = llm(handle)
    with pytest.raises(EngineError) as caught:
        _ = [thought async for thought in engine.answer(prompt())]
    assert caught.value.code == "context_length_exceeded"
    assert "has no room for a prompt of this length" in str(caught.value)
    assert KEY not in str(caught.value)
    assert engine.abilities.context_tokens == 4096
