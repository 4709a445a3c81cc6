from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncGenerator, Callable
from typing import Any

import httpx
import pytest

from desks import LoudHearing, Office, error_of, events_of, wav_of
from vivavoce.config import Limits
from vivavoce.core.effects import Prompt
from vivavoce.core.errors import EngineError
from vivavoce.core.items import InputAudio, Message
from vivavoce.core.reports import Spent
from vivavoce.core.service import Abilities, Rate
from vivavoce.engines.api import CallArgued, CallBegan, Stopped, Thought, Wrote
from vivavoce.engines.chat import ChatLlm

PATH = "/v1/chat/completions"
ASKED = {"model": "vivavoce", "messages": [{"role": "user", "content": "Hello"}]}


class Writer:
    """A language model that writes what it was given, and may fail or wait in between."""

    abilities = Abilities()

    def __init__(self, *thoughts: Thought | EngineError | asyncio.Event) -> None:
        self.thoughts = thoughts
        self.prompts: list[Prompt] = []
        self.writing = 0

    async def answer(self, prompt: Prompt) -> AsyncGenerator[Thought, None]:
        self.prompts.append(prompt)
        self.writing += 1
        try:
            for thought in self.thoughts:
                if isinstance(thought, EngineError):
                    raise thought
                if isinstance(thought, asyncio.Event):
                    await thought.wait()
                else:
                    yield thought
        finally:
            self.writing -= 1

    async def ready(self) -> None: ...

    async def close(self) -> None: ...


async def test_an_engine_of_our_own_answers_as_a_whole() -> None:
    office = Office(llm=Writer(Wrote("Good "), Wrote("day."), Stopped()))
    answer = await office.ask(PATH, ASKED)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    told = answer.json()
    assert told["id"].startswith("chatcmpl-")
    assert (told["object"], told["model"]) == ("chat.completion", "vivavoce")
    assert told["choices"][0]["message"]["content"] == "Good day."
    assert office.desk.jobs == 0


async def test_an_engine_of_our_own_answers_as_a_stream() -> None:
    llm = Writer(CallBegan("look"), CallArgued("{}"), Stopped())
    answer = await Office(llm=llm).ask(PATH, ASKED | {"stream": True, "stream_options": {"include_usage": True}})
    assert answer.headers["content-type"].startswith("text/event-stream")
    *chunks, usage, last = events_of(answer.content)
    assert [choice["finish_reason"] for chunk in chunks for choice in chunk["choices"]] == [None] * 3 + ["tool_calls"]
    assert usage["usage"]["total_tokens"] == usage["usage"]["prompt_tokens"] + usage["usage"]["completion_tokens"]
    assert last == "[DONE]"


async def test_the_first_words_leave_before_the_last_are_written() -> None:
    go_on = asyncio.Event()
    visit = Office(llm=Writer(Wrote("one "), go_on, Wrote("two"), Stopped())).visit(PATH, ASKED | {"stream": True})
    await visit.until(lambda: b"one " in visit.body)
    assert not visit.is_complete
    go_on.set()
    await visit.until(lambda: visit.is_complete)
    assert b"two" in visit.body
    await visit.leave()


@pytest.mark.parametrize("stream", [True, False])
async def test_a_client_that_leaves_stops_the_writer(stream: bool) -> None:
    llm = Writer(Wrote("one "), asyncio.Event())
    office = Office(llm=llm)
    visit = office.visit(PATH, ASKED | {"stream": stream})
    await visit.until(lambda: llm.writing == 1)
    assert office.desk.jobs == 1
    await visit.leave()
    assert (llm.writing, office.desk.jobs) == (0, 0)


@pytest.mark.parametrize("stream", [True, False])
async def test_a_writer_that_fails_is_told(stream: bool) -> None:
    office = Office(llm=Writer(EngineError("no idea")))
    answer = await office.ask(PATH, ASKED | {"stream": stream})
    if stream:
        *_, last = events_of(answer.content)
        assert last["error"]["message"] == "no idea"
    else:
        assert (answer.status_code, error_of(answer)["message"]) == (500, "no idea")
    unfinished = await Office(llm=Writer(Wrote("so"))).ask(PATH, ASKED)
    assert (unfinished.status_code, error_of(unfinished)["code"]) == (502, "llm_cut_off")


async def test_a_mistake_is_named() -> None:
    answer = await Office(llm=Writer()).ask(PATH, ASKED | {"n": 3})
    assert (answer.status_code, error_of(answer)["param"]) == (400, "n")


async def test_without_a_language_model_there_is_no_answer() -> None:
    answer = await Office().ask(PATH, ASKED)
    assert (answer.status_code, error_of(answer)["code"]) == (501, "not_supported")


def spoken(wav: bytes | str) -> dict[str, Any]:
    data = wav if isinstance(wav, str) else base64.b64encode(wav).decode()
    part = {"type": "input_audio", "input_audio": {"data": data, "format": "wav"}}
    return ASKED | {"messages": [{"role": "user", "content": [part]}]}


async def test_recordings_in_a_message_are_understood_first() -> None:
    llm = Writer(Stopped())
    await Office(llm=llm, hearing=LoudHearing()).ask(PATH, spoken(wav_of(992, 192, 1000)))
    (message,) = llm.prompts[0].items
    assert isinstance(message, Message)
    assert message.content == (InputAudio(heard="w1a w1b"),)


@pytest.mark.parametrize(
    ("data", "code"), [("?", "invalid_value"), ("AAAA", "unreadable_audio"), (wav_of(2000), "audio_too_long")]
)
async def test_a_recording_in_a_message_that_cannot_be_read_is_named(data: str | bytes, code: str) -> None:
    office = Office(llm=Writer(), hearing=LoudHearing(), limits=Limits(max_recording_seconds=1.0))
    error = error_of(await office.ask(PATH, spoken(data)))
    assert (error["code"], error["param"]) == (code, "messages[0].content[0].input_audio.data")


# ------------------------------------------------------------------------------------------------------ passed on


def relaying(answer: Callable[[httpx.Request], httpx.Response], model: str = "big", **settings: Any) -> Office:
    transport = httpx.MockTransport(answer)
    return Office(llm=ChatLlm("http://llm.test/v1", model, "sk-upstream-key", transport=transport), **settings)


async def test_a_request_is_passed_on_with_everything_but_its_model_and_key() -> None:
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, json={"any": "thing"}, headers={"x-request-id": "r1", "server": "secret"})

    odd = ASKED | {"n": 5, "extra": {"deep": [1.5, None]}, "temperature": 9}
    told = await relaying(answer).ask(PATH, odd, headers={"Authorization": "Bearer sk-client"})
    assert (told.status_code, told.json(), told.headers["x-request-id"]) == (200, {"any": "thing"}, "r1")
    assert "server" not in told.headers
    (request,) = seen
    assert str(request.url) == "http://llm.test/v1/chat/completions"
    assert json.loads(request.content) == odd | {"model": "big"}
    assert request.headers["authorization"] == "Bearer sk-upstream-key"
    assert b"sk-client" not in b"".join(value for _, value in request.headers.raw)


async def test_a_model_that_the_endpoint_lists_keeps_its_name() -> None:
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/v1/models":
            return httpx.Response(200, json={"data": [{"id": "one"}, {"id": "two"}]})
        asked.append(json.loads(request.content)["model"])
        return httpx.Response(200, json={})

    office = relaying(answer, model="")
    await office.ask(PATH, ASKED | {"model": "two"})
    await office.ask(PATH, ASKED)
    assert asked == ["two", "one"]


class Upstream(httpx.AsyncByteStream):
    """A response that comes in pieces, and may wait."""

    def __init__(self, *pieces: bytes | asyncio.Event) -> None:
        self.pieces = pieces
        self.is_closed = False

    async def __aiter__(self):  # type: ignore[no-untyped-def]
        for piece in self.pieces:
            if isinstance(piece, bytes):
                yield piece
            else:
                await piece.wait()

    async def aclose(self) -> None:
        self.is_closed = True


async def test_a_stream_is_passed_on_as_it_comes_and_stopped_with_its_client() -> None:
    never = asyncio.Event()
    upstream = Upstream(b"data: {}\n\n", b"data: half", never)
    headers = {"content-type": "text/event-stream"}
    office = relaying(lambda _: httpx.Response(200, stream=upstream, headers=headers))
    visit = office.visit(PATH, ASKED | {"stream": True})
    await visit.until(lambda: visit.body == b"data: {}\n\ndata: half")
    assert visit.headers["content-type"].startswith("text/event-stream")
    assert (upstream.is_closed, office.desk.jobs) == (False, 1)
    await visit.leave()
    assert (upstream.is_closed, office.desk.jobs) == (True, 0)


async def test_a_client_that_leaves_before_the_answer_stops_it_too() -> None:
    upstream = Upstream(asyncio.Event())
    office = relaying(lambda _: httpx.Response(200, stream=upstream))
    visit = office.visit(PATH, ASKED)
    await visit.until(lambda: office.desk.jobs == 1)
    for _ in range(20):
        await asyncio.sleep(0)
    await visit.leave()
    assert (upstream.is_closed, office.desk.jobs) == (True, 0)


async def test_an_error_is_passed_on_with_its_status_and_words() -> None:
    told = {"error": {"message": "too many", "type": "requests", "param": None, "code": "rate"}}
    office = relaying(lambda _: httpx.Response(429, json=told, headers={"retry-after": "7", "x-ratelimit-limit": "1"}))
    answer = await office.ask(PATH, ASKED)
    assert (answer.status_code, answer.json()) == (429, told)
    assert (answer.headers["retry-after"], answer.headers["x-ratelimit-limit"]) == ("7", "1")


async def test_the_key_is_never_told() -> None:
    pieces = (b"the key sk-upstr", b"eam-key is wrong, sk-", b"up")
    office = relaying(lambda _: httpx.Response(400, stream=Upstream(*pieces)))
    answer = await office.ask(PATH, ASKED)
    assert (answer.status_code, answer.content) == (400, b"the key (key) is wrong, sk-up")
    refused = await relaying(lambda _: httpx.Response(401, text="Incorrect key: sk-up***key")).ask(PATH, ASKED)
    assert (refused.status_code, error_of(refused)["code"]) == (401, "llm_unauthorized")
    assert "sk-up" not in refused.text


@pytest.mark.parametrize(
    ("failure", "status", "code"),
    [
        (httpx.ConnectError("no"), 502, "llm_unreachable"),
        (httpx.ReadTimeout("no"), 504, "llm_timeout"),
        (httpx.RemoteProtocolError("no"), 502, "llm_cut_off"),
        (None, 502, "llm_malformed"),
    ],
)
async def test_an_endpoint_that_does_not_answer_is_told(failure: Exception | None, status: int, code: str) -> None:
    def answer(_: httpx.Request) -> httpx.Response:
        if failure is None:
            return httpx.Response(302, headers={"location": "http://elsewhere.test/"})
        raise failure

    office = relaying(answer)
    told = await office.ask(PATH, ASKED)
    assert (told.status_code, error_of(told)["code"], office.desk.jobs) == (status, code, 0)


# ------------------------------------------------------------------------------------------------------ money

RATE = Rate(text_in=1e6, text_cached=1e3, text_out=10e6)
USAGE = {"prompt_tokens": 7, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 3}}
USD = 4 + 3 / 1000 + 20
STREAM = {"content-type": "text/event-stream"}


def sse(*values: Any) -> bytes:
    return b"".join(b"data: " + json.dumps(value).encode() + b"\n\n" for value in values)


WORDS = sse({"choices": [{"delta": {"content": "Hel"}}]}, {"choices": [{"delta": {"content": "lo"}}]})
TOLD = sse({"choices": [], "usage": USAGE})
DONE = b"data: [DONE]\n\n"


@pytest.mark.parametrize("stream", [True, False])
async def test_an_engine_of_our_own_costs_what_its_name_does(stream: bool) -> None:
    spent = Spent(5, 3)
    office = Office(llm=Writer(Wrote("Good "), Wrote("day."), Stopped(spent=spent)), rates={"vivavoce": RATE})
    await office.ask(PATH, ASKED | {"stream": stream})
    assert office.charges == [pytest.approx(35)]
    await office.ask(PATH, ASKED | {"stream": stream, "model": "another"})
    assert office.charges == [pytest.approx(35)]


@pytest.mark.parametrize("stream", [True, False])
async def test_an_answer_that_fails_costs_nothing(stream: bool) -> None:
    for thoughts in ((Wrote("so"),), (Wrote("so"), EngineError("no idea"))):
        office = Office(llm=Writer(*thoughts), rates={"vivavoce": RATE})
        await office.ask(PATH, ASKED | {"stream": stream})
        assert office.charges == []


async def test_who_leaves_is_charged_for_what_was_written() -> None:
    office = Office(llm=Writer(Wrote("word" * 3), asyncio.Event()), rates={"vivavoce": RATE})
    visit = office.visit(PATH, ASKED | {"stream": True})
    await visit.until(lambda: b"word" in visit.body)
    await visit.leave()
    assert office.charges == [pytest.approx(2 + 30)]


@pytest.mark.parametrize("priced", ["big", "vivavoce"])
async def test_an_answer_from_elsewhere_is_charged_by_the_usage_that_it_tells(priced: str) -> None:
    body = {"choices": [{"message": {"content": "Hello"}}], "usage": USAGE}
    office = relaying(lambda _: httpx.Response(200, json=body), rates={priced: RATE})
    answer = await office.ask(PATH, ASKED)
    assert answer.json() == body
    assert office.charges == [pytest.approx(USD)]


async def test_what_the_operator_pays_for_goes_before_what_the_client_calls_it() -> None:
    answer = httpx.Response(200, json={"usage": USAGE})
    office = relaying(lambda _: answer, rates={"big": RATE, "vivavoce": Rate(text_in=9e6)})
    await office.ask(PATH, ASKED)
    assert office.charges == [pytest.approx(USD)]


async def test_a_stream_is_asked_for_usage_that_its_client_does_not_get() -> None:
    asked: list[Any] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(json.loads(request.content))
        return httpx.Response(200, content=WORDS + TOLD + DONE, headers=STREAM)

    office = relaying(answer, rates={"big": RATE})
    told = await office.ask(PATH, ASKED | {"stream": True})
    assert told.content == WORDS + DONE
    told = await office.ask(PATH, ASKED | {"stream": True, "stream_options": {"include_usage": True}})
    assert told.content == WORDS + TOLD + DONE
    assert asked == [ASKED | {"model": "big", "stream": True, "stream_options": {"include_usage": True}}] * 2
    assert office.charges == [pytest.approx(USD)] * 2


async def test_a_stream_without_a_price_is_not_touched() -> None:
    asked: list[Any] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(json.loads(request.content))
        return httpx.Response(200, content=WORDS + TOLD + DONE, headers=STREAM)

    office = relaying(answer, rates={"another": RATE})
    assert (await office.ask(PATH, ASKED | {"stream": True})).content == WORDS + TOLD + DONE
    assert asked == [ASKED | {"model": "big", "stream": True}]
    assert office.charges == []


async def test_a_server_that_knows_no_usage_of_streams_is_asked_again_and_its_answer_estimated() -> None:
    asked: list[Any] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(json.loads(request.content))
        if "stream_options" in asked[-1]:
            return httpx.Response(400, json={"error": {"message": "unknown field: stream_options"}})
        return httpx.Response(200, content=WORDS + DONE, headers=STREAM)

    office = relaying(answer, rates={"big": RATE})
    for _ in range(2):
        told = await office.ask(PATH, ASKED | {"stream": True})
        assert (told.status_code, told.content) == (200, WORDS + DONE)
    assert ["stream_options" in body for body in asked] == [True, False, False]
    assert office.charges == [pytest.approx(2 + 20)] * 2


async def test_another_refusal_of_a_stream_is_passed_on() -> None:
    told = {"error": {"message": "temperature is too high"}}
    office = relaying(lambda _: httpx.Response(400, json=told), rates={"big": RATE})
    answer = await office.ask(PATH, ASKED | {"stream": True})
    assert (answer.status_code, answer.json(), office.charges) == (400, told, [])


async def test_an_error_from_elsewhere_costs_nothing() -> None:
    broken = WORDS + sse({"error": {"message": "broke"}})
    for response in (
        httpx.Response(500, json={"usage": USAGE}),
        httpx.Response(401, json={"usage": USAGE}),
        httpx.Response(200, json={"error": {"message": "no"}, "usage": USAGE}),
        httpx.Response(200, content=broken, headers=STREAM),
    ):
        office = relaying(lambda _, response=response: response, rates={"big": RATE})
        await office.ask(PATH, ASKED | {"stream": True})
        assert office.charges == []


async def test_who_leaves_a_stream_from_elsewhere_is_charged_for_what_came() -> None:
    upstream = Upstream(WORDS, asyncio.Event())
    office = relaying(lambda _: httpx.Response(200, stream=upstream, headers=STREAM), rates={"big": RATE})
    visit = office.visit(PATH, ASKED | {"stream": True})
    await visit.until(lambda: visit.body == WORDS)
    await visit.leave()
    assert (upstream.is_closed, office.charges) == (True, [pytest.approx(2 + 20)])
