"""The REST endpoints, used by openai-python as its documentation shows: files, streams, helpers and mistakes."""

from __future__ import annotations

import asyncio
import json
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openai
from openai import AsyncOpenAI, OpenAI

Job = dict[str, Any]


def speech(client: OpenAI, job: Job) -> Job:
    """Each format written to a file by the streaming helper, and as a whole."""
    results = {}
    for kind in job["formats"]:
        path = Path(job["folder"]) / f"python.{kind}"
        spoken = {"model": "gpt-4o-mini-tts", "voice": "ash", "input": job["sentence"], "response_format": kind}
        with client.audio.speech.with_streaming_response.create(**spoken) as response:
            streamed = sum(len(piece) for piece in response.iter_bytes(1024))
            content_type = response.headers["content-type"]
        with client.audio.speech.with_streaming_response.create(**spoken) as response:
            response.stream_to_file(path)
        whole = client.audio.speech.create(**spoken).read()
        results[kind] = {
            "path": str(path),
            "content_type": content_type,
            "sizes": [streamed, path.stat().st_size, len(whole)],
        }
    return results


def hearing(client: OpenAI, job: Job) -> Job:
    """What the server hears in each of the files that it spoke."""
    heard = {}
    for kind in job["formats"]:
        if kind != "pcm":
            with (Path(job["folder"]) / f"python.{kind}").open("rb") as file:
                heard[kind] = client.audio.transcriptions.create(model="gpt-4o-transcribe", file=file).text
    return heard


def transcriptions(client: OpenAI, job: Job) -> Job:
    """One recording in every format."""
    results: Job = {}
    for kind in ("json", "text", "srt", "vtt", "verbose_json"):
        options: Job = {"timestamp_granularities": ["word", "segment"]} if kind == "verbose_json" else {}
        told = client.audio.transcriptions.create(
            model="whisper-1",
            file=Path(job["question"]),
            response_format=kind,
            language="en",
            prompt="arithmetic",
            temperature=0.2,
            **options,
        )
        results[kind] = told if isinstance(told, str) else told.model_dump()
        results[f"{kind}_type"] = type(told).__name__
    with_logprobs = client.audio.transcriptions.create(
        model="gpt-4o-transcribe", file=Path(job["question"]), include=["logprobs"], chunking_strategy="auto"
    )
    results["logprobs"] = with_logprobs.model_dump()
    chosen = {"type": "server_vad", "silence_duration_ms": 300, "threshold": 0.5, "prefix_padding_ms": 200}
    strategy = client.audio.transcriptions.create(
        model="gpt-4o-transcribe", file=Path(job["question"]), chunking_strategy=chosen
    )
    results["strategy"] = strategy.text
    results["translation"] = client.audio.translations.create(model="whisper-1", file=Path(job["question"])).text
    return results


def transcription_stream(client: OpenAI, job: Job) -> Job:
    """A recording of several sentences, told as it is understood."""
    stream = client.audio.transcriptions.create(
        model="gpt-4o-transcribe", file=Path(job["long"]), stream=True, include=["logprobs"]
    )
    events = list(stream)
    return {
        "types": [type(event).__name__ for event in events],
        "deltas": "".join(event.delta for event in events if event.type == "transcript.text.delta"),
        "text": events[-1].text,
        "logprobs": len(events[-1].logprobs),
        "usage": events[-1].usage.model_dump(),
    }


def completions(client: OpenAI, job: Job) -> Job:
    """A question, a stream of chunks, and a function called and answered."""
    messages: list[Any] = [{"role": "user", "content": job["sum"]}]
    plain = client.chat.completions.create(model="vivavoce", messages=messages)
    chunks = list(
        client.chat.completions.create(
            model="vivavoce", messages=messages, stream=True, stream_options={"include_usage": True}
        )
    )
    weather = [{"role": "user", "content": job["weather"]}]
    asked = client.chat.completions.create(model="vivavoce", messages=weather, tools=[job["tool"]])
    call = asked.choices[0].message.tool_calls[0]
    result = {"role": "tool", "tool_call_id": call.id, "content": job["tool_result"]}
    told = client.chat.completions.create(
        model="vivavoce", messages=[*weather, asked.choices[0].message, result], tools=[job["tool"]]
    )
    with client.chat.completions.stream(model="vivavoce", messages=weather, tools=[job["tool"]]) as stream:
        kinds = sorted({event.type for event in stream})
        final = stream.get_final_completion()
    return {
        "plain": plain.choices[0].message.content,
        "usage": plain.usage.model_dump(),
        "streamed": "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices),
        "streamed_usage": chunks[-1].usage.model_dump(),
        "finish_reasons": [asked.choices[0].finish_reason, told.choices[0].finish_reason],
        "call": [call.function.name, json.loads(call.function.arguments)],
        "told": told.choices[0].message.content,
        "stream_kinds": kinds,
        "stream_call": json.loads(final.choices[0].message.tool_calls[0].function.arguments),
    }


def mistakes(client: OpenAI, job: Job) -> Job:
    """Requests that are refused, and as what the SDK raises that."""
    messages: list[Any] = [{"role": "user", "content": "Hello"}]
    question = Path(job["question"])
    attempts: dict[str, Callable[[], Any]] = {
        "voice": lambda: client.audio.speech.create(model="tts-1", voice="nobody", input="Hello"),
        "speed": lambda: client.audio.speech.create(model="tts-1", voice="ash", input="Hello", speed=9),
        "language": lambda: client.audio.transcriptions.create(model="whisper-1", file=question, language="de"),
        "file": lambda: client.audio.transcriptions.create(model="whisper-1", file=("a.mp3", b"nothing")),
        "format": lambda: client.audio.transcriptions.create(
            model="gpt-4o-transcribe-diarize", file=question, response_format="diarized_json"
        ),
        "large": lambda: client.audio.transcriptions.create(model="whisper-1", file=("a.wav", bytes(27 << 20))),
        "n": lambda: client.chat.completions.create(model="vivavoce", messages=messages, n=2),
        "messages": lambda: client.chat.completions.create(model="vivavoce", messages=[]),
        "key": lambda: client.with_options(api_key="sk-stranger").audio.speech.create(
            model="tts-1", voice="ash", input="Hello"
        ),
        "path": lambda: client.post("/audio/nothing", cast_to=object),
    }
    refused = {}
    for name, attempt in attempts.items():
        try:
            attempt()
        except openai.APIStatusError as error:
            refused[name] = [type(error).__name__, error.status_code, error.code, error.param]
    return refused


async def asynchronous(job: Job) -> Job:
    """The same with the asynchronous client: sound and text as they are made."""
    async with AsyncOpenAI(base_url=job["http_url"], api_key=job["key"]) as client:
        spoken = {"model": "tts-1", "voice": "nova", "input": job["chapter"], "response_format": "pcm"}
        began = time.monotonic()
        async with client.audio.speech.with_streaming_response.create(**spoken) as response:
            sound = [(len(piece), time.monotonic() - began) async for piece in response.iter_bytes()]
        messages: list[Any] = [{"role": "user", "content": job["sum"]}]
        chunks = await client.chat.completions.create(model="vivavoce", messages=messages, stream=True)
        written = "".join([chunk.choices[0].delta.content or "" async for chunk in chunks])
        stream = await client.audio.transcriptions.create(
            model="gpt-4o-transcribe", file=Path(job["question"]), stream=True
        )
        heard = [event.type async for event in stream]
    (_, first_s), (_, all_s) = sound[0], sound[-1]
    n_bytes = sum(size for size, _ in sound)
    return {"sound": n_bytes, "first_s": first_s, "all_s": all_s, "written": written, "heard": heard}


def main(job: Job) -> Job:
    client = OpenAI(base_url=job["http_url"], api_key=job["key"], max_retries=0)
    results = {}
    for part in (speech, hearing, transcriptions, transcription_stream, completions, mistakes):
        try:
            results[part.__name__] = part(client, job)
        except Exception:  # noqa: BLE001 - told to the test, which fails with it
            results[part.__name__] = {"failure": traceback.format_exc()}
    try:
        results["asynchronous"] = asyncio.run(asynchronous(job))
    except Exception:  # noqa: BLE001 - told to the test, which fails with it
        results["asynchronous"] = {"failure": traceback.format_exc()}
    return results


if __name__ == "__main__":
    the_job = json.loads(sys.argv[1])
    Path(the_job["results"]).write_text(json.dumps(main(the_job)), encoding="utf-8")
